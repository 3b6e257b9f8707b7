"""A run as it stands in its directory: which passes there are, which of their receipts count, what is to be done.

A receipt counts as long as it was made from the documents that are upstream now, by digest, and its documents are there
(or were discarded, and no later pass has to read them). Everything here only reads, but for the repository list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from pipeline import schema
from pipeline.errors import UsageError
from pipeline.fingerprint import digest_bytes, fingerprint, stage_identity
from pipeline.layout import PassFolder, Receipt
from pipeline.recipe import Catalog, Pass, Recipe, load_recipe, recipe_name
from pipeline.repositories import RepositoryList, read_repositories
from pipeline.storage import Storage

REPOSITORIES_A_SHARD = 10_000

Digests = dict[str, str]  # shard -> digest of a file


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
        corpora = {None} if self.part.opener.source or not self.prepares else {digest_of(inputs), *self.former_corpora}
        return {
            shard: receipt
            for shard, digest in self.expected(inputs).items()
            if (receipt := self.receipts.get(shard)) and receipt["input"] == digest and receipt["corpus"] in corpora
        }

    @property
    def former_corpora(self) -> list[str]:
        """Digests of the corpus that the side input was prepared from, before documents were taken out of it."""
        return list(self.prepared.get("former", ())) if self.prepared else []

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
    ledger: Mapping[str, Any] | None = None  # head of the opt-out ledger that shards applied now honour
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
        for number, start in enumerate(range(0, max(1, table.num_rows), REPOSITORIES_A_SHARD)):
            yield f"{number:05d}", table.slice(start, REPOSITORIES_A_SHARD)


def open_run(recipe: Recipe, out: str) -> Run:
    """What stands in `out` of this recipe; reads only. UsageError where `out` holds the run of another recipe."""
    store = Storage(out)
    if store.exists("recipe.yaml"):
        held = recipe_name(store.full("recipe.yaml"))
        if held != recipe.name:
            raise UsageError(f"'{out}' holds a run of recipe '{held}', not '{recipe.name}'; choose another --out.")
    elif set(store.names()) - {".lock", ".scratch"}:
        raise UsageError(f"'{out}' is not empty and holds no run; choose another --out.")
    repositories = RepositoryList(schema.REPOSITORY.empty_table(), [])
    if recipe.repositories is not None:
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


def digest_of(inputs: Digests) -> str:
    """One digest for a corpus: of its shards' names and digests."""
    return digest_bytes("".join(f"{shard} {digest}\n" for shard, digest in sorted(inputs.items())).encode())
