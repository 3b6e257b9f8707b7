"""Turns documents into token ids: one row a document, never packed, so that one document can be removed later.

The tokenizer is trained once on a sample of the run, or given. Header and text are encoded apart from each other, so
that `text_start` is exact and the tokens behind it are the text byte for byte, whatever the header says.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline import schema
from pipeline.decisions import NO_DECISIONS
from pipeline.errors import QuarryError
from pipeline.side import Corpus, Side
from pipeline.stage import ContentFile, Outcome, Stage
from pipeline.storage import Storage
from stages import chance, template
from stages.tokenizer import END_OF_TEXT, SMALLEST_VOCABULARY, SPECIAL_TOKENS, Coder, train

TOKENIZER = "tokenizer.json"


class Tokenize(Stage):
    """Byte-level BPE over StarCoder's document template, and the split into train and validation by repository."""

    takes: ClassVar[pa.Schema] = schema.needs(
        schema.DOCUMENT, "id", "repo", "commit", "path", "language", "blob", "size", "license", "stars", "text"
    )
    gives: ClassVar[pa.Schema] = schema.TOKENS_16
    reasons: ClassVar[Mapping[str, str]] = {}
    depends: ClassVar[tuple[str, ...]] = ("tokenizers",)

    tokenizer: ContentFile | None = None  # a tokenizer.json to use; without one, one is trained
    vocabulary: int = Field(
        default=49_152, ge=SMALLEST_VOCABULARY
    )  # tokens of the trained one, special tokens included
    sample_bytes: int = Field(default=256 << 20, gt=0)  # text it is trained on, about
    metadata_probability: float = Field(default=0.2, ge=0, le=1)
    validation_share: float = Field(default=0.02, ge=0, lt=1)  # of the repositories
    seed: int = 0

    def prepare(self, corpus: Corpus, side: Side) -> None:
        data = _given(self.tokenizer) if self.tokenizer else self._trained(corpus)
        Coder(data, self.tokenizer or TOKENIZER)  # refused here, before any shard is tokenized
        side.put_bytes(TOKENIZER, data)

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        coder = side.load("coder", lambda: Coder(side.get_bytes(TOKENIZER)))
        ids, repos, paths, stars, texts = (
            shard.column(name).to_pylist() for name in ("id", "repo", "path", "stars", "text")
        )
        end = [coder.special[END_OF_TEXT]]
        width = np.uint16 if schema.tokens(coder.vocabulary) is schema.TOKENS_16 else np.uint32
        pieces = [np.zeros(0, width)]
        starts = np.zeros(len(ids), np.int32)
        lengths = np.zeros(len(ids), np.int32)
        chosen = template.chosen_fields(self.seed, ids, self.metadata_probability)
        for row, (repo, path, count, text) in enumerate(zip(repos, paths, stars, texts, strict=True)):
            header = template.header(coder, chosen[row], repo, path, count)
            pieces.append(np.array(header + coder.encode(text) + end, width))
            starts[row], lengths[row] = len(header), len(pieces[-1])
        offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        made = {
            "split": pa.array(self._splits(repos), pa.string()),
            "n_tokens": pa.array(lengths),
            "text_start": pa.array(starts),
            "input_ids": pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(np.concatenate(pieces))),
        }
        gives = schema.tokens(coder.vocabulary)
        columns = [made[name] if name in made else shard.column(name) for name in gives.names]
        return Outcome(pa.table(columns, schema=gives), NO_DECISIONS)

    def _splits(self, repos: list[str]) -> np.ndarray:
        """The split of each repository: drawn by its name, so that all its documents are in one."""
        names = sorted({repo.lower() for repo in repos})
        draws = chance.uniform(self.seed, "split", names)[:, 0] < self.validation_share
        held_out = {name for name, drawn in zip(names, draws, strict=True) if drawn}
        return np.array([schema.SPLITS[repo.lower() in held_out] for repo in repos], dtype=object)

    def _trained(self, corpus: Corpus) -> bytes:
        """A tokenizer trained on about `sample_bytes` of the corpus, whole documents drawn by their ids."""
        measured = corpus.map(_measure, corpus.shards)
        documents, size = (sum(column) for column in zip(*measured, strict=True)) if measured else (0, 0)
        if documents == 0:
            raise QuarryError(
                "tokenize: there is no document left to train a tokenizer on; "
                "see what the stages before dropped, or give a tokenizer."
            )
        share = min(1.0, self.sample_bytes / max(size, 1))
        samples = corpus.map(partial(_sample, seed=self.seed, share=share), corpus.shards)
        texts = (text.as_py() for sample in samples for text in sample)
        return train(texts, self.vocabulary).to_str().encode()


def _given(path: str) -> bytes:
    folder, _, name = path.rpartition("/")
    return Storage(folder or ".").read_bytes(name)


def _measure(shard: str, corpus: Corpus, side: Side) -> tuple[int, int]:
    """Documents of a shard and their bytes."""
    sizes = corpus.read(shard, ["size"]).column("size")
    return len(sizes), pc.sum(sizes).as_py() or 0


def _sample(shard: str, corpus: Corpus, side: Side, *, seed: int, share: float) -> pa.ChunkedArray:
    """The texts of a shard's documents that fall into a sample of `share`, without special tokens' strings."""
    table = corpus.read(shard, ["id", "text"])
    drawn = chance.uniform(seed, "sample", table.column("id").to_pylist())[:, 0] < share
    texts = table.column("text").filter(pa.array(drawn))
    for token in SPECIAL_TOKENS:
        texts = pc.replace_substring(texts, token, "")
    return texts
