"""Deduplication judged against all pairs: `python -m benchmarks.deduplicate_quality FILE.parquet ...`.

The files are shards of documents. The truth is the exact Jaccard similarity of every pair of them, by two judges: the
stage's own shingles, and StarCoder's, which are others. Prints Markdown: which pairs the bands propose and the outcome
resolves, by similarity; whether each drop has its reason and nothing that stays has a neighbour; and the same of
StarCoder's own rule, which verifies nothing. What a decision says is worked out again from the texts in plain Python;
the join is held to brute force on a part of the documents. Takes three CPU minutes and 3 GB for 37,000 files.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.all_pairs import Pairs, all_pairs, brute_force
from benchmarks.starcoder_deduplication import starcoder_clusters, starcoder_sets
from pipeline.inline import InlineExecutor
from pipeline.side import Corpus, Side, Worker
from pipeline.storage import Storage
from stages.deduplicate import Deduplicate
from stages.shingles import ShingleSets, Utf8, band_keys, jaccard, permutations, shingle_sets, signatures

NGRAM, THRESHOLD, FLOOR = 5, 0.7, 0.5
PRESETS = {"42 bands of 6": (42, 6), "25 bands of 10": (25, 10)}
BINS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
SAMPLE = 2000  # documents that the join is checked on by brute force, and the kernel by plain Python


class Judge(NamedTuple):
    """The truth, by one kind of shingles."""

    sets: ShingleSets
    pairs: Pairs

    @classmethod
    def of(cls, sets: ShingleSets, sample: np.ndarray) -> Judge:
        """All pairs of `sets`, after the join is held to brute force on the documents of `sample`."""
        part = _taken(sets, sample)
        assert all_pairs(part, FLOOR).documents() == brute_force(part, FLOOR)
        return cls(sets, all_pairs(sets, FLOOR))

    def resembles_kept(self, kept: np.ndarray, threshold: float) -> np.ndarray:
        """For each document, whether another one that is kept is at least so similar."""
        inside, (group, pairs) = self.kept_in(kept), (self.pairs.group, self.pairs)
        near = pairs.similarity >= threshold
        beside = np.zeros(len(inside), np.bool_)
        for one, other in ((pairs.left[near], pairs.right[near]), (pairs.right[near], pairs.left[near])):
            beside[one[inside[other] > 0]] = True
        return (group >= 0) & (beside[group] | (inside[group] > kept))

    def kept_in(self, kept: np.ndarray) -> np.ndarray:
        """How many documents of each group are kept."""
        return np.bincount(self.pairs.group[kept & (self.pairs.group >= 0)], minlength=len(self.pairs.size))


class Verdict(NamedTuple):
    """What one way of deduplicating made of the documents."""

    cites: np.ndarray  # int64: the document that each is dropped for, itself where it is kept
    stated: np.ndarray  # float64: the similarity that the decision states; 1 where there is none
    counts: dict[str, int]  # the stage's counts.json

    @property
    def kept(self) -> np.ndarray:
        return self.cites == np.arange(len(self.cites))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE.parquet")
    shards = [pq.read_table(file, columns=Deduplicate.takes.names) for file in parser.parse_args().files]
    texts = pa.chunked_array([chunk for shard in shards for chunk in shard["text"].chunks], pa.string())
    plain, utf8 = texts.fill_null("").to_pylist(), Utf8.of(texts)
    sample = np.sort(np.random.default_rng(1).permutation(len(plain))[:SAMPLE])

    own = shingle_sets(utf8, NGRAM)
    sizes = np.diff(own.starts)[sample].tolist()
    assert sizes == [len(shingles(plain[document])) for document in sample], "shingles() is not the stage's any more"
    quarry, starcoder = Judge.of(own, sample), Judge.of(starcoder_sets(plain), sample)

    minhash = signatures(utf8, NGRAM, *permutations(256, 42)).minhash
    keys = {name: band_keys(minhash, *preset) for name, preset in PRESETS.items()}
    verdicts = {name: run_stage(shards, *preset) for name, preset in PRESETS.items()}
    named = {"Quarry's shingles": quarry, "StarCoder's shingles": starcoder}
    print(f"{len(plain):,} documents, {len(utf8.data) / 1e6:.0f} MB")
    for judge_name, judge in named.items():
        pairs_table(judge_name, judge, keys, verdicts)
    clusters = starcoder_clusters(starcoder.sets)
    verdicts["StarCoder's rule"] = Verdict(clusters, np.ones(len(clusters)), {})
    content = texts.dictionary_encode().combine_chunks().indices.to_numpy(zero_copy_only=False)
    outcome_table(named, verdicts, content)
    evidence_table(plain, starcoder, {name: verdicts[name] for name in PRESETS})


def pairs_table(name: str, judge: Judge, keys: dict[str, np.ndarray], verdicts: dict[str, Verdict]) -> None:
    """By similarity: how many pairs there are, share a band (as their first documents do), and are resolved."""
    pairs, rows = judge.pairs, []
    found = {preset: _share_a_band(key[pairs.first], pairs) for preset, key in keys.items()}
    kept = {preset: judge.kept_in(verdict.kept) for preset, verdict in verdicts.items()}

    def row(title: str, chosen: np.ndarray) -> list[str]:
        left, right = pairs.left[chosen], pairs.right[chosen]
        documents = int((pairs.size[left] * pairs.size[right]).sum())
        cells = [title, f"{chosen.sum():,}"]
        cells += [_rate(found[preset][chosen].sum(), chosen.sum()) for preset in keys]
        cells.append(f"{documents:,}")
        both = [int((inside[left] * inside[right]).sum()) for inside in kept.values()]
        return cells + [_rate(documents - stay, documents) for stay in both]

    for low, high in pairwise(BINS):
        rows.append(row(f"{low:.2f}-{high:.2f}", (pairs.similarity >= low) & (pairs.similarity < high)))
    rows.append(row(f"**{THRESHOLD} and above**", pairs.similarity >= THRESHOLD))
    documents = int((pairs.size * (pairs.size - 1) // 2).sum())
    both = [int((inside * (inside - 1) // 2).sum()) for inside in kept.values()]
    equal = ["equal sets", "-", *("-" for _ in keys), f"{documents:,}"]
    rows.append(equal + [_rate(documents - stay, documents) for stay in both])
    columns = ["Jaccard", "pairs of sets", *(f"share a band, {preset}" for preset in keys), "pairs of documents"]
    _print(f"Pairs, judged by {name}", [*columns, *(f"not both kept, {preset}" for preset in kept)], rows)


def outcome_table(judges: dict[str, Judge], verdicts: dict[str, Verdict], content: np.ndarray) -> None:
    """What is kept, and which drops and which survivors the truth does not support."""
    rows = [["documents kept", *(_share(v.kept.sum(), len(v.kept)) for v in verdicts.values())]]
    names = sorted({name for verdict in verdicts.values() for name in verdict.counts})
    rows += [[f"counts.json: {name}", *(f"{v.counts.get(name, '-')}" for v in verdicts.values())] for name in names]
    for name, judge in judges.items():
        groundless, neighbours = [f"dropped, nothing like it kept, by {name}"], {}
        for verdict in verdicts.values():
            same_text = np.bincount(content[verdict.kept], minlength=content.max() + 1)[content] > 0
            reason = judge.resembles_kept(verdict.kept, THRESHOLD) | same_text
            groundless.append(_share((~verdict.kept & ~reason).sum(), (~verdict.kept).sum()))
        rows.append(groundless)
        for least in (THRESHOLD, 0.85):
            title = f"kept, another kept is {least} like it or more, by {name}"
            neighbours[title] = [
                _share((v.kept & judge.resembles_kept(v.kept, least)).sum(), v.kept.sum()) for v in verdicts.values()
            ]
        rows += [[title, *cells] for title, cells in neighbours.items()]
    _print("Outcomes", ["", *verdicts], rows)


def evidence_table(texts: list[str], starcoder: Judge, verdicts: dict[str, Verdict]) -> None:
    """Whether what the decisions say is so; similarities by plain Python, but StarCoder's."""
    columns = []
    for verdict in verdicts.values():
        dropped = np.flatnonzero(~verdict.kept)
        cites = verdict.cites[dropped]
        exact = np.array([similarity(texts[one], texts[other]) for one, other in zip(dropped, cites, strict=True)])
        rounded = [round(value, 4) for value in exact.tolist()]
        theirs = jaccard(starcoder.sets, dropped, starcoder.sets, cites)
        theirs[[texts[one] == texts[other] for one, other in zip(dropped, cites, strict=True)]] = 1.0
        figures = [(exact < THRESHOLD), ~verdict.kept[cites], verdict.stated[dropped] != rounded]
        figures += [theirs >= 0.7, (theirs >= 0.5) & (theirs < 0.7), theirs < 0.5]
        columns.append([f"{len(dropped):,}", *(_share(figure.sum(), len(dropped)) for figure in figures)])
    titles = ["dropped", f"canonical's exact Jaccard below {THRESHOLD}", "canonical not kept", "Jaccard not as stated"]
    titles += [f"StarCoder's Jaccard with the canonical {part}" for part in ("0.7 or more", "0.5-0.7", "below 0.5")]
    _print("Evidence", ["", *verdicts], [list(row) for row in zip(titles, *columns, strict=True)])


