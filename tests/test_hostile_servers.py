"""Runs against servers that stall, break off, redirect, refuse or send too much: no other repository is harmed.

What was read stays as it was, the next run reads what may be read by then, and no git is left running.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.acquired import (
    GONE,
    GOOD,
    NOISE,
    UNREACHABLE,
    acquired,
    add_repositories,
    assert_read,
    fates,
    run,
    shards_of,
    write_recipe,
)
from tests.command import QUARRY
from tests.gitrepos import Behaviour, commit_files, commit_of, commit_tree, empty_repository, git, served, write_blob
from tests.ssh_server import ssh_server
from tests.watching import files, watched

CUTS = (0, 3, 30, 100, 150, 60_000, 100_000)  # where a pack of a little more than 100,000 bytes breaks off


@pytest.fixture
def remotes(tmp_path: Path) -> Path:
    """A folder with three repositories that are always given."""
    return add_repositories(tmp_path / "remotes", *GOOD)


@contextmanager
def silent() -> Iterator[str]:
    """The URL of a server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_renamed_repository_is_read_where_it_is_now_and_bad_redirects_are_gone(tmp_path: Path, remotes: Path) -> None:
    answers: dict[str, int | Behaviour] = {}
    with served(remotes, answers) as url:
        query = "info/refs?service=git-upload-pack"
        for name, location in (
            ("renamed", f"{url}/good1/{query}"),
            ("circle", f"{url}/circle/{query}"),
            ("file", f"file://{remotes}/good1/{query}"),
            ("program", f"ext::sh -c touch% {tmp_path}/canary {query}"),
            ("nowhere", "/"),
        ):
            answers[name] = Behaviour(status=301, headers={"Location": location})
        found = acquired(tmp_path, [f"{url}/{name}" for name in (*answers, *GOOD)])
    assert found["renamed"].texts == {"f": "good1"}
    for name in ("circle", "file", "program", "nowhere"):
        assert found[name].reason in ("repository_gone", "repository_unreachable", "repository_corrupt"), name
        assert not (tmp_path / "canary").exists()
    assert_read(found, *GOOD)


def test_refusals_have_their_reason_and_those_that_pass_are_read_by_the_next_run(tmp_path: Path, remotes: Path) -> None:
    gone = dict.fromkeys(("401", "403", "404", "410", "451"), GONE)
    unreachable = dict.fromkeys(("408", "429", "500", "502", "503", "504"), UNREACHABLE)
    refused = gone | unreachable
    add_repositories(remotes, *refused)
    answers: dict[str, int | Behaviour] = {name: int(name) for name in refused}
    with served(remotes, answers) as url:
        urls = [f"{url}/{name}" for name in (*refused, *GOOD)]
        found = acquired(tmp_path, urls)
        assert {name: found[name] for name in refused} == refused
        assert_read(found, *GOOD)
        answers.clear()
        found = acquired(tmp_path, urls)
    assert {name: found[name] for name in gone} == gone
    assert_read(found, *unreachable, *GOOD)


def test_servers_that_stall_end_in_bounded_time_and_the_next_run_reads_them(tmp_path: Path, remotes: Path) -> None:
    answers: dict[str, int | Behaviour] = {
        "middle": Behaviour(sent=100_000, then="stall"),  # of the pack
        "beginning": Behaviour(sent=3000, then="stall"),
        "headers": Behaviour(sent=0, then="stall"),  # before the first byte of anything
    }
    stalling = list(answers)
    add_repositories(remotes, *stalling, noise=300_000)
    with served(remotes, answers) as url, silent() as nothing:
        urls = [f"{url}/{name}" for name in (*stalling, *GOOD)] + [f"{nothing}/never"]
        began = time.monotonic()
        first = acquired(tmp_path, urls, stall_s=1.0)
        assert time.monotonic() - began < 15
        assert {name: first[name] for name in (*stalling, "never")} == dict.fromkeys((*stalling, "never"), UNREACHABLE)
        assert_read(first, *GOOD)

        commits = {name: commit_of(remotes / name) for name in GOOD}
        for name in GOOD:
            commit_files(remotes / name, {"f": b"later"})
        answers.clear()
        second = acquired(tmp_path, urls, stall_s=1.0)
        assert_read(second, *stalling, *GOOD)
        assert second["never"].transient
        assert {name: second[name].commit for name in GOOD} == commits


def test_wherever_a_server_breaks_off_the_next_run_reads_the_repository(tmp_path: Path, remotes: Path) -> None:
    answers: dict[str, int | Behaviour] = {f"cut{cut}": Behaviour(sent=cut, of="pack") for cut in CUTS}
    broken = list(answers)
    add_repositories(remotes, *broken, noise=100_000)
    with served(remotes, answers) as url:
        urls = [f"{url}/{name}" for name in (*GOOD, *broken)]
        first = run(tmp_path, urls, shard_bytes=1)
        before, found = {path: os.stat(path).st_mtime_ns for path in shards_of(first, *GOOD)}, fates(first)
        assert {name: found[name] for name in broken} == dict.fromkeys(broken, UNREACHABLE)
        assert_read(found, *GOOD)
        answers.clear()
        second = run(tmp_path, urls, shard_bytes=1)
        assert_read(fates(second), *broken, *GOOD)
        assert second.applied == len(broken) * 2  # of each the text, and the noise
        assert {path: os.stat(path).st_mtime_ns for path in shards_of(second, *GOOD)} == before


