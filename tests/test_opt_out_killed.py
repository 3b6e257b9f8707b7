"""A removal that is killed, hard, at any point: each file is the old or the new one, and doing it again ends alike."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from cli.erasers import RunErasers
from opt_out.honour import due, honour
from opt_out.ledger import Ledger
from pipeline.inline import InlineExecutor
from pipeline.storage import Storage
from tests.killed_run import count_writes, killed_runs
from tests.opt_out_run import ask, build, complete

POINTS = 20


def remove_due(recipe: Path, out: Path) -> dict[str, Any]:
    """Honour in `out` what its ledger, the file beside it, asks for."""
    with Ledger.open(f"{out}.sqlite") as ledger:
        return honour(ledger, [str(out)], due(ledger, Storage(str(out))).accepted, RunErasers(), InlineExecutor())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, and a request for a repository that others copied."""
    made = build(tmp_path_factory.mktemp("killed"))
    complete(made)
    ask(made, "acme/widgets", "owner1/temperer:temper/*.py", copies=True)
    return made


def copy_of(folder: Path, name: str) -> Path:
    shutil.copytree(folder / "run", folder / name)
    for file in folder.glob("ledger.sqlite*"):
        shutil.copy(file, folder / file.name.replace("ledger.sqlite", f"{name}.sqlite"))
    return folder / name


def files_of(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}


def told_alike(files: dict[str, bytes]) -> dict[str, bytes]:
    """The files without what a clock or a machine says in them: head of this ledger, seconds, memory."""
    moment = re.compile(rb'"(?:chain|seconds|peak_memory|sequence)": [^\n]*')
    return {name: moment.sub(b"", data) if name.endswith(".json") else data for name, data in files.items()}


def test_killed_at_twenty_points_it_ends_in_the_same_bytes(folder: Path) -> None:
    before = files_of(folder / "run")
    undisturbed = copy_of(folder, "undisturbed")
    writes = count_writes(remove_due, folder / "recipe.yaml", undisturbed)
    after = files_of(undisturbed)
    points = sorted(random.Random(6).sample(range(1, len(writes) + 1), POINTS))
    for point in points:
        copy_of(folder, f"killed{point}")
    for point, run in killed_runs(remove_due, folder / "recipe.yaml", folder, points):
        for name, data in files_of(run).items():
            if name.endswith(".parquet") and not name.startswith(".opt-out/"):
                assert data in (before.get(name), after.get(name)), f"{name} after a kill at write {point}"
        remove_due(folder / "recipe.yaml", run)
        assert told_alike(files_of(run)) == told_alike(after), point
        assert told(run) == told(undisturbed), point


def told(run: Path) -> list[Any]:
    """What the ledger says was done, but for where and when."""
    with Ledger.open(f"{run}.sqlite") as ledger:
        done = [entry for entry in ledger.entries() if entry.event == "honoured"]
        assert len(done) == 1
        begun = [entry.time for entry in ledger.entries() if entry.event == "applying"]
        assert [one["time"] for one in done[0].body["runs"]] == begun[:1]
    return [{k: v for k, v in one.items() if k not in ("run", "time")} for one in done[0].body["runs"]]
