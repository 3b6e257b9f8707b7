"""Finds the few places of a column of texts where personal information can stand, so that recognizers read only those.

One numba pass over the Arrow bytes looks for triggers: an `@` between an address's characters, four dotted numbers, the
start of a public IPv6 address, a user name and password in a URL, a secret format's literal, a PEM block. A window is
the trigger's line, at most BACK bytes back and AHEAD on; a PEM block's reaches to its END line. Every match of a
recognizer holds a trigger and, with the context it looks at, is shorter than these reaches, so the windows lose none.
The windows of a whole shard are joined into one text with SEPARATOR between, which no recognizer matches across.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numba
import numpy as np
import pyarrow as pa

BACK = 512
AHEAD = 5120
PEM_REACH = 32768  # bytes from BEGIN to END
PEM_BEGIN, PEM_END = b"-----BEGIN ", b"-----END "
PEM = 0  # its number among the anchors
PEM_TAIL = 64  # bytes from -----END to the end of that line, at most
SEPARATOR = "\n\x00\n"


class Anchors(NamedTuple):
    """Literals, looked up by their first two bytes. `data[starts[k]:starts[k + 1]]` is literal k; 0 is PEM_BEGIN."""

    data: np.ndarray  # uint8
    starts: np.ndarray  # int64[n + 1]
    heads: np.ndarray  # int16[65536]: the first literal that starts with these two bytes, or -1
    following: np.ndarray  # int16[n]: the next one with the same two bytes, or -1


class Windows(NamedTuple):
    """The joined text of a column's windows; arrays hold one entry a window, in column order."""

    text: str
    rows: np.ndarray  # int64: the row it is from
    starts: np.ndarray  # int64: its first code point in `text`
    origins: np.ndarray  # int64: its first code point in the row's text


def anchors(literals: Iterable[str]) -> Anchors:
    """The table of the literals (ASCII, two bytes or more) that trigger a window, and PEM_BEGIN."""
    listed = [PEM_BEGIN, *sorted({literal.encode("ascii") for literal in literals})]
    heads = np.full(1 << 16, -1, dtype=np.int16)
    following = np.full(len(listed), -1, dtype=np.int16)
    for number, literal in enumerate(listed):
        head = literal[0] << 8 | literal[1]
        following[number], heads[head] = heads[head], number
    starts = np.cumsum([0, *map(len, listed)], dtype=np.int64)
    return Anchors(np.frombuffer(b"".join(listed), dtype=np.uint8), starts, heads, following)


