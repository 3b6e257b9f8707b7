"""An index of documents by their signatures: datasketch's MinHashLSH, and a look-up by content beside it.

The bands cannot find a document shorter than a shingle, so equal contents are found by their hash. Documents are held
by id and can be taken out, which an opt-out asks for. MinHashLSH keeps a Python set for each band of each document:
13 kB a document with 42 bands, so a caller that asks one question builds it a block of documents at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa


class Index:
    """Documents by signature; an id stands in it once."""

    def __init__(self, permutations: int, bands: int, rows: int, seed: int) -> None:
        """The settings that the signatures were made with; datasketch wants at least 2 bands and 2 permutations."""
        from datasketch import MinHashLSH  # it imports scipy, which no other command should wait for

        self._bands = MinHashLSH(num_perm=permutations, params=(bands, rows))
        self._seed = seed
        self._contents: dict[bytes, set[str]] = {}  # content hash -> ids
        self._content: dict[str, bytes] = {}  # id -> content hash

    def __len__(self) -> int:
        return len(self._content)

    def __contains__(self, document: str) -> bool:
        return document in self._content

    def add(self, signatures: pa.Table) -> None:
        """Take in the documents of a table of schema.SIGNATURE. ValueError where one stands in the index already."""
        ids, contents = signatures["id"].to_pylist(), signatures["content"].to_pylist()
        if len(set(ids)) < len(ids) or not self._content.keys().isdisjoint(ids):
            raise ValueError("a document is in the index already")
        for document, content in zip(ids, contents, strict=True):
            self._content[document] = content
            self._contents.setdefault(content, set()).add(document)
        some, minhash = minhash_of(signatures)
        for row, values in zip(np.flatnonzero(some).tolist(), minhash, strict=True):
            self._bands.insert(ids[row], self._lean(values))

    def remove(self, documents: Iterable[str]) -> None:
        """Take these documents out; those that are not in it are passed over."""
        for document in documents:
            content = self._content.pop(document, None)
            if content is None:
                continue
            self._contents[content].discard(document)
            if not self._contents[content]:
                del self._contents[content]
            if document in self._bands:
                self._bands.remove(document)

    def query(self, content: bytes, minhash: np.ndarray | None) -> list[str]:
        """Ids of the documents of equal content, and of those that share a band with `minhash`, sorted.

        `content` is a 16-byte content hash, `minhash` the uint32 values; None for a text shorter than a shingle.
        """
        found = set(self._contents.get(content, ()))
        if minhash is not None:
            found.update(self._bands.query(self._lean(minhash)))
        return sorted(found)

    def _lean(self, values: np.ndarray) -> Any:
        from datasketch import LeanMinHash

        return LeanMinHash(seed=self._seed, hashvalues=values, scheme="affine32")


def minhash_of(signatures: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Which rows of a SIGNATURE table have MinHash values, bool, and these values, uint32, such rows x permutations."""
    column = signatures["minhash"].combine_chunks()
    some = column.is_valid().to_numpy(zero_copy_only=False)
    count = int(some.sum())
    return some, column.flatten().to_numpy().reshape(count, -1 if count else 0)
