"""What a receipt counts, after documents were taken out: figures of each stage as if they had never come in.

What a document added to them is known from the tables: what it was when it came in, when a stage dropped it, and when
it came out. So nothing has to be run again, and it works where models and lists of the recipe are gone.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.shard_task import row_weights

Measures = list[dict[str, Any]]
WEIGHED = ("text", "input_ids", "size")  # one of which gives the bytes of a row


def figures_without(
    measures: Measures,
    given: pa.Table,
    decisions: pa.Table,
    dropped: pa.Table | None,
    kept: pa.Table,
    text_writers: Sequence[str],
) -> Measures:
    """The figures of a shard's stages without the rows of `given`.

    All tables hold only rows of what goes: `given` as they came in, `decisions` and `dropped` (None where the run is
    older than that table) about them, `kept` as they came out. `text_writers` are the stages that change what a row
    stands for in bytes.
    """
    stages = [measure["stage"] for measure in measures]
    left = _last_seen(given, decisions, dropped, kept, stages)
    changed_at = min((stages.index(name) for name in text_writers if name in stages), default=len(stages))
    named_at = next((n for n, one in enumerate(measures) if one["languages_out"] and not one["languages_in"]), -1)
    result = copy.deepcopy(measures)
    for number, measure in enumerate(result):
        for end, present in (("in", left.at >= number), ("out", left.at > number)):
            late = number > changed_at or (end == "out" and number == changed_at)
            size = (left.bytes_after if late else left.bytes_before)[present]
            measure[f"documents_{end}"] -= int(present.sum())
            measure[f"bytes_{end}"] -= int(size.sum())
            known = number > named_at or (end == "out" and number == named_at)
            languages = (left.language_after if known else left.language_before)[present]
            _subtract(measure[f"languages_{end}"], languages, size)
    _uncount(result, decisions)
    return result


class _LastSeen:
    """For each row that goes: which stage dropped it (their number where none did), what it was before and then."""

    def __init__(self, rows: int, stages: int) -> None:
        self.at = np.full(rows, stages)
        self.bytes_before = np.zeros(rows, np.int64)
        self.bytes_after = np.zeros(rows, np.int64)
        self.language_before = np.full(rows, None, object)
        self.language_after = np.full(rows, None, object)


def _last_seen(
    given: pa.Table, decisions: pa.Table, dropped: pa.Table | None, kept: pa.Table, stages: list[str]
) -> _LastSeen:
    found = _LastSeen(given.num_rows, len(stages))
    found.bytes_before = row_weights(given)
    found.bytes_after = found.bytes_before.copy()
    if "language" in given.column_names:
        found.language_before = np.array(given["language"].to_pylist(), object)
    found.language_after = found.language_before.copy()
    drops = decisions.filter(pc.equal(decisions["action"], "drop"))
    at = _places(given, drops)
    found.at[at] = [stages.index(name) for name in drops["stage"].to_pylist()]
    for table in (kept, dropped):
        if table is None:
            continue
        at = _places(given, table)
        found.bytes_after[at] = table["bytes"].to_numpy() if "bytes" in table.column_names else row_weights(table)
        if "language" in table.column_names:
            found.language_after[at] = table["language"].to_pylist()
    return found


def _places(given: pa.Table, table: pa.Table) -> np.ndarray:
    return pc.index_in(table["id"], value_set=given["id"].combine_chunks()).to_numpy()


def _subtract(languages: dict[str, list[int]], gone: np.ndarray, size: np.ndarray) -> None:
    """Take the documents and bytes of these rows out of language -> [documents, bytes]."""
    for language in {str(one) for one in gone} & languages.keys():
        rows = np.array([str(one) == language for one in gone], np.bool_)
        documents, weight = languages[language]
        languages[language] = [documents - int(rows.sum()), weight - int(size[rows].sum())]
        if languages[language][0] <= 0:
            del languages[language]


def _uncount(measures: Measures, decisions: pa.Table) -> None:
    """Take these decisions out of the counts."""
    columns = (decisions[name].to_pylist() for name in ("stage", "action", "reason"))
    counts = Counter(zip(*columns, strict=True))
    by_stage = {measure["stage"]: measure["decisions"] for measure in measures}
    for (stage, action, reason), count in counts.items():
        reasons = by_stage[stage].get(action, {})
        reasons[reason] = reasons.get(reason, 0) - count
        if reasons[reason] <= 0:
            del reasons[reason]
        if not reasons:
            by_stage[stage].pop(action, None)
