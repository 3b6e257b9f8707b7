"""Which documents elsewhere in a run are copies of removed ones: the evidence that a certificate gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.side import Executor, Worker
from pipeline.storage import Storage
from stages.near_duplicates.re_election_look_up import read_documents
from stages.shingles import ShingleSets, Utf8, jaccard, shingle_sets

COPIES = pa.schema(
    [
        ("id", pa.string()),
        ("repo", pa.string()),
        ("path", pa.string()),
        ("shard", pa.string()),
        ("jaccard", pa.float64()),
        ("of", pa.string()),  # the removed document it is a copy of
        ("relation", pa.string()),  # the first that holds, in the order of RELATIONS
    ]
)
RELATIONS = (
    "dropped_for_it",  # it was dropped, and cites the removed one
    "kept_over_it",  # it stays, and the removed one was dropped for it
    "same_content",
    "dropped_alike",  # it was dropped for the same one as the removed one, and resembles it too
)
AT_ONCE = 1024  # texts of a shard that are compared at once


def copies(
    store: Storage,
    before: dict[str, str],
    folder: str,
    removed: pa.Array,
    executor: Executor,
    ngram: int = 5,
    threshold: float = 0.7,
) -> pa.Table:
    """Copies of `removed` documents (ids) that stand elsewhere in the run, as COPIES, each pair once, sorted.

    `ngram` and `threshold` are the stage's. The tables of the pass and the texts in `before` must hold the removed
    documents still; a copy that only the removed text would show is not found where it does not. Documents of a base
    run are not this run's, and not among them.
    """
    tables = _Tables(store, before, folder, removed.cast(pa.string()), ngram, threshold)
    shards = sorted(before)
    found = [part for _, part in executor.map(partial(_find_removed, tables=tables), shards)]
    gone = set(tables.removed.to_pylist())
    contents = _lists((row["content"], row["id"]) for part in found for row in part.removed.to_pylist())
    over = [edge for part in found for edge in part.dropped.to_pylist() if edge["canonical"] not in gone]
    wanted = _Wanted(contents, _lists((edge["canonical"], (edge["id"], edge["jaccard"])) for edge in over))
    rows = [row for part in found for row in part.copies]
    siblings: list[tuple[str, pa.Table]] = []
    for index, (some, edges) in executor.map(partial(_find_copies, tables=tables, wanted=wanted), shards):
        rows += some
        if edges.num_rows:
            siblings.append((shards[index], edges))
    rows += _alike(tables, shards, siblings, wanted, executor)
    order = {relation: place for place, relation in enumerate(RELATIONS)}
    once: dict[tuple[str, str], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (row["id"], row["of"], order[row["relation"]])):
        once.setdefault((row["id"], row["of"]), row)
    return pa.Table.from_pylist(list(once.values()), schema=COPIES)


@dataclass(frozen=True)
class _Tables:
    store: Storage
    before: dict[str, str]
    folder: str
    removed: pa.Array  # ids
    ngram: int
    threshold: float

    def signature(self, shard: str, columns: list[str]) -> pa.Table:
        return self.store.read_table(f"{self.folder}/signature/{shard}.parquet", columns)

    def edges(self, shard: str) -> pa.Table:
        return self.store.read_table(f"{self.folder}/edge/{shard}.parquet", ["id", "canonical", "jaccard"])

    def rows(self, shard: str, found: Sequence[tuple[str, str, float, str]]) -> list[dict[str, Any]]:
        """Rows of COPIES for (id, of, jaccard, relation), with the names of documents that are there still."""
        ids = pa.array([copy for copy, *_ in found], pa.string())
        if len(ids) == 0:
            return []
        names = read_documents(self.store, self.before[shard], pa.chunked_array([ids]), ["id", "repo", "path"])
        return [
            {"id": copy, "repo": name["repo"], "path": name["path"], "shard": shard, "jaccard": jaccard, "of": of,
             "relation": relation}
            for (copy, of, jaccard, relation), name in zip(found, names.to_pylist(), strict=True)
            if name["id"] is not None
        ]  # fmt: skip


class _Removed(NamedTuple):
    removed: pa.Table  # id and content of the shard's removed documents
    dropped: pa.Table  # edges of those that were dropped
    copies: list[dict[str, Any]]  # what was dropped for a removed document


class _Wanted(NamedTuple):
    """What copies are known by."""

    contents: dict[bytes, list[str]]  # ids of removed documents by their content
    canonicals: dict[str, list[tuple[str, float]]]  # kept document -> removed ones that were dropped for it


def _find_removed(shard: str, worker: Worker, *, tables: _Tables) -> _Removed:
    signatures, edges = tables.signature(shard, ["id", "content"]), tables.edges(shard)
    own = pc.is_in(edges["id"], value_set=tables.removed)
    cites = pc.is_in(edges["canonical"], value_set=tables.removed)
    citing = edges.filter(pc.and_not(cites, own)).to_pylist()
    return _Removed(
        signatures.filter(pc.is_in(signatures["id"], value_set=tables.removed)),
        edges.filter(own),
        tables.rows(shard, [(edge["id"], edge["canonical"], edge["jaccard"], "dropped_for_it") for edge in citing]),
    )


def _find_copies(
    shard: str, worker: Worker, *, tables: _Tables, wanted: _Wanted
) -> tuple[list[dict[str, Any]], pa.Table]:
    """Rows of COPIES, and the edges of documents that were dropped for the same ones as removed documents."""
    signatures, edges = tables.signature(shard, ["id", "content"]), tables.edges(shard)
    signatures = signatures.filter(pc.invert(pc.is_in(signatures["id"], value_set=tables.removed)))
    canonicals = pa.array(list(wanted.canonicals), pa.string())
    same = pc.is_in(signatures["content"], value_set=pa.array(list(wanted.contents), pa.binary(16)))
    stays = pc.is_in(signatures["id"], value_set=canonicals)
    stays = pc.and_not(stays, pc.is_in(signatures["id"], value_set=edges["id"].combine_chunks()))
    found = [
        (row["id"], of, 1.0, "same_content")
        for row in signatures.filter(same).to_pylist()
        for of in wanted.contents[row["content"]]
    ]
    for name in signatures["id"].filter(stays).to_pylist():
        found += [(name, of, jaccard, "kept_over_it") for of, jaccard in wanted.canonicals[name]]
    own = pc.is_in(edges["id"], value_set=tables.removed)
    return tables.rows(shard, found), edges.filter(
        pc.and_not(pc.is_in(edges["canonical"], value_set=canonicals), own)
    )  # fmt: skip


def _alike(
    tables: _Tables,
    shards: Sequence[str],
    siblings: Sequence[tuple[str, pa.Table]],
    wanted: _Wanted,
    executor: Executor,
) -> list[dict[str, Any]]:
    """Those of `siblings` that resemble a removed document which was dropped for the same one."""
    cited = set().union(*(edges["canonical"].to_pylist() for _, edges in siblings))
    ids = sorted({of for name in cited for of, _ in wanted.canonicals[name]})
    rows: list[dict[str, Any]] = []
    for start in range(0, len(ids), AT_ONCE):
        some = pa.array(ids[start : start + AT_ONCE], pa.string())
        sets: dict[str, np.ndarray] = {}
        for _, part in executor.map(partial(_shingles, tables=tables, ids=some), shards):
            sets |= part
        for _, found in executor.map(partial(_compare, tables=tables, wanted=wanted, sets=sets), siblings):
            rows += found
    return rows


def _shingles(shard: str, worker: Worker, *, tables: _Tables, ids: pa.Array) -> dict[str, np.ndarray]:
    """Shingles of those of `ids` whose texts are there."""
    here = tables.edges(shard)["id"]
    here = here.filter(pc.is_in(here, value_set=ids))
    if len(here) == 0:
        return {}
    texts = read_documents(tables.store, tables.before[shard], here, ["text"])["text"]
    sets = shingle_sets(Utf8.of(texts), tables.ngram)
    return {
        name: sets.hashes[sets.starts[row] : sets.starts[row + 1]].copy()
        for row, (name, there) in enumerate(zip(here.to_pylist(), texts.is_valid().to_pylist(), strict=True))
        if there
    }


def _compare(
    sibling: tuple[str, pa.Table], worker: Worker, *, tables: _Tables, wanted: _Wanted, sets: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    shard, edges = sibling
    place = {name: number for number, name in enumerate(sets)}
    starts = np.cumsum([0, *(len(array) for array in sets.values())])
    theirs = ShingleSets(starts.astype(np.int64), np.concatenate([np.zeros(0, np.uint64), *sets.values()]))
    found = []
    for start in range(0, edges.num_rows, AT_ONCE):
        part = edges.slice(start, AT_ONCE)
        own = shingle_sets(
            Utf8.of(read_documents(tables.store, tables.before[shard], part["id"], ["text"])["text"]), tables.ngram
        )
        pairs = [
            (row, place[of])
            for row, canonical in enumerate(part["canonical"].to_pylist())
            for of, _ in wanted.canonicals[canonical]
            if of in place
        ]
        left, right = np.array(pairs, np.int64).reshape(-1, 2).T.copy()
        names, others = part["id"].to_pylist(), list(sets)
        for (row, other), near in zip(pairs, jaccard(own, left, theirs, right, tables.threshold).tolist(), strict=True):
            if near >= tables.threshold:
                found.append((names[row], others[other], near, "dropped_alike"))
    return tables.rows(shard, found)


def _lists(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    """The second of each pair, by the first."""
    found: dict[Any, list[Any]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found
