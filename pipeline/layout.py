"""Where a run keeps what: folders of passes, receipts, scratch. Knows names and files, computes nothing.

00-repositories-DIGEST/documents/00000.parquet     the repository list as it was read
NN-PASS-FINGERPRINT/{documents,decisions,dropped}/00000.parquet, receipts/00000.json (written last)
NN-PASS-FINGERPRINT/side/, prepared.json
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.fingerprint import digest_bytes
from pipeline.side import Side, Worker
from pipeline.storage import Storage

Receipt = dict[str, Any]
RECEIPT_KEYS = ("pass", "shard", "fingerprint", "input", "corpus", "documents", "decisions", "stages", "peak_memory")
FILES = ("documents", "decisions", "dropped")  # of a shard; receipts of older runs know no `dropped`
PREPARED_KEYS = ("stage", "seconds", "corpus", "shards", "retry")


@dataclass(frozen=True)
class PassFolder:
    """The files of one pass of one fingerprint."""

    store: Storage
    path: str  # relative to the run, such as 03-filter-0123456789ab

    def documents(self, shard: str) -> str:
        return f"{self.path}/documents/{shard}.parquet"

    def decisions(self, shard: str) -> str:
        return f"{self.path}/decisions/{shard}.parquet"

    def dropped(self, shard: str) -> str:
        return f"{self.path}/dropped/{shard}.parquet"

    def side(self, worker: Worker, shard: str | None = None) -> Side:
        return Side(self.store, f"{self.path}/side", scratch_of(self.store, self.path), worker, shard)

    def write_receipt(self, receipt: Receipt) -> None:
        self.store.write_json(f"{self.path}/receipts/{receipt['shard']}.json", receipt)

    def receipts(self) -> dict[str, Receipt]:
        """The receipts whose files are there, by shard: one without its files proves nothing."""
        receipts = self.written_receipts()
        files = [receipt[what] for receipt in receipts for what in FILES if what in receipt]
        folders = sorted({file["path"].rpartition("/")[0] for file in files if not file.get("discarded")})
        sizes = {f"{folder}/{name}": size for folder in folders for name, size in self.store.sizes(folder).items()}

        def is_there(file: Mapping[str, Any]) -> bool:
            return bool(file.get("discarded")) or sizes.get(file["path"]) == file["bytes"]

        return {r["shard"]: r for r in receipts if all(is_there(r[what]) for what in FILES if what in r)}

    def written_receipts(self) -> list[Receipt]:
        """All receipts but damaged ones, by shard; their files may be gone, or others."""
        paths = [f"{self.path}/receipts/{n}" for n in self.store.names(f"{self.path}/receipts") if n.endswith(".json")]
        records = self.store.each(lambda path: self.store.read_record(path, *RECEIPT_KEYS), paths)
        return [receipt for receipt in records if receipt]

    def prepared(self) -> Mapping[str, Any] | None:
        """What `prepare` left: the shards it planned, if it plans any; None where it has not ended."""
        return self.store.read_record(f"{self.path}/prepared.json", *PREPARED_KEYS)

    def write_prepared(self, content: Mapping[str, Any]) -> None:
        self.store.write_json(f"{self.path}/prepared.json", content)

    def planned(self, source: str) -> dict[str, str]:
        """Shards of the side table `source`, with the digests of their files."""
        folder = f"{self.path}/side/{source}"
        names = [name for name in self.store.names(folder) if name.endswith(".parquet")]
        digests = self.store.each(lambda name: digest_bytes(self.store.read_bytes(f"{folder}/{name}")), names)
        return {name.removesuffix(".parquet"): digest for name, digest in zip(names, digests, strict=True)}


def scratch_of(store: Storage, path: str) -> Path:
    """A local folder for a pass's temporary files: in the run where that is local, else in the system's."""
    if store.local:
        return Path(store.full(f".scratch/{path}"))
    run = hashlib.blake2b(store.root.encode(), digest_size=8).hexdigest()
    return Path(tempfile.gettempdir()) / f"quarry-{run}" / path


def remove_scratch(store: Storage, path: str) -> None:
    folder = scratch_of(store, path)
    shutil.rmtree(folder, ignore_errors=True)
    if folder.parent.is_dir() and not any(folder.parent.iterdir()):
        folder.parent.rmdir()


def pass_folders(store: Storage) -> list[str]:
    """Names of all pass folders of the run, of any fingerprint."""
    return [n for n in store.names() if len(n.split("-")) == 3 and n[:2].isdigit()]
