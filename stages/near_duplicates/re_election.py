"""Who stays in place of documents that were removed, worked out from what a deduplicate pass left behind.

Documents are judged again where the removal can make a difference, not all: those dropped for a removed one, and what
follows from those that stay now (re_election_judging.py). What they have to be compared with is found by the bands of
the stored signatures (re_election_look_up.py), one scan for all that is known to be in question, and seldom more than
two; texts are read of these documents only (re_election_sets.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opt_out.requests import OptOuts
from pipeline import schema
from pipeline.side import Executor
from pipeline.storage import Storage
from stages.near_duplicates.base_run import BaseRun, open_base
from stages.near_duplicates.re_election_copies import copies as copies
from stages.near_duplicates.re_election_judging import Group, Known, Verdict, judge
from stages.near_duplicates.re_election_look_up import NO_BANDS, Found, Query, Tables, look_up
from stages.near_duplicates.re_election_sets import Similarities

if TYPE_CHECKING:
    from stages.deduplicate import Deduplicate

Find = Callable[[Query], list[Found]]


def re_elect(
    stage: Deduplicate, store: Storage, before: dict[str, str], folder: str, removed: pa.Array, executor: Executor
) -> dict[str, pa.Table]:
    """Shard -> its new table `edge`, for the shards where more changes than that rows of `removed` documents go.

    `before` names for each shard the Parquet file of the documents that the pass read, whether the removed ones (ids)
    are still in it or not; the tables `signature` and `edge` in `folder`, the pass's side folder, hold them still.

    Who stays is who would stay had the stage been prepared anew without the removed documents, and what a drop cites is
    the same, but for four things. Where buckets were too large to be compared to the end (`left_out` in counts.json),
    here all is compared that may matter, so more may be found alike. No pair is let go by an estimate here. Where
    comparing took rounds, a rebuild compares what falls early with the leaders until then, and may cite another kept
    document than the nearest, which is cited here. And the base run counts as it stands now, but for the documents
    judged again only.

    UsageError where the base run is needed and is not there.
    """
    removed = removed.cast(pa.string())
    tables = Tables(store, before, folder, None, stage.ngram, stage.bands, stage.rows, tuple(stage.prefer))
    concerned = Query(citing=removed, dropped=removed)
    if stage.base is not None:
        # It is opened only where it is needed: a removal should not fail for want of a run that does not matter to it.
        if not any(some for _, some in executor.map(partial(look_up, tables=tables, query=concerned), tables.numbers)):
            return {}
        tables = replace(tables, base=_open_base(stage, stage.base))
    gone = set(removed.to_pylist())
    known = Known()

    def find(query: Query) -> list[Found]:
        """Look up in all shards; what is removed from this run, after all the rest."""
        tasks = tables.numbers
        found = [
            document
            for _, some in executor.map(partial(look_up, tables=tables, query=query), tasks)
            for document in some
        ]
        known.add(document for document in found if not (document.rank[0] and document.id in gone))
        return found

    found = find(concerned)
    first = {document.key for document in found if document.cites in gone and document.id not in gone}
    first |= _lost_leaders(found, gone, known, find)
    if not first:
        return {}
    similarities = Similarities(tables, executor, stage.threshold)
    while True:
        judged = judge(known, first, similarities)
        if not judged.to_ask and not judged.to_expand:
            break
        asked: set[bytes] = set()
        if judged.to_ask:
            find(Query(citing=pa.array(sorted(judged.to_ask), pa.string())))
            known.asked |= judged.to_ask
            citing = set().union(*(known.citing[name] for name in judged.to_ask))
            asked = {key for key in citing if known.groups[key].leader.cites in judged.to_ask}
        _expand((judged.to_expand | asked) - known.expanded, known, find, similarities)
    return _tables(tables, known.groups, judged.verdicts, removed)


def _open_base(stage: Deduplicate, base: str) -> BaseRun:
    alike = {name: getattr(stage, name) for name in ("revision", "ngram", "permutations", "seed")}
    return open_base(base, alike, OptOuts.load(stage.copies_of) if stage.copies_of else None)


def _lost_leaders(found: list[Found], gone: set[str], known: Known, find: Find) -> set[bytes]:
    """Groups that were dropped and whose leader is removed: the next one has more groups before it that stay."""
    removed = [document for document in found if document.id in gone and document.cites is not None]
    if removed:
        find(Query(keys=pa.array(sorted({document.key for document in removed}), pa.binary(16))))
    lost = set()
    for document in removed:
        group = known.groups.get(document.key)
        if group is not None and group.leader.cites is not None and document.rank < group.leader.rank:
            lost.add(document.key)
    return lost


def _expand(keys: set[bytes], known: Known, find: Find, similarities: Similarities) -> None:
    """Find all that share a bucket with these groups, or a content where they have no shingles."""
    leaders = [known.groups[key].leader for key in sorted(keys)]
    bands = np.unique(np.concatenate([NO_BANDS, *(leader.bands for leader in leaders)]))
    contents = pa.array([leader.key for leader in leaders if not leader.shingles], pa.binary(16))
    find(Query(bands=bands, keys=contents))
    known.expand(keys)
    sizes = np.sort([leader.shingles for leader in leaders])
    similarities.fetch_ahead(
        [group.leader for group in known.groups.values() if similarities.fits(group.leader, sizes)]
    )


def _tables(
    tables: Tables, groups: dict[bytes, Group], verdicts: dict[bytes, Verdict], removed: pa.Array
) -> dict[str, pa.Table]:
    """The edge tables that verdicts change."""
    changed: dict[int, dict[str, dict[str, Any] | None]] = defaultdict(dict)
    for key, verdict in verdicts.items():
        leader = groups[key].leader
        for member in groups[key].members:
            if member.rank[0]:
                canonical = verdict.canonical or (leader if member is not leader else None)
                changed[member.shard][member.id] = canonical and _row(member, canonical, verdict.jaccard)
    found = {}
    for number, rows in sorted(changed.items()):
        old = tables.edges(number)
        old = old.filter(pc.invert(pc.is_in(old["id"], value_set=removed)))
        merged = {row["id"]: row for row in old.to_pylist()} | rows
        ids = tables.signature(number, ["id"])["id"].to_pylist()
        new = pa.Table.from_pylist([row for name in ids if (row := merged.get(name))], schema=schema.EDGE)
        if not new.equals(old.cast(schema.EDGE)):
            shard = tables.own(number)
            assert shard is not None
            found[shard] = new
    return found


def _row(member: Found, canonical: Found, jaccard: float) -> dict[str, Any]:
    """A row of schema.EDGE."""
    alike = "exact_duplicate" if member.content == canonical.content else "near_duplicate"
    return {
        "id": member.id,
        "canonical": canonical.id,
        "canonical_repo": canonical.repo,
        "canonical_path": canonical.path,
        "reason": "copy_of_opted_out" if canonical.gone else alike,
        "jaccard": jaccard,
    }
