"""Turns a completed run's token shards into `dataset/`, the folder a user uploads; its receipt is written last.

The shards are moved, not copied: one copy is one place to take a document out of. Order of events, so that a crash at
any point is repaired by running again: the receipt goes first, then receipts of other tokenizations that still claim
files in `dataset/` go, then each shard moves and its own receipt follows it, then the papers, then the receipt.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pipeline.fingerprint import digest_bytes
from pipeline.layout import pass_folders
from pipeline.manifest import DATASET_RECEIPT, dataset_receipt
from pipeline.state import PassRun, Run
from pipeline.storage import Storage
from stages.card import attribution, dataset_card
from stages.croissant import croissant
from stages.facts import Facts

TOKENIZER = "tokenizer.json"
PAPERS = ("README.md", "ATTRIBUTION.md", "croissant.json")  # what names and counts documents


def publish(run: Run) -> bool:
    """Write `dataset/` of a completed run whose last pass gives TOKENS; True where there was anything to do."""
    last = run.passes[-1]
    if "input_ids" not in last.part.stages[-1].stage.gives.names or _published(run, last):
        return False
    store = run.store
    store.remove(DATASET_RECEIPT)
    _retire_claims(store, last.folder.path)
    for shard, receipt in sorted(last.receipts.items()):
        target = f"dataset/data/{shard}.parquet"
        if receipt["documents"]["path"] != target:
            store.move(receipt["documents"]["path"], target)
            receipt["documents"]["path"] = target
            last.folder.write_receipt(receipt)
    for name in store.names("dataset/data"):
        if name.removesuffix(".parquet") not in last.receipts:
            store.remove(f"dataset/data/{name}")
    facts = Facts(run)
    papers = {
        TOKENIZER: store.read_bytes(f"{last.folder.path}/side/{TOKENIZER}"),
        "README.md": dataset_card(run, facts).encode(),
        "ATTRIBUTION.md": attribution(facts).encode(),
        "croissant.json": f"{json.dumps(croissant(run, facts), indent=1, ensure_ascii=False)}\n".encode(),
    }
    for name, data in papers.items():
        store.write_bytes(f"dataset/{name}", data)
    store.write_json(DATASET_RECEIPT, _receipt(run, papers))
    return True


def _published(run: Run, last: PassRun) -> bool:
    """Whether `dataset/` holds just the shards of this tokenization and all papers, by its receipt."""
    held = dataset_receipt(run)
    if held is None or held.get("about") != run.recipe.about.model_dump(mode="json"):
        return False
    data = {f"data/{shard}.parquet": receipt["documents"] for shard, receipt in last.receipts.items()}
    return (
        all(f"dataset/{name}" == documents["path"] for name, documents in data.items())
        and held["files"].items() >= {name: documents["digest"] for name, documents in data.items()}.items()
        and {f"data/{name}" for name in run.store.names("dataset/data")} == data.keys()
        and {name for name in held["files"] if "/" not in name} <= set(run.store.names("dataset"))
    )


def _receipt(run: Run, papers: dict[str, bytes]) -> dict[str, Any]:
    """Digests of every file of the dataset, what it holds, and what the papers say by the publisher's word."""
    last = run.passes[-1]
    shards = {f"data/{shard}.parquet": receipt["documents"] for shard, receipt in sorted(last.receipts.items())}
    files = {name: documents["digest"] for name, documents in shards.items()} | {
        name: digest_bytes(data) for name, data in papers.items()
    }
    known = {name: documents["sha256"] for name, documents in shards.items() if "sha256" in documents}
    known |= {name: hashlib.sha256(data).hexdigest() for name, data in papers.items()}
    return {
        "fingerprint": last.fingerprint,
        "about": run.recipe.about.model_dump(mode="json"),
        "documents": sum(documents["rows"] for documents in shards.values()),
        "files": files,
        "sha256": known,
        "digest": digest_bytes("".join(f"{name} {digest}\n" for name, digest in sorted(files.items())).encode()),
    }


def _retire_claims(store: Storage, current: str) -> None:
    """Remove receipts of other fingerprints that name files in `dataset/`: these are about to be overwritten."""
    for folder in pass_folders(store):
        if folder == current:
            continue
        for name in store.names(f"{folder}/receipts"):
            path = f"{folder}/receipts/{name}"
            receipt = store.read_record(path, "documents")
            if receipt is None or receipt["documents"]["path"].startswith("dataset/"):
                store.remove(path)
