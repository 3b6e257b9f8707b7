"""Documentation cannot rot: generated pages are current, commands and guarantees named in it exist, arrows hold."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.main import app
from pipeline.law import judge
from pipeline.side import Side, Worker
from pipeline.storage import Storage
from reports.reference import pages
from stages.catalog import CATALOG
from tests.toy import documents

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

# Who may import whom; a room may always import itself.
ARROWS = {
    "pipeline": set(),
    "pii": {"pipeline"},
    "opt_out": {"pipeline"},
    "stages": {"pipeline", "pii", "opt_out"},
    "training": {"pipeline", "pii", "opt_out", "stages"},
    "attribution": {"pipeline", "pii", "opt_out", "stages"},
    "reports": {"pipeline", "pii", "opt_out", "stages"},
    "cli": {"pipeline", "pii", "opt_out", "stages", "training", "attribution", "reports", "recipes"},
}
# Heavy libraries, and the only places that may import them.
ONLY = {
    "ray": ("pipeline/executor.py", "training/train.py"),
    "presidio_analyzer": ("pii/",),
    "torch": ("training/", "pii/"),
}


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("room", ARROWS)
def test_imports_follow_the_arrows(room: str) -> None:
    for path in (ROOT / room).rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        imports = _imports(path)
        assert not (imports & ARROWS.keys()) - ARROWS[room] - {room}, name
        for library, places in ONLY.items():
            assert library not in imports or name.startswith(places), f"{name} imports {library}"


@pytest.mark.parametrize("name", pages())
def test_generated_pages_are_current(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == pages()[name], "run 'make docs'"


def test_every_stage_says_what_it_does_and_each_reason_explains_itself() -> None:
    for name, kind in CATALOG.items():
        assert kind.__doc__, name
        assert all(
            re.fullmatch(r"[a-z][a-z0-9_]*", reason) and sentence for reason, sentence in kind.reasons.items()
        ), name


def test_every_command_has_help_and_is_documented() -> None:
    readme = (ROOT / "README.md").read_text()
    for command in typer.main.get_command(app).commands.values():  # type: ignore[attr-defined]
        assert command.help, command.name
        assert f"quarry {command.name}" in readme, command.name


def test_the_stage_the_readme_adds_works(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 15
    names: dict[str, Any] = {}
    exec(code, names)
    shard = documents(["x", "long enough to be kept"])
    side = Side(Storage(tmp_path), "pass/side", tmp_path, Worker(), "00000")
    stage = names["Short"](minimum=5)
    kept, decisions = judge(stage, "short", shard, side)
    assert kept["text"].to_pylist() == ["long enough to be kept"]
    assert stage.explain(decisions.to_pylist()[0]) == "it has fewer than 5 bytes"


def test_no_page_has_a_placeholder() -> None:
    for page in PAGES:
        assert not re.search(r"^[A-Z_]{5,}$", page.read_text(), re.MULTILINE), page.name


def test_every_test_a_guarantee_names_exists() -> None:
    for page in PAGES:
        for path, name in re.findall(r"(tests/test_\w+\.py)::(\w+)", page.read_text()):
            assert f"def {name}(" in (ROOT / path).read_text(), f"{page.name} names {path}::{name}"


def test_every_link_in_the_documentation_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_make_targets_in_the_documentation_exist() -> None:
    listed = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for page in PAGES:
        for target in re.findall(r"`make (\w+)`", page.read_text()):
            assert f"make {target}" in listed, f"{page.name} names 'make {target}'"
