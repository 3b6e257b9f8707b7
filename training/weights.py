"""Sampling weights: how often a training sees the documents of a language, whatever the shards hold of it.

StarCoder samples languages by their volume; with weights a trainer changes the mixture and touches no shard. A weight
of 2 shows a language's documents twice an epoch, one of 0.25 shows a quarter of them, another quarter in each of the
next epochs. A document's turn is a hash of seed and id, so that an epoch can be drawn again from (seed, epoch) alone.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import yaml

from pipeline.errors import UsageError
from stages import chance

Weights = Mapping[str, float]  # language -> how often its documents are seen in an epoch; 1 where it is not named


class Portion(NamedTuple):
    """What a language has of an epoch."""

    language: str
    weight: float
    tokens: int  # of an epoch, on average
    share: float  # of all tokens


def read(path: str) -> dict[str, float]:
    """The YAML file of language: weight at `path`; raises UsageError where it cannot be read or is none."""
    try:
        with open(path, encoding="utf-8") as file:
            found = yaml.safe_load(file)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the weights '{path}' ({getattr(error, 'strerror', None) or error}).") from None
    except yaml.YAMLError as error:
        raise UsageError(
            f"'{path}' is no YAML ({' '.join(str(error).split())}); write 'language: weight' lines."
        ) from None
    if not isinstance(found, dict) or not found:
        raise UsageError(f"'{path}' holds no weights; write a line 'language: weight' for each language to change.")
    for language, weight in found.items():
        if not _is_weight(weight):
            raise UsageError(
                f"{path}: the weight of '{language}' is {weight!r}; give a number such as 2.0 (seen twice an epoch), "
                "0.25 (a quarter of its documents an epoch) or 0 (left out)."
            )
    return {str(language): float(weight) for language, weight in found.items()}


def mixture(tokens: Mapping[str, int], weights: Weights) -> list[Portion]:
    """Each language's part of an epoch, largest first; `tokens` are what the train split holds of each language.

    Raises UsageError where a weight is for a language that the split does not hold, or nothing is left to train on.
    """
    for language in weights:
        if language not in tokens:
            near = difflib.get_close_matches(language.lower(), sorted(tokens), n=1, cutoff=0.0)
            hint = f"; the nearest that it has is '{near[0]}'" if near else ""
            raise UsageError(f"there is a weight for '{language}', which the dataset has no documents in{hint}.")
    seen = {language: held * weights.get(language, 1.0) for language, held in tokens.items()}
    total = sum(seen.values())
    if tokens and total == 0:
        raise UsageError("the weights leave no document to train on; give some language of the dataset more than 0.")
    portions = [Portion(name, weights.get(name, 1.0), round(held), held / total) for name, held in seen.items()]
    return sorted(portions, key=lambda portion: (-portion.tokens, portion.language))


def times(ids: Sequence[str], languages: Sequence[str], weights: Weights, seed: int, epoch: int) -> np.ndarray:
    """How often each document is seen in epoch `epoch`: int64, one a document.

    Over any number of epochs on end, a document is seen as often as its weight says, give or take one.
    """
    weight = np.array([weights.get(language, 1.0) for language in languages], np.float64)
    turn = chance.uniform(seed, "weights", ids)[:, 0]
    return (np.floor(turn + weight * (epoch + 1)) - np.floor(turn + weight * epoch)).astype(np.int64)


def _is_weight(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and value >= 0
