"""StarCoder's near-deduplication, as bigcode-dataset's near_deduplication/minhash_deduplication.py does it.

It is here as a second judge and as a contrast. Of its sha1 only 32 bits count there; here the same number of bits come
from another hash, so single decisions may differ from those of a run of the original, but not what the rule does.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import count

import datasketch
import numpy as np

from stages.shingles import ShingleSets, band_keys

NGRAM, PERMUTATIONS, BANDS, ROWS = 5, 256, 25, 10
CHUNK = 1 << 16  # shingles that are hashed 256-fold at once


def starcoder_sets(texts: Sequence[str]) -> ShingleSets:
    """5-grams of what lies between any characters but [A-Za-z_0-9], empty strings included, as 64-bit hashes."""
    vocabulary: defaultdict[str, int] = defaultdict(count().__next__)
    split = re.compile("[^A-Za-z_0-9]").split
    found = [np.zeros(0, np.uint64)]
    for text in texts:
        tokens = np.array([vocabulary[token] for token in split(text)], np.uint64)
        hashed = np.zeros(max(0, len(tokens) - NGRAM + 1), np.uint64)
        for start in range(NGRAM):
            hashed = (hashed ^ tokens[start : start + len(hashed)]) * np.uint64(0x9E3779B97F4A7C15)
            hashed ^= hashed >> np.uint64(32)
        found.append(np.unique(hashed))
    return ShingleSets(np.cumsum([0, *map(len, found[1:])]), np.concatenate(found))


def starcoder_clusters(sets: ShingleSets) -> np.ndarray:
    """The first document of each one's cluster, int64; StarCoder keeps those, and drops all others.

    A cluster is what hangs together by equal bands, and no similarity is worked out. The documents that are shorter
    than a shingle have equal signatures, so they are one cluster.
    """
    maker = datasketch.MinHash(PERMUTATIONS, seed=42, scheme="legacy", hashfunc=lambda hashed: hashed & 0xFFFFFFFF)
    minhash = np.empty((len(sets.starts) - 1, PERMUTATIONS), np.uint32)
    for document, row in enumerate(minhash):
        signature = maker.copy()
        for start in range(sets.starts[document], sets.starts[document + 1], CHUNK):
            stop = min(start + CHUNK, sets.starts[document + 1])
            signature.update_batch(sets.hashes[start:stop].tolist())
        row[:] = signature.hashvalues
    buckets = [np.unique(key, return_inverse=True)[1] for key in band_keys(minhash, BANDS, ROWS).T]
    first, settled = np.arange(len(minhash)), False
    while not settled:
        before = first
        for bucket in buckets:
            least = np.full(len(minhash), len(minhash))
            np.minimum.at(least, bucket, first)
            first = least[bucket]
        settled = np.array_equal(first, before)
    return first
