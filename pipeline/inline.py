"""The executor that needs nothing: every task in this process, one after the other (`--inline`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from pipeline.side import Worker

T = TypeVar("T")


class InlineExecutor:
    """Runs tasks in the calling process; see pipeline.side.Executor."""

    workers = 1

    def __init__(self) -> None:
        self._worker = Worker()

    def map(
        self, task: Callable[[Any, Worker], T], items: Iterable[Any], *, alone: bool = False, gpus: float = 0.0
    ) -> Iterator[tuple[int, T]]:
        worker = Worker() if alone else self._worker
        for index, item in enumerate(items):
            yield index, task(item, worker)
