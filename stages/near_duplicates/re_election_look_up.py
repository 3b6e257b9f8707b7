"""Finds the documents of a deduplicated run that a removal concerns, from its tables `signature` and `edge`.

One task a shard: it reads the columns that the question needs, and more of the rows that answer it only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.side import Worker
from pipeline.storage import Storage
from stages.near_duplicates.base_run import BaseRun
from stages.near_duplicates.ranking import COLUMNS, policy_keys
from stages.shingles import band_keys

NOBODY = pa.array([], pa.string())
NO_KEYS = pa.array([], pa.binary(16))
NO_BANDS = np.zeros(0, np.uint64)
_COLUMNS = ["id", "content", "shingles", "set_key", "minhash"]
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # odd: sets the keys of each band apart from those of the others

Rank = tuple[int, int, str, int, int]  # 0 in the base run, 1 in this; policy's key, id, shard, row


class Found(NamedTuple):
    """A document, as far as judging needs it."""

    id: str
    repo: str | None
    path: str | None
    shard: int
    row: int  # of the shard's signatures
    key: bytes  # equal for equal shingle sets; without shingles, for equal contents
    content: bytes
    shingles: int
    bands: np.ndarray  # uint64: the buckets it is in; none without shingles
    rank: Rank
    cites: str | None  # the document it is dropped for; None where it stays
    jaccard: float | None  # to what it cites
    gone: bool  # of the base run, and not published any more


class Query(NamedTuple):
    """Documents are found for any of these."""

    citing: pa.Array = NOBODY  # dropped for one of these ids
    dropped: pa.Array = NOBODY  # of one of these ids, and dropped
    keys: pa.Array = NO_KEYS  # of such a shingle set, or such a content
    bands: np.ndarray = NO_BANDS  # in one of these buckets; sorted


@dataclass(frozen=True)
class Tables:
    """Where a deduplicate pass has its documents, and how it compares; shards of the base run are numbered first."""

    store: Storage
    before: dict[str, str]  # shard -> the documents that the pass read
    folder: str  # of the pass's side tables
    base: BaseRun | None
    ngram: int
    bands: int
    rows: int
    prefer: Sequence[str]

    @property
    def numbers(self) -> range:
        return range(len(self.base.shards) + len(self.before) if self.base else len(self.before))

    def own(self, number: int) -> str | None:
        """Name of this run's shard of this number; None where it is the base run's."""
        place = number - (len(self.base.shards) if self.base else 0)
        return sorted(self.before)[place] if place >= 0 else None

    def signature(self, number: int, columns: list[str]) -> pa.Table:
        shard = self.own(number)
        if shard is None:
            assert self.base is not None
            return self.base.signature(number, columns)
        return self.store.read_table(f"{self.folder}/signature/{shard}.parquet", columns)

    def edges(self, number: int, columns: list[str] | None = None) -> pa.Table:
        return self.store.read_table(f"{self.folder}/edge/{self.own(number)}.parquet", columns)

    def read(self, number: int, rows: np.ndarray, columns: list[str]) -> pa.Table:
        """These columns of the documents in rows of a shard's signatures; null where a document is gone."""
        shard = self.own(number)
        if shard is None:
            assert self.base is not None
            return self.base.read(number, rows, columns)
        ids = self.signature(number, ["id"])["id"].take(pa.array(rows))
        return read_documents(self.store, self.before[shard], ids, columns)


def read_documents(store: Storage, path: str, ids: pa.ChunkedArray, columns: list[str]) -> pa.Table:
    """These columns of the documents `ids`, in their order, from the row groups that hold them; null where it is gone.

    A column that the file lacks is left out.
    """
    with store.open(path) as opened:
        file = pq.ParquetFile(opened)
        place = pc.index_in(ids, value_set=file.read(columns=["id"])["id"].combine_chunks()).combine_chunks()
        sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
        starts = np.cumsum([0, *sizes])
        rows = place.drop_null().to_numpy(zero_copy_only=False)
        groups = np.unique(np.searchsorted(starts, rows, side="right") - 1)
        table = file.read_row_groups(groups.tolist(), columns=columns)
    held = np.concatenate([np.zeros(0, np.int64), *(np.arange(starts[g], starts[g + 1]) for g in groups)])
    found = pa.array(np.searchsorted(held, place.fill_null(0).to_numpy(zero_copy_only=False)), mask=~_valid(place))
    return table.take(found)


