"""Who stays: the first maximal independent set in rank order. A document is dropped if it has an edge to a kept one.

Verified edges, sorted by the worse document's rank by the workers, stream once past one bit a document. While rounds
of comparing remain, a second bit says that a document cannot be judged yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numba
import numpy as np
import pyarrow as pa

from pipeline.shuffle import Parts, Shuffle, arrays_of
from pipeline.side import Corpus, Side
from stages.near_duplicates.documents import Documents

EDGES = pa.schema(
    [*((name, pa.uint64()) for name in ("worse", "better", "worse_at", "better_at")), ("jaccard", pa.float64())]
)
VERDICTS = pa.schema([("location", pa.uint64()), ("canonical", pa.uint64()), ("jaccard", pa.float64())])


@dataclass
class Bits:
    """One bit a document, by rank."""

    bytes: np.ndarray  # uint8

    @classmethod
    def none(cls, count: int) -> Bits:
        return cls(np.zeros(count // 8 + 1, np.uint8))

    @classmethod
    def load(cls, side: Side, name: str) -> Bits:
        return cls(np.frombuffer(side.get_bytes(f"{name}.bits"), np.uint8))

    def save(self, side: Side, name: str) -> None:
        side.put_bytes(f"{name}.bits", self.bytes.tobytes())

    def of(self, ranks: np.ndarray) -> np.ndarray:
        """The bits of these ranks, as booleans."""
        return (self.bytes[ranks >> np.uint64(3)] >> (ranks & np.uint64(7)).astype(np.uint8)) & 1 == 1


def settle(side: Side, edges: Parts, waiting: Shuffle, dropped: Bits) -> None:
    """Mark in `dropped` who is dropped for certain by the edges found so far, each partition sorted by `worse`.

    A document in `waiting` may still get an edge to a better one: it is not taken for kept, nor is what has an edge to
    it and to no kept one.
    """
    undecided = Bits(np.zeros_like(dropped.bytes))
    for number in range(waiting.partitions):
        (waits,) = arrays_of(waiting.read(side, number))
        worse, better = arrays_of(edges.read(side, number), "worse", "better")
        _judge(worse, better, waits, dropped.bytes, undecided.bytes)
    dropped.save(side, "dropped")


def cite(corpus: Corpus, documents: Documents, edges: Parts, ranges: int) -> Shuffle:
    """Each dropped document's most similar kept neighbour, the better ranked of equals; a partition a group."""
    verdicts = Shuffle("verdicts", VERDICTS, len(documents.all_groups))
    corpus.map(partial(_cite, documents=documents, edges=edges, verdicts=verdicts), range(ranges))
    return verdicts


def _cite(number: int, corpus: Corpus, side: Side, *, documents: Documents, edges: Parts, verdicts: Shuffle) -> None:
    dropped = Bits.load(side, "dropped")
    worse, better, worse_at, better_at, jaccard = arrays_of(edges.read(side, number))
    to_kept = np.flatnonzero(dropped.of(worse) & ~dropped.of(better))
    order = to_kept[np.lexsort((better[to_kept], -jaccard[to_kept], worse[to_kept]))]
    best = order[np.unique(worse[order], return_index=True)[1]]
    found = {"location": worse_at[best], "canonical": better_at[best], "jaccard": jaccard[best]}
    verdicts.write(side, f"{number:06d}", found, documents.group_of(found["location"]))


@numba.njit(nogil=True, cache=True)
def _get(bits: np.ndarray, rank: int) -> bool:
    return (bits[rank >> 3] >> (rank & 7)) & 1 == 1


@numba.njit(nogil=True, cache=True)
def _judge(
    worse: np.ndarray, better: np.ndarray, waits: np.ndarray, dropped: np.ndarray, undecided: np.ndarray
) -> None:
    """Judge the documents of a range of ranks; edges are sorted by `worse`."""
    for rank in waits:
        undecided[np.int64(rank) >> 3] |= np.uint8(1 << (np.int64(rank) & 7))
    edge = 0
    while edge < len(worse):
        rank, falls, unknown = np.int64(worse[edge]), False, False
        while edge < len(worse) and np.int64(worse[edge]) == rank:
            other = np.int64(better[edge])
            if not _get(dropped, other):
                unknown |= _get(undecided, other)
                falls |= not _get(undecided, other)
            edge += 1
        if falls:
            dropped[rank >> 3] |= np.uint8(1 << (rank & 7))
        elif unknown:
            undecided[rank >> 3] |= np.uint8(1 << (rank & 7))
