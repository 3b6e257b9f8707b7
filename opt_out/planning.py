"""Plans a removal: reads a run, writes nothing, and knows afterwards what every file is going to lose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from opt_out.erasers import COPY, Erasers, Judgement
from opt_out.figures import Measures, figures_without
from opt_out.journal import Plan
from opt_out.ledger import Request
from opt_out.merkle import dataset_root
from opt_out.removal import NAMES, Removal
from opt_out.selectors import Selector, Selectors
from opt_out.stage import OptOut
from opt_out.trace import contents_of, find_documents, find_places, reach_of
from pipeline.layout import PassFolder, Receipt
from pipeline.side import Executor
from pipeline.state import PassRun, Run
from pipeline.storage import Storage

COUNTED = ("language", "text", "size", "input_ids", "bytes")  # columns that figures are made of
COMMON = 8  # owners with a copy from which on a file is nobody's own
NO_IDS = pa.array([], pa.string())


def make_plan(
    run: Run,
    requests: Mapping[str, Request],
    times: Mapping[str, str],
    head: Mapping[str, Any],
    erasers: Erasers,
    executor: Executor,
) -> tuple[Plan, Mapping[str, pa.Table]]:
    """What removing all that `requests` (by id) ask for means in this run, and the edge tables it replaces.

    `times` says for each request when its removal began, by the ledger.
    """
    selectors = [selector for request in requests.values() for selector in request.selectors]
    found = find_documents(run.store, selectors, executor)
    ids = found["id"].combine_chunks()
    copies = erasers.copies(run, ids, executor) if len(ids) else COPY.empty_table()
    each: dict[str, Removal] = {}
    known: dict[str, dict[str, Any]] = {}
    concerned = _concerned(run, found)
    for name, request in requests.items():
        known[name] = {"time": times[name], "documents": [], "repositories": [], "copies": []}
        if not any(concerned(selector) for selector in request.selectors):
            continue
        wanted = Selectors.of(request.selectors)
        rows = found.filter(wanted.covers(found).is_valid())
        own = rows["id"].combine_chunks()
        theirs = copies.filter(pc.is_in(copies["of"], value_set=own))
        taken = _taken(theirs)["id"].combine_chunks() if request.copies else NO_IDS
        each[name] = Removal(wanted, pa.concat_arrays([own, taken]).unique())
        known[name] |= {
            "documents": own.to_pylist(),
            "repositories": pc.unique(rows["repo"]).to_pylist(),
            "copies": theirs.to_pylist(),
        }
    everything = pa.concat_arrays([NO_IDS, *(one.ids for one in each.values())]).unique()
    gone = set(everything.to_pylist())
    contents = contents_of(run.store, sorted(gone - set(ids.to_pylist())), executor)
    for one in known.values():
        one["copies"] = [
            {**copy, "action": "removed", "blob": contents.get(copy["id"])} if copy["id"] in gone else copy
            for copy in one["copies"]
        ]
    removal = Removal(Selectors.of(selectors), everything)
    named = [one for one in selectors if one.target not in ("author", "content")]  # these are found by now
    reach = reach_of([*named, *_repositories_of(found), *_repositories_of(copies)])
    places = find_places(run.store, removal, reach, each, executor)
    again = erasers.judge_again(run, everything, executor) if len(everything) else None
    plan = Plan(
        head=head,
        requests=known,
        selectors=[[one.target, one.value, sorted(one.kinds)] for one in selectors],
        places=places,
        figures=_all_figures(run, removal, {place.file for place in places}, again),
        stale=_stale(run),
        merkle_root=dataset_root(run.store),
        opted_out=_repositories(run, removal),
        again=sorted(again.edges) if again else [],
        again_from=again.first_pass if again else 0,
        ids=everything,
    )
    return plan, again.edges if again else {}


def _repositories_of(documents: pa.Table) -> Iterator[Selector]:
    """The repositories that hold documents."""
    for repo in pc.unique(pc.ascii_lower(documents["repo"])).to_pylist():
        yield Selector("repository", repo)


def _taken(copies: pa.Table) -> pa.Table:
    """The copies that a request for copies takes out: not those of what is common property.

    What stands with many owners (a licence text, a vendored library) is no copy of the requester's work, or not of
    theirs alone, and taking it from all of them would be too wide.
    """
    owners = pc.list_element(pc.split_pattern(pc.ascii_lower(copies["repo"]), "/", max_splits=1), 0)
    spread = pa.table({"of": copies["of"], "owner": owners}).group_by("of").aggregate([("owner", "count_distinct")])
    common = spread.filter(pc.greater(spread["owner_count_distinct"], COMMON))["of"].combine_chunks()
    return copies.filter(pc.invert(pc.is_in(copies["of"], value_set=common)))


def _concerned(run: Run, found: pa.Table) -> Callable[[Selector], bool]:
    """Tells selectors apart that cannot concern this run, of many thousands: by owner, or by content."""
    names = pa.concat_arrays([run.repositories["repo"].combine_chunks(), found["repo"].combine_chunks()])
    owners = set(pc.list_element(pc.split_pattern(pc.ascii_lower(names), "/", max_splits=1), 0).to_pylist())
    contents = set(found["blob"].to_pylist())

    def concerned(selector: Selector) -> bool:
        if selector.target == "content":
            return selector.value in contents
        return selector.target == "author" or selector.value.partition("/")[0].lower() in owners

    return concerned


def opt_out_stage(run: Run) -> str | None:
    """The name of the stage by which the intake leaves repositories out; None where it has none."""
    first = run.passes[0].part
    if "path" in first.stages[0].stage.takes.names or first.opener.source:
        return None
    return next((named.name for named in first.stages if isinstance(named.stage, OptOut)), None)


def _repositories(run: Run, removal: Removal) -> dict[str, list[list[str]]]:
    """By shard of the intake, the repositories that go, whatever was decided about them before."""
    this, found = run.passes[0], dict[str, list[list[str]]]()
    if opt_out_stage(run) is None:
        return found
    for shard, receipt in sorted(this.receipts.items()):
        rows: dict[str, list[str]] = {}
        for what in ("decisions", "documents"):
            table = run.store.read_table(receipt[what]["path"])
            by = removal.selectors.repositories().covers(table)
            going = table.append_column("selector", by).filter(pa.array(removal.rows(table)))
            rows |= {row["id"]: [row["id"], row["repo"], row["selector"]] for row in going.to_pylist()}
        if rows:
            found[shard] = [rows[name] for name in sorted(rows)]
    return found


def is_again(number: int, shard: str, again_from: int, again: Iterable[str]) -> bool:
    """Whether pass `number` judges this shard once more, instead of losing rows."""
    return number >= again_from and shard in again


def source_file(run: Run, number: int, shard: str) -> str | None:
    """The table that pass `number` reads for a shard: of the pass before, or its own plan."""
    this = run.passes[number]
    if this.part.opener.source:
        return f"{this.folder.path}/side/{this.part.opener.source}/{shard}.parquet"
    return run.input_paths(number).get(shard)


def _stale(run: Run) -> list[str]:
    """Receipts, and records of preparations, that do not hold."""
    stale: list[str] = []
    for number, this in enumerate(run.passes):
        inputs = run.inputs(number)
        if this.prepared is not None and not this.is_prepared(inputs):
            stale.append(f"{this.folder.path}/prepared.json")
        stale.extend(receipt_file(this.folder, shard) for shard in sorted(this.receipts.keys() - this.valid(inputs)))
    return stale


def receipt_file(folder: PassFolder, shard: str) -> str:
    """Where a shard's receipt stands."""
    return f"{folder.path}/receipts/{shard}.json"


