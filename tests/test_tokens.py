"""Private repositories: read with a token for their host, which goes nowhere else and is seen nowhere."""

from __future__ import annotations

import os
import subprocess
import traceback
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.errors import RunFailed, UsageError
from tests.acquired import (
    GONE,
    GOOD,
    TOKEN,
    acquired,
    add_repositories,
    assert_read,
    fates,
    run,
    shards_of,
    token_file,
    write_recipe,
)
from tests.command import QUARRY
from tests.gitrepos import Behaviour, commit_files, served
from tests.watching import files, watched

SECRETS = (
    TOKEN.encode(),
    b64encode(f"x-access-token:{TOKEN}".encode()).rstrip(b"=")[:-1],
    b64encode(TOKEN.encode())[:-2],
)


@pytest.fixture
def remotes(tmp_path: Path) -> Path:
    """A folder of repositories: three that anybody is given, and `private`, whose pack takes 300 kB."""
    add_repositories(tmp_path / "remotes", *GOOD)
    return add_repositories(tmp_path / "remotes", "private", noise=300_000)


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


def test_a_private_repository_is_read_with_its_token_and_is_gone_without(tmp_path: Path, remotes: Path) -> None:
    with served(remotes, {"private": Behaviour(token=TOKEN)}) as url:
        urls = [f"{url}/{name}" for name in ("private", *GOOD)]
        for fields in ({}, {"token_file": token_file(tmp_path, url, "ghp_wrong")}):
            found = acquired(tmp_path, urls, **fields)
            assert found["private"] == GONE
            assert_read(found, *GOOD)
        # A decision that does not pass stands until the configuration or the folder is another one.
        found = acquired(tmp_path, urls, token_file=token_file(tmp_path, url), max_files=9)
    assert_read(found, "private", *GOOD)


def test_a_token_does_not_follow_a_redirect_to_another_server(tmp_path: Path, remotes: Path) -> None:
    other, first = Behaviour(token=TOKEN), Behaviour(token=TOKEN)
    with served(remotes, {"private": other}) as elsewhere:
        moved = Behaviour(status=301, headers={"Location": f"{elsewhere}/private/info/refs?service=git-upload-pack"})
        with served(remotes, {"moved": moved, "private": first}) as url:
            urls = [f"{url}/moved", f"{url}/private"]
            found = acquired(tmp_path, urls, token_file=token_file(tmp_path, url))
    assert found["moved"].reason == "repository_gone"
    assert_read(found, "private")
    assert first.heard != []
    assert other.heard == []


def test_a_token_file_that_cannot_be_used_fails_the_run_before_anything_is_downloaded(
    tmp_path: Path, remotes: Path
) -> None:
    asked = Behaviour(status=500, times=1)
    with served(remotes, {"private": asked}) as url, pytest.raises(UsageError, match="cannot read the token file"):
        acquired(tmp_path, [f"{url}/private"], token_file=f"{tmp_path}/none")
    assert asked.times == 1


def test_documents_that_were_lost_are_fetched_again_at_their_commit_once_the_server_gives_it(
    tmp_path: Path, remotes: Path
) -> None:
    private = Behaviour(token=TOKEN)
    with served(remotes, {"private": private}) as url:
        urls = [f"{url}/{name}" for name in ("private", *GOOD)]
        fields = {"token_file": token_file(tmp_path, url), "shard_bytes": 1}
        first = run(tmp_path, urls, **fields)
        (lost,) = shards_of(first, "private")
        os.unlink(lost)
        commit_files(remotes / "private", {"f": b"changed since"})
        private.status = 500
        with pytest.raises(RunFailed, match="500") as failed:
            run(tmp_path, urls, **fields)
        assert not told("".join(traceback.format_exception(failed.value)).encode())
        private.status = None
        second = run(tmp_path, urls, **fields)
        assert second.applied == 1
        assert fates(second) == fates(first)


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
    with served(remotes, {"private": behaviour}) as url:
        file = token_file(tmp_path, url)

        def look() -> None:
            found.update(leaks(tmp_path, Path(file)))
            found.update(str(line) for line in command_lines() if told(line))

        with watched(look):
            fate = acquired(tmp_path, [f"{url}/private"], token_file=file)["private"]
    assert fate.reason == reason
    assert behaviour.heard != []
    assert found == set()
    assert leaks(tmp_path, Path(file)) == set()
    assert not told("".join(capfd.readouterr()).encode())


def test_the_command_says_nothing_of_a_token_and_goes_on_where_it_stopped(tmp_path: Path, remotes: Path) -> None:
    private = Behaviour(token=TOKEN, sent=100_000, times=1)
    with served(remotes, {"private": private}) as url:
        urls = [f"{url}/{name}" for name in ("private", *GOOD)]
        file = token_file(tmp_path, url)
        recipe = write_recipe(tmp_path, urls, token_file=file)
        command = [*QUARRY, "run", str(recipe), "--out", str(tmp_path / "run"), "--inline"]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert not told(done.stdout + done.stderr)
        assert leaks(tmp_path, Path(file)) == set()
        assert private.times == 0
        found = acquired(tmp_path, urls, token_file=file)
    assert_read(found, "private", *GOOD)
    assert leaks(tmp_path, Path(file)) == set()


@pytest.mark.parametrize("entry", ["https://u:{}@h.example/o/n", "https://{}@h.example/o/n", "http://h.example/o/n?{}"])
def test_a_list_with_credentials_is_refused_without_quoting_them(entry: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="line 1") as raised:
        acquired(tmp_path, [entry.format(TOKEN)])
    assert not told(str(raised.value).encode())
    assert leaks(tmp_path, tmp_path / "list.txt") == set()
