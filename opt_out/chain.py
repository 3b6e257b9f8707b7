"""Entries of a ledger, each bound to the one before by its hash: whoever changes one changes all that follow.

An entry's hash is the SHA-256 of its canonical JSON (UTF-8, sorted keys, no blanks) without the hash itself, so that
anybody can compute it anew from an exported line, in any language.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

NOTHING_BEFORE = "0" * 64
HEAD_STATEMENT = "quarry opt-out ledger, head"


class Head(NamedTuple):
    """How far a ledger went; (0, 64 zeros) for an empty one."""

    sequence: int
    chain: str


EMPTY = Head(0, NOTHING_BEFORE)


class Row(NamedTuple):
    """An entry as it is stored; `body` is canonical JSON."""

    sequence: int
    time: str
    event: str
    request: str
    body: str
    previous: str
    chain: str


class Entry(NamedTuple):
    """One entry; `request` is empty where it concerns a key."""

    sequence: int
    time: str  # ISO, UTC, seconds
    event: str
    request: str
    body: dict[str, Any]
    previous: str
    chain: str


def canonical(value: Any) -> str:
    """The one JSON text of `value`; a lone surrogate, which UTF-8 has no bytes for, stays escaped."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace").decode()


def make_row(head: Head, time: str, event: str, request: str, body: str) -> Row:
    """The entry that follows `head`."""
    sequence = head.sequence + 1
    chain = _digest(_text(sequence, time, event, request, body, head.chain))
    return Row(sequence, time, event, request, body, head.chain, chain)


def to_entry(row: Row) -> Entry:
    """With the body read."""
    return Entry(*row[:4], json.loads(row.body), *row[5:])


def exported(row: Row) -> str:
    """The line of an export."""
    return canonical(to_entry(row)._asdict())


def head_statement(head: Head) -> bytes:
    """What a key signs to vouch for a ledger up to `head`."""
    return f"{HEAD_STATEMENT}\n{head.sequence}\n{head.chain}\n".encode()


def broken_links(rows: Iterable[Row], after: Head = EMPTY) -> Iterator[str]:
    """A sentence for each place where the chain does not hold; `rows` are all that follow `after`, in their order."""
    last = after
    for row in rows:
        if any(not isinstance(part, str) for part in row[1:]):
            yield f"entry {row.sequence} was edited: it holds something else than text."
            last = Head(row.sequence, str(row.chain))
            continue
        if row.sequence != last.sequence + 1:
            yield f"{_numbered(last.sequence + 1, row.sequence - 1)} removed: {row.sequence} follows {last.sequence}."
        elif row.previous != last.chain:
            yield f"entry {row.sequence} does not continue entry {last.sequence}: one of the two was edited or moved."
        if not _holds(row):
            yield f"entry {row.sequence} was edited or moved: its content has another hash than it says."
        last = Head(row.sequence, row.chain)


def _holds(row: Row) -> bool:
    try:
        if canonical(json.loads(row.body)) != row.body:
            return False
        return _digest(_text(*row[:6])) == row.chain
    except ValueError:
        return False


def _text(sequence: int, time: str, event: str, request: str, body: str, previous: str) -> str:
    """Canonical JSON of an entry; `body` is such already."""
    rest = canonical({"event": event, "previous": previous, "request": request, "sequence": sequence, "time": time})
    return f'{{"body":{body},{rest[1:]}'


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _numbered(first: int, last: int) -> str:
    return f"entry {first} was" if first == last else f"entries {first} to {last} were"
