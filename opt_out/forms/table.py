"""A CSV table with a header: `selector`, and if wanted `source`, `author`, `received`, `copies`, `former`.

`selector` and `former` may hold several, between blanks; `copies` is yes or no. A row is one demand. Who its author is,
no host vouches for, so that it proves nothing.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping

from opt_out.forms.demand import Demand, Uncertain, distinct, utc
from opt_out.forms.plain_list import digest_of
from opt_out.selectors import Selector, parse_selector
from pipeline.errors import UsageError

COLUMNS = ("selector", "source", "author", "received", "copies", "former")
_HEADER = re.compile(r"[A-Za-z_ ]+")
_YES, _NO = frozenset({"yes", "true", "1"}), frozenset({"", "no", "false", "0"})


def is_table(first_line: str) -> bool:
    """Whether a text's first line is the header of a table: words between commas, or `selector` alone."""
    cells = [cell.strip().strip('"') for cell in first_line.split(",")]
    return cells == ["selector"] or (len(cells) > 1 and all(_HEADER.fullmatch(cell) for cell in cells))


def read_table(text: str, source: str) -> Iterator[Demand]:
    """A demand a row. Raises UsageError where the header or a row has other columns, or a quote is not closed."""
    rows = csv.reader(io.StringIO(text), strict=True)
    try:
        header = [cell.strip().lower() for cell in next(rows)]
        if "selector" not in header or set(header) - set(COLUMNS) or len(set(header)) < len(header):
            raise UsageError(
                f"{source}: a table of opt-outs has the column selector, and may have {', '.join(COLUMNS[1:])}; this "
                "one has others. Nothing was imported."
            )
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header):
                raise UsageError(
                    f"{source}, line {rows.line_num}: it has {len(row)} cells, and the header {len(header)}; "
                    "nothing was imported."
                )
            yield _demand(dict(zip(header, map(str.strip, row), strict=True)), source, rows.line_num)
    except csv.Error as error:
        raise UsageError(f"{source}, line {rows.line_num}: it is no CSV ({error}); nothing was imported.") from None


def _demand(row: Mapping[str, str], source: str, line: int) -> Demand:
    selectors: tuple[Selector, ...] = ()
    former: tuple[str, ...] = ()
    received, held = None, ""
    try:
        selectors = _selectors(row["selector"], "its selector is not certain")
        former = tuple(one.value for one in _selectors(row.get("former", ""), "its former name is no account"))
        copies = row.get("copies", "").lower()
        if copies not in _YES | _NO:
            raise Uncertain("its column copies says neither yes nor no")
        received = _time(row.get("received", ""))
        if not selectors and not former:
            raise Uncertain("it has no selector")
    except Uncertain as reason:
        held, copies = str(reason), ""
    name = row.get("source") or f"{source}#{digest_of(*(row.get(column, '') for column in COLUMNS))}"
    claims = {"author": row.get("author", ""), "text": row["selector"] if held else ""}
    return Demand(selectors, name, received, None, copies in _YES, former, claims, held)


def _selectors(written: str, why_not: str) -> tuple[Selector, ...]:
    try:
        return distinct(parse_selector(word, why_not) for word in written.split())
    except UsageError:
        raise Uncertain(why_not) from None


def _time(written: str) -> str | None:
    if not written:
        return None
    try:
        return utc(written)
    except ValueError:
        raise Uncertain("the time it was received at is no ISO time") from None
