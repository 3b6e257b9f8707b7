"""Downloads a repository: one commit is cloned, listed and read into parts of the side table `content`, and let go.

Whatever a shard needs of the repository later stands in those parts, so that a clone lives for seconds and all clones
together within a budget. A part holds some tens of MB of distinct blobs in the order of the tree.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.side import Side
from stages.clones import Clone, cloned
from stages.disk_budget import DiskBudget
from stages.git import Git, Stopped
from stages.git_errors import GitError
from stages.plan import SUBMODULE, row_of_repository, rows_of_files

CONTENT = pa.schema([("oid", pa.string()), ("data", pa.large_binary())])  # data is null where the object is no blob


class Downloaded(NamedTuple):
    """A repository's rows of the plan, and what they cost."""

    rows: pa.Table
    bytes: int  # what the clone took on disk


@dataclass(frozen=True)
class Downloader:
    """How repositories are downloaded, and the side inputs they are read into; the limits are acquire's."""

    side: Side
    git: Git
    budget: DiskBudget
    max_bytes: int
    max_files: int
    retries: int

    def download(self, name: str, repository: Mapping[str, Any]) -> Downloaded:
        """Write the parts of `repository` (a row of the list, with its number `name`), and return its rows.

        Raises GitError where that failed, also once more for each of `retries` if it may pass.
        """
        attempt = 0
        while True:
            try:
                with cloned(repository["url"], repository["ref"], self.max_bytes, self.git, self.budget) as clone:
                    rows = self._rows(name, repository, clone)
                    self._read(rows, clone)
                    return Downloaded(rows, clone.size)
            except GitError as error:
                if error.reason != "repository_unreachable" or attempt == self.retries:
                    raise
            # Not all at the same moment, and later each time: the host may have too much to do.
            if self.git.stopping.wait(2**attempt * random.SystemRandom().uniform(0.5, 1.5)):
                raise Stopped
            attempt += 1

    def _rows(self, name: str, repository: Mapping[str, Any], clone: Clone) -> pa.Table:
        # Where a damaged tree holds a name twice, the first counts, as it does for git.
        entries = list({entry.path: entry for entry in reversed(clone.entries(self.max_files))}.values())[::-1]
        if not entries:
            detail = {"error": "its tree holds no file", "transient": False}
            return row_of_repository(repository, clone.commit, "repository_empty", detail)
        sizes = clone.sizes(dict.fromkeys(entry.oid for entry in entries if entry.mode != SUBMODULE))
        return rows_of_files(name, repository, clone.commit, entries, sizes, self.max_bytes, clone.filtered)

    def _read(self, rows: pa.Table, clone: Clone) -> None:
        parts = parts_of(rows)
        pairs = zip(parts.items(), clone.blobs(list(parts)), strict=True)
        for part, group in itertools.groupby(pairs, key=lambda pair: pair[0][1]):
            oids, blobs = zip(*((oid, blob) for (oid, _), blob in group), strict=True)
            self.side.put("content", pa.table([oids, blobs], schema=CONTENT), shard=part)


def parts_of(rows: pa.Table) -> dict[str, str]:
    """Blob -> the part of `content` it stands in, for the rows of the plan that are to be read."""
    pairs = zip(rows["blob"].to_pylist(), rows["content"].to_pylist(), strict=True)
    return {blob: part for blob, part in pairs if part is not None}
