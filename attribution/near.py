"""Which documents of a run's dataset resemble a text: `quarry trace --near`.

The run's deduplicate stage left a signature of every document. Those of documents that reached the dataset are asked,
a block at a time, which share a band with the text, and each of these is compared with it by its text. An estimate
from the signatures decides only where the run has no text left, and the hit says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.index import Index, minhash_of
from pipeline.errors import UsageError
from pipeline.side import Side, Worker
from pipeline.state import PassRun, Run
from pipeline.storage import Storage
from stages.deduplicate import Deduplicate
from stages.shingles import Utf8, content_hashes, estimates, jaccard, permutations, shingle_sets, signatures

BLOCK = 10_000  # documents whose index is held at once
STANDARD_ERRORS = 5  # a document whose estimate is that far below the threshold is not read
TEXT, REDACTED, SIGNATURE = "text", "redacted text", "signature"  # what a similarity was worked out from
_FACTS = ("repo", "path", "commit", "license")


@dataclass(frozen=True)
class Copy:
    """A document that the run dropped in favour of a hit."""

    id: str
    repo: str
    path: str
    reason: str  # exact_duplicate or near_duplicate
    jaccard: float  # its similarity to the hit


@dataclass(frozen=True)
class Hit:
    """A document of the dataset that resembles the text."""

    id: str
    repo: str
    path: str
    commit: str | None
    license: str | None  # SPDX expression
    jaccard: float
    compared: str  # TEXT, REDACTED, or SIGNATURE: then jaccard is an estimate
    equal: bool  # whether it is the same text, byte for byte
    file: str  # where the dataset holds it
    row: int
    text: str | None  # as it was compared; not redacted unless `compared` says so
    copies: list[Copy]


@dataclass(frozen=True)
class NearAnswer:
    """What resembles a text."""

    stage: str  # the deduplicate stage whose signatures were asked
    threshold: float
    found_with: float  # probability that a document at the threshold shares a band with the text
    shingles: int  # distinct ones of the text; 0 where only equal contents can be found
    documents: int  # that were asked
    hits: list[Hit]  # best first
    more: int  # hits beyond the limit


class Query(NamedTuple):
    """A text as the stage compares it."""

    text: str
    content: bytes  # 128-bit blake2b
    shingles: int
    minhash: np.ndarray  # uint32


def near(run: Run, text: str, threshold: float | None = None, limit: int = 10, copies: bool = False) -> NearAnswer:
    """The documents of the run's dataset with at least this Jaccard similarity to `text`, at most `limit`, best first.

    Without `threshold`, the stage's holds; `copies` adds what was dropped in favour of each hit. UsageError where the
    run is not complete or kept no signatures. Of several deduplicate stages the last is asked: it saw what is left.
    """
    number, stage = _deduplicate_pass(run)
    threshold = stage.threshold if threshold is None else threshold
    query = signed(text, stage)
    documents, hits = 0, []
    for shard, kept in kept_signatures(run, number):
        documents += kept.num_rows
        candidates = _candidates(kept, query, stage, threshold)
        hits += _compared(run, number, shard, candidates, query, stage, threshold)
    hits.sort(key=lambda hit: (-hit.jaccard, not hit.equal, hit.repo, hit.path, hit.id))
    shown = hits[:limit]
    if copies:
        dropped = _copies(run.passes[number], [hit.id for hit in shown])
        shown = [replace(hit, copies=dropped[hit.id]) for hit in shown]
    return NearAnswer(
        stage=next(named.name for named in run.passes[number].part.stages if named.stage is stage),
        threshold=threshold,
        found_with=1 - (1 - threshold**stage.rows) ** stage.bands,
        shingles=query.shingles,
        documents=documents,
        hits=shown,
        more=len(hits) - len(shown),
    )


def signed(text: str, stage: Deduplicate) -> Query:
    """The text's content hash and signature, with the stage's settings."""
    column = Utf8.of(pa.chunked_array([[text]], pa.string()))
    made = signatures(column, stage.ngram, *permutations(stage.permutations, stage.seed))
    return Query(text, content_hashes(column)[0].tobytes(), int(made.shingles[0]), made.minhash[0])


def kept_signatures(run: Run, number: int) -> Iterator[tuple[str, pa.Table]]:
    """(shard, schema.SIGNATURE of its documents that are in the dataset now) of the deduplicate pass `number`."""
    side = _side(run.passes[number])
    last = run.passes[-1].receipts
    for shard in sorted(run.passes[number].receipts):
        if not side.has_shard("signature", shard):
            raise UsageError(
                f"the run in '{run.store.root}' has lost the signatures of shard {shard} "
                f"('{side.folder}/signature'); make it again with 'quarry run' in a new directory."
            )
        # What was removed after the run is not asked: an opt-out takes the document out of the dataset first.
        kept = run.store.read_table(last[shard]["documents"]["path"], ["id"])["id"].combine_chunks()
        table = side.get_shard("signature", shard=shard)
        yield shard, table.filter(pc.is_in(table["id"], value_set=kept))


def _deduplicate_pass(run: Run) -> tuple[int, Deduplicate]:
    root = run.store.root
    found = [(n, this.part.opener) for n, this in enumerate(run.passes) if isinstance(this.part.opener, Deduplicate)]
    if not found:
        raise UsageError(
            f"the run in '{root}' has no deduplicate stage, so it keeps no signatures to compare with; "
            "add 'deduplicate' to its recipe and run again."
        )
    if any(run.todo()):
        raise UsageError(f"the run in '{root}' is not complete; finish it with 'quarry run', then trace again.")
    number, stage = found[-1]
    if _revision(run, number) != stage.revision:
        raise UsageError(
            f"the signatures of the run in '{root}' were made by another revision of the deduplicate stage and cannot "
            "be compared with; make the run again with 'quarry run' in a new directory."
        )
    if stage.bands < 2:
        raise UsageError(
            f"the deduplicate stage of the run in '{root}' has one band, too few for an index; "
            "run again with at least two."
        )
    return number, stage


def _revision(run: Run, number: int) -> int:
    """The revision of the stage that opened pass `number` when it ran; this one's where the manifest tells no other."""
    this, manifest = run.passes[number], run.store.read_record("manifest.json", "passes") or {"passes": []}
    recorded = [part["identity"][0] for part in manifest["passes"] if part["fingerprint"] == this.fingerprint]
    revision: int = recorded[0]["revision"] if recorded else this.part.opener.revision
    return revision


