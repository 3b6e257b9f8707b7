"""What the entries of a ledger mean for each request: its state, its selectors, since when it holds.

Tables that are derived from the entries and from nothing else, in the transaction that writes them, so that they can be
made again at any time. Which event may follow which state is said here, once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from opt_out.chain import Entry
from opt_out.selectors import Selector, parse_selector
from pipeline.errors import UsageError

# event -> states that it may follow; and the state after it, where it changes it.
FOLLOWS: dict[str, tuple[str, ...]] = {
    "held": ("received",),
    "verified": ("received", "held", "rejected"),
    "rejected": ("received", "held"),
    "withdrawn": ("received", "held", "verified", "honoured", "certified"),
    "applying": ("verified", "honoured", "certified"),
    "honoured": ("verified", "honoured", "certified"),
    "certified": ("honoured", "certified"),
}
UNCHANGED = frozenset({"applying", "person_erased"})
KEY_EVENTS = frozenset({"key_added", "key_retired", "key_lost"})
COLUMNS = "number, id, state, reason, copies, source, received, verified, coalesce(verified_at, 0)"


@dataclass(frozen=True)
class Request:
    """One demand of one requester."""

    id: str  # R000001
    selectors: tuple[Selector, ...]
    copies: bool  # near-copies elsewhere are to be removed too
    source: str  # where it was made; no two requests have the same
    state: str
    reason: str  # why it is held, rejected or withdrawn
    received: str  # ISO, UTC
    verified: str | None  # since when it holds
    sequence: int  # of the entry that verified it; 0 without one


def request_id(number: int) -> str:
    """How a request is called."""
    return f"R{number:06d}"


def check_follows(event: str, request: str, state: str, begun: bool) -> None:
    """UsageError where `event` is impossible for a request in `state`; `begun` where a removal for it has begun."""
    if state in FOLLOWS[event] or (event == "honoured" and state == "withdrawn" and begun):
        return
    possible = [name for name, states in FOLLOWS.items() if state in states]
    raise UsageError(
        f"request {request} is {state}, so it cannot become {event}; "
        + (f"it can become {', '.join(possible)}." if possible else "make a new request instead.")
    )


def index_entry(connection: sqlite3.Connection, entry: Entry) -> None:
    """Bring the tables up to date with one more entry."""
    body = entry.body
    if entry.event == "received":
        number = int(entry.request[1:])
        selectors = [parse_selector(written, f"entry {entry.sequence}") for written in body["selectors"]]
        connection.execute(
            "INSERT INTO request VALUES(?, ?, 'received', '', ?, ?, ?, NULL, NULL, NULL, ?, 0)",
            (number, entry.request, body["copies"], body["source"], body["received"], body["person"]),
        )
        connection.executemany("INSERT INTO selector VALUES(?, ?, ?, ?, ?)", _selector_rows(number, selectors))
    elif entry.event == "person_erased":
        connection.execute("UPDATE request SET erased = 1 WHERE id = ?", (entry.request,))
    elif entry.event in FOLLOWS and entry.event not in UNCHANGED:
        _move(connection, entry, str(body.get("reason", "")).encode("utf-8", "replace").decode())


def _move(connection: sqlite3.Connection, entry: Entry, reason: str) -> None:
    known = connection.execute("SELECT state FROM request WHERE id = ?", (entry.request,)).fetchone()
    if known is None:
        raise ValueError(f"entry {entry.sequence} speaks of {entry.request}, which was not received")
    if known[0] == "withdrawn":  # a removal that was under way then: it is recorded, and changes nothing
        return
    connection.execute("UPDATE request SET state = ?, reason = ? WHERE id = ?", (entry.event, reason, entry.request))
    if entry.event == "verified":
        change = (entry.time, entry.sequence, entry.request)
        connection.execute("UPDATE request SET verified = ?, verified_at = ? WHERE id = ?", change)
    elif entry.event == "withdrawn":
        connection.execute("UPDATE request SET withdrawn_at = ? WHERE id = ?", (entry.sequence, entry.request))


def _selector_rows(number: int, selectors: Sequence[Selector]) -> Iterator[tuple[Any, ...]]:
    for place, one in enumerate(selectors):
        yield number, place, one.target, one.value, ",".join(sorted(one.kinds))


def to_selector(target: Any, value: str, kinds: str) -> Selector:
    """A row of the table `selector`."""
    return Selector(target, value, frozenset(kinds.split(",")) if kinds else frozenset())


def read_requests(connection: sqlite3.Connection, where: str, parameters: Iterable[Any] = ()) -> list[Request]:
    """The requests that an SQL condition on the table `request` names, by number."""
    values = tuple(parameters)
    rows = connection.execute(f"SELECT {COLUMNS} FROM request WHERE {where} ORDER BY number", values).fetchall()
    selectors: dict[int, list[Selector]] = {}
    asked = connection.execute(
        "SELECT request, target, value, kinds FROM selector "
        f"WHERE request IN (SELECT number FROM request WHERE {where}) ORDER BY request, place",
        values,
    )
    for number, *one in asked:
        selectors.setdefault(number, []).append(to_selector(*one))
    return [
        Request(name, tuple(selectors.get(number, ())), bool(copies), source, state, reason, received, verified, at)
        for number, name, state, reason, copies, source, received, verified, at in rows
    ]
