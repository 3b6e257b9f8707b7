"""One order of all documents: the policy's criteria, then the id. A document's rank is its place in it, from 0 on.

A sample sort: each shard gives a sample of its keys, the driver cuts the order into ranges of about equal size, keys
are shuffled by range, and each range is sorted on its own. Ranks are handed back to the documents' shards.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.shuffle import Shuffle, arrays_of
from pipeline.side import Corpus, Side
from stages.near_duplicates.documents import Documents, locations, partitions

COLUMNS = ["id", "license_type", "stars", "fork", "created"]
SAMPLES = 32  # keys a shard
KEY_BYTES = 100  # of a key in memory, while it is sorted
BUDGET = 256 << 20

KEYS = pa.schema([("policy", pa.uint64()), ("id", pa.string()), ("location", pa.uint64())])
RANKS = pa.schema([("location", pa.uint64()), ("rank", pa.uint64())])
_ORDER = [(name, "ascending") for name in KEYS.names]

Sample = list[tuple[int, str]]


def policy_keys(table: pa.Table, prefer: Sequence[str]) -> np.ndarray:
    """The criteria of each document packed into a uint64, the first in the highest bits; less is better.

    Stars count up to 16,777,214, ages from 1970 to 2106 in seconds; what is unknown comes last, but an unknown `fork`
    is no fork.
    """
    rows = table.num_rows

    def numbers(column: pa.ChunkedArray, unknown: int, least: int, most: int) -> np.ndarray:
        return np.clip(column.cast(pa.int64()).fill_null(unknown).to_numpy(), least, most).astype(np.uint64)

    fields: dict[str, tuple[int, np.ndarray]] = {}
    if "permissive" in prefer:
        permissive = pc.equal(table["license_type"], "permissive").fill_null(False).to_numpy()
        fields["permissive"] = (1, ~permissive)
    if "stars" in prefer:
        most = (1 << 24) - 2
        fields["stars"] = (24, np.uint64(most) - numbers(table["stars"], -1, -1, most))
    if "not_fork" in prefer:
        fields["not_fork"] = (1, table["fork"].fill_null(False).to_numpy())
    if "oldest" in prefer and "created" in table.column_names:
        youngest = (1 << 32) - 1
        fields["oldest"] = (
            32,
            numbers(table["created"].cast(pa.timestamp("s", "UTC"), safe=False), youngest, 0, youngest),
        )
    key = np.zeros(rows, np.uint64)
    for name in prefer:
        if name in fields:
            bits, values = fields[name]
            key = (key << np.uint64(bits)) | values.astype(np.uint64)
    return key


def sample_keys(table: pa.Table, prefer: Sequence[str]) -> Sample:
    """Evenly spaced keys of a shard's documents."""
    keys = _sorted(table, prefer, 0)
    chosen = keys.take(pa.array(np.unique(np.arange(SAMPLES) * keys.num_rows // SAMPLES))) if keys.num_rows else keys
    return list(zip(chosen["policy"].to_pylist(), chosen["id"].to_pylist(), strict=True))


def rank(corpus: Corpus, documents: Documents, samples: list[Sample], prefer: Sequence[str]) -> Shuffle:
    """Rank the corpus's documents after those of the base run; each group's (location, rank) is a partition."""
    ranges = partitions(documents.count * KEY_BYTES, BUDGET, corpus.workers)
    known = sorted(key for sample in samples for key in sample)
    cuts = [known[len(known) * number // ranges] for number in range(1, ranges)] if known else []
    keys = Shuffle("keys", KEYS, len(cuts) + 1)
    ranks = Shuffle("ranks", RANKS, len(documents.all_groups))
    send = partial(_send_keys, documents=documents, keys=keys, cuts=cuts, prefer=prefer)
    sizes = np.sum([np.zeros(keys.partitions, np.int64), *corpus.map(send, documents.all_groups)], axis=0)
    first = documents.in_base + np.cumsum(sizes) - sizes
    corpus.map(partial(_rank, documents=documents, keys=keys, ranks=ranks), list(enumerate(first.tolist())))
    keys.remove(corpus.side)
    return ranks


def read_ranks(side: Side, documents: Documents, ranks: Shuffle, group: int) -> dict[int, np.ndarray]:
    """Shard -> ranks of its documents, for the shards of a group."""
    location, ranked = arrays_of(ranks.read(side, group))
    ranked = ranked[np.argsort(location)]
    found, start = {}, 0
    for number in documents.shards_of(group):
        if documents.own(number) is None:
            found[number] = documents.base_ranks(number)
        else:
            stop = start + int(documents.rows[number])
            found[number] = ranked[start:stop]
            start = stop
    return found


def _sorted(table: pa.Table, prefer: Sequence[str], number: int) -> pa.Table:
    columns = [pa.array(policy_keys(table, prefer)), table["id"], pa.array(locations(number, table.num_rows))]
    return pa.table(columns, schema=KEYS).sort_by(_ORDER)


def _send_keys(
    group: int, corpus: Corpus, side: Side, *, documents: Documents, keys: Shuffle, cuts: Sample, prefer: Sequence[str]
) -> np.ndarray:
    """Send the keys of a group to their ranges; how many went to each."""
    tables = [KEYS.empty_table()]
    for number in documents.shards_of(group):
        shard = documents.own(number)
        if shard is not None:
            tables.append(_sorted(corpus.read(shard, COLUMNS), prefer, number))
    table = pa.concat_tables(tables).sort_by(_ORDER)
    policy = table["policy"].to_numpy()
    bounds = [0]
    for number, name in cuts:  # rows before it: of a smaller key, or of the same with a smaller id
        key = np.uint64(number)  # an int would be compared as float64, which has no room for 58 bits
        start, stop = int(np.searchsorted(policy, key)), int(np.searchsorted(policy, key, side="right"))
        same = pc.less(table["id"].slice(start, stop - start), name)
        bounds.append(start + (pc.sum(same).as_py() or 0))
    sizes = np.diff([*bounds, table.num_rows])
    keys.write(
        side,
        f"{group:06d}",
        dict(zip(KEYS.names, table.columns, strict=True)),
        np.repeat(np.arange(keys.partitions), sizes),
    )
    return sizes


def _rank(
    task: tuple[int, int], corpus: Corpus, side: Side, *, documents: Documents, keys: Shuffle, ranks: Shuffle
) -> None:
    number, first = task
    (found,) = arrays_of(keys.read(side, number).sort_by(_ORDER), "location")
    ranked = np.arange(first, first + len(found), dtype=np.uint64)
    ranks.write(side, f"{number:06d}", {"location": found, "rank": ranked}, documents.group_of(found))