def _side(this: PassRun) -> Side:
    return this.folder.side(Worker())


# ---- which documents, and how similar they are


class _Candidates(NamedTuple):
    ids: list[str]
    equal: np.ndarray  # bool: the same content
    estimate: np.ndarray  # Jaccard similarity as the signatures estimate it


def _candidates(kept: pa.Table, query: Query, stage: Deduplicate, threshold: float) -> _Candidates:
    """The documents of `kept` that may resemble the text: of equal content, or sharing a band and not too far off."""
    ids: list[str] = []
    minhash = query.minhash if query.shingles else None
    for start in range(0, kept.num_rows, BLOCK):
        index = Index(stage.permutations, stage.bands, stage.rows, stage.seed)
        index.add(kept.slice(start, BLOCK))
        ids += index.query(query.content, minhash)
    rows = kept.filter(pc.is_in(kept["id"], value_set=pa.array(ids, pa.string()))).combine_chunks()
    equal = pc.equal(rows["content"], pa.scalar(query.content, pa.binary(16))).to_numpy()
    estimate = equal.astype(np.float64)
    some, theirs = minhash_of(rows)
    if minhash is not None and some.any():
        none = np.zeros(len(theirs), np.int64)
        estimate[some] = estimates(theirs, np.arange(len(theirs)), minhash[None, :], none)
    error = np.sqrt(threshold * (1 - threshold) / stage.permutations)
    likely = equal | (estimate >= threshold - STANDARD_ERRORS * error)
    found = rows["id"].filter(pa.array(likely)).to_pylist()
    return _Candidates(found, equal[likely], estimate[likely])


