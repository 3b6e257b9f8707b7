"""Randomness that depends on a seed and a document, and on nothing else.

A draw is a hash of (seed, purpose, key), so that any worker count and order give the same draws, a document that is
removed changes no other's, and two uses of one key with different purposes are independent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np


def uniform(seed: int, purpose: str, keys: Sequence[str], draws: int = 1) -> np.ndarray:
    """`draws` (at most 8) numbers in [0, 1) for each key: float64 of shape (len(keys), draws)."""
    digests = b"".join(_digest(seed, purpose, key, 8 * draws) for key in keys)
    bits = np.frombuffer(digests, dtype="<u8").reshape(len(keys), draws)
    return (bits >> np.uint64(11)) * 2.0**-53


def generator(seed: int, purpose: str, key: str = "") -> np.random.Generator:
    """A NumPy generator for one key, for what needs more than a few draws."""
    return np.random.default_rng(int.from_bytes(_digest(seed, purpose, key, 16), "little"))


def _digest(seed: int, purpose: str, key: str, size: int) -> bytes:
    return hashlib.blake2b(f"{seed}\0{purpose}\0{key}".encode(), digest_size=size).digest()
