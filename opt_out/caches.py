"""Takes repositories out of what a run keeps beside its passes: answers of hosts, and scratch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from opt_out.selectors import Selectors
from pipeline.side import CACHE
from pipeline.storage import Storage

SCRATCH = ".scratch"


def erase_from_caches(store: Storage, selectors: Selectors) -> None:
    """Remove the answers that speak of repositories that `selectors` cover, and scratch; what cannot be read goes."""
    for path in _files(store, CACHE):
        try:
            answers = json.loads(store.read_bytes(path))
            left = {key: answer for key, answer in answers.items() if not _speaks_of(selectors, [key, answer])}
        except (ValueError, AttributeError):
            store.remove(path)
            continue
        if len(left) < len(answers):
            store.write_json(path, left)
    store.remove(SCRATCH)


def _files(store: Storage, folder: str) -> Iterator[str]:
    for name, size in store.sizes(folder).items():
        if size is None:
            yield from _files(store, f"{folder}/{name}")
        else:
            yield f"{folder}/{name}"


def _speaks_of(selectors: Selectors, answer: Any) -> bool:
    """Whether the name of a covered repository stands in a key or a field: the one asked for, or a fork's origin."""
    names = pa.array(["/".join(text.rstrip("/").removesuffix(".git").split("/")[-2:]) for text in _texts(answer)])
    table = pa.table({"repo": names.cast(pa.string())})
    return bool(selectors.repositories().covers(table).is_valid().to_numpy().any())


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
