"""Another run whose published documents are in the dataset already: new documents are judged against them.

Of the base run only files are read: the signatures of its deduplicate stage by document id, which documents reached its
dataset, and a text where a pair has to be verified. What was redacted or discarded since is compared as it stands now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import UsageError
from pipeline.storage import Storage


@dataclass(frozen=True)
class BaseRun:
    """A completed run's deduplicate pass and its dataset; shards are named as there."""

    store: Storage
    shards: tuple[str, ...]
    signatures: str  # folder
    texts: str  # folder of documents as its deduplicate stage read them, or as it left them
    published: dict[str, str]  # shard -> file of the documents that reached the dataset

    def signature(self, number: int, columns: list[str]) -> pa.Table:
        return self.store.read_table(f"{self.signatures}/{self.shards[number]}.parquet", columns)

    def compared(self, number: int) -> np.ndarray:
        """Which rows of a shard's signatures belong to published documents."""
        ids = self.signature(number, ["id"])["id"]
        path = self.published.get(self.shards[number])
        if path is None:
            return np.zeros(len(ids), bool)
        return pc.is_in(ids, value_set=self.store.read_table(path, ["id"])["id"].combine_chunks()).to_numpy()

    def read(self, number: int, rows: np.ndarray, columns: list[str]) -> pa.Table:
        ids = self.signature(number, ["id"])["id"].take(pa.array(rows))
        named = ["id", *(name for name in columns if name != "id")]
        table = self.store.read_table(f"{self.texts}/{self.shards[number]}.parquet", named)
        return table.take(pc.index_in(ids, value_set=table["id"].combine_chunks())).select(columns)


def open_base(path: str, settings: dict[str, Any]) -> BaseRun:
    """The run in directory `path`; UsageError where it is not complete, or its signatures are of other `settings`."""
    store = Storage(path)
    manifest = store.read_record("manifest.json", "passes", "dataset")
    if manifest is None or manifest["dataset"] is None:
        raise UsageError(f"base '{path}' holds no complete run; run it to its end, or name another.")
    found = [
        (number, stage)
        for number, part in enumerate(manifest["passes"])
        for stage in part["identity"][:1]
        if stage["class"] == "Deduplicate"
    ]
    if len(found) != 1:
        raise UsageError(f"base '{path}' has {len(found)} passes that open with 'deduplicate', and needs one.")
    number, stage = found[0]
    for name, value in settings.items():
        held = stage["revision"] if name == "revision" else stage["fields"].get(name)
        if held != value:
            raise UsageError(
                f"base '{path}' has signatures of another kind ({name} is {held}, here {value}); set {name} alike, "
                "or run the base again."
            )
    passes, this = manifest["passes"], manifest["passes"][number]
    if any(part["shards"].keys() != this["shards"].keys() for part in passes[number:]):
        raise UsageError(f"base '{path}' packs documents anew after 'deduplicate', which a base must not.")
    shards = tuple(sorted(this["shards"]))
    before = f"{passes[number - 1]['folder']}/documents"
    held = set(store.names(before)) if number else set()
    complete = held >= {f"{shard}.parquet" for shard in shards}
    last = passes[-1]["folder"]
    published = {}
    for shard in shards:
        receipt = store.read_record(f"{last}/receipts/{shard}.json", "documents")
        if receipt:
            published[shard] = receipt["documents"]["path"]
    return BaseRun(
        store,
        shards,
        f"{this['folder']}/side/signature",
        before if complete else f"{this['folder']}/documents",
        published,
    )
