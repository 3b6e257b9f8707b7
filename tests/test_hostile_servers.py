"""Runs against servers that stall, break off, redirect, refuse or send too much: no other repository is harmed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any, NamedTuple

import pytest
import yaml

from pipeline.errors import UsageError
from pipeline.inline import InlineExecutor
from pipeline.recipe import load_recipe
from pipeline.run import execute
from pipeline.state import Run
from stages.catalog import CATALOG
from tests.gitrepos import Behaviour, commit_files, commit_of, commit_tree, empty_repository, git, served, write_blob
from tests.ssh_server import ssh_server
from tests.toy import Quiet

QUARRY = str(Path(sys.executable).with_name("quarry"))
TOKEN = "ghp_" + "q7Zw" * 9
SECRETS = (
    TOKEN.encode(),
    b64encode(f"x-access-token:{TOKEN}".encode()).rstrip(b"=")[:-1],
    b64encode(TOKEN.encode())[:-2],
)
GOOD = ("good1", "good2", "good3")
NOISE = Random(5).randbytes


class Fate(NamedTuple):
    """What became of a repository: the text of its files, or the reason why there is none and whether that may pass."""

    texts: dict[str, str]
    reason: str | None
    transient: bool
    commit: str | None


@pytest.fixture
def remotes(tmp_path: Path) -> Path:
    """A folder of repositories: three that always behave, and `bad`, whose pack takes 300 kB."""
    folder = tmp_path / "remotes"
    for name in GOOD:
        commit_files(folder / name, {"f": name.encode()})
    commit_files(folder / "bad", {"f": b"bad", "noise": NOISE(300_000)})
    return folder


def write_recipe(tmp_path: Path, urls: list[str], **fields: Any) -> Path:
    (tmp_path / "list.txt").write_text("".join(f"{url}\n" for url in urls))
    recipe = tmp_path / "recipe.yaml"
    stage = {"stall_s": 1.0, "retries": 0, "downloads": 4} | fields
    passes = {"acquire": [{"acquire": stage}]}
    recipe.write_text(yaml.safe_dump({"name": "n", "repositories": "list.txt", "passes": passes}))
    return recipe


def run(tmp_path: Path, urls: list[str], **fields: Any) -> dict[str, Fate]:
    """Run acquire over the URLs into tmp_path/run; what became of each repository, by its name."""
    recipe = load_recipe(str(write_recipe(tmp_path, urls, **fields)), CATALOG)
    out = str(tmp_path / "run")
    return fates(execute(recipe, out, lambda: nullcontext(InlineExecutor()), Quiet(), lambda run: False))


def fates(run: Run) -> dict[str, Fate]:
    this = run.passes[0]
    kept = [run.store.read_table(this.folder.documents(shard)).to_pylist() for shard in this.receipts]
    dropped = [run.store.read_table(this.folder.decisions(shard)).to_pylist() for shard in this.receipts]
    found: dict[str, Fate] = {}
    for row in (row for rows in kept for row in rows):
        name = row["repo"].split("/")[-1]
        found.setdefault(name, Fate({}, None, False, row["commit"])).texts[row["path"]] = row["text"]
    for row in (row for rows in dropped for row in rows if not row["path"]):
        name = row["repo"].split("/")[-1]
        assert name not in found
        found[name] = Fate({}, row["reason"], json.loads(row["detail"])["transient"], None)
    return found


def assert_good(found: Mapping[str, Fate]) -> None:
    assert {name: found[name].texts for name in GOOD} == {name: {"f": name} for name in GOOD}


@contextmanager
def silent() -> Iterator[str]:
    """The URL of a server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def watched(look: Callable[[], None]) -> Iterator[None]:
    """Call `look` a hundred times a second."""
    ended = Event()

    def watch() -> None:
        while not ended.wait(0.01):
            look()

    thread = Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def files(folder: Path) -> Iterator[str]:
    """Files below `folder`, of which some may be gone meanwhile."""
    for path, _, names in os.walk(folder):
        yield from (f"{path}/{name}" for name in names)


def token_file(tmp_path: Path, url: str, token: str = TOKEN) -> str:
    """A hosts.yml as gh writes it, with a token for the server of `url`."""
    path = tmp_path / "hosts.yml"
    path.write_text(f"{url.removeprefix('http://')}:\n    oauth_token: {token}\n")
    return str(path)


def test_a_private_repository_is_read_with_its_token_and_is_gone_without(tmp_path: Path, remotes: Path) -> None:
    with served(remotes, {"bad": Behaviour(token=TOKEN)}) as url:
        urls = [f"{url}/{name}" for name in ("bad", *GOOD)]
        for fields in ({}, {"token_file": token_file(tmp_path, url, "ghp_wrong")}):
            found = run(tmp_path, urls, **fields)
            assert found["bad"] == Fate({}, "repository_gone", False, None)
            assert_good(found)
        # A decision that does not pass stands until the configuration or the folder is another one.
        found = run(tmp_path, urls, token_file=token_file(tmp_path, url), max_files=9)
        assert found["bad"].texts["f"] == "bad"
        assert_good(found)


