"""Finds copies of many strings in a column of texts, whole or in part, in one pass over its Arrow buffers.

Texts are compared without white space and in ASCII lower case. Of a string of at least `ngram` bytes, any run of
`ngram` bytes is found. Every such run holds one of the string's anchors, windows of `shortest` bytes; and every window
of a text holds one of the samples of GRAM bytes that are taken from the text every shortest - GRAM + 1 bytes. So a
text costs its normalising and a look into a bit set every 25 bytes or so, however many strings there are. What the
bits let through is looked up by hash, then compared byte by byte: a hit is exact. (The automaton of Aho and Corasick
waits for memory at every byte, and needs a state for every byte of every string.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
import pyarrow as pa

from stages.text_kernels import buffers, decode

GRAM = 16  # bytes of a sample
LEAST_VARIETY = 8  # a run of fewer different bytes is a ruler or a row of numbers: it tells nothing

INDEXED, SHORT, COMMONPLACE = range(3)  # what became of a string, see SubstringIndex.fate

STRING, WHOLE, START, LENGTH, LINE, PROBLEMS = range(6)  # columns of `find`

_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd: multiplying by it loses nothing modulo 2^64
_SECOND = np.uint64(0xC2B2AE3D27D4EB4F)
_BITS_A_HASH = 64  # of the bit set, at least: so few of the samples that occur nowhere are let through
_ASCII_SPACE = frozenset(b"\t\n\v\f\r\x1c\x1d\x1e\x1f ")
_WIDE_SPACE = np.array([0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000])
# What normalising makes of an ASCII byte: in the low byte the lower case, in the high byte whether it stays.
_FOLD = np.array([ord(chr(byte).lower()) | (byte not in _ASCII_SPACE) << 8 for byte in range(128)], np.uint16)


class SubstringIndex(NamedTuple):
    """The strings and where to look for them. A place is an offset into `data`."""

    data: np.ndarray  # uint8: the normalised strings, one behind the other
    starts: np.ndarray  # int64: string i is data[starts[i]:starts[i + 1]]
    problems: np.ndarray  # int64: the problem of each string
    telling: np.ndarray  # int32, one more than there are places: pieces that tell something and begin before it
    hashes: np.ndarray  # uint64, ascending: hash of the window at each anchor
    anchors: np.ndarray  # int64: the anchor's place
    owners: np.ndarray  # int64: the anchor's string
    bits: np.ndarray  # uint64: set for the hashes of all anchors, and of all samples there can be of them
    shift: int  # the bit of a hash is its highest 64 - shift bits
    shortest: int
    ngram: int
    fate: np.ndarray  # int64, one a string: INDEXED, SHORT, or COMMONPLACE where no piece of it tells anything

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return sum(part.nbytes for part in self if isinstance(part, np.ndarray))


def build_index(
    strings: Sequence[str],
    problems: np.ndarray,
    benchmarks: np.ndarray,
    shortest: int,
    ngram: int | None,
    most_problems: int,
) -> SubstringIndex:
    """Index `strings`, which belong to `problems` (int64 >= 0, ascending) of `benchmarks` (int64, ascending).

    Lengths are in normalised bytes. A string of fewer than `shortest` (>= GRAM) is left out; of one of at least `ngram`
    (>= shortest) the pieces are its runs of `ngram`; of others, and of all where `ngram` is None, the piece is the
    whole. A piece tells something where it has LEAST_VARIETY different bytes, and occurs in at most `most_problems`
    problems of its benchmark.
    """
    data, starts = _normalised(strings)
    sizes = np.diff(starts)
    run = int(sizes.max(initial=shortest)) + 1 if ngram is None else ngram
    tells = _tell(data, starts, problems, benchmarks, shortest, run, most_problems)
    telling = np.concatenate([[0], np.cumsum(tells)]).astype(np.int32)
    fate = np.where(sizes < shortest, SHORT, np.where(np.diff(telling[starts]) > 0, INDEXED, COMMONPLACE))

    windows = _tell(data, starts, problems, benchmarks, shortest, shortest, most_problems)
    anchors, owners = _anchors(starts, tells, windows, shortest, run)
    shift = 64 - max(6, int(len(anchors) * (shortest - GRAM + 2) * _BITS_A_HASH).bit_length())
    bits = np.zeros(1 << (58 - shift), np.uint64)
    hashes = _anchor_hashes(data, anchors, shortest, bits, shift)
    order = np.argsort(hashes, kind="stable")
    ordered = (hashes[order], anchors[order], owners[order])
    return SubstringIndex(data, starts, problems, telling, *ordered, bits, shift, shortest, run, fate)


def _normalised(strings: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    offsets, raw = buffers(pa.array(strings, pa.string()))
    data, starts = np.zeros(len(raw), np.uint8), np.zeros(len(offsets), np.int64)
    for number in range(len(strings)):
        size = _normalise(raw, int(offsets[number]), int(offsets[number + 1]), data[starts[number] :])
        starts[number + 1] = starts[number] + size
    return data[: starts[-1]].copy(), starts


def _tell(
    data: np.ndarray,
    starts: np.ndarray,
    problems: np.ndarray,
    benchmarks: np.ndarray,
    shortest: int,
    run: int,
    most_problems: int,
) -> np.ndarray:
    """Whether a piece of (at most) `run` bytes that tells something begins at each place. Equal hashes count as equal
    pieces."""
    places, owners, hashes, varied = _pieces(data, starts, shortest, run)
    order = np.argsort(hashes, kind="stable")
    hashes, problems, benchmarks = hashes[order], problems[owners[order]], benchmarks[owners[order]]
    new_group = np.ones(len(order), np.bool_)
    new_group[1:] = (hashes[1:] != hashes[:-1]) | (benchmarks[1:] != benchmarks[:-1])
    new_problem = new_group.copy()
    new_problem[1:] |= problems[1:] != problems[:-1]
    group = np.cumsum(new_group) - 1
    rare = (np.bincount(group, weights=new_problem) <= most_problems)[group]
    tells = np.zeros(len(data), np.bool_)
    tells[places[order]] = rare & varied[order]
    return tells


@numba.njit(nogil=True, cache=True)
def find(offsets: np.ndarray, data: np.ndarray, index: SubstringIndex) -> np.ndarray:
    """int64[rows, 6] of each text: the string it holds (-1 for none), whether whole, where that begins in the
    normalised text, its bytes, the line it begins in (from 1), and how many problems the text holds anything of.

    A whole copy goes before a part, then what begins first, then the longer, then the string that stands first.
    """
    rows, longest = len(offsets) - 1, np.int64(0)
    for row in range(rows):
        longest = max(longest, np.int64(offsets[row + 1]) - np.int64(offsets[row]))
    text = np.zeros(longest, np.uint8)
    samples = np.zeros(longest, np.uint64)
    last_row = np.full(index.problems[-1] + 1 if len(index.problems) else 0, -1)  # in which a problem was found
    result = np.zeros((rows, 6), np.int64)
    result[:, STRING] = -1
    for row in range(rows):
        begin, end = np.int64(offsets[row]), np.int64(offsets[row + 1])
        size = _normalise(data, begin, end, text)
        for number in range(_suspects(text, size, index, samples)):
            _search(text, size, np.int64(samples[number]), index, result[row], last_row, row)
        if result[row, STRING] >= 0:
            result[row, LINE] = _line(data, begin, end, result[row, START], text)
    return result


@numba.njit(nogil=True, cache=True)
def _suspects(text: np.ndarray, size: int, index: SubstringIndex, samples: np.ndarray) -> int:
    """Write the places of the samples of text[:size] that the bit set lets through to `samples`; how many there are.

    All hashes come first, so that the processor asks for many words of the bit set at once.
    """
    stride, count = index.shortest - GRAM + 1, 0
    for place in range(stride - 1, size - GRAM + 1, stride):
        samples[place // stride] = _gram_hash(text, place)
    for place in range(stride - 1, size - GRAM + 1, stride):
        if _has(index.bits, index.shift, samples[place // stride]):
            samples[count] = place
            count += 1
    return count


@numba.njit(nogil=True, cache=True)
def _search(
    text: np.ndarray, size: int, sample: int, index: SubstringIndex, best: np.ndarray, last_row: np.ndarray, row: int
) -> None:
    """Look up the windows of text[:size] that hold the sample, and improve the row `best` by what they are part of."""
    first, last = sample - (index.shortest - GRAM), min(sample, size - index.shortest)
    rolling, leading = _hash(text, first, min(index.shortest, size - first)), _power(index.shortest - 1)
    for at in range(first, last + 1):
        if at > first:
            rolling = _roll(rolling, text[at - 1], text[at + index.shortest - 1], leading)
        if not _has(index.bits, index.shift, _mixed(rolling)):
            continue
        anchor = np.searchsorted(index.hashes, rolling)
        while anchor < len(index.hashes) and index.hashes[anchor] == rolling:
            left, right = _shared(text, size, at, index, anchor)
            if right:
                string, start, length = index.owners[anchor], at - left, left + right
                whole = np.int64(length == index.starts[string + 1] - index.starts[string])
                rank = (-whole, start, -length, string)
                if best[STRING] < 0 or rank < (-best[WHOLE], best[START], -best[LENGTH], best[STRING]):
                    best[STRING], best[WHOLE], best[START], best[LENGTH] = string, whole, start, length
                if last_row[index.problems[string]] != row:
                    last_row[index.problems[string]] = row
                    best[PROBLEMS] += 1
            anchor += 1


@numba.njit(nogil=True, cache=True)
def _shared(text: np.ndarray, size: int, at: int, index: SubstringIndex, anchor: int) -> tuple[int, int]:
    """How many bytes text[:size] and the anchor's string share before `at` and from there on; (0, 0) where that is
    neither the whole string nor a run of `ngram` that holds the anchor and tells something.

    Such runs are looked for within their reach first, so that an anchor in repetitive text costs little.
    """
    place, string = index.anchors[anchor], index.owners[anchor]
    begin, end = index.starts[string], index.starts[string + 1]
    left = _shared_before(text, at, index.data, place, min(at, place - begin, index.ngram - index.shortest))
    right = _shared_after(text, at, index.data, place, min(size - at, end - place, index.ngram))
    if right < index.shortest:
        return 0, 0  # another window with this hash
    if end - begin < index.ngram:
        return (left, right) if left + right == end - begin else (0, 0)
    first_run, last_run = place - left, place + right - index.ngram
    if last_run < first_run or index.telling[last_run + 1] == index.telling[first_run]:
        return 0, 0
    left = _shared_before(text, at, index.data, place, min(at, place - begin))
    return left, _shared_after(text, at, index.data, place, min(size - at, end - place))


@numba.njit(nogil=True, cache=True)
def _shared_before(text: np.ndarray, at: int, data: np.ndarray, place: int, most: int) -> int:
    count = 0
    while count < most and text[at - count - 1] == data[place - count - 1]:
        count += 1
    return count


@numba.njit(nogil=True, cache=True)
def _shared_after(text: np.ndarray, at: int, data: np.ndarray, place: int, most: int) -> int:
    count = 0
    while count < most and text[at + count] == data[place + count]:
        count += 1
    return count


@numba.njit(nogil=True, cache=True)
def _normalise(data: np.ndarray, start: int, stop: int, out: np.ndarray) -> Any:
    """Write the UTF-8 data[start:stop] to `out` without white space (str.isspace) and with ASCII letters in lower case;
    how many bytes that makes."""
    at, end, size = np.uint64(start), np.uint64(stop), np.uint64(0)  # unsigned: an index is not tested for < 0
    one = np.uint64(1)
    while at < end:
        byte = data[at]
        if byte < 0x80:
            folded = _FOLD[byte]
            out[size] = np.uint8(folded & 0xFF)
            size += np.uint64(folded >> 8)
            at += one
        else:
            point, length = decode(data, np.int64(at))
            wide = (point == _WIDE_SPACE).any()
            for _ in range(length):
                out[size] = data[at]
                size += np.uint64(not wide)
                at += one
    return np.int64(size)


@numba.njit(nogil=True, cache=True)
def _line(data: np.ndarray, start: int, stop: int, place: int, scratch: np.ndarray) -> int:
    """Number of the line of data[start:stop] that holds byte `place` of the normalised text; lines end in \\n."""
    line, begin, kept = 1, start, 0
    for at in range(start, stop):
        if data[at] == 10:
            kept += _normalise(data, begin, at, scratch)
            if kept > place:
                break
            line, begin = line + 1, at
    return line


@numba.njit(nogil=True, cache=True)
def _pieces(
    data: np.ndarray, starts: np.ndarray, shortest: int, ngram: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of each piece: its place, its string, its hash, and whether it has LEAST_VARIETY different bytes."""
    places, owners = np.zeros(len(data), np.int64), np.zeros(len(data), np.int64)
    hashes, varied = np.zeros(len(data), np.uint64), np.zeros(len(data), np.bool_)
    count, leading = 0, _power(ngram - 1)
    for string in range(len(starts) - 1):
        begin, end = starts[string], starts[string + 1]
        if end - begin < shortest:
            continue
        size = min(ngram, end - begin)
        seen, different, rolling = np.zeros(256, np.int64), 0, np.uint64(0)
        for at in range(begin, end):
            gone = at - size
            if gone >= begin:
                seen[data[gone]] -= 1
                different -= seen[data[gone]] == 0
                rolling = _roll(rolling, data[gone], data[at], leading)
            else:
                rolling = rolling * _BASE + np.uint64(data[at])
            different += seen[data[at]] == 0
            seen[data[at]] += 1
            if gone >= begin - 1:
                places[count], owners[count], hashes[count] = gone + 1, string, rolling
                varied[count] = different >= LEAST_VARIETY
                count += 1
    return places[:count], owners[:count], hashes[:count], varied[:count]


