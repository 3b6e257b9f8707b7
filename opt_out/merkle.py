"""The Merkle root of a dataset: one hash that stands for every byte of every file of it.

Leaves are sha256(name NUL sha256 of the file) over all files, sorted by name, the receipt excepted, which names the
others. Two neighbours are hashed together, level by level; an odd one goes up as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

from pipeline.manifest import DATASET_RECEIPT
from pipeline.storage import Storage

RECEIPT = "receipt.json"


def merkle_root(store: Storage, folder: str = "dataset", known: Mapping[str, str] | None = None) -> str:
    """Root of the files below `folder`, hex; `known` gives the sha256 of files that need not be read."""
    leaves = []
    for name in sorted(_names(store, folder, "")):
        if name != RECEIPT:
            digest = (known or {}).get(name) or hashlib.sha256(
                store.read_bytes(f"{folder}/{name}".lstrip("/"))
            ).hexdigest()
            leaves.append((name, digest))
    return root_of(leaves)


def dataset_root(store: Storage) -> str | None:
    """The Merkle root of a run's dataset; by the digests of its receipt, so that no shard is read for it."""
    receipt = store.read_record(DATASET_RECEIPT)
    return merkle_root(store, known=receipt.get("sha256")) if receipt else None


def root_of(files: Iterable[tuple[str, str]]) -> str:
    """Root of files given by name and hex sha256, in the order of their names; of none, the hash of nothing."""
    level = [hashlib.sha256(name.encode() + b"\0" + digest.encode()).digest() for name, digest in files]
    while len(level) > 1:
        pairs = [b"".join(level[at : at + 2]) for at in range(0, len(level), 2)]
        level = [hashlib.sha256(pair).digest() if len(pair) == 64 else pair for pair in pairs]
    return level[0].hex() if level else hashlib.sha256().hexdigest()


def _names(store: Storage, folder: str, below: str) -> Iterator[str]:
    for name, size in store.sizes(f"{folder}/{below}".strip("/")).items():
        if size is None:
            yield from _names(store, folder, f"{below}{name}/")
        else:
            yield f"{below}{name}"