def test_a_server_that_breaks_off_is_tried_again_in_the_run(tmp_path: Path, remotes: Path) -> None:
    add_repositories(remotes, "broken", noise=300_000)
    answers = {"broken": Behaviour(sent=100_000, times=2)}
    with served(remotes, answers) as url:
        found = acquired(tmp_path, [f"{url}/{name}" for name in ("broken", *GOOD)], retries=2)
    assert answers["broken"].times < 0  # it broke off twice, and then was asked once more
    assert_read(found, "broken", *GOOD)


def test_what_was_read_stays_where_the_list_before_it_changes_and_its_server_refuses_it_now(
    tmp_path: Path, remotes: Path
) -> None:
    add_repositories(remotes, "late", "early")
    answers = {"late": 503}
    with served(remotes, answers) as url:
        urls = [f"{url}/late", f"{url}/early"]
        assert_read(acquired(tmp_path, urls), "early")
        answers.clear()
        answers["early"] = 404
        assert_read(acquired(tmp_path, urls), "late", "early")


def test_a_slow_server_is_waited_for_as_long_as_something_comes(tmp_path: Path, remotes: Path) -> None:
    add_repositories(remotes, "slow", noise=200_000)
    answers = {
        "slow": Behaviour(sent=0, then="slow", rate=100_000),
        "good1": Behaviour(sent=0, then="slow", rate=200),  # hardly more than signs of life
    }
    with served(remotes, answers) as url:
        assert_read(acquired(tmp_path, [f"{url}/slow", f"{url}/good1"], stall_s=1.0), "slow", "good1")


def test_a_command_that_takes_too_long_is_ended_although_something_comes(tmp_path: Path, remotes: Path) -> None:
    add_repositories(remotes, "slow", noise=100_000)
    with served(remotes, {"slow": Behaviour(sent=0, then="slow", rate=5000)}) as url:
        found = acquired(tmp_path, [f"{url}/{name}" for name in ("slow", *GOOD)], timeout_s=2.0)
    assert found["slow"] == UNREACHABLE
    assert_read(found, *GOOD)


def test_slow_repositories_are_waited_for_side_by_side(tmp_path: Path, remotes: Path) -> None:
    names = [f"slow{number}" for number in range(6)]
    add_repositories(remotes, *names, noise=60_000)
    with served(remotes, {name: Behaviour(sent=0, then="slow", rate=30_000) for name in names}) as url:
        seconds = []
        for case, some in (("one", names[:1]), ("six", names)):
            began = time.monotonic()
            assert_read(acquired(tmp_path / case, [f"{url}/{name}" for name in some], downloads=6), *some)
            seconds.append(time.monotonic() - began)
    assert seconds[1] < 3 * seconds[0]


def test_a_repository_that_would_fill_the_disk_is_a_decision_and_the_disk_stays_free(
    tmp_path: Path, remotes: Path
) -> None:
    huge = empty_repository(remotes / "huge")
    for name, value in (("core.compression", "0"), ("pack.window", "0")):  # noise is not worth the time
        git(huge, "config", name, value)
    commit_tree(huge, [("100644", b"%02d" % number, write_blob(huge, NOISE(1_000_000))) for number in range(30)])
    seen = [0]

    def look() -> None:
        packs = [path for path in files(tmp_path / "run/.scratch") if "/objects/pack/" in path]
        seen.append(sum(os.stat(path).st_size for path in packs if os.path.exists(path)))

    answers = {"huge": Behaviour(sent=0, then="slow", rate=20_000_000)}
    with served(remotes, answers) as url, watched(look):
        found = acquired(tmp_path, [f"{url}/{name}" for name in ("huge", *GOOD)], disk_budget=5_000_000)
    assert (found["huge"].reason, found["huge"].transient) == ("repository_too_large", True)
    assert_read(found, *GOOD)
    assert 3_000_000 < max(seen) < 5_000_000 + 15_000_000  # git is looked at ten times a second
    assert not (tmp_path / "run/.scratch").exists()


def test_a_repository_is_read_over_ssh(tmp_path: Path, remotes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_repositories(remotes, "large", noise=300_000)
    with ssh_server(tmp_path / "ssh") as (address, command):
        monkeypatch.setenv("GIT_SSH_COMMAND", command)
        urls = [f"ssh://git@{address}{remotes}/{name}" for name in (*GOOD, "large", "none")]
        found = acquired(tmp_path, urls)
        assert_read(found, *GOOD, "large")
        assert found["none"].reason == "repository_gone"
        for place, known in (("/user", "/stranger"), ("/known_hosts", "/none")):
            monkeypatch.setenv("GIT_SSH_COMMAND", command.replace(place, known))
            shutil.rmtree(tmp_path / "run")
            found = acquired(tmp_path, urls[:1])
            assert found["good1"].reason in ("repository_gone", "repository_unreachable"), place


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
    stalls = Behaviour(sent=50_000, then="stall")
    answers = {"stalls": stalls}
    with served(remotes, answers) as url:
        urls = [f"{url}/{name}" for name in (*GOOD, "stalls")]
        recipe = write_recipe(tmp_path, urls, stall_s=600.0)
        command = [*QUARRY, "run", str(recipe), "--out", str(tmp_path / "run"), *how]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            assert stalls.reached.wait(180)
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
        answers.clear()
        assert_read(acquired(tmp_path, urls), "stalls", *GOOD)
