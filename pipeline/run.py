"""One execution of a recipe into a directory: pass after pass, only what is not done yet, and the manifest last.

Nothing is written where nothing is to be done, and nothing before the request is known to be possible.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

from pipeline import schema
from pipeline.errors import RunFailed
from pipeline.law import schema_after
from pipeline.layout import Receipt, pass_folders, remove_scratch
from pipeline.lock import locked
from pipeline.manifest import build_manifest
from pipeline.recipe import Recipe
from pipeline.shard_task import FULL, ShardTask
from pipeline.side import Corpus, Executor, Worker
from pipeline.state import PassRun, Run, digest_of, is_recorded, open_run
from pipeline.storage import Storage


class Listener(Protocol):
    """What a run tells while it works."""

    def note(self, message: str) -> None: ...
    def pass_started(self, name: str, shards: int, done: int, workers: int) -> None: ...
    def preparing(self, name: str, done: int, total: int) -> None: ...
    def shard_finished(self, name: str, receipt: Receipt) -> None: ...
    def pass_finished(self, name: str) -> None: ...


class Consent(Protocol):
    """How a run honours opt-out requests; the run's lock is held. Both return whether they changed any file."""

    @property
    def head(self) -> Mapping[str, Any] | None:
        """The head of the ledger that new shards honour, for their receipts; None without a ledger."""

    def catch_up(self, run: Run, executor: Callable[[], Executor]) -> bool:
        """Bring what stands in the run up to the head, before it goes on."""

    def sweep(self, run: Run, executor: Callable[[], Executor]) -> bool:
        """Take away what a completed run holds of documents that a gate has stopped."""


Publish = Callable[[Run], bool]  # makes dataset/ of a completed run; True where it had anything to do


def execute(
    recipe: Recipe,
    out: str,
    start_executor: Callable[[], Any],
    listener: Listener,
    publish: Publish,
    *,
    consent: Consent | None = None,
    discard_intermediate: bool = False,
) -> Run:
    """Complete the run of `recipe` in `out`. `start_executor()` gives a context manager, entered only for work.

    Raises UsageError before anything is done, RunFailed (and its kin) where it stops; finished shards stay.
    """
    open_run(recipe, out)  # what is wrong with the request is told before anything is written
    store = Storage(out)
    with locked(store), _full_disk_is_told(out), ExitStack() as stack:
        run = open_run(recipe, out)
        for warning in run.warnings:
            listener.note(warning)
        worker_pool = _Lazy(stack, start_executor)
        if consent:
            if consent.catch_up(run, worker_pool.get):
                run = open_run(recipe, out)
            run.ledger = consent.head
        worked = any(run.todo())
        if worked:
            worker_pool.get()
        resolved = recipe.resolved().encode()
        if not store.exists("recipe.yaml") or store.read_bytes("recipe.yaml") != resolved:
            store.write_bytes("recipe.yaml", resolved)
        run.write_list()
        for number, this in enumerate(run.passes):
            if this.retries or not this.is_complete(run.inputs(number)):
                _materialise(run, number - 1, worker_pool, listener)
                _complete(run, number, worker_pool, listener)
        published = publish(run)
        if consent and (worked or published) and consent.sweep(run, worker_pool.get):
            run = open_run(recipe, out)
            published = True
        discarded = discard_intermediate and _discard(run)
        if worked or published or discarded or not is_recorded(store, resolved):
            store.remove_unfinished()
            store.write_json("manifest.json", build_manifest(run))
    return run


