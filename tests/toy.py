"""Small stages for tests of the kernel: one makes documents out of nothing, others behave well or badly on purpose."""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.decisions import NO_DECISIONS, decide, drop
from pipeline.files import Buffer
from pipeline.side import Corpus, Side
from pipeline.stage import PLACEMENT, ContentFile, Outcome, Stage
from pipeline.storage import Storage

Text = schema.needs(schema.DOCUMENT, "id", "repo", "path", "text")


def documents(texts: list[str], repo: str = "acme/toy", start: int = 0) -> pa.Table:
    """DOCUMENT rows with these texts."""
    count = len(texts)
    values = {name: [None] * count for name in schema.DOCUMENT.names} | {
        "id": [f"{start + row:032x}" for row in range(count)],
        "kind": ["code"] * count,
        "repo": [repo] * count,
        "commit": ["c" * 40] * count,
        "path": [f"src/{start + row}.py" for row in range(count)],
        "size": [len(text.encode()) for text in texts],
        "text": texts,
    }
    return pa.table([pa.array(values[f.name], f.type) for f in schema.DOCUMENT], schema=schema.DOCUMENT)


class Make(Stage):
    """Plans `shards` shards of `documents` documents each; document n says 'document n', every third one 'bad' too."""

    takes: ClassVar[pa.Schema] = schema.needs(schema.REPOSITORY, "id", "repo")
    gives: ClassVar[pa.Schema] = schema.DOCUMENT
    reasons: ClassVar[dict[str, str]] = {}
    source: ClassVar[str] = "plan"
    shards: int = 3
    documents: int = 6
    calls: Annotated[str | None, PLACEMENT] = None  # a file that gets a line for every call

    def prepare(self, corpus: Corpus, side: Side) -> None:
        _count(self.calls, "prepare")
        numbers = corpus.map(_double, range(self.shards))
        for shard in range(self.shards):
            rows = [numbers[shard] // 2 * self.documents + n for n in range(self.documents)]
            plan = pa.table({"id": [f"{row:032x}" for row in rows], "repo": ["acme/toy"] * len(rows)})
            side.put("plan", plan, shard=f"{shard:05d}")

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        _count(self.calls, "apply")
        numbers = [int(i, 16) for i in shard["id"].to_pylist()]
        texts = [f"document {n}" + (" bad" if n % 3 == 2 else "") for n in numbers]
        return (
            Outcome(documents(texts, start=numbers[0]), NO_DECISIONS)
            if numbers
            else Outcome(documents([]), NO_DECISIONS)
        )


class Forbid(Stage):
    """Drops documents that hold a word, or a word of a file."""

    takes: ClassVar[pa.Schema] = Text
    gives: ClassVar[pa.Schema] = Text
    reasons: ClassVar[dict[str, str]] = {"forbidden_word": "it holds the word '{word}'"}
    word: str = "bad"
    words: ContentFile | None = None
    calls: Annotated[str | None, PLACEMENT] = None
    dawdle: Annotated[float, PLACEMENT] = 0.0  # seconds at most, so that shards end in another order

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        _count(self.calls, "apply")
        time.sleep(random.random() * self.dawdle)
        hit = pc.match_substring(shard["text"], self.word).to_numpy()
        return drop(shard, hit, "forbidden_word", [{"word": self.word}] * int(hit.sum()))


class Last(Stage):
    """Prepares one side table a shard (which document is last) and drops these documents."""

    takes: ClassVar[pa.Schema] = Text
    gives: ClassVar[pa.Schema] = Text
    reasons: ClassVar[dict[str, str]] = {"last": "it is the last of its shard"}
    calls: Annotated[str | None, PLACEMENT] = None
    marker: Annotated[str, PLACEMENT] = ""  # a file: where it is not there yet, preparing kills a worker

    def prepare(self, corpus: Corpus, side: Side) -> None:
        _count(self.calls, "prepare")
        corpus.map(partial(_last_of, self.marker), corpus.shards)

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        _count(self.calls, "apply")
        return drop(shard, pc.is_in(shard["id"], side.get_shard("last")["id"].combine_chunks()).to_numpy(), "last")


class Blank(Stage):
    """Blanks a word in the text, as redaction does."""

    takes: ClassVar[pa.Schema] = Text
    gives: ClassVar[pa.Schema] = Text
    writes: ClassVar[frozenset[str]] = frozenset({"text"})
    reasons: ClassVar[dict[str, str]] = {}
    word: str = "document"

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        blanked = pc.replace_substring(shard["text"], self.word, "...")
        return Outcome(shard.set_column(shard.column_names.index("text"), "text", blanked), NO_DECISIONS)


class Misbehave(Stage):
    """Does one thing wrong."""

    takes: ClassVar[pa.Schema] = Text
    gives: ClassVar[pa.Schema] = Text
    reasons: ClassVar[dict[str, str]] = {"whim": "of a whim"}
    how: Literal[
        "nothing", "lose", "swap", "invent", "double", "reorder", "reason", "raise_one", "raise_all", "raise_shard",
        "kill_at_write", "kill_always", "full_disk", "flaky",
    ] = "nothing"  # fmt: skip
    marker: Annotated[str, PLACEMENT] = ""  # a file that remembers that the one failure has happened
    at: Annotated[str, PLACEMENT] = "00001"  # the shard it does it on
    write: Annotated[int, PLACEMENT] = 1  # kill_at_write: which of the shard's writes it does not live to make

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        kept, decisions = shard, NO_DECISIONS
        first = shard.num_rows > 0 and side.shard == self.at
        if not first:
            return Outcome(kept, decisions)
        if self.how == "lose":
            kept = shard.slice(1)
        elif self.how == "swap":
            texts = shard["text"].to_pylist()
            texts[0], texts[1] = texts[1], texts[0]
            kept = shard.set_column(shard.column_names.index("text"), "text", pa.array(texts, pa.string()))
        elif self.how == "invent":
            stranger = shard.slice(0, 1).set_column(0, shard.schema.field(0), pa.array(["f" * 32]))
            kept = pa.concat_tables([shard, stranger])
        elif self.how == "double":
            decisions = decide(shard, [0], "drop", "whim")
        elif self.how == "reorder":
            kept = shard.take(np.arange(shard.num_rows)[::-1])
        elif self.how == "reason":
            kept, decisions = drop(shard, [0], "mood")
        elif self.how == "raise_one":
            self._raise_on(shard, 7)
        elif self.how == "raise_all":
            raise ValueError("secret text of the document")
        elif self.how == "raise_shard":
            raise ValueError("the model is broken")
        elif self.how == "full_disk":
            raise OSError(28, "No space left on device")
        elif self.how == "kill_always":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.how in ("kill_at_write", "flaky") and not Path(self.marker).exists():
            Path(self.marker).touch()
            if self.how == "flaky":
                raise OSError(5, "Input/output error")
            _die_at_write(self.write)
        return Outcome(kept, decisions)

    def _raise_on(self, shard: pa.Table, number: int) -> None:
        if f"{number:032x}" in shard["id"].to_pylist():
            raise ValueError("secret text of the document")


def _die_at_write(number: int) -> None:
    """Make this process kill itself before its `number`-th write from now."""
    write, count = Storage.write_bytes, itertools.count(1)

    def counted(self: Storage, path: str, data: Buffer, *, synced: bool = True) -> None:
        if next(count) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        write(self, path, data, synced=synced)

    Storage.write_bytes = counted  # type: ignore[method-assign]


class Quiet:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def note(self, message: str) -> None:
        self.heard.append(message)

    def pass_started(self, name: str, shards: int, done: int, workers: int) -> None:
        self.heard.append(f"{name} {done}/{shards}")

    def preparing(self, name: str, done: int, total: int) -> None: ...

    def shard_finished(self, name: str, receipt: dict[str, Any]) -> None: ...

    def pass_finished(self, name: str) -> None: ...


class MakeOnce(Make):
    """Make, whose plan is removed when the pass is complete."""

    temporary: ClassVar[tuple[str, ...]] = ("plan",)


CATALOG: dict[str, type[Stage]] = {
    "make": Make,
    "forbid": Forbid,
    "last": Last,
    "blank": Blank,
    "misbehave": Misbehave,
}


def _double(number: int, corpus: Corpus, side: Side) -> int:
    return number * 2


def _last_of(marker: str, shard: str, corpus: Corpus, side: Side) -> None:
    if marker and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    ids = corpus.read(shard, ["id"])
    side.put("last", ids.slice(max(0, ids.num_rows - 1)), shard=shard)


def _count(path: str | None, what: str) -> None:
    if path:
        with open(path, "a") as file:
            file.write(what + "\n")
