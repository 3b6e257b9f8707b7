"""Lines that the recognizers may have passed over: what an auditor looks through for values that were missed.

The documents of a redact stage are cut into lines (long ones into pieces), and each is in one of two strata: those that
look suspicious by cheap cues and in which nothing was found, and all others. Both are sampled, each uniformly by hash,
so that the weighted answer is one about all lines, and yet most of the reading is done where misses are likely.
Everything streams by row group: Arrow's linear-time regular expressions on views of its own buffers, no line a Python
object before it is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reports.audit_context import Find, Piece, around, is_as_written, marks_of, pieces, plain
from reports.audit_sample import AT_ONCE
from reports.audit_stage import KEPT, Audited, number64, priority

SUSPICIOUS, OTHER = "suspicious", "other"
PIECE = 400  # bytes of a line that are looked at as one
# What often stands near a value: words about people and secrets, an @, two capitalised words, dotted numbers, long runs
# of letters and digits.
CUES = (
    r"(?i:\b(author|by:|written by|thanks|credit|contact|maintainer|copyright|signed-off|reported by|todo\(|fixme\()"
    r"|passw|passphrase|\bpwd\b|secret|api_?key|credential|private key|\blogin|user_?name|/home/|\\users\\"
    r"|token\W{0,4}[=:])|(\w|[a-z,(>\[] |[(>\[,])@[A-Za-z]\w|://\S+:\S+@|\d\.\d{1,3}\.\d{1,3}\.\d"
    r"|(\b|:)[0-9A-Fa-f]{1,4}(:[0-9A-Fa-f]{0,4}){4,7}|[A-Za-z0-9+]{6}[0-9][A-Za-z0-9+]{9}"
    r"|\b[A-Z][a-z]+ ([A-Z]\.? )?[A-Z][a-z]{2,}\b"
)


class Line(NamedTuple):
    """A line, or a piece of a long one, that was drawn."""

    document: str
    repo: str
    path: str
    shard: str
    kind: str  # SUSPICIOUS or OTHER
    start: int  # code points in the text the stage wrote
    end: int

    @property
    def place(self) -> tuple[str, int, int]:
        return self.document, self.start, self.end

    @property
    def stratum(self) -> tuple[str, ...]:
        return (self.kind,)


class ShownLine(NamedTuple):
    """A line with its neighbours, every value that is known masked; `line` is the line itself."""

    drawn: Line
    line: list[Piece] | None
    context: list[Piece] | None

    def as_json(self) -> dict[str, Any]:
        """As plain data."""
        drawn = self.drawn
        return {
            "document": drawn.document,
            "repo": drawn.repo,
            "path": drawn.path,
            "start": drawn.start,
            "end": drawn.end,
            "kind": drawn.kind,
            "line": None if self.line is None else plain(self.line),
        }


@dataclass(frozen=True)
class Lines:
    """What was drawn, and what it was drawn from."""

    drawn: list[Line]  # in the order in which they are to be looked at
    sizes: dict[str, int]  # lines that are not blank, by kind
    documents: int
    bytes: int  # of their text after redaction


def draw_lines(audited: Audited, count: int, seed: int, language: str | None = None) -> Lines:
    """Up to `count` lines, half of them of each kind as far as there are so many."""
    sizes = {SUSPICIOUS: 0, OTHER: 0}
    kept: dict[str, pa.Table | None] = {SUSPICIOUS: None, OTHER: None}
    documents = read = 0
    for shard in audited.shards:
        found = audited.decisions(shard, ("id", "action", "start", "end", "replacement"))
        for table in _row_groups(audited, shard, language):
            documents += table.num_rows
            units = _units(table, found)
            read += units.bytes
            order = priority(number64(table["id"])[units.rows], units.starts, seed)
            for kind, chosen in ((SUSPICIOUS, units.is_suspicious), (OTHER, ~units.is_suspicious)):
                at = np.flatnonzero(chosen)
                sizes[kind] += len(at)
                at = at[np.argsort(order[at], kind="stable")[:count]]
                if len(at) == 0:
                    continue
                part = table.select(["id", "repo", "path"]).take(pa.array(units.rows[at]))
                for name, values in (("start", units.starts[at]), ("end", units.ends[at]), ("order", order[at])):
                    part = part.append_column(name, pa.array(values))
                part = part.append_column("shard", pa.array([shard] * len(at), pa.string()))
                before = kept[kind]
                both = part if before is None else pa.concat_tables([before, part])
                kept[kind] = both.sort_by("order").slice(0, count)
    return Lines(list(_in_turn(kept, count)), sizes, documents, read)


def show_lines(audited: Audited, drawn: Sequence[Line], find: Find, lines: int = 2) -> Iterator[ShownLine]:
    """The drawn lines as they stand after redaction, with `lines` before and after them, in their order."""
    for first in range(0, len(drawn), AT_ONCE):
        batch = drawn[first : first + AT_ONCE]
        places: dict[Any, Any] = {}
        for shard, its in groupby(sorted(batch, key=lambda one: one.shard), key=lambda one: one.shard):
            rows = list(its)
            ids = {one.document for one in rows}
            findings, texts = audited.findings(shard, ids), audited.texts_after(shard, ids)
            for one in rows:
                text, marks = texts.get(one.document), marks_of(findings[one.document])
                if text is not None and is_as_written(text, findings[one.document], marks):
                    places[one.place] = around(text, marks, one.start, one.end)
        found = dict(zip(places, find([place.text for place in places.values()]) if places else (), strict=True))
        for one in batch:
            if one.place not in places:
                yield ShownLine(one, None, None)
                continue
            place, recognized = places[one.place], found[one.place]
            line = pieces(place, recognized, 0, target=False)
            yield ShownLine(one, line, pieces(place, recognized, lines, target=False))


# ---- lines of a row group


class _Units(NamedTuple):
    """Lines and pieces of lines that are not blank: the row they are of, where, and whether they look suspicious."""

    rows: np.ndarray  # int64
    starts: np.ndarray  # int64, code points in the row's text
    ends: np.ndarray
    is_suspicious: np.ndarray  # bool
    bytes: int  # of all texts


def _row_groups(audited: Audited, shard: str, language: str | None) -> Iterator[pa.Table]:
    path = audited.text_path(shard)
    if path is None:
        return
    with audited.run.store.open(path) as handle:
        file = pq.ParquetFile(handle)
        columns = [name for name in ("id", "repo", "path", "language", "text") if name in file.schema_arrow.names]
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=columns)
            table = table.filter(pc.is_valid(table["text"]))
            if language is not None:
                known = table["language"] if "language" in columns else pa.nulls(table.num_rows, pa.string())
                table = table.filter(pc.fill_null(pc.equal(pc.utf8_lower(known), language.lower()), False))
            if table.num_rows:
                yield table.combine_chunks()


def _units(table: pa.Table, found: pa.Table) -> _Units:
    """The units of the documents `table`; `found` has what the stage found in them and in others."""
    text = table["text"].combine_chunks().cast(pa.large_string())
    offsets = np.frombuffer(text.buffers()[1], np.int64)[text.offset : text.offset + len(text) + 1]
    first, last = int(offsets[0]), int(offsets[-1])
    if first == last:
        none = np.zeros(0, np.int64)
        return _Units(none, none, none, np.zeros(0, np.bool_), 0)
    data = np.frombuffer(text.buffers()[2], np.uint8)[first:last]
    offsets = offsets - first
    bounds = _bounds(data, offsets)
    views = pa.Array.from_buffers(
        pa.large_string(), len(bounds) - 1, [None, pa.py_buffer(bounds), pa.py_buffer(np.ascontiguousarray(data))]
    )
    rows = np.searchsorted(offsets, bounds[:-1], side="right") - 1
    points = np.concatenate(([0], np.cumsum(np.add.reduceat((data & 0xC0) != 0x80, bounds[:-1], dtype=np.int64))))
    row_starts = points[np.searchsorted(bounds, offsets[:-1])]
    is_shown = pc.match_substring_regex(views, r"\S").to_numpy(zero_copy_only=False)
    is_suspicious = pc.match_substring_regex(views, CUES).to_numpy(zero_copy_only=False)
    is_suspicious = is_suspicious & ~_have_findings(table, found, points, row_starts)
    line_feed = data[bounds[1:] - 1] == 10
    starts, ends = points[:-1] - row_starts[rows], points[1:] - row_starts[rows] - line_feed
    at = np.flatnonzero(is_shown)
    return _Units(rows[at], starts[at], ends[at], is_suspicious[at], len(data))


def _bounds(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Bytes at which units begin, and the end: after each line feed, at each text, and each PIECE of a long line."""
    begins_one = np.zeros(len(data) + 1, np.bool_)
    begins_one[1:] = data == 10
    begins_one[offsets] = True
    ends = np.flatnonzero(begins_one)
    more = (np.diff(ends) - 1) // PIECE  # further pieces of a line
    if more.any():
        begins = np.repeat(ends[:-1], more)
        number = np.arange(len(begins)) - np.repeat(np.cumsum(more) - more, more) + 1
        cuts = begins + number * PIECE
        for _ in range(3):  # not inside a character
            cuts = cuts - ((data[cuts] & 0xC0) == 0x80)
        begins_one[cuts] = True
        ends = np.flatnonzero(begins_one)
    return ends.astype(np.int64)


