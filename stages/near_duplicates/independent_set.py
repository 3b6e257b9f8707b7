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

from pipeline.fingerprint import digest_bytes
from pipeline.shuffle import FOLDER, Parts, Shuffle, arrays_of
from pipeline.side import Corpus, Side
from stages.near_duplicates.documents import Documents

EDGES = pa.schema(
    [*((name, pa.uint64()) for name in ("worse", "better", "worse_at", "better_at")), ("jaccard", pa.float64())]
)
BITS = f"{FOLDER}/bits"
WAITING = pa.schema([("rank", pa.uint64())])
VERDICTS = pa.schema([("location", pa.uint64()), ("canonical", pa.uint64()), ("jaccard", pa.float64())])


@dataclass
class Bits:
    """One bit a document, by rank."""

    packed: np.ndarray  # uint8

    @classmethod
    def none(cls, count: int) -> Bits:
        return cls(np.zeros(count // 8 + 1, np.uint8))

    @classmethod
    def load(cls, side: Side, name: str) -> Bits:
        """What `save` wrote under this name; a worker reads it once, and holds one at a time."""
        held: dict[str, Bits] = side.load("bits", dict)
        if name not in held:
            held.clear()
            held[name] = cls(np.frombuffer(side.get_bytes(name), np.uint8))
        return held[name]

    def save(self, side: Side) -> str:
        """Write the bits for the workers; the name to load them by, another one for other bits."""
        data = self.packed.tobytes()
        name = f"{BITS}/{digest_bytes(data)}"
        side.store.remove(f"{side.folder}/{BITS}")
        side.store.write_bytes(f"{side.folder}/{name}", data, synced=False)
        return name

    def of(self, ranks: np.ndarray) -> np.ndarray:
        """The bits of these ranks, as booleans."""
        return (self.packed[ranks >> np.uint64(3)] >> (ranks & np.uint64(7)).astype(np.uint8)) & 1 == 1


def settle(corpus: Corpus, edges: Parts, waiting: Shuffle, dropped: Bits) -> str:
    """Mark in `dropped` who is dropped for certain by the edges found so far, each partition sorted by `worse`.

    The name of `dropped` for the workers.

    A document in `waiting` may still get an edge to a better one: it is not taken for kept, nor is what has an edge to
    it and to no kept one.
    """
    side, undecided, gathered = corpus.side, Bits(np.zeros_like(dropped.packed)), Parts("waiting", WAITING)
    corpus.map(partial(_gather, waiting=waiting, gathered=gathered), range(waiting.partitions))
    waiting.remove(side)
    for number in range(waiting.partitions):
        (waits,) = arrays_of(gathered.read(side, number))
        worse, better = arrays_of(edges.read(side, number), "worse", "better")
        _judge(worse, better, waits, dropped.packed, undecided.packed)
    return dropped.save(side)


def _gather(number: int, corpus: Corpus, side: Side, *, waiting: Shuffle, gathered: Parts) -> None:
    """Bring what waits in a range of ranks into one file, since the driver reads the ranges one after the other."""
    (ranks,) = arrays_of(waiting.read(side, number))
    gathered.write(side, number, {"rank": np.unique(ranks)})


def cite(corpus: Corpus, documents: Documents, edges: Parts, ranges: int, dropped: str) -> Shuffle:
    """Each dropped document's most similar kept neighbour, the better ranked of equals; a partition a group."""
    verdicts = Shuffle("verdicts", VERDICTS, len(documents.all_groups))
    corpus.map(partial(_cite, documents=documents, edges=edges, verdicts=verdicts, dropped=dropped), range(ranges))
    return verdicts


def _cite(
    number: int, corpus: Corpus, side: Side, *, documents: Documents, edges: Parts, verdicts: Shuffle, dropped: str
) -> None:
    bits = Bits.load(side, dropped)
    worse, better, worse_at, better_at, jaccard = arrays_of(edges.read(side, number))
    to_kept = np.flatnonzero(bits.of(worse) & ~bits.of(better))
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
