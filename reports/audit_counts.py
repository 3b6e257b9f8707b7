"""What a redact stage found, counted: by entity, recognizer, language, repository, score; and which values are equal.

Decisions are read shard by shard and counted by Arrow. Memory goes with a shard and with the number of different
answers (kinds of findings, repositories), not with the number of decisions. Equal values are known by their HMAC alone;
where there are very many, they are counted in several rounds, a part of them each.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reports.audit_stage import KEPT, Audited, Choice, number64

SCORE_BINS = 20  # between 0 and 1
EQUAL = 10  # most frequent values that are listed
VALUES_AT_ONCE = 5_000_000
COMPACT_ROWS = 2_000_000  # rows of partial counts before they are put together
KIND = ("entity", "action", "reason", "recognizer", "format", "language")
_READ = ("id", "repo", "action", "reason", "detail", "entity", "score", "recognizer", "value_hmac")


class EntityCount(NamedTuple):
    """How often an entity was found, and in how many documents."""

    entity: str
    redacted: int
    left: int
    documents: int


class EqualValue(NamedTuple):
    """A value that stands in many documents, known by the first digits of its HMAC."""

    entity: str
    hmac: str
    documents: int
    times: int


@dataclass(frozen=True)
class Counts:
    """All that is counted of one redact stage, of the decisions that are looked at."""

    stage: str
    choice: Choice
    kinds: pa.Table  # KIND, times; largest first
    repositories: pa.Table  # repo, entity, redacted, left; in all the largest repository first
    entities: list[EntityCount]  # largest first
    documents: int  # in which anything was found
    scores: dict[str, list[int]]  # entity -> findings by score, in SCORE_BINS bins
    has_hmac: bool
    distinct: dict[str, int]  # entity -> different values
    equal: list[EqualValue]  # those in the most documents, of such as are in more than one

    @property
    def redacted(self) -> int:
        return sum(row.redacted for row in self.entities)

    @property
    def left(self) -> int:
        return sum(row.left for row in self.entities)

    def by(self, *keys: str) -> list[dict[str, Any]]:
        """Redacted and left by these of KIND (or `repo`), the largest first."""
        table = self.repositories if keys == ("repo",) else split(self.kinds)
        grouped = table.group_by(list(keys)).aggregate([("redacted", "sum"), ("left", "sum")])
        rows = grouped.rename_columns([*keys, "redacted", "left"]).to_pylist()
        return sorted(rows, key=lambda row: (-row["redacted"] - row["left"], [str(row[key]) for key in keys]))

    def strata(self, action: str) -> dict[tuple[str, ...], int]:
        """(entity, recognizer) -> how many decisions of this action."""
        table = self.kinds.filter(pc.equal(self.kinds["action"], action))
        grouped = table.group_by(["entity", "recognizer"]).aggregate([("times", "sum")])
        return {(row["entity"], row["recognizer"]): row["times_sum"] for row in grouped.to_pylist()}


def count(audited: Audited, choice: Choice = Choice()) -> Counts:  # noqa: B008 (frozen)
    """Count the stage's decisions."""
    kinds, repositories, documents = _Sums(KIND), _Sums(("repo", "entity", "action")), _Sums(("entity",))
    scores: dict[str, np.ndarray] = {}
    in_all = keyed = 0
    for shard in audited.shards:
        table = audited.chosen(shard, _READ, choice)
        if table.num_rows == 0:
            continue
        keyed += len(table) - table["value_hmac"].null_count
        table = table.append_column("format", _formats(table["detail"]))
        kinds.add(table)
        repositories.add(table)
        numbers = number64(table["id"])
        in_all += len(np.unique(numbers))
        pairs = pa.table({"entity": table["entity"], "number": numbers}).group_by(["entity", "number"]).aggregate([])
        documents.add(pairs)
        _add_scores(table, scores)
    found = kinds.table().sort_by([("times", "descending"), *((name, "ascending") for name in KIND)])
    in_documents = {row["entity"]: row["times"] for row in documents.table().to_pylist()}
    distinct, equal = _equal_values(audited, choice, keyed) if keyed else ({}, [])
    return Counts(
        audited.name,
        choice,
        found,
        _by_repository(repositories.table()),
        _entities(found, in_documents),
        in_all,
        {entity: histogram.tolist() for entity, histogram in sorted(scores.items())},
        keyed > 0,
        distinct,
        equal,
    )


