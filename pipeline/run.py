"""One execution of a recipe into a directory: pass after pass, only what is not done yet, and the manifest last.

A receipt counts as long as it was made from the documents that are upstream now, by digest, and its documents are there
(or were discarded, and no later pass has to read them). Nothing is written where nothing is to be done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from pipeline import schema
from pipeline.errors import RunFailed, UsageError
from pipeline.fingerprint import digest_bytes, fingerprint, stage_identity
from pipeline.law import schema_after
from pipeline.layout import PassFolder, Receipt, locked, pass_folders, remove_scratch
from pipeline.manifest import build_manifest
from pipeline.recipe import Catalog, Pass, Recipe, load_recipe, recipe_name
from pipeline.repositories import read_repositories
from pipeline.shard_task import FULL, ShardTask
from pipeline.side import Corpus, Executor, Worker
from pipeline.storage import Storage

REPOSITORIES_A_SHARD = 10_000

Digests = dict[str, str]  # shard -> digest of a file


class Listener(Protocol):
    """What a run tells while it works."""

    def note(self, message: str) -> None: ...
    def pass_started(self, name: str, shards: int, done: int, workers: int) -> None: ...
    def preparing(self, name: str, done: int, total: int) -> None: ...
    def shard_finished(self, name: str, receipt: Receipt) -> None: ...
    def pass_finished(self, name: str) -> None: ...


@dataclass
class PassRun:
    """A pass of this run: where it stands, and what is known of it."""

    part: Pass
    folder: PassFolder
    fingerprint: str
    receipts: dict[str, Receipt] = field(default_factory=dict)
    prepared: Mapping[str, Any] | None = None

    @property
    def prepares(self) -> bool:
        return self.part.opener.prepares

    @property
    def retries(self) -> bool:
        """Whether the preparation met failures that may pass, and is to be tried again by the next run."""
        return bool(self.prepared and self.prepared["retry"])

    def expected(self, inputs: Digests) -> Digests:
        """Shards this pass has when it reads `inputs`, with the digest of what each is made from."""
        return dict(self.prepared["shards"]) if self.prepared and self.prepared["shards"] is not None else inputs

    def valid(self, inputs: Digests) -> dict[str, Receipt]:
        """The receipts that hold when the pass reads `inputs`: made from these, with a side input of these."""
        if not self.is_prepared(inputs):
            return {}
        corpus = None if self.part.opener.source or not self.prepares else digest_of(inputs)
        return {
            shard: receipt
            for shard, digest in self.expected(inputs).items()
            if (receipt := self.receipts.get(shard)) and (receipt["input"], receipt["corpus"]) == (digest, corpus)
        }

    def is_prepared(self, inputs: Digests) -> bool:
        return not self.prepares or (self.prepared is not None and self.prepared["corpus"] == digest_of(inputs))

    def is_complete(self, inputs: Digests) -> bool:
        return self.is_prepared(inputs) and self.valid(inputs).keys() == self.expected(inputs).keys()

    def explain(self, decision: Mapping[str, Any]) -> str:
        """One sentence about a decision of this pass, by the stage that made it."""
        named = {named.name: named.stage for named in self.part.stages}
        return named[decision["stage"]].explain(decision)


@dataclass
class Run:
    """A recipe in a directory, as `open_run` finds it and `execute` completes it."""

    recipe: Recipe
    store: Storage
    repositories: pa.Table  # schema.REPOSITORY
    warnings: list[str]  # about the repository list
    list_folder: PassFolder
    passes: list[PassRun]
    applied: int = 0  # shards that went through `apply` in this execution
    prepared: int = 0  # preparations of this execution

    def inputs(self, number: int) -> Digests:
        """What pass `number` reads: shard -> digest of the upstream documents."""
        if number == 0:
            return {shard: digest_bytes(repr(table.to_pylist()).encode()) for shard, table in self._list_shards()}
        return {shard: r["documents"]["digest"] for shard, r in sorted(self.passes[number - 1].receipts.items())}

    def input_paths(self, number: int) -> dict[str, str]:
        """What pass `number` reads: shard -> the upstream documents' file."""
        if number == 0:
            return {shard: self.list_folder.documents(shard) for shard, _ in self._list_shards()}
        return {shard: r["documents"]["path"] for shard, r in sorted(self.passes[number - 1].receipts.items())}

    def todo(self) -> list[bool]:
        """For each pass, whether anything is to be done, as far as that is known before the passes before it ran."""
        wanted: list[bool] = []
        for number, this in enumerate(self.passes):
            wanted.append(any(wanted) or this.retries or not this.is_complete(self.inputs(number)))
        return wanted

    def write_list(self) -> None:
        for shard, table in self._list_shards():
            path = self.list_folder.documents(shard)
            if not self.store.exists(path):
                self.store.write_table(path, table)

    def _list_shards(self) -> Iterator[tuple[str, pa.Table]]:
        table = self.repositories
        for number, start in enumerate(range(0, table.num_rows, REPOSITORIES_A_SHARD)):
            yield f"{number:05d}", table.slice(start, REPOSITORIES_A_SHARD)


Publish = Callable[[Run], bool]  # makes dataset/ of a completed run; True where it had anything to do


