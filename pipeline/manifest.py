"""The record of a whole run: what made it (code, versions, configuration) and what it holds (digests, counts).

Everything in it comes from the receipts, so the manifest, the report and the dataset card cannot disagree.
"""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.fingerprint import digest_bytes, stage_identity

if TYPE_CHECKING:
    from pipeline.layout import Receipt
    from pipeline.state import PassRun, Run

DATASET_RECEIPT = "dataset/receipt.json"
PACKAGES = ("pyarrow", "numpy", "numba", "ray", "datasketch", "presidio-analyzer", "scancode-toolkit", "tokenizers")


def build_manifest(run: Run) -> dict[str, Any]:
    """The manifest of a completed run, as plain data."""
    return {
        "name": run.recipe.name,
        "quarry": {"version": metadata.version("quarry"), "commit": _git_commit()},
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "recipe": digest_bytes(run.store.read_bytes("recipe.yaml")),
        "repositories": run.repositories.num_rows,
        "repository_list": run.list_folder.path,
        "passes": [
            {
                "name": this.part.name,
                "folder": this.folder.path,
                "fingerprint": this.fingerprint,
                "prepare_seconds": this.prepared["seconds"] if this.prepared else 0.0,
                "identity": [stage_identity(named.name, named.stage) for named in this.part.stages],
                **_held(this),
            }
            for this in run.passes
        ],
        "dataset": dataset_receipt(run),
    }


def restated(manifest: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """The manifest of a run from which documents were taken out since: what it holds is new, what made it stays."""
    passes = [recorded | _held(this) for recorded, this in zip(manifest["passes"], run.passes, strict=True)]
    return {**manifest, "passes": passes, "dataset": dataset_receipt(run)}


def _held(this: PassRun) -> dict[str, Any]:
    """What a pass holds, from its receipts."""
    return {
        "bytes": sum(r["documents"]["bytes"] for r in this.receipts.values()),
        "stages": merge_stages(this.receipts.values()),
        "peak_memory": max((r["peak_memory"] for r in this.receipts.values()), default=0),
        "shards": {
            shard: {what: this.receipts[shard][what]["digest"] for what in ("documents", "decisions")}
            for shard in sorted(this.receipts)
        },
    }


def dataset_receipt(run: Run) -> dict[str, Any] | None:
    """The receipt of `dataset/` where it was made of this run's last pass; None where it is another's, or missing."""
    held = run.store.read_record(DATASET_RECEIPT, "fingerprint", "files", "documents", "digest")
    return held if held and held["fingerprint"] == run.passes[-1].fingerprint else None


def merge_stages(receipts: Iterable[Receipt]) -> list[dict[str, Any]]:
    """The figures of each stage summed over the shards of a pass, in the order of the stages."""
    merged: dict[str, dict[str, Any]] = {}
    for receipt in receipts:
        for measure in receipt["stages"]:
            into = merged.setdefault(measure["stage"], {"stage": measure["stage"]})
            _add(into, {key: value for key, value in measure.items() if key != "stage"})
    return list(merged.values())


def _add(into: dict[str, Any], measure: dict[str, Any]) -> None:
    """Add numbers, lists of numbers and mappings of these, key by key."""
    for key, value in measure.items():
        if isinstance(value, dict):
            _add(into.setdefault(key, {}), value)
        elif isinstance(value, list):
            into[key] = [a + b for a, b in zip(into.get(key, [0] * len(value)), value, strict=True)]
        else:
            into[key] = round(into.get(key, 0) + value, 6)


def _git_commit() -> str | None:
    """The commit of Quarry's own sources; None where they are no checkout."""
    folder = Path(__file__).parent
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return found.stdout.strip() or None
