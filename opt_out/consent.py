"""How a run keeps to a ledger: it catches up with requests before it goes on, and keeps no trace of what a gate stops.

A request recomputes nothing: what it covers is removed. A request that is withdrawn makes the run read anew what it
had left out, from the first pass on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from opt_out.apply import HONOURED, forget_journal, remove
from opt_out.copies import copies_of
from opt_out.erasers import Erasers
from opt_out.honour import begin, due, finish, report
from opt_out.journal import Plan
from opt_out.ledger import Ledger
from opt_out.stage import OptOut
from pipeline.errors import UsageError
from pipeline.recipe import Recipe
from pipeline.side import Executor
from pipeline.state import Run


class LedgerConsent:
    """pipeline.run.Consent by the ledger at `path`, a file or URL; one at a URL can be read, not written."""

    def __init__(self, path: str, erasers: Erasers) -> None:
        """UsageError where there is no ledger."""
        self._path, self._erasers = path, erasers
        with Ledger.open(path, readonly=True) as ledger:
            self._head = ledger.head()

    @property
    def head(self) -> Mapping[str, Any]:
        return self._head._asdict()

    def catch_up(self, run: Run, executor: Callable[[], Executor]) -> bool:
        """Remove what was asked for since the run was made; True where a file changed."""
        store, begun = run.store, any(this.receipts for this in run.passes)
        finished = False
        if Plan.load(store) is not None:
            with Ledger.open(self._path) as ledger:
                finished = bool(finish(ledger, store, self._erasers, executor()))
        with Ledger.open(self._path, readonly=True) as ledger:
            changes = due(ledger, store)
        if changes.withdrawn and begun:
            _read_anew(run)
        asked = {request.id: request for request in changes.accepted} if begun else {}
        if asked:
            with Ledger.open(self._path) as ledger:
                times = {name: begin(ledger, name, [store.root]) for name in asked}
                done = remove(store, asked, times, self.head, self._erasers, executor())
                report(ledger, {name: [made] for name, made in done.items()})
            forget_journal(store)
        elif changes.accepted or changes.withdrawn or not store.exists(HONOURED):
            store.write_json(HONOURED, dict(self.head))
        return bool(finished or asked or (changes.withdrawn and begun))

    def sweep(self, run: Run, executor: Callable[[], Executor]) -> bool:
        """Remove what earlier passes hold of documents that a gate left out of the later ones."""
        if not _gate_stopped(run):
            return False
        with Ledger.open(self._path, readonly=True) as ledger:
            asked = {request.id: request for request in ledger.active()}
            for request in ledger.asking_for_copies():  # what went as a copy stays away by its content
                selectors = (*request.selectors, *copies_of(ledger, request.id))
                asked[request.id] = replace(request, selectors=selectors)
        times = {name: request.received for name, request in asked.items()}
        remove(run.store, asked, times, self.head, self._erasers, executor())
        forget_journal(run.store)
        return True


def ledger_of(recipe: Recipe) -> str | None:
    """The ledger that a recipe's stages read; None where they read none. UsageError where they read several."""
    stages = [named.stage for part in recipe.passes for named in part.stages]
    paths = {stage.ledger for stage in stages if isinstance(stage, OptOut) and stage.ledger}
    if len(paths) > 1:
        raise UsageError(f"the recipe names {len(paths)} ledgers ({', '.join(sorted(paths))}); a run keeps to one.")
    return paths.pop() if paths else None


def _gate_stopped(run: Run) -> bool:
    """Whether an opt-out stage left out documents, not only repositories, by the receipts."""
    for this in run.passes:
        gates = {named.name for named in this.part.stages if isinstance(named.stage, OptOut)}
        for receipt in this.receipts.values() if this is not run.passes[0] else ():
            for measure in receipt["stages"]:
                if measure["stage"] in gates and measure["decisions"].get("drop", {}).get("opted_out"):
                    return True
    return False


def _read_anew(run: Run) -> None:
    """Let the passes that read the list and the repositories run again; the later ones follow where it matters."""
    for this in run.passes:
        if this is run.passes[0] or this.part.opener.source:
            run.store.remove(f"{this.folder.path}/receipts")
            run.store.remove(f"{this.folder.path}/prepared.json")
