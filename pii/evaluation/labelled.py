"""Labelled documents: the synthetic set that ships with its texts, and real code that is read from git when scored.

The real part holds no text of others: repository, commit, path, the labelled chunk and its entities. Its files are read
out of bare git directories or clones under `--repositories`, or of a clone of depth 1 made for the occasion.
"""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import orjson


class Label(NamedTuple):
    """Code points [start, end) of a document's text that are an entity; an optional one is neither hit nor error."""

    start: int
    end: int
    entity: str
    optional: bool = False


class Document(NamedTuple):
    """A text, the part [start, end) of it that is labelled, and the labels in text order.

    `cluster` is what the bootstrap draws: documents of one template, or one chunk.
    """

    id: str
    language: str
    text: str
    start: int
    end: int
    labels: tuple[Label, ...]
    cluster: str
    show: bool  # whether its text may be printed: only made-up texts are


class Unread(NamedTuple):
    """A chunk of the real part whose file could not be read, and why."""

    id: str
    reason: str


def _labels(record: Mapping[str, Any]) -> tuple[Label, ...]:
    return tuple(sorted(Label(e["start"], e["end"], e["entity"], e["optional"]) for e in record["entities"]))


def synthetic(path: Path | None = None) -> list[Document]:
    """The shipped set (pii/evaluation/synthetic.jsonl.gz), or a file in its form."""
    source = path if path else files("pii.evaluation").joinpath("synthetic.jsonl.gz")
    lines = gzip.decompress(source.read_bytes()).splitlines()
    return [
        Document(r["id"], r["language"], r["text"], 0, len(r["text"]), _labels(r), r["template"], True)
        for r in map(orjson.loads, lines)
    ]


def real(path: Path, repositories: Path | None) -> tuple[list[Document], list[Unread]]:
    """The chunks of a file in the form of real.jsonl, with their texts; and those that could not be read."""
    documents: list[Document] = []
    unread: list[Unread] = []
    for record in map(orjson.loads, path.read_bytes().splitlines()):
        name = f"{record['repository']}@{record['commit'][:12]}:{record['path']}#{record['start']}"
        try:
            text = read_file(record["repository"], record["commit"], record["path"], repositories)
        except (LookupError, UnicodeDecodeError) as error:
            unread.append(Unread(name, f"{error}" if isinstance(error, LookupError) else "the file is not UTF-8"))
            continue
        if record["end"] > len(text):
            unread.append(Unread(name, "the file is shorter than its labels say"))
            continue
        documents.append(
            Document(name, record["language"], text, record["start"], record["end"], _labels(record), name, False)
        )
    return documents, unread


def read_file(repository: str, commit: str, path: str, repositories: Path | None) -> str:
    """The text of a file at a commit. LookupError: there is no such repository, commit or file."""
    if repositories is None:
        raise LookupError("no --repositories directory was given")
    for directory in _directories(repository, repositories):
        read = subprocess.run(
            ["git", "--git-dir", str(directory), "cat-file", "blob", f"{commit}:{path}"],
            capture_output=True,
            check=False,
        )
        if read.returncode == 0:
            return read.stdout.decode("utf-8")
    raise LookupError(f"no {commit[:12]}:{path} under {repositories}")


def _directories(repository: str, repositories: Path) -> Iterator[Path]:
    """Git directories that may hold `host/owner/name`, in the layouts that mirrors and clones have."""
    owner, name = repository.split("/")[-2:]
    for base in (repositories / f"{owner}+{name}", repositories / owner / name, repositories / f"{owner}__{name}"):
        yield from (
            found
            for found in (base / "repo", base / ".git", base, base.with_name(base.name + ".git"))
            if found.is_dir()
        )


def clone_missing(path: Path, repositories: Path) -> Iterator[str]:
    """Fetches the commits of the real part that `repositories` lacks from their hosts; yields what could not be had."""
    wanted = sorted({(r["repository"], r["commit"]) for r in map(orjson.loads, path.read_bytes().splitlines())})
    for repository, commit in wanted:
        found = any(
            subprocess.run(
                ["git", "--git-dir", str(d), "cat-file", "-e", f"{commit}^{{commit}}"], capture_output=True, check=False
            ).returncode
            == 0
            for d in _directories(repository, repositories)
        )
        if found:
            continue
        owner, name = repository.split("/")[-2:]
        target = repositories / owner / f"{name}.git"
        subprocess.run(["git", "init", "--quiet", "--bare", str(target)], check=True)
        fetched = subprocess.run(
            ["git", "--git-dir", str(target), "fetch", "--quiet", "--depth", "1", f"https://{repository}", commit],
            capture_output=True,
            check=False,
        )
        if fetched.returncode:
            yield f"{repository}: {fetched.stderr.decode(errors='replace').strip()[-200:]}"