def _have_findings(table: pa.Table, found: pa.Table, points: np.ndarray, row_starts: np.ndarray) -> np.ndarray:
    """Whether a finding begins in each unit; `points` are code points at which units begin, over all texts."""
    result = np.zeros(len(points) - 1, np.bool_)
    at = pc.index_in(found["id"], value_set=table["id"].combine_chunks())
    found = (
        found.append_column("row", at).filter(pc.is_valid(at)).sort_by([("row", "ascending"), ("start", "ascending")])
    )
    if found.num_rows == 0:
        return result
    rows = found["row"].to_numpy().astype(np.int64)
    starts, ends = found["start"].to_numpy(), found["end"].to_numpy()
    lengths = pc.fill_null(pc.utf8_length(found["replacement"]), 0).to_numpy()
    grown = np.where(pc.equal(found["action"], KEPT).to_numpy(), lengths - (ends - starts), 0)
    before = np.cumsum(grown) - grown  # by all redactions before it, of rows before too
    begins = np.flatnonzero(np.diff(rows, prepend=-1))
    sizes = np.diff(begins, append=len(rows))
    moved = before - np.repeat(before[begins], sizes)
    where = row_starts[rows] + starts + moved
    result[np.clip(np.searchsorted(points, where, side="right") - 1, 0, len(result) - 1)] = True
    return result


def _in_turn(kept: dict[str, pa.Table | None], count: int) -> Iterator[Line]:
    """Lines of the kinds in turn, so that whoever stops early has seen as many of each."""
    rows = {kind: [] if table is None else table.to_pylist() for kind, table in kept.items()}
    given = 0
    for number in range(max(map(len, rows.values()), default=0)):
        for kind, its in rows.items():
            if number < len(its) and given < count:
                row = its[number]
                given += 1
                yield Line(row["id"], row["repo"], row["path"], row["shard"], kind, row["start"], row["end"])
