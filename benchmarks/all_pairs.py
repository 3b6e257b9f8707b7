"""Every pair of sets with a Jaccard similarity of at least a floor: the truth that candidates are measured against.

An exact set-similarity join by prefix filtering (Chaudhuri, Ganti and Kaushik, 2006; Xiao et al., PPJoin, 2008): with
elements ordered from the rarest on, two sets as similar as the floor share an element among the first few of each, so
an inverted index of those finds every pair. Equal sets are joined as one, which keeps thousands of copies affordable.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np

from stages.shingles import ShingleSets, Utf8, content_hashes, jaccard

_SLACK = 1e-9  # of a bound on a number of elements, so that rounding never makes a prefix too short


class Pairs(NamedTuple):
    """Groups of documents with equal sets, from the smallest set to the largest, and the pairs of groups found."""

    group: np.ndarray  # int64: each document's group; -1 for an empty set, which resembles nothing
    first: np.ndarray  # int64: each group's first document
    size: np.ndarray  # int64: documents of each group
    left: np.ndarray  # int32: groups of the pairs, left < right
    right: np.ndarray
    similarity: np.ndarray  # float64: exact Jaccard, at least the floor and below 1

    def documents(self) -> set[tuple[int, int, float]]:
        """Every pair of documents, (smaller number, larger number, similarity), copies of one set included."""
        members = [np.flatnonzero(self.group == group).tolist() for group in range(len(self.size))]
        found = {(one, two, 1.0) for same in members for one in same for two in same if one < two}
        for left, right, similarity in zip(self.left, self.right, self.similarity.tolist(), strict=True):
            found |= {(min(one, two), max(one, two), similarity) for one in members[left] for two in members[right]}
        return found


def all_pairs(sets: ShingleSets, floor: float) -> Pairs:
    """All pairs of `sets` with a Jaccard similarity of at least `floor` (above 0), whatever the hashes stand for."""
    group, first, size = _collapse(sets)
    counts = np.diff(sets.starts)[first]
    starts = np.concatenate([[0], np.cumsum(counts)])
    elements = np.concatenate([np.zeros(0, np.uint64), *(_elements(sets, document) for document in first)])
    _, number, frequency = np.unique(elements, return_inverse=True, return_counts=True)
    rank = np.empty(len(frequency), np.int32)
    rank[np.argsort(frequency, kind="stable")] = np.arange(len(frequency), dtype=np.int32)
    left, right, similarity = _join(starts, rank[number], len(rank), floor)
    return Pairs(group, first, size, left, right, similarity)


def brute_force(sets: ShingleSets, floor: float) -> set[tuple[int, int, float]]:
    """What Pairs.documents gives, by comparing every document with every other."""
    left, right = np.triu_indices(len(sets.starts) - 1, 1)
    similarity = jaccard(sets, left, sets, right)
    near = similarity >= floor
    return set(zip(left[near].tolist(), right[near].tolist(), similarity[near].tolist(), strict=True))


def _collapse(sets: ShingleSets) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each document's group, each group's first document, and its number of documents."""
    digests = content_hashes(Utf8(sets.starts * 8, np.ascontiguousarray(sets.hashes).view(np.uint8)))
    counts = np.diff(sets.starts)
    # The set's size comes first, so that groups are numbered by it.
    keys = np.column_stack([counts.astype(np.uint64), digests.view(np.uint64).reshape(-1, 2)])
    _, first, group, size = np.unique(keys, axis=0, return_index=True, return_inverse=True, return_counts=True)
    empty = int(len(first) > 0 and counts[first[0]] == 0)
    return group.ravel() - empty, first[empty:], size[empty:]


def _elements(sets: ShingleSets, document: int) -> np.ndarray:
    return sets.hashes[sets.starts[document] : sets.starts[document + 1]]


@numba.njit(nogil=True, cache=True)
def _join(
    starts: np.ndarray, ranks: np.ndarray, elements: int, floor: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of sets ranks[starts[i]:starts[i + 1]], which ascend in size; each is sorted here, rarest element first."""
    count = len(starts) - 1
    # Element e is in the prefix of sets posted[head[e]:tail[e]], ascending; its room begins where e - 1's ends.
    tail = np.zeros(elements + 1, np.int64)
    for x in range(count):
        own = ranks[starts[x] : starts[x + 1]]
        own.sort()
        for element in own[: _prefix(len(own), 2 * floor / (1 + floor))]:
            tail[element + 1] += 1
    tail = np.cumsum(tail)
    head, posted = tail.copy(), np.zeros(tail[elements], np.int32)

    pairs, similarity, size = np.zeros((1024, 2), np.int32), np.zeros(1024), 0
    candidates, found_by = np.zeros(count, np.int32), np.full(count, -1, np.int32)
    for x in range(count):
        own = ranks[starts[x] : starts[x + 1]]
        found = 0
        for element in own[: _prefix(len(own), floor)]:
            while head[element] < tail[element] and _size(starts, posted[head[element]]) < floor * len(own) - _SLACK:
                head[element] += 1  # too small for this set, and so for all that follow
            for y in posted[head[element] : tail[element]]:
                if found_by[y] != x:
                    found_by[y] = x
                    candidates[found] = y
                    found += 1
        for y in candidates[:found]:
            other = ranks[starts[y] : starts[y + 1]]
            shared = _shared(own, other, floor / (1 + floor) * (len(own) + len(other)) - _SLACK)
            similar = shared / (len(own) + len(other) - shared)
            if similar >= floor:
                if size == len(similarity):
                    pairs = np.concatenate((pairs, np.zeros_like(pairs)))
                    similarity = np.concatenate((similarity, np.zeros_like(similarity)))
                pairs[size, 0], pairs[size, 1], similarity[size] = y, x, similar
                size += 1
        # A set that comes later is no smaller, so this one may be found by a shorter prefix.
        for element in own[: _prefix(len(own), 2 * floor / (1 + floor))]:
            posted[tail[element]] = x
            tail[element] += 1
    return pairs[:size, 0].copy(), pairs[:size, 1].copy(), similarity[:size].copy()


@numba.njit(nogil=True, cache=True)
def _prefix(size: int, share: float) -> int:
    """How many first elements meet those of any set that shares at least `share` of this one's `size`."""
    return size - max(1, math.ceil(share * size - _SLACK)) + 1


@numba.njit(nogil=True, cache=True)
def _size(starts: np.ndarray, which: int) -> int:
    return starts[which + 1] - starts[which]


@numba.njit(nogil=True, cache=True)
def _shared(left: np.ndarray, right: np.ndarray, needed: float) -> int:
    """Elements that both have; too few once they cannot be `needed` any more."""
    i, j, shared = 0, 0, 0
    while i < len(left) and j < len(right):
        if shared + min(len(left) - i, len(right) - j) < needed:
            break
        x, y = left[i], right[j]
        shared += x == y
        i += x <= y
        j += y <= x
    return shared
