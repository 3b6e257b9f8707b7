"""What the candidate scan looks at around a word or an @: numba functions over the bytes of a text.

Each looks at a bounded number of bytes, or only at bytes up to the next word, so that the scan is linear.
"""

from __future__ import annotations

import numba
import numpy as np

from pii.ner.gazetteer import BASIS, ORDINARY, PRIME

LOWER, UPPER, DIGIT, UNDERSCORE, HIGH = 1, 2, 4, 8, 16  # kinds of bytes that words are made of
TITLE, CAPITALS, INITIAL, SMALL, MIXED = 1, 2, 3, 4, 5  # shapes of words
_LONGEST_HANDLE = 39


def _byte_kinds() -> np.ndarray:
    """Kinds by byte; 0 is no part of a word. E2, C2 and EF begin the quotes, dashes and signs that are not ASCII."""
    kinds = np.zeros(256, dtype=np.uint8)
    kinds[97:123], kinds[65:91], kinds[48:58], kinds[95], kinds[128:] = LOWER, UPPER, DIGIT, UNDERSCORE, HIGH
    kinds[[0xC2, 0xE2, 0xEF]] = 0
    return kinds


KINDS = _byte_kinds()
FOLDED = np.array([byte | 32 if 65 <= byte <= 90 else byte for byte in range(256)], dtype=np.uint8)


@numba.njit(nogil=True, cache=True)
def look_up(keys: np.ndarray, values: np.ndarray, key: np.uint32) -> int:
    """The value of a hash in an open addressing table; 0 where it has none."""
    mask = len(keys) - 1
    slot = np.int64(key) & mask
    while values[slot]:
        if keys[slot] == key:
            return int(values[slot])
        slot = (slot + 1) & mask
    return 0


@numba.njit(nogil=True, cache=True)
def shape_of(first: int, seen: int, uppers: int, length: int) -> int:
    """Jane, McDoe, Jürgen: TITLE; JANE: CAPITALS; J: INITIAL; jane: SMALL; jane2, jDoe, jane_doe: MIXED."""
    if seen & (DIGIT | UNDERSCORE):
        return MIXED
    if first == HIGH:
        return TITLE
    if uppers == 0:
        return SMALL
    if uppers == length:
        return INITIAL if length == 1 else CAPITALS
    return TITLE if first == UPPER and (uppers == 1 or (uppers == 2 and length > 4)) else MIXED


@numba.njit(nogil=True, cache=True)
def in_identifier(data: np.ndarray, begin: int, end: int, start: int, stop: int) -> bool:
    """Whether the word is part of a path, a call, an attribute, a namespace or a link."""
    if start > begin:
        before = data[start - 1]
        if before in (35, 36, 47, 92, 64, 38, 43):  # # $ / \ @ & +
            return True
        if start - 2 >= begin and before == 46 and KINDS[data[start - 2]] != UPPER:  # .Word, but not J.Doe
            return True
        if start - 2 >= begin and before == 58 and data[start - 2] == 58:
            return True
    if stop >= end:
        return False
    after = data[stop]
    if after in (40, 61, 91, 47, 36, 64):  # ( = [ / $ @
        return True
    following = data[stop + 1] if stop + 1 < end else np.uint8(10)
    return (after == 46 and KINDS[following] != 0) or (after == 58 and following == 58)


@numba.njit(nogil=True, cache=True)
def adjoins(data: np.ndarray, last: int, start: int) -> bool:
    """Whether two words stand together as those of a name do: up to five blanks, quotes, commas and the like."""
    if not 0 < start - last <= 5:
        return False
    for at in range(last, start):
        if data[at] not in (32, 34, 39, 44, 45, 46, 9, 59, 40, 96, 95, 42, 0xE2, 0x80, 0x99, 0x9C, 0x9D):
            return False
    return True


@numba.njit(nogil=True, cache=True)
def skip_blanks(data: np.ndarray, at: int, end: int) -> int:
    while at < end and (data[at] == 32 or data[at] == 9):
        at += 1
    return at


