"""Deduplication against its peers, on one core: `python -m benchmarks.deduplicate_speed PATH ... [--mb 10]`.

The paths are Parquet files of documents, or folders of them. Every pair runs in turn on the same documents, --rounds
times on one core with one thread, whole stages each in a process that lives through all rounds; printed are medians of
MB/s, and the median of the ratios with the lowest and the highest. MB are 10^6 bytes of text. What is not read from
Parquet starts from what each side works on: an Arrow column, or Python strings. Peak memory is a fresh process's, at
two sizes of the corpus.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datatrove.utils.logging import logger

from benchmarks import deduplicate_peers as peers
from benchmarks.deduplicate_stage import quarry_stage, read_columns, sign
from pipeline.errors import UsageError
from pipeline.storage import Storage
from stages.deduplicate import Deduplicate

SHARD_BYTES = 32_000_000  # of text; half of what acquire packs
ONE_THREAD = dict.fromkeys(
    ["OMP_NUM_THREADS", "RAYON_NUM_THREADS", "NUMBA_NUM_THREADS", "ARROW_IO_THREADS", "TQDM_DISABLE"], "1"
)


def take_documents(paths: Sequence[Path], size: int, documents: Path) -> pa.Table:
    """Write `size` bytes of text to a new folder, as shards, and return them: whole files in an order drawn once."""
    files = sorted(file for path in paths for file in ([path] if path.is_file() else path.rglob("*.parquet")))
    random.Random(0).shuffle(files)
    tables, found = [Deduplicate.takes.empty_table()], 0
    while files and found < size:
        tables.append(pq.read_table(files.pop()))
        found += text_bytes(tables[-1])
    if found < size:
        raise UsageError(
            f"the files have {found / 1e6:.1f} MB of text, not {size / 1e6:.1f}: name more, or ask for less"
        )
    table = pa.concat_tables(tables, promote_options="default")  # null what older files lack
    ends = np.cumsum(pc.binary_length(table["text"]).to_numpy())
    table = table.slice(0, int(np.searchsorted(ends, size)) + 1)
    starts = np.searchsorted(ends, np.arange(0, size, SHARD_BYTES))
    documents.mkdir(parents=True)
    for number, (start, stop) in enumerate(zip(starts, [*starts[1:], table.num_rows], strict=True)):
        Storage(documents).write_table(f"{number:05d}.parquet", table.slice(start, stop - start))
    return table


def text_bytes(table: pa.Table) -> int:
    return pc.sum(pc.binary_length(table["text"])).as_py() or 0


class Pair(NamedTuple):
    """Seconds of both sides, one a round."""

    ours: list[float]
    theirs: list[float]

    def row(self, name: str, size: int) -> str:
        """A line of the table."""
        ratios = sorted(theirs / ours for ours, theirs in zip(self.ours, self.theirs, strict=True))
        ours, theirs = (size / 1e6 / statistics.median(seconds) for seconds in self)
        return (
            f"| {name} | {ours:.3g} MB/s | {theirs:.3g} MB/s "
            f"| {statistics.median(ratios):.3g} ({ratios[0]:.3g}-{ratios[-1]:.3g}) |"
        )


def compare(ours: Callable[[], float], theirs: Callable[[], float], rounds: int) -> Pair:
    """Run both in turn; each returns the seconds it took."""
    return Pair(*map(list, zip(*((ours(), theirs()) for _ in range(rounds)), strict=True)))


def seconds(work: Callable[..., object], *arguments: Any) -> float:
    began = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - began


def compare_signatures(table: pa.Table, documents: Path, scratch: Path, rounds: int) -> Iterator[str]:
    """Rows of the table, signatures alone: without and with Parquet reading."""
    kernel = partial(sign, count=peers.PERMUTATIONS, ngram=peers.NGRAM, seed=peers.SEED)
    columns, texts = [table["text"]], table["text"].to_pylist()
    datatrove = partial(peers.datatrove_signatures, block=peers.datatrove_block(scratch))
    kernel([table["text"].slice(0, 2)])  # compiled
    datatrove(texts[:2])  # spaCy loaded

    def from_parquet(signer: Callable[[Any], object], read: Callable[[Path], object]) -> None:
        signer(read(documents))

    sides: list[tuple[str, Callable[[Any], object], Callable[[Path], object]]] = []
    for hashed, ways in peers.datasketch_signers().items():
        fastest = min(ways, key=lambda way: seconds(ways[way], texts[: len(texts) // 10 + 1]))
        sides.append((f"datasketch 2.0 ({fastest}, {hashed})", ways[fastest], peers.read_texts))
    sides.append(("datatrove 0.10 (default)", datatrove, peers.datatrove_texts))
    for name, signer, read in sides:
        pair = compare(partial(seconds, kernel, columns), partial(seconds, signer, texts), rounds)
        yield pair.row(f"signatures: kernel against {name}", text_bytes(table))
        ours = partial(seconds, from_parquet, kernel, read_columns)
        pair = compare(ours, partial(seconds, from_parquet, signer, read), rounds)
        yield pair.row("the same with Parquet reading", text_bytes(table))


def compare_stages(size: int, documents: Path, scratch: Path, rounds: int) -> Iterator[str]:
    """Rows of the table, the whole stage: from Parquet to Parquet."""
    ours, theirs = scratch / "ours", scratch / "theirs"
    for name, stage in (
        ("datatrove 0.10, four blocks", peers.datatrove_stage),
        ("rensa 0.5, sets, unverified", peers.rensa_stage),
        ("rensa 0.5, shingles with repeats, unverified", partial(peers.rensa_stage, gather=list)),
    ):
        with process_of_its_own() as our_process, process_of_its_own() as their_process:
            sides = (
                partial(our_process, quarry_stage, documents, ours),
                partial(their_process, stage, documents, theirs),
            )
            compare(*sides, rounds=1)  # compiled, imported
            pair = compare(*sides, rounds)
        keeps, keep = len(kept_ids(ours)), len(kept_ids(theirs))
        yield pair.row(f"stage: deduplicate (keeps {keeps:,}) against {name} ({keep:,})", size)


@contextmanager
def process_of_its_own() -> Iterator[Callable[..., float]]:
    """`run_stage` in a process that lives on: what one side leaves in memory is not in the way of the other."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield lambda *arguments: pool.submit(run_stage, *arguments).result()


