"""Acquire over thousands of malformed repositories: `python -m benchmarks.fuzz [--repositories N] [--seed N] [--http]`.

Every repository has to end as documents and decisions that account for it, with no exception, nothing executed, no text
but the one that was planted, and no failure that claims to pass. Prints what became of them, what was slowest, and what
broke those rules; exits with 1 where something did.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline import schema
from pipeline.inline import InlineExecutor
from pipeline.law import judge
from pipeline.side import Corpus, Side, Worker
from pipeline.storage import Storage
from stages.acquire import Acquire
from stages.decode import decode
from tests.gitrepos import served
from tests.malformed import malformed
from tests.raw_repository import Malformed

BATCH = 50  # repositories a run
TIMEOUT_S = 30.0  # for each git command: none may need it
STAGE = Acquire(max_files=20_000, downloads=4, timeout_s=TIMEOUT_S, retries=0)


class Fate(NamedTuple):
    """What became of a repository."""

    made: Malformed
    documents: list[dict[str, Any]]
    decisions: list[dict[str, Any]]

    @property
    def word(self) -> str:
        """The reason that stands for the whole repository, or `documents` where some of it was read."""
        return next((row["reason"] for row in self.decisions if not row["path"]), "documents")


def acquire(repositories: Sequence[Malformed], folder: Path, urls: Sequence[str], stage: Acquire = STAGE) -> list[Fate]:
    """One run of acquire over the repositories at `urls`, in `folder`; held to the conservation law."""
    side = Side(Storage(folder / "run"), "side", folder / "scratch", Worker())
    side.scratch.mkdir(parents=True)
    rows: list[dict[str, Any]] = [
        {"id": url, "repo": f"o/{made.seed}", "url": url, "ref": made.ref}
        for made, url in zip(repositories, urls, strict=True)
    ]
    side.store.write_table("list.parquet", pa.Table.from_pylist(rows, schema=schema.REPOSITORY))
    stage.prepare(Corpus(side.store, {"00000": "list.parquet"}, side, InlineExecutor()), side)
    documents: dict[str, list[dict[str, Any]]] = {row["repo"]: [] for row in rows}
    decisions: dict[str, list[dict[str, Any]]] = {row["repo"]: [] for row in rows}
    for name in side.store.names("side/plan"):
        shard = name.removesuffix(".parquet")
        outcome = judge(stage, "acquire", side.get_shard("plan", shard=shard), side.for_shard(shard))
        for row in outcome.kept.to_pylist():
            documents[row["repo"]].append(row)
        for row in outcome.decisions.to_pylist():
            decisions[row["repo"]].append(row)
    assert not list(side.scratch.iterdir()), "a clone was left behind"
    names = (row["repo"] for row in rows)
    return [Fate(made, documents[repo], decisions[repo]) for made, repo in zip(repositories, names, strict=True)]


def wrongs(fate: Fate) -> list[str]:
    """What is wrong with what became of a repository; nothing where all is as it should be."""
    made: Malformed = fate.made
    found: list[str] = []
    if not fate.documents and not fate.decisions:
        found.append("it is not accounted for")
    if made.canary.exists():
        found.append("something in it was executed")
    for row in fate.decisions:
        # A server that breaks off because of damage cannot be told from one that is overloaded.
        passes = json.loads(row["detail"]).get("transient") and not row["id"].startswith("http:")
        if row["reason"] == "error" or passes:
            found.append(f"{row['path']!r}: {row['reason']} {row['detail']}")
    for row in fate.documents:
        kind, content = made.objects.get(row["blob"], ("", b""))
        if kind != "blob" or row["text"] != decode(content).text or row["size"] != len(content):
            found.append(f"the text of {row['path'][:200]!r} is not that of blob {row['blob']}")
    if made.harmless:
        found += _missed(fate)
    return found


def _missed(fate: Fate) -> list[str]:
    """Planted files that did not become what they have to."""
    texts = {row["path"]: row["text"] for row in fate.documents}
    reasons = {row["path"]: row["reason"] for row in fate.decisions}
    found = []
    for name, planted in fate.made.planted.items():
        path = name.decode("utf-8", "surrogateescape")
        path = "".join(f"%{ord(c) - 0xDC00:02X}" if "\udc80" <= c <= "\udcff" else c for c in path)
        if planted.text is not None and texts.get(path) != planted.text:
            found.append(f"{path!r} was not read: {reasons}")
        if planted.reason is not None and reasons.get(path) != planted.reason:
            found.append(f"{path!r} is {reasons.get(path)}, not {planted.reason}: {reasons}")
        if path not in texts.keys() | reasons.keys():
            found.append(f"{path!r} was lost: {reasons}")
    return found


def fuzz(seeds: Iterable[int], folder: Path, http: bool = False) -> list[Fate]:
    """Make and acquire the repositories of `seeds`, in one run."""
    canary = folder / "canary"
    repositories = [malformed(folder / f"o/{seed}.git", seed, canary) for seed in seeds]
    if not http:
        return acquire(repositories, folder, [made.path.as_uri() for made in repositories])
    with served(folder) as url:
        return acquire(repositories, folder, [f"{url}/o/{made.seed}.git" for made in repositories])


def _alone(seed: int) -> tuple[float, Malformed]:
    """Seconds that the repository of a seed takes when it is acquired alone, from the disk."""
    with tempfile.TemporaryDirectory() as folder:
        made = malformed(Path(folder) / "o/n.git", seed, Path(folder) / "canary")
        began = time.perf_counter()
        acquire([made], Path(folder), [made.path.as_uri()])
        return time.perf_counter() - began, made


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repositories", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--http", action="store_true", help="over HTTP instead of from the disk")
    options = parser.parse_args()
    words: Counter[str] = Counter()
    paths: Counter[str] = Counter()
    slow: list[tuple[float, range]] = []
    bad = documents = 0
    seeds = range(options.seed, options.seed + options.repositories)
    for start in range(0, len(seeds), BATCH):
        batch, began = seeds[start : start + BATCH], time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            for fate in fuzz(batch, Path(folder), options.http):
                words[fate.word] += 1
                paths.update(row["reason"] for row in fate.decisions if row["path"])
                documents += len(fate.documents)
                for wrong in wrongs(fate):
                    bad += 1
                    print(f"seed {fate.made.seed} {fate.made.mutations}: {wrong}"[:600], flush=True)
        slow.append((time.perf_counter() - began, batch))
    print("\n| what became of a repository | repositories |\n| --- | ---: |")
    print("\n".join(f"| {word} | {count:,} |" for word, count in words.most_common()))
    print("\n| what became of a file | files |\n| --- | ---: |")
    print("\n".join(f"| {word} | {count:,} |" for word, count in [("document", documents), *paths.most_common()]))
    # The kernel counts a child's memory from before its exec, so that this is a bound from above.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"\n{sum(seconds for seconds, _ in slow):.0f} s; no git process had more than {peak:.0f} MB.")
    print("\n| slowest, each alone | mutations | seconds |\n| --- | --- | ---: |")
    for seconds, made in sorted(map(_alone, max(slow, key=lambda pair: pair[0])[1]), key=lambda pair: -pair[0])[:8]:
        print(f"| {made.seed} | {', '.join(made.mutations)} | {seconds:.1f} |")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
