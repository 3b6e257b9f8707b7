"""Runs for tests of opt-out: real git repositories that copy from each other, through the real stages, inline."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml

from opt_out.ledger import Ledger, Request
from opt_out.selectors import parse_selector
from recipes.demo_planted import mit, tool
from tests.command import quarry
from tests.gitrepos import commit_files

VERBS = ("grind", "polish", "sift", "anneal", "temper", "plate", "braid", "carve", "glaze", "etch", "weld", "sand")
RECIPE = {
    "name": "optout",
    "repositories": "repositories.txt",
    "passes": {
        "intake": [{"opt_out": {"ledger": "ledger.sqlite"}}],
        "acquire": [{"acquire": {"shard_bytes": 9_000}}],
        "filter": ["select"],
        "deduplicate": ["deduplicate", {"opt_out": {"as": "gate", "ledger": "ledger.sqlite"}}],
        "tokenize": [{"tokenize": {"vocabulary": 300, "validation_share": 0.2}}],
    },
}


def own_files(verb: str, holder: str = "Acme") -> dict[str, bytes]:
    """A small program with a licence; no two verbs make near-copies."""
    files = {str(path): file.data for path, file in tool(verb).items()}
    return {f"{verb}/{path}": data for path, data in files.items()} | {"LICENSE": mit(holder).data}


def repositories() -> dict[str, dict[str, bytes]]:
    """owner/name -> files. widgets is copied by a fork, by a vendoring project, and one file of it exactly."""
    made = {f"owner{n}/{verb}er": own_files(verb) for n, verb in enumerate(VERBS[3:])}
    widgets = {**own_files("grind"), **own_files("polish"), "src/secret.py": own_files("sift")["sift/sift.py"]}
    made["acme/widgets"] = widgets
    made["acme/gadgets"] = {**own_files("spin"), **own_files("crimp")}
    made["acme-corp/widgets"] = own_files("weave")
    fork = {path: data.replace(b"at most", b"no more than") for path, data in widgets.items()}
    made["forker/widgets"] = {**fork, **own_files("knit")}
    vendored = {f"third_party/{path}": data for path, data in widgets.items()}
    made["vendor/app"] = {**vendored, **own_files("sew")}
    return made


def build(folder: Path, content: Mapping[str, Mapping[str, bytes]] | None = None) -> Path:
    """Bare repositories, their list, an empty ledger and the recipe in `folder`."""
    lines = []
    for name, files in (content or repositories()).items():
        tree: dict[str | bytes, bytes] = {}
        for path, data in files.items():
            tree[path] = data
        lines.append(f"file://{commit_files(folder / 'git' / f'{name}.git', tree)}")
    (folder / "repositories.txt").write_text("\n".join(lines) + "\n")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE, sort_keys=False))
    Ledger.create(str(folder / "ledger.sqlite")).__exit__(None, None, None)
    return folder


def complete(folder: Path, out: str = "run", *more: str) -> Path:
    """The run of the recipe in `folder`, completed inline."""
    done = quarry("run", folder / "recipe.yaml", "--out", folder / out, "--inline", *more)
    assert done.exit_code == 0, done.output
    return folder / out


def copied(folder: Path, into: Path) -> Path:
    """A copy of repositories, ledger, recipe and runs, for a test that changes them."""
    shutil.copytree(folder, into, dirs_exist_ok=True)
    return into


def ask(folder: Path, *selectors: str, copies: bool = False, source: str = "") -> Request:
    """A verified request in the ledger of `folder`."""
    with Ledger.open(str(folder / "ledger.sqlite")) as ledger:
        wanted = [parse_selector(selector, "test") for selector in selectors]
        request = ledger.receive(wanted, source=source or f"test:{','.join(selectors)}", person=None, copies=copies)
        ledger.record("verified", request.id, {"how": "operator", "because": "a test"})
        return ledger.request(request.id)