@numba.njit(nogil=True, cache=True)
def value_of(data: np.ndarray, begin: int, start: int, stop: int, end: int) -> tuple[int, bool]:
    """Where the value begins that is given to the key [start, stop), and whether it is quoted; -1 for none.

    key: value, "key": "value", key = 'value', 'key' => 'value', <key>value, @key value, \\key{value}
    """
    at = stop
    marked = start > begin and data[start - 1] in (64, 92, 58)  # @ \ :
    if start > begin and data[start - 1] == 60 and at < end and data[at] == 62:
        return (at + 1, True) if at + 1 < end and KINDS[data[at + 1]] != 0 else (-1, False)
    if at < end and data[at] in (34, 39, 93, 125):  # the key's own quote or bracket
        at += 1
    at = skip_blanks(data, at, end)
    signs = 0
    while at < end and data[at] in (58, 61, 62, 44) and signs < 3:  # : = > ,
        signs += 1
        at += 1
    at = skip_blanks(data, at, end)
    quotes = 0
    while at < end and data[at] in (34, 39, 91, 123, 40) and quotes < 3:
        quotes += 1
        at += 1
    if at >= end or KINDS[data[at]] == 0 or (signs == 0 and quotes == 0 and not marked):
        return -1, False
    return at, quotes > 0


@numba.njit(nogil=True, cache=True)
def word_bits(data: np.ndarray, at: int, end: int, keys: np.ndarray, values: np.ndarray) -> tuple[int, int, int]:
    """Of the word at `at`: its end, all its kinds of bytes, and its bits in the gazetteer."""
    first = at
    value = np.uint32(BASIS)
    seen = 0
    while at < end and at - first < 64 and KINDS[data[at]] != 0:
        seen |= KINDS[data[at]]
        value = np.uint32((value ^ np.uint32(FOLDED[data[at]])) * np.uint32(PRIME))
        at += 1
    return at, seen, look_up(keys, values, value)


@numba.njit(nogil=True, cache=True)
def in_cell(data: np.ndarray, begin: int, start: int) -> bool:
    """Whether a word begins a cell: behind , ; | or a tab, a quote, a bracket, or the line's end."""
    at = start - 1
    if at >= begin and data[at] == 32:
        at -= 1
    return at < begin or data[at] in (10, 44, 59, 9, 124, 34, 39, 40)


@numba.njit(nogil=True, cache=True)
def is_heading(data: np.ndarray, begin: int, end: int, start: int, stop: int) -> bool:
    """Whether a word is the head of a column: a whole cell, and another one beside it on its line."""
    first, last = start - 1, stop
    while first >= begin and data[first] in (32, 34, 39, 96, 40):
        first -= 1
    while last < end and data[last] in (32, 34, 39, 96):
        last += 1
    opens, closes = last < end and data[last] in (44, 59, 9, 124), first >= begin and data[first] in (44, 59, 9, 124)
    if opens:
        last = skip_blanks(data, last + 1, end)
        opens = last < end and data[last] not in (10, 13)
    at_end = last >= end or data[last] in (10, 13, 41)
    return (opens and (closes or first < begin or data[first] == 10)) or (closes and at_end)


@numba.njit(nogil=True, cache=True)
def is_account(data: np.ndarray, at: int, end: int, quoted: bool, keys: np.ndarray, values: np.ndarray) -> bool:
    """Whether the value at `at` can be an account: one word, no ordinary one, up to its quote or line end."""
    stop, _, bits = word_bits(data, at, end, keys, values)
    while stop < end and (KINDS[data[stop]] != 0 or data[stop] in (45, 46)) and stop - at <= _LONGEST_HANDLE:
        stop += 1
        bits = 0
    if stop - at < 3 or bits & ORDINARY or KINDS[data[at]] == DIGIT:
        return False
    after = data[stop] if stop < end else np.uint8(10)
    if quoted:
        return after in (34, 39)
    return after in (10, 13, 59, 38) or (after == 32 and data[at - 1] == 61)


@numba.njit(nogil=True, cache=True)
def handle_end(data: np.ndarray, at: int, end: int) -> int:
    """Where the handle ends that begins at `at`."""
    first = at
    while (
        at < end
        and at - first <= _LONGEST_HANDLE
        and (KINDS[data[at]] & (LOWER | UPPER | DIGIT) or data[at] in (45, 95))
    ):
        at += 1
    return at