@contextmanager
def _full_disk_is_told(out: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise RunFailed(
            f"no space left to write in '{out}' ({error.strerror}); free some and run again, finished shards stay."
        ) from None


class _Lazy:
    """The executor, started when it is first asked for: a run with nothing to do starts none."""

    def __init__(self, stack: ExitStack, start: Callable[[], Any]) -> None:
        self._stack, self._start = stack, start
        self._executor: Executor | None = None

    def get(self) -> Executor:
        if self._executor is None:
            self._executor = self._stack.enter_context(self._start())
        return self._executor


def _materialise(run: Run, number: int, executor: _Lazy, listener: Listener) -> None:
    """Make the documents of pass `number` again where they were discarded: the next pass has to read them."""
    if number < 0:
        return
    this = run.passes[number]
    if any(receipt["documents"].get("discarded") for receipt in this.receipts.values()):
        _materialise(run, number - 1, executor, listener)
        this.receipts = {s: r for s, r in this.receipts.items() if not r["documents"].get("discarded")}
        _apply_missing(run, number, executor, listener)


def _complete(run: Run, number: int, executor: _Lazy, listener: Listener) -> None:
    """Prepare pass `number` if that is not done, and apply it to the shards without a valid receipt."""
    this, inputs = run.passes[number], run.inputs(number)
    run.store.remove_unfinished(this.folder.path)
    if this.retries or not this.is_prepared(inputs):
        _prepare(run, number, executor, listener)
    _apply_missing(run, number, executor, listener)


def _apply_missing(run: Run, number: int, executor: _Lazy, listener: Listener) -> None:
    """Apply pass `number` to the shards without a valid receipt."""
    this, inputs, opener = run.passes[number], run.inputs(number), run.passes[number].part.opener

    def missing() -> list[str]:
        this.receipts = this.valid(inputs)
        return sorted(this.expected(inputs).keys() - this.receipts.keys())

    shards, side = missing(), this.folder.side(Worker())
    if opener.source in opener.temporary and not all(side.has_shard(opener.source, shard) for shard in shards):
        _prepare(run, number, executor, listener)  # what is read was removed when the pass was complete
        shards = missing()
    _apply(run, number, shards, executor, listener)


def _apply(run: Run, number: int, shards: list[str], executor: _Lazy, listener: Listener) -> None:
    this, inputs = run.passes[number], run.inputs(number)
    total = len(this.expected(inputs))
    pool = executor.get()
    listener.pass_started(this.part.name, total, total - len(shards), pool.workers)
    task = shard_task(run, number)
    gpus = max(named.stage.gpus for named in this.part.stages)
    for _, receipt in pool.map(task, shards, gpus=gpus):
        this.receipts[receipt["shard"]] = receipt
        run.applied += 1
        listener.shard_finished(this.part.name, receipt)
    if not this.retries:  # a preparation that goes on builds upon what it read before
        for name in this.part.opener.temporary:
            run.store.remove(f"{this.folder.path}/side/{name}")
    _forget_others(this, inputs)
    remove_scratch(run.store, this.folder.path)
    listener.pass_finished(this.part.name)


def _forget_others(this: PassRun, inputs: Mapping[str, str]) -> None:
    """Remove what stands of shards that the pass no longer has, since it was prepared anew and has fewer."""
    store, expected = this.folder.store, this.expected(dict(inputs))
    for receipt in this.folder.written_receipts():
        if (shard := receipt["shard"]) not in expected:
            store.remove(f"{this.folder.path}/receipts/{shard}.json")
            for path in (this.folder.documents(shard), this.folder.decisions(shard), this.folder.dropped(shard)):
                store.remove(path)


def shard_task(run: Run, number: int) -> ShardTask:
    """What applies pass `number` to a shard of what it reads now."""
    this, inputs = run.passes[number], run.inputs(number)
    return ShardTask(
        this.folder,
        this.part.name,
        this.fingerprint,
        tuple((named.name, type(named.stage), named.stage.model_dump()) for named in this.part.stages),
        this.part.opener.source,
        run.input_paths(number),
        this.expected(inputs),
        digest_of(inputs) if this.prepares and not this.part.opener.source else None,
        run.ledger,
    )


def _prepare(run: Run, number: int, executor: _Lazy, listener: Listener) -> None:
    this, began = run.passes[number], time.perf_counter()
    side = this.folder.side(Worker())
    side.scratch.mkdir(parents=True, exist_ok=True)
    if this.retries:
        side.clear_retry()
    else:
        run.store.remove(side.folder)  # what an interrupted preparation left may be of another corpus

    def progress(done: int, total: int) -> None:
        listener.preparing(this.part.name, done, total)

    this.part.opener.prepare(
        Corpus(run.store, run.input_paths(number), side, executor.get(), progress, listener.note), side
    )
    source = this.part.opener.source
    content = {
        "stage": this.part.stages[0].name,
        "seconds": round(time.perf_counter() - began, 3),
        "corpus": digest_of(run.inputs(number)),
        "shards": this.folder.planned(source) if source else None,
        "retry": side.wants_retry(),
    }
    this.folder.write_prepared(content)
    this.prepared = content
    run.prepared += 1


def _discard(run: Run) -> bool:
    """Delete the documents of passes before redaction, which alone hold the text as it was found; True if any stood."""
    found = False
    redacting = [n for n, this in enumerate(run.passes) if any("text" in s.stage.writes for s in this.part.stages)]
    given = schema.REPOSITORY
    for this in run.passes[: redacting[-1] if redacting else 0]:
        for named in this.part.stages:
            given = schema_after(named.stage, given)
        if "text" not in given.names:
            continue
        for receipt in this.receipts.values():
            if not receipt["documents"].get("discarded"):
                found = True
                receipt["documents"]["discarded"] = True
                this.folder.write_receipt(receipt)
                run.store.remove(receipt["documents"]["path"])
    return found


def clean(run: Run) -> list[str]:
    """Remove folders of older fingerprints, scratch and unfinished files; returns what was removed."""
    with locked(run.store):
        current = {this.folder.path for this in run.passes} | {run.list_folder.path}
        removed = [name for name in pass_folders(run.store) if name not in current]
        if run.store.exists(".scratch"):
            removed.append(".scratch")
        for name in removed:
            run.store.remove(name)
        run.store.remove_unfinished()
    return removed