def test_a_token_does_not_follow_a_redirect_to_another_server(tmp_path: Path, remotes: Path) -> None:
    other, first = Behaviour(token=TOKEN), Behaviour(token=TOKEN)
    with served(remotes, {"bad": other}) as elsewhere:
        moved = Behaviour(status=301, headers={"Location": f"{elsewhere}/bad/info/refs?service=git-upload-pack"})
        with served(remotes, {"moved": moved, "bad": first}) as url:
            found = run(tmp_path, [f"{url}/moved", f"{url}/bad"], token_file=token_file(tmp_path, url))
    assert found["moved"].reason == "repository_gone"
    assert found["bad"].texts["f"] == "bad"
    assert first.heard != []
    assert other.heard == []


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
        found = run(tmp_path, [f"{url}/{name}" for name in (*answers, *GOOD)])
    assert found["renamed"].texts == {"f": "good1"}
    for name in ("circle", "file", "program", "nowhere"):
        assert found[name].reason in ("repository_gone", "repository_unreachable", "repository_corrupt"), name
        assert not (tmp_path / "canary").exists()
    assert_good(found)


def test_refusals_have_their_reason_and_those_that_pass_are_read_by_the_next_run(tmp_path: Path, remotes: Path) -> None:
    reasons = dict.fromkeys(("401", "403", "404", "410", "451"), "repository_gone")
    reasons |= dict.fromkeys(("408", "429", "500", "502", "503", "504"), "repository_unreachable")
    for name in reasons:
        (remotes / name).symlink_to("bad")
    answers: dict[str, int | Behaviour] = {name: int(name) for name in reasons}
    with served(remotes, answers) as url:
        urls = [f"{url}/{name}" for name in (*reasons, *GOOD)]
        found = run(tmp_path, urls)
        assert {name: found[name].reason for name in reasons} == reasons
        assert all(found[name].transient == (reason == "repository_unreachable") for name, reason in reasons.items())
        assert_good(found)
        answers.clear()
        found = run(tmp_path, urls)
    for name, reason in reasons.items():
        assert found[name].reason == (reason if reason == "repository_gone" else None)
    assert_good(found)


def test_servers_that_stall_end_in_bounded_time_and_the_next_run_reads_them(tmp_path: Path, remotes: Path) -> None:
    for name in ("begins", "headers"):
        commit_files(remotes / name, {"f": name.encode(), "noise": NOISE(300_000)})
    answers: dict[str, int | Behaviour] = {
        "bad": Behaviour(sent=100_000, then="stall"),  # in the middle of the pack
        "begins": Behaviour(sent=3000, then="stall"),  # at its beginning
        "headers": Behaviour(sent=0, then="stall"),  # before the first byte of anything
    }
    with served(remotes, answers) as url, silent() as nothing:
        urls = [f"{url}/{name}" for name in (*answers, *GOOD)] + [f"{nothing}/never"]
        began = time.monotonic()
        first = run(tmp_path, urls)
        assert time.monotonic() - began < 15
        for name in (*answers, "never"):
            assert first[name] == Fate({}, "repository_unreachable", True, None), name
        assert_good(first)

        commits = {name: commit_of(remotes / name) for name in GOOD}
        for name in GOOD:
            commit_files(remotes / name, {"f": b"later"})
        stalling = set(answers)
        answers.clear()
        second = run(tmp_path, urls)
        assert {name: second[name].texts["f"] for name in stalling} == {name: name for name in stalling}
        assert second["never"].transient
        assert_good(second)
        assert {name: second[name].commit for name in GOOD} == commits


def test_a_server_that_breaks_off_is_tried_again_in_the_run_and_by_the_next(tmp_path: Path, remotes: Path) -> None:
    answers: dict[str, int | Behaviour] = {"bad": Behaviour(sent=100_000)}
    with served(remotes, answers) as url:
        urls = [f"{url}/{name}" for name in ("bad", *GOOD)]
        found = run(tmp_path, urls)
        assert found["bad"] == Fate({}, "repository_unreachable", True, None)
        assert_good(found)
        answers["bad"] = broken = Behaviour(sent=100_000, times=2)
        found = run(tmp_path, urls, retries=2)
        assert broken.times < 0  # it broke off twice, and then was asked once more
        assert found["bad"].texts["f"] == "bad"
        assert_good(found)


