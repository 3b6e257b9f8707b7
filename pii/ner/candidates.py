"""Finds the windows of a column of texts that the NER model reads: the lines that may name a person or an account.

One numba pass over the Arrow bytes looks at words: cue words with a name near them (`Copyright (c) 2010 Jane Doe`, `by
Jane`, `TODO(jdoe)`), a listed given or family name beside another capitalised word or an initial, addresses, mentions,
home directories, profiles and the accounts of credentials. A word that is part of an identifier, path or call is none
of these. A window is the trigger's line, at most BACK bytes back and AHEAD on, from the cue where that stands on the
line before. docs/decisions/ner-corpus.md has the share of code it yields and the names it misses.
"""

from __future__ import annotations

import numba
import numpy as np
import pyarrow as pa

from pii.ner import cues, gazetteer
from pii.ner.cues import (
    ACCOUNT,
    AFTER,
    BY,
    CREDIT,
    FIELD,
    KEYWORD,
    LABEL,
    MENTION,
    NAMED,
    NOTE,
    PARTICLE,
    PATH,
    REVISION,
    SITE,
)
from pii.ner.gazetteer import BASIS, FAMILY, GIVEN, ORDINARY, PRIME
from pii.ner.triggers import (
    CAPITALS,
    DIGIT,
    FOLDED,
    HIGH,
    INITIAL,
    KINDS,
    LOWER,
    MIXED,
    SMALL,
    TITLE,
    UPPER,
    adjoins,
    in_identifier,
    is_account,
    is_address,
    is_home,
    is_mention,
    is_note,
    is_profile,
    look_up,
    shape_of,
    value_of,
    word_bits,
)
from pii.windows import SEPARATOR, Windows, _join

BACK = 160  # bytes before a trigger
AHEAD = 200  # bytes after it
REACH = 90  # bytes from a CREDIT cue to a name
_LISTED = GIVEN | FAMILY
# The scan's state, one number each: where the line and its first token and word begin; the last word that can be part
# of a name, and its shape; the last cue; for how many lines two unlisted capitalised words are a name, and for how many
# a list item is an account; whether the line before ended with a given name.
_LINE, _LEAD, _WORD, _START, _STOP, _BITS, _SHAPE, _CUE, _CUE_STOP, _CUE_LINE, _PEOPLE, _ITEMS, _WRAPPED, _STATES = (
    range(14)
)


