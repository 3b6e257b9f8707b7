"""Passwords that a column names: of INSERT statements of SQL and of Markdown's tables.

The name stands once, above many values, so neither the line of a value nor the text before it says what it is. Rows are
read as far as they look like rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii.recognizers.base import Found, Recognizer
from pii.secret_names import kind_of
from pii.secret_values import Values

_ROWS = 500  # of one table
_INSERT = re.compile(
    r"""(?i:insert[ ]into)\s{1,20}[\w.`"\[\]@$]{1,80}\s{0,20}\((?P<columns>[^()\0;]{1,600})\)\s{0,40}
    (?i:output\s[^()\0;]{1,80})?(?i:values?)\s{0,40}""",
    re.VERBOSE,
)
_FIELD = re.compile(
    r"""\s{0,40}(?:N?'(?P<s>(?:[^'\\\0]|\\.|''){0,400}+)'|"(?P<d>(?:[^"\\\0]|\\.){0,400}+)"
    |[^,()'"\0]{1,80}(?:\([^()\0]{0,120}\))?)\s{0,40}""",
    re.VERBOSE,
)
_NEXT_ROW = re.compile(r"\s{0,40},\s{0,40}(?:--[^\n\0]{0,80}\n\s{0,40})?(?=\()")
_HEADER = re.compile(
    r"(?:^|(?<=\n))[ \t]{0,8}\|(?P<cells>[^\n\0]{0,200}?[pP][aA][sS][sS][wWpP][^\n\0]{0,300})\n"
    r"[ \t]{0,8}\|[ :|-]{3,400}(?=\n)"
)
_ROW = re.compile(r"\n[ \t]{0,8}\|(?P<cells>[^\n\0]{1,600})")
_NEXT_TABLE = re.compile(r"\n[ \t]{0,8}\|[^\n\0]{0,600}\n[ \t]{0,8}\|[ :|-]{3,400}(?=\n)")
_CELL = re.compile(r"""[ \t`*"']{0,6}(?P<value>(?:[^|\n\\]|\\.)*?)[ \t`*"']{0,6}(?:\||\Z)""")
_DIGEST = re.compile(r"[0-9A-Fa-f]{32,}|.{50,}")


class TableRecognizer(Recognizer):
    """PASSWORD by the name of its column."""

    words = ("passw", "passphrase")
    statements = ("insert into",)

    def __init__(self) -> None:
        super().__init__("PASSWORD")
        self.values = Values()

    def find(self, text: str) -> Iterator[Found]:
        for match in _INSERT.finditer(text):
            columns = [kind_of(column.strip(' \t\r\n`"[]')) for column in match["columns"].split(",")]
            if "password" in columns:
                for number, start, end in _fields(text, match.end()):
                    if number < len(columns) and columns[number] == "password":
                        yield from self._judged(text, start, end, "sql_column")
        for match in _HEADER.finditer(text):
            columns = [kind_of(cell["value"]) for cell in _CELL.finditer(match["cells"])]
            if "password" in columns:
                for number, start, end in _cells(text, match.end()):
                    if number < len(columns) and columns[number] == "password":
                        yield from self._judged(text, start, end, "table_column")

    def _judged(self, text: str, start: int, end: int, form: str) -> Iterator[Found]:
        value = text[start:end]
        verdict = "" if _DIGEST.fullmatch(value) else self.values.password(value, strict=False)
        if verdict:
            yield Found(start, end, 0.8, form, "placeholder" if verdict == "placeholder" else "")


def _fields(text: str, at: int) -> Iterator[tuple[int, int, int]]:
    """(number in its row, start, end) of every string in rows as ('a', 1), ('b', 2) from `at` on."""
    for _ in range(_ROWS):
        if not text.startswith("(", at):
            return
        number, at = 0, at + 1
        while field := _FIELD.match(text, at):
            for group in ("s", "d"):
                if field[group]:
                    yield (number, *field.span(group))
            number, at = number + 1, field.end()
            if not text.startswith(",", at):
                break
            at += 1
        following = _NEXT_ROW.match(text, at + 1)
        if not text.startswith(")", at) or following is None:
            return
        at = following.end()


def _cells(text: str, at: int) -> Iterator[tuple[int, int, int]]:
    """(number in its row, start, end) of every cell that is not empty, in the rows of a table from `at` on."""
    for _ in range(_ROWS):
        row = _ROW.match(text, at)
        if row is None or _NEXT_TABLE.match(text, at):  # so each row is read for one table only
            return
        for number, cell in enumerate(_CELL.finditer(text, row.start("cells"), row.end())):
            if cell["value"]:
                yield (number, *cell.span("value"))
        at = row.end()
