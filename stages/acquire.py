"""Turns repositories into documents: clones them, plans which blob goes into which shard, and reads the planned blobs.

`prepare` fixes everything: refs become commits, trees become rows, rows are packed into shards by bytes in the order of
the list, whatever the number of workers. `apply` then reads blobs at those commits and no other, so a run never mixes
two states of a repository. Clones are temporary: where one is not at hand, the same commit is cloned again.
"""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline import schema
from pipeline.decisions import canonical_json, decide
from pipeline.errors import RunFailed
from pipeline.fingerprint import digest_bytes
from pipeline.side import Corpus, Side
from pipeline.stage import PLACEMENT, Outcome, Stage
from stages.decode import decode_batch
from stages.git import Clone, Entry, GitError, clone, find_clone, remove_clone

ROWS_A_SHARD = 50_000
SUBMODULE, SYMLINK = "160000", "120000"

_LFS = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\r?\n(?:[^\n]*\n)*?size (\d+)\s*(?:\n|$)")
_LFS_BYTES = 1024  # a pointer is smaller, says its specification


class Acquire(Stage):
    """Repositories in, documents out. Files of The Stack's size: up to 1 MB (2211.15533, section 3)."""

    takes: ClassVar[pa.Schema] = schema.needs(schema.REPOSITORY, "id", "repo", "url", "ref")
    gives: ClassVar[pa.Schema] = schema.DOCUMENT
    source: ClassVar[str | None] = "plan"
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
        "ref_not_found": "the repository does not have what was asked for: {error}",
    }

    # Larger blobs are dropped, and not even cloned where the host can leave them out.
    max_bytes: Annotated[int, Field(gt=0, le=128 << 20)] = 1 << 20
    # A repository with more files is dropped: some are made to exhaust memory.
    max_files: Annotated[int, Field(gt=0)] = 1_000_000
    shard_bytes: Annotated[int, Field(gt=0, le=512 << 20)] = 64 << 20  # bytes of blobs a shard
    timeout_s: Annotated[float, PLACEMENT, Field(gt=0)] = 1800.0  # for each git command
    retries: Annotated[int, PLACEMENT, Field(ge=0)] = 2  # where a repository cannot be reached while it is listed

    def prepare(self, corpus: Corpus, side: Side) -> None:
        """Clone and list every repository on the workers, then write `plan` shards in the order of the list.

        A repository that could not be reached is tried again by the next run; the others stay at their commits.
        """
        repositories = [row for shard in corpus.shards for row in corpus.read(shard, self.takes.names).to_pylist()]
        items = [(f"{number:08d}", row) for number, row in enumerate(repositories)]
        transient = corpus.map(partial(_list_repository, self), items)
        listings = (side.get_shard("listing", shard=name) for name, _ in items)
        unique = _without_same_commits(listings, repositories)
        side.store.remove(f"{side.folder}/plan")
        for number, table in enumerate(_packed(unique, self.shard_bytes, ROWS_A_SHARD)):
            side.put("plan", table, shard=f"{number:05d}")
        if any(transient):
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
        columns |= {name: rows[name] for name in ("id", "repo", "commit", "path", "blob", "size")}
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
            url, commit = rows["url"][0].as_py(), rows["commit"][0].as_py()
            try:
                blobs = self._blobs(url, commit, list(first), side)
            except GitError as error:
                if error.reason not in ("repository_gone", "ref_not_found"):
                    raise ConnectionError(f"commit {commit} of {url} cannot be read now: {error}") from None
                for row in wanted:
                    reasons[row], details[row] = error.reason, {"error": str(error), "transient": False}
                wanted = []
        text, encoding, undecoded = decode_batch([blob or b"" for blob in blobs])
        problems = list(map(_problem, first, blobs, undecoded.to_pylist()))
        places: list[int | None] = [None] * len(rows)
        for row in wanted:
            places[row] = first[oids[row]]
            reasons[row], details[row] = problems[first[oids[row]]]
        taken = pa.array(places, pa.int64())
        return _Read(text.take(taken), encoding.take(taken), reasons, details)

    def _blobs(self, url: str, commit: str, oids: list[str], side: Side) -> list[bytes | None]:
        """Contents of the blobs `oids`, from the clone in scratch, or from a new one of the same commit."""
        if cloned := find_clone(url, commit, side.scratch, self.max_bytes):
            try:
                blobs = list(cloned.blobs(oids, self.timeout_s))
                if None not in blobs:
                    return blobs
            except GitError:
                pass
            remove_clone(cloned)  # it was damaged, or removed while it was read: all of these were there at planning
        return list(clone(url, commit, side.scratch, self.max_bytes, self.timeout_s).blobs(oids, self.timeout_s))


