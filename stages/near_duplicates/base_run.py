"""Another run whose published documents are in the dataset already: new documents are judged against them.

Of the base run only files are read: the signatures of its deduplicate stage by document id, which documents came out of
its last pass, and a text where a pair has to be verified. What was redacted since is compared as it stands now.
Documents that are not published any more count where their owners asked for copies to be removed too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opt_out.requests import OptOuts
from pipeline.errors import UsageError
from pipeline.storage import Storage


@dataclass(frozen=True)
class BaseRun:
    """A completed run's deduplicate pass, and what came of its documents."""

    store: Storage
    shards: tuple[str, ...]
    signatures: str  # folder
    texts: str  # folder of documents as its deduplicate stage read them, or as its pass left them
    published: dict[str, str]  # shard -> file of the documents that came out of the last pass
    copies_of: OptOuts | None  # whose documents are compared although they are not published

    def signature(self, number: int, columns: list[str]) -> pa.Table:
        """These columns of the signatures of shard `number`."""
        return self.store.read_table(f"{self.signatures}/{self.shards[number]}.parquet", columns)

    def is_published(self, number: int) -> np.ndarray:
        """Which rows of a shard's signatures belong to published documents."""
        ids = self.signature(number, ["id"])["id"]
        published = self.store.read_table(self.published[self.shards[number]], ["id"])["id"]
        return pc.is_in(ids, value_set=published.combine_chunks()).to_numpy()

    def compared(self, number: int) -> np.ndarray:
        """Which rows of a shard's signatures new documents are compared with."""
        published = self.is_published(number)
        if self.copies_of is None:
            return published
        rows = np.arange(len(published))
        covered = self.copies_of.covers(self.read(number, rows, ["repo"])["repo"])
        return published | covered.is_valid().to_numpy()

    def read(self, number: int, rows: np.ndarray, columns: list[str]) -> pa.Table:
        """These columns of the documents in some rows of a shard's signatures; null where a document is gone."""
        ids = self.signature(number, ["id"])["id"].take(pa.array(rows))
        named = ["id", *(name for name in columns if name != "id")]
        table = self.store.read_table(f"{self.texts}/{self.shards[number]}.parquet", named)
        found = table.take(pc.index_in(ids, value_set=table["id"].combine_chunks()))
        return found.set_column(0, "id", ids).select(columns)


def open_base(path: str, settings: dict[str, Any], copies_of: OptOuts | None) -> BaseRun:
    """The run in directory `path`; UsageError where it is not complete, or its signatures are of other `settings`."""
    store = Storage(path)
    manifest = store.read_record("manifest.json", "passes")
    if manifest is None:
        raise UsageError(f"base '{path}' holds no complete run; run it to its end, or name another.")
    passes = manifest["passes"]
    opened = [number for number, part in enumerate(passes) if part["identity"][0]["class"] == "Deduplicate"]
    if len(opened) != 1:
        raise UsageError(f"base '{path}' has {len(opened)} passes that open with 'deduplicate'; it needs one.")
    this, before, last = passes[opened[0]], passes[opened[0] - 1], passes[-1]
    made = this["identity"][0]["fields"] | {"revision": this["identity"][0]["revision"]}
    for name, value in settings.items():
        if made.get(name) != value:
            raise UsageError(
                f"base '{path}' has signatures of another kind ({name} {made.get(name)}, here {value}); set {name} "
                "alike, or run the base again."
            )
    shards = tuple(sorted(this["shards"]))
    if set(last["shards"]) != set(shards):
        raise UsageError(f"base '{path}' packs its documents anew after 'deduplicate'; a base must not.")

    def holds(folder: str) -> bool:
        return set(store.names(folder)) >= {f"{shard}.parquet" for shard in shards}

    signatures, read, left = f"{this['folder']}/side/signature", *(f"{p['folder']}/documents" for p in (before, this))
    whole = holds(read)
    if not holds(signatures) or not (whole or holds(left)):
        raise UsageError(f"base '{path}' lost signatures or documents of its pass '{this['name']}'; run it again.")
    if copies_of is not None and not whole:
        raise UsageError(
            f"base '{path}' has discarded what its pass '{this['name']}' read, so copies of removed documents cannot "
            "be found; run it again without --discard-intermediate, or leave copies_of out."
        )
    published = {}
    for shard in shards:
        receipt = store.read_record(f"{last['folder']}/receipts/{shard}.json", "documents")
        if receipt is None or receipt["documents"].get("discarded"):
            raise UsageError(f"base '{path}' lost the documents of shard {shard}; run it again.")
        published[shard] = receipt["documents"]["path"]
    return BaseRun(store, shards, signatures, read if whole else left, published, copies_of)
