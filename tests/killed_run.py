"""Executes a recipe in a process of its own that kills itself, hard, at a given write; for tests of recovery."""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import nullcontext
from pathlib import Path

from pipeline import storage
from pipeline.inline import InlineExecutor
from pipeline.recipe import load_recipe
from pipeline.run import execute
from stages.catalog import CATALOG
from stages.publish import publish
from tests.toy import Quiet


def run_and_die(recipe: Path, out: Path, die_at: int) -> int:
    """Run `recipe` into `out` in a process that kills itself at write `die_at`; its exit code, -9 when it did."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.killed_run"])
    process = context.Process(target=_run, args=(str(recipe), str(out), die_at))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def run_whole(recipe: Path, out: Path) -> None:
    """Run `recipe` into `out`, inline, in this process."""
    execute(load_recipe(str(recipe), CATALOG), str(out), lambda: nullcontext(InlineExecutor()), Quiet(), publish)


def count_writes(recipe: Path, out: Path) -> list[str]:
    """Run `recipe` into `out` in this process; the paths it wrote or moved, in order."""
    written: list[str] = []
    with _watched(written.append):
        run_whole(recipe, out)
    return written


class _watched:
    """Calls `before(path)` ahead of every write and move of a Storage."""

    def __init__(self, before: object) -> None:
        self._before = before
        self._originals = storage.Storage.write_bytes, storage.Storage.move

    def __enter__(self) -> None:
        write, move, before = *self._originals, self._before

        def watched_write(self: storage.Storage, path: str, data: bytes) -> None:
            before(path)  # type: ignore[operator]
            write(self, path, data)

        def watched_move(self: storage.Storage, source: str, target: str) -> None:
            before(target)  # type: ignore[operator]
            move(self, source, target)

        storage.Storage.write_bytes = watched_write  # type: ignore[method-assign]
        storage.Storage.move = watched_move  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        storage.Storage.write_bytes, storage.Storage.move = self._originals  # type: ignore[method-assign]


def _run(recipe: str, out: str, die_at: int) -> None:
    count = 0

    def die(path: str) -> None:
        nonlocal count
        count += 1
        if count == die_at:
            target = Path(out) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.with_name(f"{target.name}{storage.TEMPORARY}half").write_bytes(b"half a file")
            os.kill(os.getpid(), signal.SIGKILL)

    with _watched(die):
        run_whole(Path(recipe), Path(out))
