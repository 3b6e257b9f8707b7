"""Sample caps languages of which there is too much, and keeps a share of others: a draw of documents, by a seed.

StarCoder caps JSON and YAML at 1 GB each and CSS at 3 GB (section 3.3 of its paper), so that data formats do not
outweigh code. A document's chance is a hash of the seed and its id, so that any worker count, shard layout and order
give the same documents, and a lower cap keeps some of those that a higher one keeps. How many bytes fall into which
of 65,536 bins of chance is all that is known of the corpus, whatever its size: the kept bytes never exceed a cap, and
what is missing to it is less than the next bin.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator

from pipeline import schema
from pipeline.decisions import drop
from pipeline.side import Corpus, Side
from pipeline.stage import Outcome, Stage
from stages import chance, languages

Bytes = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]

BINS = 1 << 16
GROUPS = 64  # tasks, at most, so that the driver holds a bounded number of counts


class Sample(Stage):
    """Keeps `shares` of the documents in some languages, and of these what `caps` allow; others pass unread."""

    takes: ClassVar[pa.Schema] = schema.needs(schema.DOCUMENT, "id", "language", "text")
    gives: ClassVar[pa.Schema] = takes
    reasons: ClassVar[dict[str, str]] = {
        "not_sampled": "a share of {share} of the documents in {language} is kept, and the draw left it out",
        "over_cap": "no more than {cap} bytes of {language} are kept, and the draw left it out",
    }

    caps: dict[str, Bytes] = {"json": 10**9, "yaml": 10**9, "css": 3 * 10**9}  # language -> bytes of text, as UTF-8
    shares: dict[str, Share] = {}  # language -> share of its documents
    seed: int = 0

    @field_validator("caps", "shares")
    @classmethod
    def _known(cls, value: dict[str, Any]) -> dict[str, Any]:
        return languages.checked(value)

    def prepare(self, corpus: Corpus, side: Side) -> None:
        """Write `bins`: how many of the bins of chance are kept of each capped language, and the bytes that gives."""
        names = sorted(self.caps)
        groups = [corpus.shards[start::GROUPS] for start in range(min(GROUPS, len(corpus.shards)))]
        sizes = np.zeros((len(names), BINS), np.int64)
        for group in corpus.map(partial(_sizes, stage=self, names=names), groups):
            for language, bins, held in group:
                sizes[language, bins] += held
        summed = np.cumsum(sizes, axis=1)
        kept = np.array(
            [np.searchsorted(summed[at], self.caps[name], side="right") for at, name in enumerate(names)], np.int64
        )
        of_bins = np.concatenate([np.zeros((len(names), 1), np.int64), summed], axis=1)
        counts = {"bins": kept, "bytes": of_bins[:, -1], "kept_bytes": of_bins[np.arange(len(names)), kept]}
        side.put("bins", pa.table({"language": pa.array(names, pa.string()), **counts}))

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        bins = side.load("bins", partial(_kept_bins, side))
        drawn = self.draw(shard, sorted({*self.caps, *self.shares}))
        cut = np.array([bins.get(name, BINS) for name in drawn.languages], np.int64)
        left_out = np.flatnonzero(~drawn.sampled | (drawn.bins >= cut))
        reasons, details = [], []
        for at in left_out:
            name, sampled = drawn.languages[at], drawn.sampled[at]
            limit = {"cap": self.caps[name]} if sampled else {"share": self.shares[name]}
            reasons.append("over_cap" if sampled else "not_sampled")
            details.append({"language": name, **limit})
        return drop(shard, drawn.rows[left_out], reasons, details)

    def draw(self, table: pa.Table, names: list[str]) -> _Drawn:
        """The rows of `table` (id, language) in one of the languages `names`, and what falls to each."""
        rows = np.flatnonzero(pc.is_in(table.column("language"), value_set=pa.array(names, pa.string())))
        found = table.take(pa.array(rows))
        spoken = found.column("language").to_pylist()
        chances = chance.uniform(self.seed, "sample", found.column("id").to_pylist())[:, 0]
        shares = np.array([self.shares.get(name, 1.0) for name in spoken], np.float64)
        return _Drawn(rows, spoken, (chances * BINS).astype(np.int64), chances < shares)


class _Drawn(NamedTuple):
    rows: np.ndarray  # in the table
    languages: list[str]
    bins: np.ndarray  # of chance
    sampled: np.ndarray  # bool: inside of the language's share


def _sizes(
    shards: Iterable[str], corpus: Corpus, side: Side, *, stage: Sample, names: list[str]
) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """(language, bins, bytes in each): the bytes of text of these shards inside of the languages' shares."""
    sizes = np.zeros((len(names), BINS), np.int64)
    for shard in shards:
        drawn = stage.draw(corpus.read(shard, ["id", "language"]), names)
        if len(drawn.rows) == 0:
            continue
        texts = corpus.read(shard, ["text"]).column("text").take(pa.array(drawn.rows[drawn.sampled]))
        spoken = np.array([names.index(name) for name in drawn.languages], np.int64)
        held = np.asarray(pc.fill_null(pc.binary_length(texts), 0))
        np.add.at(sizes, (spoken[drawn.sampled], drawn.bins[drawn.sampled]), held)
    some = [np.flatnonzero(row) for row in sizes]
    return [(at, bins.astype(np.uint16), sizes[at, bins]) for at, bins in enumerate(some)]


def _kept_bins(side: Side) -> dict[str, int]:
    table = side.get("bins", ["language", "bins"])
    return dict(zip(table.column("language").to_pylist(), table.column("bins").to_pylist(), strict=True))
