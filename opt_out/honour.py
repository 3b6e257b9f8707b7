"""Honours a ledger's requests in runs: which are due in which run, the removal, and what the ledger says of it.

A run names the head of the ledger it honours (honoured.json); entries after it are due. Before a file changes, the
ledger says that the removal begins: its time, and the certificate's, is that entry's, however often it is interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from opt_out.apply import HONOURED, Record, remove
from opt_out.erasers import Erasers
from opt_out.ledger import Changes, Head, Ledger, Request
from pipeline.lock import locked
from pipeline.side import Executor
from pipeline.storage import Storage

START = Head(0, "0" * 64)


def head_of(store: Storage) -> Head:
    """The head that a run honours; the beginning where it honours none."""
    held = store.read_record(HONOURED, "sequence", "chain")
    return Head(held["sequence"], held["chain"]) if held else START


def due(ledger: Ledger, store: Storage) -> Changes:
    """What the ledger says that a run does not honour yet."""
    return ledger.changes(head_of(store))


def honour(
    ledger: Ledger, runs: Sequence[str], requests: Iterable[Request], erasers: Erasers, executor: Executor
) -> dict[str, list[Record]]:
    """Remove what `requests` ask for from every run, and say so in the ledger; the records of each request, by id.

    Takes the lock of each run in turn. Raises UsageError where another process works on one.
    """
    asked = {request.id: request for request in requests}
    times = {name: begin(ledger, name, runs) for name in asked}
    head = ledger.head()._asdict()
    records: dict[str, list[Record]] = {name: [] for name in asked}
    for run in runs:
        store = Storage(run)
        with locked(store):
            done = remove(store, asked, times, head, erasers, executor)
        for name in asked:
            records[name].append(done[name])
    record(ledger, records)
    return records


def record(ledger: Ledger, records: Mapping[str, list[Record]]) -> None:
    """Write into the ledger what was done for each request."""
    for name, made in records.items():
        ledger.record("honoured", name, {"runs": made})


def begin(ledger: Ledger, request: str, runs: Sequence[str]) -> str:
    """When the removal for a request from these runs began: now, unless the ledger says so already."""
    body = {"runs": list(runs)}
    last = None
    for entry in ledger.entries_of(request):
        last = entry
    if last is None or last.event != "applying" or last.body != body:
        ledger.record("applying", request, body)
        last = list(ledger.entries_of(request))[-1]
    return last.time
