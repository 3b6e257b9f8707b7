"""What a drop cites: the kept document by id, repository and path, with the similarity, in each shard's edge table.

Verdicts go from leaders to their followers, then to the groups of the canonicals, which know their names, and back.
"""

from __future__ import annotations

from collections import Counter
from functools import partial

import numpy as np
import pyarrow as pa

from pipeline import schema
from pipeline.shuffle import Shuffle, arrays_of
from pipeline.side import Corpus, Side
from stages.near_duplicates.documents import Documents, by_shard, halves, of_shard, row_numbers
from stages.near_duplicates.equal_sets import EqualSets
from stages.near_duplicates.independent_set import VERDICTS

CITED = pa.schema(
    [
        ("location", pa.uint64()),
        ("jaccard", pa.float64()),
        ("canonical", pa.string()),
        ("canonical_repo", pa.string()),
        ("canonical_path", pa.string()),
        ("content", pa.binary(16)),
        ("removed", pa.bool_()),
    ]
)


def write_edges(corpus: Corpus, documents: Documents, verdicts: Shuffle, equal: EqualSets) -> Counter[str]:
    """Write the edge table of every shard of the corpus; how many documents are dropped for each reason."""
    groups = len(documents.all_groups)
    unnamed, named = Shuffle("unnamed", VERDICTS, groups), Shuffle("named", CITED, groups)
    follow = partial(_follow, documents=documents, verdicts=verdicts, equal=equal, unnamed=unnamed)
    corpus.map(follow, documents.all_groups)
    corpus.map(partial(_name, documents=documents, unnamed=unnamed, named=named), documents.all_groups)
    counts = corpus.map(partial(_write, documents=documents, named=named), documents.all_groups)
    return sum(counts, Counter())


def _follow(
    group: int,
    corpus: Corpus,
    side: Side,
    *,
    documents: Documents,
    verdicts: Shuffle,
    equal: EqualSets,
    unnamed: Shuffle,
) -> None:
    """Followers cite what their leader cites, or the leader itself where it stays."""
    location, canonical, jaccard = arrays_of(verdicts.read(side, group).sort_by("location"))
    follower, leader = arrays_of(equal.by_leader.read(side, group))
    place = np.minimum(np.searchsorted(location, leader), max(0, len(location) - 1))
    falls = location[place] == leader if len(location) else np.zeros(len(leader), bool)
    theirs, similarity = leader.copy(), np.ones(len(leader))
    theirs[falls], similarity[falls] = canonical[place[falls]], jaccard[place[falls]]
    columns = {
        "location": np.concatenate([location, follower]),
        "canonical": np.concatenate([canonical, theirs]),
        "jaccard": np.concatenate([jaccard, similarity]),
    }
    unnamed.write(side, f"{group:06d}", columns, documents.group_of(columns["canonical"]))


def _name(group: int, corpus: Corpus, side: Side, *, documents: Documents, unnamed: Shuffle, named: Shuffle) -> None:
    table = unnamed.read(side, group)
    (canonical,) = arrays_of(table, "canonical")
    for number, chosen in by_shard(canonical):
        rows = row_numbers(canonical[chosen])
        names = documents.read(corpus, number, rows, ["id", "repo", "path"])
        content = documents.signature(side, number, ["content"])["content"].take(pa.array(rows))
        some = table.take(pa.array(chosen))
        removed = pa.array(documents.removed(number, rows))
        columns = [some["location"], some["jaccard"], *names.columns, content, removed]
        where = documents.group_of(some["location"].to_numpy())
        named.write(side, f"{number:06d}", dict(zip(CITED.names, columns, strict=True)), where)


def _write(group: int, corpus: Corpus, side: Side, *, documents: Documents, named: Shuffle) -> Counter[str]:
    table = named.read(side, group).sort_by("location")
    (location,) = arrays_of(table, "location")
    counts: Counter[str] = Counter()
    for number in documents.shards_of(group):
        shard = documents.own(number)
        if shard is None:
            continue
        its = of_shard(location, number)
        cited = table[its]
        own = documents.signature(side, number, ["id", "content"]).take(pa.array(row_numbers(location[its])))
        equal = (halves(own["content"]) == halves(cited["content"])).all(axis=1)
        removed = cited["removed"].to_numpy()
        reasons = np.select([removed, equal], ["copy_of_opted_out", "exact_duplicate"], "near_duplicate").tolist()
        counts.update(reasons)
        columns = {
            "id": own["id"],
            **{name: cited[name] for name in ("canonical", "canonical_repo", "canonical_path", "jaccard")},
            "reason": pa.array(reasons, pa.string()),
        }
        side.put("edge", pa.table([columns[name] for name in schema.EDGE.names], schema=schema.EDGE), shard=shard)
    return counts
