"""Removed files that the evidence about others names, such as the licence file by which a repository was judged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

COLUMNS = ("detail", "evidence")  # JSON, with "path" among its keys


@dataclass(frozen=True)
class Evidence:
    """`paths` gives for a repository, lower-case owner/name, the removed paths of it."""

    paths: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, files: Iterable[tuple[str, str]]) -> Evidence:
        """Of pairs of a repository and a path."""
        paths: dict[str, set[str]] = {}
        for repo, path in files:
            paths.setdefault(repo.lower(), set()).add(path)
        return cls({repo: frozenset(some) for repo, some in paths.items()})

    def rows(self, table: pa.Table) -> np.ndarray:
        """Which rows name a removed file of their own repository."""
        found = np.zeros(table.num_rows, np.bool_)
        for name in self._columns(table):
            for row, (repo, text) in enumerate(self._values(table, name)):
                found[row] |= self._without(repo, text, "") != text
        return found

    def without(self, table: pa.Table, word: str) -> pa.Table:
        """The table with `word` in place of these files' paths."""
        for name in self._columns(table):
            at = table.schema.get_field_index(name)
            changed = [self._without(repo, text, word) for repo, text in self._values(table, name)]
            table = table.set_column(at, table.schema.field(at), pa.array(changed, table.schema.field(at).type))
        return table

    def _columns(self, table: pa.Table) -> list[str]:
        names = [name for name in COLUMNS if name in table.column_names]
        if not self.paths or not names or "repo" not in table.column_names:
            return []
        held = {repo.lower() for repo in table["repo"].unique().to_pylist() if repo}
        return [] if held.isdisjoint(self.paths) else names

    def _values(self, table: pa.Table, name: str) -> Iterable[tuple[str | None, str | None]]:
        return zip(table["repo"].to_pylist(), table[name].to_pylist(), strict=True)

    def _without(self, repo: str | None, text: str | None, word: str) -> str | None:
        if repo is None or text is None:
            return text
        for path in self.paths.get(repo.lower(), ()):
            for written in {json.dumps(path), json.dumps(path, ensure_ascii=False)}:
                text = re.sub(f'"path": ?{re.escape(written)}', f'"path":"{word}"', text)
        return text
