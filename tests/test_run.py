"""Runs: resume, fingerprints, quarantine, locks, failures that are loud, and equal bytes whatever the workers."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import ray

from pipeline.errors import LawBroken, RunFailed, UsageError
from pipeline.executor import RayExecutor
from pipeline.inline import InlineExecutor
from pipeline.lock import locked
from pipeline.recipe import load_recipe
from pipeline.run import clean, execute
from pipeline.state import Run, load_run
from pipeline.storage import Storage
from tests.killed_run import count_writes, killed_runs
from tests.toy import CATALOG, MakeOnce, Quiet

RECIPE = """
name: toy
repositories: list.txt
passes:
  make: [{{make: {{shards: {shards}, documents: 6, calls: {folder}/calls}}}}]
  filter:
    - forbid: {{dawdle: {dawdle}, calls: {folder}/calls}}
    - misbehave: {{how: {how}, marker: {folder}/marker}}
  last: [{{last: {{calls: {folder}/calls}}}}, {{blank: {{as: redact}}}}]
"""


@pytest.fixture
def toy(tmp_path: Path) -> Callable[..., Run]:
    """Executes the toy recipe into tmp_path/OUT."""
    (tmp_path / "list.txt").write_text("acme/toy\nacme/other\n")

    def run(
        out: str = "run",
        overrides: tuple[str, ...] = (),
        executor: Callable[[], Any] = lambda: nullcontext(InlineExecutor()),
        how: str = "nothing",
        shards: int = 3,
        dawdle: float = 0.0,
        listener: Quiet | None = None,
        discard: bool = False,
    ) -> Run:
        path = tmp_path / "recipe.yaml"
        path.write_text(RECIPE.format(folder=tmp_path, how=how, shards=shards, dawdle=dawdle))
        recipe = load_recipe(str(path), CATALOG, overrides)
        return execute(
            recipe, str(tmp_path / out), executor, listener or Quiet(), lambda run: False, discard_intermediate=discard
        )

    return run


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a Ray cluster of five CPUs that runs apart from this process."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    ray = [sys.executable, "-m", "ray.scripts.scripts"]
    options = [f"--port={port}", "--num-cpus=5", "--include-dashboard=false", "--disable-usage-stats", "--block"]
    head = subprocess.Popen(
        [*ray, "start", "--head", "--node-ip-address=127.0.0.1", *options], stdout=subprocess.DEVNULL
    )
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield f"127.0.0.1:{port}"
    head.terminate()
    head.wait()


def contents(folder: Path) -> dict[str, bytes]:
    """Documents, decisions and side inputs of all passes."""
    kinds = ("documents", "decisions", "side")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and any(kind in path.parts for kind in kinds)
    }


def state(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file and folder with its time of change and size."""
    return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in [folder, *sorted(folder.rglob("*"))]}


def calls(folder: Path) -> list[str]:
    path = folder / "calls"
    lines = path.read_text().split() if path.exists() else []
    path.write_text("")
    return lines


def test_a_second_run_calls_nothing_and_touches_nothing(toy: Callable[..., Run], tmp_path: Path) -> None:
    first = toy()
    assert sorted(calls(tmp_path)) == ["apply"] * 9 + ["prepare"] * 2
    assert (first.applied, first.prepared) == (9, 2)
    before = state(tmp_path / "run")
    second = toy()
    assert calls(tmp_path) == []
    assert (second.applied, second.prepared) == (0, 0)
    assert state(tmp_path / "run") == before


def test_the_files_of_a_run_say_what_happened(toy: Callable[..., Run], tmp_path: Path) -> None:
    run = toy()
    folders = [this.folder.path for this in run.passes]
    assert [f.split("-")[:2] for f in folders] == [["01", "make"], ["02", "filter"], ["03", "last"]]
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    counts = [[s["documents_in"], s["documents_out"]] for p in manifest["passes"] for s in p["stages"]]
    assert counts == [[18, 18], [18, 12], [12, 12], [12, 9], [9, 9]]
    assert manifest["passes"][1]["stages"][0]["decisions"] == {"drop": {"forbidden_word": 6}}
    decisions = run.store.read_table(f"{folders[1]}/decisions/00000.parquet").to_pylist()
    assert {d["stage"] for d in decisions} == {"forbid"}
    assert run.passes[1].explain(decisions[0]) == "it holds the word 'bad'"
    assert sorted(run.store.names(f"{folders[1]}/documents")) == [f"0000{n}.parquet" for n in range(3)]
    assert not (tmp_path / "run/.scratch").exists()


