"""Brings receipts, records of preparations and the manifest up to what the files hold after a removal.

A receipt holds as long as it names the digest of what it was made from, so a new digest travels from pass to pass.
What did not hold before does not hold afterwards.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pyarrow.compute as pc

from opt_out.figures import Measures
from opt_out.journal import Plan
from opt_out.planning import FILES, receipt_file
from opt_out.rewriting import Intake, Written
from pipeline.layout import PassFolder, Receipt, pass_folders
from pipeline.manifest import restated
from pipeline.run import shard_task
from pipeline.side import Executor
from pipeline.state import PassRun, Run, digest_of
from pipeline.storage import Storage

Files = Mapping[str, Written]
MANIFEST = "manifest.json"


def bring_up_to_date(run: Run, plan: Plan, written: Files, intake: Intake | None, executor: Executor) -> None:
    """Write the receipts of all passes, in order; shards that are judged again are applied between."""
    run.ledger = plan.head
    moved: dict[str, str] = {}  # digest of documents, or of a whole corpus -> the one it has now
    for number, this in enumerate(run.passes):
        this.receipts = {receipt["shard"]: receipt for receipt in this.folder.written_receipts()}
        before = {shard: receipt["documents"]["digest"] for shard, receipt in this.receipts.items()}
        _bring_pass(run, number, plan, written, intake)
        if plan.again and number >= plan.again_from:
            shards = [shard for shard in plan.again if shard in this.receipts]
            for _, receipt in executor.map(shard_task(run, number), shards):
                this.receipts[receipt["shard"]] = receipt
        after = {shard: receipt["documents"]["digest"] for shard, receipt in this.receipts.items()}
        moved |= {before[shard]: after[shard] for shard in before} | {digest_of(before): digest_of(after)}
    current = {this.folder.path for this in run.passes} | {run.list_folder.path}
    for name in pass_folders(run.store):
        if name not in current:
            moved |= _bring_old_folder(PassFolder(run.store, name), plan, written, moved)


def restate(run: Run) -> None:
    """Write what a complete run's manifest says of its contents."""
    manifest = run.store.read_record(MANIFEST, "passes")
    if manifest is not None and len(manifest["passes"]) == len(run.passes):
        run.store.write_json(MANIFEST, restated(manifest, run))


def _bring_pass(run: Run, number: int, plan: Plan, written: Files, intake: Intake | None) -> None:
    this, inputs = run.passes[number], run.inputs(number)
    prepared = f"{this.folder.path}/prepared.json"
    if this.prepared is not None and prepared not in plan.stale:
        corpus, former = digest_of(inputs), [*this.former_corpora, this.prepared["corpus"]]
        content = {**this.prepared, "corpus": corpus, "shards": _planned(this, written)}
        if corpus != this.prepared["corpus"]:  # spares writing the receipts of all shards
            content["former"] = [one for one in dict.fromkeys(former) if one != corpus]
        if content != this.prepared:
            this.folder.write_prepared(content)
        this.prepared = content
    expected = this.expected(inputs)
    for shard, receipt in sorted(this.receipts.items()):
        name = receipt_file(this.folder, shard)
        fresh = _with_files(receipt, written)
        if name in plan.figures:
            fresh["stages"] = plan.figures[name]
        elif intake and intake.folder == this.folder.path and shard in intake.repositories:
            fresh["stages"] = _intake_figures(receipt["stages"], run.store, receipt)
        if name not in plan.stale and shard in expected:
            fresh["input"] = expected[shard]
        _write(this.folder, receipt, fresh, plan)
        this.receipts[shard] = fresh


def _planned(this: PassRun, written: Files) -> dict[str, str] | None:
    """The digests of the plan a pass reads."""
    shards = this.prepared and this.prepared["shards"]
    if shards is None:
        return None
    folder = f"{this.folder.path}/side/{this.part.opener.source}"
    return {shard: _digest(written, f"{folder}/{shard}.parquet", digest) for shard, digest in shards.items()}


def _digest(written: Files, file: str, digest: str) -> str:
    return written[file].digest if file in written else digest


def _with_files(receipt: Receipt, written: Files) -> Receipt:
    """The receipt with rows, bytes and digests of its files as they are now."""
    fresh: dict[str, Any] = copy.deepcopy(receipt)
    for what in FILES:
        one = written.get(fresh.get(what, {}).get("path", ""))
        if one:
            fresh[what] |= {"rows": one.rows, "bytes": one.bytes, "digest": one.digest, "sha256": one.sha256}
    return fresh


def _write(folder: PassFolder, receipt: Receipt, fresh: Receipt, plan: Plan) -> None:
    if fresh != receipt:
        fresh["ledger"] = dict(plan.head)
        folder.write_receipt(fresh)


def _intake_figures(measures: Measures, store: Storage, receipt: Receipt) -> Measures:
    """The figures of an intake, counted anew: what comes in is the same, and every drop is a decision."""
    decisions = store.read_table(receipt["decisions"]["path"], ["stage", "action", "reason"])
    rows, result = measures[0]["documents_in"], copy.deepcopy(measures)
    for measure in result:
        own = decisions.filter(pc.equal(decisions["stage"], measure["stage"])).to_pylist()
        counts: dict[str, dict[str, int]] = {}
        for row in sorted(own, key=lambda row: (row["action"], row["reason"])):
            reasons = counts.setdefault(row["action"], {})
            reasons[row["reason"]] = reasons.get(row["reason"], 0) + 1
        left = rows - sum(counts.get("drop", {}).values())
        measure |= {"documents_in": rows, "documents_out": left, "decisions": counts}
        rows = left
    return result


def _bring_old_folder(folder: PassFolder, plan: Plan, written: Files, moved: Mapping[str, str]) -> dict[str, str]:
    """Receipts of a configuration that is not the present one: their files, and what they were made from.

    Returns the digests of its documents that changed, old to new.
    """
    changed: dict[str, str] = {}
    for receipt in folder.written_receipts():
        fresh = _with_files(receipt, written)
        fresh |= {what: moved.get(receipt[what], receipt[what]) for what in ("input", "corpus")}
        _write(folder, receipt, fresh, plan)
        changed[receipt["documents"]["digest"]] = fresh["documents"]["digest"]
    prepared = folder.prepared()
    if prepared is not None:
        content = {**prepared, "corpus": moved.get(prepared["corpus"], prepared["corpus"])}
        if content != prepared:
            folder.write_prepared(content)
    return changed
