"""Pairs become edges: the exact Jaccard similarity of the two shingle sets, worked out again from the texts.

Shingles are not stored, as they take more than the texts. A partition asks the groups for the texts that it does not
have from an earlier round, each shard is read once for all that ask, and the pairs are compared where their texts have
come together. What the next round may ask for, documents in buckets that are still open, is put by: they are few, and
to read them again would be to read all that stands around them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.shuffle import Parts, Shuffle, arrays_of
from pipeline.side import Corpus, Side
from stages.near_duplicates.buckets import LOCATIONS, PAIRS, Round
from stages.near_duplicates.documents import Documents, by_shard, of_shard, row_numbers
from stages.near_duplicates.independent_set import EDGES
from stages.near_duplicates.screening import REQUESTS, request
from stages.shingles import ShingleSets, Utf8, jaccard, shingle_sets

SENT_AT_ONCE = 8 << 20  # bytes of text that a task gathers before it writes
SHINGLED_AT_ONCE = 8 << 20  # the same, before it makes shingle sets
PUT_BY = 8 << 20  # bytes of text of a shard that a round keeps for the next one
TEXTS = pa.schema([("location", pa.uint64()), ("text", pa.large_string())])


class Known(NamedTuple):
    """What the partitions had at the end of a round; of each round on its own, as a task may have to be run again."""

    held: Parts  # whose texts a partition has
    put_by: Parts  # texts of a shard that the next round may ask for, ascending by location

    @classmethod
    def after(cls, number: int) -> Known:
        return cls(Parts(f"held-{number}", LOCATIONS), Parts(f"put_by-{number}", TEXTS))


def verify(
    corpus: Corpus,
    documents: Documents,
    sent: Round,
    alike: Parts,
    edges: Parts,
    ngram: int,
    threshold: float,
    number: int,
) -> int:
    """Add the edges among the pairs of round `number` that may be `alike` to `edges`, by partition; how many."""
    partitions = range(sent.pairs.partitions)
    before, after = Known.after(number - 1), Known.after(number)
    requests = Shuffle("requests", REQUESTS, len(documents.all_groups))
    texts = Shuffle("texts", TEXTS, len(partitions))
    ask = partial(_ask, documents=documents, alike=alike, before=before, after=after, requests=requests)
    corpus.map(ask, partitions)
    answer = partial(
        _answer,
        documents=documents,
        requests=requests,
        texts=texts,
        unsettled=sent.unsettled,
        known=before.put_by,
        put_by=after.put_by,
        number=number,
    )
    corpus.map(answer, documents.all_groups)
    compare = partial(_compare, alike=alike, texts=texts, edges=edges, ngram=ngram, threshold=threshold)
    near = sum(corpus.map(compare, partitions))
    for shuffled in (requests, alike, sent.unsettled, *before):
        shuffled.remove(corpus.side)
    return near


def _ask(
    part: int,
    corpus: Corpus,
    side: Side,
    *,
    documents: Documents,
    alike: Parts,
    before: Known,
    after: Known,
    requests: Shuffle,
) -> None:
    """Ask for the texts that are not here."""
    (here,) = arrays_of(before.held.read(side, part))
    wanted = np.setdiff1d(np.concatenate(arrays_of(alike.read(side, part), "worse_at", "better_at")), here)
    after.held.write(side, part, {"location": np.concatenate([here, wanted])})
    request(side, requests, part, wanted, documents)


def _answer(
    group: int,
    corpus: Corpus,
    side: Side,
    *,
    documents: Documents,
    requests: Shuffle,
    texts: Shuffle,
    unsettled: Shuffle,
    known: Parts,
    put_by: Parts,
    number: int,
) -> None:
    """Send each text to all partitions that ask for it, and put by those that the next round may ask for."""
    location, part = arrays_of(requests.read(side, group))
    later = np.unique(arrays_of(unsettled.read(side, group))[0])
    gathered: list[tuple[np.ndarray, pa.Array, np.ndarray]] = []
    size, sent = 0, 0

    def source() -> str:
        return f"{number}-{group:06d}-{sent:06d}"

    for shard, chosen in by_shard(location):
        soon = later[of_shard(later, shard)]
        places, place = np.unique(np.concatenate([location[chosen], soon]), return_inverse=True)
        column = _texts(corpus, documents, shard, places, known.read(side, shard))
        length = pc.binary_length(column).to_numpy()
        asked, stay = place[: len(chosen)], place[len(chosen) :]
        stay = stay[np.cumsum(length[stay]) <= PUT_BY]
        if len(stay):
            put_by.write(side, shard, {"location": places[stay], "text": column.take(pa.array(stay))})
        ends = np.cumsum(length[asked])  # a text counts each time that it is asked for
        for some in np.split(np.arange(len(asked)), np.flatnonzero(np.diff((size + ends) // SENT_AT_ONCE)) + 1):
            gathered.append((location[chosen][some], column.take(pa.array(asked[some])), part[chosen][some]))
            size += gathered[-1][1].nbytes
            if size > SENT_AT_ONCE:
                _send(side, texts, source(), gathered)
                gathered, size, sent = [], 0, sent + 1
    _send(side, texts, source(), gathered)


def _texts(corpus: Corpus, documents: Documents, shard: int, places: np.ndarray, at_hand: pa.Table) -> pa.Array:
    """The texts of documents of a shard, large strings; what is not at hand is read."""
    (known,) = arrays_of(at_hand, "location")
    there = np.isin(places, known, assume_unique=True)
    chunks = at_hand["text"].take(pa.array(np.searchsorted(known, places[there]))).chunks
    if not there.all():
        rows = row_numbers(places[~there])
        chunks += documents.read(corpus, shard, rows, ["text"])["text"].cast(pa.large_string()).chunks
    column = pa.chunked_array(chunks, pa.large_string()).combine_chunks()
    return column.take(pa.array(np.argsort(np.argsort(~there, kind="stable")))) if there.any() else column


def _send(side: Side, texts: Shuffle, source: str, gathered: list[tuple[np.ndarray, pa.Array, np.ndarray]]) -> None:
    if gathered:
        location, text, part = zip(*gathered, strict=True)
        columns = {"location": np.concatenate(location), "text": pa.concat_arrays(text)}
        texts.write(side, source, columns, np.concatenate(part))


def _compare(
    part: int, corpus: Corpus, side: Side, *, alike: Parts, texts: Shuffle, edges: Parts, ngram: int, threshold: float
) -> int:
    pairs = dict(zip(PAIRS.names, arrays_of(alike.read(side, part)), strict=True))
    if len(pairs["worse"]) == 0:
        return 0
    needed = np.unique(np.concatenate([pairs["worse_at"], pairs["better_at"]]))
    come, sets = _shingled(texts.pieces(side, part), needed, ngram)
    missing = len(np.setdiff1d(needed, come))
    if missing:
        raise RuntimeError(f"{missing} texts that were asked for did not come")
    order = np.argsort(come)
    worse, better = (order[np.searchsorted(come, pairs[name], sorter=order)] for name in ("worse_at", "better_at"))
    pairs["jaccard"] = jaccard(sets, worse, sets, better, threshold)
    near = pairs["jaccard"] >= threshold
    found = pa.table({name: values[near] for name, values in pairs.items()}, schema=EDGES)
    known = pa.concat_tables([edges.read(side, part), found])  # twice where the task is run again: no harm
    known = known.sort_by([("worse", "ascending"), ("better", "ascending")])
    edges.write(side, part, dict(zip(EDGES.names, known.columns, strict=True)))
    return int(near.sum())


def _shingled(pieces: Iterable[pa.Table], needed: np.ndarray, ngram: int) -> tuple[np.ndarray, ShingleSets]:
    """The locations of texts that are `needed` (ascending), and their shingle sets, a few texts in memory at a time."""
    come, sets = [needed[:0]], list[ShingleSets]()
    gathered, size = [TEXTS.empty_table()], 0

    def shingle() -> None:
        table = pa.concat_tables(gathered)
        come.append(arrays_of(table, "location")[0])
        sets.append(shingle_sets(Utf8.of(table["text"]), ngram))

    for piece in pieces:
        (location,) = arrays_of(piece, "location")
        place = np.minimum(np.searchsorted(needed, location), len(needed) - 1)
        gathered.append(piece.filter(pa.array(needed[place] == location)))
        size += gathered[-1].nbytes
        if size > SHINGLED_AT_ONCE:
            shingle()
            gathered, size = [TEXTS.empty_table()], 0
    shingle()
    return np.concatenate(come), ShingleSets.joined(sets)
