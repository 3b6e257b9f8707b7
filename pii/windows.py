"""Finds the few places of a column of texts where personal information can stand, so that recognizers read only those.

One numba pass over the Arrow bytes looks for triggers: an `@` between an address's characters or before a handle, four
dotted numbers, an IPv6 address, a user in a URL, a PEM block, and the literals that the recognizers name. A window is
the trigger's line, at most BACK bytes back and AHEAD on; a PEM block's reaches to its END line. Where a word ends its
line, what it names stands in the next one, which is then in the window, and all lines of a table of Markdown are; of a
block's literal the window reaches over lines. Every match of a recognizer holds a trigger and, with the context it
looks at, is shorter than these reaches, so the windows lose none.
The windows of a whole shard are joined into one text with SEPARATOR between, which no recognizer matches across.

Literals are looked up by the two bytes that stand at a position: whatever their number, most positions cost one load.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import NamedTuple, Protocol

import numba
import numpy as np
import pyarrow as pa

BACK = 512
AHEAD = 5120
PEM_REACH = 32768  # bytes from BEGIN to END
PEM_BEGIN, PEM_END = b"-----BEGIN ", b"-----END "
PEM_TAIL = 64  # bytes from -----END to the end of that line, at most
SEPARATOR = "\n\x00\n"

# Kinds of triggers: as written; in any case; in any case and given a value; PEM; as written, for more than a line; in
# any case, for more than a line, where a password is named soon after.
LITERAL, WORD, ASSIGNED, PEM, BLOCK, STATEMENT = range(6)
NAMED_SOON = 400  # bytes


class Named(Protocol):
    """What has literals to look for: a recognizer (pii/recognizers/base.py says what they are)."""

    anchors: tuple[str, ...]
    words: tuple[str, ...]
    assigned: tuple[str, ...]
    blocks: tuple[str, ...]
    statements: tuple[str, ...]


class Triggers(NamedTuple):
    """Literals, looked up by their first two bytes. `data[starts[k]:starts[k + 1]]` is literal k."""

    data: np.ndarray  # uint8; of words the first two bytes in one of their cases, the others in lower case
    starts: np.ndarray  # int64[n + 1]
    kinds: np.ndarray  # uint8[n]
    heads: np.ndarray  # int16[65536]: the first literal that starts with these two bytes, or -1
    following: np.ndarray  # int16[n]: the next one with the same two bytes, or -1


class Windows(NamedTuple):
    """The joined text of a column's windows; arrays hold one entry a window, in column order."""

    text: str
    rows: np.ndarray  # int64: the row it is from
    starts: np.ndarray  # int64: its first code point in `text`
    origins: np.ndarray  # int64: its first code point in the row's text


def triggers(recognizers: Iterable[Named]) -> Triggers:
    """The table of what `recognizers` name."""
    listed = {(PEM_BEGIN, PEM)}
    for recognizer in recognizers:
        listed |= {(anchor.encode("ascii"), LITERAL) for anchor in recognizer.anchors}
        listed |= {(block.encode("ascii"), BLOCK) for block in recognizer.blocks}
        for words, kind in (
            (recognizer.words, WORD),
            (recognizer.assigned, ASSIGNED),
            (recognizer.statements, STATEMENT),
        ):
            listed |= {(spelling, kind) for word in words for spelling in _spellings(word)}
    listed.discard((PEM_BEGIN, LITERAL))
    ordered = sorted(listed)
    heads = np.full(1 << 16, -1, dtype=np.int16)
    following = np.full(len(ordered), -1, dtype=np.int16)
    for number, (literal, _) in enumerate(ordered):
        head = literal[0] << 8 | literal[1]
        following[number], heads[head] = heads[head], number
    starts = np.cumsum([0, *(len(literal) for literal, _ in ordered)], dtype=np.int64)
    data = np.frombuffer(b"".join(literal for literal, _ in ordered), dtype=np.uint8)
    return Triggers(data, starts, np.array([kind for _, kind in ordered], dtype=np.uint8), heads, following)


def _spellings(word: str) -> set[bytes]:
    """A lower-case word with its first two letters in every case."""
    pairs = product(*({letter.lower(), letter.upper()} for letter in word[:2]))
    return {("".join(pair) + word[2:]).encode("ascii") for pair in pairs}


