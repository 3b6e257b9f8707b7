"""What deduplication takes as the corpus grows: `python -m benchmarks.deduplicate_growth SHARD.parquet ...`.

The files are shards of documents in an order that mixes them. The first --mb of text, at several sizes, go through the
deduplicate stage as in a run, prepared and applied by Ray workers, each size in a process of its own. The smallest is
done there before, uncounted, so that workers run and kernels are loaded. Memory is the most that a process was seen to
hold, looked at every few milliseconds (the kernel's own VmHWM passes over what an allocator gave back); a step is a map
over the workers, between two of which the driver works alone. MB are 10^6 bytes, of text where nothing else is said.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import resource
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple, TypeVar

import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import UsageError
from pipeline.executor import RayExecutor
from pipeline.layout import PassFolder
from pipeline.shard_task import ShardTask
from pipeline.side import Corpus, Worker
from pipeline.storage import Storage
from stages.deduplicate import Deduplicate

T = TypeVar("T")


class Growth(NamedTuple):
    """What one size took."""

    size: int  # bytes of text
    counts: dict[str, int]  # the stage's counts.json
    prepare: float  # seconds
    apply: float
    steps: dict[str, float]  # seconds of each step
    driver: int  # peak memory, bytes
    workers: list[int]
    idle: list[int]  # the same of workers that did nothing yet
    written: dict[str, int]  # bytes written under side/, by kind
    side_peak: int  # most bytes that were there at once


@dataclass
class Watch:
    """An executor that times every map of another, and looks after it what is new in the folder `side`."""

    pool: RayExecutor
    side: Path
    steps: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    written: Counter[str] = field(default_factory=Counter)
    side_peak: int = 0
    _seen: set[tuple[Path, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.workers = self.pool.workers

    def map(self, task: Callable[[Any, Worker], T], items: Iterable[Any], **options: Any) -> Iterator[tuple[int, T]]:
        began = time.perf_counter()
        yield from self.pool.map(task, items, **options)
        self.steps[step_name(task)] += time.perf_counter() - began
        self._look()

    def _look(self) -> None:
        """Steps only add files, and the driver removes some between two steps: after each there are most."""
        there = {path: path.stat() for path in self.side.rglob("*") if path.is_file()}
        self.side_peak = max(self.side_peak, sum(about.st_size for about in there.values()))
        for path, about in there.items():
            version = (path, about.st_mtime_ns)
            if version not in self._seen:
                self._seen.add(version)
                self.written[kind_of(path.relative_to(self.side))] += about.st_size


def step_name(task: Callable[..., Any]) -> str:
    """Module and name of the function that Corpus.map was given; a shard's task applies the stage."""
    if isinstance(task, ShardTask):
        return "apply"
    while isinstance(task, partial):
        task = next((value for value in task.args if callable(value)), task.func)
    return f"{task.__module__.rpartition('.')[2]}.{task.__name__.lstrip('_')}"


def kind_of(path: Path) -> str:
    """`signature` of signature/00000.parquet, `members` of shuffle/members-1/000000.arrow."""
    parts = [part for part in path.parts if part != "shuffle"]
    return re.sub(r"-\d+$", "", parts[0])


def measure(files: Sequence[Path], before: int, workers: int, folder: Path) -> Growth:
    """Deduplicate the shards in `folder`, after an uncounted run over the first `before` of them.

    In a fresh process, as its memory counts.
    """
    inputs = {f"{number:05d}": f"documents/{number:05d}.parquet" for number in range(len(files))}
    (folder / "documents").mkdir()
    for link, file in zip(inputs.values(), files, strict=True):
        (folder / link).symlink_to(file.resolve())
    with RayExecutor(workers) as pool, Memory([os.getpid(), *processes(pool)]) as memory:
        idle = memory.peaks()[1:]
        for name, count in (("before", before), ("run", len(files))):
            watch = Watch(pool, folder / name / "side")
            size, counts, prepare, apply = run(watch, dict([*inputs.items()][:count]), Storage(folder), name)
        steps, written = dict(watch.steps), dict(watch.written)
        driver, *of_workers = memory.peaks()
        return Growth(size, counts, prepare, apply, steps, driver, of_workers, idle, written, watch.side_peak)


def run(watch: Watch, inputs: dict[str, str], store: Storage, name: str) -> tuple[int, dict[str, int], float, float]:
    """The pass `name` over the shards: bytes of text, counts.json, and the seconds to prepare and to apply."""
    this = PassFolder(store, name)
    side = this.side(Worker())
    began = time.perf_counter()
    Deduplicate().prepare(Corpus(store, inputs, side, watch), side)
    prepared = time.perf_counter()
    task = ShardTask(this, name, "", ((name, Deduplicate, {}),), None, inputs, dict.fromkeys(inputs, ""), None)
    receipts = [receipt for _, receipt in watch.map(task, list(inputs))]
    applied = time.perf_counter()
    counts = json.loads(side.get_bytes("counts.json"))
    assert sum(receipt["documents"]["rows"] for receipt in receipts) == counts["kept"]
    size = sum(receipt["stages"][0]["bytes_in"] for receipt in receipts)
    return size, counts, prepared - began, applied - prepared


