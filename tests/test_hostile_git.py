"""Whole runs against git servers that break off, dawdle or fall silent: what was read stays, no git is left running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
import yaml

from pipeline.errors import RunFailed
from pipeline.inline import InlineExecutor
from pipeline.recipe import load_recipe
from pipeline.run import execute
from pipeline.state import Run
from stages.acquire import Acquire
from tests.gitrepos import commit_files
from tests.hostile_git import Hostility, hostile_git
from tests.toy import Quiet

TOKEN = "ghp_" + "q7Zw" * 9
OTHERS = ("other1", "other2", "other3")
NOISE = Random(5).randbytes
CUTS = (0, 3, 30, 100, 150, 60_000, 100_000)  # where an answer of a little more than 100,000 bytes breaks off


class Fate(NamedTuple):
    """What became of a repository: the text of its file `f` at a commit, or a reason and whether that may pass."""

    text: str | None
    commit: str | None = None
    reason: str | None = None
    transient: bool = False


@pytest.fixture
def remotes(tmp_path: Path) -> Path:
    """A folder with three repositories that are always given."""
    return add_repositories(tmp_path / "remotes", *OTHERS)


def add_repositories(folder: Path, *names: str, noise: int = 0) -> Path:
    """Repositories that hold their name in `f`, and so many incompressible bytes beside it, which are no text."""
    for name in names:
        files: dict[str | bytes, bytes] = {"f": name.encode()}
        if noise:
            files["noise"] = b"\0" + NOISE(noise)
        commit_files(folder / name, files)
    return folder


def write_recipe(folder: Path, urls: list[str], **fields: Any) -> Path:
    """A recipe that reads these repositories, each small file into a shard of its own."""
    folder.mkdir(exist_ok=True)
    (folder / "list.txt").write_text("".join(f"{url}\n" for url in urls))
    stage = {"retries": 0, "shard_bytes": 1} | fields
    recipe = {"name": "n", "repositories": "list.txt", "passes": {"acquire": [{"acquire": stage}]}}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return folder / "recipe.yaml"


def run(folder: Path, urls: list[str], **fields: Any) -> Run:
    """Complete the run in folder/run."""
    recipe = load_recipe(str(write_recipe(folder, urls, **fields)), {"acquire": Acquire})
    return execute(recipe, str(folder / "run"), lambda: nullcontext(InlineExecutor()), Quiet(), lambda run: False)


def fates(run: Run) -> dict[str, Fate]:
    """What became of each repository, by its name; every one of the list has exactly one fate."""
    found: dict[str, Fate] = {}
    for receipt in run.passes[0].receipts.values():
        for row in run.store.read_table(receipt["documents"]["path"]).to_pylist():
            if row["path"] == "f":
                found[row["repo"].split("/")[-1]] = Fate(row["text"], row["commit"])
        for row in run.store.read_table(receipt["decisions"]["path"]).to_pylist():
            if not row["path"]:
                detail = json.loads(row["detail"])
                assert row["repo"] not in found
                found[row["repo"].split("/")[-1]] = Fate(None, None, row["reason"], detail["transient"])
    assert len(found) == run.repositories.num_rows
    return found


def assert_read(found: Mapping[str, Fate], *names: str) -> None:
    assert {name: found[name].text for name in names} == {name: name for name in names}


def shard_files(run: Run, *names: str) -> dict[str, int]:
    """The files of documents in which these repositories are, with the time they were written."""
    receipts = run.passes[0].receipts.values()
    paths = [run.store.full(receipt["documents"]["path"]) for receipt in receipts]
    tables = {path: run.store.read_table(r["documents"]["path"]) for path, r in zip(paths, receipts, strict=True)}
    held = {path: {repo.split("/")[-1] for repo in table["repo"].to_pylist()} for path, table in tables.items()}
    return {path: os.stat(path).st_mtime_ns for path in paths if held[path] & set(names)}


def token_file(folder: Path, url: str, token: str = TOKEN) -> str:
    """A hosts.yml as gh writes it, with a token for the server of `url`."""
    folder.mkdir(exist_ok=True)
    (folder / "hosts.yml").write_text(f"{url.removeprefix('http://')}:\n    oauth_token: {token}\n")
    return str(folder / "hosts.yml")


def test_a_command_that_takes_too_long_is_ended_although_something_comes(tmp_path: Path, remotes: Path) -> None:
    add_repositories(remotes, "slow", noise=100_000)
    hostile = {"slow": Hostility(rate=5000)}
    with hostile_git(remotes, hostile) as url:
        urls = [f"{url}/{name}" for name in ("slow", *OTHERS)]
        found = fates(run(tmp_path, urls, timeout_s=2.0))
        assert found["slow"] == Fate(None, reason="repository_unreachable", transient=True)
        assert_read(found, *OTHERS)


def test_wherever_a_server_breaks_off_the_next_run_reads_the_repository(tmp_path: Path, remotes: Path) -> None:
    hostile = {f"cut{cut}": Hostility(then="break", sent=cut) for cut in CUTS}
    add_repositories(remotes, *hostile, noise=100_000)
    with hostile_git(remotes, hostile) as url:
        broken = list(hostile)
        urls = [f"{url}/{name}" for name in (*OTHERS, *broken)]
        first = run(tmp_path, urls)
        before, found = shard_files(first, *OTHERS), fates(first)
        gave_up = Fate(None, reason="repository_unreachable", transient=True)
        assert {name: found[name] for name in broken} == dict.fromkeys(broken, gave_up)
        assert_read(found, *OTHERS)
        hostile.clear()
        second = run(tmp_path, urls)
        assert_read(fates(second), *broken, *OTHERS)
        assert second.applied == len(broken) * 2  # of each the text, and the noise
        assert shard_files(second, *OTHERS) == before


def test_what_was_read_stays_where_the_list_before_it_changes_and_its_server_refuses_it_now(
    tmp_path: Path, remotes: Path
) -> None:
    add_repositories(remotes, "late", "early")
    hostile = {"late": Hostility(status=503)}
    with hostile_git(remotes, hostile) as url:
        urls = [f"{url}/late", f"{url}/early"]
        assert fates(run(tmp_path, urls))["early"].text is not None
        hostile.clear()
        hostile["early"] = Hostility(status=404)
        found = fates(run(tmp_path, urls))
        assert found["late"].text is not None
        assert found["early"].text is not None


def test_slow_repositories_are_waited_for_side_by_side(tmp_path: Path, remotes: Path) -> None:
    names = [f"slow{number}" for number in range(6)]
    add_repositories(remotes, *names, noise=100_000)
    with hostile_git(remotes, {name: Hostility(rate=30_000) for name in names}) as url:
        seconds = []
        for case, some in (("one", names[:1]), ("six", names)):
            began = time.monotonic()
            assert_read(fates(run(tmp_path / case, [f"{url}/{name}" for name in some], downloads=6)), *some)
            seconds.append(time.monotonic() - began)
    assert seconds[1] < 3 * seconds[0]


def test_documents_that_were_lost_are_fetched_again_at_their_commit_once_the_server_gives_it(
    tmp_path: Path, remotes: Path
) -> None:
    add_repositories(remotes, "private")
    hostile = {"private": Hostility(token=TOKEN)}
    with hostile_git(remotes, hostile) as url:
        urls = [f"{url}/{name}" for name in ("private", *OTHERS)]
        fields = {"token_file": token_file(tmp_path, url)}
        first = run(tmp_path, urls, **fields)
        (lost,) = shard_files(first, "private")
        os.unlink(lost)
        commit_files(remotes / "private", {"f": b"changed since"})
        hostile["private"].status = 500
        with pytest.raises(RunFailed, match="500") as failed:
            run(tmp_path, urls, **fields)
        assert TOKEN not in "".join(traceback.format_exception(failed.value))
        hostile["private"].status = None
        second = run(tmp_path, urls, **fields)
        assert second.applied == 1
        assert fates(second) == fates(first)


def quarry(*arguments: object) -> list[str]:
    return [sys.executable, "-c", "from cli.main import main; main()", *map(str, arguments)]


def processes_of(folder: Path) -> list[bytes]:
    """Command lines of the processes that have to do with this folder, by their arguments or environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is not ours
            line = (process / "cmdline").read_bytes()
            if bytes(folder) in line + (process / "environ").read_bytes():
                found.append(line)
    return found


