"""Counting characters and lines of a whole string column in one pass over its Arrow buffers.

No Python object is made for a document, line or character. Characters are Unicode code points, and what counts as a
letter, a digit, a space or a line break is what Python's str says; a table with one byte a code point answers it, so
that a kernel agrees with str.isalpha, str.isalnum, str.isspace, str.splitlines and re in every language.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pyarrow as pa

# Bits of the table of character classes.
ALPHA = 1  # str.isalpha
ALNUM = 2  # str.isalnum
SPACE = 4  # str.isspace, re's \s
BREAK = 8  # ends a line for str.splitlines
HEX = 16  # [0-9a-fA-F]
BASE64 = 32  # [a-zA-Z0-9+/\n=]
WORD = 64  # re's \w

CODE_POINTS = 0x110000

# Columns of `text_statistics`.
CHARACTERS, LINES, LONGEST_LINE, LINE_CHARACTERS, ALPHABETIC, ALPHANUMERIC, SPACES = range(7)


def character_classes() -> np.ndarray:
    """The classes of every code point, uint8[0x110000]; takes 0.4 s, so a worker keeps it."""
    everything = [chr(point) for point in range(CODE_POINTS)]
    classes = np.zeros(CODE_POINTS, np.uint8)
    for bit, test in ((ALPHA, str.isalpha), (ALNUM | WORD, str.isalnum), (SPACE, str.isspace)):
        classes |= np.frombuffer(bytes(map(test, everything)), np.uint8) * np.uint8(bit)
    for bit, members in (
        (BREAK, "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"),
        (HEX, "0123456789abcdefABCDEF"),
        (BASE64, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/\n="),
        (WORD, "_"),
    ):
        classes[[ord(member) for member in members]] |= bit
    classes.flags.writeable = False
    return classes


def over_column(column: pa.ChunkedArray | pa.Array, kernel: Callable[..., np.ndarray], *arguments: Any) -> np.ndarray:
    """`kernel(offsets, data, *arguments)` over each chunk of a string column, its results one under the other.

    offsets is int32[rows + 1] into data, the column's UTF-8 as read-only uint8; a null is an empty text. The kernel
    returns one row a text.
    """
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    return np.concatenate([kernel(*buffers(chunk), *arguments) for chunk in chunks or [pa.array([], pa.string())]])


def buffers(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """(offsets, data) of one string array without a copy; a slice's offsets begin where the slice begins."""
    _, offsets, data = array.buffers()
    # Always read-only, also where Arrow has no buffer: a kernel is compiled again for every new kind of argument.
    starts = np.frombuffer(offsets if offsets and offsets.size else bytes(4), np.int32)
    return starts[array.offset : array.offset + len(array) + 1], np.frombuffer(data or b"", np.uint8)


@numba.njit(nogil=True, cache=True)
def decode(data: np.ndarray, at: int) -> tuple[Any, int]:
    """(code point, bytes) of the character that begins at `at`."""
    first = np.int64(data[at])
    if first < 0x80:
        return first, 1
    if first < 0xE0:
        return ((first & 0x1F) << 6) | (data[at + 1] & 0x3F), 2
    if first < 0xF0:
        return ((first & 0x0F) << 12) | ((data[at + 1] & 0x3F) << 6) | (data[at + 2] & 0x3F), 3
    low = ((data[at + 2] & 0x3F) << 6) | (data[at + 3] & 0x3F)
    return ((first & 0x07) << 18) | ((data[at + 1] & 0x3F) << 12) | low, 4


@numba.njit(nogil=True, cache=True)
def text_statistics(offsets: np.ndarray, data: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """int64[rows, 7] of each text: characters, lines, characters of the longest line and of all lines (without their
    breaks), alphabetic and alphanumeric characters, and white space.

    Lines are those of str.splitlines: `\\r\\n` is one break, and a break at the end begins no further line.
    """
    rows = len(offsets) - 1
    result = np.zeros((rows, 7), np.int64)
    for row in range(rows):
        at, end = np.int64(offsets[row]), np.int64(offsets[row + 1])
        characters = lines = longest = breaks = line = alphabetic = alphanumeric = spaces = 0
        while at < end:
            byte = data[at]
            if byte < 0x80:
                point: Any = np.int64(byte)
                at += 1
            else:
                point, length = decode(data, at)
                at += length
            kind: Any = np.int64(classes[point])
            characters += 1
            alphabetic += kind & 1
            alphanumeric += (kind >> 1) & 1
            spaces += (kind >> 2) & 1
            if kind & BREAK:
                breaks += 1
                if point == 13 and at < end and data[at] == 10:
                    at += 1
                    characters += 1
                    spaces += 1
                    breaks += 1
                lines += 1
                longest = max(longest, line)
                line = 0
            else:
                line += 1
        if line:
            lines += 1
            longest = max(longest, line)
        result[row, CHARACTERS] = characters
        result[row, LINES] = lines
        result[row, LONGEST_LINE] = longest
        result[row, LINE_CHARACTERS] = characters - breaks
        result[row, ALPHABETIC] = alphabetic
        result[row, ALPHANUMERIC] = alphanumeric
        result[row, SPACES] = spaces
    return result
