"""Plans a removal: reads a run, writes nothing, and knows afterwards what every file is going to lose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from opt_out.erasers import Erasers, Judgement
from opt_out.evidence import Evidence
from opt_out.figures import Measures, figures_without
from opt_out.found_copies import all_copies, common, told
from opt_out.journal import Plan
from opt_out.ledger import Request
from opt_out.merkle import dataset_root
from opt_out.removal import NAMES, Removal
from opt_out.selectors import Selector, Selectors
from opt_out.stage import OptOut
from opt_out.trace import contents_of, find_cited, find_documents, find_places, reach_of
from pipeline.layout import PassFolder, Receipt
from pipeline.side import Executor
from pipeline.state import PassRun, Run
from pipeline.storage import Storage

COUNTED = ("language", "text", "size", "input_ids", "bytes")  # columns that figures are made of
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
    names = _present_names(run)
    asked = {name: [*request.selectors, *_renamed(request.selectors, names)] for name, request in requests.items()}
    selectors = [selector for wanted in asked.values() for selector in wanted]
    found = find_documents(run.store, selectors, executor)
    ids = found["id"].combine_chunks()
    wants_copies = any(request.copies for request in requests.values())
    copies = all_copies(run, found, erasers, executor, by_content=wants_copies)
    each: dict[str, Removal] = {}
    known: dict[str, dict[str, Any]] = {}
    concerned = _concerned(run, found)
    for name, request in requests.items():
        more = [str(selector) for selector in asked[name][len(request.selectors) :]]
        known[name] = {"time": times[name], "documents": [], "repositories": [], "copies": [], "names": more}
        if not any(concerned(selector) for selector in asked[name]):
            continue
        wanted = Selectors.of(asked[name])
        rows = found.filter(wanted.covers(found).is_valid())
        own = rows["id"].combine_chunks()
        theirs = copies.filter(pc.is_in(copies["of"], value_set=own))
        shared = common(theirs)
        taken = NO_IDS
        if request.copies:
            taken = theirs.filter(pc.invert(pc.is_in(theirs["of"], value_set=shared)))["id"].combine_chunks()
        each[name] = Removal(wanted, pa.concat_arrays([own, taken]).unique())
        known[name] |= {
            "documents": own.to_pylist(),
            "repositories": pc.unique(rows["repo"]).to_pylist(),
            "copies": told(theirs, shared if request.copies else NO_IDS),
        }
    everything = pa.concat_arrays([NO_IDS, *(one.ids for one in each.values())]).unique()
    gone = set(everything.to_pylist())
    contents = contents_of(run.store, sorted(gone - set(ids.to_pylist())), executor)
    for one in known.values():
        one["copies"] = [
            {**copy, "action": "removed", "blob": contents.get(copy["id"])} if copy["id"] in gone else copy
            for copy in one["copies"]
        ]
    cited = pa.concat_arrays([everything, find_cited(run.store, selectors, executor), _repository_ids(run, selectors)])
    files = _files_alone(found, Selectors.of(selectors))
    removal = Removal(Selectors.of(selectors), cited.unique(), Evidence.of(files))
    named = [one for one in selectors if one.target not in ("author", "content")]  # these are found by now
    reach = reach_of([*named, *_repositories_of(found), *_repositories_of(copies)])
    places = find_places(run.store, removal, reach, each, executor)
    again = erasers.judge_again(run, removal.ids, executor) if len(removal.ids) else None
    reset = _interrupted(run)
    if again is not None and again.prepare_again:
        reset[run.passes[again.first_pass].folder.path] = []
    plan = Plan(
        head=head,
        requests=known,
        selectors=[[one.target, one.value, sorted(one.kinds)] for one in selectors],
        places=places,
        figures=_all_figures(run, removal, {place.file for place in places}, again),
        stale=_stale(run),
        merkle_root=dataset_root(run.store),
        opted_out=_repositories(run, removal),
        reset=reset,
        files=[[repo, path] for repo, path in files],
        copies_searched=not any(r["documents"].get("discarded") for p in run.passes for r in p.receipts.values()),
        again=sorted(again.edges) if again else [],
        again_from=again.first_pass if again else 0,
        ids=removal.ids,
    )
    return plan, again.edges if again else {}


def _files_alone(found: pa.Table, selectors: Selectors) -> list[tuple[str, str]]:
    """Repository and path of the documents found whose repositories do not go as a whole."""
    alone = found.filter(pc.is_null(selectors.repositories().covers(found.select(["repo"]))))
    return sorted(zip(alone["repo"].to_pylist(), alone["path"].to_pylist(), strict=True))


def _present_names(run: Run) -> dict[str, str]:
    """What a repository was called in the list, lower-case -> what its host calls it now."""
    first = run.passes[0]
    source = first.part.opener.source
    files = [receipt["documents"]["path"] for receipt in first.receipts.values()]
    if source:
        folder = f"{first.folder.path}/side/{source}"
        files += [f"{folder}/{name}" for name in run.store.names(folder) if name.endswith(".parquet")]
    names: dict[str, str] = {}
    for file in files:
        if {"repo", "renamed_from"} <= set(run.store.read_schema(file).names):
            rows = run.store.read_table(file, ["repo", "renamed_from"]).to_pylist()
            names |= {row["renamed_from"].lower(): row["repo"].lower() for row in rows if row["renamed_from"]}
    return names


def _renamed(selectors: Iterable[Selector], names: Mapping[str, str]) -> Iterator[Selector]:
    """The same for repositories that are called otherwise now: a request holds for what its owner called them then."""
    for one in selectors:
        for before, now in names.items():
            if one.target == "owner" and before.partition("/")[0] == one.value:
                yield Selector("repository", now, one.kinds)
            elif one.target == "repository" and before == one.value:
                yield one._replace(value=now)
            elif one.target == "path" and one.value.partition(":")[0] == before:
                yield one._replace(value=f"{now}:{one.value.partition(':')[2]}")


def _repository_ids(run: Run, selectors: Sequence[Selector]) -> pa.Array:
    """Ids of the listed repositories that go as a whole."""
    covered = Selectors.of(selectors).repositories().covers(run.repositories).is_valid()
    return run.repositories.filter(covered)["id"].combine_chunks()


def _interrupted(run: Run) -> dict[str, list[str]]:
    """Passes that hold temporary tables still, with these: they were interrupted, and the tables may hold what goes."""
    found: dict[str, list[str]] = {}
    for this in run.passes:
        temporary = [name for name in this.part.opener.temporary if run.store.exists(f"{this.folder.path}/side/{name}")]
        if temporary:
            found[this.folder.path] = temporary
    return found


def _repositories_of(documents: pa.Table) -> Iterator[Selector]:
    """The repositories that hold documents."""
    for repo in pc.unique(pc.ascii_lower(documents["repo"])).to_pylist():
        yield Selector("repository", repo)


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


def _reads_documents(run: Run) -> bool:
    """Whether the first pass gives documents already, so that the recipe has no intake."""
    return any("path" in named.stage.gives.names for named in run.passes[0].part.stages)


def opt_out_stage(run: Run) -> str | None:
    """The name of the stage by which the intake leaves repositories out; None where it has none."""
    first = run.passes[0].part
    if _reads_documents(run):
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
            if (
                (number or _reads_documents(run))
                and files & touched
                and not (again and is_again(number, shard, again.first_pass, again.edges))
            ):
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
