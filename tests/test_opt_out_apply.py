"""Taking out of finished runs what requests cover: nothing of it is left in any file, and all else is as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from opt_out.ledger import Ledger
from recipes.demo_planted import tool
from tests.command import quarry
from tests.opt_out_run import VERBS, ask, build, complete, copied, own_files


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Repositories, and a run of them that honours an empty ledger."""
    folder = build(tmp_path_factory.mktemp("optout"))
    run = complete(folder)
    assert quarry("report", run).exit_code == 0
    assert len(list((run / "dataset/data").iterdir())) >= 6
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    here = copied(made, tmp_path / "copy")
    complete(here)  # its recipe names the ledger's new place
    return here


def apply(folder: Path, *more: str, run: str = "run") -> Any:
    done = quarry("opt-out", "apply", folder / run, "--ledger", folder / "ledger.sqlite", "--inline", *more)
    assert done.exit_code == 0, done.output
    return done


def dataset(run: Path) -> dict[str, dict[str, Any]]:
    tables = [pq.read_table(path) for path in sorted((run / "dataset/data").glob("*.parquet"))]
    return {row["id"]: row for row in pa.concat_tables(tables).to_pylist()}


def documents_of(run: Path, repo: str, path: str | None = None) -> set[tuple[str, str]]:
    """(id, path) of what was read of a repository."""
    rows = [row for file in run.glob("02-*/documents/*.parquet") for row in pq.read_table(file).to_pylist()]
    return {(row["id"], row["path"]) for row in rows if row["repo"] == repo and path in (None, row["path"])}


def test_a_repository_leaves_no_trace_and_nothing_else_changes(folder: Path) -> None:
    run = folder / "run"
    before, gone = dataset(run), documents_of(run, "owner0/annealer")
    ask(folder, "owner0/annealer")
    apply(folder)
    after = dataset(run)
    assert gone
    assert before.keys() - after.keys() <= {name for name, _ in gone}
    assert all(before[name] == row for name, row in after.items())
    for name, path in gone:
        assert traces(run, name) == []
        assert path == "LICENSE" or traces(run, path) == []
    assert nothing_to_do(folder)


def test_a_path_and_a_content_go_and_their_repositories_stay(folder: Path) -> None:
    run = folder / "run"
    before = dataset(run)
    rows = [row for row in before.values() if row["repo"] == "acme/gadgets"]
    blob = next(row["blob"] for row in before.values() if row["path"] == "carve/carve.py")
    ask(folder, "acme/gadgets:spin/*.py", f"swh:1:cnt:{blob}")
    apply(folder)
    after = dataset(run)
    gone = [row for name, row in before.items() if name not in after]
    assert {(row["repo"], row["path"]) for row in gone} == {
        ("acme/gadgets", "spin/spin.py"),
        *((row["repo"], row["path"]) for row in before.values() if row["blob"] == blob),
    }
    assert len(rows) > 1
    assert {row["repo"] for row in after.values()} == {row["repo"] for row in before.values()}
    for row in gone:
        assert traces(run, row["id"]) == traces(run, row["path"]) == []
    assert nothing_to_do(folder)


def test_an_owner_is_not_another_whose_name_begins_alike(folder: Path) -> None:
    before = dataset(folder / "run")
    ask(folder, "acme")
    apply(folder)
    gone = {row["repo"] for name, row in before.items() if name not in dataset(folder / "run")}
    assert gone <= {"acme/widgets", "acme/gadgets"}
    assert gone
    assert any(row["repo"] == "acme-corp/widgets" for row in dataset(folder / "run").values())


def test_the_intake_says_by_name_that_a_repository_is_opted_out(folder: Path) -> None:
    ask(folder, "acme/gadgets")
    apply(folder)
    told = quarry("why", folder / "run", "acme/gadgets")
    assert told.exit_code == 0
    assert "its owner opted out (the request says 'acme/gadgets')" in told.stdout
    assert quarry("report", folder / "run").exit_code == 0
    status = json.loads(quarry("status", folder / "run", "--json").stdout)["passes"]
    assert all(one["done"] for one in status)
    intake = status[0]
    assert intake["documents_out"] == intake["documents_in"] - 1


def test_what_is_counted_is_what_a_rebuild_counts(folder: Path) -> None:
    """Receipts, summed: every stage's documents, bytes, languages and decisions."""
    ask(folder, "owner1/temperer", "owner0/annealer")
    apply(folder)
    rebuilt = complete(folder, "rebuilt", "--set", f"tokenize.tokenizer={folder}/run/dataset/tokenizer.json")
    assert counted(folder / "run") == counted(rebuilt)


def test_a_rebuild_has_the_same_rows(folder: Path) -> None:
    ask(folder, "acme/widgets", "owner2/plateer")
    apply(folder)
    rebuilt = complete(folder, "rebuilt", "--set", f"tokenize.tokenizer={folder}/run/dataset/tokenizer.json")
    assert dataset(rebuilt) == dataset(folder / "run")
    for repo in ("acme/widgets", "owner2/plateer"):
        assert documents_of(rebuilt, repo) == set()


