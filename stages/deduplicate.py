"""Near-deduplication with evidence: every document dropped cites a kept one that it was compared with, exactly.

MinHash bands propose pairs, the exact Jaccard similarity of the shingle sets decides them, and documents are judged
greedily from the best ranked (permissive licence, stars, no fork, place in the corpus) to the worst: one is dropped
only for a kept one that resembles it. So there are no chains, and the survivor is never arbitrary. Workers read texts
and signatures, the driver holds numbers. Why so, and what it misses: docs/decisions/deduplicate.md.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import ClassVar, NamedTuple

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, ValidationInfo, field_validator

from pipeline import schema
from pipeline.decisions import canonical_json, drop
from pipeline.side import Corpus, Side
from pipeline.stage import Outcome, Stage
from stages.shingles import (
    ShingleSets,
    Utf8,
    band_keys,
    content_hashes,
    estimates,
    jaccard,
    shingle_sets,
    signatures,
)

UNDECIDED, KEPT, DROPPED = 0, 1, 2
FIRST_LIMIT = 8  # candidates a document is compared with in the first round; doubled every round
STANDARD_ERRORS = 5  # a pair whose estimate is that far below the threshold is not compared exactly
UNLIKELY = -1.0  # stands for the similarity of such a pair


class Deduplicate(Stage):
    """Drops documents equal to a kept one, or nearly so."""

    takes: ClassVar[pa.Schema] = schema.needs(
        schema.DOCUMENT, "id", "repo", "path", "license_type", "stars", "fork", "text"
    )
    gives: ClassVar[pa.Schema] = takes
    depends: ClassVar[tuple[str, ...]] = ("datasketch",)
    reasons: ClassVar[dict[str, str]] = {
        "exact_duplicate": "it is the same as {canonical_path} in {canonical_repo}",
        "near_duplicate": "it is much like {canonical_path} in {canonical_repo} (Jaccard similarity {jaccard})",
    }

    threshold: float = Field(default=0.7, gt=0, le=1)  # least Jaccard similarity of near-duplicates
    ngram: int = Field(default=5, ge=1)  # tokens a shingle
    permutations: int = Field(default=256, ge=1)
    bands: int = Field(default=25, ge=1)  # documents are compared when all values of one band are equal:
    rows: int = Field(default=10, ge=1, validate_default=True)  # a chance of 1 - (1 - jaccard^rows)^bands
    seed: int = Field(default=42, ge=0, lt=1 << 32)

    @field_validator("rows")
    @classmethod
    def _bands_fit(cls, rows: int, info: ValidationInfo) -> int:
        bands, permutations = info.data.get("bands", 0), info.data.get("permutations", 0)
        if bands * rows > permutations:
            raise ValueError(
                f"{bands} bands of {rows} rows need {bands * rows} permutations but there are {permutations}; "
                "lower bands or rows, or raise permutations"
            )
        return rows

    def prepare(self, corpus: Corpus, side: Side) -> None:
        """Write `signature` and `edge` for every shard, and counts.json."""
        if not corpus.shards:
            return
        documents = _rank(corpus.map(partial(_sign, stage=self), corpus.shards))
        greedy = Greedy(documents.buckets)
        counts = dict.fromkeys(("candidates", "rejected_by_estimate", "rejected_by_jaccard", "accepted", "rounds"), 0)
        while len(pairs := greedy.candidates()):
            similarity = self._compare(corpus, documents, documents.nodes[pairs])
            greedy.settle(pairs, similarity, self.threshold)
            counts["candidates"] += len(pairs)
            counts["rejected_by_estimate"] += int((similarity == UNLIKELY).sum())
            counts["accepted"] += int((similarity >= self.threshold).sum())
            counts["rounds"] += 1
        counts["rejected_by_jaccard"] = counts["candidates"] - counts["rejected_by_estimate"] - counts["accepted"]

        canonical, similarity = greedy.canonicals()
        # A node's verdict holds for every document with its shingle set.
        cites, resembles = np.arange(len(documents.node)), np.ones(len(documents.node))
        cites[documents.nodes], resembles[documents.nodes] = documents.nodes[canonical], similarity
        cites, resembles = cites[documents.node], resembles[documents.node]
        exact = documents.content == documents.content[cites]
        dropped = cites != np.arange(len(cites))
        counts["documents"], counts["kept"] = len(cites), int((~dropped).sum())
        counts["exact_duplicates"], counts["near_duplicates"] = int((dropped & exact).sum()), int((~exact).sum())
        _write_edges(corpus, documents, np.flatnonzero(dropped), cites, exact, resembles)
        side.put_bytes("counts.json", canonical_json(counts).encode() + b"\n")

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        """Drop the documents that stand in the shard's edge table."""
        edges = side.get_shard("edge")
        found = pc.index_in(shard["id"], value_set=edges["id"]).combine_chunks()
        evidence = edges.take(found.drop_null()).to_pylist()
        detail = [
            {name: edge[name] for name in ("canonical", "canonical_repo", "canonical_path")}
            | {"jaccard": round(edge["jaccard"], 4)}
            for edge in evidence
        ]
        rows = np.flatnonzero(found.is_valid().to_numpy(zero_copy_only=False))
        return drop(shard, rows, [edge["reason"] for edge in evidence], detail)

    def _compare(self, corpus: Corpus, documents: _Documents, pairs: np.ndarray) -> np.ndarray:
        """Exact Jaccard similarity of pairs of documents (pairs x 2), or UNLIKELY, worked out on the workers.

        A task has all pairs of one shard with documents of others, which it reads one after the other.
        """
        shard, row = documents.shard[pairs], documents.row[pairs]
        order = np.lexsort((shard[:, 0], shard[:, 1]))
        shard, row = shard[order], row[order]
        tasks: list[tuple[str, list[tuple[str, np.ndarray]]]] = []
        for group in _runs(shard[:, 1]):
            others = [
                (corpus.shards[shard[group][other.start, 0]], row[group][other]) for other in _runs(shard[group][:, 0])
            ]
            tasks.append((corpus.shards[shard[group.start, 1]], others))
        similarity = np.empty(len(pairs))
        similarity[order] = np.concatenate(corpus.map(partial(_compare_shard, stage=self), tasks))
        return similarity


