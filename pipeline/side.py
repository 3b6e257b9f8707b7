"""What a stage may see besides its shard: the corpus while it prepares, and the side inputs it prepared.

A side input is either one file for all shards (a tokenizer) or one table a shard (which of its documents are
duplicates), so that a worker reads what its shard needs and nothing grows with the corpus on one node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from pipeline.storage import Storage

RETRY = "retry"  # a file among the side inputs
CACHE = "cache"  # a folder of the run, see Side.keep

T = TypeVar("T")
Item = TypeVar("Item")


@dataclass
class Worker:
    """What one worker process keeps between tasks: models and indexes, by name, for the pass it works on."""

    owner: str = ""
    kept: dict[str, Any] = field(default_factory=dict)
    stopping: Event = field(default_factory=Event)  # set when the results of running tasks are not wanted any more

    def __reduce__(self) -> tuple[type[Worker], tuple[()]]:
        return Worker, ()  # what it keeps stays in its process

    def load(self, owner: str, name: str, loader: Callable[[], T]) -> T:
        """The object `name` of pass `owner`, made by `loader` the first time; another pass's objects are let go."""
        if owner != self.owner:
            self.owner, self.kept = owner, {}
        if name not in self.kept:
            self.kept[name] = loader()
        found: T = self.kept[name]
        return found


class Executor(Protocol):
    """The only parallelism: `map` runs a task on every item, and yields (index of the item, result) as they end."""

    workers: int

    def map(
        self,
        task: Callable[[Any, Worker], T],
        items: Iterable[Any],
        *,
        alone: bool = False,
        gpus: float = 0.0,
        at_once: int = 1,
    ) -> Iterator[tuple[int, T]]:
        """`alone` runs on one worker of its own that ends with the call: a heavy index is loaded once, then freed.

        `at_once` is how many items a worker has in hand, in threads: for tasks that wait for the network or for
        another program, not for the CPU. They must not use `Worker.load`.
        """
        ...


@dataclass(frozen=True)
class Side:
    """The side inputs of one pass, below its `side/` folder, and the objects the worker keeps."""

    store: Storage
    folder: str  # the pass's `side` folder, relative to the run
    scratch: Path  # a local folder for temporary files of this pass; removed when the pass is complete
    worker: Worker
    shard: str | None = None  # the shard that is being applied; None while preparing

    def put(self, name: str, table: pa.Table, shard: str | None = None) -> None:
        """Write the table `name`: for all shards, or for one shard."""
        self.store.write_table(self._path(name, shard), table)

    def get(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """The table `name` that was put for all shards."""
        return self.store.read_table(self._path(name, None), columns)

    def get_shard(self, name: str, columns: Sequence[str] | None = None, shard: str | None = None) -> pa.Table:
        """The table `name` that was put for `shard`, by default the one that is being applied."""
        return self.store.read_table(self._path(name, shard or self.shard), columns)

    def has_shard(self, name: str, shard: str) -> bool:
        """Whether the table `name` was put for `shard`."""
        return self.store.exists(self._path(name, shard))

    def put_bytes(self, name: str, data: bytes) -> None:
        """Write the file `name` (with its ending, such as tokenizer.json) for all shards."""
        self.store.write_bytes(f"{self.folder}/{name}", data)

    def get_bytes(self, name: str) -> bytes:
        return self.store.read_bytes(f"{self.folder}/{name}")

    def keep(self, name: str, data: bytes) -> None:
        """Write a file that later preparations of any configuration may use again, such as a cache of answers."""
        self.store.write_bytes(f"{CACHE}/{name}", data)

    def kept(self, name: str) -> bytes | None:
        """What `keep` wrote, by this preparation or an earlier one; None where there is nothing."""
        path = f"{CACHE}/{name}"
        return self.store.read_bytes(path) if self.store.exists(path) else None

    def retry_next_run(self) -> None:
        """Ask the next run to prepare again, upon the side inputs as they are: something failed that may pass."""
        self.put_bytes(RETRY, b"")

    def wants_retry(self) -> bool:
        return self.store.exists(f"{self.folder}/{RETRY}")

    def clear_retry(self) -> None:
        self.store.remove(f"{self.folder}/{RETRY}")

    def load(self, name: str, loader: Callable[[], T]) -> T:
        """An object kept in this worker for the pass: a model, an index, a side table many shards need."""
        return self.worker.load(self.folder, name, loader)

    def for_shard(self, shard: str) -> Side:
        return replace(self, shard=shard)

    def _path(self, name: str, shard: str | None) -> str:
        return f"{self.folder}/{name}.parquet" if shard is None else f"{self.folder}/{name}/{shard}.parquet"


@dataclass(frozen=True)
class Corpus:
    """All shards a pass reads, as `prepare` sees them."""

    store: Storage
    paths: dict[str, str]  # shard name -> its Parquet file, relative to the run
    side: Side
    executor: Executor | None = None  # None on a worker: work is shared out from the driver only
    on_progress: Callable[[int, int], None] | None = None
    on_note: Callable[[str], None] | None = None

    @property
    def shards(self) -> tuple[str, ...]:
        return tuple(self.paths)

    @property
    def workers(self) -> int:
        """How many tasks of `map` run side by side."""
        return self.executor.workers if self.executor else 1

    def read(self, shard: str, columns: Sequence[str] | None = None) -> pa.Table:
        return self.store.read_table(self.paths[shard], columns)

    def read_rows(self, shard: str, rows: np.ndarray, columns: Sequence[str]) -> pa.Table:
        """These columns of the rows with these numbers, in their order."""
        return self.store.read_rows(self.paths[shard], rows, columns)

    def note(self, message: str) -> None:
        """Tell whoever watches the run, such as that a limit is waited for. Only on the driver."""
        if self.on_note:
            self.on_note(message)

    def map(
        self,
        task: Callable[[Any, Corpus, Side], T],
        items: Iterable[Any],
        *,
        alone: bool = False,
        at_once: int = 1,
    ) -> list[T]:
        """`task(item, corpus, side)` for every item, on the workers; the results in the order of the items.

        `task` is a module-level function, or functools.partial of one. `alone`, `at_once`: see Executor.map.
        """
        if self.executor is None:
            raise RuntimeError("Corpus.map is called from prepare(), not from a task")
        listed = list(items)
        results: list[Any] = [None] * len(listed)
        remote = replace(self, executor=None, on_progress=None, on_note=None, side=replace(self.side, worker=Worker()))
        pairs = self.executor.map(partial(_call, task, remote), listed, alone=alone, at_once=at_once)
        for done, (index, result) in enumerate(pairs, start=1):
            results[index] = result
            if self.on_progress:
                self.on_progress(done, len(listed))
        return results


def _call(task: Callable[[Any, Corpus, Side], T], corpus: Corpus, item: Any, worker: Worker) -> T:
    side = replace(corpus.side, worker=worker)
    return task(item, replace(corpus, side=side), side)
