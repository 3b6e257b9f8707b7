"""Precision on real repositories, judged by hand: `python -m pii.evaluation.judging draw|show|add|score`.

    draw   what the redactor finds and replaces in repositories, a seeded sample, the same share of each repository
    show   the sample in context, the found value between ⟦ ⟧, for somebody who judges it (needs the repositories)
    add    the verdicts of one pass, lines `NUMBER yes|no`, into the sample
    score  precision by entity with Wilson's interval, and how far two blind passes agree

The sample's file holds repository, commit, path, offsets, entity and verdicts, never a text; the shipped one is
judged.jsonl. A finding counts as right where both passes say yes: a doubt counts against it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson

from pii.audit import Agreement, agreement_of, wilson
from pii.evaluation import systems
from pii.evaluation.labelled import read_file

LARGEST = 300_000  # bytes of a file
REPOSITORY_BYTES = 2_000_000  # that are read of each, files drawn by the seed
FILE_FINDINGS = 2  # of one entity, so that no list of authors is half the sample
SHOWN = 160  # code points of context on each side
PASSES = ("first", "second")


class Precision(NamedTuple):
    """Of one entity: findings that both passes judged, those right, the share and its 95% interval."""

    judged: int
    right: int
    share: float
    low: float
    high: float
    agreement: Agreement


def draw(directories: Iterable[Path], seed: int, wanted: int) -> list[dict[str, Any]]:
    """About `wanted` findings of each entity over the HEADs of bare git directories OWNER+NAME/repo, each a record."""
    rng = np.random.default_rng(seed)
    found: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for directory in directories:
        repository = "github.com/" + directory.parent.name.replace("+", "/", 1)
        commit = _git(directory, "rev-parse", "HEAD").decode().strip()
        files = list(_files(directory, commit, rng))
        for (path, _), spans in zip(files, systems.quarry([text for _, text in files]), strict=True):
            counted: Counter[str] = Counter()
            for place in rng.permutation(len(spans)).tolist():
                span = spans[place]
                counted[span.entity] += span.redacted
                if span.redacted and counted[span.entity] <= FILE_FINDINGS:
                    where = {"repository": repository, "commit": commit, "path": path}
                    what = {"start": span.start, "end": span.end, "entity": span.entity, "score": span.score}
                    found[span.entity][repository].append({**where, **what})
    sample = [record for by_repository in found.values() for record in _even(by_repository, wanted, rng)]
    return [sample[place] for place in rng.permutation(len(sample)).tolist()]


def _even(by_repository: dict[str, list[dict[str, Any]]], wanted: int, rng: np.random.Generator) -> list[Any]:
    """`wanted` records, as equally many of each repository as they allow."""
    queues = [[records[k] for k in rng.permutation(len(records)).tolist()] for records in by_repository.values()]
    chosen: list[Any] = []
    while queues and len(chosen) < wanted:
        queues = [queue for queue in queues if queue]
        chosen += [queue.pop() for queue in queues]
    return chosen[:wanted]


def _files(directory: Path, commit: str, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """(path, text) of files that are UTF-8, in an order drawn by chance, up to REPOSITORY_BYTES."""
    entries = [line for line in _git(directory, "ls-tree", "-r", "-l", "-z", commit).split(b"\0") if b" blob " in line]
    size = 0
    for place in rng.permutation(len(entries)).tolist():
        about, _, path = entries[place].partition(b"\t")
        listed = about.split()[3]  # "BAD" where a mirror lacks the object
        length = int(listed) if listed.isdigit() else LARGEST + 1
        if length > LARGEST or about.startswith(b"120000"):
            continue
        data = _git(directory, "cat-file", "blob", about.split()[2].decode())
        try:
            yield path.decode(), data.decode()
        except UnicodeDecodeError:
            continue
        size += length
        if size > REPOSITORY_BYTES:
            return


def _git(directory: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", "--git-dir", directory, *arguments], check=True, capture_output=True).stdout


def show(sample: Sequence[dict[str, Any]], repositories: Path) -> Iterator[str]:
    """Each record's number, place and context."""
    for number, record in enumerate(sample):
        text = read_file(record["repository"], record["commit"], record["path"], repositories)
        start, end = record["start"], record["end"]
        before, after = text[max(0, start - SHOWN) : start], text[end : end + SHOWN]
        place = f"#{number} {record['entity']} {record['repository']}:{record['path']}"
        yield f"{place}\n{before}⟦{text[start:end]}⟧{after}\n"


def add(sample: Sequence[dict[str, Any]], lines: Iterable[str], name: str) -> list[dict[str, Any]]:
    """The sample with the verdicts of the pass `name`. ValueError where a record has no verdict, or a line is none."""
    said: dict[int, bool] = {}
    for line in filter(None, map(str.strip, lines)):
        number, verdict = line.split()
        said[int(number)] = {"yes": True, "no": False}[verdict]
    if missing := sorted(set(range(len(sample))) - set(said)):
        raise ValueError(f"{len(missing)} records have no verdict, such as {missing[0]}")
    return [{**record, name: said[number]} for number, record in enumerate(sample)]


def score(sample: Iterable[dict[str, Any]]) -> dict[str, Precision]:
    """Precision of each entity over the records that both passes judged."""
    pairs: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for record in sample:
        if all(name in record for name in PASSES):
            pairs[record["entity"]].append((record["first"], record["second"]))
    result = {}
    for entity, said in sorted(pairs.items()):
        right = sum(first and second for first, second in said)
        share = right / len(said)
        result[entity] = Precision(len(said), right, share, *wilson(share, len(said)), agreement_of(said))
    return result


def read(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def _write(path: Path, sample: Iterable[dict[str, Any]]) -> None:
    path.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in sample))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["draw", "show", "add", "score"])
    parser.add_argument("sample", type=Path)
    parser.add_argument("--repositories", type=Path, help="folder of OWNER+NAME/repo")
    parser.add_argument("--only", nargs="+", help="draw: names of folders, OWNER+NAME")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=150, help="draw: findings of each entity")
    parser.add_argument("--pass", dest="name", choices=PASSES, help="add: whose verdicts come on the standard input")
    given = parser.parse_args()
    if given.what == "draw":
        folders = [given.repositories / name / "repo" for name in given.only]
        _write(given.sample, draw(folders, given.seed, given.count))
    elif given.what == "show":
        print("\n".join(show(read(given.sample), given.repositories)))
    elif given.what == "add":
        _write(given.sample, add(read(given.sample), sys.stdin, given.name))
    else:
        for entity, of in score(read(given.sample)).items():
            print(f"{entity:<11} {of.right}/{of.judged} = {of.share:.3f} [{of.low:.3f}, {of.high:.3f}]  {of.agreement}")


if __name__ == "__main__":
    main()
