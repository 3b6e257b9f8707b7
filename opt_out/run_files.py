"""The tables of a run: every Parquet file of every pass, also of older fingerprints, and of the dataset."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.layout import pass_folders
from pipeline.storage import Storage

DATASET = "dataset"
LISTED = "00-repositories-"  # the repository list as it was given: names of repositories, no document


def tables_of(store: Storage) -> list[str]:
    """Paths of the run's Parquet files, sorted, but for the repository list."""
    folders = [name for name in pass_folders(store) if not name.startswith(LISTED)]
    return sorted(path for folder in [*folders, DATASET] for path in _below(store, folder))


def pass_of(path: str) -> str:
    """The folder of the pass that a path is in."""
    return path.partition("/")[0]


def shard_of(path: str) -> str:
    """The shard whose rows a file holds, by its name."""
    return path.rpartition("/")[2].removesuffix(".parquet")


def _below(store: Storage, folder: str) -> Iterator[str]:
    for name, size in store.sizes(folder).items():
        if size is None:
            yield from _below(store, f"{folder}/{name}")
        elif name.endswith(".parquet"):
            yield f"{folder}/{name}"