@pytest.mark.parametrize("how", [["--inline"], ["--workers", "1"]], ids=["inline", "ray"])
def test_an_interrupt_ends_at_once_leaves_no_git_and_the_same_command_goes_on(
    how: list[str], tmp_path: Path, remotes: Path
) -> None:
    add_repositories(remotes, "stalls", noise=100_000)
    hostile = {"stalls": Hostility(then="stall", sent=50_000)}
    with hostile_git(remotes, hostile) as url:
        urls = [f"{url}/{name}" for name in (*OTHERS, "stalls")]
        recipe = write_recipe(tmp_path, urls, stall_s=600.0)
        command = quarry("run", recipe, "--out", tmp_path / "run", *how)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            assert hostile["stalls"].reached.wait(180)
            time.sleep(0.3)  # the others end
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=180)
            assert time.monotonic() - began < 60  # of 600
        finally:
            process.kill()
        assert process.returncode == 130
        assert "interrupted; finished shards stay, the same command continues." in said
        assert "Traceback" not in said
        ended = time.monotonic() + 5  # what was killed may take a moment to be gone
        while (left := processes_of(tmp_path / "run")) and time.monotonic() < ended:
            time.sleep(0.1)
        assert left == []
        hostile.clear()
        assert_read(fates(run(tmp_path, urls)), "stalls", *OTHERS)
