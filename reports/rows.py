"""Finding single rows in a run's Parquet files without reading what is not asked for.

An `id` column is read as a whole (32 bytes a document), the other columns only from the row groups that hold a row.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pajson
import pyarrow.parquet as pq

from pipeline import schema
from pipeline.state import PassRun, Run
from pipeline.storage import Storage

DECIDED = ("id", "repo", "path", "stage", "action", "reason", "detail", "entity")  # enough to explain a decision
DUPLICATE = ("exact_duplicate", "near_duplicate")  # reasons of decisions whose detail names a canonical
_CANONICAL = pa.schema([schema.EDGE.field(n) for n in ("canonical", "canonical_repo", "canonical_path", "jaccard")])


def read_rows(store: Storage, path: str, ids: Collection[str], columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    """id -> {"row": its place in the file, column: value} of those `ids` that the Parquet file at `path` holds.

    Columns it does not have are left out; a file that is not there (discarded, removed) holds nothing.
    """
    if not ids or not store.exists(path):
        return {}
    found: dict[str, dict[str, Any]] = {}
    wanted = pa.array(sorted(ids), pa.string())
    with store.open(path) as handle:
        file = pq.ParquetFile(handle)
        rows = np.flatnonzero(pc.is_in(file.read(columns=["id"])["id"], value_set=wanted).to_numpy())
        held = ["id", *(name for name in columns if name in file.schema_arrow.names)]
        starts = np.cumsum([0, *(file.metadata.row_group(n).num_rows for n in range(file.num_row_groups))])
        groups = np.searchsorted(starts, rows, side="right") - 1
        for group in np.unique(groups):
            inside = rows[groups == group]
            table = file.read_row_group(int(group), columns=held).take(pa.array(inside - starts[group]))
            for row, values in zip(inside.tolist(), table.to_pylist(), strict=True):
                found[values["id"]] = {"row": row, **values}
    return found


def settled(run: Run) -> Run:
    """The run with the receipts that hold: those made from what the passes before hold now."""
    found = replace(run, passes=[])
    for number, this in enumerate(run.passes):
        found.passes.append(replace(this, receipts=this.valid(found.inputs(number))))
    return found


def is_done(run: Run, number: int | None = None) -> bool:
    """Whether every pass up to `number` (the last by default) has all its shards."""
    passes = run.passes if number is None else run.passes[: number + 1]
    return all(this.is_complete(run.inputs(place)) for place, this in enumerate(passes))


def decision_tables(run: Run, columns: Sequence[str] | None) -> Iterator[tuple[int, str, pa.Table]]:
    """(number of the pass, shard, its decisions) of all that is done, in the order of passes and shards."""
    for number, this in enumerate(run.passes):
        for shard in sorted(this.receipts):
            yield number, shard, run.store.read_table(this.folder.decisions(shard), columns)


def document_path(this: PassRun, shard: str) -> str:
    """Where the documents that a pass kept of a shard stand; for the last pass that may be in dataset/data."""
    path: str = this.receipts[shard]["documents"]["path"]
    return path


def input_path(run: Run, number: int, shard: str) -> str:
    """What pass `number` read as `shard`: its own side table, or the documents of the pass before."""
    this = run.passes[number]
    if this.part.opener.source is not None:
        return f"{this.folder.path}/side/{this.part.opener.source}/{shard}.parquet"
    if number == 0:
        return run.list_folder.documents(shard)
    return document_path(run.passes[number - 1], shard)


def duplicates(decisions: pa.Table) -> pa.Table:
    """The drops of `decisions` that name a canonical, with columns canonical, canonical_repo, canonical_path, jaccard.

    `decisions` has at least columns action, reason and detail.
    """
    is_one = pc.and_(
        pc.equal(decisions["action"], "drop"), pc.is_in(decisions["reason"], value_set=pa.array(DUPLICATE))
    )
    dropped = decisions.filter(is_one).combine_chunks()
    evidence = json_columns(dropped["detail"], _CANONICAL)
    for field in _CANONICAL:
        dropped = dropped.append_column(field, evidence[field.name])
    return dropped


def json_columns(objects: pa.ChunkedArray, fields: pa.Schema) -> pa.Table:
    """The `fields` of a column of JSON objects, a row each; null where an object has no such field."""
    if len(objects) == 0:
        return fields.empty_table()
    lines = "\n".join(objects.to_pylist()).encode()
    return pajson.read_json(
        io.BytesIO(lines),
        read_options=pajson.ReadOptions(use_threads=False, block_size=len(lines) + 1),
        parse_options=pajson.ParseOptions(explicit_schema=fields, unexpected_field_behavior="ignore"),
    )
