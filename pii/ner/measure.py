"""Precision, recall and F1 of found spans by entity, scored for overlap as StarPII was; and the best thresholds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

GRID = tuple(step / 20 for step in range(8, 20))  # 0.4 to 0.95
UNSURE = 0.95

Gold = Sequence[tuple[int, int, str]]  # (start, end, entity)
Spans = Sequence[tuple[int, int, str, float]]  # (start, end, entity, score)


class Scores(NamedTuple):
    """Counts of one entity: a found span is right where it overlaps a labelled one of its entity, and the reverse."""

    labelled: int
    found: int
    right: int  # of those found
    met: int  # of those labelled

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        return self.met / self.labelled if self.labelled else 0.0

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def total(scores: Iterable[Scores]) -> Scores:
    """The scores of all entities together."""
    return Scores(*np.sum([(0, 0, 0, 0), *scores], axis=0).tolist())


def measure(gold: Sequence[Gold], found: Sequence[Spans], thresholds: Mapping[str, float]) -> dict[str, Scores]:
    """The scores of each entity that occurs in the labels of the texts, where spans below a threshold do not count."""
    labelled = {entity for spans in gold for _, _, entity in spans}
    return {entity: _scores(gold, found, entity, thresholds.get(entity, 0)) for entity in sorted(labelled)}


def thresholds(gold: Sequence[Gold], found: Sequence[Spans], entities: Iterable[str], fewest: int) -> dict[str, float]:
    """For each entity the score of GRID from which its spans have the best F1, the higher of equals.

    UNSURE for an entity with fewer than `fewest` labels, of which nothing can be told.
    """
    labelled = Counter(entity for spans in gold for _, _, entity in spans)
    return {
        entity: max(GRID, key=lambda t: (_scores(gold, found, entity, t).f1, t))
        if labelled[entity] >= fewest
        else UNSURE
        for entity in entities
    }


def _scores(gold: Sequence[Gold], found: Sequence[Spans], entity: str, threshold: float) -> Scores:
    counts = [0, 0, 0, 0]
    for labels, spans in zip(gold, found, strict=True):
        wanted = [(start, end) for start, end, name in labels if name == entity]
        given = [(start, end) for start, end, name, score in spans if name == entity and score >= threshold]
        counts[0] += len(wanted)
        counts[1] += len(given)
        counts[2] += sum(_overlaps(span, wanted) for span in given)
        counts[3] += sum(_overlaps(span, given) for span in wanted)
    return Scores(*counts)


def _overlaps(span: tuple[int, int], others: Iterable[tuple[int, int]]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in others)
