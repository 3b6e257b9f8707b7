"""Pairs that their signatures tell apart are let go before anyone asks for their texts.

A sketch is the low byte of each MinHash value: a quarter of a signature, a thirtieth of a text, and nearly as exact
(two bytes are equal by accident once in 256). An estimate only ever rejects, where it is SURE standard errors below the
threshold; what is left is compared exactly. Small sets are not screened, as their texts are short.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np
import pyarrow as pa

from pipeline.shuffle import Parts, Shuffle, arrays_of
from pipeline.side import Corpus, Side
from stages.near_duplicates.buckets import PAIRS, SKETCHES, Round, sketches_of
from stages.near_duplicates.documents import Documents, by_shard, range_size
from stages.shingles import estimates

SURE = 4.0  # standard errors: of the pairs at the threshold itself 3 in 100,000 are lost, of better ones fewer
SMALL = 64  # shingles
SORTED_AT_ONCE = 1 << 19  # pairs, 16 MB
REQUESTS = pa.schema([("location", pa.uint64()), ("partition", pa.int64())])
_COMPARED = pa.schema([("pair", pa.uint64())])


def screen(corpus: Corpus, documents: Documents, sent: Round, threshold: float, number: int) -> tuple[Parts, int, int]:
    """The pairs of round `number` that may be alike, by partition; how many are new, and how many are left."""
    partitions = sent.pairs.partitions
    before, after = _compared(number - 1), _compared(number)
    fresh, alike = Parts("fresh", PAIRS), Parts("alike", PAIRS)
    requests = Shuffle("sketch_requests", REQUESTS, len(documents.all_groups))
    sketches = Shuffle("sketches_sent", SKETCHES, partitions)
    ask = partial(_ask, documents=documents, pairs=sent.pairs, before=before, after=after, fresh=fresh, asked=requests)
    corpus.map(ask, range(partitions))
    corpus.map(partial(_answer, requests=requests, sketches=sketches), documents.all_groups)
    counts = corpus.map(
        partial(_screen, fresh=fresh, sketches=sketches, alike=alike, threshold=threshold), range(partitions)
    )
    for shuffled in (sent.pairs, before, fresh, requests, sketches):
        shuffled.remove(corpus.side)
    return alike, sum(new for new, _ in counts), sum(left for _, left in counts)


def _compared(number: int) -> Parts:
    """Keys of all pairs of a partition up to a round; of each round on its own, as a task may have to be run again."""
    return Parts(f"compared-{number}", _COMPARED)


def _ask(
    part: int,
    corpus: Corpus,
    side: Side,
    *,
    documents: Documents,
    pairs: Shuffle,
    before: Parts,
    after: Parts,
    fresh: Parts,
    asked: Shuffle,
) -> None:
    """Keep each pair that was not compared before, once, and ask for the sketches."""
    (met,) = arrays_of(before.read(side, part))
    first = part * range_size(documents.count, pairs.partitions)
    new, keys, pieces = PAIRS.empty_table(), met[:0], pairs.pieces(side, part)
    while heap := _heap(pieces, max(SORTED_AT_ONCE, len(new))):
        new = pa.concat_tables([new, *heap]).combine_chunks()
        keys = _keys(new, first, documents.count)
        order = np.argsort(keys)
        keys = keys[order]
        once = np.diff(keys, prepend=~keys[:1]) != 0
        once &= np.searchsorted(met, keys) == np.searchsorted(met, keys, side="right")
        new, keys = new.take(pa.array(order[once])), keys[once]
    fresh.write(side, part, dict(zip(PAIRS.names, new.columns, strict=True)))
    after.write(side, part, {"pair": np.sort(np.concatenate([met, keys]))})
    wanted = np.unique(np.concatenate(arrays_of(new, "worse_at", "better_at")))
    request(side, asked, part, wanted, documents)


def request(side: Side, requests: Shuffle, part: int, wanted: np.ndarray, documents: Documents) -> None:
    """Ask the groups for something of the documents at `wanted`, for partition `part`."""
    columns = {"location": wanted, "partition": np.full(len(wanted), part)}
    requests.write(side, f"{part:06d}", columns, documents.group_of(wanted))


def _heap(pieces: Iterator[pa.Table], rows: int) -> list[pa.Table]:
    """The next pieces, as many as have more than `rows` rows: so none is sorted more than a few times."""
    heap: list[pa.Table] = []
    while sum(map(len, heap)) <= rows and (piece := next(pieces, None)) is not None:
        heap.append(piece)
    return heap


def _keys(pairs: pa.Table, first: int, count: int) -> np.ndarray:
    """A number for each pair whose worse one is of the range from rank `first` on; it fits in 64 bits."""
    worse, better = arrays_of(pairs, "worse", "better")
    return (worse - np.uint64(first)) * np.uint64(count) + better


def _answer(group: int, corpus: Corpus, side: Side, *, requests: Shuffle, sketches: Shuffle) -> None:
    """Send each sketch to all partitions that ask for it."""
    location, part = arrays_of(requests.read(side, group))
    for shard, chosen in by_shard(location):
        table = sketches_of(side, shard)
        (there,) = arrays_of(table, "location")
        found = table.take(pa.array(np.searchsorted(there, location[chosen])))
        sketches.write(side, f"{shard:08d}", dict(zip(SKETCHES.names, found.columns, strict=True)), part[chosen])


def _screen(
    part: int, corpus: Corpus, side: Side, *, fresh: Parts, sketches: Shuffle, alike: Parts, threshold: float
) -> tuple[int, int]:
    """Leave out the pairs whose sketches say that they are less alike than `threshold`; how many there were and are."""
    pairs, come = fresh.read(side, part), sketches.read(side, part).sort_by("location")
    if pairs.num_rows == 0:
        return 0, 0
    location, shingles = arrays_of(come, "location", "shingles")
    sketch = _rows(come["sketch"])
    worse, better = (np.searchsorted(location, place) for place in arrays_of(pairs, "worse_at", "better_at"))
    share = estimates(sketch, worse, sketch, better)
    left = (share >= least_share(threshold, sketch.shape[1])) | (np.minimum(shingles[worse], shingles[better]) <= SMALL)
    alike.write(side, part, dict(zip(PAIRS.names, pairs.filter(pa.array(left)).columns, strict=True)))
    return len(left), int(left.sum())


def _rows(column: pa.ChunkedArray) -> np.ndarray:
    """Equally long binary values, uint8, values x bytes."""
    array = column.combine_chunks()
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
    return np.frombuffer(data, np.uint8)[ends[0] : ends[-1]].reshape(len(array), -1)


def least_share(threshold: float, permutations: int) -> float:
    """The share of equal bytes below which two sketches say that a Jaccard similarity is under `threshold`."""
    expected = threshold + (1 - threshold) / 256
    return expected - SURE * math.sqrt(expected * (1 - expected) / permutations)
