"""Removals from runs that were renamed, forked, interrupted, based on others, or asked twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from cli.erasers import RunErasers
from opt_out import apply as applying
from opt_out.honour import honour
from opt_out.keys import make_key
from opt_out.ledger import Ledger
from pipeline.inline import InlineExecutor
from pipeline.storage import Storage
from tests.command import quarry
from tests.github_server import github
from tests.gitrepos import commit_files, served
from tests.killed_run import killed_runs, run_whole
from tests.opt_out_run import RECIPE, ask, build, complete, copied, own_files
from tests.test_opt_out_apply import apply, dataset, nothing_to_do, traces

NAMES = ("acme/widgets", "forker/widgets", "old-name/gears", "z/other")


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run whose host says that one repository is a fork, and that another was renamed."""
    folder = tmp_path_factory.mktemp("hosted")
    verbs = {"acme/widgets": "grind", "forker/widgets": "polish", "new-name/gears": "sift", "z/other": "knit"}
    for name, verb in verbs.items():
        tree: dict[str | bytes, bytes] = {}
        for path, data in own_files(verb).items():
            tree[path] = data
        commit_files(folder / "remotes" / name, tree)
    with served(folder / "remotes") as git, github() as server:
        (folder / "list.txt").write_text("".join(f"{git}/{name}\n" for name in NAMES))
        for name in NAMES:
            if name.startswith("forker"):
                server.add(name, fork=True, parent={"full_name": "acme/widgets"})
            else:
                server.add(name)
        server.rename("old-name/gears", "new-name/gears")
        host = {"host": git.removeprefix("http://"), "api": server.url, "requests_a_minute": 100_000}
        recipe: dict[str, Any] = json.loads(json.dumps(RECIPE | {"repositories": "list.txt"}))
        recipe["passes"]["intake"].insert(0, {"github": host})
        (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
        Ledger.create(str(folder / "ledger.sqlite")).close()
        complete(folder)
        yield folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = build(tmp_path_factory.mktemp("corners"))
    complete(folder)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    here = copied(made, tmp_path / "copy")
    complete(here)
    return here


def certify(folder: Path, request: str = "R000001") -> Any:
    if not (folder / "key").exists():
        make_key(str(folder / "key"), str(folder / "pub"))
    ledger = ("--ledger", folder / "ledger.sqlite", "--key", folder / "key", "--out", folder)
    return quarry("opt-out", "certify", request, folder / "run", *ledger)


def test_what_a_host_says_of_a_repository_goes_too(hosted: Path, tmp_path: Path) -> None:
    folder = copied(hosted, tmp_path / "copy")
    ask(folder, "acme/widgets")
    apply(folder)
    left = [place for place in traces(folder / "run", "acme/widgets") if "/00-" not in place and "recipe" not in place]
    assert all("01-intake" in place and "/decisions/" in place for place in left if "/dropped/" not in place)
    told = certify(folder)
    assert told.exit_code == 0, told.output
    why = quarry("why", folder / "run", "acme/widgets").stdout
    assert "its owner opted out" in why
    status = json.loads(quarry("status", folder / "run", "--json").stdout)["passes"]
    assert (status[0]["documents_in"], status[0]["documents_out"]) == (4, 3)


def test_a_request_by_a_former_name_holds(hosted: Path, tmp_path: Path) -> None:
    folder = copied(hosted, tmp_path / "copy")
    assert any(row["repo"] == "new-name/gears" for row in dataset(folder / "run").values())
    ask(folder, "old-name/gears")
    apply(folder)
    assert not any(row["repo"] == "new-name/gears" for row in dataset(folder / "run").values())
    told = certify(folder)
    assert told.exit_code == 0, told.output


def test_a_report_survives_two_kills(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first removal is killed before the ledger has its report, and then another request comes in."""
    run, ledger = folder / "run", str(folder / "ledger.sqlite")
    first = ask(folder, "owner0/annealer")
    times = {first.id: "2026-12-01T00:00:00Z"}
    with Ledger.open(ledger) as book:
        head = book.head()._asdict()
        book.record("applying", first.id, {"runs": [str(run)]})
        done = applying.remove(Storage(str(run)), {first.id: first}, times, head, RunErasers(), InlineExecutor())
    found = done[first.id]["found"]
    second = ask(folder, "owner1/temperer")
    with monkeypatch.context() as patch:
        patch.setattr("opt_out.honour.remove", _killed)
        with pytest.raises(KeyboardInterrupt), Ledger.open(ledger) as book:
            honour(book, [str(run)], [second], RunErasers(), InlineExecutor())
    apply(folder)
    told = certify(folder)
    assert told.exit_code == 0, told.output
    assert json.loads((folder / "R000001.json").read_text())["runs"][0]["found"] == found
    assert found["documents"] > 0


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_texts_that_an_interrupted_acquire_holds_go(made: Path, tmp_path: Path) -> None:
    folder = copied(made, tmp_path / "copy")
    runs = [run for _, run in killed_runs(run_whole, folder / "recipe.yaml", folder, range(8, 40, 8))]
    holding = [run for run in runs if any(run.glob("02-*/side/content/*.parquet"))]
    assert holding
    ask(folder, "acme/widgets")
    apply(folder, run=holding[0].name)
    assert list(holding[0].glob("02-*/side/content/*.parquet")) == []
    complete(folder, holding[0].name)
    assert not any(row["repo"] == "acme/widgets" for row in dataset(holding[0]).values())


def test_a_deduplication_that_was_interrupted_compares_again(made: Path, tmp_path: Path) -> None:
    folder = copied(made, tmp_path / "copy")
    complete(folder)
    run = folder / "run"
    for receipt in sorted(run.glob("04-*/receipts/*.json"))[3:]:
        receipt.unlink()
    ask(folder, "acme/widgets")
    apply(folder)
    complete(folder)
    rebuilt = complete(folder, "rebuilt", "--set", f"tokenize.tokenizer={run}/dataset/tokenizer.json")
    assert dataset(rebuilt).keys() == dataset(run).keys()


def test_a_withdrawal_and_a_new_request_leave_a_complete_run(folder: Path) -> None:
    run = folder / "run"
    first = ask(folder, "owner0")
    apply(folder)
    with Ledger.open(str(folder / "ledger.sqlite")) as ledger:
        ledger.record("withdrawn", first.id, {"reason": "a test"})
    ask(folder, "forker/widgets", "owner1")
    complete(folder)
    repos = {row["repo"] for row in dataset(run).values()}
    assert "owner0/annealer" in repos
    assert not repos & {"forker/widgets", "owner1/temperer"}
    assert json.loads(quarry("status", run, "--json").stdout)["complete"]
    assert nothing_to_do(folder)
    assert quarry("report", run).exit_code == 0
    ask(folder, "owner2")
    apply(folder)


def test_asking_again_does_not_narrow_the_certificate(folder: Path) -> None:
    ask(folder, "acme/widgets")
    apply(folder)
    assert certify(folder).exit_code == 0
    whole = json.loads((folder / "R000001.json").read_text())["runs"][0]
    apply(folder, "--request", "R000001")
    assert certify(folder).exit_code == 0
    again = json.loads((folder / "R000001.json").read_text())["runs"][0]
    assert (again["ids"], again["found"], again["shards"]) == (whole["ids"], whole["found"], whole["shards"])


def test_another_ledger_is_refused_before_anything_changes(folder: Path, tmp_path: Path) -> None:
    ask(folder, "owner0")
    apply(folder)
    other = tmp_path / "other"
    other.mkdir()
    Ledger.create(str(other / "ledger.sqlite")).close()
    request = ask(other, "owner1")
    before = {path: path.read_bytes() for path in (folder / "run").rglob("*") if path.is_file()}
    told = quarry(
        *("opt-out", "apply", folder / "run", "--ledger", other / "ledger.sqlite", "--inline"),
        *("--request", request.id),
    )
    assert (told.exit_code, told.output.count("\n")) == (2, 1)
    assert before == {path: path.read_bytes() for path in (folder / "run").rglob("*") if path.is_file()}


def test_copies_that_were_dropped_before_any_were_compared_go(tmp_path: Path) -> None:
    files = own_files("grind")
    same = next(data for path, data in files.items() if path.endswith(".py"))
    content = {"acme/widgets": files, "vendor/app": {**own_files("sew"), "x/grind.unknownext": same}}
    folder = build(tmp_path, content)
    complete(folder)
    assert traces(folder / "run", "x/grind.unknownext")
    ask(folder, "acme/widgets", copies=True)
    apply(folder)
    assert traces(folder / "run", "x/grind.unknownext") == []


def test_damaged_tables_are_one_sentence(folder: Path) -> None:
    shard = next((folder / "run").glob("02-*/documents/00001.parquet"))
    shard.write_bytes(shard.read_bytes()[:200])
    ask(folder, "owner0")
    told = quarry("opt-out", "apply", folder / "run", "--ledger", folder / "ledger.sqlite", "--inline")
    assert (told.exit_code, told.output.count("\n")) == (1, 1)
    assert "is damaged" in told.output


def test_a_removed_licence_file_is_not_named_as_evidence(tmp_path: Path) -> None:
    folder = build(tmp_path)
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    recipe["passes"]["filter"] = ["license", "select"]
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    run = complete(folder)
    tables = sorted(run.glob("03-*/side/licenses/*.parquet"))

    def named() -> list[str]:
        rows = [row for table in tables for row in pq.read_table(table).to_pylist()]
        return [f"{row['detail']} {row['evidence']}" for row in rows if row["repo"] == "acme/widgets"]

    assert any("LICENSE" in text for text in named())
    ask(folder, "acme/widgets:LICENSE")
    apply(folder)
    assert named()
    assert not any("LICENSE" in text for text in named())
    assert any(row["repo"] == "acme/widgets" for row in dataset(run).values())
    assert nothing_to_do(folder)
