"""One transaction that adds to a ledger: what it may add, by the state it finds, and the chain that it continues."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from opt_out.chain import EMPTY, Head, canonical, head_statement, make_row, to_entry
from opt_out.keys import PrivateKey
from opt_out.ledger_index import FOLLOWS, KEY_EVENTS, check_follows, index_entry, request_id
from opt_out.selectors import Selector, parse_selector
from pipeline.errors import UsageError

_TIME = "%Y-%m-%dT%H:%M:%SZ"


class Incoming(NamedTuple):
    """A request to be received."""

    selectors: Sequence[Selector]
    source: str
    person: Mapping[str, Any] | None = None  # who asked, and what they wrote; erasable
    copies: bool = False
    received: str | None = None  # ISO time; now where it is not known
    held: str = ""  # why a person must look at it
    verified: Mapping[str, Any] | None = None  # how its author's authority is known already: verified at once


class Writer:
    """Its entries have one time, not before that of the last entry; `path` names the ledger in errors."""

    def __init__(self, connection: sqlite3.Connection, head: Head, path: str) -> None:
        self._connection, self.head, self._path = connection, head, path
        last = self.one("SELECT time FROM entry WHERE sequence = ?", head.sequence)
        self.now = max(datetime.now(UTC).strftime(_TIME), last[0] if last else "")

    def one(self, query: str, *values: Any) -> Any:
        return self._connection.execute(query, values).fetchone()

    def execute(self, query: str, *values: Any) -> None:
        self._connection.execute(query, values)

    def add(self, event: str, request: str, body: Mapping[str, Any], time: str | None = None) -> Head:
        moment = self.now if time is None else _checked(time, f"the entry {event} of {request}")
        row = make_row(self.head, moment, event, request, canonical(dict(body)))
        self._connection.execute("INSERT INTO entry VALUES(?, ?, ?, ?, ?, ?, ?)", row)
        index_entry(self._connection, to_entry(row))
        self.head = Head(row.sequence, row.chain)
        return self.head

    def check(self, event: str, request: str, body: Mapping[str, Any]) -> None:
        """UsageError where the event is impossible in the request's state."""
        if event in KEY_EVENTS and not request:
            if not isinstance(body.get("key"), str):
                raise UsageError(f"an entry {event} names a key; give its id.")
        elif event in FOLLOWS:
            (state,) = self._known(request, "state")
            begun = self.one("SELECT 1 FROM entry WHERE request = ? AND event = 'applying'", request)
            check_follows(event, request, state, begun is not None)
        else:
            raise UsageError(f"'{event}' is no event of a request; choose one of {', '.join(FOLLOWS)}.")

    def receive(self, number: int, one: Incoming) -> int:
        """Add one request; how many that were, 0 where its source is known."""
        where = f"the request from '{one.source}'"
        if not one.source or not one.source.isprintable():
            raise UsageError(f"a request's source {one.source!a} is no printable text; name where it came from.")
        if not one.selectors and not one.held:
            raise UsageError(f"{where} asks for nothing; name a selector, or hold it for a person.")
        if self.one("SELECT 1 FROM request WHERE source = ?", one.source):
            return 0
        name = request_id(number)
        selectors = dict.fromkeys(str(parse_selector(str(selector), where)) for selector in one.selectors)
        body = {
            "selectors": list(selectors),
            "copies": one.copies,
            "source": one.source,
            "received": self.now if one.received is None else _checked(one.received, where),
            "person": self._keep_person(name, one.person) if one.person else None,
        }
        self.add("received", name, body)
        if one.held:
            self.add("held", name, {"reason": one.held})
        if one.verified is not None:
            self.add("verified", name, one.verified)
        return 1

    def forget(self, name: str) -> None:
        """Remove who made a request, and say so where somebody was known."""
        commitment, erased = self._known(name, "commitment, erased")
        self.execute("DELETE FROM person WHERE request = ?", name)
        if commitment is not None and not erased:
            self.add("person_erased", name, {})

    def sign(self, key: PrivateKey) -> Head:
        """Sign the head."""
        gone = self.one(
            "SELECT event FROM entry WHERE request = '' AND event IN ('key_retired', 'key_lost') "
            "AND json_extract(body, '$.key') = ?",
            key.id,
        )
        if gone:
            raise UsageError(f"the key {key.id} was {gone[0].removeprefix('key_')}; sign with the present one.")
        if self.head == EMPTY:
            raise UsageError(f"the ledger '{self._path}' is empty; there is nothing to sign.")
        signature = key.sign(head_statement(self.head)).hex()
        self.execute("INSERT OR IGNORE INTO signature VALUES(?, ?, ?, ?)", *self.head, key.id, signature)
        return self.head

    def _known(self, request: str, columns: str) -> tuple[Any, ...]:
        row: tuple[Any, ...] | None = self.one(f"SELECT {columns} FROM request WHERE id = ?", request)
        if row is None:
            raise UsageError(f"the ledger '{self._path}' has no request {request}; 'quarry opt-out list' shows all.")
        return row

    def _keep_person(self, request: str, person: Mapping[str, Any]) -> str:
        """Put what is personal apart; the hash that an entry holds of it."""
        salt, data = secrets.token_bytes(32), canonical(dict(person))
        self._connection.execute("INSERT INTO person VALUES(?, ?, ?)", (request, salt, data))
        return hashlib.sha256(salt + data.encode()).hexdigest()


def _checked(time: str, where: str) -> str:
    """An ISO time with a zone, in UTC."""
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageError(f"{where} has the time '{time[:40]}'; write it like 2026-12-31T23:59:59Z.")
    return moment.astimezone(UTC).strftime(_TIME)