class _Read(NamedTuple):
    """What was read for the rows of one repository: a row has text and encoding, or a reason and its detail."""

    text: pa.Array
    encoding: pa.Array
    reasons: list[str | None]
    details: list[dict[str, Any]]


def document_id(repo: str, commit: str, path: str) -> str:
    """A document's id: hex of the 128-bit blake2b of repo, commit and path, with a NUL between them."""
    return digest_bytes(f"{repo}\0{commit}\0{path}".encode())


def path_texts(paths: Sequence[bytes]) -> list[str]:
    """Distinct texts of the distinct `paths` of one tree.

    Valid UTF-8 stays as it is. In other paths each invalid byte becomes %XX and a % becomes %25; where another path of
    the tree already reads like that, each % becomes %25 once more until none does.
    """
    texts: list[str | None] = []
    for path in paths:
        try:
            texts.append(path.decode())
        except UnicodeDecodeError:
            texts.append(None)
    taken = set(texts)
    distinct = []
    for path, text in zip(paths, texts, strict=True):
        if text is None:
            escaped = path.replace(b"%", b"%25").decode("utf-8", "surrogateescape")
            text = re.sub("[\udc80-\udcff]", lambda match: f"%{ord(match[0]) - 0xDC00:02X}", escaped)
            while text in taken:
                text = text.replace("%", "%25")
            taken.add(text)
        distinct.append(text)
    return distinct


def _list_repository(stage: Acquire, item: tuple[str, dict[str, Any]], corpus: Corpus, side: Side) -> bool:
    """Clone one repository and write its rows of the plan as the side table `listing`; True where it failed for now."""
    name, repository = item
    if side.has_shard("listing", name) and not _is_transient(side.get_shard("listing", shard=name)):
        return False  # listed by an earlier run, at a commit that is fixed since
    attempt = 0
    while True:
        try:
            cloned = clone(repository["url"], repository["ref"], side.scratch, stage.max_bytes, stage.timeout_s)
            table, transient = _listing(stage, repository, cloned), False
            break
        except GitError as error:
            if not error.transient or attempt == stage.retries:
                detail = {"error": str(error), "transient": error.transient}
                table, transient = _repository_row(repository, None, error.reason, detail), error.transient
                break
            time.sleep(2**attempt)
            attempt += 1
        except OSError as error:
            raise RunFailed(f"cannot clone into '{side.scratch}' ({error.strerror}); mend it and run again.") from None
    side.put("listing", table, shard=name)
    return transient


def _is_transient(listing: pa.Table) -> bool:
    return listing["path"][0].as_py() == "" and bool(json.loads(listing["detail"][0].as_py()).get("transient"))


def _listing(stage: Acquire, repository: dict[str, Any], cloned: Clone) -> pa.Table:
    """The rows of a repository's plan, one a file of the tree; one for the repository where there is no file."""
    # Where a damaged tree holds a name twice, the first counts, as it does for git.
    entries = list(
        {entry.path: entry for entry in reversed(cloned.entries(stage.max_files, stage.timeout_s))}.values()
    )[::-1]
    if not entries:
        detail = {"error": "its tree holds no file", "transient": False}
        return _repository_row(repository, cloned.commit, "repository_empty", detail)
    oids = dict.fromkeys(entry.oid for entry in entries if entry.mode != SUBMODULE)
    sizes = cloned.sizes(oids, stage.timeout_s)
    paths = path_texts([entry.path for entry in entries])
    judged = [_planned(entry, sizes, cloned.filtered, stage.max_bytes) for entry in entries]
    count = len(entries)
    columns = {
        "id": [document_id(repository["repo"], cloned.commit, path) for path in paths],
        "repo": [repository["repo"]] * count,
        "url": [repository["url"]] * count,
        "commit": [cloned.commit] * count,
        "path": paths,
        "mode": [entry.mode for entry in entries],
        "blob": [entry.oid for entry in entries],
        "size": [sizes.get(entry.oid) for entry in entries],
        "content": [None] * count,
        "stars": [None] * count,
        "fork": [None] * count,
        "reason": [reason for reason, _ in judged],
        "detail": [None if reason is None else canonical_json(detail) for reason, detail in judged],
    }
    return pa.table(columns, schema=schema.PLAN)


