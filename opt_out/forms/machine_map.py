"""BigCode's machine map, which The Stack v2 used: `{account: ["all", "Commits", "GitHub issue", owner/repo]}`.

Its accounts are the authors of issues that somebody else has read. The map does not prove that: its requests wait for
proof, or for an operator's judgement (`import --verified-because`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from opt_out.forms.demand import Demand, Uncertain, distinct, whole_account, written_by
from opt_out.forms.markdown import Line, account, repository
from opt_out.selectors import Selector
from pipeline.errors import UsageError

_KINDS = {"Commits": "commits", "GitHub issue": "issues"}


def is_map(document: Any) -> bool:
    """Whether a JSON value is a map from accounts to lists of words."""
    return isinstance(document, dict) and bool(document) and all(isinstance(value, list) for value in document.values())


def read_map(document: Mapping[str, list[Any]], source: str) -> Iterator[Demand]:
    """A demand an account. UsageError where a list holds anything but words."""
    for login, wanted in document.items():
        if not all(isinstance(word, str) for word in wanted):
            raise UsageError(f"{source}: what {login[:40]!r} wants is no list of words; nothing was imported.")
        try:
            selectors, held = _selectors(login, wanted), ""
        except Uncertain as reason:
            selectors, held = (), str(reason)
        yield Demand(
            selectors, f"{source}#{login.lower()}", held=held, claims={"text": "\n".join(wanted)} if held else {}
        )


def _selectors(login: str, wanted: list[str]) -> tuple[Selector, ...]:
    try:
        owner = account(Line(1, login)).value
    except Uncertain:
        raise Uncertain("its account is no name that GitHub gives") from None
    if not wanted:
        raise Uncertain("it wants nothing")
    found: list[Selector] = []
    for number, word in enumerate(wanted, 1):
        if word == "all":
            found += whole_account(owner)
        elif word in _KINDS:
            found += written_by(owner, _KINDS[word])
        else:
            found.append(repository(Line(number, word.strip())))
    if "all" in wanted:  # covers its own repositories, commits and issues
        whole = whole_account(owner)
        found = [*whole, *(one for one in found if one.target == "repository" and one.value.split("/")[0] != owner)]
    return distinct(found)
