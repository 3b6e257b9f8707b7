"""Found spans against labelled ones: counts, precision, recall and F1, with bootstrap intervals and confusions.

The rule. Found and labelled spans of one entity are matched one to one, as many as can be, in text order:
- overlap (the headline, as StarPII was scored): they share at least one character;
- most: what they share is more than 80% of each (as StarCoder's older benchmark was scored);
- exact: the same two offsets.
A match is a hit, an unmatched label a miss, an unmatched found span a false alarm. One found span over two labels is
one hit and one miss; two over one label one hit and one false alarm. A found span that is left over and overlaps an
optional label of its entity counts nowhere; neither does an optional label that is not found. Of found spans of one
entity that overlap one another only the longest is scored. In real code only spans that touch the labelled chunk count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from pii.evaluation.labelled import Document, Label
from pii.spans import ENTITIES

RULES = ("overlap", "most", "exact")
MOST = 0.8
RESAMPLES = 1000


class Found(NamedTuple):
    """One span a system found; `redacted` says whether it would be replaced in the text."""

    start: int
    end: int
    entity: str
    score: float = 1.0
    redacted: bool = True
    recognizer: str = ""


class Judged(NamedTuple):
    """What became of the labels and found spans of one entity in one document."""

    hits: list[tuple[Label, Found]]
    misses: list[Label]
    false_alarms: list[Found]


class Rates(NamedTuple):
    """Counts and rates; a rate with nothing to divide by is None."""

    hits: int
    misses: int
    false_alarms: int

    @property
    def precision(self) -> float | None:
        found = self.hits + self.false_alarms
        return self.hits / found if found else None

    @property
    def recall(self) -> float | None:
        labelled = self.hits + self.misses
        return self.hits / labelled if labelled else None

    @property
    def f1(self) -> float | None:
        both = 2 * self.hits + self.misses + self.false_alarms
        return 2 * self.hits / both if both else None


def judge(document: Document, found: Sequence[Found], entity: str, rule: str = "overlap") -> Judged:
    """Labels and found spans of `entity` in one document, matched by `rule`."""
    labels = [label for label in document.labels if label.entity == entity]
    required = [label for label in labels if not label.optional]
    spans = _apart([f for f in found if f.entity == entity and f.start < document.end and document.start < f.end])
    agrees = _agreement(rule)
    hits, misses, taken, first = [], [], set(), 0
    for label in required:
        while first < len(spans) and spans[first].end <= label.start:
            first += 1
        for number in range(first, len(spans)):
            if spans[number].start >= label.end:
                misses.append(label)
                break
            if number not in taken and agrees(label, spans[number]):
                taken.add(number)
                hits.append((label, spans[number]))
                break
        else:
            misses.append(label)
    optional = [label for label in labels if label.optional]
    rest = [span for number, span in enumerate(spans) if number not in taken]
    false_alarms = [span for span in rest if not any(_shared(label, span) for label in optional)]
    return Judged(hits, misses, false_alarms)


def _shared(label: Label, span: Found) -> int:
    return max(0, min(label.end, span.end) - max(label.start, span.start))


def _agreement(rule: str) -> Callable[[Label, Found], bool]:
    if rule == "overlap":
        return lambda label, span: _shared(label, span) > 0
    if rule == "most":
        return lambda label, span: _shared(label, span) > MOST * max(label.end - label.start, span.end - span.start)
    if rule == "exact":
        return lambda label, span: label[:2] == span[:2]
    raise ValueError(f"no such rule: {rule}")


def _apart(spans: Sequence[Found]) -> list[Found]:
    """The spans in text order, of overlapping ones only the longest (then the surer, then the earlier)."""
    kept: list[Found] = []
    for span in sorted(set(spans), key=lambda s: (s.start - s.end, -s.score, s)):
        if span.end > span.start and all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    return sorted(kept)


def counts(documents: Sequence[Document], found: Sequence[Sequence[Found]], rule: str = "overlap") -> np.ndarray:
    """int64 array (documents, entities, 3): hits, misses and false alarms; entities in the order of ENTITIES."""
    result = np.zeros((len(documents), len(ENTITIES), 3), dtype=np.int64)
    for row, (document, spans) in enumerate(zip(documents, found, strict=True)):
        for column, entity in enumerate(ENTITIES):
            result[row, column] = [len(part) for part in judge(document, spans, entity, rule)]
    return result


def rates(counted: np.ndarray) -> Rates:
    """The sum of an array (..., 3) as rates."""
    hits, misses, false_alarms = counted.reshape(-1, 3).sum(axis=0).tolist()
    return Rates(hits, misses, false_alarms)


def intervals(counted: np.ndarray, clusters: Sequence[str], seed: int = 0) -> dict[str, tuple[float, float] | None]:
    """95% bootstrap intervals of precision, recall and F1 of an array (documents, 3), drawing whole clusters.

    Documents made from one template share their errors, so they are drawn together.
    """
    names, number = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    by_cluster = np.zeros((len(names), 3))
    np.add.at(by_cluster, number, counted)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES) if len(names) else None
    if drawn is None:
        return {"precision": None, "recall": None, "f1": None}
    hits, misses, false_alarms = (drawn @ by_cluster).T
    return {
        "precision": _interval(hits, hits + false_alarms),
        "recall": _interval(hits, hits + misses),
        "f1": _interval(2 * hits, 2 * hits + misses + false_alarms),
    }


def _interval(part: np.ndarray, whole: np.ndarray) -> tuple[float, float] | None:
    values = part[whole > 0] / whole[whole > 0]
    if not len(values):
        return None
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def by_recognizer(documents: Sequence[Document], found: Sequence[Sequence[Found]]) -> Counter[tuple[str, str, bool]]:
    """How many found spans were hits, or false alarms, of each entity and recognizer: (entity, recognizer, hit)."""
    tally: Counter[tuple[str, str, bool]] = Counter()
    for document, spans in zip(documents, found, strict=True):
        for entity in ENTITIES:
            judged = judge(document, spans, entity)
            tally.update((entity, span.recognizer, True) for _, span in judged.hits)
            tally.update((entity, span.recognizer, False) for span in judged.false_alarms)
    return tally


def confusion(documents: Sequence[Document], found: Sequence[Sequence[Found]]) -> Counter[tuple[str, str]]:
    """How often a label of one entity was found as another: (labelled, found) pairs, "" for nothing.

    Each required label counts once: as its own entity where that was a hit, else as the entity of the found span that
    shares most with it, else as nothing. False alarms that touch no label at all count as ("", entity).
    """
    pairs: Counter[tuple[str, str]] = Counter()
    for document, spans in zip(documents, found, strict=True):
        for entity in ENTITIES:
            judged = judge(document, spans, entity)
            pairs[entity, entity] += len(judged.hits)
            for label in judged.misses:
                shared = [(_shared(label, span), span.entity) for span in spans if span.entity != entity]
                best = max(shared, default=(0, ""))
                pairs[entity, best[1] if best[0] else ""] += 1
            touching = [s for s in judged.false_alarms if not any(_shared(label, s) for label in document.labels)]
            pairs["", entity] += len(touching)
    return +pairs