def shingles(text: str) -> set[tuple[bytes, ...]]:
    """The stage's shingles in plain Python, as its documentation describes them."""
    tokens = re.findall(rb"[A-Za-z0-9_\x80-\xff]+|[!$%&()+.:<=>?@\[\]^{|}~]", text.encode())
    return {tuple(tokens[start : start + NGRAM]) for start in range(len(tokens) - NGRAM + 1)}


def similarity(one: str, other: str) -> float:
    """Exact Jaccard similarity, 1 of equal texts."""
    if one == other:
        return 1.0
    left, right = shingles(one), shingles(other)
    return len(left & right) / len(left | right) if left | right else 0.0


def run_stage(shards: Sequence[pa.Table], bands: int, rows: int) -> Verdict:
    """The real stage over the shards, in this process."""
    stage = Deduplicate(threshold=THRESHOLD, ngram=NGRAM, bands=bands, rows=rows)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / "scratch"
        scratch.mkdir()
        side = Side(Storage(Path(folder)), "pass/side", scratch, Worker())
        paths = {f"{number:05d}": f"input/{number:05d}.parquet" for number in range(len(shards))}
        for path, shard in zip(paths.values(), shards, strict=True):
            side.store.write_table(path, shard)
        corpus = Corpus(side.store, paths, side, InlineExecutor())
        stage.prepare(corpus, side)
        decisions = [stage.apply(corpus.read(shard), side.for_shard(shard)).decisions for shard in corpus.shards]
        counts = json.loads(side.get_bytes("counts.json"))
    ids = [name for shard in shards for name in shard["id"].to_pylist()]
    number = {name: document for document, name in enumerate(ids)}
    cites, stated = np.arange(len(ids)), np.ones(len(ids))
    for row in pa.concat_tables(decisions).select(["id", "detail"]).to_pylist():
        detail = json.loads(row["detail"])
        cites[number[row["id"]]], stated[number[row["id"]]] = number[detail["canonical"]], detail["jaccard"]
    return Verdict(cites, stated, counts)


def _taken(sets: ShingleSets, documents: np.ndarray) -> ShingleSets:
    parts = [sets.hashes[sets.starts[document] : sets.starts[document + 1]] for document in documents]
    return ShingleSets(np.cumsum([0, *map(len, parts)]), np.concatenate(parts))


def _share_a_band(keys: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Which pairs have a band in common; `keys` are the groups' band keys."""
    found = np.zeros(len(pairs.left), np.bool_)
    for band in keys.T:
        found |= band[pairs.left] == band[pairs.right]
    return found


def _rate(part: int, whole: int) -> str:
    return f"{part / whole:.5f}" if whole else "-"


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({part / max(1, whole):.2%})"


def _print(title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table in Markdown."""
    print(f"\n### {title}\n")
    for row in (names, ["---", *("---:" for _ in names[1:])], *rows):
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
