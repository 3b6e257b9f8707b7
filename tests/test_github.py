"""The github stage on a server that answers like GitHub: what becomes of each repository, and of runs cut short."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import pyarrow as pa
import pytest

from opt_out.stage import OptOut
from pipeline import schema
from pipeline.errors import RunFailed, UsageError
from pipeline.fingerprint import stage_identity
from pipeline.inline import InlineExecutor
from pipeline.law import judge
from pipeline.recipe import load_recipe
from pipeline.run import execute
from pipeline.side import Corpus, Side
from pipeline.stage import Outcome, Stage
from pipeline.state import Run
from stages.github import GitHub
from stages.github_cache import AnswerCache, Kept
from tests.github_server import GitHubServer, Said, github
from tests.toy import Quiet

TOKEN = "ghp_0123456789abcdef"
CATALOG: dict[str, type[Stage]] = {"github": GitHub, "opt_out": OptOut}

RunStage = Callable[[Stage, Sequence[pa.Table]], list[Outcome]]


@pytest.fixture
def server() -> Iterator[GitHubServer]:
    with github() as state:
        yield state


@pytest.fixture
def stage(server: GitHubServer) -> GitHub:
    return stage_at(server)


def stage_at(server: GitHubServer, **fields: Any) -> GitHub:
    quick = {"requests_a_minute": 10**9, "retries": 0, "timeout_s": 10.0}
    return GitHub(host=server.host, api=server.url, **(quick | fields))


def listing(*urls: str) -> pa.Table:
    """Rows of the repository list, of URLs."""
    rows = []
    for url in urls:
        place = url.split("://")[-1].removesuffix(".git")
        rows.append({"id": place.lower(), "repo": "/".join(place.split("/")[-2:]), "url": url, "ref": None})
    return pa.Table.from_pylist(rows, schema.REPOSITORY)


def sentences(stage: Stage, outcome: Outcome) -> list[str]:
    return [stage.explain(decision) for decision in outcome.decisions.to_pylist()]


def test_gives_what_github_says(server: GitHubServer, stage: GitHub, run_stage: RunStage) -> None:
    server.add(
        "Acme/Widgets",
        stargazers_count=1234,
        forks_count=5,
        default_branch="trunk",
        archived=True,
        fork=True,
        parent={"full_name": "Origin/Widgets"},
        license={"spdx_id": "MIT"},
        size=3,
        created_at="2014-02-28T23:59:59Z",
    )
    server.add("acme/plain", license={"spdx_id": "NOASSERTION"}, created_at=None)
    table = listing(f"{server.url}/acme/widgets", f"{server.url}/acme/plain", "https://elsewhere.org/a/b")
    (outcome,) = run_stage(stage, [table])
    widgets, plain, elsewhere = outcome.kept.to_pylist()
    assert widgets == {
        "id": f"{server.host}/acme/widgets",
        "repo": "Acme/Widgets",
        "url": f"{server.url}/acme/widgets",
        "ref": None,
        "stars": 1234,
        "forks": 5,
        "fork_of": "Origin/Widgets",
        "created": datetime(2014, 2, 28, 23, 59, 59, tzinfo=UTC),
        "default_branch": "trunk",
        "archived": True,
        "renamed_from": None,
        "license_hint": "MIT",
        "host_bytes": 3072,
    }
    assert (plain["stars"], plain["fork_of"], plain["archived"], plain["license_hint"]) == (0, None, False, None)
    assert plain["created"] is None
    assert elsewhere == table.to_pylist()[2] | dict.fromkeys(schema.METADATA.names[4:])
    assert outcome.kept.schema.equals(schema.METADATA)
    assert sentences(stage, outcome) == [
        "its host says: 1,234 stars, 5 forks, default branch trunk, a fork of Origin/Widgets, licence MIT, archived",
        "its host says: 0 stars, 0 forks, default branch main",
    ]


@pytest.mark.parametrize("said", ["", "lately", "2011-02-30T00:00:00Z", 1296068472])
def test_a_time_that_is_none_is_not_known(
    said: object, server: GitHubServer, stage: GitHub, run_stage: RunStage
) -> None:
    server.add("a/b", created_at=said, stargazers_count=3)
    (outcome,) = run_stage(stage, [listing(f"{server.url}/a/b")])
    assert [(row["stars"], row["created"]) for row in outcome.kept.to_pylist()] == [(3, None)]


@pytest.mark.parametrize("ending", ["", ".git"])
@pytest.mark.parametrize("scheme", ["http://", "ssh://git@"])
def test_a_rename_is_followed(
    ending: str, scheme: str, server: GitHubServer, stage: GitHub, side: Side, corpus_of: Callable[..., Corpus]
) -> None:
    server.add("old/name")
    server.rename("old/name", "New/Title")
    table = pa.Table.from_pylist(
        [
            {
                "id": f"{server.host}/old/name",
                "repo": "old/name",
                "url": f"{scheme}{server.host}/old/name{ending}",
                "ref": "v1",
            }
        ],
        schema.REPOSITORY,
    )
    stage.prepare(corpus_of([table]), side)
    outcome = judge(stage, "github", side.get_shard("metadata", shard="00000"), side.for_shard("00000"))
    (row,) = outcome.kept.to_pylist()
    assert (row["id"], row["ref"]) == (f"{server.host}/old/name", "v1")
    assert (row["repo"], row["renamed_from"]) == ("New/Title", "old/name")
    assert row["url"] == f"{scheme}{server.host}/New/Title{ending}"
    assert sentences(stage, outcome)[-1].endswith("default branch main, renamed from old/name")


def test_what_cannot_be_read_is_left_out_and_says_why(server: GitHubServer, stage: GitHub, run_stage: RunStage) -> None:
    block = {"reason": "dmca", "created_at": "2020-01-02T03:04:05Z", "html_url": "https://example.org/notice"}
    server.always["/repos/a/blocked"] = Said(451, {}, {"message": "Repository access blocked", "block": block})
    server.always["/repos/a/terms"] = Said(
        403, {}, {"message": "Repository access blocked", "block": {"reason": "tos"}}
    )
    server.add("a/here")
    table = listing(*(f"{server.url}/a/{name}" for name in ("gone", "blocked", "terms", "here")))
    (outcome,) = run_stage(stage, [table])
    assert outcome.kept["repo"].to_pylist() == ["a/here"]
    assert sentences(stage, outcome)[:3] == [
        f"{server.host} knows no such repository: it was deleted, or is private",
        f"{server.host} has blocked it (dmca, since 2020-01-02T03:04:05Z, see https://example.org/notice)",
        f"{server.host} has blocked it (tos, since unknown, see unknown)",
    ]


def test_of_entries_that_lead_to_one_repository_the_first_stays(
    server: GitHubServer, stage: GitHub, run_stage: RunStage
) -> None:
    server.add("old/name")
    server.rename("old/name", "new/name")
    tables = [
        listing(f"{server.url}/new/other", f"{server.url}/old/name"),
        listing(f"{server.url}/New/Name", f"{server.url}/new/other2"),
    ]
    server.add("new/other")
    server.add("new/other2")
    first, second = run_stage(stage, tables)
    assert first.kept["repo"].to_pylist() == ["new/other", "new/name"]
    assert second.kept["repo"].to_pylist() == ["new/other2"]
    (dropped,) = [row for row in second.decisions.to_pylist() if row["action"] == "drop"]
    assert dropped["reason"] == "same_repository"
    assert stage.explain(dropped) == (
        f"it is new/name, and so the same repository as {server.host}/old/name earlier in the list"
    )


def test_forks_and_archived_repositories_are_dropped_on_request(server: GitHubServer, run_stage: RunStage) -> None:
    server.add("a/fork", fork=True, parent={"full_name": "b/origin"})
    server.add("a/orphan", fork=True)
    server.add("a/old", archived=True)
    server.add("a/plain")
    table = listing(*(f"{server.url}/a/{name}" for name in ("fork", "orphan", "old", "plain")))
    stage = stage_at(server, drop_forks=True, drop_archived=True)
    (outcome,) = run_stage(stage, [table])
    assert outcome.kept["repo"].to_pylist() == ["a/plain"]
    assert sentences(stage, outcome)[:3] == [
        "it is a fork of b/origin",
        "it is a fork of unknown",
        "its owner archived it, so it is not maintained",
    ]
    (kept,) = run_stage(stage_at(server), [table])
    assert kept.kept.num_rows == 4


def test_a_failure_loses_no_repository(server: GitHubServer, stage: GitHub, side: Side, run_stage: RunStage) -> None:
    server.add("a/ok")
    server.add("a/slow")
    server.always["/repos/a/bad"] = Said(502)
    server.always["/repos/a/secret"] = Said(403, {}, {"message": "Protected by SAML"})
    table = listing(*(f"{server.url}/a/{name}" for name in ("ok", "bad", "secret")))
    (outcome,) = run_stage(stage, [table])
    assert outcome.kept["repo"].to_pylist() == ["a/ok", "a/bad", "a/secret"]
    assert outcome.kept["stars"].to_pylist() == [0, None, None]
    notes = [row for row in outcome.decisions.to_pylist() if row["reason"] == "metadata_unavailable"]
    assert [(row["action"], json.loads(row["detail"])["transient"]) for row in notes] == [
        ("note", True),
        ("note", False),
    ]
    assert stage.explain(notes[0]) == f"{server.host} did not say anything about it: it answered 502"
    assert side.wants_retry()


def test_every_slice_of_a_shard_is_judged_alike(
    server: GitHubServer, stage: GitHub, side: Side, corpus_of: Callable[..., Corpus]
) -> None:
    for name in ("a/x", "a/y"):
        server.add(name)
    table = listing(f"{server.url}/a/x", "https://elsewhere.org/a/b", f"{server.url}/a/none", f"{server.url}/a/y")
    stage.prepare(corpus_of([table]), side)
    found, here = side.get_shard("metadata", shard="00000"), side.for_shard("00000")
    assert found["id"].equals(table["id"])
    whole = judge(stage, "github", found, here)
    parts = [judge(stage, "github", found.slice(row, 1), here) for row in range(4)]
    assert pa.concat_tables([part.kept for part in parts]).equals(whole.kept)
    empty = judge(stage, "github", found.slice(0, 0), here)
    assert empty.kept.num_rows == empty.decisions.num_rows == 0


def test_where_it_is_asked_is_no_part_of_the_fingerprint(server: GitHubServer) -> None:
    one = stage_identity("github", GitHub())
    elsewhere = GitHub(api="https://proxy.example.org", token_file="~/t", requests_at_once=2, max_wait_s=1.0)
    assert stage_identity("github", elsewhere) == one
    assert stage_identity("github", GitHub(drop_forks=True)) != one


# Whole runs


@pytest.fixture
def run(tmp_path: Path, server: GitHubServer) -> Callable[..., Run]:
    """Runs a recipe `intake: [github, opt_out]` over these repositories of the server."""

    def go(names: Sequence[str], **fields: Any) -> Run:
        write_recipe(tmp_path, server, names, **fields)
        return execute_in(tmp_path)

    return go


def write_recipe(folder: Path, server: GitHubServer, names: Sequence[str], **fields: Any) -> None:
    (folder / "list.txt").write_text("".join(f"{server.url}/{name}\n" for name in names))
    if not (folder / "opt-outs.txt").exists():
        (folder / "opt-outs.txt").write_text("shy\n")
    (folder / "hosts.yml").write_text(f"{server.host}:\n    oauth_token: {TOKEN}\n")
    stage = {"host": server.host, "api": server.url, "requests_a_minute": 10**9, "retries": 0, "timeout_s": 10.0}
    stage |= {"token_file": str(folder / "hosts.yml")} | fields
    passes = {"intake": [{"github": stage}, {"opt_out": {"requests": "opt-outs.txt"}}]}
    (folder / "r.yaml").write_text(json.dumps({"name": "r", "repositories": "list.txt", "passes": passes}))


def execute_in(folder: Path) -> Run:
    recipe = load_recipe(str(folder / "r.yaml"), CATALOG)
    return execute(recipe, str(folder / "out"), lambda: nullcontext(InlineExecutor()), Quiet(), lambda run: False)


def documents(run: Run) -> list[dict[str, Any]]:
    paths = [receipt["documents"]["path"] for receipt in run.passes[-1].receipts.values()]
    return [row for path in sorted(paths) for row in run.store.read_table(path).to_pylist()]


def test_opt_outs_hold_for_the_old_and_for_the_new_name(server: GitHubServer, run: Callable[..., Run]) -> None:
    for name in ("shy/a", "bold/b", "free/c"):
        server.add(name)
    server.rename("shy/a", "bold/a")
    server.rename("bold/b", "shy/b")
    kept = documents(run(["shy/a", "bold/b", "free/c"]))
    assert [row["repo"] for row in kept] == ["free/c"]


def test_a_run_that_a_limit_stopped_goes_on_where_it_was(server: GitHubServer, run: Callable[..., Run]) -> None:
    names = [f"a/r{number}" for number in range(12)]
    for name in names:
        server.add(name)
    server.limit, server.window_s = 5, 1000
    with pytest.raises(RunFailed, match="run again then"):
        run(names, max_wait_s=1)
    assert server.count(200) == 5
    server.limit, server.reset = 100, 0
    assert len(documents(run(names, max_wait_s=1))) == 12
    assert (server.count(304), server.count(200)) == (5, 12)
    assert server.remaining == 100 - 7


def test_a_killed_run_goes_on_where_it_was(server: GitHubServer, tmp_path: Path) -> None:
    names = [f"a/r{number}" for number in range(130)]
    for name in names:
        server.add(name)
    server.slow["/repos/a/r129"] = Event()
    write_recipe(tmp_path, server, names)
    code = "import pathlib, sys; from tests.test_github import execute_in; execute_in(pathlib.Path(sys.argv[1]))"
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parents[1])
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").glob("cache/github/*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    server.slow.pop("/repos/a/r129").set()
    assert len(documents(execute_in(tmp_path))) == 130
    assert server.count(304) >= 100


def test_another_configuration_asks_again_at_no_cost(server: GitHubServer, run: Callable[..., Run]) -> None:
    server.add("a/b")
    server.limit = 50
    run(["a/b"])
    server.add("c/d")
    run(["c/d", "a/b"], drop_forks=True)
    assert (server.count(200), server.count(304)) == (2, 1)
    assert server.remaining == 48


def test_an_answer_that_was_kept_without_the_creation_is_asked_for_anew_once(
    server: GitHubServer, run: Callable[..., Run], tmp_path: Path
) -> None:
    server.add("a/b")
    run(["a/b"])
    (file,) = (tmp_path / "out/cache/github").iterdir()
    etag, fields = json.loads(file.read_bytes())[f"{server.host}/a/b"]
    del fields["created"]
    file.write_text(json.dumps({f"{server.host}/a/b": [etag, fields]}))
    for configuration in ({"drop_forks": True}, {"drop_archived": True}):
        (row,) = documents(run(["a/b"], **configuration))
        assert row["created"] == datetime(2011, 1, 26, 19, 1, 12, tzinfo=UTC)
    assert (server.count(200), server.count(304)) == (2, 1)


def test_what_failed_for_now_is_asked_for_again_and_nothing_else(server: GitHubServer, run: Callable[..., Run]) -> None:
    for name in ("a/one", "a/two"):
        server.add(name)
    server.rename("a/two", "b/two")
    server.instead["/repos/a/one"] = [Said(503)]
    names = ["a/two", "a/one", "b/two", "a/gone"]
    first = documents(run(names))
    assert [row["stars"] for row in first] == [0, None]
    server.repositories["a/one"]["stargazers_count"] = 9
    server.repositories["b/two"]["stargazers_count"] = 9
    asked = len(server.asked)
    again = documents(run(names))
    assert [row["stars"] for row in again] == [0, 9]
    assert [asked.path for asked in server.asked[asked:]] == ["/repos/a/one"]
    run(names)
    assert len(server.asked) == asked + 1


def test_it_works_without_a_token(server: GitHubServer, run: Callable[..., Run]) -> None:
    server.add("a/b")
    assert documents(run(["a/b"], token_file=None))[0]["stars"] == 0
    assert [asked.token for asked in server.asked] == [None]


def test_the_token_is_sent_and_in_no_file_of_the_run(
    server: GitHubServer, run: Callable[..., Run], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    server.add("a/b")
    server.always["/repos/a/bad"] = Said(500)
    run(["a/b", "a/bad"])
    assert {asked.token for asked in server.asked} == {TOKEN}
    server.tokens = set()
    with pytest.raises(UsageError, match=r"does not accept the token in '.*hosts\.yml'") as error:
        run(["a/b"])
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(files) > 5
    assert not any(TOKEN.encode() in path.read_bytes() for path in files)
    assert TOKEN not in "".join([*capfd.readouterr(), str(error.value), repr(error.value)])


def test_a_token_file_without_the_host_is_told_before_anything_is_asked(
    server: GitHubServer, run: Callable[..., Run], tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with pytest.raises(UsageError, match=f"holds no token for {server.host}"):
        run(["a/b"], token_file=str(tmp_path / "token"))
    assert server.asked == []


# The cache


def test_the_cache_is_kept_in_few_files_and_read_again(side: Side) -> None:
    with AnswerCache(side, "github/host") as cache:
        for number in range(4500):
            cache.add(f"a/{number}", Kept(f"e{number}", {"stars": number}))
    assert side.store.names("cache/github") == [f"host-0000{number}.json" for number in range(3)]
    with AnswerCache(side, "github/host") as cache:
        cache.add("a/1", Kept("new", {"stars": 0}))
    cache = AnswerCache(side, "github/host")
    assert cache.get("a/1") == Kept("new", {"stars": 0})
    assert cache.get("a/4499") == Kept("e4499", {"stars": 4499})
    assert cache.get("a/4500") is None
    assert len(side.store.names("cache/github")) == 3


def test_a_damaged_file_of_the_cache_counts_as_empty(side: Side) -> None:
    for number, damaged in enumerate((b"\xff", b"{", b"[1]", b'{"a": 1}', b'{"a": ["e"]}')):
        side.keep(f"github/host-{number:05d}.json", damaged)
    with AnswerCache(side, "github/host") as cache:
        assert cache.get("a") is None
        cache.add("a", Kept("e", {}))
    assert AnswerCache(side, "github/host").get("a") == Kept("e", {})
