"""The executor that needs nothing: every task in this process, one after the other (`--inline`).

Only tasks that wait for something else run side by side, in threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, TypeVar

from pipeline.side import Worker

T = TypeVar("T")


class InlineExecutor:
    """Runs tasks in the calling process; see pipeline.side.Executor."""

    workers = 1

    def __init__(self) -> None:
        self._worker = Worker()

    def map(
        self,
        task: Callable[[Any, Worker], T],
        items: Iterable[Any],
        *,
        alone: bool = False,
        gpus: float = 0.0,
        at_once: int = 1,
    ) -> Iterator[tuple[int, T]]:
        worker = Worker() if alone else self._worker
        if at_once == 1:
            for index, item in enumerate(items):
                yield index, task(item, worker)
            return
        pool = ThreadPoolExecutor(at_once)
        try:
            running = {pool.submit(task, item, worker): index for index, item in enumerate(items)}
            for future in as_completed(running):
                yield running[future], future.result()
        except BaseException:  # an interrupt too
            worker.stopping.set()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
