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
    kept = shard if len(index) == 0 else shard.filter(pa.array(keep))
    return Outcome(kept, decide(shard, index, "drop", reason, detail))


def canonical_json(value: Mapping[str, Any]) -> str:
    """JSON that is equal for equal values: sorted keys, no spaces, non-ASCII as it is."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
