"""One demand as a form gives it, before anybody has asked whether its author may make it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from opt_out.selectors import Selector

NOTHING: Mapping[str, Any] = MappingProxyType({})
# GitHub shows what a deleted account wrote as written by this one; nobody can prove to be it.
DELETED = "ghost"


class Uncertain(Exception):
    """What was written cannot be read with certainty; says why, in one sentence without quoting it.

    Reasons go into the ledger, which forgets nothing: the words of the requester stand apart, where they can be erased.
    """


@dataclass(frozen=True)
class Demand:
    """What one requester asks for in one place."""

    selectors: tuple[Selector, ...]
    source: str  # where it was made, such as bigcode-project/opt-out-v2#13059; the same place gives the same
    received: str | None = None  # ISO time, UTC
    author: str | None = None  # the account that made it, where the host vouches for it
    copies: bool = False  # near-copies elsewhere are to be removed too
    former: tuple[str, ...] = ()  # accounts that the author says to have had
    claims: Mapping[str, Any] = field(default_factory=lambda: NOTHING)  # what the author says of authority, and wrote
    held: str = ""  # why a person must look; "" where it was parsed with certainty


def utc(written: str) -> str:
    """An ISO time in UTC, which one without a zone is taken to be in. ValueError where it is none."""
    moment = datetime.fromisoformat(written)
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:
        raise ValueError("the time is beyond the calendar") from None


def distinct(selectors: Iterable[Selector]) -> tuple[Selector, ...]:
    """`selectors`, each once, in their order."""
    return tuple(dict.fromkeys(selectors))


def whole_account(login: str) -> tuple[Selector, Selector]:
    """All repositories of an account, and the commits and issues that it wrote elsewhere."""
    return Selector("owner", login.lower()), Selector("author", login.lower())


def written_by(login: str, kind: str) -> tuple[Selector, Selector]:
    """The commits, or issues, of an account: in its repositories, and elsewhere where it is the author."""
    kinds = frozenset({kind})
    return Selector("owner", login.lower(), kinds), Selector("author", login.lower(), kinds)
