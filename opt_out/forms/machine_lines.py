"""BigCode's machine lines of 2026: JSON lines of `issue`, `author`, `optout_repos` and `optout_owners`.

They are what another parser made of issues, and it has taken whole accounts for one repository: where it names an
account and single repositories of it at once, a person decides. The issues themselves, exported, are the better source.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from opt_out.forms.demand import Demand, Uncertain, distinct
from opt_out.forms.markdown import Line, account, repository
from opt_out.selectors import Selector
from pipeline.errors import UsageError

KEYS = frozenset({"issue", "author", "optout_repos", "optout_owners"})


def is_machine_line(record: Any) -> bool:
    """Whether a JSON value is such a record, by its keys."""
    return isinstance(record, dict) and record.keys() >= KEYS


def read_machine_lines(records: Iterator[tuple[str, Any]], source: str) -> Iterator[Demand]:
    """A demand a record. `records` are (where it stands, record); UsageError where one is no such record."""
    for where, record in records:
        if not is_machine_line(record) or not _is_sound(record):
            raise UsageError(
                f"{where} is no record of issue, author, optout_repos and optout_owners; nothing was imported."
            )
        owners, names = record["optout_owners"], record["optout_repos"]
        held = ""
        selectors: tuple[Selector, ...] = ()
        try:
            selectors = _selectors(owners, names)
        except Uncertain as reason:
            held = str(reason)
        claims = {"text": "\n".join([*owners, *names])} if held else {}
        yield Demand(selectors, f"{source}#{record['issue']}", author=record["author"], claims=claims, held=held)


def _is_sound(record: dict[str, Any]) -> bool:
    lists = [record["optout_owners"], record["optout_repos"]]
    words = all(isinstance(one, list) and all(isinstance(word, str) for word in one) for one in lists)
    return words and isinstance(record["issue"], int) and isinstance(record["author"], str | None)


def _selectors(owners: list[str], names: list[str]) -> tuple[Selector, ...]:
    whole = [account(Line(number, name.strip())) for number, name in enumerate(owners, 1)]
    single = [repository(Line(number, name.strip())) for number, name in enumerate(names, len(owners) + 1)]
    accounts = {selector.value for selector in whole}
    if any(selector.value.split("/")[0] in accounts for selector in single):
        raise Uncertain("it names a whole account and single repositories of it: which is meant?")
    if not whole and not single:
        raise Uncertain("it names nothing")
    return distinct([*whole, *single])