def look_up(number: int, worker: Worker, *, tables: Tables, query: Query) -> list[Found]:
    """The documents of shard `number` that the query finds, removed ones too where the tables still hold them."""
    own = tables.own(number) is not None
    edges = tables.edges(number, ["id", "canonical", "jaccard"]) if own else None
    table = tables.signature(number, _COLUMNS) if len(query.bands) else None
    rows = _rows(number, tables, query, edges, table)
    if len(rows) == 0:
        return []
    taken = (table or tables.signature(number, _COLUMNS)).take(pa.array(rows))
    ids = taken["id"]
    wanted = ["repo", "path", *(COLUMNS if own else ["id"])]
    named = tables.read(number, rows, wanted)
    if edges is not None:
        cited = edges.take(pc.index_in(ids, value_set=edges["id"].combine_chunks()))
        cites, jaccard = cited["canonical"].to_pylist(), cited["jaccard"].to_pylist()
        here = named["id"].is_valid().to_numpy()
        policy = np.full(len(rows), -1, object)  # what is gone counts as better than all, as it may have been
        policy[here] = policy_keys(named.filter(pa.array(here)), tables.prefer).tolist()
        ranks: list[Rank] = [(1, policy[i], name, number, int(rows[i])) for i, name in enumerate(ids.to_pylist())]
        gone = np.zeros(len(rows), bool)
    else:
        assert tables.base is not None
        cites, jaccard = [None] * len(rows), [None] * len(rows)
        ranks = [(0, 0, "", number, row) for row in rows.tolist()]
        gone = ~tables.base.is_published(number)[rows]
    some = taken["set_key"].is_valid().to_numpy()
    keys = pc.coalesce(taken["set_key"], taken["content"])
    bands = [NO_BANDS] * len(rows)
    for row, shared in zip(np.flatnonzero(some).tolist(), _bands(taken["minhash"], tables), strict=True):
        bands[row] = shared
    columns = [  # in the order of Found
        ids.to_pylist(),
        named["repo"].to_pylist(),
        named["path"].to_pylist(),
        [number] * len(rows),
        rows.tolist(),
        keys.to_pylist(),
        taken["content"].to_pylist(),
        taken["shingles"].to_pylist(),
        bands,
        ranks,
        cites,
        jaccard,
        gone.tolist(),
    ]
    return [Found._make(values) for values in zip(*columns, strict=True)]


def _rows(number: int, tables: Tables, query: Query, edges: pa.Table | None, table: pa.Table | None) -> np.ndarray:
    """Which rows of a shard's signatures the query finds; `table` has them all where it asks for buckets."""
    asked: list[np.ndarray] = []
    if edges is not None:
        citing = pc.is_in(edges["canonical"], value_set=query.citing)
        named = edges["id"].filter(pc.or_(citing, pc.is_in(edges["id"], value_set=query.dropped)))
        if len(named):
            ids = (table or tables.signature(number, ["id"]))["id"]
            asked.append(pc.is_in(ids, value_set=named.combine_chunks()).to_numpy())
    if len(query.keys):
        keys = table or tables.signature(number, ["set_key", "content"])
        key = pc.coalesce(keys["set_key"], keys["content"])
        asked.append(pc.is_in(key, value_set=query.keys).to_numpy())
    if table is not None:
        shared = table["set_key"].is_valid().to_numpy()
        shared[shared] = is_among(_bands(table["minhash"], tables), query.bands).any(axis=1)
        asked.append(shared)
    if not asked:
        return np.zeros(0, np.int64)
    found = np.logical_or.reduce(asked)
    if edges is None and found.any():
        assert tables.base is not None
        found &= tables.base.compared(number)
    return np.flatnonzero(found)


def _bands(minhash: pa.ChunkedArray, tables: Tables) -> np.ndarray:
    """Buckets of the documents that have shingles, uint64, documents x bands."""
    values = minhash.drop_null().combine_chunks()
    count = len(values)
    flat = values.flatten().to_numpy()
    keys = band_keys(flat.reshape(count, -1 if count else tables.bands * tables.rows), tables.bands, tables.rows)
    spread: np.ndarray = keys ^ (np.arange(1, tables.bands + 1, dtype=np.uint64) * _SPREAD)
    return spread


def is_among(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Which of the values are in the sorted array `known`."""
    place = np.minimum(np.searchsorted(known, values), len(known) - 1)
    same: np.ndarray = known[place] == values
    return same


def _valid(array: pa.Array) -> np.ndarray:
    valid: np.ndarray = array.is_valid().to_numpy(zero_copy_only=False)
    return valid
