"""Where a run keeps what: folders of passes, receipts, the lock. Knows names and files, computes nothing.

00-repositories-DIGEST/documents/00000.parquet     the repository list as it was read
NN-PASS-FINGERPRINT/{documents,decisions}/00000.parquet, receipts/00000.json (written last), side/, prepared.json
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.fingerprint import digest_bytes
from pipeline.side import Side, Worker
from pipeline.storage import Storage

Receipt = dict[str, Any]
RECEIPT_KEYS = ("pass", "shard", "fingerprint", "input", "corpus", "documents", "decisions", "stages", "peak_memory")
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

    def side(self, worker: Worker, shard: str | None = None) -> Side:
        return Side(self.store, f"{self.path}/side", scratch_of(self.store, self.path), worker, shard)

    def write_receipt(self, receipt: Receipt) -> None:
        self.store.write_json(f"{self.path}/receipts/{receipt['shard']}.json", receipt)

    def receipts(self) -> dict[str, Receipt]:
        """The receipts whose files are there, by shard: a damaged one, or one without its files, proves nothing."""
        found = {}
        for name in self.store.names(f"{self.path}/receipts"):
            if not name.endswith(".json"):
                continue
            receipt = self.store.read_record(f"{self.path}/receipts/{name}", *RECEIPT_KEYS)
            if receipt and all(self._is_there(receipt[what]) for what in ("documents", "decisions")):
                found[receipt["shard"]] = receipt
        return found

    def _is_there(self, file: Mapping[str, Any]) -> bool:
        return bool(file.get("discarded")) or self.store.size(file["path"]) == file["bytes"]

    def prepared(self) -> Mapping[str, Any] | None:
        """What `prepare` left: the shards it planned, if it plans any; None where it has not ended."""
        return self.store.read_record(f"{self.path}/prepared.json", *PREPARED_KEYS)

    def write_prepared(self, content: Mapping[str, Any]) -> None:
        self.store.write_json(f"{self.path}/prepared.json", content)

    def planned(self, source: str) -> dict[str, str]:
        """Shards of the side table `source`, with the digests of their files."""
        folder = f"{self.path}/side/{source}"
        return {
            name.removesuffix(".parquet"): digest_bytes(self.store.read_bytes(f"{folder}/{name}"))
            for name in self.store.names(folder)
            if name.endswith(".parquet")
        }


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


@contextmanager
def locked(store: Storage) -> Iterator[None]:
    """Hold the run for this process; UsageError where another process holds it. A killed holder's lock is free."""
    path = store.full(".lock")
    if not store.local:
        run = hashlib.blake2b(store.root.encode(), digest_size=8).hexdigest()
        path = os.path.join(tempfile.gettempdir(), f"quarry-{run}.lock")
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise UsageError(f"cannot write to '{store.root}' ({error.strerror}); choose another --out.") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise UsageError(
            f"another process is working on '{store.root}'; wait for it, or choose another --out."
        ) from None
    try:
        yield
    finally:
        os.close(handle)
