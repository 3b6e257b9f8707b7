"""The ledger of opt-out requests: an append-only, hash-chained SQLite file (docs/decisions/opt-out-ledger.md).

What happened to a request is an entry; states and look-ups derive from the entries. Who asked stands apart and can be
erased: an entry holds only a salted hash of it. Any number of processes and threads may write at once; each transaction
waits for its turn, checks what it does against the state it finds, and is on the disk before it returns.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NamedTuple, TextIO

from opt_out.chain import EMPTY, Entry, Row, broken_links, canonical, exported, to_entry
from opt_out.chain import Head as Head
from opt_out.keys import PrivateKey, PublicKeys
from opt_out.ledger_check import problems
from opt_out.ledger_file import connect, create_file, damaged
from opt_out.ledger_index import Request as Request
from opt_out.ledger_index import index_entry, read_requests, to_selector
from opt_out.ledger_writer import Incoming as Incoming
from opt_out.ledger_writer import Writer
from opt_out.selectors import Selector, Selectors
from pipeline.errors import UsageError

AT_ONCE = 1_000  # rows read in one go
ACTIVE = "verified_at <= ? AND (withdrawn_at IS NULL OR withdrawn_at > ?)"


class Changes(NamedTuple):
    """What happened after a head: requests that hold since, and those that held then and were withdrawn."""

    accepted: list[Request]
    withdrawn: list[Request]


class Ledger:
    """An open ledger; made by `open` or `create`, closed by `with` or `close`."""

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._turn = threading.RLock()

    @classmethod
    def create(cls, path: str) -> Ledger:
        """Make an empty ledger and open it. UsageError where there is a file already, or none can be made."""
        create_file(path)
        return cls.open(path)

    @classmethod
    def open(cls, path: str, *, readonly: bool = False) -> Ledger:
        """Open the ledger at a local path, or, to read it, at a URL.

        Raises UsageError where there is none, it is damaged, or a newer Quarry made it.
        """
        return cls(path, connect(path, readonly))

    def close(self) -> None:
        with self._turn:
            self._connection.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Reading

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

    # Writing

    def receive(
        self,
        selectors: Sequence[Selector],
        *,
        source: str,
        person: Mapping[str, Any] | None,
        copies: bool = False,
        received: str | None = None,
        held: str = "",
    ) -> Request:
        """Add a request, or give the one whose source it is already. UsageError where it asks for nothing."""
        self.receive_many([Incoming(selectors, source, person, copies, received, held)])
        with self._reading():
            return read_requests(self._connection, "source = ?", (source,))[0]

    def receive_many(self, incoming: Iterable[Incoming]) -> list[Request]:
        """Add requests, all of them or none, and return the new ones; those whose source is known add nothing."""
        with self._writing() as writer:
            first = (writer.one("SELECT max(number) FROM request")[0] or 0) + 1
            number = first
            for one in incoming:
                number += writer.receive(number, one)
        with self._reading():
            return read_requests(self._connection, "number >= ? AND number < ?", (first, number))

    def record(self, event: str, request: str, body: Mapping[str, Any], *, time: str | None = None) -> Head:
        """Add an entry about a request, or, with `request` empty, about a key (`body` holds the key's id as `key`).

        Raises UsageError where the event is impossible in the request's state.
        """
        with self._writing() as writer:
            writer.check(event, request, body)
            return writer.add(event, request, body, time)

    def erase_person(self, *names: str) -> None:
        """Forget who made these requests and what they wrote; the chain stays whole, and no byte of it in the file.

        The file is written anew, since SQLite moves rows about and may leave copies in unused parts of pages. Raises
        UsageError where another process keeps it from that; then erase again.
        """
        with self._writing() as writer:
            for name in names:
                known = writer.one("SELECT commitment, erased FROM request WHERE id = ?", name)
                if known is None:
                    raise UsageError(
                        f"the ledger '{self.path}' has no request {name}; 'quarry opt-out list' shows all."
                    )
                writer.execute("DELETE FROM person WHERE request = ?", name)
                if known[0] is not None and not known[1]:
                    writer.add("person_erased", name, {})
        with self._turn:
            try:
                self._connection.execute("VACUUM")
                busy = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            except sqlite3.DatabaseError as error:
                raise damaged(self.path, error) from None
        if busy:
            raise UsageError(
                f"the persons are erased, but another process still reads the ledger '{self.path}', so that its old "
                "pages remain; close that process and erase again."
            )

    def sign(self, key: PrivateKey) -> Head:
        """Sign the newest entry, and so all before it. UsageError without one, and where the key is retired or lost."""
        with self._writing() as writer:
            return writer.sign(key)

    def rebuild_index(self) -> None:
        """Make states and look-ups anew from the entries. UsageError where these do not hold together."""
        with self._writing() as writer:
            broken = next(broken_links(self._rows(0)), None)
            if broken:
                raise UsageError(f"the ledger '{self.path}' was tampered with: {broken} Restore it from a copy.")
            for table in ("request", "selector"):
                writer.execute(f"DELETE FROM {table}")
            for entry in self.entries():
                index_entry(self._connection, entry)

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

    @contextmanager
    def _writing(self) -> Iterator[Writer]:
        """A transaction that no other one overlaps; on the disk when it ends, and undone where it fails."""
        with self._turn:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield Writer(self._connection, self.head(), self.path)
                    self._connection.execute("COMMIT")
                finally:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
            except sqlite3.DatabaseError as error:
                raise damaged(self.path, error) from None