@numba.njit(nogil=True, cache=True)
def _anchors(
    starts: np.ndarray, tells: np.ndarray, windows: np.ndarray, shortest: int, ngram: int
) -> tuple[np.ndarray, np.ndarray]:
    """Place and string of anchors, one or more in each telling piece: the last of its windows that tells something.

    Where none does, it is the last; a window that stands in many strings, or in many texts, gives many false alarms.
    """
    places, owners = np.zeros(starts[-1], np.int64), np.zeros(starts[-1], np.int64)
    count = 0
    for string in range(len(starts) - 1):
        begin, end = starts[string], starts[string + 1]
        slack = min(ngram, end - begin) - shortest
        for piece in range(begin, end - shortest - slack + 1):
            if not tells[piece] or (count and places[count - 1] >= piece):
                continue
            place = piece + slack
            while place > piece and not windows[place]:
                place -= 1
            places[count] = place if windows[place] else piece + slack
            owners[count] = string
            count += 1
    return places[:count].copy(), owners[:count].copy()


@numba.njit(nogil=True, cache=True)
def _anchor_hashes(data: np.ndarray, anchors: np.ndarray, shortest: int, bits: np.ndarray, shift: int) -> np.ndarray:
    """Hash of the window at each anchor; sets the bits for it and for all samples there can be of it."""
    hashes = np.zeros(len(anchors), np.uint64)
    for number in range(len(anchors)):
        place = anchors[number]
        hashes[number] = _hash(data, place, shortest)
        _set(bits, shift, _mixed(hashes[number]))
        for sample in range(place, place + shortest - GRAM + 1):
            _set(bits, shift, _gram_hash(data, sample))
    return hashes


