"""Runs acquire over the URLs of a few small repositories, and says what became of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import yaml

from pipeline.inline import InlineExecutor
from pipeline.recipe import load_recipe
from pipeline.run import execute
from pipeline.state import Run
from stages.acquire import Acquire
from tests.gitrepos import commit_files
from tests.toy import Quiet

TOKEN = "ghp_" + "q7Zw" * 9
GOOD = ("good1", "good2", "good3")
NOISE = Random(5).randbytes


class Fate(NamedTuple):
    """What became of a repository: the text of its files, or the reason why there is none and whether that may pass."""

    texts: dict[str, str]
    reason: str | None = None
    transient: bool = False
    commit: str | None = None


UNREACHABLE = Fate({}, "repository_unreachable", transient=True)
GONE = Fate({}, "repository_gone")


def add_repositories(folder: Path, *names: str, noise: int = 0) -> Path:
    """Repositories that hold their name in `f`, and so many incompressible bytes beside it, which are no text."""
    for name in names:
        files: dict[str | bytes, bytes] = {"f": name.encode()}
        if noise:
            files["noise"] = b"\0" + NOISE(noise)
        commit_files(folder / name, files)
    return folder


def write_recipe(folder: Path, urls: list[str], **fields: Any) -> Path:
    """A recipe that reads these repositories, with these fields of acquire."""
    folder.mkdir(exist_ok=True)
    (folder / "list.txt").write_text("".join(f"{url}\n" for url in urls))
    stage = {"retries": 0, "downloads": 4} | fields
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
            fate = found.setdefault(row["repo"].split("/")[-1], Fate({}, commit=row["commit"]))
            fate.texts[row["path"]] = row["text"]
    for receipt in run.passes[0].receipts.values():
        for row in run.store.read_table(receipt["decisions"]["path"]).to_pylist():
            if not row["path"]:
                name = row["repo"].split("/")[-1]
                assert name not in found
                found[name] = Fate({}, row["reason"], json.loads(row["detail"])["transient"])
    assert len(found) == run.repositories.num_rows
    return found


def acquired(folder: Path, urls: list[str], **fields: Any) -> dict[str, Fate]:
    """Complete the run in folder/run; what became of each repository."""
    return fates(run(folder, urls, **fields))


def shards_of(run: Run, *names: str) -> list[str]:
    """The files of documents in which these repositories are."""
    paths = [receipt["documents"]["path"] for receipt in run.passes[0].receipts.values()]
    held = {path: run.store.read_table(path, ["repo"])["repo"].to_pylist() for path in paths}
    return [run.store.full(path) for path in paths if {repo.split("/")[-1] for repo in held[path]} & set(names)]


def assert_read(found: Mapping[str, Fate], *names: str) -> None:
    """These repositories were read, and hold what `add_repositories` wrote."""
    assert {name: found[name].texts for name in names} == {name: {"f": name} for name in names}


def token_file(folder: Path, url: str, token: str = TOKEN) -> str:
    """A hosts.yml as gh writes it, with a token for the server of `url`."""
    (folder / "hosts.yml").write_text(f"{url.removeprefix('http://')}:\n    oauth_token: {token}\n")
    return str(folder / "hosts.yml")
