"""Honours a ledger's requests in runs: which are due in which run, the removal, and what the ledger says of it.

A run names the head of the ledger it honours (honoured.json); entries after it are due. Before a file changes, the
ledger says that the removal begins: its time, and the certificate's, is that entry's, however often it is interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack

from opt_out.apply import HONOURED, Record, forget_journal, go_on, remove
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

    What an interrupted removal left in a run is finished and reported first. Takes the locks of all runs; UsageError
    where another process works on one, or one honours another ledger.
    """
    stores = [Storage(run) for run in runs]
    with ExitStack() as locks:
        for store in stores:
            locks.enter_context(locked(store))
        finished = {store.root: finish(ledger, store, erasers, executor) for store in stores}
        asked = {request.id: request for request in requests}
        open_in = {store.root: {one.id for one in due(ledger, store).accepted} for store in stores}
        times = {
            name: begin(ledger, name, runs) for name in asked if any(name not in done for done in finished.values())
        }
        now = ledger.head()
        records: dict[str, list[Record]] = {name: [] for name in [*asked, *(n for d in finished.values() for n in d)]}
        for store in stores:
            # Where another request is due still, the run does not honour the ledger up to its end.
            head = now if open_in[store.root] <= asked.keys() else head_of(store)
            rest = {name: request for name, request in asked.items() if name not in finished[store.root]}
            done = remove(store, rest, times, head._asdict(), erasers, executor) if rest else {}
            for name, record in (finished[store.root] | done).items():
                records[name].append(record)
        report(ledger, records)
        for store in stores:
            forget_journal(store)
    return records


def finish(ledger: Ledger, store: Storage, erasers: Erasers, executor: Executor) -> dict[str, Record]:
    """Finish and report what an interrupted removal left in a run; the records of its requests, by id."""
    done = go_on(store, erasers, executor) or {}
    report(ledger, {name: [record] for name, record in done.items()})
    forget_journal(store)
    return done


def report(ledger: Ledger, records: Mapping[str, list[Record]]) -> None:
    """Write into the ledger what was done for each request, unless it says so already."""
    for name, made in records.items():
        body = {"runs": made}
        if all(entry.body != body for entry in ledger.entries_of(name)):
            ledger.record("honoured", name, body)


def begin(ledger: Ledger, request: str, runs: Sequence[str]) -> str:
    """When the removal for a request from these runs began: now, unless the ledger says so already."""
    body = {"runs": list(runs)}
    entries = ledger.entries_of(request)
    if entries[-1].event != "applying" or entries[-1].body != body:
        ledger.record("applying", request, body)
        entries = ledger.entries_of(request)
    return entries[-1].time
