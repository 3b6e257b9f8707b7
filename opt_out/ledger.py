"""The ledger of opt-out requests: an append-only, hash-chained SQLite file (docs/decisions/opt-out-ledger.md).

What happened to a request is an entry; states and look-ups derive from the entries. Who asked stands apart and can be
erased: an entry holds only a salted hash of it. Any number of processes and threads may write at once; each transaction
waits for its turn, checks what it does against the state it finds, and is on the disk before it returns.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from opt_out.chain import Head as Head
from opt_out.chain import broken_links
from opt_out.keys import PrivateKey
from opt_out.ledger_file import connect, create_file, damaged
from opt_out.ledger_index import Request as Request
from opt_out.ledger_index import index_entry, read_requests
from opt_out.ledger_reader import Changes as Changes
from opt_out.ledger_reader import LedgerReader
from opt_out.ledger_writer import Incoming as Incoming
from opt_out.ledger_writer import Writer
from opt_out.selectors import Selector
from pipeline.errors import UsageError


class Ledger(LedgerReader):
    """An open ledger; made by `open` or `create`, closed by `with` or `close`."""

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
                writer.forget(name)
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
