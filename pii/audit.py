"""What an auditor's yes and no say about a run: precision, misses, recall, agreement, each with an interval.

An audit samples within strata (entity and recognizer; lines of a kind), so shares are weighted by how large the strata
are in the run. Intervals are Wilson's (1927) at 95%; for a weighted share the sample counts as if it had the size at
which simple sampling would vary as much (Korn and Graubard 1998, with shares drawn to the middle so that a stratum
without a single no still counts as uncertain). For one stratum that is exactly Wilson's interval. Agreement of two
auditors is told by Cohen's kappa (1960).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

Z = 1.959963984540054  # of a 95% interval
METHOD = (
    "Wilson's interval (1927) at 95%; strata weighted by their size, at the effective sample size of Korn and "
    "Graubard (1998)"
)


class Stratum(NamedTuple):
    """How many there are in the run, how many of them were judged, how many of these were a yes."""

    size: int
    judged: int
    yes: int


class Share(NamedTuple):
    """An estimated share with its 95% interval, and what it rests on."""

    value: float
    low: float
    high: float
    judged: int
    yes: int
    size: int  # of the strata that were judged
    unjudged: int  # size of the strata of which nothing was judged: they do not count


class Misses(NamedTuple):
    """Estimated values of one kind that were missed in the text that was sampled from."""

    missed: float
    low: float
    high: float
    per_mb: float
    per_mb_low: float
    per_mb_high: float
    lines: int  # judged
    seen: int  # misses an auditor saw in them


class Recall(NamedTuple):
    """Share of the values that were found, of those that there are."""

    value: float
    low: float
    high: float


class Agreement(NamedTuple):
    """How far two auditors agree on what both judged."""

    both: int
    agreed: int
    kappa: float | None  # None where it is not defined: both said one and the same of everything


def wilson(share: float, count: float) -> tuple[float, float]:
    """Wilson's 95% interval for a share seen in `count` cases (which may be an effective number)."""
    if count <= 0:
        return 0.0, 1.0
    square = Z * Z / count
    middle = (share + square / 2) / (1 + square)
    reach = Z / (1 + square) * math.sqrt(share * (1 - share) / count + square / count / 4)
    return (
        0.0 if share <= 0 else max(0.0, middle - reach),
        1.0 if share >= 1 else min(1.0, middle + reach),
    )


def share_of(strata: Iterable[Stratum]) -> Share | None:
    """The share of yes over strata of a run; None where nothing was judged."""
    listed = list(strata)
    judged = [stratum for stratum in listed if stratum.judged]
    size = sum(stratum.size for stratum in judged)
    if not judged:
        return None
    # A stratum that was counted as empty cannot weigh anything, but its verdicts may not vanish either.
    weights = [stratum.size / size if size else 1 / len(judged) for stratum in judged]
    value = sum(w * s.yes / s.judged for w, s in zip(weights, judged, strict=True))
    drawn = [(s.yes + Z * Z / 2) / (s.judged + Z * Z) for s in judged]
    variance = sum(w * w * p * (1 - p) / s.judged for w, p, s in zip(weights, drawn, judged, strict=True))
    middle = sum(w * p for w, p in zip(weights, drawn, strict=True))
    low, high = wilson(value, middle * (1 - middle) / variance)
    return Share(
        value,
        low,
        high,
        sum(s.judged for s in judged),
        sum(s.yes for s in judged),
        size,
        sum(s.size for s in listed if not s.judged),
    )


def misses_of(strata: Iterable[Stratum], seen: int, size_bytes: int) -> Misses | None:
    """Values of a kind that were missed, from strata of lines; `yes` of a stratum are its lines with a miss of it.

    The share of lines with a miss has the interval; lines that hold several count with the `seen` misses a line there.
    """
    listed = list(strata)
    share = share_of(listed)
    if share is None:
        return None
    lines = sum(stratum.size for stratum in listed if stratum.judged)
    each = seen / share.yes if share.yes else 1.0
    missed, low, high = (lines * part * each for part in (share.value, share.low, share.high))
    megabytes = size_bytes / 1e6
    rate, rate_low, rate_high = (number / megabytes if megabytes else 0.0 for number in (missed, low, high))
    return Misses(missed, low, high, rate, rate_low, rate_high, share.judged, seen)


def recall_of(found: int, precision: Share | None, misses: Misses | None) -> Recall | None:
    """Recall from what was found, how much of that is right, and what was missed; None where one is not known.

    The ends take both intervals at their worst and their best, so that the interval is wider than one of 95% need be.
    """
    if precision is None or misses is None:
        return None

    def part(right: float, missed: float) -> float:
        return found * right / (found * right + missed) if found * right + missed else 0.0

    return Recall(
        part(precision.value, misses.missed),
        part(precision.low, misses.high),
        part(precision.high, misses.low),
    )


def agreement_of(pairs: Sequence[tuple[bool, bool]]) -> Agreement:
    """Agreement over (first auditor's yes, second auditor's yes) of everything both judged."""
    both = len(pairs)
    agreed = sum(one == two for one, two in pairs)
    if not both:
        return Agreement(0, 0, None)
    first, second = (sum(pair[who] for pair in pairs) / both for who in (0, 1))
    by_chance = first * second + (1 - first) * (1 - second)
    observed = agreed / both
    return Agreement(both, agreed, None if by_chance >= 1 else (observed - by_chance) / (1 - by_chance))


def judged_strata(
    sizes: Mapping[tuple[str, ...], int], verdicts: Iterable[tuple[tuple[str, ...], bool]]
) -> dict[tuple[str, ...], Stratum]:
    """The strata of `sizes` with what was judged of each: (stratum, yes) a verdict."""
    judged: dict[tuple[str, ...], list[int]] = {key: [0, 0] for key in sizes}
    for key, yes in verdicts:
        counts = judged.setdefault(key, [0, 0])
        counts[0] += 1
        counts[1] += yes
    return {key: Stratum(max(sizes.get(key, 0), counts[0]), *counts) for key, counts in judged.items()}
