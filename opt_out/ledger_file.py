"""The file of a ledger: an SQLite database in WAL mode whose entries only grow, and how it is opened.

Triggers refuse edits, removals and entries out of order by whoever opens it with any program; who drops the triggers
is found out by the chain. Every commit is synced to the disk before it is acknowledged.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from urllib.parse import quote

from pipeline.errors import RunFailed, UsageError
from pipeline.storage import read_file

APPLICATION = 0x51525959  # 'QRYY', in the header of the file
FORMAT = 1
WAIT_S = 60.0  # for another writer

TRIGGERS = {
    "entry_order": """CREATE TRIGGER entry_order BEFORE INSERT ON entry WHEN
        NEW.sequence IS NOT (SELECT coalesce(max(sequence), 0) + 1 FROM entry) OR NEW.previous IS NOT
        coalesce((SELECT chain FROM entry ORDER BY sequence DESC LIMIT 1), printf('%064d', 0))
        BEGIN SELECT raise(ABORT, 'an entry of the ledger follows the last one'); END""",
    **{
        f"{table}_{verb.lower()}": f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT raise(ABORT, 'the ledger only grows'); END"
        for table in ("entry", "signature")
        for verb in ("UPDATE", "DELETE")
    },
}
TABLES = (
    """CREATE TABLE entry(sequence INTEGER PRIMARY KEY, time TEXT NOT NULL, event TEXT NOT NULL,
        request TEXT NOT NULL, body TEXT NOT NULL, previous TEXT NOT NULL, chain TEXT NOT NULL)""",
    "CREATE INDEX entry_request ON entry(request)",
    """CREATE TABLE signature(sequence INTEGER NOT NULL, chain TEXT NOT NULL, key TEXT NOT NULL,
        signature TEXT NOT NULL, UNIQUE(sequence, key))""",
    "CREATE TABLE person(request TEXT PRIMARY KEY, salt BLOB NOT NULL, data TEXT NOT NULL)",
)
# What the entries say of each request, for quick look-ups; made from the entries alone (opt_out/ledger_index.py).
INDEX = (
    """CREATE TABLE request(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL,
        reason TEXT NOT NULL, copies INTEGER NOT NULL, source TEXT NOT NULL UNIQUE, received TEXT NOT NULL,
        verified TEXT, verified_at INTEGER, withdrawn_at INTEGER, commitment TEXT, erased INTEGER NOT NULL)""",
    "CREATE INDEX request_verified ON request(verified_at)",
    "CREATE INDEX request_withdrawn ON request(withdrawn_at)",
    """CREATE TABLE selector(request INTEGER NOT NULL, place INTEGER NOT NULL, target TEXT NOT NULL,
        value TEXT NOT NULL, kinds TEXT NOT NULL, PRIMARY KEY(request, place)) WITHOUT ROWID""",
)


def create_file(path: str) -> None:
    """Make an empty ledger; whoever looks sees none or a whole one. UsageError where there is a file already."""
    if "://" in path:
        raise UsageError(f"a ledger is written on a local disk, not at '{path}'; make it there, and publish copies.")
    try:
        number, temporary = tempfile.mkstemp(prefix=".ledger-", dir=os.path.dirname(path) or ".")
    except OSError as error:
        raise UsageError(f"cannot make the ledger '{path}' ({error.strerror}).") from None
    os.close(number)
    try:
        connection = sqlite3.connect(temporary, isolation_level=None)
        for statement in (*TABLES, *INDEX, *TRIGGERS.values()):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
        os.link(temporary, path)
    except FileExistsError:
        raise UsageError(f"'{path}' exists already; open it, or name another file for a new ledger.") from None
    finally:
        os.remove(temporary)


def connect(path: str, readonly: bool) -> sqlite3.Connection:
    """Open a ledger. UsageError where there is none, it is damaged, or of a format to come."""
    try:
        connection = _read(path) if readonly else _write(path)
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise damaged(path, error) from None
    problem = None
    if application != APPLICATION:
        problem = f"'{path}' is no ledger of opt-out requests; name the file that 'quarry opt-out add' made."
    elif version > FORMAT:
        problem = f"the ledger '{path}' is of format {version}, made by a newer Quarry than this; update it."
    if problem:
        connection.close()
        raise UsageError(problem)
    return connection


def damaged(path: str, error: sqlite3.DatabaseError) -> UsageError:
    """What an error of SQLite means to a user."""
    if "locked" in str(error) or "busy" in str(error):
        return UsageError(f"another process has been writing in the ledger '{path}' for {WAIT_S:.0f} s; try again.")
    if "readonly" in str(error):
        return UsageError(f"the ledger '{path}' cannot be written ({error}); open it where you may write.")
    return UsageError(f"the ledger '{path}' is damaged or no ledger ({error}); restore it from a copy.")


def _write(path: str) -> sqlite3.Connection:
    if "://" in path:
        raise UsageError(f"the ledger at '{path}' can only be read; write in the file that it is a copy of.")
    _exists(path)
    connection = _open(path, "rw")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def _read(path: str) -> sqlite3.Connection:
    if "://" not in path:
        _exists(path)
        try:
            connection = _open(path, "ro")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:  # in a folder that cannot be written, WAL has no place for its own files
            if os.path.exists(f"{path}-wal") and os.path.getsize(f"{path}-wal"):
                raise
        else:
            return connection
    return _copy(path)


def _copy(path: str) -> sqlite3.Connection:
    """A ledger in memory, as its file is; what a writer has not yet moved from the WAL into it is not seen."""
    try:
        data = bytearray(read_file(path))
    except (OSError, RunFailed) as error:
        raise UsageError(f"cannot read the ledger '{path}' ({getattr(error, 'strerror', None) or error}).") from None
    if data[:16] != b"SQLite format 3\0":
        raise UsageError(f"'{path}' is no ledger of opt-out requests; name a copy of one.")
    data[18:20] = b"\1\1"  # in memory there is no WAL
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.deserialize(bytes(data))
    connection.execute("PRAGMA query_only = ON")
    return connection


def _exists(path: str) -> None:
    if not os.path.isfile(path):
        raise UsageError(f"there is no ledger '{path}'; name the file, or make it with 'quarry opt-out add'.")


def _open(path: str, mode: str) -> sqlite3.Connection:
    """A connection that several threads may use in turn; `mode` is SQLite's."""
    address = f"file:{quote(os.path.abspath(path))}?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