def _all_figures(run: Run, removal: Removal, touched: set[str], again: Judgement | None) -> dict[str, Measures]:
    """New figures for each receipt whose shard loses rows; the intake's are counted when its rows are moved."""
    figures: dict[str, Measures] = {}
    for number, this in enumerate(run.passes):
        for shard, receipt in sorted(this.receipts.items()):
            files = {source_file(run, number, shard), *(receipt[what]["path"] for what in FILES if what in receipt)}
            if number and files & touched and not (again and is_again(number, shard, again.first_pass, again.edges)):
                figures[receipt_file(this.folder, shard)] = _figures(run, number, receipt, removal)
    return figures


FILES = ("documents", "decisions", "dropped")


def _figures(run: Run, number: int, receipt: Receipt, removal: Removal) -> Measures:
    this, store = run.passes[number], run.store
    given = _going(store, source_file(run, number, receipt["shard"]), removal)
    if given is None:  # it was discarded: what the rows were when they came in is not known any more
        measures: Measures = receipt["stages"]
        return measures
    dropped = _going(store, receipt["dropped"]["path"], removal) if "dropped" in receipt else None
    decisions = store.read_table(receipt["decisions"]["path"], ["id", "repo", "path", "stage", "action", "reason"])
    decisions = decisions.filter(pa.array(removal.rows(decisions)))
    kept = _going(store, receipt["documents"]["path"], removal)
    return figures_without(
        receipt["stages"], given, decisions, dropped, given.slice(0, 0) if kept is None else kept, _text_writers(this)
    )


def _going(store: Storage, file: str | None, removal: Removal) -> pa.Table | None:
    """The rows of a table that go, with the columns that figures need; None where it is not there."""
    if file is None or not store.exists(file):
        return None
    names = [name for name in store.read_schema(file).names if name in NAMES or name in COUNTED]
    table = store.read_table(file, names)
    return table.filter(pa.array(removal.rows(table)))


def _text_writers(this: PassRun) -> Sequence[str]:
    """The stages that change how many bytes a row stands for."""
    return [
        named.name
        for named in this.part.stages
        if "text" in named.stage.writes or not named.stage.gives.equals(named.stage.takes)
    ]
