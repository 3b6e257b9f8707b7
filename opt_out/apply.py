"""Takes what opt-out requests cover out of a finished run: out of every file of every pass, shard by shard.

Only files that hold a row of it, or cite one, are written; each at once, by its old bytes or its new ones. Receipts,
manifest and papers follow, so that the run is complete afterwards, as if the rows had never come in. What preparing
stages learned from the whole corpus (a tokenizer) stays as it is. A journal lets an interrupted removal go on
(opt_out/journal.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opt_out.caches import erase_from_caches
from opt_out.erasers import Erasers
from opt_out.journal import FOLDER, Plan, edge_file
from opt_out.ledger import Request
from opt_out.merkle import dataset_root
from opt_out.planning import make_plan, opt_out_stage
from opt_out.records import bring_up_to_date, restate
from opt_out.rewriting import Intake, Rewrite, Written
from opt_out.trace import sha256
from pipeline.recipe import recipe_name
from pipeline.side import Executor
from pipeline.state import Run
from pipeline.storage import Storage

HONOURED = "honoured.json"  # the head of the ledger up to which a run honours requests

Record = dict[str, Any]


def remove(
    store: Storage,
    requests: Mapping[str, Request],
    times: Mapping[str, str],
    head: Mapping[str, Any],
    erasers: Erasers,
    executor: Executor,
) -> dict[str, Record]:
    """Remove what `requests` ask for from the run in `store`, whose lock is held; what was done for each, by its id.

    The journal stays, so that nothing of the report is lost before the ledger has it; then `forget_journal`. One that
    stands there already was to be finished first (`go_on`). Raises RunFailed where a file cannot be read or written.
    """
    store.remove_unfinished()  # half a file may hold what goes
    store.remove(FOLDER)
    plan, edges = make_plan(erasers.load(store.root), requests, times, head, erasers, executor)
    plan.save(store, edges)
    return _carry_out(store, plan, erasers, executor)


def go_on(store: Storage, erasers: Erasers, executor: Executor) -> dict[str, Record] | None:
    """Finish what an interrupted removal left in the run: its records; None where nothing was interrupted."""
    plan = Plan.load(store)
    if plan is None:
        return None
    store.remove_unfinished()
    return _carry_out(store, plan, erasers, executor)


def forget_journal(store: Storage) -> None:
    """The ledger has the report of a removal: ids need not stand in the run any longer."""
    store.remove(FOLDER)


def _carry_out(store: Storage, plan: Plan, erasers: Erasers, executor: Executor) -> dict[str, Record]:
    """Do what is planned; what was done before an interruption is found done."""
    written: dict[str, Written] = {}
    if plan.places or plan.reset:
        run = erasers.load(store.root)
        intake, replaced = _intake(run, plan), _replaced(run, plan)
        heaviest_first = sorted(plan.places, key=lambda place: (-place.rows, place.file))
        files = dict.fromkeys([*(place.file for place in heaviest_first), *replaced, *_intake_files(run, plan)])
        for _, one in executor.map(Rewrite(store, plan.removal, intake, replaced), files):
            written[one.file] = one
        bring_up_to_date(run, plan, written, intake, executor)
        _reset(store, plan)
        erasers.renew(erasers.load(store.root))
        restate(erasers.load(store.root))
    erase_from_caches(store, plan.removal.selectors)
    records = {name: _record(store, plan, name, written) for name in plan.requests}
    store.write_json(HONOURED, dict(plan.head))
    return records


def _reset(store: Storage, plan: Plan) -> None:
    """Let passes prepare again that were interrupted, and hold what goes in a form of their own."""
    for folder, temporary in plan.reset.items():
        for name in ("prepared.json", "receipts", *(f"side/{table}" for table in temporary)):
            store.remove(f"{folder}/{name}")


def _intake(run: Run, plan: Plan) -> Intake | None:
    stage = opt_out_stage(run)
    return Intake(run.passes[0].folder.path, stage, plan.opted_out) if stage and plan.opted_out else None


def _intake_files(run: Run, plan: Plan) -> list[str]:
    """Where it is said of repositories that they are opted out."""
    folder = run.passes[0].folder  # not its receipts, which an interruption may have left without their files
    files = [file for shard in plan.opted_out for file in (folder.decisions(shard), folder.dropped(shard))]
    return [file for file in files if run.store.exists(file)]


def _replaced(run: Run, plan: Plan) -> dict[str, str]:
    """The edge tables that are replaced as a whole, since other documents stay in place of removed ones."""
    if not plan.again:
        return {}
    folder = run.passes[plan.again_from].folder.path
    return {f"{folder}/side/edge/{shard}.parquet": edge_file(shard) for shard in plan.again}


def _record(store: Storage, plan: Plan, request: str, written: Mapping[str, Written]) -> Record:
    """What the ledger and the certificate say of one request in this run."""
    known = plan.requests[request]
    touched = [place for place in plan.places if place.requests.get(request)]
    return {
        "run": store.root,
        "name": recipe_name(store.full("recipe.yaml")),
        "time": known["time"],
        "found": {"documents": len(known["documents"]), "repositories": len(known["repositories"])},
        "shards": [
            {
                "file": place.file,
                "rows_removed": place.requests[request],
                "before": place.digest,
                "after": sha256(store.read_bytes(place.file)) if store.exists(place.file) else None,
            }
            for place in touched
        ],
        "ids": known["documents"],
        "copies": known["copies"],
        "copies_searched": plan.copies_searched,
        "names": known["names"],
        "checkpoints": _checkpoints(store),
        "merkle_root": {"before": plan.merkle_root, "after": dataset_root(store)},
    }


def _checkpoints(store: Storage) -> list[dict[str, Any]]:
    """Trainings that stand in the run: what they learned cannot be taken out of them."""
    found = []
    for name in store.names("checkpoints"):
        summary = store.read_record(f"checkpoints/{name}/training.json")
        if summary is not None:
            found.append({"folder": f"checkpoints/{name}", "dataset": summary.get("dataset")})
    return found