class _Card(NamedTuple):
    """What the driver must know of a shard's documents, each an array over its rows."""

    permissive: np.ndarray
    stars: np.ndarray  # -1 where unknown
    fork: np.ndarray
    content: np.ndarray  # V16
    shingles: np.ndarray
    set_key: np.ndarray  # V16
    band_keys: np.ndarray  # uint64, rows x bands


def _sign(shard: str, corpus: Corpus, side: Side, *, stage: Deduplicate) -> _Card:
    """Write the shard's signatures."""
    from datasketch import MinHash  # it imports scipy, which no other command should wait for

    table = corpus.read(shard, ["id", "license_type", "stars", "fork", "text"])
    text = Utf8.of(table["text"])
    multipliers, addends = MinHash(stage.permutations, stage.seed, scheme="affine32").permutations
    signed, content = signatures(text, stage.ngram, multipliers, addends), content_hashes(text)
    some = signed.shingles > 0
    ends = np.concatenate([[0], np.cumsum(some) * stage.permutations]).astype(np.int32)
    minhash = pa.ListArray.from_arrays(pa.array(ends), pa.array(signed.minhash[some].ravel()), mask=pa.array(~some))
    columns = [table["id"], _binary(content), pa.array(signed.shingles), minhash]
    side.put("signature", pa.table(columns, schema=schema.SIGNATURE), shard=shard)
    return _Card(
        pc.equal(table["license_type"], "permissive").fill_null(False).to_numpy(),
        table["stars"].fill_null(-1).to_numpy(),
        table["fork"].fill_null(False).to_numpy(),
        content,
        signed.shingles,
        signed.set_key.view("V16").ravel(),
        band_keys(signed.minhash, stage.bands, stage.rows),
    )