def find(column: pa.StringArray, table: Triggers) -> Windows:
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
def _is_name(byte: int) -> bool:
    """What regular expressions call \\w in ASCII."""
    return 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122 or byte == 95


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
def _mention(data: np.ndarray, begin: int, end: int, at: int) -> bool:
    """The `@` of a handle that something stands before: not a decorator or a tag, which start their line.

    The walks end at the next `@` at the latest, so that all together stay linear.
    """
    if at == begin or at + 2 >= end or not _is_word(data[at + 1]):
        return False
    before = data[at - 1]
    if _is_word(before) or before in (36, 38, 45, 46, 61, 64, 92, 95):  # $ & - . = @ \\ _
        return False
    after = at + 1
    while after < end and (_is_word(data[after]) or data[after] == 45 or data[after] == 95):
        after += 1
    if after < end and data[after] in (40, 61, 123):  # ( = {
        return False
    lead = at - 1
    while lead >= begin and data[lead] in (32, 9, 34, 39, 40, 91, 96):  # space, quotes, ( [ `
        lead -= 1
    if lead < begin or data[lead] in (10, 33, 60, 61, 63, 64, 123):  # newline ! < = ? @ {
        return False
    shouted = lead > begin and 65 <= data[lead] <= 90 and 65 <= data[lead - 1] <= 90  # DECLARE @name
    return not shouted or before not in (32, 40)


@numba.njit(nogil=True, cache=True)
def _ipv6(data: np.ndarray, begin: int, end: int, colon: int) -> bool:
    """The first colon of hexadecimal groups that have `::` or are eight, and a digit among them."""
    first = colon
    digit = False
    while first > begin and colon - first < 5 and _is_hex(data[first - 1]):
        first -= 1
        digit = digit or _is_digit(data[first])
    if colon - first > 4 or (first > begin and (_is_name(data[first - 1]) or data[first - 1] in (46, 58))):
        return False
    colons, doubled, at = 0, False, colon
    while at < end and data[at] == 58 and colons < 8:
        doubled = doubled or (data[at - 1] == 58 and at > colon)
        colons += 1
        at += 1
        group = at
        while at < end and at - group < 5 and _is_hex(data[at]):
            digit = digit or _is_digit(data[at])
            at += 1
    return digit and (doubled or colons >= 7)


@numba.njit(nogil=True, cache=True)
def _credentials(data: np.ndarray, end: int, colon: int) -> bool:
    """The colon of ://user@ ; the walk stops at the next slash, so that all walks together stay linear."""
    if colon + 2 >= end or data[colon + 1] != 47 or data[colon + 2] != 47:
        return False
    at = colon + 3
    while at < end:
        byte = data[at]
        if byte <= 32 or byte in (34, 39, 47, 60, 62):  # space, quotes, slash, angle brackets
            return False
        if byte == 64:
            return at > colon + 3
        at += 1
    return False


@numba.njit(nogil=True, cache=True)
def _goes_on(data: np.ndarray, end: int, at: int) -> bool:
    """Whether nothing but the rest of the name, its tag's end and signs stand between `at` and the line's end."""
    last = min(end, at + 64)
    while at < last and (_is_name(data[at]) or data[at] in (45, 46)):
        at += 1
    while at < last and data[at] in (9, 32, 34, 39, 40, 41, 42, 44, 45, 58, 61, 62, 92, 93, 96, 124):
        at += 1
    if at + 1 < last and data[at] == 60 and data[at + 1] == 47:  # </
        while at < last and data[at] != 62:
            at += 1
        at += 1
    while at < last and data[at] in (9, 13, 32):
        at += 1
    return at < end and data[at] == 10


@numba.njit(nogil=True, cache=True)
def _value_comes(data: np.ndarray, end: int, at: int) -> bool:
    """Whether the next line starts with value: or a tag."""
    at = _find_newline(data, at, end) + 1
    last = min(end, at + 64)
    while at < last and data[at] in (9, 32):
        at += 1
    return at + 1 < end and (data[at] == 60 or (data[at] == 118 and data[at + 1] == 97))  # < va


@numba.njit(nogil=True, cache=True)
def _names_password(data: np.ndarray, begin: int, end: int) -> bool:
    """Whether pass or pwd stands between, in any case."""
    for at in range(begin, end - 3):
        if data[at] | 32 == 112:
            second, third = data[at + 1] | 32, data[at + 2] | 32
            if (second == 97 and third == 115 and data[at + 3] | 32 == 115) or (second == 119 and third == 100):
                return True
    return False