def find(column: pa.StringArray, table: Anchors) -> Windows:
    """The windows of every text in `column` (nulls have none)."""
    offsets = np.frombuffer(column.buffers()[1], dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    buffer = column.buffers()[2]
    data = np.frombuffer(buffer, dtype=np.uint8) if buffer is not None else np.zeros(0, dtype=np.uint8)
    rows, begins, ends = _scan(offsets, data, *table)
    joined, starts, origins = _join(offsets, data, rows, begins, ends, np.frombuffer(SEPARATOR.encode(), np.uint8))
    return Windows(joined.tobytes().decode(), rows, starts, origins)


@numba.njit(nogil=True, cache=True)
def _is_word(byte: int) -> bool:
    """ASCII letter or digit, or part of a character that is not ASCII."""
    return 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122 or byte >= 128


@numba.njit(nogil=True, cache=True)
def _is_digit(byte: int) -> bool:
    return 48 <= byte <= 57


@numba.njit(nogil=True, cache=True)
def _is_hex(byte: int) -> bool:
    return 48 <= byte <= 57 or 65 <= byte <= 70 or 97 <= byte <= 102


@numba.njit(nogil=True, cache=True)
def _email(data: np.ndarray, begin: int, end: int, at: int) -> bool:
    """An `@` with a local part's character before, and a domain's label and dot after it."""
    if at == begin or at + 1 >= end:
        return False
    before = data[at - 1]
    if not (_is_word(before) or before in (95, 37, 43, 45)):  # _ % + -
        return False
    label = at + 1
    while label < end and label <= at + 128 and (_is_word(data[label]) or data[label] == 45):
        label += 1
    return at + 1 < label < end - 1 and data[label] == 46 and _is_word(data[label + 1])


@numba.njit(nogil=True, cache=True)
def _ipv4(data: np.ndarray, begin: int, end: int, dot: int) -> bool:
    """The first dot of digits.digits.digits.digits."""
    if dot == begin or not _is_digit(data[dot - 1]):
        return False
    at = dot
    for _ in range(3):
        if at >= end or data[at] != 46:
            return False
        at += 1
        first = at
        while at < end and at - first < 3 and _is_digit(data[at]):
            at += 1
        if at == first:
            return False
    return True


@numba.njit(nogil=True, cache=True)
def _ipv6(data: np.ndarray, begin: int, end: int, colon: int) -> bool:
    """The first colon of an address in 2000::/3, all that is public: four hex digits, the first a 2 or 3."""
    if colon - begin < 4 or colon + 1 >= end or not (data[colon - 4] == 50 or data[colon - 4] == 51):
        return False
    for at in range(colon - 3, colon):
        if not _is_hex(data[at]):
            return False
    return data[colon + 1] == 58 or _is_hex(data[colon + 1])


@numba.njit(nogil=True, cache=True)
def _credentials(data: np.ndarray, end: int, colon: int) -> bool:
    """The colon of ://user:password@ ; the walk stops at the next slash, so that all walks together stay linear."""
    if colon + 2 >= end or data[colon + 1] != 47 or data[colon + 2] != 47:
        return False
    second = False
    at = colon + 3
    while at < end:
        byte = data[at]
        if byte <= 32 or byte in (34, 39, 47, 60, 62):  # space, quotes, slash, angle brackets
            return False
        if byte == 58:
            second = True
        if byte == 64:
            return second
        at += 1
    return False


@numba.njit(nogil=True, cache=True)
def _anchor(
    data: np.ndarray,
    end: int,
    at: int,
    literals: np.ndarray,
    starts: np.ndarray,
    heads: np.ndarray,
    following: np.ndarray,
) -> int:
    """The number of a literal that stands at `at`, or -1."""
    number = heads[np.int64(data[at]) << 8 | data[at + 1]]
    while number >= 0:
        first, length = starts[number], starts[number + 1] - starts[number]
        if at + length <= end:
            same = 2
            while same < length and data[at + same] == literals[first + same]:
                same += 1
            if same == length:
                return number
        number = following[number]
    return -1


@numba.njit(nogil=True, cache=True)
def _find_newline(data: np.ndarray, at: int, end: int) -> int:
    while at < end and data[at] != 10:
        at += 1
    return at


@numba.njit(nogil=True, cache=True)
def _find_pem_end(data: np.ndarray, at: int, end: int) -> int:
    """Where the next `-----END ` stands; `end` where there is none."""
    while at + len(PEM_END) <= end:
        same = 0
        while same < len(PEM_END) and data[at + same] == PEM_END[same]:
            same += 1
        if same == len(PEM_END):
            return at
        at += 1
    return end


@numba.njit(nogil=True, cache=True)
def _scan(
    offsets: np.ndarray,
    data: np.ndarray,
    literals: np.ndarray,
    starts: np.ndarray,
    heads: np.ndarray,
    following: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row, first byte, byte after the last) of every window, in order; windows that touch are one."""
    rows = np.empty(64, dtype=np.int64)
    begins = np.empty(64, dtype=np.int64)
    ends = np.empty(64, dtype=np.int64)
    count = 0
    for row in range(len(offsets) - 1):
        begin, end = int(offsets[row]), int(offsets[row + 1])
        line, newline, pem_end = begin, -1, -1  # the latter two are found once, then passed
        for at in range(begin, end):
            byte = data[at]
            if byte == 10:
                line = at + 1
                continue
            hit, number = False, -1
            if byte == 64:
                hit = _email(data, begin, end, at)
            elif byte == 46:
                hit = _ipv4(data, begin, end, at)
            elif byte == 58:
                hit = _ipv6(data, begin, end, at) or _credentials(data, end, at)
            if not hit and at + 1 < end:
                number = int(_anchor(data, end, at, literals, starts, heads, following))
                hit = number >= 0
                if number == PEM:
                    if pem_end < at:
                        pem_end = _find_pem_end(data, at, end)
                    hit = pem_end < end and pem_end - at <= PEM_REACH
            if not hit:
                continue
            if newline < at:
                newline = _find_newline(data, at, end)
            first = max(line, at - BACK)
            last = min(end, pem_end + PEM_TAIL) if number == PEM else min(newline, at + AHEAD)
            while first > begin and data[first] & 0xC0 == 0x80:  # not inside a character
                first -= 1
            while last < end and data[last] & 0xC0 == 0x80:
                last += 1
            if count and rows[count - 1] == row and first <= ends[count - 1]:
                ends[count - 1] = max(ends[count - 1], last)
                continue
            if count == len(rows):
                rows = np.concatenate((rows, np.empty(count, dtype=np.int64)))
                begins = np.concatenate((begins, np.empty(count, dtype=np.int64)))
                ends = np.concatenate((ends, np.empty(count, dtype=np.int64)))
            rows[count], begins[count], ends[count] = row, first, last
            count += 1
    return rows[:count], begins[:count], ends[:count]


@numba.njit(nogil=True, cache=True)
def _join(
    offsets: np.ndarray,
    data: np.ndarray,
    rows: np.ndarray,
    begins: np.ndarray,
    ends: np.ndarray,
    separator: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The windows' bytes with a separator after each; each one's first code point in the result and in its text."""
    count, gap = len(rows), len(separator)
    size = gap * count
    for window in range(count):
        size += ends[window] - begins[window]
    joined = np.empty(size, dtype=np.uint8)
    starts = np.empty(count, dtype=np.int64)
    origins = np.empty(count, dtype=np.int64)
    written, points = 0, 0  # bytes and code points of the result so far
    row, read, passed = -1, 0, 0  # the text that is read, up to which byte, code point
    for window in range(count):
        if rows[window] != row:
            row, passed = rows[window], 0
            read = int(offsets[row])
        while read < begins[window]:
            passed += data[read] & 0xC0 != 0x80
            read += 1
        starts[window], origins[window] = points, passed
        while read < ends[window]:
            lead = data[read] & 0xC0 != 0x80
            passed += lead
            points += lead
            joined[written] = data[read]
            written += 1
            read += 1
        for byte in separator:
            joined[written] = byte
            written += 1
        points += gap
    return joined, starts, origins
