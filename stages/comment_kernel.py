"""How many characters of a text are comments: a lexer driven by a table of rules, over a column's Arrow buffers.

It knows two states. In code it looks for what begins a rule of the language: a comment, or a string or the like, in
which nothing begins a comment. Inside a rule it looks for that rule's end alone. Nothing else of a language is
understood, time is linear, and what is not closed ends with its line or with the text: a text in error, or in another
language than its name says, gives a number and no failure.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

# Kinds of rules.
COMMENT, STRING, DOCSTRING, CHARACTER, SKIP, OPEN, CLOSE = range(7)

# Where a rule may begin or end; what each asks is said in comment_syntax.yaml.
ANYWHERE, LINE, INDENT, SPACE, NAME, OPERAND = range(6)

# A rule of a syntax; the table of rules is an array of these. Texts are (start, size) in one pool of bytes.
TEXTS = ("begin", "middle", "end", "tail", "after")
RULE = np.dtype(
    [(f"{text}_{part}", np.int64) for text in TEXTS for part in ("start", "size")]
    + [(field, np.int64) for field in ("kind", "at", "end_at", "delimiter", "least", "escape", "skip", "next")]
    + [(field, np.bool_) for field in ("lines", "nests", "classes", "doubled")]
)

NO_RULE = -1
_TAB, _LF, _CR, _BLANK, _SEMICOLON, _HASH, _QUOTE, _BACKSLASH = b"\t\n\r ;#'\\"
_OPEN_CLASS, _CLOSE_CLASS = b"[]"
_BEFORE_SPACE = tuple(b";&|()")  # what a comment may stand next to as if there were a space
_AFTER_NAME = tuple(b")]}'.")  # what ends an operand as a name does
_OPERATORS = tuple(b"=([{,;:!&|?+-*%~^>")  # what is followed by an operand
_PREFIXES = tuple(b"rRuU")  # of a docstring
_LONGEST_DELIMITER = 255  # bytes; Rust allows no more
_LONGEST_WORD = 16  # bytes that are looked back for a keyword


@numba.njit(nogil=True, cache=True)
def comment_characters(
    offsets: np.ndarray,
    data: np.ndarray,
    syntax: np.ndarray,
    first: np.ndarray,
    rules: np.ndarray,
    pool: np.ndarray,
    delimiters: np.ndarray,
) -> np.ndarray:
    """int64[rows]: the comments of each text, in characters, with their markers and without their line breaks.

    `syntax` has one row of `first` for each text; the last four are comment_syntax.Tables.
    """
    rows = len(offsets) - 1
    result = np.zeros(rows, np.int64)
    for row in range(rows):
        begin, end = np.int64(offsets[row]), np.int64(offsets[row + 1])
        starts = first[syntax[row]]
        at: Any = begin
        depth = 0  # of brackets, where the syntax has rules for them
        while at < end:
            number = starts[data[at]]
            if number == NO_RULE:
                at += 1
                continue
            inside = -1
            while number != NO_RULE:
                rule = rules[number]
                inside, delimiter = _begins(data, begin, at, end, rule, pool, delimiters)
                if inside >= 0:
                    break
                number = rule.next
            if inside < 0:
                at += 1
                continue
            rule = rules[number]
            if rule.kind == OPEN:
                depth += 1
                at = inside
            elif rule.kind == CLOSE:
                depth = max(depth - 1, 0)
                at = inside
            elif rule.kind == CHARACTER or rule.kind == SKIP:
                at = inside
            else:
                after = _ends(data, begin, inside, end, rule, pool, delimiter)
                if rule.kind == COMMENT or (
                    rule.kind == DOCSTRING and depth == 0 and _is_statement(data, begin, at, after, end)
                ):
                    result[row] += _characters(data, at, after)
                at = after
    return result


@numba.njit(nogil=True, cache=True)
def _begins(
    data: np.ndarray, begin: int, at: int, end: int, rule: Any, pool: np.ndarray, delimiters: np.ndarray
) -> tuple[int, int]:
    """Where the inside of `rule` begins if the rule begins at `at`, else -1; and how long its delimiter is."""
    if not _holds(data, at, end, pool, rule.begin_start, rule.begin_size):
        return -1, 0
    inside = at + rule.begin_size
    if _is_word(data[inside - 1]) and rule.delimiter < 0 and inside < end and _is_word(data[inside]):
        return -1, 0  # REM begins a comment, REMOVE does not
    if not _is_at(data, begin, at, rule.at, pool, rule.after_start, rule.after_size):
        return -1, 0
    delimiter = 0
    if rule.delimiter >= 0:
        limit = min(inside + _LONGEST_DELIMITER, end)
        while inside + delimiter < limit and delimiters[rule.delimiter, data[inside + delimiter]]:
            delimiter += 1
        inside += delimiter
        if delimiter < rule.least or not _holds(data, inside, end, pool, rule.middle_start, rule.middle_size):
            return -1, 0
        inside += rule.middle_size
    if rule.kind == CHARACTER:
        inside = _character(data, inside, end)
    for _ in range(rule.skip):
        if inside < end:
            inside = _next(data, inside, end)
    return inside, delimiter


@numba.njit(nogil=True, cache=True)
def _ends(data: np.ndarray, begin: int, inside: int, end: int, rule: Any, pool: np.ndarray, delimiter: int) -> int:
    """The position after the end of `rule`, whose inside begins at `inside`."""
    opened = inside - rule.middle_size - delimiter  # where its delimiter stands
    at = inside
    depth = 1
    in_class = False
    closing = -1  # the byte its end begins with
    if rule.end_size:
        closing = pool[rule.end_start]
    elif delimiter:
        closing = data[opened]
    while at < end:
        byte = data[at]
        if byte == rule.escape:
            at = min(at + 2, end)
        elif byte == closing and not in_class and _is_at(data, begin, at, rule.end_at, pool, 0, 0):
            size = _closes(data, at, end, rule, pool, opened, delimiter)
            if rule.doubled and size and _holds(data, at + size, end, pool, rule.end_start, rule.end_size):
                at += 2 * size
                continue
            at += max(size, 1)
            depth -= size > 0
            if depth == 0:
                return at
        elif rule.nests and _holds(data, at, end, pool, rule.begin_start, rule.begin_size):
            at += rule.begin_size
            depth += 1
        elif not rule.lines and byte in (_LF, _CR):
            return at
        else:
            if rule.classes and byte in (_OPEN_CLASS, _CLOSE_CLASS):
                in_class = byte == _OPEN_CLASS
            at += 1
    return end


@numba.njit(nogil=True, cache=True)
def _closes(data: np.ndarray, at: int, end: int, rule: Any, pool: np.ndarray, opened: int, delimiter: int) -> int:
    """The size of the end of `rule` (end, delimiter, tail) that stands at `at`; 0 where none does."""
    after = at + rule.end_size
    if not _holds(data, at, end, pool, rule.end_start, rule.end_size):
        return 0
    if not _holds(data, after, end, data, opened, delimiter):
        return 0
    after += delimiter
    if not _holds(data, after, end, pool, rule.tail_start, rule.tail_size):
        return 0
    after += rule.tail_size
    if _is_word(data[after - 1]) and after < end and _is_word(data[after]):
        return 0
    return after - at


@numba.njit(nogil=True, cache=True)
def _is_at(data: np.ndarray, begin: int, at: int, place: int, pool: np.ndarray, after: int, after_size: int) -> bool:
    """Whether `at` is a place of this sort; `after` are words an operand may follow, each between two zero bytes."""
    if place == ANYWHERE or at == begin:
        return True
    before = data[at - 1]
    if place == LINE:
        return _ends_line(before)
    if place == SPACE:
        return _is_blank(before) or _ends_line(before) or before in _BEFORE_SPACE
    if place == NAME:
        return not (_is_word(before) or before in _AFTER_NAME)
    at -= 1
    while at >= begin and (_is_blank(data[at]) or (place == OPERAND and _ends_line(data[at]))):
        at -= 1
    if at < begin:
        return True
    if place == INDENT:
        return _ends_line(data[at])
    if _is_word(data[at]):
        last = at
        while at >= begin and last - at < _LONGEST_WORD and _is_word(data[at]):
            at -= 1
        return _is_listed(data, at + 1, last + 1, pool, after, after_size)
    return data[at] in _OPERATORS


@numba.njit(nogil=True, cache=True)
def _is_listed(data: np.ndarray, at: int, end: int, pool: np.ndarray, words: int, size: int) -> bool:
    word = words + 1
    while word < words + size:
        stop = word
        while pool[stop]:
            stop += 1
        if stop - word == end - at and _holds(data, at, end, pool, word, stop - word):
            return True
        word = stop + 1
    return False


@numba.njit(nogil=True, cache=True)
def _is_statement(data: np.ndarray, begin: int, at: int, after: int, end: int) -> bool:
    """Whether Python's string at `at`..`after`, outside of brackets, is a statement of its own: nothing stands before
    it on its line but a prefix, and nothing behind it but a comment or a semicolon."""
    for _ in range(2):
        if at > begin and data[at - 1] in _PREFIXES:
            at -= 1
    while at > begin and _is_blank(data[at - 1]):
        at -= 1
    if at > begin:
        if not _ends_line(data[at - 1]):
            return False
        at -= 1
        if at > begin and data[at - 1] == _CR and data[at] == _LF:
            at -= 1
        if at > begin and data[at - 1] == _BACKSLASH:  # the line goes on
            return False
    while after < end and _is_blank(data[after]):
        after += 1
    return after == end or _ends_line(data[after]) or data[after] == _HASH or data[after] == _SEMICOLON


@numba.njit(nogil=True, cache=True)
def _character(data: np.ndarray, inside: int, end: int) -> int:
    """The position after a character literal whose quote is behind us; -1 where it is none, as Rust's lifetimes."""
    if inside >= end or _ends_line(data[inside]):
        return -1
    if data[inside] == _BACKSLASH:
        at = _next(data, inside, end)
        limit = min(at + 12, end)
        at += 1
        while at < limit and data[at] != _QUOTE:
            at += 1
        return at + 1 if at < limit else -1
    at = _next(data, inside, end)
    return at + 1 if at < end and data[at] == _QUOTE else -1


@numba.njit(nogil=True, cache=True)
def _holds(data: np.ndarray, at: int, end: int, pool: np.ndarray, start: int, size: int) -> bool:
    if at + size > end:
        return False
    place = 0
    while place < size and data[at + place] == pool[start + place]:
        place += 1
    return place == size


@numba.njit(nogil=True, cache=True)
def _characters(data: np.ndarray, at: int, end: int) -> int:
    count = 0
    for place in range(at, end):
        count += (data[place] & 0xC0) != 0x80
    return count


@numba.njit(nogil=True, cache=True)
def _next(data: np.ndarray, at: int, end: int) -> int:
    """The position of the next character."""
    at += 1
    while at < end and (data[at] & 0xC0) == 0x80:
        at += 1
    return at


@numba.njit(nogil=True, cache=True)
def _is_word(byte: int) -> bool:
    folded = byte | 0x20
    return (97 <= folded <= 122) or (48 <= byte <= 57) or byte == 95


@numba.njit(nogil=True, cache=True)
def _is_blank(byte: int) -> bool:
    return byte in (_BLANK, _TAB)


@numba.njit(nogil=True, cache=True)
def _ends_line(byte: int) -> bool:
    return byte in (_LF, _CR)
