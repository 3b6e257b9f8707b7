"""What stages do when documents are taken out of a finished run: name the copies, judge again who was dropped for them.

The counts that deduplication left are counted anew, and the dataset's papers written anew.
"""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc

from opt_out.erasers import COPY, Judgement
from pipeline import schema
from pipeline.manifest import DATASET_RECEIPT
from pipeline.side import Executor
from pipeline.state import Run
from stages.deduplicate import Deduplicate
from stages.near_duplicates import re_election
from stages.publish import PAPERS, publish

COUNTS = "side/counts.json"
REASONS = schema.needs(schema.EDGE, "reason")


def copies(run: Run, removed: pa.Array, executor: Executor) -> pa.Table:
    """Verified copies of `removed` documents elsewhere in the run, as COPY."""
    number = _deduplicating(run)
    if number is None:
        return COPY.empty_table()
    this = run.passes[number]
    stage, side = this.part.opener, f"{this.folder.path}/side"
    assert isinstance(stage, Deduplicate)
    found = re_election.copies(
        run.store, run.input_paths(number), side, removed, executor, stage.ngram, stage.threshold
    )
    action = pc.if_else(pc.equal(found["relation"], "dropped_for_it"), "judged_again", "left")
    return found.append_column("action", action).select(COPY.names).cast(COPY)


def judge_again(run: Run, removed: pa.Array, executor: Executor) -> Judgement | None:
    """New edge tables for the shards whose documents were dropped for one of `removed`."""
    number = _deduplicating(run)
    if number is None:
        return _interrupted(run)
    stage = run.passes[number].part.opener
    assert isinstance(stage, Deduplicate)
    side = f"{run.passes[number].folder.path}/side"
    edges = re_election.re_elect(stage, run.store, run.input_paths(number), side, removed, executor)
    return Judgement(number, edges) if edges else None


def _interrupted(run: Run) -> Judgement | None:
    """A pass that has compared documents and not judged all: it compares again, without those that go."""
    for number, this in enumerate(run.passes):
        if isinstance(this.part.opener, Deduplicate) and this.prepared and not this.is_complete(run.inputs(number)):
            return Judgement(number, {}, prepare_again=True)
    return None


def recount(run: Run) -> None:
    """Bring the numbers of documents in counts.json in line with the tables; how pairs were found stays history."""
    for this in run.passes:
        path = f"{this.folder.path}/{COUNTS}"
        counts = run.store.read_record(path, "documents", "kept")
        if counts is None:
            continue
        held = set(run.store.names(f"{this.folder.path}/side/edge"))
        edges = [
            run.store.read_table(f"{this.folder.path}/side/edge/{shard}.parquet", ["reason"])
            for shard in this.receipts
            if f"{shard}.parquet" in held
        ]
        reasons = {
            row["values"]: row["counts"]
            for row in pa.concat_tables([REASONS.empty_table(), *edges])["reason"].value_counts().to_pylist()
        }
        documents = sum(receipt["stages"][0]["documents_in"] for receipt in this.receipts.values())
        fresh = counts | {
            "documents": documents,
            "kept": documents - sum(reasons.values()),
            "copies_of_opted_out": reasons.get("copy_of_opted_out", 0),
            "exact_duplicates": reasons.get("exact_duplicate", 0),
            "near_duplicates": reasons.get("near_duplicate", 0),
        }
        if fresh != counts:
            run.store.write_bytes(path, f"{json.dumps(fresh, sort_keys=True, separators=(',', ':'))}\n".encode())


def renew_papers(run: Run) -> None:
    """Write the dataset's papers anew; of a run that is not complete they go, and its next execution writes them."""
    if all(this.is_complete(run.inputs(number)) for number, this in enumerate(run.passes)):
        publish(run)
        return
    for name in (DATASET_RECEIPT, *(f"dataset/{paper}" for paper in PAPERS)):
        run.store.remove(name)


def _deduplicating(run: Run) -> int | None:
    """The one pass that opens with deduplicate, as long as it is complete and what it read still stands."""
    found = [n for n, this in enumerate(run.passes) if isinstance(this.part.opener, Deduplicate)]
    if len(found) != 1 or not run.passes[found[0]].is_complete(run.inputs(found[0])):
        return None
    before = run.passes[found[0] - 1].receipts.values()
    return None if any(receipt["documents"].get("discarded") for receipt in before) else found[0]
