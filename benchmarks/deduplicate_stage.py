"""The deduplicate stage and its kernel as the benchmarks run them, without any peer in the process.

`python -m benchmarks.deduplicate_stage DOCUMENTS OUT` runs the stage, and prints the peak memory of its process in
bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from pipeline.inline import InlineExecutor
from pipeline.side import Corpus, Side, Worker
from pipeline.storage import Storage
from stages.deduplicate import Deduplicate
from stages.shingles import Utf8, permutations, signatures


def sign(columns: Iterable[pa.ChunkedArray], count: int, ngram: int, seed: int) -> None:
    """The signatures of the texts, of `count` permutations, by the kernel."""
    drawn = permutations(count, seed)
    for column in columns:
        signatures(Utf8.of(column), ngram, *drawn)


def read_columns(documents: Path) -> Iterator[pa.ChunkedArray]:
    """The texts of a folder of Parquet files, one column a file."""
    store = Storage(documents)
    return (store.read_table(path.name, ["text"])["text"] for path in sorted(documents.iterdir()))


def quarry_stage(documents: Path, out: Path) -> None:
    """The whole stage over a folder of Parquet files, verification included; what it keeps goes to out/kept."""
    store, scratch = Storage(out), out / "scratch"
    scratch.mkdir()
    side = Side(store, "side", scratch, Worker())
    paths = {path.stem: path.name for path in sorted(documents.iterdir())}
    corpus, stage = Corpus(Storage(documents), paths, side, InlineExecutor()), Deduplicate()
    stage.prepare(corpus, side)
    for shard in corpus.shards:
        store.write_table(f"kept/{shard}.parquet", stage.apply(corpus.read(shard), side.for_shard(shard)).kept)


def main() -> None:
    """Run the stage."""
    quarry_stage(Path(sys.argv[1]), Path(sys.argv[2]))
    # Not getrusage, which may count what this process was before it became this program: a copy of its parent.
    (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(int(peak.split()[1]) * 1024)


if __name__ == "__main__":
    main()
