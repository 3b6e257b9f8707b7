"""Executes runs in processes of their own that kill themselves, hard, at a given point; for tests of recovery.

They are forked from a process that has imported everything, and work side by side: most of a new process's time is its
imports.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from pipeline import storage
from pipeline.inline import InlineExecutor
from pipeline.recipe import load_recipe
from pipeline.run import execute
from pipeline.s3 import S3Files
from stages.catalog import CATALOG
from stages.publish import publish
from tests.toy import Quiet

Work = Callable[[Path, Path], object]  # executes a recipe (its path) into a directory


def run_whole(recipe: str | Path, out: str | Path) -> None:
    """Run `recipe` into `out`, inline, in this process."""
    execute(load_recipe(str(recipe), CATALOG), str(out), lambda: nullcontext(InlineExecutor()), Quiet(), publish)


def forked(target: Callable[..., object], *arguments: object) -> BaseProcess:
    """Start a process that calls `target`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.killed_run", "pii.recognizers"])
    process = context.Process(target=target, args=arguments)
    process.start()
    return process


def killed_runs(work: Work, recipe: Path, folder: Path, points: Iterable[int]) -> Iterator[tuple[int, Path]]:
    """Run `recipe` once for each point, in a process that kills itself at that write; gives point and directory."""
    started = {point: forked(_work_and_die, work, recipe, folder / f"killed{point}", point) for point in points}
    for point, process in started.items():
        process.join()
        assert process.exitcode == -signal.SIGKILL, f"to be killed at write {point}"
        yield point, folder / f"killed{point}"


def die_at_request(recipe: str, out: str, operation: str, times: int, environment: dict[str, str]) -> None:
    """Run until the store is asked the `operation`, a pattern, for that many times; then this process kills itself."""
    os.environ.update(environment)  # the process that forks this one was started before the store
    again, seen = S3Files.again, []

    def watched(files: S3Files, call: Any, *arguments: Any, **options: Any) -> Any:
        if re.search(operation, " ".join(map(str, arguments)) + f" {options.get('Key', '')}"):
            seen.append(call)
            if len(seen) == times:
                os.kill(os.getpid(), signal.SIGKILL)
        return again(files, call, *arguments, **options)

    S3Files.again = watched  # type: ignore[assignment,method-assign]
    run_whole(recipe, out)


def count_writes(work: Work, recipe: Path, out: Path) -> list[str]:
    """Run `recipe` into `out` in this process; the paths it wrote or moved, in order."""
    written: list[str] = []
    with _watched(written.append):
        work(recipe, out)
    return written


class _watched:
    """Calls `before(path)` ahead of every write and move of a Storage."""

    def __init__(self, before: Callable[[str], object]) -> None:
        self._before = before
        self._originals = storage.Storage.write_bytes, storage.Storage.move

    def __enter__(self) -> None:
        write, move, before = *self._originals, self._before

        def watched_write(self: storage.Storage, path: str, *arguments: Any, **options: Any) -> None:
            before(path)
            write(self, path, *arguments, **options)

        def watched_move(self: storage.Storage, source: str, target: str) -> None:
            before(target)
            move(self, source, target)

        storage.Storage.write_bytes = watched_write  # type: ignore[method-assign]
        storage.Storage.move = watched_move  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        storage.Storage.write_bytes, storage.Storage.move = self._originals  # type: ignore[method-assign]


def _work_and_die(work: Work, recipe: Path, out: Path, die_at: int) -> None:
    count = 0

    def die(path: str) -> None:
        nonlocal count
        count += 1
        if count == die_at:
            target = out / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.with_name(f"{target.name}{storage.TEMPORARY}half").write_bytes(b"half a file")
            os.kill(os.getpid(), signal.SIGKILL)

    with _watched(die):
        work(recipe, out)
