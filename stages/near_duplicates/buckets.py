"""Which pairs are compared: documents that share a band of their signatures stand in one bucket.

Comparing goes in rounds. In each, the next few members of a bucket in rank order that are not dropped lead: every
member after a leader is compared with it. What a round drops takes no part in the next. So thousands of files of one
template cost a few comparisons a file, and yet the outcome is that of comparing all with all.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numba
import numpy as np
import pyarrow as pa

from pipeline.shuffle import Parts, Shuffle, arrays_of
from pipeline.side import Corpus, Side
from stages.near_duplicates.documents import Documents, hash_range, locations, partitions, range_of
from stages.near_duplicates.equal_sets import EqualSets
from stages.near_duplicates.independent_set import WAITING, Bits
from stages.near_duplicates.ranking import read_ranks
from stages.shingles import band_keys

# Leaders of a bucket in each round. What a bucket has left after the last is not compared in it, so that a crowd of
# documents of which none resembles another costs a few hundred comparisons each, not a comparison with each.
LEADERS = (8, 64, 512)
RECORD_BYTES = 100  # of a member in memory, while a partition is sorted
BUDGET = 128 << 20
MEMBERS_AT_ONCE = 1 << 19  # that a task gathers before it writes, 14 MB
PAIRS_AT_ONCE = 1 << 19  # the same, 16 MB
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # odd: sets the keys of each band apart from those of the others

MEMBERS = pa.schema(
    [
        ("key", pa.uint64()),  # of band and values: equal for members of a bucket
        ("rank", pa.uint64()),
        ("location", pa.uint64()),
        ("shingles", pa.uint32()),
        ("led", pa.bool_()),  # whether all after it in the bucket have been compared with it
    ]
)
LOCATIONS = pa.schema([("location", pa.uint64())])
SKETCHES = pa.schema([("location", pa.uint64()), ("shingles", pa.uint32()), ("sketch", pa.binary())])
PAIRS = pa.schema([(name, pa.uint64()) for name in ("worse", "better", "worse_at", "better_at")])  # ranks, locations
_SKETCHES = Parts("sketches", SKETCHES)  # by shard


class Round(NamedTuple):
    """What a round of comparing sends on."""

    pairs: Shuffle  # a partition a range of the worse document's rank
    waiting: Shuffle  # documents that a later round may find a better one for; partitions alike
    left: Parts  # members of the buckets that are still open
    unsettled: Shuffle  # their locations, a partition a group


class Counts(NamedTuple):
    """What became of comparisons."""

    open_buckets: int
    left_out: int  # pairs that were not compared, as the bucket is too large


def fill_buckets(
    corpus: Corpus, documents: Documents, ranks: Shuffle, equal: EqualSets, bands: int, rows: int
) -> Shuffle:
    """Send each document that leads its equals to a bucket for each of its bands."""
    size = documents.count * bands * RECORD_BYTES
    members = Shuffle("members", MEMBERS, partitions(size, BUDGET, corpus.workers))
    send = partial(
        _send_members, documents=documents, ranks=ranks, equal=equal, members=members, bands=bands, rows=rows
    )
    corpus.map(send, documents.all_groups)
    return members


def pair_up(
    corpus: Corpus,
    documents: Documents,
    members: Shuffle | Parts,
    buckets: int,
    ranges: int,
    threshold: float,
    number: int,
    dropped: str,
) -> tuple[Round, Counts]:
    """Round `number` over `members` in `buckets` partitions, for `ranges` of ranks; `dropped` names Bits."""
    sent = Round(
        Shuffle(f"pairs-{number}", PAIRS, ranges),
        Shuffle(f"waiting-{number}", WAITING, ranges),
        Parts(f"members-{number}", MEMBERS),
        Shuffle(f"unsettled-{number}", LOCATIONS, len(documents.all_groups)),
    )
    task = partial(
        _pair_up,
        documents=documents,
        members=members,
        sent=sent,
        threshold=threshold,
        number=number,
        dropped=dropped,
    )
    counts = corpus.map(task, range(buckets))
    return sent, Counts(*(sum(column) for column in zip(*counts, strict=True)))


def _send_members(
    group: int,
    corpus: Corpus,
    side: Side,
    *,
    documents: Documents,
    ranks: Shuffle,
    equal: EqualSets,
    members: Shuffle,
    bands: int,
    rows: int,
) -> None:
    (followers,) = arrays_of(equal.by_follower.read(side, group), "follower")
    gathered: list[dict[str, np.ndarray]] = []
    size, written = 0, 0
    for number, rank in read_ranks(side, documents, ranks, group).items():
        table = documents.signature(side, number, ["shingles", "minhash"])
        location, shingles = locations(number, table.num_rows), table["shingles"].to_numpy().astype(np.uint32)
        sent = documents.compared(side, number) & (shingles > 0) & ~np.isin(location, followers, assume_unique=True)
        minhash = table["minhash"].filter(pa.array(sent)).combine_chunks()
        values = minhash.flatten().to_numpy().reshape(len(minhash), -1 if len(minhash) else bands * rows)
        sketch = {"location": location[sent], "shingles": shingles[sent], "sketch": _low_bytes(values)}
        _SKETCHES.write(side, number, sketch)
        keys = band_keys(values, bands, rows) ^ (np.arange(1, bands + 1, dtype=np.uint64) * _SPREAD)
        gathered.append(
            {
                "key": keys.ravel(),
                "rank": np.repeat(rank[sent], bands),
                "location": np.repeat(location[sent], bands),
                "shingles": np.repeat(shingles[sent], bands),
                "led": np.zeros(keys.size, bool),
            }
        )
        size += keys.size
        if size > MEMBERS_AT_ONCE:
            _write_members(side, members, f"{group:06d}-{written:06d}", gathered)
            gathered, size, written = [], 0, written + 1
    _write_members(side, members, f"{group:06d}-{written:06d}", gathered)


def sketches_of(side: Side, shard: int) -> pa.Table:
    """SKETCHES of a shard's documents that take part, ascending by location."""
    return _SKETCHES.read(side, shard)