class _Sums:
    """Times of each combination of `keys`, added up over tables."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = list(keys)
        self.parts: list[pa.Table] = []

    def add(self, table: pa.Table) -> None:
        grouped = table.select(self.keys).group_by(self.keys).aggregate([([], "count_all")])
        self.parts.append(grouped.rename_columns([*self.keys, "times"]))
        if sum(part.num_rows for part in self.parts[1:]) > COMPACT_ROWS:
            self.parts = [self.table()]

    def table(self) -> pa.Table:
        """The keys and `times`."""
        if not self.parts:
            fields = [pa.field(key, pa.string()) for key in self.keys]
            return pa.schema([*fields, pa.field("times", pa.int64())]).empty_table()
        grouped = pa.concat_tables(self.parts).group_by(self.keys).aggregate([("times", "sum")])
        return grouped.rename_columns([*self.keys, "times"])


def _formats(details: pa.ChunkedArray) -> pa.Array:
    """The field `format` of a column of JSON objects, of which few differ."""
    encoded = details.combine_chunks().dictionary_encode()
    formats = [json.loads(text or "{}").get("format", "") for text in encoded.dictionary.to_pylist()]
    return pa.array(formats, pa.string()).take(encoded.indices)


def _add_scores(table: pa.Table, scores: dict[str, np.ndarray]) -> None:
    encoded = table["entity"].combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    score = np.nan_to_num(table["score"].to_numpy())
    bins = np.clip((score * SCORE_BINS + 1e-9).astype(np.int64), 0, SCORE_BINS - 1)
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64) * SCORE_BINS + bins
    counted = np.bincount(codes, minlength=len(names) * SCORE_BINS).reshape(len(names), SCORE_BINS)
    for name, row in zip(names, counted, strict=True):
        scores[name] = scores.get(name, 0) + row


def split(table: pa.Table) -> pa.Table:
    """The table with `redacted` and `left` instead of `action` and `times`."""
    is_redacted = pc.equal(table["action"], KEPT)
    zero = pa.scalar(0, pa.int64())
    return (
        table.append_column("redacted", pc.if_else(is_redacted, table["times"], zero))
        .append_column("left", pc.if_else(is_redacted, zero, table["times"]))
        .drop_columns(["action", "times"])
    )


def _by_repository(table: pa.Table) -> pa.Table:
    grouped = split(table).group_by(["repo", "entity"]).aggregate([("redacted", "sum"), ("left", "sum")])
    grouped = grouped.rename_columns(["repo", "entity", "redacted", "left"])
    times = pc.add(grouped["redacted"], grouped["left"])
    in_all = grouped.append_column("times", times).group_by("repo").aggregate([("times", "sum")])
    grouped = grouped.append_column("all", in_all["times_sum"].take(pc.index_in(grouped["repo"], in_all["repo"])))
    order = [("all", "descending"), ("repo", "ascending"), ("entity", "ascending")]
    return grouped.sort_by(order).drop_columns(["all"])


def _entities(kinds: pa.Table, documents: dict[str, int]) -> list[EntityCount]:
    grouped = split(kinds).group_by("entity").aggregate([("redacted", "sum"), ("left", "sum")])
    rows = [
        EntityCount(row["entity"], row["redacted_sum"], row["left_sum"], documents[row["entity"]])
        for row in grouped.to_pylist()
    ]
    return sorted(rows, key=lambda row: (-row.redacted - row.left, row.entity))


def _equal_values(audited: Audited, choice: Choice, keyed: int) -> tuple[dict[str, int], list[EqualValue]]:
    """How many different values each entity has, and the values that are in the most documents."""
    distinct: dict[str, int] = {}
    most: list[EqualValue] = []
    rounds = 1 + keyed // VALUES_AT_ONCE
    for part in range(rounds):
        parts: list[pa.Table] = []
        for shard in audited.shards:
            table = audited.chosen(shard, ("id", "entity", "value_hmac"), choice)
            table = table.filter(pc.is_valid(table["value_hmac"]))
            if table.num_rows == 0:
                continue
            values = number64(table["value_hmac"])
            numbers = pa.table({"entity": table["entity"], "value": values, "document": number64(table["id"])})
            numbers = numbers.filter(pa.array(values % np.uint64(rounds) == part))
            grouped = numbers.group_by(["entity", "value"]).aggregate(
                [([], "count_all"), ("document", "count_distinct")]
            )
            parts.append(grouped.rename_columns(["entity", "value", "times", "documents"]))
            if sum(one.num_rows for one in parts[1:]) > COMPACT_ROWS:
                parts = [_added(parts)]
        if not parts:
            continue
        table = _added(parts)
        for row in table.group_by("entity").aggregate([([], "count_all")]).to_pylist():
            distinct[row["entity"]] = distinct.get(row["entity"], 0) + row["count_all"]
        order = [("documents", "descending"), ("times", "descending"), ("value", "ascending")]
        listed = table.filter(pc.greater(table["documents"], 1)).sort_by(order).slice(0, EQUAL)
        most += [
            EqualValue(row["entity"], f"{row['value']:016x}", row["documents"], row["times"])
            for row in listed.to_pylist()
        ]
    most.sort(key=lambda row: (-row.documents, -row.times, row.hmac))
    return dict(sorted(distinct.items())), most[:EQUAL]


def _added(parts: list[pa.Table]) -> pa.Table:
    grouped = pa.concat_tables(parts).group_by(["entity", "value"]).aggregate([("times", "sum"), ("documents", "sum")])
    return grouped.rename_columns(["entity", "value", "times", "documents"])