def test_a_slow_server_is_waited_for_as_long_as_something_comes(tmp_path: Path, remotes: Path) -> None:
    answers: dict[str, int | Behaviour] = {
        "bad": Behaviour(sent=0, then="slow", rate=100_000),
        "good1": Behaviour(sent=0, then="slow", rate=200),  # hardly more than signs of life
    }
    with served(remotes, answers) as url:
        found = run(tmp_path, [f"{url}/bad", f"{url}/good1"])
    assert found["bad"].texts["f"] == "bad"
    assert found["good1"].texts["f"] == "good1"


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
        urls = [f"{url}/{name}" for name in ("huge", *GOOD)]
        found = run(tmp_path, urls, disk_budget=5_000_000, stall_s=30.0)
    assert (found["huge"].reason, found["huge"].transient) == ("repository_too_large", True)
    assert_good(found)
    assert 3_000_000 < max(seen) < 5_000_000 + 15_000_000  # git is looked at ten times a second
    assert not (tmp_path / "run/.scratch").exists()


def test_a_token_file_that_cannot_be_used_fails_the_run_before_anything_is_downloaded(
    tmp_path: Path, remotes: Path
) -> None:
    asked = Behaviour(status=500)
    with served(remotes, {"bad": asked}) as url, pytest.raises(UsageError, match="cannot read the token file"):
        run(tmp_path, [f"{url}/bad"], token_file=f"{tmp_path}/none")
    assert asked.times == 1_000_000


def test_a_repository_is_read_over_ssh(tmp_path: Path, remotes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ssh_server(tmp_path / "ssh") as (address, command):
        monkeypatch.setenv("GIT_SSH_COMMAND", command)
        urls = [f"ssh://git@{address}{remotes}/{name}" for name in ("bad", *GOOD, "none")]
        found = run(tmp_path, urls)
        assert found["bad"].texts["f"] == "bad"
        assert found["none"].reason == "repository_gone"
        assert_good(found)
        for place, known in (("/user", "/stranger"), ("/known_hosts", "/none")):
            monkeypatch.setenv("GIT_SSH_COMMAND", command.replace(place, known))
            shutil.rmtree(tmp_path / "run")
            assert run(tmp_path, urls[1:2])["good1"].reason in ("repository_gone", "repository_unreachable"), place


def leaks(folder: Path, but: Path) -> set[str]:
    """Files below `folder`, except one, that hold a secret."""
    found = set()
    for path in files(folder):
        with suppress(FileNotFoundError), open(path, "rb") as file:
            if path != str(but) and told(file.read()):
                found.add(path)
    return found


def told(data: bytes) -> bool:
    return any(secret in data for secret in SECRETS)


def command_lines() -> Iterator[bytes]:
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            yield process.read_bytes()


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (Behaviour(token=TOKEN, sent=0, then="slow"), None),
        (Behaviour(token="another"), "repository_gone"),
        (Behaviour(token=TOKEN, status=403, headers={"X-Why": TOKEN}), "repository_gone"),
        (Behaviour(token=TOKEN, status=500), "repository_unreachable"),
        (Behaviour(token=TOKEN, sent=100_000), "repository_unreachable"),
    ],
    ids=["read", "another", "refused", "error", "broken off"],
)
def test_a_token_is_in_no_file_no_output_and_on_no_command_line(
    behaviour: Behaviour,
    reason: str | None,
    tmp_path: Path,
    remotes: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setenv("GIT_TRACE_CURL", "1")
    monkeypatch.setenv("GIT_CURL_VERBOSE", "1")
    found: set[str] = set()
    with served(remotes, {"bad": behaviour}) as url:
        file = token_file(tmp_path, url)

        def look() -> None:
            found.update(leaks(tmp_path, Path(file)))
            found.update(str(line) for line in command_lines() if told(line))

        with watched(look):
            fate = run(tmp_path, [f"{url}/bad"], token_file=file)["bad"]
    assert fate.reason == reason
    assert behaviour.heard != []
    assert found == set()
    assert leaks(tmp_path, Path(file)) == set()
    assert not told("".join(capfd.readouterr()).encode())


def test_the_command_says_nothing_of_a_token_and_goes_on_where_it_stopped(tmp_path: Path, remotes: Path) -> None:
    bad = Behaviour(token=TOKEN, sent=100_000, times=1)
    with served(remotes, {"bad": bad}) as url:
        urls = [f"{url}/{name}" for name in ("bad", *GOOD)]
        file = token_file(tmp_path, url)
        recipe = write_recipe(tmp_path, urls, token_file=file)
        command = [QUARRY, "run", str(recipe), "--out", str(tmp_path / "run"), "--inline"]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert not told(done.stdout + done.stderr)
        assert leaks(tmp_path, Path(file)) == set()
        assert bad.times == 0
        found = run(tmp_path, urls, token_file=file)
    assert found["bad"].texts["f"] == "bad"
    assert_good(found)
    assert leaks(tmp_path, Path(file)) == set()


@pytest.mark.parametrize("entry", ["https://u:{}@h.example/o/n", "https://{}@h.example/o/n", "http://h.example/o/n?{}"])
def test_a_list_with_credentials_is_refused_without_quoting_them(entry: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="line 1") as raised:
        run(tmp_path, [entry.format(TOKEN)])
    assert not told(str(raised.value).encode())
    assert leaks(tmp_path, tmp_path / "list.txt") == set()