def _compared(
    run: Run,
    number: int,
    shard: str,
    candidates: _Candidates,
    query: Query,
    stage: Deduplicate,
    threshold: float,
) -> list[Hit]:
    """The candidates of a shard that have at least the threshold, by their texts where they are there."""
    if not candidates.ids:
        return []
    texts, compared = _texts(run, number, shard, candidates.ids)
    exact = dict(zip(texts, _similarities(query.text, list(texts.values()), stage.ngram), strict=True))
    path = run.passes[-1].receipts[shard]["documents"]["path"]
    names = run.store.read_schema(path).names
    facts = _rows(run.store, path, candidates.ids, [name for name in _FACTS if name in names])
    hits = []
    for document, equal, estimate in zip(candidates.ids, candidates.equal, candidates.estimate, strict=True):
        similarity = 1.0 if equal else exact.get(document, float(estimate))
        if similarity < threshold:
            continue
        held = facts[document]
        hits.append(
            Hit(
                id=document,
                repo=held.get("repo") or "",
                path=held.get("path") or "",
                commit=held.get("commit"),
                license=held.get("license"),
                jaccard=similarity,
                compared=TEXT if equal else compared if document in exact else SIGNATURE,
                equal=bool(equal),
                file=path,
                row=held["row"],
                text=texts.get(document),
                copies=[],
            )
        )
    return hits


def _texts(run: Run, number: int, shard: str, ids: Sequence[str]) -> tuple[dict[str, str], str]:
    """id -> text as the stage read it, or the first that a later pass has left of it, and which of both it is."""
    what = TEXT
    for place in range(number - 1, len(run.passes)):
        this = run.passes[place]
        if place >= number and any("text" in named.stage.writes for named in this.part.stages):
            what = REDACTED
        path = this.receipts[shard]["documents"]["path"]
        if run.store.exists(path) and "text" in run.store.read_schema(path).names:
            return {key: row["text"] for key, row in _rows(run.store, path, ids, ["text"]).items()}, what
    return {}, SIGNATURE


def _similarities(text: str, others: Sequence[str], ngram: int) -> list[float]:
    """Exact Jaccard similarity of the shingle set of `text` to that of each of the others."""
    sets = shingle_sets(Utf8.of(pa.chunked_array([[text, *others]], pa.string())), ngram)
    rows = np.arange(1, len(others) + 1)
    similarities: list[float] = jaccard(sets, np.zeros_like(rows), sets, rows).tolist()
    return similarities


def _rows(store: Storage, path: str, ids: Sequence[str], columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    """id -> {"row": its place in the file, column: value} of those `ids` that the file holds."""
    table = store.read_table(path, ["id", *columns])
    rows = np.flatnonzero(pc.is_in(table["id"], value_set=pa.array(ids, pa.string())).to_numpy())
    found = table.take(pa.array(rows)).to_pylist()
    return {values["id"]: {"row": row, **values} for row, values in zip(rows.tolist(), found, strict=True)}


def _copies(this: PassRun, hits: Sequence[str]) -> dict[str, list[Copy]]:
    """For each of `hits` the documents that cite it, nearest first."""
    found: dict[str, list[Copy]] = {hit: [] for hit in hits}
    side = _side(this)
    for shard in sorted(this.receipts):
        edges = side.get_shard("edge", ["id", "canonical", "reason", "jaccard"], shard=shard)
        edges = edges.filter(pc.is_in(edges["canonical"], value_set=pa.array(hits, pa.string())))
        if edges.num_rows == 0:
            continue
        decisions = this.folder.store.read_table(this.folder.decisions(shard), ["id", "repo", "path"])
        chosen = decisions.filter(pc.is_in(decisions["id"], value_set=edges["id"].combine_chunks()))
        names = {row["id"]: row for row in chosen.to_pylist()}
        for edge in edges.to_pylist():
            if edge["id"] in names:
                name = names[edge["id"]]
                found[edge["canonical"]].append(
                    Copy(edge["id"], name["repo"], name["path"], edge["reason"], edge["jaccard"])
                )
    for copies in found.values():
        copies.sort(key=lambda copy: (-copy.jaccard, copy.repo, copy.path, copy.id))
    return found
