"""Reads a run's dataset and yields packed batches: FIM a document, shuffled, concatenated, cut into windows.

All of it happens at load time, from one row a document, so that a document can be removed from the dataset and a
training differ in nothing else. Draws depend on seed, epoch and document id alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import count, islice
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import QuarryError, UsageError
from pipeline.fingerprint import digest_bytes
from pipeline.storage import Storage
from stages import chance
from stages.tokenizer import Coder
from training.fim import fim
from training.weights import Weights, times

COLUMNS = ("id", "language", "split", "text_start", "input_ids")
UNKNOWN = "unknown"  # stands for the language of documents that have none
SHARDS_MIXED = 8  # shards held in memory at once, whose documents are shuffled together
TOKENS_MIXED = 1 << 16  # tokens of windows that are shuffled again, so that a batch is not one document


class Batch(NamedTuple):
    """Token ids, int64, each (sequences, context): `targets` are `inputs` one position later."""

    inputs: np.ndarray
    targets: np.ndarray


class Document(NamedTuple):
    """A row of the dataset: `tokens[:text_start]` is the header, `tokens[-1]` is end-of-text."""

    id: str
    tokens: np.ndarray
    text_start: int
    showing: int = 0  # how often it was seen in this epoch before


class Dataset:
    """A dataset folder, local or a URL: `data/*.parquet` and `tokenizer.json`."""

    def __init__(self, folder: str) -> None:
        """Raises UsageError where `folder` holds no dataset."""
        self.folder = folder
        self.store = Storage(folder)
        self.shards = [f"data/{name}" for name in self.store.names("data") if name.endswith(".parquet")]
        if not self.shards or not self.store.exists("tokenizer.json"):
            raise UsageError(f"'{folder}' holds no dataset (data/*.parquet and tokenizer.json); finish the run first.")
        self.tokenizer = self.store.read_bytes("tokenizer.json")
        try:
            self.coder = Coder(self.tokenizer, f"{folder}/tokenizer.json")
        except QuarryError as error:
            raise UsageError(str(error)) from None

    def digest(self) -> str:
        """Of all the dataset holds: its receipt's digest, or its files' where nobody wrote one."""
        if self.store.exists("receipt.json"):
            return digest_bytes(self.store.read_bytes("receipt.json"))
        files = [digest_bytes(self.store.read_bytes(path)) for path in ("tokenizer.json", *self.shards)]
        return digest_bytes("".join(files).encode())

    def tokens(self, split: str) -> dict[str, int]:
        """How many tokens a split holds in each language."""
        found: Counter[str] = Counter()
        for path in self.shards:
            held = self._read(path, split, ["language", "split", "n_tokens"]).group_by("language")
            for row in held.aggregate([("n_tokens", "sum")]).to_pylist():
                found[UNKNOWN if row["language"] is None else row["language"]] += row["n_tokens_sum"]
        return dict(found)

    def documents(
        self,
        split: str,
        rng: np.random.Generator | None = None,
        wanted: Callable[[list[str], list[str]], np.ndarray] | None = None,
    ) -> Iterator[Document]:
        """The documents of a split: in the dataset's order, or shuffled by `rng`, a few shards at a time.

        `wanted` says of ids and languages how often each is wanted; by default once.
        """
        order = self.shards if rng is None else [self.shards[at] for at in rng.permutation(len(self.shards))]
        for start in range(0, len(order), SHARDS_MIXED):
            tables = [self._read(path, split) for path in order[start : start + SHARDS_MIXED]]
            table = pa.concat_tables(tables).combine_chunks()
            rows, showings = np.arange(table.num_rows), np.zeros(table.num_rows, np.int64)
            if wanted is not None:
                spoken = pc.fill_null(table.column("language"), UNKNOWN).to_pylist()
                often = wanted(table.column("id").to_pylist(), spoken)
                rows = np.repeat(rows, often)
                showings = np.arange(len(rows)) - np.repeat(np.cumsum(often) - often, often)
            if rng is not None:
                places = rng.permutation(len(rows))
                rows, showings = rows[places], showings[places]
            if len(rows):
                yield from _documents(table, rows, showings)

    def _read(self, path: str, split: str, columns: Sequence[str] = COLUMNS) -> pa.Table:
        try:
            return self.store.read_table(path, columns, where=("split", split))
        except (QuarryError, pa.ArrowException, KeyError):
            raise UsageError(
                f"'{self.folder}/{path}' is no shard of tokens (columns {', '.join(columns)}); "
                "tokenize again, or remove the file."
            ) from None


def _documents(table: pa.Table, rows: np.ndarray, showings: np.ndarray) -> Iterator[Document]:
    ids = table.column("id").chunk(0)
    starts = table.column("text_start").chunk(0).to_numpy()
    lists = table.column("input_ids").chunk(0)
    offsets, tokens = lists.offsets.to_numpy(), lists.values.to_numpy()
    for row, showing in zip(rows.tolist(), showings.tolist(), strict=True):
        yield Document(ids[row].as_py(), tokens[offsets[row] : offsets[row + 1]], int(starts[row]), showing)


def training_batches(
    dataset: Dataset,
    *,
    batch: int,
    context: int,
    seed: int,
    fim_rate: float = 0.5,
    spm_rate: float = 0.5,
    weights: Weights | None = None,
) -> Iterator[Batch]:
    """Batches of the train split, epoch after epoch without end; equal for equal arguments.

    Raises UsageError where the split is empty. `weights` are such that weights.mixture lets pass.
    """
    pool = max(4 * batch, TOKENS_MIXED // context)
    endless = _epochs(dataset, seed, fim_rate, spm_rate, weights)
    mixed = shuffled(windows(endless, context), pool, chance.generator(seed, "windows"))
    return batched(mixed, batch)


def validation_batches(dataset: Dataset, *, batch: int, context: int, limit: int) -> Iterator[Batch]:
    """At most `limit` batches of the validation split, in order and without FIM; the last may be short."""
    plain = (document.tokens.astype(np.int64) for document in dataset.documents("validation"))
    return islice(batched(windows(plain, context), batch), limit)


def _epochs(
    dataset: Dataset, seed: int, fim_rate: float, spm_rate: float, weights: Weights | None
) -> Iterator[np.ndarray]:
    for epoch in count():
        empty = True
        wanted = partial(times, weights=weights, seed=seed, epoch=epoch) if weights else None
        for document in dataset.documents("train", chance.generator(seed, "order", str(epoch)), wanted):
            empty = False
            purpose = f"fim {epoch} {document.showing}" if document.showing else f"fim {epoch}"
            rng = chance.generator(seed, purpose, document.id)
            yield with_fim(document, dataset.coder, rng, fim_rate, spm_rate)
        if empty and not weights:  # with weights, an epoch of a small dataset may well be empty
            raise UsageError(f"'{dataset.folder}' has no document in its train split; run with more repositories.")


def with_fim(document: Document, coder: Coder, rng: np.random.Generator, rate: float, spm_rate: float) -> np.ndarray:
    """The document's tokens, its text rearranged with probability `rate`; header and end-of-text stay in place."""
    tokens = document.tokens.astype(np.int64)
    header, text = tokens[: document.text_start], tokens[document.text_start : -1]
    if len(text) == 0 or rng.random() >= rate:
        return tokens
    return np.concatenate([header, fim(coder.decode(text), rng, coder.encode, coder.special, spm_rate), tokens[-1:]])


