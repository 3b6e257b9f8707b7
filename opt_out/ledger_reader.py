"""What a ledger says: requests, entries, and what changed since a head. Reads one state, whatever others write."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TextIO

from opt_out.chain import EMPTY, Entry, Head, Row, broken_links, canonical, exported, to_entry
from opt_out.keys import PublicKeys
from opt_out.ledger_check import problems
from opt_out.ledger_file import damaged
from opt_out.ledger_index import Request, read_requests, to_selector
from opt_out.selectors import Selectors
from pipeline.errors import UsageError

AT_ONCE = 1_000  # rows read in one go
ACTIVE = "verified_at <= ? AND (withdrawn_at IS NULL OR withdrawn_at > ?)"


class Changes(NamedTuple):
    """What happened after a head: requests that hold since, and those that held then and were withdrawn."""

    accepted: list[Request]
    withdrawn: list[Request]


class LedgerReader:
    """The reading half of opt_out.ledger.Ledger; several threads may use it."""

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._turn = threading.RLock()

    def head(self) -> Head:
        """The newest entry."""
        row = self._one("SELECT sequence, chain FROM entry ORDER BY sequence DESC LIMIT 1")
        return Head(*row) if row else EMPTY

    def head_at(self, sequence: int) -> Head:
        """The head when it had this many entries. UsageError where it never had."""
        if sequence == 0:
            return EMPTY
        row = self._one("SELECT sequence, chain FROM entry WHERE sequence = ?", sequence)
        if row is None:
            raise UsageError(
                f"the ledger '{self.path}' has no entry {sequence}; its last one is {self.head().sequence}."
            )
        return Head(*row)

    def request(self, name: str) -> Request:
        """UsageError where there is none of this name."""
        with self._reading():
            found = read_requests(self._connection, "id = ?", (name,))
        if not found:
            raise UsageError(f"the ledger '{self.path}' has no request {name}; 'quarry opt-out list' shows all.")
        return found[0]

    def requests(self, state: str | None = None) -> Iterator[Request]:
        """All requests, or those in a state, in the order in which they came."""
        last = 0
        while True:
            with self._reading():
                some = read_requests(
                    self._connection,
                    f"number IN (SELECT number FROM request WHERE number > ? {'AND state = ?' if state else ''}"
                    f" ORDER BY number LIMIT {AT_ONCE})",
                    (last, state) if state else (last,),
                )
            yield from some
            if len(some) < AT_ONCE:
                return
            last = int(some[-1].id[1:])

    def entries(self, after: int = 0, until: int | None = None) -> Iterator[Entry]:
        """Entries with sequence numbers above `after`, and up to `until`, in order."""
        return map(to_entry, self._rows(after, until))

    def entries_of(self, request: str) -> list[Entry]:
        """The history of one request."""
        found = self._all("SELECT * FROM entry WHERE request = ? ORDER BY sequence", request)
        return [to_entry(Row(*row)) for row in found]

    def active(self, at: int | None = None) -> list[Request]:
        """The requests that held when the ledger had `at` entries: verified, and not withdrawn. States are today's."""
        at = self.head_at(at).sequence if at is not None else self.head().sequence
        with self._reading():
            return read_requests(self._connection, ACTIVE, (at, at))

    def asking_for_copies(self) -> list[Request]:
        """Those of the requests that hold which ask for copies too; few of many."""
        at = self.head().sequence
        with self._reading():
            return read_requests(self._connection, f"copies = 1 AND {ACTIVE}", (at, at))

    def selectors(self, at: int | None = None) -> Selectors:
        """What the requests that held then ask for."""
        at = self.head_at(at).sequence if at is not None else self.head().sequence
        found = self._all(
            f"SELECT target, value, kinds FROM selector JOIN request ON number = request WHERE {ACTIVE}", at, at
        )
        return Selectors.of(to_selector(*row) for row in found)

    def changes(self, after: Head) -> Changes:
        """What happened after `after`.

        Raises UsageError where that is no head of this ledger, or the entries since then do not hold together.
        """
        held = self._one("SELECT chain FROM entry WHERE sequence = ?", after.sequence)
        if after != EMPTY and held != (after.chain,):
            why = "it ends before" if held is None else "that entry is another one"
            raise UsageError(
                f"entry {after.sequence}, up to which requests were honoured, is not in the ledger '{self.path}' "
                f"({why}): it is another ledger, or was tampered with; give the one that the run was made with."
            )
        broken = next(broken_links(self._rows(after.sequence), after), None)
        if broken:
            raise UsageError(f"the ledger '{self.path}' was tampered with: {broken} Restore it from a copy.")
        with self._reading():
            accepted = read_requests(self._connection, "verified_at > ? AND withdrawn_at IS NULL", (after.sequence,))
            withdrawn = read_requests(
                self._connection, "verified_at <= ? AND withdrawn_at > ?", (after.sequence, after.sequence)
            )
        return Changes(accepted, withdrawn)

    def person(self, name: str) -> dict[str, Any] | None:
        """Who made a request, and what they wrote; None where that is not known, or erased."""
        self.request(name)
        row = self._one("SELECT data FROM person WHERE request = ?", name)
        return json.loads(row[0]) if row else None

    def export(self, file: TextIO) -> None:
        """Write every entry, and every signature, as a JSON line; persons are left out."""
        for row in self._rows(0):
            file.write(exported(row) + "\n")
        for sequence, chain, key, signature in self._all("SELECT * FROM signature ORDER BY sequence, key"):
            line = {"sequence": sequence, "chain": chain, "key": key, "signature": signature}
            file.write(canonical({"signed": line}) + "\n")

    def verify(self, public_keys: PublicKeys | None = None, known: Iterable[Head] = ()) -> list[str]:
        """What is wrong with the ledger, a sentence each; nothing where it is whole.

        `known` are heads that it had, as receipts and certificates name them: by these, and by signatures, it is found
        that its newest entries were removed.
        """
        with self._reading():
            return problems(self._connection, public_keys, known)

    def _rows(self, after: int, until: int | None = None) -> Iterator[Row]:
        while True:
            some = self._all(
                f"SELECT * FROM entry WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT {AT_ONCE}",
                after,
                (1 << 62) if until is None else until,
            )
            yield from (Row(*row) for row in some)
            if len(some) < AT_ONCE:
                return
            after = some[-1][0]

    def _one(self, query: str, *values: Any) -> Any:
        with self._reading():
            return self._connection.execute(query, values).fetchone()

    def _all(self, query: str, *values: Any) -> list[Any]:
        with self._reading():
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """One state of the ledger, whatever others write meanwhile."""
        with self._turn:
            if self._connection.in_transaction:
                yield
                return
            try:
                self._connection.execute("BEGIN")
                try:
                    yield
                finally:
                    self._connection.execute("ROLLBACK")
            except sqlite3.DatabaseError as error:
                raise damaged(self.path, error) from None
