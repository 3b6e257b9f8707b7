"""Exact similarities of documents that are judged again: each text is read once, and its shingles kept for a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from itertools import groupby

import numpy as np

from pipeline.side import Executor, Worker
from stages.near_duplicates.re_election_look_up import Found, Tables
from stages.shingles import ShingleSets, Utf8, jaccard, shingle_sets

BUDGET = 256 << 20  # bytes of shingles that are kept
AT_ONCE = 32 << 20  # bytes of shingles that a task hands back, or that are compared with one document
SHINGLE_BYTES = 8

Place = tuple[int, int]  # shard and row


class Similarities:
    """The Jaccard similarity of pairs of documents, as far as it reaches the threshold."""

    def __init__(self, tables: Tables, executor: Executor, threshold: float) -> None:
        self._tables, self._executor, self._threshold = tables, executor, threshold
        self._sets: OrderedDict[Place, np.ndarray] = OrderedDict()  # the one that was used last stands last
        self._bytes = 0
        self._known: dict[tuple[Place, Place], float] = {}

    def may_be_near(self, one: Found, other: Found) -> bool:
        """Whether the sizes of the two sets allow it."""
        small, large = sorted((one.shingles, other.shingles))
        return small > 0 and small / large >= self._threshold

    def fits(self, document: Found, sizes: np.ndarray) -> bool:
        """Whether it may be near one of the documents with these sizes, sorted."""
        least, most = document.shingles * self._threshold * 0.999, document.shingles / self._threshold * 1.001
        return document.shingles > 0 and bool(np.searchsorted(sizes, least) < np.searchsorted(sizes, most))

    def near(self, one: Found, others: Sequence[Found]) -> list[tuple[Found, float]]:
        """Those of the others that reach the threshold, each with its similarity to `one`."""
        fit = [other for other in others if self.may_be_near(one, other)]
        unknown = [other for other in fit if _pair(one, other) not in self._known]
        for part in _parts(unknown):
            self._compare(one, part)
        similar = [(other, self._known[_pair(one, other)]) for other in fit]
        return [(other, jaccard) for other, jaccard in similar if jaccard >= self._threshold]

    def fetch_ahead(self, documents: Sequence[Found]) -> None:
        """Read the texts of documents that will be compared, as many as are kept, all shards side by side."""
        some, size = [], 0
        for document in documents:
            size += document.shingles * SHINGLE_BYTES
            if size > BUDGET:
                break
            some.append(document)
        self._fetch(some)

    def _compare(self, one: Found, others: Sequence[Found]) -> None:
        self._fetch([one, *others])
        arrays = [self._sets[_place(document)] for document in (one, *others)]
        starts = np.cumsum([0, *(len(array) for array in arrays)])
        sets = ShingleSets(starts.astype(np.int64), np.concatenate(arrays))
        right = np.arange(1, len(arrays))
        found = jaccard(sets, np.zeros_like(right), sets, right, self._threshold)
        for other, similarity in zip(others, found.tolist(), strict=True):
            self._known[_pair(one, other)] = similarity

    def _fetch(self, documents: Sequence[Found]) -> None:
        """Have the shingles of all of these; what was used longest ago goes for it."""
        wanted = {_place(document): document for document in documents}
        for place in wanted.keys() & self._sets.keys():
            self._sets.move_to_end(place)
        missing = sorted((place, document.shingles) for place, document in wanted.items() if place not in self._sets)
        tasks: list[tuple[int, list[int]]] = []
        for number, group in groupby(missing, key=lambda item: item[0][0]):
            size = AT_ONCE
            for (_, row), shingles in group:
                if size >= AT_ONCE:
                    tasks.append((number, []))
                    size = 0
                tasks[-1][1].append(row)
                size += shingles * SHINGLE_BYTES
        for index, arrays in self._executor.map(partial(_shingles, tables=self._tables), tasks) if tasks else ():
            number, rows = tasks[index]
            for row, array in zip(rows, arrays, strict=True):
                self._sets[number, row] = array
                self._bytes += array.nbytes
        while self._bytes > BUDGET and next(iter(self._sets)) not in wanted:
            self._bytes -= self._sets.popitem(last=False)[1].nbytes


def _shingles(task: tuple[int, list[int]], worker: Worker, *, tables: Tables) -> list[np.ndarray]:
    number, rows = task
    text = tables.read(number, np.array(rows), ["text"])["text"]
    sets = shingle_sets(Utf8.of(text), tables.ngram)
    return [sets.hashes[sets.starts[i] : sets.starts[i + 1]].copy() for i in range(len(rows))]


def _parts(documents: Sequence[Found]) -> list[list[Found]]:
    """The documents in pieces that are compared at once."""
    parts: list[list[Found]] = []
    size = AT_ONCE
    for document in documents:
        if size >= AT_ONCE:
            parts.append([])
            size = 0
        parts[-1].append(document)
        size += document.shingles * SHINGLE_BYTES
    return parts


def _place(document: Found) -> Place:
    return document.shard, document.row


def _pair(one: Found, other: Found) -> tuple[Place, Place]:
    left, right = _place(one), _place(other)
    return (left, right) if left < right else (right, left)