def open_run(recipe: Recipe, out: str) -> Run:
    """What stands in `out` of this recipe; reads only. UsageError where `out` holds the run of another recipe."""
    store = Storage(out)
    if store.exists("recipe.yaml"):
        held = recipe_name(store.full("recipe.yaml"))
        if held != recipe.name:
            raise UsageError(f"'{out}' holds a run of recipe '{held}', not '{recipe.name}'; choose another --out.")
    elif set(store.names()) - {".lock", ".scratch"}:
        raise UsageError(f"'{out}' is not empty and holds no run; choose another --out.")
    repositories = read_repositories(recipe.repositories)
    digest = digest_bytes(repr(repositories.table.to_pylist()).encode())[:12]
    run = Run(
        recipe, store, repositories.table, repositories.warnings, PassFolder(store, f"00-repositories-{digest}"), []
    )
    upstream = digest
    for number, part in enumerate(recipe.passes, start=1):
        upstream = fingerprint(upstream, [stage_identity(named.name, named.stage) for named in part.stages])
        folder = PassFolder(store, f"{number:02d}-{part.name}-{upstream}")
        run.passes.append(PassRun(part, folder, upstream, folder.receipts(), folder.prepared()))
    return run


def load_run(out: str, catalog: Catalog) -> Run:
    """The run in `out`, for looking at it: as its manifest records it, else as far as it has come.

    A complete run can be looked at on any machine, also where the files its recipe names are gone.
    """
    store = Storage(out)
    if not store.exists("recipe.yaml"):
        raise UsageError(f"'{out}' holds no run: there is no recipe.yaml in it; give the --out of a 'quarry run'.")
    path = store.full("recipe.yaml")
    if not is_recorded(store, store.read_bytes("recipe.yaml")):
        return open_run(load_recipe(path, catalog), out)
    manifest = store.read_json("manifest.json")
    list_folder = PassFolder(store, manifest["repository_list"])
    names = store.names(f"{list_folder.path}/documents")
    recipe = load_recipe(path, catalog, need_files=False)
    tables = [store.read_table(f"{list_folder.path}/documents/{name}") for name in names]
    run = Run(recipe, store, pa.concat_tables(tables), [], list_folder, [])
    for part, recorded in zip(recipe.passes, manifest["passes"], strict=True):
        folder = PassFolder(store, recorded["folder"])
        run.passes.append(PassRun(part, folder, recorded["fingerprint"], folder.receipts(), folder.prepared()))
    return run


def is_recorded(store: Storage, resolved: bytes) -> bool:
    """Whether the manifest is whole, and records a run of just this resolved recipe."""
    manifest = store.read_record("manifest.json", "recipe", "repository_list", "passes")
    if manifest is None or manifest["recipe"] != digest_bytes(resolved):
        return False
    return bool(store.names(f"{manifest['repository_list']}/documents"))


def execute(
    recipe: Recipe,
    out: str,
    start_executor: Callable[[], Any],
    listener: Listener,
    publish: Publish,
    *,
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
    receipts = run.passes[number].receipts
    discarded = [shard for shard, receipt in receipts.items() if receipt["documents"].get("discarded")]
    if discarded:
        _materialise(run, number - 1, executor, listener)
        _apply(run, number, discarded, executor, listener)


def _complete(run: Run, number: int, executor: _Lazy, listener: Listener) -> None:
    """Prepare pass `number` if that is not done, and apply it to the shards without a valid receipt."""
    this, inputs = run.passes[number], run.inputs(number)
    run.store.remove_unfinished(this.folder.path)
    if this.retries or not this.is_prepared(inputs):
        _prepare(run, number, executor, listener)
    this.receipts = this.valid(inputs)
    _apply(run, number, sorted(this.expected(inputs).keys() - this.receipts.keys()), executor, listener)


def _apply(run: Run, number: int, shards: list[str], executor: _Lazy, listener: Listener) -> None:
    this, inputs = run.passes[number], run.inputs(number)
    total = len(this.expected(inputs))
    pool = executor.get()
    listener.pass_started(this.part.name, total, total - len(shards), pool.workers)
    task = ShardTask(
        this.folder,
        this.part.name,
        this.fingerprint,
        tuple((named.name, type(named.stage), named.stage.model_dump()) for named in this.part.stages),
        this.part.opener.source,
        run.input_paths(number),
        this.expected(inputs),
        digest_of(inputs) if this.prepares and not this.part.opener.source else None,
    )
    gpus = max(named.stage.gpus for named in this.part.stages)
    for _, receipt in pool.map(task, shards, gpus=gpus):
        this.receipts[receipt["shard"]] = receipt
        run.applied += 1
        listener.shard_finished(this.part.name, receipt)
    remove_scratch(run.store, this.folder.path)
    listener.pass_finished(this.part.name)


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

    this.part.opener.prepare(Corpus(run.store, run.input_paths(number), side, executor.get(), progress), side)
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


def digest_of(inputs: Digests) -> str:
    """One digest for a corpus: of its shards' names and digests."""
    return digest_bytes("".join(f"{shard} {digest}\n" for shard, digest in sorted(inputs.items())).encode())


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