class _Documents(NamedTuple):
    """All documents, from the best ranked on; a document's number is its rank."""

    shard: np.ndarray  # number of its shard
    row: np.ndarray  # its row there
    content: np.ndarray  # the best ranked document with its content
    node: np.ndarray  # the best ranked document with its shingle set, or with its content where it has no shingles
    nodes: np.ndarray  # the documents that are compared: the best ranked of each shingle set, ascending
    buckets: np.ndarray  # int32, bands x nodes: equal for nodes with an equal band, -1 for one alone in its bucket


def _rank(cards: list[_Card]) -> _Documents:
    """Rank the documents of all shards and find the equal ones."""

    def column(name: str) -> np.ndarray:
        return np.concatenate([getattr(card, name) for card in cards])[order]

    order = np.arange(sum(len(card.stars) for card in cards))
    order = np.lexsort((column("fork"), -column("stars"), ~column("permissive")))  # stable: the corpus' order decides
    shard = np.repeat(np.arange(len(cards), dtype=np.int32), [len(card.stars) for card in cards])
    row = np.concatenate([np.arange(len(card.stars), dtype=np.int32) for card in cards])
    some = column("shingles") > 0
    content = _first_equal(column("content"))
    node = np.where(some, _first_equal(column("set_key")), content)
    nodes = np.flatnonzero(some & (node == np.arange(len(node))))
    buckets = np.empty((cards[0].band_keys.shape[1], len(nodes)), np.int32)
    for band in range(len(buckets)):
        buckets[band] = number_buckets(np.concatenate([card.band_keys[:, band] for card in cards])[order[nodes]])
    return _Documents(shard[order], row[order], content, node, nodes, buckets)


def number_buckets(keys: np.ndarray) -> np.ndarray:
    """A number for each key, from 0 on, equal for equal keys; -1 for a key that occurs once."""
    _, inverse, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    return np.where(sizes > 1, np.cumsum(sizes > 1) - 1, -1)[inverse]


def _compare_shard(
    task: tuple[str, list[tuple[str, np.ndarray]]], corpus: Corpus, side: Side, *, stage: Deduplicate
) -> np.ndarray:
    """Similarities of the pairs (row of the other shard, row of this one) of each other shard, one after the other."""
    shard, others = task
    error = np.sqrt(stage.threshold * (1 - stage.threshold) / stage.permutations)
    floor = stage.threshold - STANDARD_ERRORS * error
    own_minhash = _minhash(side, shard)
    likely = [
        estimates(_minhash(side, other), pairs[:, 0], own_minhash, pairs[:, 1]) >= floor for other, pairs in others
    ]
    results = [np.full(len(pairs), UNLIKELY) for _, pairs in others]
    own_rows = [
        (pairs[mask] if other == shard else pairs[mask, 1]).ravel()
        for (other, pairs), mask in zip(others, likely, strict=True)
    ]
    if not any(map(len, own_rows)):
        return np.concatenate(results)
    own = _Sets.of(corpus, shard, np.concatenate(own_rows), stage.ngram)
    for (other, pairs), mask, result in zip(others, likely, results, strict=True):
        if mask.any():
            theirs = own if other == shard else _Sets.of(corpus, other, pairs[mask, 0], stage.ngram)
            result[mask] = jaccard(theirs.sets, theirs.place(pairs[mask, 0]), own.sets, own.place(pairs[mask, 1]))
    return np.concatenate(results)


class _Sets(NamedTuple):
    """The shingle sets of some documents of a shard."""

    rows: np.ndarray  # ascending
    sets: ShingleSets

    @classmethod
    def of(cls, corpus: Corpus, shard: str, rows: np.ndarray, ngram: int) -> _Sets:
        rows = np.unique(rows)
        text = corpus.read(shard, ["text"])["text"].take(pa.array(rows))
        return cls(rows, shingle_sets(Utf8.of(text), ngram))

    def place(self, rows: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.rows, rows)


