"""The installed `quarry` command: mistakes end with exit code 2, an interrupt with 130, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gitrepos import commit_files

QUARRY = str(Path(sys.executable).with_name("quarry"))
RECIPE = "name: small\nrepositories: list.txt\npasses:\n  acquire: [acquire]\n  filter: [select, quality]\n"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    commit_files(tmp_path / "one.git", {"a.py": b"def f(x):\n    return x\n" * 9, "b.py": b"print('b')\n" * 9})
    (tmp_path / "list.txt").write_text(f"file://{tmp_path}/one.git\n")
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE)
    return path


def quarry(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([QUARRY, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope"], "No such command 'nope'"),
        (["run", "{recipe}"], "Missing option '--out'"),
        (["run", "{recipe}", "--out", "{folder}/x", "--workers", "0"], "--workers"),
        (["run", "{recipe}", "--out", "{folder}/list.txt"], "list.txt"),
        (["run", "{recipe}", "--out", "{folder}/list.txt/x", "--inline"], "cannot write to"),
        (["run", "{recipe}", "--out", ""], "is no directory for a run"),
        (["run", "{recipe}", "--out", "foo://x"], "cannot be used"),
        (["run", "{folder}", "--out", "{folder}/x"], "cannot read recipe"),
        (["status"], "Missing argument 'DIR'"),
        (["status", "{folder}"], "holds no run"),
        (["why", "{folder}/nowhere", "a/b"], "holds no run"),
        (["report", "{folder}"], "holds no run"),
        (["train", "{folder}"], "holds no dataset"),
        (["train", "{folder}/list.txt", "--plan"], "holds no dataset"),
    ],
)
def test_a_mistake_is_told_without_a_traceback(arguments: list[str], said: str, recipe: Path) -> None:
    before = sorted(recipe.parent.iterdir())
    done = quarry(*(text.format(recipe=recipe, folder=recipe.parent) for text in arguments))
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(recipe.parent.iterdir()) == before


def test_an_impossible_request_leaves_a_complete_run_as_it_was(recipe: Path) -> None:
    out = recipe.parent / "out"
    assert quarry("run", recipe, "--out", out, "--inline").returncode == 0
    assert quarry("run", recipe, "--out", out, "--ray", "127.0.0.1:9", "--set", "quality.max_lines=10").returncode == 2
    assert '"complete": true' in quarry("status", out, "--json").stdout
    assert quarry("why", out, "nobody/here").returncode == 2


@pytest.mark.parametrize("options", [["--inline"], ["--workers", "1"]])
def test_an_interrupt_is_one_sentence_and_the_same_command_continues(options: list[str], recipe: Path) -> None:
    out = recipe.parent / "out"
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it accepts, and never answers
        with (recipe.parent / "list.txt").open("a") as listed:
            listed.write(f"http://127.0.0.1:{silent.getsockname()[1]}/acme/silent.git\n")
        command = [QUARRY, "run", str(recipe), "--out", str(out), *options]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        connection, _ = silent.accept()  # git is waiting now
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        connection.close()
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "quarry: interrupted; finished shards stay, the same command continues."
    done = quarry("run", recipe, "--out", out, "--inline", "--set", "acquire.retries=0")
    assert done.returncode == 0, done.stderr
    assert "acme/silent" in quarry("why", out, "acme/silent").stdout
