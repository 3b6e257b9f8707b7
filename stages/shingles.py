"""Shingles, MinHash signatures and exact Jaccard similarity of documents, straight from their UTF-8 bytes.

A token is a run of [A-Za-z0-9_] or non-ASCII bytes, or one of MARKS; a shingle is `ngram` tokens in a row; a document
is the set of its shingles' 64-bit hashes. White space, quotes, separators and comment marks do not count, so that style
is no difference; brackets and operators do, so that code outweighs the prose above it (docs/decisions/shingles.md).
Signatures are datasketch's (scheme affine32, over the low 32 bits of each shingle's hash), value for value. Everything
is numba over offsets and bytes, because a Python object a token is some hundred times slower.
"""

from __future__ import annotations

import hashlib
import math
from itertools import pairwise
from typing import NamedTuple

import numba
import numpy as np
import pyarrow as pa

MARKS = b"!$%&()+.:<=>?@[]^{|}~"  # punctuation that counts, each byte a token

_WORD, _MARK = np.uint64(1), np.uint64(2)
_KIND = np.zeros(256, np.uint8)  # of each byte; 0 separates tokens and does not count
_KIND[np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz", np.uint8)] = _WORD
_KIND[128:] = _WORD
_KIND[np.frombuffer(MARKS, np.uint8)] = _MARK

_FNV_OFFSET = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd: multiplying by it loses nothing modulo 2^64
_LANES = 4  # values that are permuted together
_BETWEEN_LOOKS = 64  # steps of a merge
SURE = 5.0  # standard errors
_EMPTY = np.uint64(0)  # marks a free slot of a hash table, so no shingle hashes to it


class Utf8(NamedTuple):
    """A string column as one piece of memory: document i is data[offsets[i]:offsets[i + 1]]."""

    offsets: np.ndarray  # int64, one more than there are documents
    data: np.ndarray  # uint8

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> Utf8:
        """The column's buffers; a null is an empty document."""
        chunks = column.cast(pa.large_string()).fill_null("")
        array = chunks.chunk(0) if chunks.num_chunks == 1 else chunks.combine_chunks()  # one chunk is not copied
        _, offsets, data = array.buffers()
        if len(array) == 0:
            offsets = bytes(8)  # Arrow may leave out the buffers of an empty array
        window = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
        return cls(window, np.frombuffer(data or b"", np.uint8))


class Signatures(NamedTuple):
    """What the documents of a shard are compared by."""

    shingles: np.ndarray  # int64: distinct shingles of each
    minhash: np.ndarray  # uint32, documents x permutations; all ones where there are no shingles
    set_key: np.ndarray  # uint64, documents x 2: equal for equal shingle sets, for others only by accident (2^-128)


class ShingleSets(NamedTuple):
    """Document i's shingles are hashes[starts[i]:starts[i + 1]], ascending and distinct."""

    starts: np.ndarray  # int64
    hashes: np.ndarray  # uint64

    @classmethod
    def joined(cls, parts: list[ShingleSets]) -> ShingleSets:
        """The sets of all parts in one; the list is emptied on the way, so that only one part is there twice."""
        sizes = np.concatenate([[0], *(np.diff(part.starts) for part in parts)])
        starts = np.cumsum(sizes, dtype=np.int64)
        hashes, filled = np.empty(starts[-1], np.uint64), 0
        while parts:
            part = parts.pop(0)
            hashes[filled : filled + len(part.hashes)] = part.hashes
            filled += len(part.hashes)
        return cls(starts, hashes)


def permutations(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Multipliers and addends (uint32) of datasketch's MinHash(count, seed, scheme="affine32").permutations.

    Drawn here, value for value, because importing datasketch imports scipy, which takes most of a second.
    """
    generator = np.random.RandomState(seed)
    multipliers = generator.randint(0, 1 << 31, count, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return multipliers, generator.randint(0, 1 << 32, count, dtype=np.uint32)


def content_hashes(text: Utf8) -> np.ndarray:
    """128-bit blake2b of each document's bytes, as an array of V16."""
    view, bounds = text.data.data, text.offsets.tolist()
    digests = [hashlib.blake2b(view[start:stop], digest_size=16).digest() for start, stop in pairwise(bounds)]
    return np.frombuffer(b"".join(digests), dtype="V16")


@numba.njit(nogil=True, cache=True)
def signatures(text: Utf8, ngram: int, multipliers: np.ndarray, addends: np.ndarray) -> Signatures:
    """Signatures of every document; `multipliers` and `addends` are those of `permutations`."""
    count = len(text.offsets) - 1
    shingles = np.zeros(count, np.int64)
    minhash = np.full((count, len(multipliers)), np.uint32(0xFFFFFFFF), np.uint32)
    set_key = np.zeros((count, 2), np.uint64)
    room = _longest(text) + 1
    found, table, low = np.zeros(room, np.uint64), np.zeros(16, np.uint64), np.zeros(room + _LANES, np.uint32)
    for document in range(count):
        start, stop = text.offsets[document], text.offsets[document + 1]
        repeated = _shingles(text.data[start:stop], ngram, found)
        if _slots(repeated) > len(table):
            table = np.zeros(_slots(repeated), np.uint64)
        size = _distinct(found, repeated, table)
        shingles[document] = size
        first, second = np.uint64(0), np.uint64(0)
        for index in range(size):
            hashed = found[index]
            first += hashed  # sums, because a set has no order
            second += mix64(hashed ^ _BASE)
            low[index] = _mix32(np.uint32(hashed))
        set_key[document, 0], set_key[document, 1] = first, second
        padded = (size + _LANES - 1) // _LANES * _LANES
        low[size:padded] = low[size - 1]  # a repeated value changes no minimum
        _permute(low[:padded], multipliers, addends, minhash[document])
    return Signatures(shingles, minhash, set_key)


@numba.njit(nogil=True, cache=True)
def shingle_sets(text: Utf8, ngram: int) -> ShingleSets:
    """The exact shingle set of every document."""
    count = len(text.offsets) - 1
    starts = np.zeros(count + 1, np.int64)
    size_of_all = text.offsets[count] - text.offsets[0]
    hashes = np.empty(size_of_all // 8 + 16, np.uint64)  # grows where that is too little
    found, table = np.zeros(_longest(text) + 1, np.uint64), np.zeros(16, np.uint64)
    for document in range(count):
        start, stop = text.offsets[document], text.offsets[document + 1]
        repeated = _shingles(text.data[start:stop], ngram, found)
        if _slots(repeated) > len(table):
            table = np.zeros(_slots(repeated), np.uint64)
        size = _distinct(found, repeated, table)
        _ascending(table[: _slots(repeated)], found)
        ends = starts[document] + size
        if ends > len(hashes):
            # As many as there will be if the rest is like the texts so far, and a tenth more.
            likely = np.int64(1.1 * ends * (size_of_all / (stop - text.offsets[0])))
            larger = np.empty(max(likely, ends + ends // 4), np.uint64)
            larger[: starts[document]] = hashes[: starts[document]]
            hashes = larger
        hashes[starts[document] : ends] = found[:size]
        starts[document + 1] = ends
    return ShingleSets(starts, hashes[: starts[count]])


@numba.njit(nogil=True, cache=True)
def jaccard(
    left: ShingleSets, left_rows: np.ndarray, right: ShingleSets, right_rows: np.ndarray, floor: float = 0.0
) -> np.ndarray:
    """Jaccard similarity of each pair left_rows[i], right_rows[i], float64; of two empty sets it is 0.

    It is exact where it is at least `floor`, and -1 where it is less: a pair is left once it cannot reach it any more.
    It is left, too, once what has been merged says that it will not: hashes are in no order of the text, so the first
    u of both are a sample (bottom-k sketches, Cohen and Kaplan 2007), whose share of common ones has a standard error
    of sqrt(floor * (1 - floor) / u) for a pair at `floor`. At SURE of them, one such pair in a million is lost.
    """
    similarity = np.full(len(left_rows), -1.0)
    for pair in range(len(left_rows)):
        mine = left.hashes[left.starts[left_rows[pair]] : left.starts[left_rows[pair] + 1]]
        other = right.hashes[right.starts[right_rows[pair]] : right.starts[right_rows[pair] + 1]]
        both = len(mine) + len(other)
        needed = np.int64(floor * both / (1 + floor)) - 1  # shared ones; at most two too few, so nothing is lost
        i, j, shared, likely = 0, 0, 0, True
        while likely and i < len(mine) and j < len(other) and shared + min(len(mine) - i, len(other) - j) >= needed:
            for _ in range(min(_BETWEEN_LOOKS, len(mine) - i, len(other) - j)):
                x, y = mine[i], other[j]
                shared += x == y
                i += x <= y
                j += y <= x
            merged = i + j - shared
            likely = shared >= floor * merged - SURE * math.sqrt(floor * (1 - floor) * merged)
        exact = shared / max(1, both - shared)  # too low for a pair that was left, which is below the floor anyway
        if exact >= floor:
            similarity[pair] = exact
    return similarity


@numba.njit(nogil=True, cache=True)
def estimates(left: np.ndarray, left_rows: np.ndarray, right: np.ndarray, right_rows: np.ndarray) -> np.ndarray:
    """Jaccard similarity of each pair as its MinHash rows estimate it: the share of equal values, float64."""
    similarity = np.zeros(len(left_rows), np.float64)
    for pair in range(len(left_rows)):
        mine, other = left[left_rows[pair]], right[right_rows[pair]]
        equal = 0
        for permutation in range(len(mine)):
            equal += mine[permutation] == other[permutation]
        similarity[pair] = equal / len(mine)
    return similarity


@numba.njit(nogil=True, cache=True)
def band_keys(minhash: np.ndarray, bands: int, rows: int) -> np.ndarray:
    """64-bit hash of each band of `rows` MinHash values, uint64, documents x bands."""
    keys = np.zeros((len(minhash), bands), np.uint64)
    for document in range(len(minhash)):
        for band in range(bands):
            key = np.uint64(0)
            for value in minhash[document, band * rows : (band + 1) * rows]:
                key = mix64((key ^ np.uint64(value)) + _BASE)
            keys[document, band] = key
    return keys


@numba.njit(nogil=True, cache=True)
def _longest(text: Utf8) -> int:
    """Bytes of the longest document."""
    longest = 0
    for document in range(len(text.offsets) - 1):
        longest = max(longest, text.offsets[document + 1] - text.offsets[document])
    return longest


@numba.njit(nogil=True, cache=True)
def _shingles(text: np.ndarray, ngram: int, out: np.ndarray) -> int:
    """Write the hash of every shingle of `text` to `out`, repeats included; how many there are."""
    tokens = _tokens(text, out)
    for index in range(tokens):
        out[index] = mix64(out[index])
    weight, oldest, rolling = np.uint64(1), np.uint64(0), np.uint64(0)  # a shingle is a polynomial of its tokens
    for _ in range(ngram):
        weight *= _BASE
    for token in out[: min(ngram - 1, tokens)]:
        rolling = rolling * _BASE + token
    for index in range(tokens - ngram + 1):
        rolling = rolling * _BASE + out[index + ngram - 1] - oldest * weight
        oldest = out[index]
        out[index] = mix64(rolling)
    return max(0, tokens - ngram + 1)


@numba.njit(nogil=True, cache=True)
def _tokens(text: np.ndarray, out: np.ndarray) -> np.int64:
    """Write the FNV-1a hash of every token of `text` to `out`, which has room for one more; how many there are.

    There is no branch, because where tokens end is what a processor cannot predict: every byte writes the hash of the
    token so far, and the next one writes over it unless the token ended there. Unsigned numbers index faster.
    """
    tokens, token, last = np.uint64(0), _FNV_OFFSET, np.uint64(0)
    kind = np.uint64(_KIND[text[0]] if len(text) else 0)
    for position in range(len(text)):
        following = np.uint64(_KIND[text[np.uint64(position + 1)]] if position + 1 < len(text) else 0)
        token = ((token if last & kind & _WORD else _FNV_OFFSET) ^ np.uint64(text[np.uint64(position)])) * _FNV_PRIME
        out[tokens] = token
        tokens += (kind & _WORD & ~following) | (kind >> np.uint64(1))  # a word that ends here, or a mark
        last, kind = kind, following
    return np.int64(tokens)


@numba.njit(nogil=True, cache=True)
def _distinct(values: np.ndarray, count: int, table: np.ndarray) -> np.int64:
    """Move the distinct ones of values[:count] to the front, in order of appearance; how many there are.

    They are in table[:_slots(count)] too, and nearly in order: a value's place is given by its high bits.
    """
    slots = _slots(count)
    table[:slots] = _EMPTY
    mask, shift = np.uint64(slots - 1), np.uint64(64)
    while mask >> (np.uint64(64) - shift):
        shift -= np.uint64(1)
    size = np.uint64(0)
    for index in range(count):
        value = values[index] + np.uint64(values[index] == _EMPTY)
        slot = value >> shift
        while table[slot] != _EMPTY and table[slot] != value:
            slot = (slot + np.uint64(1)) & mask
        new = np.uint64(table[slot] == _EMPTY)
        table[slot] = value
        values[size] = value  # without a branch: the next one writes over a repeated one
        size += new
    return np.int64(size)


@numba.njit(nogil=True, cache=True)
def _ascending(table: np.ndarray, out: np.ndarray) -> None:
    """Write what is in a hash table of `_distinct` to `out`, which has room for one more, ascending."""
    size = np.uint64(0)
    for slot in range(len(table)):
        out[size] = table[slot]
        size += np.uint64(table[slot] != _EMPTY)
    for index in range(1, np.int64(size)):  # an insertion sort, since few are out of place, and seldom far
        value, place = out[index], index
        while place > 0 and out[place - 1] > value:
            out[place] = out[place - 1]
            place -= 1
        out[place] = value


@numba.njit(nogil=True, cache=True)
def _slots(count: int) -> int:
    """Slots of a hash table for `count` values: a power of two, at most half of them taken."""
    slots = 16
    while slots < 2 * count:
        slots *= 2
    return slots


@numba.njit(nogil=True, cache=True)
def _permute(values: np.ndarray, multipliers: np.ndarray, addends: np.ndarray, least: np.ndarray) -> None:
    """Lower least[k] to the minimum of multipliers[k] * value + addends[k] modulo 2^32 over `values`.

    The number of values is a multiple of four: four at a time, the inner loop is all vector instructions (8x faster).
    """
    for index in range(0, len(values), _LANES):
        one, two, three, four = values[index], values[index + 1], values[index + 2], values[index + 3]
        for k in range(len(multipliers)):
            a, b = multipliers[k], addends[k]
            low = min(np.uint32(one * a + b), np.uint32(two * a + b))
            high = min(np.uint32(three * a + b), np.uint32(four * a + b))
            least[k] = min(least[k], min(low, high))


@numba.njit(nogil=True, cache=True)
def mix64(value: np.uint64) -> np.uint64:
    """MurmurHash3's 64-bit finalizer, a bijection."""
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@numba.njit(nogil=True, cache=True)
def _mix32(value: np.uint32) -> np.uint32:
    """MurmurHash3's 32-bit finalizer, which datasketch applies before it permutes."""
    value = np.uint32(value ^ (value >> np.uint32(16)))
    value = np.uint32(value * np.uint32(0x85EBCA6B))
    value = np.uint32(value ^ (value >> np.uint32(13)))
    value = np.uint32(value * np.uint32(0xC2B2AE35))
    return np.uint32(value ^ (value >> np.uint32(16)))
