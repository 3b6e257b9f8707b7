"""One execution of a recipe into a directory: pass after pass, only what is not done yet, and the manifest last.

A pass is done when every shard has a receipt with its documents; a pass whose documents were discarded is done as long
as no later pass needs them. Nothing is written where nothing is to be done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from pipeline import schema
from pipeline.errors import UsageError
from pipeline.fingerprint import digest_bytes, fingerprint, stage_identity
from pipeline.law import schema_after
from pipeline.layout import PassFolder, Receipt, locked, pass_folders, remove_scratch
from pipeline.manifest import build_manifest
from pipeline.recipe import Catalog, Pass, Recipe, load_recipe, recipe_name
from pipeline.repositories import read_repositories
from pipeline.shard_task import ShardTask
from pipeline.side import Corpus, Executor, Worker
from pipeline.storage import Storage

REPOSITORIES_A_SHARD = 10_000


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
    def shards(self) -> list[str] | None:
        """The shards it reads as far as it decides them itself; None where they are the upstream's."""
        if self.part.opener.source is None:
            return None
        return list(self.prepared["shards"]) if self.prepared else []

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

    def upstream(self, number: int) -> dict[str, str]:
        """Shard -> documents that pass `number` reads (or its preparation does)."""
        if number == 0:
            return {shard: self.list_folder.documents(shard) for shard, _ in self._list_shards()}
        receipts = self.passes[number - 1].receipts
        return {shard: receipts[shard]["documents"]["path"] for shard in sorted(receipts)}

    def todo(self) -> list[bool]:
        """For each pass, whether anything is to be done: decided from the last to the first."""
        wanted, needed = [], False  # needed: a later pass has to read this one's documents
        expected: list[str] | None = [shard for shard, _ in self._list_shards()]
        missing = []
        for run in self.passes:
            expected = run.shards if run.part.opener.source else expected
            incomplete = run.prepares and run.prepared is None
            missing.append(incomplete or set(expected or ()) != set(run.receipts))
            if missing[-1]:
                expected = None  # what comes after cannot be complete either
        for number in reversed(range(len(self.passes))):
            run = self.passes[number]
            discarded = any(receipt["documents"].get("discarded") for receipt in run.receipts.values())
            wanted.append(any(missing[: number + 1]) or (needed and discarded))
            needed = wanted[-1]
        return wanted[::-1]

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
    manifest = store.read_json("manifest.json") if store.exists("manifest.json") else {}
    if manifest.get("recipe") != digest_bytes(store.read_bytes("recipe.yaml")):
        return open_run(load_recipe(path, catalog), out)
    recipe = load_recipe(path, catalog, need_files=False)
    list_folder = PassFolder(store, manifest["repository_list"])
    names = store.names(f"{list_folder.path}/documents")
    tables = [store.read_table(f"{list_folder.path}/documents/{name}") for name in names]
    run = Run(recipe, store, pa.concat_tables(tables), [], list_folder, [])
    for part, recorded in zip(recipe.passes, manifest["passes"], strict=True):
        folder = PassFolder(store, recorded["folder"])
        run.passes.append(PassRun(part, folder, recorded["fingerprint"], folder.receipts(), folder.prepared()))
    return run


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
    store = Storage(out)
    with locked(store), ExitStack() as stack:
        run = open_run(recipe, out)
        for warning in run.warnings:
            listener.note(warning)
        resolved = recipe.resolved().encode()
        if not store.exists("recipe.yaml") or store.read_bytes("recipe.yaml") != resolved:
            store.write_bytes("recipe.yaml", resolved)
        todo = run.todo()
        if any(todo):
            executor: Executor = stack.enter_context(start_executor())
            run.write_list()
            for number, wanted in enumerate(todo):
                if wanted:
                    _complete(run, number, executor, listener)
        published = publish(run)
        if any(todo) or published or not store.exists("manifest.json"):
            store.remove_unfinished()
            if discard_intermediate:
                _discard(run)
            store.write_json("manifest.json", build_manifest(run))
    return run


def _complete(run: Run, number: int, executor: Executor, listener: Listener) -> None:
    """Prepare pass `number` if that is not done, and apply it to the shards without a receipt."""
    this = run.passes[number]
    run.store.remove_unfinished(this.folder.path)
    inputs = run.upstream(number)
    if this.prepares and this.prepared is None:
        _prepare(run, this, inputs, executor, listener)
    shards = sorted(inputs) if this.shards is None else this.shards
    # An old receipt of a shard that is no longer there (the plan of an unfinished prepare) is of no use.
    this.receipts = {shard: this.receipts[shard] for shard in shards if shard in this.receipts}
    undone = [s for s in shards if s not in this.receipts or this.receipts[s]["documents"].get("discarded")]
    listener.pass_started(this.part.name, len(shards), len(shards) - len(undone), executor.workers)
    task = ShardTask(
        this.folder,
        this.part.name,
        this.fingerprint,
        tuple((named.name, type(named.stage), named.stage.model_dump()) for named in this.part.stages),
        this.part.opener.source,
        inputs,
    )
    gpus = max(named.stage.gpus for named in this.part.stages)
    for _, receipt in executor.map(task, undone, gpus=gpus):
        this.receipts[receipt["shard"]] = receipt
        run.applied += 1
        listener.shard_finished(this.part.name, receipt)
    remove_scratch(run.store, this.folder.path)
    listener.pass_finished(this.part.name)


def _prepare(run: Run, this: PassRun, inputs: dict[str, str], executor: Executor, listener: Listener) -> None:
    began = time.perf_counter()
    side = this.folder.side(Worker())
    side.scratch.mkdir(parents=True, exist_ok=True)
    run.store.remove(side.folder)  # what an interrupted preparation left may be of another plan

    def progress(done: int, total: int) -> None:
        listener.preparing(this.part.name, done, total)

    this.part.opener.prepare(Corpus(run.store, inputs, side, executor, progress), side)
    source = this.part.opener.source
    content = {
        "stage": this.part.stages[0].name,
        "seconds": round(time.perf_counter() - began, 3),
        "shards": this.folder.planned(source) if source else None,
    }
    this.folder.write_prepared(content)
    this.prepared = content
    run.prepared += 1


def _discard(run: Run) -> None:
    """Delete the documents of passes before redaction: nothing but them holds the text as it was found."""
    redacting = [n for n, this in enumerate(run.passes) if any("text" in s.stage.writes for s in this.part.stages)]
    for this in run.passes[: redacting[-1] if redacting else 0]:
        if "text" not in _given(this):
            continue
        for receipt in this.receipts.values():
            receipt["documents"]["discarded"] = True
            this.folder.write_receipt(receipt)
            run.store.remove(receipt["documents"]["path"])


def _given(this: PassRun) -> list[str]:
    given = schema.REPOSITORY
    for named in this.part.stages:
        given = schema_after(named.stage, given)
    return given.names


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
