"""The records of a JSON list, or of JSON lines, one at a time: an export of all issues is never whole in memory twice.

A list is cut at its commas by its brackets and strings alone; each piece is then parsed, which finds every fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from pipeline.errors import UsageError

Record = tuple[str, Any]  # where it stands, and what it is

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{},]', re.DOTALL)
_BLANKS = b" \t\r\n"


def records_of_list(data: bytes, source: str) -> Iterator[Record]:
    """The entries of a JSON list, and of the lists in it: `gh api --paginate --slurp` gives a list of pages.

    Raises UsageError, on the way, where it is no whole JSON.
    """
    number = 0
    for piece in _entries(data, source):
        inner = _entries(piece, source) if piece.lstrip(_BLANKS).startswith(b"[") else (piece,)
        for record in inner:
            number += 1
            yield f"{source}, entry {number}", parsed(record, f"{source}, entry {number}")


def records_of_lines(data: bytes, source: str) -> Iterator[Record]:
    """The records of JSON lines; blank lines are none. Raises UsageError, on the way, where a line is no whole JSON."""
    start, number = 0, 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        number += 1
        if line := data[start:end].strip():
            yield f"{source}, line {number}", parsed(line, f"{source}, line {number}")
        start = end + 1


def is_lines(data: bytes) -> bool:
    """Whether the first line is a whole JSON value, and more lines follow."""
    first, _, rest = data.strip(_BLANKS).partition(b"\n")
    try:
        orjson.loads(first)
    except orjson.JSONDecodeError:
        return False
    return bool(rest)


def parsed(data: bytes, where: str) -> Any:
    """A JSON value; UsageError where it is none."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        said = str(error).partition(":")[0]
        raise UsageError(f"{where} is no whole JSON ({said}); export it again. Nothing was imported.") from None


def _entries(data: bytes, source: str) -> Iterator[bytes]:
    """The text of each entry of the list that `data` is."""
    depth, start, more = 0, 0, False
    for token in _TOKEN.finditer(data):
        mark = token[0]
        if mark in (b"[", b"{"):
            depth += 1
            if depth == 1:
                start = token.end()
        elif mark in (b"]", b"}"):
            depth -= 1
            if depth == 0:
                if mark == b"}":
                    break
                last = data[start : token.start()]
                if last.strip(_BLANKS) or more:  # nothing stands between the brackets of an empty list
                    yield last
                if data[token.end() :].strip(_BLANKS):
                    raise UsageError(f"{source} goes on after its list; export it again. Nothing was imported.")
                return
        elif mark == b"," and depth == 1:
            yield data[start : token.start()]
            start, more = token.end(), True
    raise UsageError(f"{source} is no whole JSON (its list does not end); export it again. Nothing was imported.")
