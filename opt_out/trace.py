"""Finds what opt-out requests touch in runs: documents first, by name and content, then every row that stands for one.

It reads the columns that name something, of every table, on the workers. Tables that name documents by id alone
(signatures, edges) come second, when all ids are known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opt_out.removal import NAMES, Removal, is_document, may_cite
from opt_out.run_files import pass_of, tables_of
from opt_out.selectors import Selector, Selectors
from pipeline.side import Executor, Worker
from pipeline.storage import Storage


class Touched(NamedTuple):
    """A document that a request touches, as one table of a run holds it."""

    run: str
    file: str  # relative to the run
    id: str
    repo: str
    path: str
    selector: str


@dataclass(frozen=True)
class Place:
    """Rows of one file that are to be removed, or that cite one that is."""

    file: str
    rows: int
    cites: int
    digest: str  # sha256 of the file as it is
    requests: Mapping[str, int]  # rows that each request asks for; two may ask for the same


def find_documents(store: Storage, selectors: Sequence[Selector], executor: Executor) -> pa.Table:
    """The documents of a run that selectors cover: id, repo, path, blob and the selector; each once."""
    task = partial(_documents, store=store, selectors=Selectors.of(selectors), reach=reach_of(selectors))
    found = [table for _, table in executor.map(task, tables_of(store))]
    table = pa.concat_tables([FOUND.empty_table(), *found]).sort_by([("id", "ascending"), ("blob", "ascending")])
    return _first_of_each(table)


FOUND = pa.schema([(name, pa.string()) for name in ("id", "repo", "path", "blob", "selector")])


def find_cited(store: Storage, selectors: Sequence[Selector], executor: Executor) -> pa.Array:
    """Ids of documents, perhaps of another run, that edges cite by a name that selectors cover."""
    files = [file for file in tables_of(store) if "/side/edge/" in file]
    task = partial(_cited, store=store, selectors=Selectors.of(selectors))
    return pa.concat_arrays([pa.array([], pa.string()), *(ids for _, ids in executor.map(task, files))])


def _cited(file: str, worker: Worker, *, store: Storage, selectors: Selectors) -> pa.Array:
    table = store.read_table(file, ["canonical", "canonical_repo", "canonical_path"])
    named = pa.table({"repo": table["canonical_repo"], "path": table["canonical_path"]})
    return table["canonical"].filter(selectors.covers(named).is_valid()).combine_chunks()


def reach_of(selectors: Iterable[Selector]) -> Selectors | None:
    """The repositories that selectors can touch, by which most tables are passed over; None where that is any."""
    names = list(selectors)
    if any(one.target in ("author", "content") for one in names):
        return None
    return Selectors.of(_whole(one) for one in names)


def _whole(one: Selector) -> Selector:
    return (
        Selector("repository", one.value.partition(":")[0]) if one.target == "path" else one._replace(kinds=EVERYTHING)
    )


EVERYTHING: frozenset[str] = frozenset()


def find_places(
    store: Storage, removal: Removal, reach: Selectors | None, each: Mapping[str, Removal], executor: Executor
) -> list[Place]:
    """Every file of a run that holds a row to be removed or a citation of one, sorted.

    `removal` is what all requests ask for together, `reach` the repositories that this can touch, and `each` what every
    single request asks for, by its id.
    """
    task = partial(_place, store=store, removal=removal, reach=reach, each=each)
    found = [place for _, place in executor.map(task, tables_of(store)) if place is not None]
    return sorted(found, key=lambda place: place.file)


def contents_of(store: Storage, ids: Sequence[str], executor: Executor) -> dict[str, str]:
    """Document id -> git blob id, for those of `ids` of which a table of the run knows it."""
    if not ids:
        return {}
    task = partial(_contents, store=store, ids=pa.array(ids, pa.string()))
    return {name: blob for _, found in executor.map(task, tables_of(store)) for name, blob in found}


def _contents(file: str, worker: Worker, *, store: Storage, ids: pa.Array) -> list[tuple[str, str]]:
    if not {"id", "blob"} <= set(store.read_schema(file).names):
        return []
    table = store.read_table(file, ["id", "blob"])
    table = table.filter(pc.and_(pc.is_in(table["id"], value_set=ids), pc.is_valid(table["blob"])))
    return list(zip(table["id"].to_pylist(), table["blob"].to_pylist(), strict=True))


def touched(runs: Sequence[str], selectors: Iterable[Selector]) -> list[Touched]:
    """Which documents of these runs selectors touch, by the last pass that still holds each; for a look beforehand."""
    wanted = Selectors.of(selectors)
    rows: list[Touched] = []
    for run in runs:
        store = Storage(run)
        last: dict[str, Touched] = {}
        for file in tables_of(store):
            if "/documents/" not in file and not file.startswith("dataset/data/"):
                continue
            for row in _documents(file, Worker(), store=store, selectors=wanted).to_pylist():
                place = Touched(run, file, row["id"], row["repo"], row["path"], row["selector"])
                if row["id"] not in last or _order(last[row["id"]].file) <= _order(file):
                    last[row["id"]] = place
        rows.extend(last.values())
    return sorted(rows)


def _order(file: str) -> tuple[bool, str]:
    return file.startswith("dataset/"), pass_of(file)


def _documents(
    file: str, worker: Worker, *, store: Storage, selectors: Selectors, reach: Selectors | None = None
) -> pa.Table:
    names = store.read_schema(file).names
    if not {"id", "repo", "path"} <= set(names) or not _may_touch(store, file, names, reach):
        return FOUND.empty_table()
    table = store.read_table(file, [name for name in NAMES if name in names])
    table = table.filter(pa.array(is_document(table)))
    by = selectors.covers(table)
    table = table.append_column("selector", by).filter(by.is_valid())
    if "blob" not in table.column_names:
        table = table.append_column("blob", pa.nulls(table.num_rows, pa.string()))
    return table.select(FOUND.names).cast(FOUND)


def _may_touch(store: Storage, file: str, names: Sequence[str], reach: Selectors | None) -> bool:
    """Whether a table holds a repository within reach; one that names none may hold anything."""
    if reach is None or "repo" not in names:
        return True
    table = store.read_table(file, [name for name in ("repo", "renamed_from") if name in names])
    return bool(reach.covers(table).is_valid().to_numpy().any())


def _place(
    file: str,
    worker: Worker,
    *,
    store: Storage,
    removal: Removal,
    reach: Selectors | None,
    each: Mapping[str, Removal],
) -> Place | None:
    held = store.read_schema(file).names
    names = [name for name in NAMES if name in held]
    if not names or (not may_cite(names) and not _may_touch(store, file, names, reach)):
        return None
    table = store.read_table(file, names)
    rows, cites = int(removal.rows(table).sum()), int(removal.cites(table).sum())
    if not rows and not cites:
        return None
    asked = {request: int(one.rows(table).sum()) for request, one in each.items()}
    return Place(file, rows, cites, sha256(store.read_bytes(file)), {r: count for r, count in asked.items() if count})


def sha256(data: bytes) -> str:
    """Hex digest of a file's content, as anybody can compute it."""
    return hashlib.sha256(data).hexdigest()


def _first_of_each(table: pa.Table) -> pa.Table:
    """The first row of each id of a table that is sorted by it; those with a blob come first."""
    ids = table["id"].combine_chunks()
    if len(ids) < 2:
        return table
    new = np.concatenate([[True], pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)])
    return table.filter(pa.array(new))