@numba.njit(nogil=True, cache=True)
def is_mention(data: np.ndarray, line: int, lead: int, word: int, end: int, at: int, cued: bool) -> bool:
    """@jdoe, where prose or a list mentions somebody: no decorator, at-rule, tag of documentation, scope or variable.

    `lead` is the line's first byte that is not blank, `word` the first of its first word.
    """
    stop = handle_end(data, at + 1, end)
    if not 3 <= stop - at <= _LONGEST_HANDLE + 1 or KINDS[data[at + 1]] & DIGIT:
        return False
    after = data[stop] if stop < end else np.uint8(10)
    following = data[stop + 1] if stop + 1 < end else np.uint8(10)
    if after in (47, 40, 61, 91, 123, 64, 58) or (after == 46 and KINDS[following] != 0):  # / ( = [ { @ :
        return False
    before = data[at - 1] if at > line else np.uint8(10)
    if cued or before == 91:  # thanks @jdoe, [@jdoe]
        return True
    if before == 47:  # medium.com/@jdoe
        return at - 2 > line and KINDS[data[at - 2]] == LOWER
    if before == 40:  # prose (@jdoe)
        return after in (41, 44) and at - 2 >= line and data[at - 2] == 32 and following in (10, 13, 44, 46, 32)
    listed = data[lead] in (35, 47, 42, 45, 59, 37) or (data[lead] == 60 and data[lead + 1] == 33)  # # / * - ; % <!
    listed = listed or (data[lead] == 46 and (after in (10, 13) or following == 64))  # .github/ @jdoe @jroe
    return before in (32, 44, 96) and listed and word < at


@numba.njit(nogil=True, cache=True)
def is_address(data: np.ndarray, begin: int, end: int, at: int) -> bool:
    """The @ of jane@host.org, jane@10.0.0.1 and jane@host:~"""
    if (
        at - 2 < begin
        or at + 2 >= end
        or KINDS[data[at - 1]] == 0
        or KINDS[data[at + 1]] & (LOWER | UPPER | DIGIT) == 0
    ):
        return False
    stop, dots, others = at + 1, 0, 0
    while stop < end and stop - at < 80 and (KINDS[data[stop]] & (LOWER | UPPER | DIGIT) or data[stop] in (45, 46)):
        dots += data[stop] == 46
        others += data[stop] != 46 and KINDS[data[stop]] != DIGIT
        stop += 1
    if KINDS[data[at + 1]] == DIGIT:  # package@1.2 is none
        return dots == 3 and others == 0
    if dots:
        return data[stop - 1] != 46 or dots > 1
    return stop + 1 < end and data[stop] == 58 and data[stop + 1] in (126, 47)


@numba.njit(nogil=True, cache=True)
def is_profile(data: np.ndarray, stop: int, end: int) -> int:
    """The end of the account in twitter.com/jdoe, the site's word ending at `stop`; -1 where a link goes further."""
    if stop >= end or data[stop] != 46:
        return -1
    at = stop + 1
    while at < end and at - stop < 6 and KINDS[data[at]] == LOWER:
        at += 1
    if at >= end or data[at] != 47 or at - stop < 3:
        return -1
    first = at + 1
    after = handle_end(data, first, end)
    if not 3 <= after - first <= _LONGEST_HANDLE or (after < end and data[after] in (47, 46, 63, 123, 36, 37)):
        return -1
    return after


@numba.njit(nogil=True, cache=True)
def is_home(data: np.ndarray, begin: int, end: int, start: int, stop: int) -> bool:
    """/home/jdoe or C:\\Users\\jdoe, also with doubled backslashes."""
    if start == begin or data[start - 1] not in (47, 92) or stop + 2 >= end or data[stop] not in (47, 92):
        return False
    return KINDS[data[stop + 1]] & (LOWER | UPPER) != 0 or (data[stop + 1] == 92 and KINDS[data[stop + 2]] != 0)


@numba.njit(nogil=True, cache=True)
def is_note(data: np.ndarray, stop: int, end: int) -> bool:
    """TODO(jdoe): what is in the brackets is one word."""
    at = skip_blanks(data, stop, end)
    if at + 3 >= end or data[at] != 40 or KINDS[data[at + 1]] & (LOWER | UPPER) == 0:
        return False
    after = at + 1
    while after < end and after - at <= _LONGEST_HANDLE and (KINDS[data[after]] != 0 or data[after] in (45, 46)):
        after += 1
    return after < end and data[after] in (41, 44, 58, 64, 47, 32)
