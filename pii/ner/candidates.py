"""Finds the windows of a column of texts that the NER model reads: the lines that may name a person or an account.

One numba pass over the Arrow bytes looks at words: cue words with a name near them (`Copyright (c) 2010 Jane Doe`, `by
Jane`, `TODO(jdoe)`), a listed given or family name beside another capitalised word or an initial, `Name <address>`,
`@mentions`, home directories, profiles and the accounts of credentials. A word that is part of an identifier, path or
call is none of these. A window is the trigger's line, at most BACK bytes back and AHEAD on, with the line before where
the cue stands there. docs/decisions/ner-corpus.md has the share of code it yields and the names it misses.
"""

from __future__ import annotations

import numba
import numpy as np
import pyarrow as pa

from pii.ner import cues, gazetteer
from pii.ner.cues import ACCOUNT, AFTER, BY, CREDIT, FIELD, MENTION, NAMED, NOTE, PARTICLE, PATH, SITE
from pii.ner.gazetteer import BASIS, FAMILY, GIVEN, ORDINARY, PRIME
from pii.windows import SEPARATOR, Windows, _join

BACK = 160  # bytes before a trigger
AHEAD = 200  # bytes after it
REACH = 90  # bytes from a CREDIT cue to the name
_LOWER, _UPPER, _DIGIT, _UNDERSCORE, _HIGH = 1, 2, 3, 4, 5
_TITLE, _CAPITALS, _INITIAL, _SMALL, _MIXED = 1, 2, 3, 4, 5  # shapes of a word


def _byte_kinds() -> np.ndarray:
    kinds = np.zeros(256, dtype=np.uint8)
    kinds[97:123], kinds[65:91], kinds[48:58], kinds[95], kinds[128:] = _LOWER, _UPPER, _DIGIT, _UNDERSCORE, _HIGH
    return kinds


_KINDS = _byte_kinds()


