"""The repositories of a run by every name they go by: as listed, as their host spells them since, by id.

A run over an existing dataset lists none; there they are found by their documents.
"""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from pipeline.state import Run
from reports.rows import decision_tables, document_path


class KnownRepository(NamedTuple):
    """A repository: id, owner/name as its documents carry it, clone URL, and owner/name as it was listed."""

    id: str
    repo: str
    url: str
    listed: str


def find_repository(run: Run, name: str) -> KnownRepository | None:
    """The repository of this id, owner/name or former owner/name, whatever the case."""
    wanted = name.casefold()
    for known in known_repositories(run):
        if wanted in (known.id.casefold(), known.repo.casefold(), known.listed.casefold()):
            return known
    return None


def known_repositories(run: Run) -> list[KnownRepository]:
    """All repositories of a run, in the order of the list."""
    if run.repositories.num_rows == 0:
        return _of_documents(run)
    moved = {row["id"]: row for table in _judged_lists(run) for row in table.to_pylist()}
    return [
        KnownRepository(row["id"], now["repo"], now["url"], row["repo"])
        for row in run.repositories.to_pylist()
        for now in (moved.get(row["id"], row),)
    ]


def _judged_lists(run: Run) -> list[pa.Table]:
    """What the passes over the repository list kept of it, the last pass last."""
    tables: list[pa.Table] = []
    for this in run.passes:
        for shard in sorted(this.receipts):
            path = document_path(this, shard)
            if not run.store.exists(path) or "url" not in run.store.read_schema(path).names:
                return tables
            tables.append(run.store.read_table(path, ["id", "repo", "url"]))
    return tables


def _of_documents(run: Run) -> list[KnownRepository]:
    names: set[str] = set()
    for _, _, decisions in decision_tables(run, ["repo"]):
        names.update(decisions["repo"].to_pylist())
    for this in run.passes[-1:]:
        for shard in sorted(this.receipts):
            names.update(run.store.read_table(document_path(this, shard), ["repo"])["repo"].to_pylist())
    return [KnownRepository(name, name, "", name) for name in sorted(names - {None})]
