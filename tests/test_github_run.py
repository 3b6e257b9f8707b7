"""A whole intake and acquisition against a server that speaks GitHub's REST answers and one that serves git."""

from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from opt_out.stage import OptOut
from pipeline.inline import InlineExecutor
from pipeline.recipe import load_recipe
from pipeline.run import execute
from pipeline.stage import Stage
from pipeline.state import Run
from reports.why import why
from stages.acquire import Acquire
from stages.github import GitHub
from tests.github_server import Said, github
from tests.gitrepos import commit_files, served
from tests.toy import Quiet

CATALOG: dict[str, type[Stage]] = {"github": GitHub, "opt_out": OptOut, "acquire": Acquire}
LISTED = ("acme/widgets", "old-name/gears", "acme/gone", "acme/forbidden", "shy/secrets", "ACME/Widgets.git")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Of these: one as listed, one renamed, one gone, one blocked, one whose owner opted out under its old name."""
    folder = tmp_path_factory.mktemp("github")
    for repo in ("acme/widgets", "new-name/gears", "renamed/secrets"):
        commit_files(folder / "remotes" / repo, {"main.py": f"print({repo!r})\n".encode()})
    (folder / "opt-out.txt").write_text("shy/secrets\n")
    with served(folder / "remotes") as git, github() as server:
        host = git.removeprefix("http://")
        (folder / "list.txt").write_text("".join(f"{git}/{repo}\n" for repo in LISTED))
        server.add("Acme/Widgets", stargazers_count=42, fork=True, parent={"full_name": "Origin/Widgets"})
        server.add("old-name/gears", stargazers_count=7, created_at="2008-04-10T02:17:55Z")
        server.add("shy/secrets")
        server.rename("old-name/gears", "new-name/gears")
        server.rename("shy/secrets", "renamed/secrets")
        server.always["/repos/acme/forbidden"] = Said(451, body={"block": {"reason": "dmca"}})
        asked = f"{{host: '{host}', api: '{server.url}', requests_a_minute: 100000}}"
        (folder / "recipe.yaml").write_text(
            "name: github\nrepositories: list.txt\npasses:\n"
            f"  intake: [{{github: {asked}}}, {{opt_out: {{requests: opt-out.txt}}}}]\n  acquire: [acquire]\n"
        )
        recipe = load_recipe(str(folder / "recipe.yaml"), CATALOG)
        return execute(recipe, str(folder / "run"), lambda: nullcontext(InlineExecutor()), Quiet(), lambda run: False)


def documents(run: Run) -> dict[str, dict[str, object]]:
    tables = [run.store.read_table(r["documents"]["path"]) for r in run.passes[-1].receipts.values()]
    return {row["repo"]: row for table in tables for row in table.to_pylist()}


def test_documents_carry_the_name_the_stars_the_fork_and_the_creation_that_the_host_tells(run: Run) -> None:
    found = documents(run)
    assert found.keys() == {"Acme/Widgets", "new-name/gears"}
    assert (found["Acme/Widgets"]["stars"], found["Acme/Widgets"]["fork"]) == (42, True)
    assert (found["new-name/gears"]["stars"], found["new-name/gears"]["fork"]) == (7, False)
    assert found["Acme/Widgets"]["created"] == datetime(2011, 1, 26, 19, 1, 12, tzinfo=UTC)
    assert found["new-name/gears"]["created"] == datetime(2008, 4, 10, 2, 17, 55, tzinfo=UTC)


def test_a_request_by_the_old_name_is_honoured_before_anything_is_cloned(run: Run) -> None:
    planned = run.store.full(f"{run.passes[1].folder.path}/side/plan")
    repos = {repo for path in Path(planned).iterdir() for repo in pq.read_table(path)["repo"].to_pylist()}
    assert repos == {"Acme/Widgets", "new-name/gears"}
    assert "the request says 'shy/secrets'" in why(run, "shy/secrets").text()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("old-name/gears", "renamed from"),
        ("new-name/gears", "Of 1 document, 1 is in the dataset."),
        ("Acme/Widgets", "a fork of Origin/Widgets"),
        ("acme/gone", "left out as a whole"),
        ("acme/forbidden", "dmca"),
    ],
)
def test_why_knows_a_repository_by_all_its_names(run: Run, name: str, told: str) -> None:
    assert told in why(run, name).text()
    assert json.dumps(why(run, name).as_json())


def test_why_finds_a_document_by_the_old_name_too(run: Run) -> None:
    assert why(run, "old-name/gears:main.py").as_json() == why(run, "new-name/gears:main.py").as_json()