def _minhash(side: Side, shard: str) -> np.ndarray:
    """The shard's signatures, rows x permutations; ones of documents without shingles are never asked for."""
    column = side.get_shard("signature", ["minhash"], shard=shard)["minhash"].combine_chunks()
    some = column.is_valid().to_numpy(zero_copy_only=False)
    values = column.flatten().to_numpy()
    matrix = np.zeros((len(column), len(values) // max(1, int(some.sum()))), np.uint32)
    matrix[some] = values.reshape(int(some.sum()), -1)
    return matrix


class Greedy:
    """Decides nodes from the best ranked on: one is dropped if a kept one before it resembles it, and else kept.

    A round compares each node with the first few candidates before it that are not dropped. So a bucket of thousands of
    files of one template costs a few comparisons a file, and the outcome is that of comparing all, one after the other.
    """

    def __init__(self, buckets: np.ndarray) -> None:
        count = buckets.shape[1]
        self.buckets = buckets
        self.limit = FIRST_LIMIT
        self.cursor = np.zeros(count, np.int32)  # every candidate before it is compared, or dropped
        self.status = np.full(count, UNDECIDED, np.int8)
        self.edges = np.zeros((0, 2), np.int32)  # (earlier, later) that resemble each other, by `later`
        self.similarity = np.zeros(0)

    def candidates(self) -> np.ndarray:
        """Pairs (earlier, later) to compare next, int32, pairs x 2; none once all nodes are decided."""
        pairs = _candidates(self.buckets, self.status, self.cursor, self.limit)
        self.limit = min(2 * self.limit, max(FIRST_LIMIT, len(self.status)))
        if len(pairs) == 0:
            _settle(self.status, self.cursor, self.edges)
        return pairs

    def settle(self, pairs: np.ndarray, similarity: np.ndarray, threshold: float) -> None:
        """Take in the similarities of `pairs`, and decide the nodes that can be."""
        near = similarity >= threshold
        edges, values = np.concatenate([self.edges, pairs[near]]), np.concatenate([self.similarity, similarity[near]])
        order = np.lexsort((edges[:, 0], edges[:, 1]))
        self.edges, self.similarity = edges[order], values[order]
        _settle(self.status, self.cursor, self.edges)

    def canonicals(self) -> tuple[np.ndarray, np.ndarray]:
        """Each node's canonical and its similarity: the most similar kept one before it, itself where it is kept."""
        canonical, best = np.arange(len(self.status)), np.ones(len(self.status))
        cited = self.status[self.edges[:, 0]] == KEPT  # so the other end is dropped
        edges, similarity = self.edges[cited], self.similarity[cited]
        order = np.lexsort((edges[:, 0], -similarity, edges[:, 1]))
        later, first = np.unique(edges[order, 1], return_index=True)
        canonical[later], best[later] = edges[order][first, 0], similarity[order][first]
        return canonical, best


@numba.njit(nogil=True, cache=True)
def _settle(status: np.ndarray, cursor: np.ndarray, edges: np.ndarray) -> None:
    """Decide the nodes whose edges allow it; a node is kept when it has all its edges and their other ends dropped."""
    edge = 0
    for node in range(len(status)):
        dropped, kept = False, cursor[node] == node
        while edge < len(edges) and edges[edge, 1] == node:
            dropped |= status[edges[edge, 0]] == KEPT
            kept &= status[edges[edge, 0]] == DROPPED
            edge += 1
        if dropped:
            status[node] = DROPPED
        elif kept:
            status[node] = KEPT


@numba.njit(nogil=True, cache=True)
def _candidates(buckets: np.ndarray, status: np.ndarray, cursor: np.ndarray, limit: int) -> np.ndarray:
    """For each node its first `limit` bucket mates in [cursor, node) that are not dropped; moves the cursors on."""
    bands, count = buckets.shape
    # The band's nodes that are not dropped: bucket k has members[band, starts[band, k]:starts[band, k + 1]], ascending.
    members = np.zeros((bands, count), np.int32)
    starts = np.zeros((bands, count // 2 + 2), np.int32)
    for band in range(bands):
        for node in range(count):
            if buckets[band, node] >= 0 and status[node] != DROPPED:
                starts[band, buckets[band, node] + 1] += 1
        starts[band] = np.cumsum(starts[band])
        filled = starts[band].copy()
        for node in range(count):
            if buckets[band, node] >= 0 and status[node] != DROPPED:
                members[band, filled[buckets[band, node]]] = node
                filled[buckets[band, node]] += 1

    pairs, size = np.zeros((1024, 2), np.int32), 0
    mates = np.zeros(bands * (limit + 1), np.int32)
    for node in range(count):
        if cursor[node] == node:
            continue
        found = 0
        for band in range(bands):
            bucket = buckets[band, node]
            if bucket < 0:
                continue
            block = members[band, starts[band, bucket] : starts[band, bucket + 1]]
            at = np.searchsorted(block, cursor[node])
            for mate in block[at : at + limit + 1]:  # one more than the limit tells whether there are more
                if mate < node:
                    mates[found] = mate
                    found += 1
        mates[:found].sort()
        taken, last, cursor[node] = 0, -1, node
        for mate in mates[:found]:
            if mate == last:
                continue
            if taken == limit:
                cursor[node] = mate
                break
            if size == len(pairs):
                pairs = np.concatenate((pairs, np.zeros_like(pairs)))
            pairs[size, 0], pairs[size, 1] = mate, node
            size, taken, last = size + 1, taken + 1, mate
    return pairs[:size].copy()


class _Cited(NamedTuple):
    """A shard's dropped documents, with what they cite."""

    rows: np.ndarray
    evidence: pa.Table  # schema.EDGE without the id


def _write_edges(
    corpus: Corpus,
    documents: _Documents,
    dropped: np.ndarray,
    cites: np.ndarray,
    exact: np.ndarray,
    similarity: np.ndarray,
) -> None:
    """Write every shard's edge table; only the names of cited documents pass through the driver."""

    def by_shard(numbers: np.ndarray) -> list[np.ndarray]:
        numbers = numbers[np.lexsort((documents.row[numbers], documents.shard[numbers]))]
        return np.split(numbers, np.searchsorted(documents.shard[numbers], np.arange(1, len(corpus.shards))))

    cited = by_shard(np.unique(cites[dropped]))
    names = pa.concat_tables(
        corpus.map(_names, [(s, documents.row[c]) for s, c in zip(corpus.shards, cited, strict=True)])
    )
    place = np.zeros(len(cites), np.int64)
    place[np.concatenate(cited)] = np.arange(names.num_rows)
    tasks = []
    for shard, numbers in zip(corpus.shards, by_shard(dropped), strict=True):
        evidence = names.take(pa.array(place[cites[numbers]]))
        reasons = np.where(exact[numbers], "exact_duplicate", "near_duplicate")
        evidence = evidence.append_column("reason", pa.array(reasons.tolist(), pa.string()))
        evidence = evidence.append_column("jaccard", pa.array(similarity[numbers]))
        tasks.append((shard, _Cited(documents.row[numbers], evidence)))
    corpus.map(_write_edge, tasks)


def _names(task: tuple[str, np.ndarray], corpus: Corpus, side: Side) -> pa.Table:
    shard, rows = task
    names = ["canonical", "canonical_repo", "canonical_path"]
    return corpus.read(shard, ["id", "repo", "path"]).rename_columns(names).take(pa.array(rows))


def _write_edge(task: tuple[str, _Cited], corpus: Corpus, side: Side) -> None:
    shard, cited = task
    ids = corpus.read(shard, ["id"])["id"].take(pa.array(cited.rows))
    table = cited.evidence.add_column(0, "id", ids)
    side.put("edge", pa.table([table[name] for name in schema.EDGE.names], schema=schema.EDGE), shard=shard)


def _runs(values: np.ndarray) -> list[slice]:
    """The stretches of equal values."""
    bounds = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def _first_equal(keys: np.ndarray) -> np.ndarray:
    """For each of the V16 `keys` the index of the first equal one."""
    codes = _binary(keys).dictionary_encode().indices.to_numpy()  # numbered by first appearance
    return np.unique(codes, return_index=True)[1][codes]


def _binary(keys: np.ndarray) -> pa.Array:
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(keys), [None, pa.py_buffer(keys.tobytes())])