def run_stage(stage: Callable[[Path, Path], None], documents: Path, out: Path) -> float:
    """Run a stage into an empty folder; seconds."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    return seconds(stage, documents, out)


def kept_ids(out: Path) -> list[str]:
    return [i for path in sorted((out / "kept").iterdir()) for i in pq.read_table(path)["id"].to_pylist()]


def stage_peak(documents: Path, out: Path) -> int:
    """Peak memory of our stage in a process of its own, bytes."""
    command = [sys.executable, "-m", "benchmarks.deduplicate_stage", str(documents), str(out)]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    parser.add_argument("--mb", type=float, default=10, help="MB of text that are compared")
    parser.add_argument("--memory-mb", type=float, default=200, help="MB of text of the larger corpus for peak memory")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if missing := [name for name in peers.EXTRAS if find_spec(name) is None]:
        parser.exit(2, f"{' and '.join(missing)} cannot be imported: install quarry[bench]\n")
    if not ONE_THREAD.items() <= os.environ.items():  # libraries read these when they are loaded: start again
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        os.execve(sys.executable, sys.orig_argv, os.environ | ONE_THREAD)
    logger.disable("datatrove")
    with tempfile.TemporaryDirectory() as folder:
        try:
            _print_speed(options, Path(folder))
            _print_memory(options, Path(folder))
        except UsageError as error:
            parser.exit(2, f"{error}\n")


def _print_speed(options: argparse.Namespace, folder: Path) -> None:
    documents = folder / "documents"
    table = take_documents(options.paths, int(options.mb * 1e6), documents)
    size = text_bytes(table)
    print(f"{table.num_rows:,} documents, {size / 1e6:.1f} MB, {len(list(documents.iterdir()))} shards.\n")
    print("| what | Quarry | peer | times (lowest-highest) |\n| --- | ---: | ---: | ---: |")
    for row in compare_signatures(table, documents, folder, options.rounds):
        print(row, flush=True)
    for row in compare_stages(size, documents, folder, options.rounds):
        print(row, flush=True)


def _print_memory(options: argparse.Namespace, folder: Path) -> None:
    print("\n| documents | MB | peak MB of the stage |\n| ---: | ---: | ---: |")
    counts, peaks = [], []
    for part in (4, 1):
        documents, out = folder / f"documents-{part}", folder / f"out-{part}"
        out.mkdir()
        table = take_documents(options.paths, int(options.memory_mb * 1e6) // part, documents)
        counts.append(table.num_rows)
        peaks.append(stage_peak(documents, out) / 1e6)
        print(f"| {counts[-1]:,} | {text_bytes(table) / 1e6:.1f} | {peaks[-1]:.0f} |", flush=True)
    slope = (peaks[1] - peaks[0]) / (counts[1] - counts[0])
    print(f"\nThat is {peaks[0] - slope * counts[0]:.0f} MB and {slope * 1e6:,.0f} MB per million documents.")


if __name__ == "__main__":
    main()
