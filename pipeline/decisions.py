"""Building decision tables column by column, and the outcome of a stage that only drops rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline import schema
from pipeline.stage import Outcome

NO_DECISIONS = schema.DECISION.empty_table()
SHORTEST_STRETCH = 16  # rows between two dropped ones, on average, below which what is kept is rather copied


def decide(
    shard: pa.Table,
    rows: np.ndarray | Sequence[int],
    action: str,
    reason: str | Sequence[str],
    detail: Sequence[Mapping[str, Any]] | None = None,
    **columns: Sequence[Any],
) -> pa.Table:
    """DECISION rows about the rows `rows` (indices, repeats allowed) of `shard`.

    `reason` is one for all or one a row; `detail` one mapping a row; `columns` fill entity, start, end, score, ... .
    The executor fills in the stage's name.
    """
    indices = pa.array(np.asarray(rows, dtype=np.int64))
    count = len(indices)

    def taken(name: str) -> pa.Array:
        if name not in shard.column_names:
            return pa.array([""] * count, pa.string())
        return shard.column(name).take(indices).combine_chunks().fill_null("")

    values: dict[str, Any] = {
        "id": taken("id"),
        "repo": taken("repo"),
        "path": taken("path"),
        "stage": pa.array([""] * count, pa.string()),
        "action": pa.array([action] * count, pa.string()),
        "reason": pa.array([reason] * count if isinstance(reason, str) else list(reason), pa.string()),
        "detail": pa.array(["{}"] * count if detail is None else [canonical_json(d) for d in detail], pa.string()),
    }
    for field in schema.DECISION:
        if field.name not in values:
            given = columns.get(field.name)
            values[field.name] = pa.nulls(count, field.type) if given is None else pa.array(given, field.type)
    return pa.table([values[name] for name in schema.DECISION.names], schema=schema.DECISION)


def drop(
    shard: pa.Table,
    rows: np.ndarray | Sequence[int],
    reason: str | Sequence[str],
    detail: Sequence[Mapping[str, Any]] | None = None,
) -> Outcome:
    """The outcome of a stage that drops `rows` (indices, or a boolean mask over the shard) and keeps the others."""
    index = np.asarray(rows)
    index = np.flatnonzero(index) if index.dtype == np.bool_ else index.astype(np.int64)
    keep = np.ones(shard.num_rows, dtype=np.bool_)
    keep[index] = False
    return Outcome(_only(shard, keep), decide(shard, index, "drop", reason, detail))


def _only(shard: pa.Table, keep: np.ndarray) -> pa.Table:
    """The rows that `keep` marks: as stretches of the shard's own memory, unless those are short."""
    bounds = np.flatnonzero(np.diff(keep, prepend=False, append=False)).reshape(-1, 2)
    if len(bounds) * SHORTEST_STRETCH > len(keep):
        return shard.filter(pa.array(keep))
    stretches = [shard.slice(start, stop - start) for start, stop in bounds.tolist()]
    return pa.concat_tables(stretches) if stretches else shard.slice(0, 0)


def canonical_json(value: Mapping[str, Any]) -> str:
    """JSON that is equal for equal values: sorted keys, no spaces, non-ASCII as it is."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
