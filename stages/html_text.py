"""How many characters of an HTML page a reader sees, counted by a kernel that walks the markup once.

StarCoder asks BeautifulSoup: `soup.get_text()` over html.parser, with <script> and <style> removed. That builds a tree
at 1 to 2 MB/s; here only the length is wanted. The count follows BeautifulSoup's habits: a piece of text that is white
space only counts as one character (outside <pre> and <textarea>), a character reference counts as one, comments and
declarations as none. It differs, by a few characters, in markup that is broken or rare: unknown references, tags that
never end, CDATA sections, <template> and ruby annotations.
"""

from __future__ import annotations

import numba
import numpy as np

_AMPERSAND, _HASH, _GREATER, _LESS, _SLASH, _BANG, _QUESTION, _EQUALS, _SEMICOLON, _DASH = (
    0x26, 0x23, 0x3E, 0x3C, 0x2F, 0x21, 0x3F, 0x3D, 0x3B, 0x2D,
)  # fmt: skip
_DOUBLE_QUOTE, _SINGLE_QUOTE = 0x22, 0x27
_REFERENCE_BYTES = 32  # the longest named reference has 31 letters


@numba.njit(nogil=True, cache=True)
def visible_characters(offsets: np.ndarray, data: np.ndarray) -> np.ndarray:
    """int64[rows]: the characters of each page's visible text."""
    rows = len(offsets) - 1
    result = np.zeros(rows, np.int64)
    for row in range(rows):
        at, end = np.int64(offsets[row]), np.int64(offsets[row + 1])
        last = end - 1  # the last `>`: no markup ends after it
        while last >= at and data[last] != _GREATER:
            last -= 1
        comments = quotes = True  # whether comments and quotes close; once one does not, no later one is sought
        piece = 0  # characters since the last markup
        blank = True  # all of them white space
        preformatted = False
        while at < end:
            byte = data[at]
            if byte == _LESS and at < last:
                first = data[at + 1]
                after = at
                if first == _BANG and at + 3 < end and data[at + 2] == _DASH and data[at + 3] == _DASH:
                    after = _comment_end(data, at, end) if comments else at
                    comments = bool(after > at)
                elif first in (_BANG, _QUESTION, _SLASH):
                    after = _after_greater(data, at)
                elif _is_letter(first):
                    after = _tag_end(data, at, end) if quotes else at
                    if after == at:
                        quotes = False
                        after = _after_greater(data, at)
                if after > at:
                    result[row] += _counted(piece, blank, preformatted)
                    piece, blank = 0, True
                    if _is_tag(data, at + 1, end, b"pre") or _is_tag(data, at + 1, end, b"textarea"):
                        preformatted = True
                    elif _is_tag(data, at + 1, end, b"/pre") or _is_tag(data, at + 1, end, b"/textarea"):
                        preformatted = False
                    elif _is_tag(data, at + 1, end, b"script"):
                        after = _raw_text_end(data, after, end, b"/script")
                    elif _is_tag(data, at + 1, end, b"style"):
                        after = _raw_text_end(data, after, end, b"/style")
                    at = after
                    continue
            elif byte == _AMPERSAND:
                at = _reference_end(data, at, end)
            if byte & 0xC0 != 0x80:
                piece += 1
            blank = blank and _is_space(byte)
            at += 1
        result[row] += _counted(piece, blank, preformatted)
    return result


@numba.njit(nogil=True, cache=True)
def _counted(piece: int, blank: bool, preformatted: bool) -> int:
    return 1 if piece and blank and not preformatted else piece


@numba.njit(nogil=True, cache=True)
def _is_space(byte: int) -> bool:
    return byte == 32 or byte == 10 or byte == 9 or byte == 13 or byte == 12


@numba.njit(nogil=True, cache=True)
def _is_letter(byte: int) -> bool:
    return 97 <= byte | 0x20 <= 122


@numba.njit(nogil=True, cache=True)
def _is_tag(data: np.ndarray, at: int, end: int, name: bytes) -> bool:
    """Whether the tag whose `<` is before `at` has this name, in any case, with `/` first for an end tag."""
    after = at + len(name)
    if after >= end:
        return False
    for index in range(len(name)):
        if data[at + index] | 0x20 != name[index] | 0x20:
            return False
    return _is_space(data[after]) or data[after] == _GREATER or data[after] == _SLASH


@numba.njit(nogil=True, cache=True)
def _comment_end(data: np.ndarray, at: int, end: int) -> int:
    """Where the comment that begins at `at` ends; `at` where it never does: then its `<` is only a character."""
    for index in range(at + 4, end - 2):
        if data[index] == _DASH and data[index + 1] == _DASH and data[index + 2] == _GREATER:
            return index + 3
    return at


@numba.njit(nogil=True, cache=True)
def _tag_end(data: np.ndarray, at: int, end: int) -> int:
    """Where the start tag at `at` ends, `>` in quoted values skipped; `at` where a quote never closes."""
    quote = 0
    value = False  # right after `=`: only there does a quote open a value
    for index in range(at + 2, end):
        byte = data[index]
        if quote:
            quote = 0 if byte == quote else quote
        elif byte == _GREATER:
            return index + 1
        elif value and byte in (_DOUBLE_QUOTE, _SINGLE_QUOTE):
            quote = byte
        value = byte == _EQUALS or (value and _is_space(byte))
    return at


@numba.njit(nogil=True, cache=True)
def _after_greater(data: np.ndarray, at: int) -> int:
    """The position after the next `>`, which must exist."""
    index = at + 1
    while data[index] != _GREATER:
        index += 1
    return index + 1


@numba.njit(nogil=True, cache=True)
def _raw_text_end(data: np.ndarray, at: int, end: int, closing: bytes) -> int:
    """Where the end tag of the script or style begins whose content starts at `at`; the page's end without one."""
    for index in range(at, end):
        if data[index] == _LESS and _is_tag(data, index + 1, end, closing):
            return index
    return end


@numba.njit(nogil=True, cache=True)
def _reference_end(data: np.ndarray, at: int, end: int) -> int:
    """The `;` that ends the character reference at `at`; `at` where the `&` is only a character."""
    for index in range(at + 1, min(at + 1 + _REFERENCE_BYTES, end)):
        byte = data[index]
        if byte == _SEMICOLON and index > at + 1:
            return index
        if not (_is_letter(byte) or 48 <= byte <= 57 or (byte == _HASH and index == at + 1)):
            return at
    return at