def find(column: pa.StringArray) -> Windows:
    """The windows of every text in `column` (nulls have none), each cut between characters, none touching another."""
    offsets = np.frombuffer(column.buffers()[1], dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    buffer = column.buffers()[2]
    data = np.frombuffer(buffer, dtype=np.uint8) if buffer is not None else np.zeros(0, dtype=np.uint8)
    rows, begins, ends = _scan(offsets, data, *cues.table(), *gazetteer.table())
    joined, starts, origins = _join(offsets, data, rows, begins, ends, np.frombuffer(SEPARATOR.encode(), np.uint8))
    return Windows(joined.tobytes().decode(), rows, starts, origins)


@numba.njit(nogil=True, cache=True)
def _look_up(keys: np.ndarray, values: np.ndarray, key: np.uint32) -> int:
    """The value of a hash in an open addressing table; 0 where it has none."""
    mask = len(keys) - 1
    slot = np.int64(key) & mask
    while values[slot]:
        if keys[slot] == key:
            return int(values[slot])
        slot = (slot + 1) & mask
    return 0


@numba.njit(nogil=True, cache=True)
def _in_identifier(data: np.ndarray, begin: int, end: int, start: int, stop: int) -> bool:
    """Whether the word is part of a path, a call, an attribute, an entity or a link."""
    if start > begin:
        before = data[start - 1]
        if before in (35, 36, 47, 92, 64, 38, 43):  # # $ / \ @ & +
            return True
        if before == 46 and start - 2 >= begin and not 65 <= data[start - 2] <= 90:  # .Word, but not J.Doe
            return True
        if before == 58 and start - 2 >= begin and data[start - 2] == 58:
            return True
    if stop < end:
        after = data[stop]
        if after in (40, 61, 91, 47, 92, 36, 64):  # ( = [ / \ $ @
            return True
        if after == 46 and stop + 1 < end and _KINDS[data[stop + 1]] != 0:
            return True
        if after == 58 and stop + 1 < end and data[stop + 1] == 58:
            return True
    return False


@numba.njit(nogil=True, cache=True)
def _adjoins(data: np.ndarray, last: int, start: int) -> bool:
    """Whether two words stand together as names do: one space, or up to five of quotes, commas and the like."""
    if not 0 < start - last <= 5:
        return False
    for at in range(last, start):
        if data[at] not in (32, 34, 39, 44, 45, 46, 9, 59, 40, 96, 95, 42):  # space " ' , - . tab ; ( ` _ *
            return False
    return True


@numba.njit(nogil=True, cache=True)
def _skip(data: np.ndarray, at: int, end: int, quotes: bool) -> int:
    """The next byte that is no blank (nor a quote or bracket)."""
    while at < end and (data[at] in (32, 9) or (quotes and data[at] in (34, 39, 96, 91, 60, 42, 123, 40))):
        at += 1
    return at


@numba.njit(nogil=True, cache=True)
def _assigned(data: np.ndarray, at: int, end: int, quoted_only: bool) -> int:
    """Where the value begins that is assigned behind a key that ends at `at`; -1 where none is."""
    at = _skip(data, at, end, False)
    if at < end and data[at] in (34, 39, 93, 125, 62):  # the key's own quote or bracket
        at = _skip(data, at + 1, end, False)
    sign = False
    while at < end and data[at] in (58, 61, 62):
        sign = True
        at += 1
    at = _skip(data, at, end, False)
    quote = at < end and data[at] in (34, 39, 91, 123)
    while at < end and data[at] in (34, 39, 91, 123):
        at += 1
    if not quote and (quoted_only or not sign):
        return -1
    return at if at < end and _KINDS[data[at]] in (_LOWER, _UPPER, _HIGH) else -1


@numba.njit(nogil=True, cache=True)
def _account(data: np.ndarray, stop: int, end: int) -> bool:
    """A literal that is assigned to a key like `user` and can be the name of an account."""
    at = _assigned(data, stop, end, True)
    quoted = at >= 0
    if not quoted:
        if stop >= end or data[stop] not in (61, 58):  # user=jdoe, user: jdoe
            return False
        at = _assigned(data, stop, end, False)
        if at < 0:
            return False
    first = at
    while at < end and (_KINDS[data[at]] != 0 or data[at] in (45, 46)) and at - first < 40:
        at += 1
    if at - first < 3:
        return False
    after = data[at] if at < end else 10
    if quoted:
        return after in (34, 39)
    return after in (10, 13, 59, 38, 32)


@numba.njit(nogil=True, cache=True)
def _mention(data: np.ndarray, line: int, end: int, at: int, near_cue: bool) -> bool:
    """@jdoe, where prose or a list mentions somebody: not a decorator, annotation, at-rule, tag, scope or variable."""
    stop = at + 1
    while stop < end and stop - at <= 40 and (_KINDS[data[stop]] in (_LOWER, _UPPER, _DIGIT) or data[stop] in (45, 95)):
        stop += 1
    if not 3 <= stop - at <= 40 or _KINDS[data[at + 1]] == _DIGIT:
        return False
    if stop < end and (
        data[stop] in (47, 40, 61, 91, 123, 64, 58)
        or (data[stop] == 46 and stop + 1 < end and _KINDS[data[stop + 1]] != 0)
    ):
        return False
    before = data[at - 1] if at > line else 10
    if near_cue or before == 91:  # [@jdoe]
        return True
    if before == 40:
        return stop < end and data[stop] in (41, 44) and at - 2 >= line and data[at - 2] == 32
    if before == 47:  # medium.com/@jdoe
        return at - 2 > line and _KINDS[data[at - 2]] == _LOWER
    if before not in (32, 44, 96):
        return False
    first = line
    while first < at and data[first] in (32, 9):
        first += 1
    if first >= at:
        return False
    lead = data[first]
    if not (lead in (35, 47, 42, 45, 59, 37) or (lead == 60 and data[first + 1] == 33)):  # # / * - ; % <!
        return False
    while first < at and _KINDS[data[first]] == 0:  # a tag of documentation stands first in its comment
        first += 1
    return first < at


@numba.njit(nogil=True, cache=True)
def _local_part(data: np.ndarray, begin: int, end: int, at: int) -> bool:
    """The @ of an address or of user@host."""
    if (
        at - 2 < begin
        or at + 2 >= end
        or _KINDS[data[at - 1]] in (0,)
        or _KINDS[data[at - 2]] == 0
        and data[at - 2] not in (46, 45)
    ):
        return False
    if _KINDS[data[at + 1]] not in (_LOWER, _UPPER, _DIGIT):
        return False
    stop = at + 1
    while stop < end and stop - at < 80 and (_KINDS[data[stop]] in (_LOWER, _UPPER, _DIGIT) or data[stop] in (45, 46)):
        stop += 1
    if data[at - 1] >= 48 and _KINDS[data[at + 1]] == _DIGIT:  # package@1.2, but user@10.0.0.1
        dots = 0
        for place in range(at + 1, stop):
            dots += data[place] == 46
            if data[place] != 46 and _KINDS[data[place]] != _DIGIT:
                return False
        return dots == 3
    for place in range(at + 1, stop - 1):
        if data[place] == 46:
            return True
    return stop < end and data[stop] == 58 and stop + 1 < end and data[stop + 1] in (126, 47)  # user@host:~


@numba.njit(nogil=True, cache=True)
def _scan(
    offsets: np.ndarray,
    data: np.ndarray,
    cue_keys: np.ndarray,
    cue_kinds: np.ndarray,
    name_keys: np.ndarray,
    name_bits: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row, first byte, byte after the last) of every window, in order; windows that touch are one."""
    rows = np.empty(64, dtype=np.int64)
    begins = np.empty(64, dtype=np.int64)
    ends = np.empty(64, dtype=np.int64)
    count = 0
    for row in range(len(offsets) - 1):
        begin, end = int(offsets[row]), int(offsets[row + 1])
        line, newline = begin, -1
        last_start, last_stop, last_bits, last_shape = begin, begin - 9, 0, 0  # the last word
        named, named_bits = begin - 9, 0  # end and bits of the last word that can be part of a name
        cue, cue_stop, cue_line = 0, begin - 999, begin
        people = 0  # lines for which two unlisted capitalised words count as a name
        at = begin
        while at < end:
            kind = _KINDS[data[at]]
            hit_from, hit_to = -1, -1
            if kind == 0:
                byte = data[at]
                if byte == 10:
                    people = max(0, people - 1)
                    if cue not in (CREDIT, FIELD) or at - cue_stop > 12:
                        cue = 0
                    line = at + 1
                elif byte == 64:
                    near = cue in (CREDIT, FIELD, MENTION, NOTE) and at - cue_stop <= REACH
                    near = near or (cue == BY and at - cue_stop <= 3)
                    if _local_part(data, begin, end, at):
                        hit_from, hit_to = at, at
                        people = 3
                    elif _mention(data, line, end, at, near):
                        hit_from, hit_to = at, at
                at += 1
                if hit_from < 0:
                    continue
            else:
                start = at
                first_kind = kind
                value = np.uint32(BASIS)
                uppers, lowers, others, highs = 0, 0, 0, 0
                while at < end:
                    byte = data[at]
                    kind = _KINDS[byte]
                    if kind == 0:
                        break
                    if kind == _UPPER:
                        uppers += 1
                        byte |= 32
                    elif kind == _LOWER:
                        lowers += 1
                    elif kind == _HIGH:
                        highs += 1
                    else:
                        others += 1
                    value = np.uint32((value ^ np.uint32(byte)) * np.uint32(PRIME))
                    at += 1
                length = at - start
                shape = _MIXED
                if others == 0:
                    if first_kind == _HIGH or (
                        first_kind == _UPPER and (uppers == 1 or (uppers == 2 and lowers > 3)) and lowers + highs > 0
                    ):
                        shape = _TITLE
                    elif uppers == length:
                        shape = _INITIAL if length == 1 else _CAPITALS
                    elif uppers == 0:
                        shape = _SMALL
                found = 0
                if length <= 24 and (shape != _TITLE or lowers):
                    found = _look_up(cue_keys, cue_kinds, value)
                bits = 0
                if shape in (_TITLE, _CAPITALS) and length > 2 and length <= 40:
                    bits = _look_up(name_keys, name_bits, value)
                # --- cues
                if found == PARTICLE and shape == _SMALL and named == start - 1:
                    named = at  # Jane van der Doe
                    continue
                if found == PATH:
                    if (
                        start > begin
                        and data[start - 1] in (47, 92)
                        and at + 2 < end
                        and data[at] in (47, 92)
                        and (
                            _KINDS[data[at + 1]] in (_LOWER, _UPPER)
                            or (data[at + 1] == 92 and _KINDS[data[at + 2]] != 0)
                        )
                    ):
                        hit_from, hit_to = start, at
                elif found == SITE:
                    if at + 6 < end and data[at] == 46 and data[at + 1] in (99, 111, 109):  # .com .org .me
                        stop = at + 1
                        while stop < end and _KINDS[data[stop]] == _LOWER:
                            stop += 1
                        if stop < end and data[stop] == 47:
                            stop += 1
                            after = stop
                            while after < end and (
                                _KINDS[data[after]] in (_LOWER, _UPPER, _DIGIT) or data[after] in (45, 95)
                            ):
                                after += 1
                            if 3 <= after - stop <= 39 and (after >= end or data[after] not in (47, 46, 63, 123)):
                                hit_from, hit_to = start, after
                elif found == NOTE:
                    cue, cue_stop, cue_line = NOTE, at, line
                    stop = _skip(data, at, end, False)
                    if (
                        stop + 3 < end
                        and data[stop] == 40
                        and _KINDS[data[stop + 1]] in (_LOWER, _UPPER)
                        and shape != _MIXED
                    ):
                        after = stop + 1
                        while after < end and (_KINDS[data[after]] != 0 or data[after] in (45, 46)):
                            after += 1
                        if after < end and data[after] in (41, 44, 58, 32, 64, 47) and shape == _CAPITALS:
                            hit_from, hit_to = start, after
                elif found == ACCOUNT:
                    if _account(data, at, end):
                        hit_from, hit_to = start, at
                elif found == AFTER and named == start - 1 and not (named_bits & ORDINARY):
                    hit_from, hit_to = last_start, at
                elif found in (BY, MENTION):
                    if cue not in (CREDIT, FIELD) or at - cue_stop > REACH:
                        cue, cue_stop, cue_line = found, at, line
                elif found in (CREDIT, FIELD):
                    cue, cue_stop, cue_line = found, at, line
                    if found == FIELD:
                        stop = _assigned(data, at, end, False)
                        if stop >= 0:
                            after = stop
                            low = np.uint32(BASIS)
                            while after < end and _KINDS[data[after]] in (_LOWER, _UPPER):
                                low = np.uint32((low ^ np.uint32(data[after] | 32)) * np.uint32(PRIME))
                                after += 1
                            if after - stop >= 3 and not (_look_up(name_keys, name_bits, low) & ORDINARY):
                                if after >= end or data[after] not in (40, 46, 91, 95, 61):
                                    hit_from, hit_to = start, after
                # --- names
                elif shape in (_TITLE, _CAPITALS, _INITIAL) and not _in_identifier(data, begin, end, start, at):
                    listed = bits & (GIVEN | FAMILY)
                    plain = bits == ORDINARY or (shape == _CAPITALS and not listed)
                    near = False
                    if cue in (CREDIT, FIELD):
                        near = start - cue_stop <= REACH
                    elif cue == BY:
                        near = start - cue_stop <= 3
                    elif cue == NOTE:
                        near = start - cue_stop <= 3 and listed != 0
                    if shape == _INITIAL:
                        pass
                    elif near and not plain and (shape == _TITLE or listed):
                        hit_from, hit_to = start, at
                        if cue_line != line and cue_line < line:
                            hit_from = max(cue_line, cue_stop - 40)
                        people = 3
                    elif highs == length and length > 2:
                        pass
                    elif _adjoins(data, named, start):
                        both = named_bits | bits
                        strange = bits == 0 or named_bits == 0
                        if last_shape == _INITIAL and last_stop == named:
                            if not plain and length > 3 and data[named] == 46:
                                hit_from, hit_to = named - 1, at
                        elif shape == _CAPITALS and not (named_bits & GIVEN and bits & FAMILY):
                            pass
                        elif named_bits & GIVEN and not named_bits & ORDINARY and not plain:
                            hit_from, hit_to = last_start, at
                        elif bits & FAMILY and not bits & ORDINARY and named_bits != ORDINARY:
                            hit_from, hit_to = last_start, at
                        elif bits & GIVEN and not bits & ORDINARY and named_bits & FAMILY:
                            hit_from, hit_to = last_start, at
                        elif people and strange and not both & ORDINARY:
                            hit_from, hit_to = last_start, at
                        if hit_from >= 0:
                            people = max(people, 2)
                    named, named_bits = at, bits
                last_start, last_stop, last_bits, last_shape = start, at, bits, shape
                if found == NAMED or (
                    length > 4
                    and data[at - 1] == 101
                    and data[at - 2] == 109
                    and data[at - 3] == 97
                    and data[at - 4] == 110
                ):
                    stop = _assigned(data, at, end, True)
                    if stop >= 0 and _KINDS[data[stop]] in (_UPPER, _HIGH):
                        low = np.uint32(BASIS)
                        after = stop
                        while after < end and _KINDS[data[after]] in (_LOWER, _UPPER, _HIGH):
                            low = np.uint32(
                                (low ^ np.uint32(data[after] | 32 if data[after] < 91 else data[after]))
                                * np.uint32(PRIME)
                            )
                            after += 1
                        bits = _look_up(name_keys, name_bits, low)
                        if bits & (GIVEN | FAMILY) and not bits & ORDINARY:
                            hit_from, hit_to = start, after
                if hit_from < 0:
                    continue
            # --- the window
            if newline < hit_to:
                newline = hit_to
                while newline < end and data[newline] != 10:
                    newline += 1
            first = max(min(line, hit_from), hit_from - BACK)
            last = min(newline, hit_to + AHEAD)
            while first > begin and data[first] & 0xC0 == 0x80:  # not inside a character
                first -= 1
            while last < end and data[last] & 0xC0 == 0x80:
                last += 1
            if count and rows[count - 1] == row and first <= ends[count - 1] + 1:
                ends[count - 1] = max(ends[count - 1], last)
                continue
            if count == len(rows):
                rows = np.concatenate((rows, np.empty(count, dtype=np.int64)))
                begins = np.concatenate((begins, np.empty(count, dtype=np.int64)))
                ends = np.concatenate((ends, np.empty(count, dtype=np.int64)))
            rows[count], begins[count], ends[count] = row, first, last
            count += 1
    return rows[:count], begins[:count], ends[:count]
