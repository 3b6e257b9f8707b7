"""Turns repositories into documents: downloads them, plans which blob goes into which shard, and decodes those blobs.

`prepare` fixes everything: refs become commits, trees become rows, blobs become parts of the side table `content`, and
rows are packed into shards in the order of the list. `apply` then reads the parts, or where they are gone that commit
and no other, so a run never mixes two states of a repository.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline import schema
from pipeline.decisions import decide
from pipeline.side import Corpus, Side
from pipeline.stage import PLACEMENT, Outcome, Stage
from stages.credentials import read_tokens
from stages.decode import decode_batch
from stages.disk_budget import DiskBudget
from stages.download import Downloader, parts_of
from stages.git import Git
from stages.git_errors import GitError
from stages.plan import packed, row_of_repository, without_same_commits

ROWS_A_SHARD = 50_000
# The side table `clones`: what each repository took, so that a run like this one can be estimated.
CLONES = pa.schema(
    [
        ("id", pa.string()),
        ("repo", pa.string()),
        ("commit", pa.string()),
        ("files", pa.int64()),
        ("bytes", pa.int64()),  # of the clone on disk
    ]
)

_LFS = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\r?\n(?:[^\n]*\n)*?size (\d+)\s*(?:\n|$)")
_LFS_BYTES = 1024  # a pointer is smaller, says its specification


class Acquire(Stage):
    """Repositories in, documents out. Files of The Stack's size: up to 1 MB (2211.15533, section 3)."""

    takes: ClassVar[pa.Schema] = schema.needs(schema.REPOSITORY, "id", "repo", "url", "ref")
    gives: ClassVar[pa.Schema] = schema.DOCUMENT
    revision: ClassVar[int] = 2
    source: ClassVar[str | None] = "plan"
    temporary: ClassVar[tuple[str, ...]] = ("content",)
    depends: ClassVar[tuple[str, ...]] = ("charset-normalizer",)
    reasons: ClassVar[dict[str, str]] = {
        "symlink": "it is a symbolic link, not a file",
        "submodule": "it is a submodule, a repository of its own at commit {commit}",
        "lfs_pointer": "it is a Git LFS pointer to {size} bytes that are not in the repository",
        "missing_object": "its content (object {blob}) is missing from the repository",
        "binary": "it holds NUL bytes, so it is no text",
        "undecodable": "it is neither UTF-8 nor in any other encoding that could be detected",
        "too_large": "it is larger than the {limit} bytes allowed",
        "too_many_files": "the repository is too large: {error}",
        "same_commit": "the repository is at the same commit {commit} as {first} earlier in the list",
        "repository_gone": "the repository is gone or private: {error}",
        "repository_unreachable": "the repository could not be reached, which may pass: {error}",
        "repository_empty": "the repository has nothing to read: {error}",
        "repository_corrupt": "the repository is damaged: {error}",
        "repository_sha256": "the repository has a format that cannot be used: {error}",
        "repository_too_large": "the repository's clone takes more than the {limit} bytes allowed",
        "ref_not_found": "the repository does not have what was asked for: {error}",
    }

    # Larger blobs are dropped, and not even cloned where the host can leave them out.
    max_bytes: Annotated[int, Field(gt=0, le=128 << 20)] = 1 << 20
    # A repository with more files is dropped: some are made to exhaust memory.
    max_files: Annotated[int, Field(gt=0)] = 1_000_000
    # A repository whose clone takes more is dropped: some are made to exhaust disks. It is one commit, without history;
    # GitHub asks for less than 10 GB with all of it.
    max_clone_bytes: Annotated[int, Field(gt=0)] = 10 << 30
    shard_bytes: Annotated[int, Field(gt=0, le=512 << 20)] = 64 << 20  # bytes of blobs a shard
    downloads: Annotated[int, PLACEMENT, Field(gt=0)] = 8  # repositories that a worker downloads at once
    # Bytes of all clones on one machine at once: when it is used up, clones wait for each other.
    disk_budget: Annotated[int | None, PLACEMENT, Field(gt=0)] = None
    timeout_s: Annotated[float, PLACEMENT, Field(gt=0)] = 1800.0  # for each git command
    stall_s: Annotated[float, PLACEMENT, Field(gt=0)] = 60.0  # that a server may send nothing
    retries: Annotated[int, PLACEMENT, Field(ge=0)] = 2  # where a repository cannot be reached
    # A token, or gh's hosts.yml, for private repositories; absolute, and there on every worker.
    token_file: Annotated[str | None, PLACEMENT] = None

    def prepare(self, corpus: Corpus, side: Side) -> None:
        """Download every repository on the workers, then write `plan` shards in the order of the list.

        A repository that could not be reached is tried again by the next run; the others stay at their commits.
        """
        if self.token_file:
            read_tokens(self.token_file)  # what is wrong with it is told before anything is downloaded
        repositories = [row for shard in corpus.shards for row in corpus.read(shard).to_pylist()]
        items = [(f"{number:08d}", row) for number, row in enumerate(repositories)]
        results = corpus.map(partial(_acquire, self), items, at_once=self.downloads)
        listings = (side.get_shard("listing", shard=name) for name, _ in items)
        unique = without_same_commits(listings, repositories)
        side.store.remove(f"{side.folder}/plan")
        for number, table in enumerate(packed(unique, self.shard_bytes, ROWS_A_SHARD)):
            side.put("plan", table, shard=f"{number:05d}")
        _put_clones(side, [result.clone for result in results if result.clone])
        if any(result.transient for result in results):
            side.retry_next_run()
        else:
            side.store.remove(f"{side.folder}/listing")

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        """Read the planned blobs. OSError where a repository cannot be read now, so that the kernel tries again."""
        read = [self._read(rows, side) for rows in _by_repository(shard)] or [self._read(shard, side)]
        reasons = [reason for part in read for reason in part.reasons]
        details = [detail for part in read for detail in part.details]
        dropped = np.array([reason is not None for reason in reasons], dtype=np.bool_)
        keep = pa.array(~dropped)
        rows = shard.filter(keep)
        columns = {field.name: pa.nulls(len(rows), field.type) for field in schema.DOCUMENT}
        planned = ("id", "repo", "commit", "path", "blob", "size", "stars", "fork", "created")
        columns |= {name: rows[name] for name in planned}
        columns |= {
            "kind": ["notebook" if path.endswith(".ipynb") else "code" for path in rows["path"].to_pylist()],
            "encoding": pa.concat_arrays([part.encoding for part in read]).filter(keep),
            "license_type": ["unknown"] * len(rows),
            "text": pa.concat_arrays([part.text for part in read]).filter(keep),
        }
        at = np.flatnonzero(dropped)
        decisions = decide(shard, at, "drop", [reasons[row] or "" for row in at], [details[row] for row in at])
        return Outcome(pa.table(columns, schema=schema.DOCUMENT), decisions)

    def _read(self, rows: pa.Table, side: Side) -> _Read:
        """Read the rows of one repository; equal blobs are read once."""
        reasons: list[str | None] = rows["reason"].to_pylist()
        details = [json.loads(detail or "{}") for detail in rows["detail"].to_pylist()]
        oids = rows["blob"].to_pylist()
        wanted = [row for row, reason in enumerate(reasons) if reason is None]
        first = {oid: place for place, oid in enumerate(dict.fromkeys(oids[row] for row in wanted))}
        blobs: list[bytes | None] = []
        if wanted:
            try:
                blobs = self._blobs(rows, side)
            except GitError as error:
                if error.reason not in ("repository_gone", "ref_not_found"):
                    at = f"commit {rows['commit'][0]} of {rows['url'][0]}"
                    raise ConnectionError(f"{at} cannot be read now: {error}") from None
                for row in wanted:
                    reasons[row], details[row] = error.reason, error.detail
                wanted = []
        text, encoding, undecoded = decode_batch([blob or b"" for blob in blobs])
        problems = list(map(_problem, first, blobs, undecoded.to_pylist()))
        places: list[int | None] = [None] * len(rows)
        for row in wanted:
            places[row] = first[oids[row]]
            reasons[row], details[row] = problems[first[oids[row]]]
        taken = pa.array(places, pa.int64())
        return _Read(text.take(taken), encoding.take(taken), reasons, details)

    def _blobs(self, rows: pa.Table, side: Side) -> list[bytes | None]:
        """Contents of the distinct blobs of `rows`, in order: of one repository, which is downloaded if need be."""
        parts = parts_of(rows)
        if not all(side.has_shard("content", part) for part in set(parts.values())):
            first = rows.filter(pc.is_valid(rows["content"])).slice(0, 1).to_pylist()[0]
            name = first["content"].rpartition("-")[0]
            downloaded = self._downloader(side).download(name, first | {"ref": first["commit"]})
            parts = {oid: part for oid, part in parts_of(downloaded.rows).items() if oid in parts}
        blobs: dict[str, bytes | None] = {}
        for part in dict.fromkeys(parts.values()):
            table = side.get_shard("content", shard=part)
            table = table.filter(pc.is_in(table["oid"], pa.array(parts, pa.string())))
            blobs |= zip(table["oid"].to_pylist(), table["data"].to_pylist(), strict=True)
        return [blobs.get(oid) for oid in parts_of(rows)]

    def _downloader(self, side: Side) -> Downloader:
        stopping = side.worker.stopping
        tokens = read_tokens(self.token_file) if self.token_file else {}
        git = Git(self.timeout_s, self.stall_s, tokens, stopping)
        budget = DiskBudget(side.scratch, self.max_clone_bytes, self.disk_budget, stopping)
        return Downloader(side, git, budget, self.max_bytes, self.max_files, self.retries)


