"""The forms in which opt-out requests come. One file a form; which one a file is in is told by its shape, not guessed.

JSON is JSON by its first character, and its keys tell issues, a map and machine lines apart; a table has a header; the
rest is a plain list. What fits none is refused as a whole.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from opt_out.forms.demand import Demand
from opt_out.forms.github_issues import is_issue, read_issues
from opt_out.forms.json_records import Record, is_lines, parsed, records_of_lines, records_of_list
from opt_out.forms.machine_lines import is_machine_line, read_machine_lines
from opt_out.forms.machine_map import is_map, read_map
from opt_out.forms.plain_list import read_list
from opt_out.forms.table import is_table, read_table
from pipeline.errors import UsageError

__all__ = ["Demand", "read"]

GIVE = "give an export of issues, a table or a list"


def read(data: bytes, source: str) -> Iterator[Demand]:
    """The demands that a file holds; `source` names it where the form gives no name of its own.

    Raises UsageError, also on the way, where the file is in none of the forms or is damaged: read it to its end before
    anything is recorded.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    beginning = data[:1_000].lstrip()[:1]
    if beginning == b"[":
        return _read_records(records_of_list(data, source), source)
    if beginning == b"{":
        if is_lines(data):
            return _read_records(records_of_lines(data, source), source)
        document = parsed(data, source)
        if is_map(document) and all(isinstance(word, str) for words in document.values() for word in words):
            _once_each([name for name, _ in json.loads(data, object_pairs_hook=list)], source)
        if is_map(document):
            return read_map(document, source)
        return _read_records(iter([(source, document)]), source)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{source} is no UTF-8 text; {GIVE}.") from None
    if "\0" in text:
        raise UsageError(f"{source} is a binary file; {GIVE}.")
    if not text.strip():
        raise UsageError(f"{source} is empty; {GIVE}.")
    return read_table(text, source) if is_table(text.lstrip().splitlines()[0]) else read_list(text, source)


def _once_each(names: list[str], source: str) -> None:
    """UsageError where an account stands twice: of the two lists, one would be lost."""
    for name, times in Counter(name.lower() for name in names).items():
        if times > 1:
            raise UsageError(f"{source}: the account {name[:40]!r} stands in it twice; merge the two lists.")


def _read_records(records: Iterator[Record], source: str) -> Iterator[Demand]:
    first = next(records, None)
    if first is None:
        raise UsageError(f"{source} holds no request; {GIVE}.")
    all_of_them = _with_first(first, records)
    if is_machine_line(first[1]):
        return read_machine_lines(all_of_them, source)
    if is_issue(first[1]):
        return read_issues(all_of_them, source)
    raise UsageError(
        f"{first[0]} is neither an issue (number, body, user) nor a record of issue, author, optout_repos and "
        "optout_owners; nothing was imported."
    )


def _with_first(first: Record, rest: Iterator[Record]) -> Iterator[Record]:
    yield first
    yield from rest