def test_copies_go_where_they_are_asked_for_and_stay_away(folder: Path) -> None:
    run = folder / "run"
    before = dataset(run)
    copied_to = {"forker/widgets", "vendor/app"}
    ask(folder, "acme/widgets", copies=True)
    done = json.loads(apply(folder, "--json").stdout)
    listed = [copy for records in done.values() for one in records for copy in one["copies"]]
    assert {copy["path"] for copy in listed if copy["action"] == "common"} == {"LICENSE", "third_party/LICENSE"}
    copies = [copy for copy in listed if copy["action"] != "common"]
    assert {copy["repo"] for copy in copies} == copied_to
    assert all(copy["action"] == "removed" and copy["jaccard"] >= 0.7 for copy in copies)
    after = dataset(run)
    assert not any("grind/" in row["path"] or "polish/" in row["path"] for row in after.values())
    assert {row["repo"] for row in after.values()} >= copied_to
    assert all(traces(run, copy["id"]) == [] for copy in copies)
    assert before.keys() > after.keys()
    assert nothing_to_do(folder)
    rebuilt = complete(folder, "rebuilt", "--set", f"tokenize.tokenizer={folder}/run/dataset/tokenizer.json")
    assert dataset(rebuilt) == after
    assert all(traces(rebuilt, copy["id"]) == [] for copy in copies)


def test_copies_stay_where_they_are_not_asked_for_and_are_named(folder: Path) -> None:
    ask(folder, "acme/widgets")
    done = json.loads(apply(folder, "--json").stdout)
    copies = [copy for records in done.values() for one in records for copy in one["copies"]]
    assert {copy["action"] for copy in copies} <= {"left", "judged_again"}
    kept = {row["id"] for row in dataset(folder / "run").values()}
    judged = [copy for copy in copies if copy["action"] == "judged_again"]
    assert any(copy["id"] in kept for copy in judged)


def test_what_stands_with_many_owners_is_not_taken_from_them(tmp_path: Path) -> None:
    licence = tool("common")
    shared = {f"common/{path}": file.data for path, file in licence.items()}
    content = {f"owner{n}/repo": {**own_files(verb), **shared} for n, verb in enumerate(VERBS)}
    folder = build(tmp_path, content)
    run = complete(folder)
    kept = [row for row in dataset(run).values() if row["path"] == "common/common.py"]
    assert len(kept) == 1
    ask(folder, kept[0]["repo"], copies=True)
    apply(folder)
    assert [row["path"] for row in dataset(run).values() if row["path"] == "common/common.py"] == ["common/common.py"]


def test_directories_of_older_fingerprints_are_reached(folder: Path) -> None:
    run = folder / "run"
    complete(folder, "run", "--set", "deduplicate.threshold=0.8")
    assert len(list(run.glob("04-*"))) == 2
    gone = documents_of(run, "owner0/annealer")
    ask(folder, "owner0/annealer")
    apply(folder)
    assert gone
    assert all(traces(run, name) == [] for name, _ in gone)
    assert nothing_to_do(folder, "--set", "deduplicate.threshold=0.8")


def test_a_run_catches_up_with_requests_and_recomputes_nothing(folder: Path) -> None:
    run = folder / "run"
    gone = documents_of(run, "owner0/annealer")
    ask(folder, "owner0/annealer")
    done = quarry("run", folder / "recipe.yaml", "--out", run, "--inline", "--json")
    assert done.exit_code == 0, done.output
    assert (json.loads(done.stdout)["applied"], json.loads(done.stdout)["prepared"]) == (0, 0)
    assert gone
    assert all(traces(run, name) == [] for name, _ in gone)
    assert nothing_to_do(folder)


def test_a_new_run_keeps_no_trace_of_a_path_that_the_gate_stops(folder: Path) -> None:
    ask(folder, "acme/gadgets:spin/")
    fresh = complete(folder, "fresh")
    assert traces(fresh, "spin/spin.py") == []
    assert any(row["repo"] == "acme/gadgets" for row in dataset(fresh).values())
    assert nothing_to_do(folder, run="fresh")


def test_a_withdrawn_request_brings_documents_back(folder: Path) -> None:
    before = dataset(folder / "run")
    request = ask(folder, "owner0/annealer")
    apply(folder)
    assert dataset(folder / "run").keys() < before.keys()
    with Ledger.open(str(folder / "ledger.sqlite")) as ledger:
        ledger.record("withdrawn", request.id, {"because": "a test"})
    complete(folder)
    assert dataset(folder / "run").keys() == before.keys()


def nothing_to_do(folder: Path, *more: str, run: str = "run") -> bool:
    """Whether the run is complete for `quarry run`, which then changes no file."""
    before = {path: path.read_bytes() for path in (folder / run).rglob("*") if path.is_file()}
    again = quarry("run", folder / "recipe.yaml", "--out", folder / run, "--inline", "--json", *more)
    assert again.exit_code == 0, again.output
    figures = json.loads(again.stdout)
    after = {path: path.read_bytes() for path in (folder / run).rglob("*") if path.is_file()}
    return (figures["applied"], figures["prepared"]) == (0, 0) and after == before


def counted(run: Path) -> list[dict[str, Any]]:
    """The figures of every stage over all shards, but for seconds."""
    manifest = json.loads((run / "manifest.json").read_text())
    stages = [stage for part in manifest["passes"] for stage in part["stages"]]
    return [{name: value for name, value in stage.items() if name != "seconds"} for stage in stages]


def traces(run: Path, word: str) -> list[str]:
    """Where a word stands in any file of a run: in text, and in every string of every table."""
    found = []
    for file in sorted(path for path in run.rglob("*") if path.is_file()):
        if file.suffix == ".parquet":
            table = pq.read_table(file)
            for column in table.column_names:
                values = table[column].to_pylist() if pa.types.is_string(table[column].type) else []
                found += [f"{file} {column}" for value in values if value and word in value]
        elif word.encode() in file.read_bytes():
            found.append(str(file))
    return found
