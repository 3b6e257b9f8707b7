"""A seeded sample of what a redact stage found, each in its context with the value masked.

Which decisions are drawn is a matter of hashes: the same seed draws the same ones on any machine, and a larger sample
holds the smaller one. A stratified sample goes round the strata (entity and recognizer), so that rare ones are seen
too; `pii.audit` weights its verdicts by the strata's sizes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reports.audit_context import (
    Find,
    Mark,
    Piece,
    around,
    is_as_written,
    length_class,
    marks_of,
    pieces,
    plain,
    redacted,
)
from reports.audit_stage import Audited, Choice, number64, priority

DRAWN = ("id", "repo", "path", "action", "reason", "entity", "start", "end", "score", "recognizer", "replacement")
AT_ONCE = 256  # contexts that a finder reads together


class Drawn(NamedTuple):
    """A decision that was drawn."""

    document: str
    repo: str
    path: str
    shard: str
    language: str
    reason: str
    entity: str
    start: int  # code points in the text the stage read
    end: int
    score: float
    recognizer: str
    replacement: str | None  # None where it was left

    @property
    def place(self) -> tuple[str, int, int]:
        return self.document, self.start, self.end

    @property
    def stratum(self) -> tuple[str, ...]:
        return self.entity, self.recognizer


class Shown(NamedTuple):
    """A decision in its context."""

    drawn: Drawn
    context: list[Piece] | None  # None where no text of the document is left
    value: str | None = None  # only where it was asked for, and the text before redaction is there

    def as_json(self) -> dict[str, Any]:
        """As plain data, without the value."""
        drawn = self.drawn
        return {
            "document": drawn.document,
            "repo": drawn.repo,
            "path": drawn.path,
            "language": drawn.language,
            "start": drawn.start,
            "entity": drawn.entity,
            "recognizer": drawn.recognizer,
            "score": round(drawn.score, 4),
            "reason": drawn.reason,
            "redacted": drawn.replacement is not None,
            "length": length_class(drawn.end - drawn.start),
            "context": None if self.context is None else plain(self.context),
        }


def draw(
    audited: Audited, choice: Choice, count: int, seed: int, *, action: str = "redact", stratified: bool = False
) -> list[Drawn]:
    """Up to `count` decisions of this action, in the order in which they are to be looked at."""
    kept: pa.Table | None = None
    for shard in audited.shards:
        table = audited.chosen(shard, DRAWN, choice)
        table = table.filter(pc.equal(table["action"], action))
        if table.num_rows == 0:
            continue
        order = priority(number64(table["id"]), table["start"].to_numpy(), seed)
        table = table.append_column("shard", pa.array([shard]).take(pa.array(np.zeros(table.num_rows, np.int64))))
        table = _first(table.append_column("order", pa.array(order)), count, stratified)
        kept = table if kept is None else _first(pa.concat_tables([kept, table]), count, stratified)
    rows = [] if kept is None else kept.to_pylist()
    return [
        Drawn(
            row["id"],
            row["repo"],
            row["path"],
            row["shard"],
            row["language"],
            row["reason"],
            row["entity"],
            row["start"],
            row["end"],
            row["score"] if row["score"] is not None else 0.0,
            row["recognizer"],
            row["replacement"],
        )
        for row in rows
    ]


def _first(table: pa.Table, count: int, stratified: bool) -> pa.Table:
    """The first `count` rows by `order`; by their rank in their stratum before, where it is stratified."""
    order = table["order"].to_numpy()
    rank = np.zeros(table.num_rows, np.int64)
    if stratified:
        codes = np.zeros(table.num_rows, np.int64)
        for name in ("entity", "recognizer"):
            encoded = table[name].combine_chunks().dictionary_encode()
            codes = codes * (len(encoded.dictionary) + 1) + encoded.indices.fill_null(-1).to_numpy() + 1
        by_stratum = np.lexsort((order, codes))
        begins = np.flatnonzero(np.diff(codes[by_stratum], prepend=-1))
        sizes = np.diff(begins, append=len(codes))
        rank[by_stratum] = np.arange(len(codes)) - np.repeat(begins, sizes)
    first = np.lexsort((table["start"].to_numpy(), order, rank))[:count]
    return table.take(pa.array(first))


def show(
    audited: Audited, drawn: Sequence[Drawn], find: Find, lines: int = 1, *, reveal: bool = False
) -> Iterator[Shown]:
    """The drawn decisions in their context, in their order; `reveal` adds the value where it can still be known."""
    for first in range(0, len(drawn), AT_ONCE):
        batch = drawn[first : first + AT_ONCE]
        texts = _texts(audited, batch, reveal)
        read = [place for place, _ in texts.values() if place is not None]
        found = iter(find([place.text for place in read]) if read else ())
        shown = {
            key: (None if place is None else pieces(place, next(found), lines), value)
            for key, (place, value) in texts.items()
        }
        for one in batch:
            yield Shown(one, *shown[one.place])


def _texts(audited: Audited, batch: Sequence[Drawn], reveal: bool) -> dict[Any, tuple[Any, str | None]]:
    """Place -> the text around it (None where there is none), and the value where it is asked for."""
    result: dict[Any, tuple[Any, str | None]] = {one.place: (None, None) for one in batch}
    for shard, its in groupby(sorted(batch, key=lambda one: one.shard), key=lambda one: one.shard):
        rows = list(its)
        ids = {one.document for one in rows}
        findings = audited.findings(shard, ids)
        after = audited.texts_after(shard, ids)
        before = audited.texts_before(shard, ids if reveal else ids - after.keys())
        for one in rows:
            its_findings = findings[one.document]
            text, original = after.get(one.document), before.get(one.document)
            if text is None and original is not None:
                text = redacted(original, its_findings)
            if text is None:
                continue
            marks = marks_of(its_findings)
            at = _number(its_findings, one)
            if at is None or not is_as_written(text, its_findings, marks):
                continue
            mark: Mark = marks[at]
            value = original[one.start : one.end] if reveal and original is not None else None
            result[one.place] = (around(text, marks, mark.start, mark.end), value)
    return result


def _number(findings: Sequence[dict[str, Any]], one: Drawn) -> int | None:
    return next(
        (n for n, row in enumerate(findings) if (row["start"], row["end"]) == (one.start, one.end)),
        None,
    )