def windows(documents: Iterable[np.ndarray], context: int) -> Iterator[np.ndarray]:
    """The documents end to end, cut into windows of `context` + 1 tokens.

    A window begins with the last token of the one before, so that every token but the first is predicted once; what
    is left at the end is dropped.
    """
    held: list[np.ndarray] = []
    size = 0
    for document in documents:
        held.append(document)
        size += len(document)
        if size <= context:
            continue
        joined = np.concatenate(held)
        starts = range(0, size - context, context)
        for start in starts:
            yield joined[start : start + context + 1]
        held = [joined[len(starts) * context :]]
        size = len(held[0])


def shuffled(items: Iterable[np.ndarray], pool: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The items in random order, each drawn from the `pool` items at hand."""
    held: list[np.ndarray] = []
    for item in items:
        if len(held) < pool:
            held.append(item)
            continue
        at = int(rng.integers(pool))
        held[at], drawn = item, held[at]
        yield drawn
    rng.shuffle(held)
    yield from held


def batched(items: Iterable[np.ndarray], batch: int) -> Iterator[Batch]:
    """Batches of `batch` windows; the last may hold fewer."""
    source = iter(items)
    while held := list(islice(source, batch)):
        stacked = np.stack(held)
        yield Batch(stacked[:, :-1], stacked[:, 1:])