@numba.njit(nogil=True, cache=True)
def _hash(data: np.ndarray, at: int, size: int) -> Any:
    """Hash of data[at:at + size]: a polynomial in _BASE modulo 2^64."""
    value = np.uint64(0)
    for place in range(at, at + size):
        value = value * _BASE + np.uint64(data[place])
    return value


@numba.njit(nogil=True, cache=True)
def _power(exponent: int) -> Any:
    value = np.uint64(1)
    for _ in range(exponent):
        value *= _BASE
    return value


@numba.njit(nogil=True, cache=True)
def _roll(value: Any, gone: Any, new: Any, leading: Any) -> Any:
    """The hash one byte on; `leading` is the weight of the first byte."""
    return (value - np.uint64(gone) * leading) * _BASE + np.uint64(new)


@numba.njit(nogil=True, cache=True)
def _mixed(value: Any) -> Any:
    return (value ^ (value >> np.uint64(32))) * _SECOND


@numba.njit(nogil=True, cache=True)
def _gram_hash(data: np.ndarray, at: int) -> Any:
    low, high = np.uint64(0), np.uint64(0)
    for offset in range(8):
        low |= np.uint64(data[at + offset]) << np.uint64(8 * offset)
        high |= np.uint64(data[at + 8 + offset]) << np.uint64(8 * offset)
    return _mixed(low * _BASE + high)


@numba.njit(nogil=True, cache=True)
def _has(bits: np.ndarray, shift: int, value: Any) -> Any:
    bit = value >> np.uint64(shift)
    return (bits[bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1)


@numba.njit(nogil=True, cache=True)
def _set(bits: np.ndarray, shift: int, value: Any) -> None:
    bit = value >> np.uint64(shift)
    bits[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))