class _Read(NamedTuple):
    """What was read for the rows of one repository: a row has text and encoding, or a reason and its detail."""

    text: pa.Array
    encoding: pa.Array
    reasons: list[str | None]
    details: list[dict[str, Any]]


class _Acquired(NamedTuple):
    """What became of a repository: whether it failed for now, and its row of CLONES if it was cloned."""

    transient: bool
    clone: dict[str, Any] | None


def _acquire(stage: Acquire, item: tuple[str, dict[str, Any]], corpus: Corpus, side: Side) -> _Acquired:
    """Download one repository, and write its rows of the plan as the side table `listing`."""
    name, repository = item
    if side.has_shard("listing", name) and not _is_transient(side.get_shard("listing", shard=name)):
        return _Acquired(False, None)  # listed by an earlier run, at a commit that is fixed since
    try:
        rows, size = stage._downloader(side).download(name, repository)
    except GitError as error:
        side.put("listing", row_of_repository(repository, None, error.reason, error.detail), shard=name)
        return _Acquired(error.transient, None)
    side.put("listing", rows, shard=name)
    clone = {column: repository[column] for column in ("id", "repo")} | {"commit": rows["commit"][0].as_py()}
    return _Acquired(False, clone | {"files": len(rows) - rows["blob"].null_count, "bytes": size})


