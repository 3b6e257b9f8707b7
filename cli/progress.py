"""What a run shows while it works: live bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PLAIN_SECONDS = 10.0  # between two plain lines of one pass


class _Figures:
    """Documents, bytes and drops of a pass as its receipts come in."""

    def __init__(self, shards: int, done: int) -> None:
        self.shards, self.done = shards, done
        self.skipped = done
        self.documents = self.dropped = self.bytes = 0
        self.began = time.monotonic()

    def add(self, receipt: dict[str, Any]) -> None:
        first, last = receipt["stages"][0], receipt["stages"][-1]
        self.done += 1
        self.documents += first["documents_in"]
        self.dropped += first["documents_in"] - last["documents_out"]
        self.bytes += max(first["bytes_in"], last["bytes_out"])

    def line(self) -> str:
        seconds = max(time.monotonic() - self.began, 1e-3)
        rate = f"{self.bytes / 1e6 / seconds:.1f} MB/s" if self.bytes else "-"
        return f"{self.documents:,} documents, {self.dropped:,} dropped, {rate}"

    def remaining(self) -> str:
        worked = self.done - self.skipped
        if not worked or self.done == self.shards:
            return ""
        seconds = (time.monotonic() - self.began) / worked * (self.shards - self.done)
        return f", {seconds:.0f} s to go"


class PlainListener:
    """One line when a pass starts, one every ten seconds, one when it ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._figures = _Figures(0, 0)
        self._last = 0.0

    def __enter__(self) -> PlainListener:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def note(self, message: str) -> None:
        self._print(f"note: {message}")

    def pass_started(self, name: str, shards: int, done: int, workers: int) -> None:
        self._figures, self._last = _Figures(shards, done), time.monotonic()
        already = f", {done} of them done before" if done else ""
        self._print(f"{name}: {shards} shards{already}, {workers} workers")

    def preparing(self, name: str, done: int, total: int) -> None:
        if self._due():
            self._print(f"{name}: preparing {done}/{total}")

    def shard_finished(self, name: str, receipt: dict[str, Any]) -> None:
        self._figures.add(receipt)
        if self._due():
            figures = self._figures
            self._print(f"{name}: {figures.done}/{figures.shards} shards, {figures.line()}{figures.remaining()}")

    def pass_finished(self, name: str) -> None:
        self._print(f"{name}: done, {self._figures.line()}")

    def _due(self) -> bool:
        if time.monotonic() - self._last < PLAIN_SECONDS:
            return False
        self._last = time.monotonic()
        return True

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class LiveListener:
    """A bar a pass: shards, documents, dropped, MB/s and the time to go."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=console,
        )
        self._figures = _Figures(0, 0)
        self._task: Any = None
        self._preparing: Any = None

    def __enter__(self) -> LiveListener:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def note(self, message: str) -> None:
        self._progress.console.print(f"note: {message}", markup=False, highlight=False)

    def pass_started(self, name: str, shards: int, done: int, workers: int) -> None:
        self._end_preparing()
        self._figures = _Figures(shards, done)
        self._task = self._progress.add_task(name, total=shards, completed=done, figures="")

    def preparing(self, name: str, done: int, total: int) -> None:
        if self._preparing is None:
            self._preparing = self._progress.add_task(name, total=total, figures="preparing")
        self._progress.update(self._preparing, completed=done, total=total)

    def shard_finished(self, name: str, receipt: dict[str, Any]) -> None:
        self._figures.add(receipt)
        self._progress.update(self._task, completed=self._figures.done, figures=self._figures.line())

    def pass_finished(self, name: str) -> None:
        self._progress.update(self._task, figures=self._figures.line())

    def _end_preparing(self) -> None:
        if self._preparing is not None:
            self._progress.remove_task(self._preparing)
            self._preparing = None


def listener(console: Console) -> PlainListener | LiveListener:
    """The listener that fits where `console` writes."""
    return LiveListener(console) if console.is_terminal else PlainListener(console)
