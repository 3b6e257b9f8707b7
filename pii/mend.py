"""Keeps a text in the syntax it had when values in it are replaced: spans that cut no escape, quotes where they lack.

A placeholder such as `<NAME>` is harmless in comments, strings and YAML's plain scalars. It is not in the middle of an
escape sequence, nor where a bare number or identifier stood: there it is put in quotes.
"""

from __future__ import annotations

import re

from pii.spans import Span

_ESCAPE_CUT = re.compile(r"(?<!\\)(?:\\\\)*\\(?:u[0-9a-fA-F]{0,3}|x[0-9a-fA-F]?)?\Z")
_ESCAPED_LETTER = re.compile(r"[nrt](?=[^\W\d_])")
_WRITTEN_OUT = re.compile(r"u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}")
_HEX = re.compile(r"[0-9a-fA-F]{0,4}")
_NUMBER = re.compile(r"[+-]?[0-9][\w.]*", re.ASCII)
_ASSIGNED = re.compile(r"[=:(,\[{][ \t]*\Z")
_ENDS = re.compile(r"[ \t]*(?:[,;)\]}#\r\n]|//|\Z)")
_QUOTE = re.compile(r"\\.|[\"'`]", re.DOTALL)
LINE = 2000  # characters before a value that are looked at


def mend(text: str, span: Span) -> Span:
    """The span with escape sequences of the string it stands in either inside or outside of it, none cut in two."""
    start, end = span.start, span.end
    before = _ESCAPE_CUT.search(text, max(0, start - 12), start)
    if before is not None:
        sign = before[0].rpartition("\\")[2]
        if not sign and _ESCAPED_LETTER.match(text, start, end) and not text[start + 1].islower():  # \\nJane
            start += 1
        elif not sign and _WRITTEN_OUT.match(text, start):  # u00e9
            start -= 1
        elif sign:  # inside of \\u00e9: all of it belongs to the value
            start -= len(sign) + 1
    cut = _ESCAPE_CUT.search(text, max(start, end - 12), end)
    if cut is not None:
        sign = cut[0].rpartition("\\")[2]
        if not sign:  # the backslash of what follows
            end -= 1
        else:
            length = {"u": 4, "x": 2}[sign[0]] - (len(sign) - 1)
            rest = _HEX.match(text, end, end + length)
            end = rest.end() if rest else end
    return span._replace(start=start, end=end) if start < end else span


def quoted(text: str, span: Span, placeholder: str) -> str:
    """The placeholder, in quotes where a bare number stood in code or data: `"pin": 12345678`."""
    if not _NUMBER.fullmatch(text, span.start, span.end) or not _ENDS.match(text, span.end):
        return placeholder
    line = max(text.rfind("\n", 0, span.start) + 1, span.start - LINE)
    before = text[line : span.start]
    if not _ASSIGNED.search(before) or _in_string(before):
        return placeholder
    return f'"{placeholder}"'


def _in_string(before: str) -> bool:
    """Whether a string is open behind `before`, the part of a line before a value."""
    open_quote = ""
    for match in _QUOTE.finditer(before):
        if open_quote:
            open_quote = "" if match[0] == open_quote else open_quote
        elif len(match[0]) == 1:
            open_quote = match[0]
    return bool(open_quote)
