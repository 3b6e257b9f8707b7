"""The documents that are compared: those of the corpus, and those of a base run, which come before them.

A location is one number, a shard's number in its high half and a row in its low half. Shards of the base run are
numbered first. A group is a stretch of shards that one task works on, so that shuffles have few sources.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from pipeline.side import Corpus, Side
from stages.near_duplicates.base_run import BaseRun

ROW_BITS = np.uint64(32)
ROW_MASK = np.uint64((1 << 32) - 1)
GROUP_DOCUMENTS = 1 << 21  # of some 10 GB of text, of which a task holds one shard at a time


@dataclass(frozen=True)
class Documents:
    """Where every document stands; the same for all tasks of one preparation."""

    base: BaseRun | None
    shards: tuple[str, ...]  # of the corpus
    rows: np.ndarray  # int64: of each shard, the base run's first
    groups: np.ndarray  # int64: the first shard of each group, then the number of shards

    @classmethod
    def of(cls, base: BaseRun | None, shards: tuple[str, ...], rows: np.ndarray, workers: int) -> Documents:
        """Groups hold about equally many documents, at least four a worker where there are so many shards."""
        wanted = max(4 * workers, int(rows.sum()) // GROUP_DOCUMENTS)
        before = np.cumsum(rows) - rows
        group = before * wanted // max(1, int(rows.sum()))
        starts = np.flatnonzero(np.diff(group, prepend=-1))
        return cls(base, shards, rows, np.append(starts, len(rows)))

    @property
    def in_base(self) -> int:
        """How many documents, and so ranks, belong to the base run."""
        return int(self.rows[: len(self.rows) - len(self.shards)].sum())

    @property
    def count(self) -> int:
        return int(self.rows.sum())

    @property
    def all_groups(self) -> range:
        return range(len(self.groups) - 1)

    def shards_of(self, group: int) -> range:
        """Numbers of a group's shards."""
        return range(int(self.groups[group]), int(self.groups[group + 1]))

    def own(self, number: int) -> str | None:
        """Name of the corpus's shard of this number; None where it is the base run's."""
        place = number - (len(self.rows) - len(self.shards))
        return self.shards[place] if place >= 0 else None

    def group_of(self, locations: np.ndarray) -> np.ndarray:
        """The group of each location."""
        return np.searchsorted(self.groups, (locations >> ROW_BITS).astype(np.int64), side="right") - 1

    def base_ranks(self, number: int) -> np.ndarray:
        """Ranks of a base run's shard: its documents come first, as they are published already."""
        return int(self.rows[:number].sum()) + np.arange(self.rows[number], dtype=np.uint64)

    def signature(self, side: Side, number: int, columns: list[str]) -> pa.Table:
        """These columns of a shard's signatures, a row a document."""
        shard = self.own(number)
        if shard is None:
            assert self.base is not None
            return self.base.signature(number, columns)
        return side.get_shard("signature", columns, shard=shard)

    def compared(self, side: Side, number: int) -> np.ndarray:
        """Which documents of a shard take part: all of the corpus's, those of the base run that are published."""
        if self.own(number) is None:
            assert self.base is not None
            return self.base.compared(number)
        return np.ones(int(self.rows[number]), bool)

    def removed(self, number: int, rows: np.ndarray) -> np.ndarray:
        """Which of a shard's documents are not published any more, and count for their copies' sake only."""
        if self.own(number) is None:
            assert self.base is not None
            return ~self.base.is_published(number)[rows]
        return np.zeros(len(rows), bool)

    def read(self, corpus: Corpus, number: int, rows: np.ndarray, columns: list[str]) -> pa.Table:
        """These columns of some documents of a shard."""
        shard = self.own(number)
        if shard is None:
            assert self.base is not None
            return self.base.read(number, rows, columns)
        return corpus.read_rows(shard, rows, columns)


def locations(number: int, rows: int) -> np.ndarray:
    """Locations of a shard's rows, uint64."""
    return (np.uint64(number) << ROW_BITS) | np.arange(rows, dtype=np.uint64)


def shard_numbers(places: np.ndarray) -> np.ndarray:
    return (places >> ROW_BITS).astype(np.int64)


def row_numbers(places: np.ndarray) -> np.ndarray:
    return (places & ROW_MASK).astype(np.int64)


def of_shard(places: np.ndarray, shard: int) -> slice:
    """Where a shard's documents are among ascending locations."""
    start, stop = np.searchsorted(places, np.array([shard, shard + 1], np.uint64) << ROW_BITS).tolist()
    return slice(start, stop)


def by_shard(places: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """(shard, indexes into `places` of its documents) for each shard that occurs."""
    order = np.argsort(places, kind="stable")
    numbers = shard_numbers(places[order])
    bounds = np.flatnonzero(np.diff(numbers, prepend=-1, append=-1)).tolist()
    return [(int(numbers[start]), order[start:stop]) for start, stop in pairwise(bounds)]


def range_of(ranks: np.ndarray, count: int, ranges: int) -> np.ndarray:
    """Which of `ranges` equal stretches of [0, count) each rank is in."""
    return (ranks // np.uint64(range_size(count, ranges))).astype(np.int64)


def range_size(count: int, ranges: int) -> int:
    """Ranks in each of the stretches but the last."""
    return -(-max(1, count) // ranges)


def hash_range(keys: np.ndarray, ranges: int) -> np.ndarray:
    """Which of `ranges` equal stretches of the uint64 numbers each key is in, by its high bits."""
    return (((keys >> np.uint64(32)) * np.uint64(ranges)) >> np.uint64(32)).astype(np.int64)


def halves(column: pa.ChunkedArray) -> np.ndarray:
    """128-bit values as uint64, rows x 2; a null's are zero."""
    array = column.combine_chunks().fill_null(bytes(16))
    return np.frombuffer(array.buffers()[1], np.uint64)[2 * array.offset :][: 2 * len(array)].reshape(-1, 2)


def partitions(size: int, budget: int, workers: int) -> int:
    """Into how many parts `size` bytes go, so that a part takes at most `budget` and each worker has one."""
    return max(workers, -(-size // budget)) if size > budget // 8 else 1
