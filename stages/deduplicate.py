"""Near-deduplication with evidence: every document dropped cites a kept one that it was compared with, exactly.

MinHash bands propose pairs, the exact Jaccard similarity of the shingle sets decides them, and documents are judged
from the best ranked to the worst: one is dropped only for a kept one that resembles it. So there are no chains, and
the survivor is never arbitrary. All work is on the workers, between shuffles through files; the driver holds two bits a
document. The steps are in stages/near_duplicates/; why so, and what it misses: docs/decisions/deduplicate.md.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, ValidationInfo, field_validator, model_validator

from opt_out.requests import OptOuts
from pipeline import schema
from pipeline.decisions import canonical_json, drop
from pipeline.errors import UsageError
from pipeline.shuffle import Parts, Shuffle, remove_all
from pipeline.side import Corpus, Side
from pipeline.stage import ContentFile, Outcome, Stage
from stages.near_duplicates import buckets, equal_sets, evidence, independent_set, ranking, screening, verification
from stages.near_duplicates.base_run import BaseRun, open_base
from stages.near_duplicates.documents import Documents, partitions
from stages.shingles import Utf8, content_hashes, permutations, signatures

PRESETS: dict[str, dict[str, int]] = {
    "quarry": {"bands": 42, "rows": 6},  # finds 99.5 % of the pairs at a similarity of 0.7
    "starcoder": {"bands": 25, "rows": 10},  # StarCoder's: 51 %
}
TEXT_BUDGET = 32 << 20  # bytes of text that a partition compares; their shingles take twice as much
SHINGLE_BYTES = 8  # of text for each shingle, about

Criterion = Literal["permissive", "stars", "not_fork", "oldest"]


class Deduplicate(Stage):
    """Drops documents equal to a kept one, or nearly so."""

    # Not `created`, which documents of elsewhere may lack: it is read where it is.
    takes: ClassVar[pa.Schema] = schema.needs(
        schema.DOCUMENT, "id", "repo", "path", "license_type", "stars", "fork", "text"
    )
    gives: ClassVar[pa.Schema] = takes
    revision: ClassVar[int] = 2
    reasons: ClassVar[dict[str, str]] = {
        "exact_duplicate": "it is the same as {canonical_path} in {canonical_repo}",
        "copy_of_opted_out": "it is a copy of a document of {canonical_repo}, whose owner asked for copies to be "
        "removed too (Jaccard similarity {jaccard})",
        "near_duplicate": "it is much like {canonical_path} in {canonical_repo} (Jaccard similarity {jaccard})",
    }

    threshold: float = Field(default=0.7, gt=0, le=1)  # least Jaccard similarity of near-duplicates
    ngram: int = Field(default=5, ge=1)  # tokens a shingle
    permutations: int = Field(default=256, ge=1)
    preset: Literal["quarry", "starcoder"] = "quarry"  # bands and rows where they are not given
    # Documents are compared when all values of one band are equal: a chance of 1 - (1 - jaccard^rows)^bands.
    bands: int = Field(default=42, ge=1)
    rows: int = Field(default=6, ge=1, validate_default=True)
    seed: int = Field(default=42, ge=0, lt=1 << 32)
    prefer: list[Criterion] = ["permissive", "stars", "not_fork", "oldest"]  # who stays; then the smaller id
    base: ContentFile | None = None  # a run whose published documents stay, and are not judged again
    copies_of: ContentFile | None = None  # opt-out requests that cover copies: the base's documents they are found by

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, fields: Any) -> Any:
        preset = fields.get("preset", "quarry") if isinstance(fields, dict) else None
        return PRESETS[preset] | fields if isinstance(preset, str) and preset in PRESETS else fields

    @field_validator("rows")
    @classmethod
    def _bands_fit(cls, rows: int, info: ValidationInfo) -> int:
        bands, count = info.data.get("bands", 0), info.data.get("permutations", 0)
        if bands * rows > count:
            raise ValueError(
                f"{bands} bands of {rows} rows need {bands * rows} permutations but there are {count}; "
                "lower bands or rows, or raise permutations"
            )
        return rows

    @field_validator("copies_of")
    @classmethod
    def _needs_base(cls, copies_of: str | None, info: ValidationInfo) -> str | None:
        if copies_of is not None and info.data.get("base") is None:
            raise ValueError("documents that were removed are known from a base; name the run that held them as base")
        return copies_of

    @field_validator("prefer")
    @classmethod
    def _once_each(cls, prefer: list[Criterion]) -> list[Criterion]:
        if len(set(prefer)) < len(prefer):
            raise ValueError("each criterion may stand once")
        return prefer

    def prepare(self, corpus: Corpus, side: Side) -> None:
        """Write `signature` and `edge` for every shard, and counts.json."""
        if not corpus.shards:
            return
        base = self._open_base(corpus)
        counted = corpus.map(partial(_count, base=base), range(len(base.shards))) if base else []
        signed = corpus.map(partial(_sign, stage=self), corpus.shards)
        rows = np.array([shard.rows for shard in [*counted, *signed]], np.int64)
        documents = Documents.of(base, corpus.shards, rows, corpus.workers)
        ranks = ranking.rank(corpus, documents, [shard.sample for shard in signed], self.prefer)
        equal = equal_sets.collapse(corpus, documents, ranks)
        members = buckets.fill_buckets(corpus, documents, ranks, equal, self.bands, self.rows)

        size = sum(shard.shingles for shard in [*counted, *signed]) * SHINGLE_BYTES
        ranges = partitions(size, TEXT_BUDGET, corpus.workers)
        counts, edges, judged = self._compare(corpus, documents, members, ranges)
        verdicts = independent_set.cite(corpus, documents, edges, ranges, judged)
        dropped = evidence.write_edges(corpus, documents, verdicts, equal)
        remove_all(side)
        own = int(rows[len(counted) :].sum())
        counts |= {"documents": own, "kept": own - dropped.total(), "copies_of_opted_out": dropped["copy_of_opted_out"]}
        counts |= {f"{kind}_duplicates": dropped[f"{kind}_duplicate"] for kind in ("exact", "near")}
        side.put_bytes("counts.json", canonical_json(counts).encode() + b"\n")

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        """Drop the documents that stand in the shard's edge table."""
        edges = side.get_shard("edge")
        found = pc.index_in(shard["id"], value_set=edges["id"]).combine_chunks()
        cited = edges.take(found.drop_null()).to_pylist()
        detail = [
            {name: edge[name] for name in ("canonical", "canonical_repo", "canonical_path")}
            | {"jaccard": round(edge["jaccard"], 4)}
            for edge in cited
        ]
        rows = np.flatnonzero(found.is_valid().to_numpy(zero_copy_only=False))
        return drop(shard, rows, [edge["reason"] for edge in cited], detail)

    def _compare(
        self, corpus: Corpus, documents: Documents, members: Shuffle, ranges: int
    ) -> tuple[dict[str, int], Parts, str]:
        """Compare in rounds until no bucket is open; counts, the edges, and the name of who is dropped."""
        edges, dropped = Parts("edges", independent_set.EDGES), independent_set.Bits.none(documents.count)
        counts = dict.fromkeys(("candidates", "rejected", "rejected_by_estimate", "accepted", "rounds", "left_out"), 0)
        source: Shuffle | Parts = members
        judged = dropped.save(corpus.side)
        for number in range(len(buckets.LEADERS)):
            sent, found = buckets.pair_up(
                corpus, documents, source, members.partitions, ranges, self.threshold, number, judged
            )
            source.remove(corpus.side)
            alike, new, left = screening.screen(corpus, documents, sent, self.threshold, number)
            near = verification.verify(corpus, documents, sent, alike, edges, self.ngram, self.threshold, number)
            judged = independent_set.settle(corpus, edges, sent.waiting, dropped)
            counts["candidates"] += new
            counts["rejected"] += new - near
            counts["rejected_by_estimate"] += new - left
            counts["accepted"] += near
            counts["left_out"] += found.left_out
            counts["rounds"] += 1
            source = sent.left
            if not found.open_buckets:
                break
        return counts, edges, judged

    def _open_base(self, corpus: Corpus) -> BaseRun | None:
        if self.base is None:
            return None
        if os.path.realpath(self.base) == os.path.realpath(corpus.store.root):
            raise UsageError(f"base '{self.base}' is this run itself; name another, or choose another directory.")
        alike = {name: getattr(self, name) for name in ("revision", "ngram", "permutations", "seed")}
        return open_base(self.base, alike, OptOuts.load(self.copies_of) if self.copies_of else None)


