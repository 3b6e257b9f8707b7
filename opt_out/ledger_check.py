"""Looks for what somebody did to a ledger with another program: each problem is told in one sentence.

The chain finds edits, removals and moves; signatures and heads known elsewhere find that the newest entries were cut
off, or that the whole chain was computed anew; the look-up tables are made again in memory and compared.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator

from opt_out.chain import EMPTY, Head, Row, broken_links, head_statement, to_entry
from opt_out.keys import PublicKeys
from opt_out.ledger_file import INDEX, TRIGGERS
from opt_out.ledger_index import index_entry, request_id
from pipeline.errors import UsageError

MOST = 20  # sentences; one edit may break many things


def problems(connection: sqlite3.Connection, keys: PublicKeys | None, known: Iterable[Head]) -> list[str]:
    """What is wrong, at most MOST sentences."""
    try:
        whole = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if whole != "ok":
            return [f"the file is damaged ({str(whole).splitlines()[-1]})."]
        found: list[str] = []
        for sentence in _all(connection, keys, list(known)):
            found.append(sentence)
            if len(found) == MOST:
                break
        return found
    except sqlite3.DatabaseError as error:
        return [f"the file is damaged ({error})."]


def _all(connection: sqlite3.Connection, keys: PublicKeys | None, known: list[Head]) -> Iterator[str]:
    yield from _guards(connection)
    broken = False
    for sentence in broken_links(_rows(connection)):
        broken = True
        yield sentence
    yield from _cut(connection, known)
    yield from _signatures(connection, keys)
    if not broken:  # otherwise nothing can be said of what derives from the entries
        yield from _index(connection)
        yield from _persons(connection)


def _rows(connection: sqlite3.Connection) -> Iterator[Row]:
    return (Row(*row) for row in connection.execute("SELECT * FROM entry ORDER BY sequence"))


def _guards(connection: sqlite3.Connection) -> Iterator[str]:
    present = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
    missing = sorted(name for name, sql in TRIGGERS.items() if present.get(name) != sql)
    if missing:
        yield f"the triggers that keep entries as they are ({', '.join(missing)}) were dropped or changed."
    for name in sorted(present.keys() - TRIGGERS.keys()):
        yield f"somebody added a trigger '{name}', which changes what is written."


def _cut(connection: sqlite3.Connection, known: list[Head]) -> Iterator[str]:
    """Heads that the ledger had and has no more."""
    for head in known:
        if head == EMPTY:
            continue
        row = connection.execute("SELECT chain FROM entry WHERE sequence = ?", (head.sequence,)).fetchone()
        if row is None:
            yield f"entries were removed from the end: there was an entry {head.sequence}, which is known elsewhere."
        elif row[0] != head.chain:
            yield f"entry {head.sequence} is another one than is known elsewhere: the ledger was rewritten up to there."


def _signatures(connection: sqlite3.Connection, keys: PublicKeys | None) -> Iterator[str]:
    """Signed heads that are missing, or not signed by whom they say."""
    lost = _lost(connection) | (keys.lost if keys else frozenset())
    signed = connection.execute("SELECT sequence, chain, key, signature FROM signature ORDER BY sequence").fetchall()
    good = [sequence for sequence, _, key, _ in signed if key not in lost]
    for sequence, chain, key, signature in signed:
        row = connection.execute("SELECT chain FROM entry WHERE sequence = ?", (sequence,)).fetchone()
        if row is None:
            yield f"entries were removed from the end: key {key} signed entry {sequence}, which is not there."
        elif row[0] != chain:
            yield f"entry {sequence} is another one than key {key} signed: the ledger was rewritten up to there."
        if keys is not None:
            if not keys.knows(key):
                yield f"entry {sequence} is signed by {key}, which is none of the operator's keys."
            elif not keys.matches(key, head_statement(Head(sequence, chain)), _bytes(signature)):
                yield f"the signature of entry {sequence} by key {key} is forged."
        if key in lost and not any(later >= sequence for later in good):
            yield f"entry {sequence} is signed only by key {key}, which was lost; sign with the present key."
    entries = connection.execute("SELECT count(*) FROM entry").fetchone()[0]
    if keys is not None and entries and not signed:
        yield "no entry is signed: nobody signed yet, or the signatures were removed."


def _lost(connection: sqlite3.Connection) -> frozenset[str]:
    found = connection.execute("SELECT json_extract(body, '$.key') FROM entry WHERE event = 'key_lost'")
    return frozenset(key for (key,) in found)


def _bytes(signature: str) -> bytes:
    try:
        return bytes.fromhex(signature)
    except (ValueError, TypeError):
        return b""


def _index(connection: sqlite3.Connection) -> Iterator[str]:
    """Look-up tables that do not say what the entries say."""
    again = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for statement in INDEX:
            again.execute(statement)
        again.execute("BEGIN")
        for entry in map(to_entry, _rows(connection)):
            try:
                index_entry(again, entry)
            except (KeyError, ValueError, TypeError, sqlite3.DatabaseError, UsageError) as error:
                yield f"entry {entry.sequence} ({entry.event}) makes no sense ({error})."
                return
        for table in ("request", "selector"):
            order = f"SELECT * FROM {table} ORDER BY 1, 2"
            ours, theirs = again.execute(order), connection.execute(order)
            while True:
                right, held = ours.fetchone(), theirs.fetchone()
                if right != held:
                    number = (right or held)[0]
                    yield f"the table '{table}' says of {request_id(number)} what the entries do not say; rebuild it."
                    break
                if right is None:
                    break
    finally:
        again.close()


def _persons(connection: sqlite3.Connection) -> Iterator[str]:
    """Persons that are not the ones of the entries."""
    held = "SELECT id, commitment, erased, salt, data FROM request LEFT JOIN person ON request = id ORDER BY number"
    for name, commitment, erased, salt, data in connection.execute(held):
        if data is None:
            if commitment is not None and not erased:
                yield f"who made {name} was removed without an entry that says so."
        elif erased:
            yield f"who made {name} stands there although it was erased; erase it again."
        elif commitment != hashlib.sha256(bytes(salt) + str(data).encode()).hexdigest():
            yield f"who made {name} was edited: it has another hash than the entry says."
    for (name,) in connection.execute("SELECT request FROM person WHERE request NOT IN (SELECT id FROM request)"):
        yield f"a person is recorded for {name}, which is no request."
