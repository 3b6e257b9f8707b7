"""Repository lists from owners, searches and GH Archive, and the commands that write them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from cli.main import one_sentence
from cli.repositories import COMMANDS
from pipeline.errors import UsageError
from pipeline.repositories import parse_repositories
from stages.listing import _name_of, _names, archived
from tests.github_server import GitHubServer, Said, github

TOKEN = "ghp_0123456789abcdef"


@pytest.fixture
def server() -> Iterator[GitHubServer]:
    with github() as state:
        yield state


def quarry(*arguments: object) -> Result:
    """`quarry repositories` with these arguments."""
    app = typer.Typer(pretty_exceptions_enable=False)
    for name, command in COMMANDS.items():
        app.command(name)(one_sentence(command))
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def listed(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


# Owners


def test_an_owners_repositories_are_listed_page_after_page(server: GitHubServer) -> None:
    names = [f"acme/r{number:03d}" for number in range(250)]
    for name in names:
        server.add(name)
    server.add("other/one")
    done = quarry("owner", "acme", "--api", server.url)
    assert done.exit_code == 0, done.output
    assert listed(done.stdout) == [f"{server.url}/{name}" for name in names]
    assert done.stdout.startswith(f"# 250 repositories\n# owned by acme, as {server.url} lists them\n# on 20")
    table = parse_repositories(done.stdout, "list", "/").table
    assert table["repo"].to_pylist() == names


def test_an_organisations_private_repositories_are_listed_for_who_may_see_them(
    server: GitHubServer, tmp_path: Path
) -> None:
    server.add("org/open", kind="Organization")
    server.add("org/inner", kind="Organization", private=True)
    server.add("me/open")
    server.add("me/inner", private=True)
    (tmp_path / "hosts.yml").write_text(f"{server.host}:\n  oauth_token: {TOKEN}\n")
    done = quarry("owner", "org", "me", "--api", server.url, "--token-file", tmp_path / "hosts.yml")
    assert listed(done.stdout) == [f"{server.url}/{name}" for name in ("org/open", "org/inner", "me/open")]
    assert {asked.token for asked in server.asked} == {TOKEN}
    assert TOKEN not in done.output


def test_repositories_of_github_are_listed_by_name(server: GitHubServer) -> None:
    server.add("acme/a", html_url="https://github.com/acme/a")
    server.add("acme/fork", html_url="https://github.com/acme/fork", fork=True)
    server.add("acme/b", html_url="https://github.com/acme/b")
    assert listed(quarry("owner", "acme", "--api", server.url).stdout) == ["acme/a", "acme/fork", "acme/b"]
    assert listed(quarry("owner", "acme", "ACME", "--api", server.url, "--no-forks").stdout) == ["acme/a", "acme/b"]
    assert listed(quarry("owner", "acme", "--api", server.url, "--limit", 1).stdout) == ["acme/a"]


def test_a_list_is_written_whole_or_not_at_all(server: GitHubServer, tmp_path: Path) -> None:
    server.add("acme/a")
    out = tmp_path / "new" / "list.txt"
    done = quarry("owner", "acme", "--api", server.url, "--out", out)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", f"1 repository in {out}\n")
    before = out.read_text()
    assert quarry("owner", "acme", "nobody", "--api", server.url, "--out", out).exit_code == 2
    assert out.read_text() == before
    assert [path.name for path in out.parent.iterdir()] == ["list.txt"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["owner", "nobody", "--api", "{url}"], "knows no user or organisation 'nobody'"),
        (["owner", "empty", "--api", "{url}"], "no repository is owned by empty"),
        (["owner", "a", "--api", "github.com"], "--api 'github.com' is no URL"),
        (["owner", "a", "--api", "{url}", "--token-file", "{folder}/none"], "cannot read the token file"),
        (["owner", "a", "--api", "{url}", "--token-file", "{folder}/token"], "does not accept the token in"),
        (["search", "((", "--api", "{url}"], "GitHub refuses /search/repositories (Validation Failed)"),
        (["archive", "{folder}/none.json.gz"], "cannot read '"),
        (["archive", "{folder}/token"], "no repository is named in GH Archive's"),
        (["owner", "full", "--api", "{url}", "--out", "{folder}/token/list"], "cannot write '"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], said: str, server: GitHubServer, tmp_path: Path) -> None:
    server.owners["empty"] = "User"
    server.add("full/one")
    server.tokens = set()
    server.always["/search/repositories"] = Said(422, {}, {"message": "Validation Failed"})
    (tmp_path / "token").write_text(f'"{server.host}":\n  oauth_token: {TOKEN}\n')
    done = quarry(*(text.format(url=server.url, folder=tmp_path) for text in arguments))
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert done.stdout == ""
    assert TOKEN not in done.output


def test_a_host_that_does_not_answer_is_one_sentence(server: GitHubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.github_api.BACKOFF_S", 0.0)
    server.always["/users/acme"] = Said(502)
    done = quarry("owner", "acme", "--api", server.url)
    assert done.exit_code == 1
    assert done.stderr == "quarry: GitHub could not be asked: it answered 502; run again.\n"


# Search


def test_a_search_is_listed_and_tells_what_it_leaves_out(server: GitHubServer) -> None:
    for number in range(1005):
        server.add(f"acme/widget{number}")
    server.add("acme/other")
    done = quarry("search", "widget language:rust", "--api", server.url)
    assert listed(done.stdout) == [f"{server.url}/acme/widget{number}" for number in range(1000)]
    assert done.stderr.startswith("note: the search finds 1,005 repositories, and GitHub lists 1,000 of them")
    assert f"# found by {server.url} for: widget language:rust\n" in done.stdout


def test_a_search_that_was_cut_short_is_told(server: GitHubServer) -> None:
    item = {"full_name": "a/b", "html_url": "https://github.com/a/b", "fork": False}
    body = {"total_count": 1, "incomplete_results": True, "items": [item, item | {"fork": True}]}
    server.always["/search/repositories"] = Said(200, {}, body)
    done = quarry("search", "x", "--api", server.url)
    assert listed(done.stdout) == ["a/b"]
    assert "cut the search short" in done.stderr


# GH Archive

NEW = {"id": "1", "type": "PushEvent", "repo": {"id": 1, "name": "a/new", "url": "https://api.github.com/repos/a/new"}}
OLD = {"type": "PushEvent", "repository": {"owner": "b", "name": "old", "url": "https://github.com/b/old", "id": 2}}


def packed(*events: Any) -> bytes:
    lines = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
    return gzip.compress(b"\n".join(lines) + b"\n")


def read(path: Path, data: bytes) -> tuple[list[str], list[str]]:
    path.write_bytes(data)
    notes: list[str] = []
    return list(archived(str(path), notes.append)), notes


def test_events_of_all_years_name_their_repositories(tmp_path: Path) -> None:
    events = [
        NEW,
        {"type": "GistEvent", "payload": {"repo": {"name": "not/this"}}},
        OLD,
        {"repo": {"name": "A/New"}},
        {"repository": {"url": "https://github.com/c/by-address"}},
        {"repo": {"name": "/"}},
        {"repo": None, "repository": None},
        {"repo": {"name": "d/last.js"}},
    ]
    names, notes = read(tmp_path / "x.json.gz", packed(*events[:3]) + packed(*events[3:]))
    assert names == ["a/new", "b/old", "c/by-address", "d/last.js"]
    assert notes == []


def test_broken_lines_are_counted_and_cost_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x.json.gz"
    names, notes = read(path, packed(NEW, b'{"repo": {"name": "e/cut', b"", b"[1]", b"\xff", {"repo": "f/odd"}, OLD))
    assert names == ["a/new", "b/old"]
    assert notes == [f"{path}: 3 lines are no events and were left out."]


def test_a_truncated_or_damaged_file_gives_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "x.json.gz"
    events = [{"repo": {"name": f"a/r{number}"}, "sha": sha1(b"%d" % number).hexdigest()} for number in range(5000)]
    data = packed(*events)
    names, notes = read(path, data[: len(data) // 2])
    assert 1000 < len(names) < 4000
    assert names == [f"a/r{number}" for number in range(len(names))]
    assert f"{path} ends too early; what is there counts." in notes
    names, notes = read(path, packed(NEW) + b"rubbish")
    assert names == ["a/new"]
    assert "no gzip file, or damaged" in notes[0]


def test_a_line_may_lie_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.listing.BLOCK", 7)
    names = [f"owner{number}/name{number}" for number in range(50)]
    assert read(tmp_path / "x.json.gz", packed(*({"repo": {"name": name}} for name in names)))[0] == names


def test_archives_are_listed_together(tmp_path: Path) -> None:
    (tmp_path / "0.json.gz").write_bytes(packed(NEW, OLD))
    (tmp_path / "1.json.gz").write_bytes(packed({"repo": {"name": "B/Old"}}, {"repo": {"name": "c/d"}}))
    done = quarry("archive", tmp_path / "0.json.gz", tmp_path / "1.json.gz")
    assert listed(done.stdout) == ["a/new", "b/old", "c/d"]


texts = st.sampled_from(["a", "a/b", "A/b", "/", "x/y/z", "c/d.e", "", "https://github.com/e/f", "é/ü"]) | st.none()
events = st.fixed_dictionaries(
    {},
    optional={
        "repo": st.fixed_dictionaries({"id": st.integers(0, 9)}, optional={"name": texts}) | st.none() | texts,
        "repository": st.fixed_dictionaries({}, optional={"owner": texts, "name": texts, "url": texts}) | st.none(),
        "payload": st.recursive(st.integers(0, 9) | texts, lambda inner: st.lists(inner, max_size=2), max_leaves=4),
    },
)


@settings(max_examples=300)
@given(st.lists(events.map(lambda event: json.dumps(event).encode()) | st.sampled_from([b"", b"{", b"7"]), max_size=6))
def test_arrow_reads_events_as_the_plain_reader_does(lines: list[bytes]) -> None:
    found = [_name_of(line) for line in lines if line]
    assert _names(b"\n".join(lines)) == (list(dict.fromkeys(name for name in found if name)), found.count(None))


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        list(archived(str(tmp_path / "none"), print))