def _planned(
    entry: Entry, sizes: Mapping[str, int | None], filtered: bool, limit: int
) -> tuple[str | None, dict[str, Any]]:
    """Why a tree entry is not even read: reason and detail; None where it is."""
    if entry.mode == SUBMODULE:
        return "submodule", {"commit": entry.oid}
    if entry.mode == SYMLINK:
        return "symlink", {}
    if filtered and entry.oid not in sizes:
        return "too_large", {"limit": limit}  # that is why the server left it out
    size = sizes.get(entry.oid)
    if size is None:
        return "missing_object", {"blob": entry.oid}
    if size > limit:
        return "too_large", {"limit": limit, "size": size}
    return None, {}


def _problem(oid: str, blob: bytes | None, undecoded: str | None) -> tuple[str | None, dict[str, Any]]:
    """Why a blob that was read is no document: reason and detail; None where it is one."""
    if blob is None:
        return "missing_object", {"blob": oid}
    if len(blob) < _LFS_BYTES and (pointer := _LFS.match(blob)):
        return "lfs_pointer", {"size": int(pointer[1])}
    return undecoded, {}


def _repository_row(repository: dict[str, Any], commit: str | None, reason: str, detail: dict[str, Any]) -> pa.Table:
    """The one plan row of a repository of which nothing is read."""
    row = {name: repository[name] for name in ("id", "repo", "url")}
    row |= {"commit": commit, "path": "", "reason": reason, "detail": canonical_json(detail)}
    return pa.Table.from_pylist([row], schema=schema.PLAN)


def _without_same_commits(listings: Iterable[pa.Table], repositories: list[dict[str, Any]]) -> Iterator[pa.Table]:
    """The listings, but one row where an earlier one has the same repo and commit, and so the same document ids."""
    seen: dict[tuple[str, str], str] = {}
    for listing, repository in zip(listings, repositories, strict=True):
        commit = listing["commit"][0].as_py()
        first = seen.setdefault((repository["repo"], commit), repository["id"]) if commit else repository["id"]
        if first == repository["id"]:
            yield listing
        else:
            detail = {"commit": commit, "first": first, "transient": False}
            yield _repository_row(repository, commit, "same_commit", detail)


def _packed(tables: Iterable[pa.Table], shard_bytes: int, shard_rows: int) -> Iterator[pa.Table]:
    """The rows in their order, cut into tables of at most `shard_bytes` of blobs to read and `shard_rows` rows each.

    A blob larger than that stands alone.
    """
    held: list[pa.Table] = []
    held_rows = held_bytes = 0
    for table in tables:
        read = pc.if_else(pc.is_null(table["reason"]), table["size"], 0)
        ends = np.cumsum(read.to_numpy())
        start = 0
        while start < table.num_rows:
            before = int(ends[start - 1]) if start else 0
            fits = int(np.searchsorted(ends, before + shard_bytes - held_bytes, side="right"))
            stop = min(max(fits, start), start + shard_rows - held_rows)
            if stop == start and not held:
                stop = start + 1
            if stop > start:
                held.append(table.slice(start, stop - start))
                held_rows += stop - start
                held_bytes += int(ends[stop - 1]) - before
            if stop < table.num_rows:
                yield pa.concat_tables(held)
                held, held_rows, held_bytes = [], 0, 0
            start = stop
    if held:
        yield pa.concat_tables(held)


def _by_repository(shard: pa.Table) -> Iterator[pa.Table]:
    """Slices of consecutive rows of one repository at one commit."""
    keys = list(zip(shard["url"].to_pylist(), shard["commit"].to_pylist(), strict=True))
    start = 0
    for _, group in itertools.groupby(keys):
        length = sum(1 for _ in group)
        yield shard.slice(start, length)
        start += length
