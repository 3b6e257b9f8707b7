"""Takes repositories out of what a run keeps beside its passes: answers of hosts, and scratch."""

from __future__ import annotations

import json

import pyarrow as pa

from opt_out.selectors import Selectors
from pipeline.side import CACHE
from pipeline.storage import Storage

SCRATCH = ".scratch"


def erase_from_caches(store: Storage, selectors: Selectors) -> None:
    """Remove the answers about repositories that `selectors` cover, and scratch; a cache that cannot be read goes."""
    for name in store.names(CACHE):
        path = f"{CACHE}/{name}"
        try:
            answers = json.loads(store.read_bytes(path))
            repositories = pa.table({"repo": [_name_of(key) for key in answers]}, schema=REPO)
        except (ValueError, TypeError):
            store.remove(path)
            continue
        covered = selectors.repositories().covers(repositories).is_valid().to_pylist()
        left = {key: answers[key] for key, gone in zip(answers, covered, strict=True) if not gone}
        if len(left) < len(answers):
            store.write_json(path, left)
    store.remove(SCRATCH)


REPO = pa.schema([("repo", pa.string())])


def _name_of(repository: str) -> str:
    """owner/name of a repository's id or address."""
    return "/".join(repository.rstrip("/").removesuffix(".git").split("/")[-2:])
