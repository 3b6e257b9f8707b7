"""The redact stage that is audited: where its decisions are, and which of the texts it read and wrote are still there.

Documents of the pass before may be discarded, and those that a later stage of the same pass dropped have no text after
redaction. A text counts only where no other stage of the pass changed it in between, as offsets would not fit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pii.stage import Redact
from pipeline.errors import UsageError
from pipeline.state import PassRun, Run
from reports.rows import document_path, input_path, read_rows

KEPT = "redact"  # the action of a decision by which a value was replaced; "note" where it was left


@dataclass(frozen=True)
class Choice:
    """Which of the decisions are looked at; None is all."""

    entity: str | None = None
    language: str | None = None
    recognizer: str | None = None


@dataclass(frozen=True)
class Audited:
    """A redact stage of a run."""

    run: Run
    number: int  # of its pass
    name: str
    stage: Redact
    reads_pass: bool  # whether it reads the text as the pass did
    writes_pass: bool  # whether the pass's documents have the text as it wrote it

    @property
    def this(self) -> PassRun:
        return self.run.passes[self.number]

    @property
    def shards(self) -> list[str]:
        return sorted(self.this.receipts)

    def decisions(self, shard: str, columns: Sequence[str]) -> pa.Table:
        """What the stage decided about a shard's values: these columns of it."""
        wanted = list(dict.fromkeys((*columns, "stage", "entity", "action")))
        table = self.run.store.read_table(self.this.folder.decisions(shard), wanted)
        mine = pc.and_(pc.equal(table["stage"], self.name), pc.not_equal(table["action"], "drop"))
        return table.filter(pc.and_(mine, pc.is_valid(table["entity"]))).select(list(columns))

    def chosen(self, shard: str, columns: Sequence[str], choice: Choice) -> pa.Table:
        """Like `decisions`, of those that are looked at, with a column `language`."""
        wanted = list(dict.fromkeys((*columns, "id", "entity", "recognizer")))
        table = self.decisions(shard, wanted)
        for name, value in (("entity", choice.entity), ("recognizer", choice.recognizer)):
            if value is not None:
                table = table.filter(pc.equal(table[name], value))
        table = table.append_column("language", self._languages(shard, table["id"]))
        if choice.language is not None:
            table = table.filter(pc.equal(pc.utf8_lower(table["language"]), choice.language.lower()))
        return table.select([*dict.fromkeys((*columns, "language"))])

    def _languages(self, shard: str, ids: pa.ChunkedArray) -> pa.Array:
        found = pa.nulls(len(ids), pa.string())
        for path in self._paths(shard):
            if found.null_count == 0 or not self.run.store.exists(path):
                continue
            names = self.run.store.read_schema(path).names
            if not {"id", "language"} <= set(names):
                continue
            known = self.run.store.read_table(path, ["id", "language"]).combine_chunks()
            at = pc.index_in(ids, value_set=known["id"].combine_chunks())
            found = pc.coalesce(found, known["language"].cast(pa.string()).take(at).combine_chunks())
        return pc.fill_null(found, "not known")

    def _paths(self, shard: str) -> tuple[str, str]:
        return document_path(self.this, shard), input_path(self.run, self.number, shard)

    def text_path(self, shard: str) -> str | None:
        """The documents that hold the text as the stage wrote it; None where no file does."""
        path = document_path(self.this, shard)
        if not self.writes_pass or not self.run.store.exists(path):
            return None
        return path if "text" in self.run.store.read_schema(path).names else None

    def texts_after(self, shard: str, ids: Collection[str]) -> dict[str, str]:
        """id -> text as the stage wrote it, of the documents that are still there."""
        return self._texts(document_path(self.this, shard), ids) if self.writes_pass else {}

    def texts_before(self, shard: str, ids: Collection[str]) -> dict[str, str]:
        """id -> text as the stage read it, of the documents that are still there."""
        return self._texts(input_path(self.run, self.number, shard), ids) if self.reads_pass else {}

    def _texts(self, path: str, ids: Collection[str]) -> dict[str, str]:
        rows = read_rows(self.run.store, path, ids, ["text"])
        return {key: row["text"] for key, row in rows.items() if row.get("text") is not None}

    def findings(self, shard: str, ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
        """id -> everything the stage found in it, redacted or left, in text order."""
        columns = ("id", "action", "entity", "start", "end", "replacement")
        table = self.decisions(shard, columns)
        table = table.filter(pc.is_in(table["id"], value_set=pa.array(sorted(ids), pa.string()))).sort_by("start")
        found: dict[str, list[dict[str, Any]]] = {key: [] for key in ids}
        for row in table.to_pylist():
            found[row["id"]].append(row)
        return found


def audited(run: Run, name: str | None = None) -> Audited:
    """The redact stage of that name, else the first; UsageError where the run has none, or it has not run."""
    stages = list(_stages(run))
    if not stages:
        raise UsageError(
            f"the run in '{run.store.root}' has no stage redact, so nothing can be audited; add one to its recipe."
        )
    for one in stages:
        if name in (None, one.name):
            if not one.shards:
                raise UsageError(
                    f"the stage {one.name} of '{run.store.root}' has not run yet; run it, then audit: quarry run."
                )
            return one
    raise UsageError(f"the run has no redact stage '{name}'; it has {', '.join(one.name for one in stages)}.")


def is_audited(run: Run) -> bool:
    """Whether the run has a redact stage, so that its report has a page about it."""
    return any(True for _ in _stages(run))


def _stages(run: Run) -> Iterator[Audited]:
    for number, this in enumerate(run.passes):
        writers = [place for place, named in enumerate(this.part.stages) if "text" in named.stage.writes]
        for place, named in enumerate(this.part.stages):
            if isinstance(named.stage, Redact):
                alone_before, alone_after = min(writers) >= place, max(writers) <= place
                yield Audited(run, number, named.name, named.stage, alone_before, alone_after)


# ---- hashes, so that a sample needs no random numbers

_NIBBLES = np.full(256, 255, dtype=np.uint8)
_NIBBLES[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)
_NIBBLES.setflags(write=False)


def number64(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """uint64 of each string: the first 16 hex digits where all are hex of one length, as ids and HMACs are."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    count = len(array)
    if count == 0:
        return np.zeros(0, np.uint64)
    offsets = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + count + 1]
    width = int(offsets[1] - offsets[0])
    if width >= 16 and array.null_count == 0 and (np.diff(offsets) == width).all():
        data = np.frombuffer(array.buffers()[2], np.uint8)[offsets[0] : offsets[-1]].reshape(count, width)
        nibbles = _NIBBLES[data[:, :16]]
        if (nibbles < 16).all():
            value = np.zeros(count, np.uint64)
            for place in range(16):
                value = value << np.uint64(4) | nibbles[:, place]
            return value
    encoded = array.dictionary_encode()
    hashed = np.array([_blake64(text or "") for text in encoded.dictionary.to_pylist()] + [0], np.uint64)
    return hashed[encoded.indices.fill_null(len(hashed) - 1).to_numpy(zero_copy_only=False)]


def priority(ids: np.ndarray, starts: np.ndarray, seed: int) -> np.ndarray:
    """uint64 that orders places as if at random, the same for the same seed: MurmurHash3's finalizer, twice."""
    mixed = _mix(ids ^ np.uint64(_blake64(f"audit {seed}")))
    return _mix(mixed + starts.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def _mix(value: np.ndarray) -> np.ndarray:
    value = (value ^ value >> np.uint64(33)) * np.uint64(0xFF51AFD7ED558CCD)
    value = (value ^ value >> np.uint64(33)) * np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ value >> np.uint64(33)


def _blake64(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(errors="replace"), digest_size=8).digest(), "little")