class _Signed(NamedTuple):
    """What the driver must know of a shard."""

    rows: int
    shingles: int
    sample: ranking.Sample


def _sign(shard: str, corpus: Corpus, side: Side, *, stage: Deduplicate) -> _Signed:
    """Write the shard's signatures."""
    table = corpus.read(shard, [*ranking.COLUMNS, "text"])
    text = Utf8.of(table["text"])
    signed = signatures(text, stage.ngram, *permutations(stage.permutations, stage.seed))
    some = signed.shingles > 0
    ends = np.concatenate([[0], np.cumsum(some) * stage.permutations]).astype(np.int32)
    minhash = pa.ListArray.from_arrays(pa.array(ends), pa.array(signed.minhash[some].ravel()), mask=pa.array(~some))
    set_key = pc.if_else(pa.array(some), _binary(signed.set_key), None)
    columns = [table["id"], _binary(content_hashes(text)), pa.array(signed.shingles), set_key, minhash]
    side.put("signature", pa.table(columns, schema=schema.SIGNATURE), shard=shard)
    return _Signed(table.num_rows, int(signed.shingles.sum()), ranking.sample_keys(table, stage.prefer))


def _count(number: int, corpus: Corpus, side: Side, *, base: BaseRun) -> _Signed:
    """The same of a base run's shard, which is signed already."""
    shingles = base.signature(number, ["shingles"])["shingles"]
    return _Signed(len(shingles), pc.sum(shingles).as_py() or 0, [])


def _binary(keys: np.ndarray) -> pa.Array:
    """128-bit keys, 16 bytes a row."""
    rows = len(keys.view(np.uint8).ravel()) // 16 if keys.size else 0
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), rows, [None, pa.py_buffer(keys.tobytes())])
