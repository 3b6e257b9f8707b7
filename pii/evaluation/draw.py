"""Random choices from a text seed, the same on every platform and Python version."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
DIGITS = "0123456789"
LOWER = "abcdefghijklmnopqrstuvwxyz"
UPPER = LOWER.upper()
BASE62 = DIGITS + UPPER + LOWER
HEX = "0123456789abcdef"
BASE64 = UPPER + LOWER + DIGITS + "+/"
URLSAFE = UPPER + LOWER + DIGITS + "-_"
BASE32 = UPPER + "234567"


class Draw:
    """Random choices from a text seed; only `Random.random` is used, whose sequence Python promises to keep."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def below(self, n: int) -> int:
        return int(self._random.random() * n)

    def between(self, low: int, high: int) -> int:
        return low + self.below(high - low + 1)

    def of(self, values: Sequence[T]) -> T:
        return values[self.below(len(values))]

    def text(self, alphabet: str, length: int) -> str:
        return "".join(self.of(alphabet) for _ in range(length))
