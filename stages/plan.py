"""The rows of acquire's plan: which blob of which repository becomes which document, and which shard it stands in.

Rows are a function of the repository's tree and its place in the list, and shards one of the rows: by bytes, in the
order of the list, whatever the number of workers and the order in which clones ended.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.decisions import canonical_json
from pipeline.fingerprint import digest_bytes
from stages.clones import Entry

SUBMODULE, SYMLINK = "160000", "120000"
PART_BYTES = 32 << 20  # of blobs that are held in memory at once for each download


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


def rows_of_files(
    name: str,
    repository: Mapping[str, Any],
    commit: str,
    entries: Sequence[Entry],
    sizes: Mapping[str, int | None],
    limit: int,
    filtered: bool,
) -> pa.Table:
    """One row a file of the tree. Those without a `reason` are to be read, into the parts `content` names.

    `name` is the repository's number in the list, `sizes` are those of the blobs that are there, and `filtered` says
    whether the server left out blobs over `limit` bytes.
    """
    paths = path_texts([entry.path for entry in entries])
    judged = [_judged(entry, sizes, filtered, limit) for entry in entries]
    wanted = {
        entry.oid: sizes[entry.oid] or 0 for entry, (reason, _) in zip(entries, judged, strict=True) if not reason
    }
    parts = dict(zip(wanted, _parts(name, wanted.values()), strict=True))
    count = len(entries)
    columns = {
        "id": [document_id(repository["repo"], commit, path) for path in paths],
        "repo": [repository["repo"]] * count,
        "url": [repository["url"]] * count,
        "commit": [commit] * count,
        "path": paths,
        "mode": [entry.mode for entry in entries],
        "blob": [entry.oid for entry in entries],
        "size": [sizes.get(entry.oid) for entry in entries],
        "content": [None if reason else parts[entry.oid] for entry, (reason, _) in zip(entries, judged, strict=True)],
        "stars": [repository.get("stars")] * count,
        "fork": [_is_fork(repository)] * count,
        "created": [repository.get("created")] * count,
        "reason": [reason for reason, _ in judged],
        "detail": [None if reason is None else canonical_json(detail) for reason, detail in judged],
    }
    return pa.table(columns, schema=schema.PLAN)


def row_of_repository(
    repository: Mapping[str, Any], commit: str | None, reason: str, detail: dict[str, Any]
) -> pa.Table:
    """The one row of a repository of which nothing is read."""
    row = {name: repository[name] for name in ("id", "repo", "url")}
    row |= {"commit": commit, "path": "", "reason": reason, "detail": canonical_json(detail)}
    row |= {"stars": repository.get("stars"), "fork": _is_fork(repository), "created": repository.get("created")}
    return pa.Table.from_pylist([row], schema=schema.PLAN)


def _is_fork(repository: Mapping[str, Any]) -> bool | None:
    """Whether it was forked from another; None where its host did not say anything of it, its stars for one."""
    return None if repository.get("stars") is None else repository.get("fork_of") is not None


def _judged(
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


def _parts(name: str, sizes: Iterable[int]) -> Iterator[str]:
    """For blobs of these sizes, in order, the part of `content` each stands in: PART_BYTES, or one larger blob."""
    part = held = 0
    for size in sizes:
        if held and held + size > PART_BYTES:
            part, held = part + 1, 0
        held += size
        yield f"{name}-{part:04d}"


def without_same_commits(listings: Iterable[pa.Table], repositories: list[dict[str, Any]]) -> Iterator[pa.Table]:
    """The listings, but one row where an earlier one has the same repo and commit, and so the same document ids."""
    seen: dict[tuple[str, str], str] = {}
    for listing, repository in zip(listings, repositories, strict=True):
        commit = listing["commit"][0].as_py()
        first = seen.setdefault((repository["repo"], commit), repository["id"]) if commit else repository["id"]
        if first == repository["id"]:
            yield listing
        else:
            detail = {"commit": commit, "first": first, "transient": False}
            yield row_of_repository(repository, commit, "same_commit", detail)


def packed(tables: Iterable[pa.Table], shard_bytes: int, shard_rows: int) -> Iterator[pa.Table]:
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