@numba.njit(nogil=True, cache=True)
def _find_table_end(data: np.ndarray, line: int, newline: int, end: int) -> int:
    """The end of the last line of the table that has a line from `line` to `newline`; that line's where none is."""
    at = newline
    while True:
        first = line
        while first < at and data[first] in (9, 32):
            first += 1
        if first >= end or data[first] != 124:
            return newline
        newline, line = at, at + 1
        if at >= end:
            return newline
        at = _find_newline(data, line, end)


@numba.njit(nogil=True, cache=True)
def _is_assigned(data: np.ndarray, end: int, at: int) -> bool:
    """Whether a value may follow the word that ends at `at`: the rest of its name, then = : => , ( or >, no newline."""
    last = min(end, at + 24)
    while at < last and (_is_name(data[at]) or data[at] == 45):
        at += 1
    last = min(end, at + 12)
    while at < last and data[at] in (9, 32, 34, 39, 41, 92, 93, 96):  # white space, quotes, \\, closing brackets
        at += 1
    if at >= end:
        return False
    if data[at] in (10, 13, 60):
        return _goes_on(data, end, at) and _value_comes(data, end, at)
    if data[at] not in (40, 44, 58, 61, 62):  # ( , : = >
        return data[at] == 118 and at + 5 < end and data[at + 1] == 97 and data[at + 2] == 108  # value="..."
    last = min(end, at + 12)
    while at < last and data[at] in (9, 32, 40, 44, 58, 61, 62):
        at += 1
    return at < end and data[at] != 10 and data[at] != 13


@numba.njit(nogil=True, cache=True)
def _literal(
    data: np.ndarray,
    end: int,
    at: int,
    literals: np.ndarray,
    starts: np.ndarray,
    kinds: np.ndarray,
    following: np.ndarray,
    number: int,
) -> int:
    """The kind of the literal that stands at `at`, of those from `number` on; -1 where none does."""
    while number >= 0:
        first, length, kind = starts[number], starts[number + 1] - starts[number], kinds[number]
        if at + length <= end:
            fold = kind in (WORD, ASSIGNED, STATEMENT)
            same = 2
            while same < length:
                byte = data[at + same]
                if fold and 65 <= byte <= 90:
                    byte += 32
                if byte != literals[first + same]:
                    break
                same += 1
            if same == length and (kind != ASSIGNED or _is_assigned(data, end, at + length)):
                return int(kind)
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
    kinds: np.ndarray,
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
        line, newline, pem_end, table_end = begin, -1, -1, -1  # the latter three are found once, then passed
        for at in range(begin, end):
            byte = data[at]
            if byte == 10:
                line = at + 1
                continue
            hit, kind = False, -1
            if byte == 64:
                hit = _email(data, begin, end, at) or _mention(data, begin, end, at)
            elif byte == 46:
                hit = _ipv4(data, begin, end, at)
            elif byte == 58:
                hit = _ipv6(data, begin, end, at) or _credentials(data, end, at)
            if not hit and at + 1 < end:
                number = heads[np.int64(byte) << 8 | data[at + 1]]
                if number < 0:  # looked up here, as a call for every byte would cost more than all else
                    continue
                kind = _literal(data, end, at, literals, starts, kinds, following, number)
                hit = kind >= 0
                if kind == PEM:
                    if pem_end < at:
                        pem_end = _find_pem_end(data, at, end)
                    hit = pem_end < end and pem_end - at <= PEM_REACH
            if not hit:
                continue
            if newline < at:
                newline = _find_newline(data, at, end)
            first = max(line, at - BACK)
            last = min(newline, at + AHEAD)
            if kind == PEM:
                last = min(end, pem_end + PEM_TAIL)
            elif kind == BLOCK or (kind == STATEMENT and _names_password(data, at, min(end, at + NAMED_SOON))):
                first, last = max(begin, at - BACK), min(end, at + AHEAD)
            elif kind in (WORD, ASSIGNED):
                if table_end < at and kind == WORD:
                    table_end = _find_table_end(data, line, newline, end)
                if kind == WORD and table_end > newline:
                    last = min(table_end, at + AHEAD)
                elif newline < end and newline - at < 64 and _goes_on(data, end, at):
                    last = min(_find_newline(data, newline + 1, end), at + AHEAD)
            while first > begin and data[first] & 0xC0 == 0x80:  # not inside a character
                first -= 1
            while last < end and data[last] & 0xC0 == 0x80:
                last += 1
            while count and rows[count - 1] == row and first <= ends[count - 1]:
                count -= 1
                first, last = min(first, begins[count]), max(last, ends[count])
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
