r"""How much of a text is encoded data: StarCoder2's three expressions as linear-time kernels (StarCoder2 paper, 2.1).

    base64   [a-zA-Z0-9+/\n=]{64,}
    hex      (?:\b(?:0x|\\x)?[0-9a-fA-F]{2}(?:,|\b\s*)){8,}
    unicode  (?:\\u[0-9a-fA-F]{4}){8,}

None of the three ever gains by backtracking (the comments below say why), so one walk from left to right finds the
matches that Python's re finds. StarCoder2 does not say whether the shares of the three are added; they are kept apart.
"""

from __future__ import annotations

import numba
import numpy as np

from stages.text_kernels import BASE64, HEX, SPACE, WORD, decode

# Columns of `encoded_data`, and the shortest match of each expression.
LONGEST, BASE64_MATCHED, HEX_MATCHED, UNICODE_MATCHED = range(4)
_BASE64_CHARACTERS = 64
_HEX_UNITS = 8
_UNICODE_UNITS = 8

_COMMA, _ZERO, _BACKSLASH, _U, _X = 0x2C, 0x30, 0x5C, 0x75, 0x78


@numba.njit(nogil=True, cache=True)
def encoded_data(offsets: np.ndarray, data: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """int64[rows, 4] of each text, in characters: the longest match of any expression, and what each one matches."""
    rows = len(offsets) - 1
    result = np.zeros((rows, 4), np.int64)
    for row in range(rows):
        begin, end = np.int64(offsets[row]), np.int64(offsets[row + 1])
        at = begin
        run = begin  # where the run of base64 characters that reaches to `at` begins
        hex_end = begin  # where the last chain of hex units ended, matching or not
        before = 0  # classes of the character before `at`, where it is ASCII
        while at < end:
            byte = np.int64(data[at])
            kind = classes[byte] if byte < 0x80 else 0
            if not kind & BASE64:
                if at - run >= _BASE64_CHARACTERS:
                    _record(result[row], BASE64_MATCHED, at - run)
                run = at + 1
            # A unit begins at a word boundary with a hex digit or a backslash; a digit after an ASCII word character,
            # the usual case in code, is out at once. A chain cannot begin inside another one except at one of its
            # units, where it would only be shorter: so the search goes on at its end.
            if at >= hex_end and (byte == _BACKSLASH or (kind & HEX and not before & WORD)):
                units, characters, hex_end = _hex_chain(data, begin, at, end, classes)
                if units >= _HEX_UNITS:
                    _record(result[row], HEX_MATCHED, characters)
            # A unit holds one backslash, its first character: chains cannot overlap.
            if byte == _BACKSLASH and not _unicode_unit(data, at - 6, begin, end, classes):
                units = 0
                while _unicode_unit(data, at + 6 * units, begin, end, classes):
                    units += 1
                if units >= _UNICODE_UNITS:
                    _record(result[row], UNICODE_MATCHED, 6 * units)
            before = kind
            at += 1
        if end - run >= _BASE64_CHARACTERS:
            _record(result[row], BASE64_MATCHED, end - run)
    return result


@numba.njit(nogil=True, cache=True)
def _record(result: np.ndarray, column: int, characters: int) -> None:
    result[column] += characters
    result[LONGEST] = max(result[LONGEST], characters)


@numba.njit(nogil=True, cache=True)
def _unicode_unit(data: np.ndarray, at: int, begin: int, end: int, classes: np.ndarray) -> bool:
    if at < begin or at + 6 > end or data[at] != _BACKSLASH or data[at + 1] != _U:
        return False
    return _is_hex(data, at + 2, classes, 4)


@numba.njit(nogil=True, cache=True)
def _is_hex(data: np.ndarray, at: int, classes: np.ndarray, digits: int) -> bool:
    for index in range(at, at + digits):  # noqa: SIM110  (numba compiles the loop, not all() of a generator)
        if data[index] >= 0x80 or not classes[data[index]] & HEX:
            return False
    return True


@numba.njit(nogil=True, cache=True)
def _hex_chain(data: np.ndarray, begin: int, at: int, end: int, classes: np.ndarray) -> tuple[int, int, int]:
    """(units, characters, end) of the chain of hex units that begins at `at`; no unit gives (0, 0, at).

    Every step is forced. `0x` and `\\x` cannot be read as digits, so the prefix is taken where it stands; a comma can
    only be taken as one; and a unit never begins with white space, so giving some back cannot help.
    """
    units = characters = 0
    while _boundary(data, begin, at, end, classes):
        digits = at
        if at + 1 < end and data[at + 1] == _X and (data[at] == _ZERO or data[at] == _BACKSLASH):
            digits += 2
        if digits + 2 > end or not _is_hex(data, digits, classes, 2):
            break
        after = digits + 2
        if after < end and data[after] == _COMMA:
            spaces = 1
            after += 1
        elif _boundary(data, begin, after, end, classes):
            spaces = 0
            while after < end:
                point, length = decode(data, after)
                if not classes[point] & SPACE:
                    break
                spaces += 1
                after += length
        else:
            break
        units += 1
        characters += digits + 2 - at + spaces
        at = after
    return units, characters, at


@numba.njit(nogil=True, cache=True)
def _boundary(data: np.ndarray, begin: int, at: int, end: int, classes: np.ndarray) -> bool:
    r"""re's \b between the characters before and at `at`."""
    before = after = False
    if at > begin:
        start = at - 1
        while data[start] & 0xC0 == 0x80:
            start -= 1
        before = classes[decode(data, start)[0]] & WORD != 0
    if at < end:
        after = classes[decode(data, at)[0]] & WORD != 0
    return before != after
