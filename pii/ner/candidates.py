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
from pii.ner.cues import BY, CREDIT, FIELD, MENTION, NOTE
from pii.ner.gazetteer import BASIS, PRIME
from pii.ner.hints import (
    CUE,
    CUE_LINE,
    CUE_STOP,
    LEAD,
    LINE,
    PEOPLE,
    REACH,
    STATES,
    STOP,
    WORD,
    at_word,
    new_line,
    set_cue,
)
from pii.ner.triggers import (
    DIGIT,
    FOLDED,
    HIGH,
    INITIAL,
    KINDS,
    LOWER,
    TITLE,
    UNDERSCORE,
    UPPER,
    is_address,
    is_mention,
    shape_of,
)
from pii.windows import SEPARATOR, Windows, _join

BACK = 160  # bytes before a trigger
AHEAD = 200  # bytes after it


def find(column: pa.StringArray) -> Windows:
    """The windows of every text in `column` (nulls have none), each cut between characters, none touching another."""
    offsets = np.frombuffer(column.buffers()[1], dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    buffer = column.buffers()[2]
    data = np.frombuffer(buffer, dtype=np.uint8) if buffer is not None else np.zeros(0, dtype=np.uint8)
    rows, begins, ends = _scan(offsets, data, *cues.table(), *gazetteer.wide_table())
    joined, starts, origins = _join(offsets, data, rows, begins, ends, np.frombuffer(SEPARATOR.encode(), np.uint8))
    return Windows(joined.tobytes().decode(), rows, starts, origins)


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
    state = np.zeros(STATES, dtype=np.int64)
    count = 0
    for row in range(len(offsets) - 1):
        begin, end = int(offsets[row]), int(offsets[row + 1])
        state[:] = 0
        state[LINE], state[LEAD], state[WORD] = begin, -1, -1
        state[STOP], state[CUE_STOP] = begin - 9, begin - 999
        newline = -1
        at = begin
        while at < end:
            byte = data[at]
            first = KINDS[byte]
            if state[LEAD] < 0 and byte != 32 and byte != 9:
                state[LEAD] = at
            hit_from, hit_to = -1, -1
            if first == 0:
                at += 1
                if byte == 10:
                    hit_to = new_line(data, at, end, state, keys, values)
                    hit_from = at
                elif byte == 64:
                    cued = state[CUE] in (CREDIT, FIELD, NOTE, BY, MENTION) and state[CUE_LINE] == state[LINE]
                    cued = cued and at - state[CUE_STOP] <= (REACH if state[CUE] in (CREDIT, FIELD) else 4)
                    word = state[WORD] if state[WORD] >= 0 else end
                    if is_address(data, begin, end, at - 1):
                        state[PEOPLE] = 3
                        hit_from, hit_to = at, at
                    elif is_mention(data, state[LINE], state[LEAD], word, end, at - 1, cued):
                        hit_from, hit_to = at, at
                elif byte >= 128:
                    if at < end and byte == 0xC2 and data[at] == 0xA9:  # ©
                        set_cue(state, CREDIT, at)
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
                if state[WORD] < 0:
                    state[WORD] = start
                if seen & DIGIT and not seen & (LOWER | UPPER | HIGH):
                    continue
                shape = shape_of(first, seen, uppers, at - start)
                if shape == TITLE and first == HIGH and at - start == 2 and at < end and data[at] == 46:
                    shape = INITIAL  # one letter of Greek or Cyrillic
                joined = seen & UNDERSCORE != 0
                hit_from, hit_to = at_word(
                    data, begin, end, start, at, value, shape, joined, state, cue_keys, cue_kinds, keys, values
                )
            if hit_to < 0:
                continue
            if newline < hit_to:
                newline = hit_to
                while newline < end and data[newline] != 10:
                    newline += 1
            left = max(min(state[LINE], hit_from), hit_from - BACK, begin)
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
