"""The forms in which opt-out requests come. One file a form; which one a file is in is told by its shape, not guessed.

JSON is JSON by its first character, and its keys tell issues, a map and machine lines apart; a table has a header; the
rest is a plain list. What fits none is refused as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from opt_out.forms.demand import Demand
from opt_out.forms.github_issues import is_issue, read_issues
from opt_out.forms.machine_lines import is_machine_line, read_machine_lines
from opt_out.forms.machine_map import is_map, read_map
from opt_out.forms.plain_list import read_list
from opt_out.forms.table import is_table, read_table
from pipeline.errors import UsageError

__all__ = ["Demand", "read"]


def read(data: bytes, source: str) -> Iterator[Demand]:
    """The demands that a file holds; `source` names it where the form gives no name of its own.

    Raises UsageError, also on the way, where the file is in none of the forms or is damaged: read it to its end before
    anything is recorded.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{source} is no UTF-8 text; give an export of issues, a table or a list.") from None
    if "\0" in text:
        raise UsageError(f"{source} is a binary file; give an export of issues, a table or a list.")
    beginning = text.lstrip()[:1]
    if not beginning:
        raise UsageError(f"{source} is empty; give an export of issues, a table or a list.")
    if beginning in "[{":
        del text
        return _read_json(data.removeprefix(b"\xef\xbb\xbf"), source)
    return read_table(text, source) if is_table(text.lstrip().split("\n")[0].strip()) else read_list(text, source)


def _read_json(data: bytes, source: str) -> Iterator[Demand]:
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        lines = data.splitlines()
        if len(lines) < 2 or not _is_whole(lines[0]):
            raise UsageError(f"{source} is no whole JSON ({error}); export it again. Nothing was imported.") from None
        return _read_records(_records_of_lines(lines, source), source)
    if is_map(document):
        return read_map(document, source)
    if isinstance(document, dict):
        return _read_records(iter([(f"{source}, line 1", document)]), source)
    if document and all(isinstance(page, list) for page in document):  # gh api --paginate --slurp
        document = [record for page in document for record in page]
    return _read_records(((f"{source}, entry {at}", record) for at, record in enumerate(document, 1)), source)


def _read_records(records: Iterator[tuple[str, Any]], source: str) -> Iterator[Demand]:
    first = next(records, None)
    if first is None:
        raise UsageError(f"{source} holds no request; give an export of issues, a table or a list.")
    all_of_them = _with_first(first, records)
    if is_machine_line(first[1]):
        return read_machine_lines(all_of_them, source)
    if is_issue(first[1]):
        return read_issues(all_of_them, source)
    raise UsageError(
        f"{first[0]} is neither an issue (number, body, user) nor a record of issue, author, optout_repos and "
        "optout_owners; nothing was imported."
    )


def _with_first(first: tuple[str, Any], rest: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    yield first
    yield from rest


def _records_of_lines(lines: list[bytes], source: str) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield f"{source}, line {number}", orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise UsageError(
                    f"{source}, line {number} is no whole JSON ({error}); export it again. Nothing was imported."
                ) from None


def _is_whole(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True