def _put_clones(side: Side, clones: list[dict[str, Any]]) -> None:
    """Write the side table `clones`: these, and those that an earlier preparation made, if this one goes on with it."""
    try:
        earlier = side.get("clones").to_pylist()
    except FileNotFoundError:
        earlier = []
    side.put("clones", pa.Table.from_pylist([*earlier, *clones], schema=CLONES))


def _is_transient(listing: pa.Table) -> bool:
    return listing["path"][0].as_py() == "" and bool(json.loads(listing["detail"][0].as_py()).get("transient"))


def _problem(oid: str, blob: bytes | None, undecoded: str | None) -> tuple[str | None, dict[str, Any]]:
    """Why a blob that was read is no document: reason and detail; None where it is one."""
    if blob is None:
        return "missing_object", {"blob": oid}
    if len(blob) < _LFS_BYTES and (pointer := _LFS.match(blob)):
        return "lfs_pointer", {"size": int(pointer[1])}
    return undecoded, {}


def _by_repository(shard: pa.Table) -> Iterator[pa.Table]:
    """Slices of consecutive rows of one repository at one commit."""
    keys = list(zip(shard["url"].to_pylist(), shard["commit"].to_pylist(), strict=True))
    start = 0
    for _, group in itertools.groupby(keys):
        length = sum(1 for _ in group)
        yield shard.slice(start, length)
        start += length