def processes(pool: RayExecutor) -> list[int]:
    """The workers' process numbers."""
    found: set[int] = set()
    while len(found) < pool.workers:
        found |= {process for _, process in pool.map(_process_of_worker, range(pool.workers))}
    return sorted(found)


def _process_of_worker(number: int, worker: Worker) -> int:
    return os.getpid()


class Memory:
    """The most memory that each of some processes is seen to hold between entering and leaving it."""

    EVERY_S = 0.004

    def __init__(self, processes: Sequence[int]) -> None:
        self._peaks = dict.fromkeys(processes, 0)
        self._done = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def peaks(self) -> list[int]:
        """Bytes so far, in the order of the processes."""
        return list(self._peaks.values())

    def _watch(self) -> None:
        while not self._done.wait(self.EVERY_S):
            self._look()

    def _look(self) -> None:
        for process in self._peaks:
            pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
            self._peaks[process] = max(self._peaks[process], pages * resource.getpagesize())


def text_bytes(file: Path) -> int:
    return pc.sum(pc.binary_length(pq.read_table(file, columns=["text"])["text"])).as_py() or 0


def prefix(files: Sequence[Path], size: float) -> Sequence[Path]:
    """The first files that hold `size` bytes of text."""
    found = 0
    for count, file in enumerate(files, start=1):
        found += text_bytes(file)
        if found >= size:
            return files[:count]
    raise UsageError(f"the files have {found / 1e6:.1f} MB of text, not {size / 1e6:.1f}: name more, or ask for less")


def fresh(files: Sequence[Path], before: int, workers: int) -> Growth:
    """`measure` in a process of its own, and a folder that is removed."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(1, context) as process:
        return process.submit(measure, files, before, workers, Path(folder)).result()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", type=Path, nargs="+", metavar="SHARD.parquet")
    parser.add_argument("--mb", type=float, nargs="+", default=[100, 500, 2000], help="sizes, MB of text")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    try:
        corpora = [prefix(options.files, size * 1e6) for size in options.mb]
    except UsageError as error:
        parser.exit(2, f"{error}\n")
    before = min(map(len, corpora))
    fresh(options.files[:before], 1, options.workers)  # kernels compiled
    print_tables([fresh(files, before, options.workers) for files in corpora])


def print_tables(sizes: Sequence[Growth]) -> None:
    """Totals, steps and bytes, a column a size."""
    columns = [f"{this.size / 1e6:,.0f} MB" for this in sizes]
    rows = {
        "documents": [f"{this.counts['documents']:,}" for this in sizes],
        "bytes of text a document": [f"{this.size / this.counts['documents']:,.0f}" for this in sizes],
        "exact duplicates": [_share(this, "exact_duplicates") for this in sizes],
        "near duplicates": [_share(this, "near_duplicates") for this in sizes],
        "candidates a document": [_each(this, this.counts["candidates"]) for this in sizes],
        "verified edges a document": [_each(this, this.counts["accepted"]) for this in sizes],
        "comparisons left out": [f"{this.counts['left_out']:,}" for this in sizes],
        "prepare, s": [f"{this.prepare:.1f}" for this in sizes],
        "apply, s": [f"{this.apply:.1f}" for this in sizes],
        "**seconds for 100 MB**": [_pace(this, this.prepare + this.apply) for this in sizes],
        "peak memory of the driver, MB": [_mb(this.driver) for this in sizes],
        "peak memory of a worker, MB": [" ".join(map(_mb, this.workers)) for this in sizes],
        "of a worker that did nothing yet, MB": [" ".join(map(_mb, this.idle)) for this in sizes],
        "most under side/ at once, MB": [_mb(this.side_peak) for this in sizes],
        "written under side/, MB": [_mb(sum(this.written.values())) for this in sizes],
    }
    _print("Growth", columns, rows)
    steps = {step: [_pace(this, this.steps.get(step, 0)) for this in sizes] for step in _names(s.steps for s in sizes)}
    steps["driver alone"] = [_pace(this, this.prepare + this.apply - sum(this.steps.values())) for this in sizes]
    _print("Seconds for 100 MB, by step", columns, steps)
    kinds = _names(this.written for this in sizes)
    _print(
        "Bytes written for a document, by kind",
        columns,
        {kind: [_each(this, this.written.get(kind, 0)) for this in sizes] for kind in kinds},
    )


def _names(listed: Iterable[dict[str, Any]]) -> list[str]:
    """All keys, each once, in the order of their first occurrence."""
    return list(dict.fromkeys(name for names in listed for name in names))


def _share(this: Growth, reason: str) -> str:
    return f"{this.counts[reason] / this.counts['documents']:.1%}"


def _each(this: Growth, amount: int) -> str:
    return f"{amount / this.counts['documents']:,.2f}"


def _pace(this: Growth, seconds: float) -> str:
    return f"{seconds / this.size * 1e8:.2f}"


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f}"


def _print(title: str, columns: Sequence[str], rows: dict[str, list[str]]) -> None:
    """A table in Markdown."""
    print(f"\n### {title}\n\n| | {' | '.join(columns)} |\n| --- |{' ---: |' * len(columns)}")
    for name, cells in rows.items():
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    from benchmarks import deduplicate_growth  # by its own name, by which workers find its functions

    deduplicate_growth.main()
