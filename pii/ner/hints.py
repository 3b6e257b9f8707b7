"""Whether a word, with what the scan has seen before it, can be somebody's name or account.

The scan's state is an array of numbers, one each: where the line and its first token and word begin; the last word that
can be part of a name, and its shape; the last cue; for how many lines two unlisted capitalised words are a name, and
for how many a list item is an account; whether the line before ended with a given name.

numba's cache looks only at the file of the function that is called: after a change here, pii/ner/candidates.py must
change (or its cache be deleted) too.
"""

from __future__ import annotations

import numba
import numpy as np

from pii.ner.cues import (
    ACCOUNT,
    AFTER,
    BY,
    CREDIT,
    DEED,
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
from pii.ner.gazetteer import FAMILY, GIVEN, ORDINARY
from pii.ner.triggers import (
    CAPITALS,
    DIGIT,
    HIGH,
    INITIAL,
    KINDS,
    LOWER,
    MIXED,
    SMALL,
    TITLE,
    UPPER,
    adjoins,
    in_cell,
    in_identifier,
    is_account,
    is_heading,
    is_home,
    is_note,
    is_profile,
    look_up,
    value_of,
    word_bits,
)

REACH = 90  # bytes from a CREDIT cue to a name
LISTED = GIVEN | FAMILY
ROWS = 40  # of a table are read by its head
LINE, LEAD, WORD, START, STOP, BITS, SHAPE, CUE, CUE_STOP, CUE_LINE, PEOPLE, ITEMS, WRAPPED, TABLE, STATES = range(15)


@numba.njit(nogil=True, cache=True)
def set_cue(state: np.ndarray, cue: int, stop: int) -> None:
    state[CUE], state[CUE_STOP], state[CUE_LINE] = cue, stop, state[LINE]


@numba.njit(nogil=True, cache=True)
def at_cue(
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
        set_cue(state, cue, stop)
        return stop if shape == CAPITALS and is_note(data, stop, end) else -1
    if cue == KEYWORD:  # IDENTIFIED BY, sudo:
        return stop if shape == CAPITALS or (stop < end and data[stop] in (58, 91, 45)) else -1
    if cue == REVISION:
        return stop if start > begin and data[start - 1] == 36 and stop < end and data[stop] == 58 else -1
    if cue == ACCOUNT and shape == CAPITALS and data[stop] == 32 and start >= begin + 7:  # CREATE USER jdoe
        return stop if data[start - 2] in (69, 82) and data[start - 3] in (84, 69) else -1
    if cue in (ACCOUNT, NAMED, FIELD):
        if cue != ACCOUNT and is_heading(data, begin, end, start, stop):
            state[TABLE] = ROWS
        at, quoted = value_of(data, begin, start, stop, end)
        if cue == ACCOUNT and at >= 0 and is_account(data, at, end, quoted, keys, values):
            return stop
        if cue == NAMED and at >= 0:
            bits = word_bits(data, at, end, keys, values)[2]
            named = bits & LISTED != 0 if quoted else bits & GIVEN != 0
            return stop if named and not bits & ORDINARY else -1
        if cue == FIELD:
            set_cue(state, cue, stop)
            if start > begin and data[start - 1] == 36 and stop < end and data[stop] == 58:  # $Author: jdoe $
                return stop
            if stop < end and data[stop] == 58 and (stop + 1 == end or data[stop + 1] in (10, 13)):
                state[ITEMS] = 12
            if at >= 0:
                after, seen, bits = word_bits(data, at, end, keys, values)
                code = after < end and data[after] in (40, 46, 91, 61, 36)  # a call, an attribute
                if not code and not bits & ORDINARY and after - at > 2 and seen & (LOWER | HIGH):
                    return after
        return -1
    if cue == AFTER:
        near = adjoins(data, state[STOP], start) and state[BITS] & ORDINARY == 0 and state[SHAPE] == TITLE
        return stop if near else -1
    if cue == DEED:
        near = adjoins(data, state[STOP], start) and state[BITS] & (ORDINARY | GIVEN) == GIVEN
        return stop if near and state[SHAPE] == TITLE else -1
    if cue == LABEL:
        if stop < end and data[stop] == 58 and shape != MIXED:
            set_cue(state, CREDIT, stop)
            return -1
        cue = MENTION
        if start > begin and data[stop - 1] == 109 and stop - start == 4:  # from
            cue = BY
    if cue == CREDIT or state[CUE] not in (CREDIT, FIELD) or stop - state[CUE_STOP] > REACH:
        set_cue(state, cue, stop)
    return -1


@numba.njit(nogil=True, cache=True)
def at_name(
    data: np.ndarray, begin: int, end: int, start: int, stop: int, shape: int, bits: int, state: np.ndarray
) -> tuple[int, int]:
    """The bytes that a word's window must reach, if the word and what stands before it may be a name; or -1, -1."""
    listed, ordinary = bits & LISTED, bits & ORDINARY != 0
    cue, distance = state[CUE], start - state[CUE_STOP]
    near = (cue in (CREDIT, FIELD) and distance <= REACH) or (cue == BY and distance <= 3)
    if cue in (NOTE, MENTION) and distance <= 3:
        near = listed != 0 and not ordinary and (cue == NOTE or bits & GIVEN != 0)
    namely = (shape == TITLE and (not ordinary or bits & GIVEN)) or (listed and not ordinary and stop - start > 3)
    if near and namely and shape != INITIAL and stop - start > 2:
        if cue in (CREDIT, FIELD):
            state[PEOPLE] = 3
        elsewhere = state[CUE_LINE] != state[LINE]
        return (max(state[CUE_LINE], state[CUE_STOP] - 40) if elsewhere else start), stop
    if state[PEOPLE] and state[WORD] == start and shape == TITLE and data[start] >= 0xCE:
        return start, stop  # another script's name in a list of names
    if state[WRAPPED] and state[WORD] == start and shape == TITLE and not ordinary:
        return max(begin, state[START] - 40), stop
    if (
        shape == TITLE
        and listed
        and not ordinary
        and start >= begin + 3
        and data[start - 2] == 45
        and data[start - 3] == 45
    ):
        return start, stop  # -- Jane
    if 0 < state[TABLE] < ROWS and shape == TITLE and not ordinary and stop - start > 2 and in_cell(data, begin, start):
        return start, stop
    alone = state[WORD] == start and data[state[LEAD]] in (35, 47, 42, 45, 59, 37)  # the first in its comment
    given = bits & (GIVEN | ORDINARY) == GIVEN and shape == TITLE and start >= begin + 2 and stop + 1 < end
    if given and alone and data[stop] == 58 and data[stop + 1] == 32:
        return start, stop  # // Jane: ...
    if given and alone and data[stop] == 32 and KINDS[data[stop + 1]] == DIGIT:
        return start, stop  # // Jane 2012-01-01
    if given and data[start - 1] == 62 and data[stop] == 60:  # <td>Jane</td>
        return start, stop
    if given and data[start - 1] == 32 and data[start - 2] == 45 and data[stop] in (10, 34, 39, 42):
        return start, stop  # ... - Jane
    certain = state[BITS] & LISTED and state[BITS] & ORDINARY == 0
    if not adjoins(data, state[STOP], start):
        return -1, -1
    if shape == INITIAL:  # Jane D.
        dotted = certain and stop < end and (data[stop] == 46 or (data[stop] == 41 and state[BITS] & GIVEN))
        return (state[START], stop) if dotted else (-1, -1)
    before = state[BITS]
    if state[SHAPE] == INITIAL:
        if data[state[STOP]] == 46 and stop - start > 2 and shape == TITLE and (not ordinary or bits & FAMILY):
            return state[START], stop
        return -1, -1
    if shape == CAPITALS or state[SHAPE] == CAPITALS:
        hit = certain and listed and not ordinary and (before | bits) & GIVEN
        hit = hit or (shape == TITLE and bits & GIVEN and not ordinary and data[state[STOP]] == 44)  # DOE, Jane
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
        unheard = bits == 0 and before == 0 and start - state[STOP] == 1 and data[state[STOP]] == 32
        hit = (state[PEOPLE] or unheard) and not ordinary and before & ORDINARY == 0
    if not hit:
        return -1, -1
    state[PEOPLE] = max(state[PEOPLE], 2)
    return state[START], stop


@numba.njit(nogil=True, cache=True)
def is_by(data: np.ndarray, begin: int, end: int, start: int, stop: int) -> bool:
    """The account in `created by jdoe on`, and no call, attribute or path."""
    if start - 3 < begin or data[start - 1] != 32 or data[start - 2] | 32 != 121 or data[start - 3] | 32 != 98:
        return False
    if start - 4 >= begin and KINDS[data[start - 4]] != 0:
        return False
    after = data[stop] if stop < end else np.uint8(10)
    following = data[stop + 1] if stop + 1 < end else np.uint8(10)
    return after not in (40, 61, 91, 47, 36, 64, 58) and not (after == 46 and KINDS[following] & UPPER)


@numba.njit(nogil=True, cache=True)
def at_word(
    data: np.ndarray,
    begin: int,
    end: int,
    start: int,
    stop: int,
    value: np.uint32,
    shape: int,
    joined: bool,
    state: np.ndarray,
    cue_keys: np.ndarray,
    cue_kinds: np.ndarray,
    keys: np.ndarray,
    values: np.ndarray,
) -> tuple[int, int]:
    """Takes a word into the state; the bytes that its window must reach where it is a trigger, or -1, -1.

    `value` is the word's hash; `joined` says that it holds an underscore.
    """
    length = stop - start
    bracketed = start > begin and stop + 1 < end and data[start - 1] == 40 and data[stop] == 41 and data[stop + 1] == 32
    if length == 1 and bracketed and data[start] | 32 == 99:  # (c)
        set_cue(state, CREDIT, stop)
        return -1, -1
    cue = look_up(cue_keys, cue_kinds, value) if length <= 24 and shape != INITIAL else 0
    if shape == SMALL and cue == PARTICLE and adjoins(data, state[STOP], start):
        state[STOP] = stop  # Jane van der Doe
    if cue == PARTICLE:
        cue = 0
    if cue:
        reached = at_cue(data, begin, end, start, stop, cue, shape, state, keys, values)
        if reached >= 0:
            return (state[START] if cue in (AFTER, DEED) else start), reached
        if shape == TITLE and not in_identifier(data, begin, end, start, stop):
            bits = look_up(keys, values, value) if 2 < length <= 40 else 0
            state[START], state[STOP], state[BITS], state[SHAPE] = start, stop, bits, shape
        return -1, -1
    if shape <= INITIAL:
        hit_from, hit_to = -1, -1
        if not in_identifier(data, begin, end, start, stop):
            bits = look_up(keys, values, value) if 2 < length <= 40 else 0
            hit_from, hit_to = at_name(data, begin, end, start, stop, shape, bits, state)
            state[START], state[STOP], state[BITS], state[SHAPE] = start, stop, bits, shape
        return hit_from, hit_to
    if length > 3 and not joined:
        credited = shape == SMALL and state[CUE] == CREDIT and start - state[CUE_STOP] <= 14
        if (credited or is_by(data, begin, end, start, stop)) and not look_up(keys, values, value) & ORDINARY:
            return start, stop
    ame = length > 5 and data[stop - 1] == 101 and data[stop - 2] == 109 and data[stop - 3] == 97
    if ame and data[stop - 4] | 32 == 110:  # userName, author_name
        reached = at_cue(data, begin, end, start, stop, NAMED, shape, state, keys, values)
        return (start, reached) if reached >= 0 else (-1, -1)
    return -1, -1


@numba.njit(nogil=True, cache=True)
def new_line(data: np.ndarray, at: int, end: int, state: np.ndarray, keys: np.ndarray, values: np.ndarray) -> int:
    """Moves the state to the line that begins at `at`; where its only word is a listed account, its end, or else -1."""
    last = at - 2 if at - 2 >= state[LINE] and data[at - 2] != 13 else at - 3
    if state[CUE] in (CREDIT, FIELD) and last > state[CUE_STOP] and data[last] == 44:  # a list goes on
        state[CUE_STOP], state[CUE_LINE] = at, at
    elif state[CUE] not in (CREDIT, FIELD) or at - state[CUE_STOP] > 12:
        state[CUE] = 0
    state[WRAPPED] = state[STOP] == last + 1 and state[BITS] & (GIVEN | ORDINARY) == GIVEN and state[SHAPE] == TITLE
    state[LINE], state[LEAD], state[WORD] = at, -1, -1
    state[PEOPLE] = max(0, state[PEOPLE] - 1)
    state[TABLE] = max(0, state[TABLE] - 1) if at < end and data[at] not in (10, 13) else 0
    if state[ITEMS] == 0:
        return -1
    state[ITEMS] -= 1
    while at < end and data[at] in (32, 9, 45, 42, 34, 64):
        at += 1
    stop, seen, bits = word_bits(data, at, end, keys, values)
    if stop == at or KINDS[data[at]] == DIGIT:
        state[ITEMS] = 0
        return -1
    return stop if bits & ORDINARY == 0 and stop < end and data[stop] in (10, 34, 45) and seen & LOWER else -1
