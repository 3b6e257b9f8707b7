"""Honours a ledger's requests in runs: which are due in which run, the removal, and what the ledger says of it.

A run names the head of the ledger it honours (honoured.json); entries after it are due. Before a file changes, the
ledger says that the removal begins: its time, and the certificate's, is that entry's, however often it is interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack

from opt_out.apply import HONOURED, Record, forget_journal, remove
from opt_out.erasers import Erasers
from opt_out.journal import Plan
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

    What an interrupted removal left in a run is finished too. Takes the lock of each run in turn; UsageError where
    another process works on one.
    """
    asked = {request.id: request for request in requests}
    asked |= {name: ledger.request(name) for run in runs for name in interrupted(Storage(run))}
    times = {name: begin(ledger, name, runs) for name in asked}
    head = ledger.head()._asdict()
    records: dict[str, list[Record]] = {name: [] for name in asked}
    with ExitStack() as locks:
        for run in runs:
            store = Storage(run)
            locks.enter_context(locked(store))
            done = remove(store, asked, times, head, erasers, executor)
            for name in asked:
                records[name].append(done[name])
        report(ledger, records)
        for run in runs:
            forget_journal(Storage(run))
    return records


def interrupted(store: Storage) -> list[str]:
    """The requests whose removal from a run was interrupted, or not reported yet."""
    plan = Plan.load(store)
    return list(plan.requests) if plan else []


def report(ledger: Ledger, records: Mapping[str, list[Record]]) -> None:
    """Write into the ledger what was done for each request, unless it says so already."""
    for name, made in records.items():
        body = {"runs": made}
        if list(ledger.entries_of(name))[-1].body != body:
            ledger.record("honoured", name, body)


def begin(ledger: Ledger, request: str, runs: Sequence[str]) -> str:
    """When the removal for a request from these runs began: now, unless the ledger says so already."""
    body = {"runs": list(runs)}
    begun = [entry for entry in ledger.entries_of(request) if entry.event == "applying" and entry.body == body]
    if begun and (interrupted_in(runs, request) or list(ledger.entries_of(request))[-1] == begun[-1]):
        return begun[-1].time
    ledger.record("applying", request, body)
    return list(ledger.entries_of(request))[-1].time


def interrupted_in(runs: Sequence[str], request: str) -> bool:
    """Whether a removal for the request was interrupted in one of these runs."""
    return any(request in interrupted(Storage(run)) for run in runs)