def find(column: pa.StringArray) -> Windows:
    """The windows of every text in `column` (nulls have none), each cut between characters, none touching another."""
    offsets = np.frombuffer(column.buffers()[1], dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    buffer = column.buffers()[2]
    data = np.frombuffer(buffer, dtype=np.uint8) if buffer is not None else np.zeros(0, dtype=np.uint8)
    rows, begins, ends = _scan(offsets, data, *cues.table(), *gazetteer.table())
    joined, starts, origins = _join(offsets, data, rows, begins, ends, np.frombuffer(SEPARATOR.encode(), np.uint8))
    return Windows(joined.tobytes().decode(), rows, starts, origins)


@numba.njit(nogil=True, cache=True)
def _set_cue(state: np.ndarray, cue: int, stop: int) -> None:
    state[_CUE], state[_CUE_STOP], state[_CUE_LINE] = cue, stop, state[_LINE]


@numba.njit(nogil=True, cache=True)
def _at_cue(
    data: np.ndarray,
    begin: int,
    end: int,
    start: int,
    stop: int,
    cue: int,
    shape: int,
    state: np.ndarray,
    keys: np.ndarray,
    values: np.ndarray,
) -> int:
    """Notes a cue word; where it is a trigger by itself, the byte that its window must reach, or -1."""
    if cue == PATH:
        return stop if is_home(data, begin, end, start, stop) else -1
    if cue == SITE:
        return is_profile(data, stop, end)
    if cue == NOTE:
        _set_cue(state, cue, stop)
        return stop if shape == CAPITALS and is_note(data, stop, end) else -1
    if cue == KEYWORD:  # IDENTIFIED BY, sudo:
        return stop if shape == CAPITALS or (stop < end and data[stop] in (58, 91, 45)) else -1
    if cue == REVISION:
        return stop if start > begin and data[start - 1] == 36 and stop < end and data[stop] == 58 else -1
    if cue == ACCOUNT and shape == CAPITALS and data[stop] == 32 and start >= begin + 7:  # CREATE USER jdoe
        return stop if data[start - 2] in (69, 82) and data[start - 3] in (84, 69) else -1
    if cue in (ACCOUNT, NAMED, FIELD):
        at, quoted = value_of(data, begin, start, stop, end)
        if cue == ACCOUNT and at >= 0 and is_account(data, at, end, quoted, keys, values):
            return stop
        if cue == NAMED and at >= 0:
            bits = word_bits(data, at, end, keys, values)[2]
            named = bits & _LISTED != 0 if quoted else bits & GIVEN != 0
            return stop if named and not bits & ORDINARY else -1
        if cue == FIELD:
            _set_cue(state, cue, stop)
            if start > begin and data[start - 1] == 36 and stop < end and data[stop] == 58:  # $Author: jdoe $
                return stop
            if stop < end and data[stop] == 58 and (stop + 1 == end or data[stop + 1] in (10, 13)):
                state[_ITEMS] = 12
            if at >= 0:
                after, seen, bits = word_bits(data, at, end, keys, values)
                code = after < end and data[after] in (40, 46, 91, 61, 36)  # a call, an attribute
                if not code and not bits & ORDINARY and after - at > 2 and seen & (LOWER | HIGH):
                    return after
        return -1
    if cue == AFTER:
        near = adjoins(data, state[_STOP], start) and state[_BITS] & ORDINARY == 0 and state[_SHAPE] == TITLE
        return stop if near else -1
    if cue == LABEL:
        if stop < end and data[stop] == 58 and shape != MIXED:
            _set_cue(state, CREDIT, stop)
            return -1
        cue = MENTION
        if start > begin and data[stop - 1] == 109 and stop - start == 4:  # from
            cue = BY
    if cue == CREDIT or state[_CUE] not in (CREDIT, FIELD) or stop - state[_CUE_STOP] > REACH:
        _set_cue(state, cue, stop)
    return -1


@numba.njit(nogil=True, cache=True)
def _at_name(
    data: np.ndarray, begin: int, end: int, start: int, stop: int, shape: int, bits: int, state: np.ndarray
) -> tuple[int, int]:
    """The bytes that the window of a word must reach, if the word and what stands before it may be a name; or -1, -1."""
    listed, ordinary = bits & _LISTED, bits & ORDINARY != 0
    cue, distance = state[_CUE], start - state[_CUE_STOP]
    near = (cue in (CREDIT, FIELD) and distance <= REACH) or (cue == BY and distance <= 3)
    if cue == NOTE and distance <= 3:
        near = listed != 0 and not ordinary
    if near and shape != INITIAL and stop - start > 2:
        if (shape == TITLE and (not ordinary or bits & GIVEN)) or (listed and not ordinary and stop - start > 3):
            if cue in (CREDIT, FIELD):
                state[_PEOPLE] = 3
            elsewhere = state[_CUE_LINE] != state[_LINE]
            return (max(state[_CUE_LINE], state[_CUE_STOP] - 40) if elsewhere else start), stop
    if state[_PEOPLE] and state[_WORD] == start and shape == TITLE and data[start] >= 0xCE:
        return start, stop  # another script's name in a list of names
    if state[_WRAPPED] and state[_WORD] == start and shape == TITLE and not ordinary:
        return max(begin, state[_START] - 40), stop
    if (
        shape == TITLE
        and listed
        and not ordinary
        and start >= begin + 3
        and data[start - 2] == 45
        and data[start - 3] == 45
    ):
        return start, stop  # -- Jane
    certain = state[_BITS] & _LISTED and state[_BITS] & ORDINARY == 0
    if not adjoins(data, state[_STOP], start):
        return -1, -1
    if shape == INITIAL:  # Jane D.
        dotted = certain and state[_BITS] & GIVEN and stop < end and data[stop] in (46, 41)
        return (state[_START], stop) if dotted else (-1, -1)
    before = state[_BITS]
    if state[_SHAPE] == INITIAL:
        if data[state[_STOP]] == 46 and stop - start > 2 and shape == TITLE and (not ordinary or bits & FAMILY):
            return state[_START], stop
        return -1, -1
    if shape == CAPITALS or state[_SHAPE] == CAPITALS:
        hit = certain and listed and not ordinary and (before | bits) & GIVEN
        hit = hit or (shape == TITLE and bits & GIVEN and not ordinary and data[state[_STOP]] == 44)  # DOE, Jane
        hit = hit or (
            shape == CAPITALS and certain and before & GIVEN and not ordinary and stop - start > 3
        )  # Jane DOE
    elif before & GIVEN and certain:
        hit = not ordinary or bits & FAMILY
    elif bits & FAMILY and not ordinary:
        hit = before == 0 or before & GIVEN
    elif bits & GIVEN and not ordinary:
        hit = before & FAMILY
    else:
        hit = state[_PEOPLE] and not ordinary and before & ORDINARY == 0
    if not hit:
        return -1, -1
    state[_PEOPLE] = max(state[_PEOPLE], 2)
    return state[_START], stop


@numba.njit(nogil=True, cache=True)
def _is_by(
    data: np.ndarray,
    begin: int,
    end: int,
    start: int,
    stop: int,
    value: np.uint32,
    keys: np.ndarray,
    values: np.ndarray,
) -> bool:
    """The account in `created by jdoe on`: no ordinary word, no identifier."""
    if (
        start - 3 < begin
        or data[start - 2] | 32 != 121
        or data[start - 3] | 32 != 98
        or look_up(keys, values, value) & ORDINARY
    ):
        return False
    after = data[stop] if stop < end else np.uint8(10)
    following = data[stop + 1] if stop + 1 < end else np.uint8(10)
    if after in (40, 61, 91, 47, 36, 64, 58) or (after == 46 and KINDS[following] & UPPER):
        return False
    for at in range(start, stop):
        if data[at] == 95:
            return False
    return True


@numba.njit(nogil=True, cache=True)
def _new_line(data: np.ndarray, at: int, end: int, state: np.ndarray, keys: np.ndarray, values: np.ndarray) -> int:
    """Moves the state to the line that begins at `at`; where its only word is a listed account, its end, or else -1."""
    last = at - 2 if at - 2 >= state[_LINE] and data[at - 2] != 13 else at - 3
    if state[_CUE] in (CREDIT, FIELD) and last > state[_CUE_STOP] and data[last] == 44:  # a list goes on
        state[_CUE_STOP], state[_CUE_LINE] = at, at
    elif state[_CUE] not in (CREDIT, FIELD) or at - state[_CUE_STOP] > 12:
        state[_CUE] = 0
    state[_WRAPPED] = state[_STOP] == last + 1 and state[_BITS] & (GIVEN | ORDINARY) == GIVEN and state[_SHAPE] == TITLE
    state[_LINE], state[_LEAD], state[_WORD] = at, -1, -1
    state[_PEOPLE] = max(0, state[_PEOPLE] - 1)
    if state[_ITEMS] == 0:
        return -1
    state[_ITEMS] -= 1
    while at < end and data[at] in (32, 9, 45, 42, 34, 64):
        at += 1
    stop, seen, bits = word_bits(data, at, end, keys, values)
    if stop == at or KINDS[data[at]] == DIGIT:
        state[_ITEMS] = 0
        return -1
    return stop if bits & ORDINARY == 0 and stop < end and data[stop] in (10, 34, 45) and seen & LOWER else -1


@numba.njit(nogil=True, cache=True)
def _scan(
    offsets: np.ndarray,
    data: np.ndarray,
    cue_keys: np.ndarray,
    cue_kinds: np.ndarray,
    keys: np.ndarray,
    values: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row, first byte, byte after the last) of every window, in order; windows that touch are one."""
    rows = np.empty(64, dtype=np.int64)
    begins = np.empty(64, dtype=np.int64)
    ends = np.empty(64, dtype=np.int64)
    state = np.zeros(_STATES, dtype=np.int64)
    count = 0
    for row in range(len(offsets) - 1):
        begin, end = int(offsets[row]), int(offsets[row + 1])
        state[:] = 0
        state[_LINE], state[_LEAD], state[_WORD] = begin, -1, -1
        state[_STOP], state[_CUE_STOP] = begin - 9, begin - 999
        newline = -1
        at = begin
        while at < end:
            byte = data[at]
            first = KINDS[byte]
            if state[_LEAD] < 0 and byte != 32 and byte != 9:
                state[_LEAD] = at
            hit_from, hit_to = -1, -1
            if first == 0:
                at += 1
                if byte == 10:
                    hit_to = _new_line(data, at, end, state, keys, values)
                    hit_from = at
                elif byte == 64:
                    cued = state[_CUE] in (CREDIT, FIELD, NOTE, BY, MENTION) and state[_CUE_LINE] == state[_LINE]
                    cued = cued and at - state[_CUE_STOP] <= (REACH if state[_CUE] in (CREDIT, FIELD) else 4)
                    word = state[_WORD] if state[_WORD] >= 0 else end
                    if is_address(data, begin, end, at - 1):
                        state[_PEOPLE] = 3
                        hit_from, hit_to = at, at
                    elif is_mention(data, state[_LINE], state[_LEAD], word, end, at - 1, cued):
                        hit_from, hit_to = at, at
                elif byte >= 128:
                    if at < end and byte == 0xC2 and data[at] == 0xA9:  # ©
                        _set_cue(state, CREDIT, at)
                    while at < end and data[at] & 0xC0 == 0x80:
                        at += 1
            else:
                start = at
                value = np.uint32(BASIS)
                seen, uppers = 0, 0
                kind = first
                while kind != 0:
                    seen |= kind
                    uppers += kind == UPPER
                    value = np.uint32((value ^ np.uint32(FOLDED[data[at]])) * np.uint32(PRIME))
                    at += 1
                    kind = KINDS[data[at]] if at < end else np.uint8(0)
                if state[_WORD] < 0:
                    state[_WORD] = start
                length = at - start
                if seen & DIGIT and not seen & (LOWER | UPPER | HIGH):
                    continue
                shape = shape_of(first, seen, uppers, length)
                cue = look_up(cue_keys, cue_kinds, value) if length <= 24 and shape != INITIAL else 0
                if shape == TITLE and first == HIGH and length == 2 and at < end and data[at] == 46:
                    shape = INITIAL  # one letter of Greek or Cyrillic
                if shape >= SMALL and cue == 0 and state[_CUE] == BY and start - state[_CUE_STOP] <= 2 and length > 3:
                    if _is_by(data, begin, end, start, at, value, keys, values):
                        hit_from, hit_to = start, at
                if length == 1 and seen & (LOWER | UPPER) and data[start] | 32 == 99:  # (c)
                    if (
                        start > begin
                        and data[start - 1] == 40
                        and at + 1 < end
                        and data[at] == 41
                        and data[at + 1] == 32
                    ):
                        _set_cue(state, CREDIT, at)
                        continue
                if cue == PARTICLE or (
                    cue and shape == SMALL and adjoins(data, state[_STOP], start) and length < 4 and cue != BY
                ):
                    if shape == SMALL and adjoins(data, state[_STOP], start):
                        state[_STOP] = at  # Jane van der Doe
                    if cue == PARTICLE:
                        cue = 0
                if cue:
                    hit_to = _at_cue(data, begin, end, start, at, cue, shape, state, keys, values)
                    hit_from = start
                    if cue == AFTER and hit_to >= 0:
                        hit_from = state[_START]
                if hit_to < 0 and shape <= INITIAL and (cue == 0 or shape == TITLE):
                    if not in_identifier(data, begin, end, start, at):
                        bits = look_up(keys, values, value) if 2 < length <= 40 else 0
                        if cue == 0:
                            hit_from, hit_to = _at_name(data, begin, end, start, at, shape, bits, state)
                        state[_START], state[_STOP], state[_BITS], state[_SHAPE] = start, at, bits, shape
                elif (
                    hit_to < 0
                    and length > 5
                    and cue == 0
                    and data[at - 1] == 101
                    and data[at - 2] == 109
                    and data[at - 3] == 97
                ):
                    if data[at - 4] | 32 == 110:  # userName, last_name
                        hit_to = _at_cue(data, begin, end, start, at, NAMED, shape, state, keys, values)
                        hit_from = start
            if hit_to < 0:
                continue
            if newline < hit_to:
                newline = hit_to
                while newline < end and data[newline] != 10:
                    newline += 1
            left = max(min(state[_LINE], hit_from), hit_from - BACK, begin)
            right = min(newline, hit_to + AHEAD)
            while left > begin and data[left] & 0xC0 == 0x80:  # not inside a character
                left -= 1
            while right < end and data[right] & 0xC0 == 0x80:
                right += 1
            if count and rows[count - 1] == row and left <= ends[count - 1] + 1:
                ends[count - 1] = max(ends[count - 1], right)
                continue
            if count == len(rows):
                rows = np.concatenate((rows, np.empty(count, dtype=np.int64)))
                begins = np.concatenate((begins, np.empty(count, dtype=np.int64)))
                ends = np.concatenate((ends, np.empty(count, dtype=np.int64)))
            rows[count], begins[count], ends[count] = row, left, right
            count += 1
    return rows[:count], begins[:count], ends[:count]