def test_changing_a_field_recomputes_from_that_pass_on(toy: Callable[..., Run], tmp_path: Path) -> None:
    toy()
    calls(tmp_path)
    before = contents(tmp_path / "run")
    listener = Quiet()
    run = toy(overrides=("forbid.word=document 1",), listener=listener)
    assert listener.heard == ["filter 0/3", "last 0/3"]
    assert sorted(calls(tmp_path)) == ["apply"] * 6 + ["prepare"]
    after = contents(tmp_path / "run")
    assert {path: after[path] for path in before} == before  # the old configuration's files are as they were
    assert len(clean(run)) == 2
    assert toy(overrides=("forbid.word=document 1",)).applied == 0
    assert toy().applied == 6


def test_a_changed_file_counts_by_its_content_and_placement_never(toy: Callable[..., Run], tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("one")
    assert toy(overrides=(f"forbid.words={words}",)).applied == 9
    moved = tmp_path / "moved.txt"
    moved.write_text("one")
    assert toy(overrides=(f"forbid.words={moved}", "forbid.dawdle=0.001")).applied == 0
    moved.write_text("two")
    assert toy(overrides=(f"forbid.words={moved}",)).applied == 6
    (tmp_path / "list.txt").write_text("acme/toy  # the same two repositories\n\nacme/other\n")
    assert toy(overrides=(f"forbid.words={moved}",)).applied == 0
    (tmp_path / "list.txt").write_text("acme/toy\n")
    assert toy(overrides=(f"forbid.words={moved}",)).applied == 9


@pytest.mark.parametrize(("how", "kind"), [("lose", LawBroken), ("raise_shard", RunFailed), ("full_disk", RunFailed)])
def test_a_failing_shard_fails_the_run_and_loses_nothing(
    how: str, kind: type[Exception], toy: Callable[..., Run], tmp_path: Path
) -> None:
    with pytest.raises(kind, match="shard 00001"):
        toy(how=how)
    assert not (tmp_path / "run/manifest.json").exists()
    assert not list((tmp_path / "run").glob("03-*"))  # nothing downstream started
    calls(tmp_path)
    with pytest.raises(kind, match="shard 00001"):
        toy(how=how)
    assert calls(tmp_path) == ["apply"]  # the shard that fails, and no finished one


def test_one_bad_document_does_not_stop_a_run(toy: Callable[..., Run]) -> None:
    run = toy(how="raise_one")
    decisions = run.store.read_table(run.passes[1].folder.decisions("00001")).to_pylist()
    assert [(d["id"], d["stage"]) for d in decisions if d["reason"] == "error"] == [(f"{7:032x}", "misbehave")]
    assert run.passes[2].receipts["00001"]["documents"]["rows"] == 2


def test_a_passing_io_error_is_tried_again(toy: Callable[..., Run]) -> None:
    assert toy(how="flaky").applied == 9


def test_discarded_documents_are_made_again_only_when_needed(toy: Callable[..., Run], tmp_path: Path) -> None:
    toy(discard=True)
    calls(tmp_path)
    kept = sorted({path.parts[-3].split("-")[1] for path in (tmp_path / "run").glob("*-*/documents/*.parquet")})
    assert kept == ["last", "repositories"]
    assert toy(discard=True).applied == 0
    run = toy(discard=True, overrides=("redact.word=other",))
    assert (run.applied, run.prepared) == (3 + 3 + 3, 1)  # two passes' documents again, then the one that changed
    assert [r["documents"]["rows"] for r in run.passes[-1].receipts.values()] == [3, 3, 3]


def test_what_a_pass_reads_is_prepared_again_where_it_was_only_kept_until_the_pass_was_complete(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("acme/toy\n")
    (tmp_path / "recipe.yaml").write_text(
        "name: once\nrepositories: list.txt\npasses:\n  make: [make_once]\n  last: [{blank: {as: redact}}]\n"
    )

    def once(*overrides: str, discard: bool) -> Run:
        recipe = load_recipe(str(tmp_path / "recipe.yaml"), CATALOG | {"make_once": MakeOnce}, overrides)
        inline = lambda: nullcontext(InlineExecutor())  # noqa: E731
        return execute(recipe, str(tmp_path / "run"), inline, Quiet(), lambda run: False, discard_intermediate=discard)

    once(discard=True)
    assert not list((tmp_path / "run").glob("01-make-*/side/plan"))
    first = contents(tmp_path / "run")
    changed = once("redact.word=other", discard=False)
    assert (changed.applied, changed.prepared) == (3 + 3, 1)
    damaged = next((tmp_path / "run").glob("01-make-*/receipts/00001.json"))
    damaged.unlink()
    again = once("redact.word=other", discard=False)
    assert (again.applied, again.prepared) == (1, 1)
    once(discard=True)
    assert contents(tmp_path / "run").items() >= first.items()


def test_two_runs_on_one_directory_exclude_each_other(toy: Callable[..., Run], tmp_path: Path) -> None:
    with locked(Storage(tmp_path / "run")), pytest.raises(UsageError, match="another process is working on"):
        toy()
    toy()


def test_a_directory_of_another_recipe_or_of_something_else_is_refused(toy: Callable[..., Run], tmp_path: Path) -> None:
    toy()
    with pytest.raises(UsageError, match="holds a run of recipe 'toy', not 'other'"):
        toy(overrides=("name=other",))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="is not empty and holds no run"):
        toy(out="mine")


def test_a_finished_run_can_be_looked_at_where_its_inputs_are_gone(toy: Callable[..., Run], tmp_path: Path) -> None:
    made = toy()
    (tmp_path / "list.txt").unlink()
    (tmp_path / "run").rename(tmp_path / "moved")
    run = load_run(str(tmp_path / "moved"), CATALOG)
    assert [this.fingerprint for this in run.passes] == [this.fingerprint for this in made.passes]
    assert not any(run.todo())
    assert run.repositories["repo"].to_pylist() == ["acme/toy", "acme/other"]
    with pytest.raises(UsageError, match="holds no run"):
        load_run(str(tmp_path / "nowhere"), CATALOG)


def test_ray_gives_the_same_bytes_as_inline_for_any_number_of_workers(
    toy: Callable[..., Run], tmp_path: Path, cluster: str
) -> None:
    toy(out="inline", shards=12)
    for workers in (1, 2, 5):
        run = toy(out=f"ray{workers}", shards=12, dawdle=0.05, executor=partial(RayExecutor, workers, cluster))
        assert run.applied == 36
        assert contents(tmp_path / f"ray{workers}") == contents(tmp_path / "inline")


def test_kill_9_of_a_ray_worker_at_ten_points_loses_nothing(
    toy: Callable[..., Run], tmp_path: Path, cluster: str
) -> None:
    def plain(out: str) -> dict[str, bytes]:
        return {path.split("/", 1)[1]: data for path, data in contents(tmp_path / out).items()}

    toy(out="inline", shards=4)
    writes = [(f"{shard:05d}", write) for shard in range(4) for write in (1, 2, 3)]  # documents, decisions, receipt
    points = [*random.Random(3).sample(writes, 8), ("prepare", 1), ("prepare", 2)]
    with RayExecutor(2, cluster) as executor:
        for shard, write in points:
            out, marker = f"killed-{shard}-{write}", tmp_path / f"marker-{shard}-{write}"
            overrides: tuple[str, ...] = (
                f"misbehave.marker={marker}",
                f"misbehave.at='{shard}'",
                f"misbehave.write={write}",
            )
            if shard == "prepare":
                overrides = (f"last.marker={marker}",)
            toy(
                out=out,
                shards=4,
                how="nothing" if shard == "prepare" else "kill_at_write",
                overrides=overrides,
                executor=lambda: nullcontext(executor),
            )
            assert marker.exists()
            assert plain(out) == plain("inline"), f"killed at shard {shard}, write {write}"


def test_results_that_are_let_go_after_their_executor_join_no_other_cluster(cluster: str) -> None:
    with RayExecutor(2, cluster) as executor:
        results = executor.map(lambda item, worker: item, range(4))
        next(results)
    assert isinstance(results, Generator)
    results.close()
    assert not ray.is_initialized()


def test_a_shard_that_always_kills_its_worker_fails_the_run(toy: Callable[..., Run], cluster: str) -> None:
    with pytest.raises(RunFailed, match="00001 lost its worker 3 times"):
        toy(how="kill_always", executor=partial(RayExecutor, 2, cluster))


def test_errors_come_through_ray_as_they_are(toy: Callable[..., Run], cluster: str) -> None:
    with pytest.raises(LawBroken, match=r"stage 'misbehave', shard 00001: document .* was lost"):
        toy(how="lose", executor=partial(RayExecutor, 2, cluster))


def test_an_unreachable_ray_address_is_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"no Ray cluster at '127.0.0.1:9'"), RayExecutor(address="127.0.0.1:9"):
        pass


def _run_toy(recipe: Path, out: Path) -> None:
    execute(
        load_recipe(str(recipe), CATALOG), str(out), lambda: nullcontext(InlineExecutor()), Quiet(), lambda run: False
    )


def test_kill_9_of_the_driver_at_any_write_then_rerun_gives_the_undisturbed_run(
    toy: Callable[..., Run], tmp_path: Path
) -> None:
    toy(out="whole")
    recipe = tmp_path / "recipe.yaml"
    writes = len(count_writes(_run_toy, recipe, tmp_path / "count"))
    points = sorted(random.Random(7).sample(range(2, writes + 1), 5))
    for _, out in killed_runs(_run_toy, recipe, tmp_path, points):
        _run_toy(recipe, out)
        assert contents(out) == contents(tmp_path / "whole")
        assert not list(out.rglob("*.tmp-*"))