def _low_bytes(values: np.ndarray) -> pa.Array:
    """The low byte of each number, a binary value a row."""
    rows, length = values.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(length)
    data = values.astype(np.uint8)
    return pa.Array.from_buffers(pa.binary(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def _write_members(side: Side, members: Shuffle, source: str, gathered: list[dict[str, np.ndarray]]) -> None:
    if gathered:
        # Taken out, so that no more than one column is there twice.
        columns = {name: np.concatenate([part.pop(name) for part in gathered]) for name in MEMBERS.names}
        members.write(side, source, columns, hash_range(columns["key"], members.partitions))


def _pair_up(
    part: int,
    corpus: Corpus,
    side: Side,
    *,
    documents: Documents,
    members: Shuffle | Parts,
    sent: Round,
    threshold: float,
    number: int,
    dropped: str,
) -> Counts:
    columns = dict(zip(MEMBERS.names, arrays_of(members.read(side, part)), strict=True))
    takes_part = ~Bits.load(side, dropped).of(columns["rank"])
    columns = {name: values[takes_part] for name, values in columns.items()}
    order = np.flatnonzero(_may_recur(columns["key"]))  # most are alone in their bucket, and need no sorting
    order = order[np.lexsort((columns["rank"][order], columns["key"][order]))]
    order = order[_in_company(columns["key"][order])]
    columns = {name: values[order] for name, values in columns.items()}
    key, rank, location, shingles, led = columns.values()
    starts = np.flatnonzero(np.diff(key, prepend=~key[:1]))
    bounds = np.column_stack([starts, np.append(starts[1:], len(key))]) if len(key) else np.zeros((0, 2), np.int64)

    out, cursor, written = np.zeros((PAIRS_AT_ONCE, 4), np.uint64), np.zeros(3, np.int64), 0
    while size := _pairs(
        bounds, rank, location, shingles, led, LEADERS[number], threshold, documents.in_base, cursor, out
    ):
        pairs = {name: out[:size, place].copy() for place, name in enumerate(PAIRS.names)}
        ranges = range_of(pairs["worse"], documents.count, sent.pairs.partitions)
        sent.pairs.write(side, f"{part:06d}-{written:04d}", pairs, ranges)
        written += 1

    stays, waits, left = _close(bounds, rank, led, LEADERS[number], documents.in_base)
    if number + 1 == len(LEADERS):
        return Counts(0, left)
    if stays.any():
        sent.left.write(side, part, {name: values[stays] for name, values in columns.items()})
        ranks = np.unique(rank[waits])
        ranges = range_of(ranks, documents.count, sent.waiting.partitions)
        sent.waiting.write(side, f"{part:06d}", {"rank": ranks}, ranges)
        places = np.unique(location[stays])
        sent.unsettled.write(side, f"{part:06d}", {"location": places}, documents.group_of(places))
    return Counts(int(stays.any()), 0)


@numba.njit(nogil=True, cache=True)
def _may_recur(key: np.ndarray) -> np.ndarray:
    """False for most keys that occur once, and only for such: what has a place of its own in a table of bits."""
    bits = np.uint64(16)
    while (np.uint64(1) << bits) < 4 * len(key):
        bits += np.uint64(1)
    shift = np.uint64(64) - bits
    seen = np.zeros(np.uint64(1) << bits, np.uint8)  # 1 where a key was, 2 where another was too
    for one in key:
        place = (one * _SPREAD) >> shift
        seen[place] = 1 + (seen[place] > 0)
    recurs = np.empty(len(key), np.bool_)
    for index in range(len(key)):
        recurs[index] = seen[(key[index] * _SPREAD) >> shift] == 2
    return recurs


def _in_company(key: np.ndarray) -> np.ndarray:
    """Whether an equal key stands beside each of the sorted keys."""
    same, found = key[1:] == key[:-1], np.zeros(len(key), bool)
    found[1:] |= same
    found[:-1] |= same
    return found


@numba.njit(nogil=True, cache=True)
def _pairs(
    bounds: np.ndarray,
    rank: np.ndarray,
    location: np.ndarray,
    shingles: np.ndarray,
    led: np.ndarray,
    leaders: int,
    threshold: float,
    in_base: int,
    cursor: np.ndarray,
    out: np.ndarray,
) -> int:
    """Write the next pairs (worse, better, and their locations) to `out`, from `cursor` on; how many, 0 at the end.

    `bounds` has start and end of each bucket. `cursor` holds a bucket, how many of its new leaders are done, and a
    member. Two documents of the base run are no pair, nor are two whose sizes alone keep them below the threshold.
    """
    size = 0
    while cursor[0] < len(bounds):
        start, stop = bounds[cursor[0]]
        first = start
        while first < stop and led[first]:
            first += 1
        while cursor[1] < leaders and first + cursor[1] < stop - 1:
            better = first + cursor[1]
            for worse in range(max(better + 1, cursor[2]), stop):
                if rank[worse] < in_base:
                    continue
                if size == len(out):
                    cursor[2] = worse
                    return size
                small, large = min(shingles[worse], shingles[better]), max(shingles[worse], shingles[better])
                if small / large < threshold:  # the similarity is at most that
                    continue
                out[size, 0], out[size, 1] = rank[worse], rank[better]
                out[size, 2], out[size, 3] = location[worse], location[better]
                size += 1
            cursor[1] += 1
            cursor[2] = 0
        cursor[0] += 1
        cursor[1] = 0
    return size


@numba.njit(nogil=True, cache=True)
def _close(
    bounds: np.ndarray, rank: np.ndarray, led: np.ndarray, leaders: int, in_base: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Mark the leaders; which members are in buckets still open, which of them wait, and how many pairs are left.

    A bucket is open while a document that is not of the base run has one before it that has not led.
    """
    stays, waits, left = np.zeros(len(led), np.bool_), np.zeros(len(led), np.bool_), 0
    for start, stop in bounds:
        first = start
        while first < stop and led[first]:
            first += 1
        first = min(first + leaders, stop)
        led[start:first] = True
        own = first
        while own < stop and rank[own] < in_base:
            own += 1
        waiting = max(first + 1, own)
        if waiting < stop:
            stays[start:stop] = True
            waits[waiting:stop] = True
            base = own - first
            left += (stop - first) * (stop - first - 1) // 2 - base * (base - 1) // 2
    return stays, waits, left
