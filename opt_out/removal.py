"""What is to be taken out of a run, and which rows of which table that means.

One rule for every table that a run holds, told apart by the columns it has: a row goes where its id is one of the
documents found, or where a selector covers the repository and path it names. A row about a whole repository goes only
with the repository. What stays by name is the intake's decision that the repository is opted out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opt_out.evidence import Evidence
from opt_out.selectors import Selectors

NAMES = (
    "id",
    "repo",
    "renamed_from",
    "path",
    "blob",
    "kind",
    "author",
    "action",
    "reason",
    "canonical",
    "detail",
    "fork_of",
    "evidence",
)
REMOVED = "removed"  # what stands for a removed document where another's decision cites it
CITED = ("canonical", "canonical_repo", "canonical_path")
ORIGINS = ("fork_of", "renamed_from")  # names of other repositories in rows of one's own
_IN_DETAIL = '"canonical":"(?P<id>[0-9a-f]{32})"'
_ORIGIN_IN_DETAIL = '"(?:fork_of|renamed_from)":"(?P<name>[^"]+)"'


@dataclass(frozen=True)
class Removal:
    """Everything that `selectors` cover, and the documents of `ids` (an array of strings)."""

    selectors: Selectors
    ids: pa.Array
    evidence: Evidence = field(default_factory=Evidence)

    def rows(self, table: pa.Table) -> np.ndarray:
        """Which rows of a table of any schema go, as booleans."""
        going = self.covered(table)
        if "id" in table.column_names and len(self.ids):
            going |= _is_in(table["id"], self.ids)
        return going & ~_is_record(table)

    def covered(self, table: pa.Table) -> np.ndarray:
        """Which rows the selectors cover, by the names the table holds."""
        if "repo" not in table.column_names:
            return np.zeros(table.num_rows, np.bool_)
        whole = self.selectors.repositories().covers(table).is_valid().to_numpy()
        if "path" not in table.column_names:
            return whole
        of_repository = pc.equal(pc.fill_null(table["path"], ""), "").to_numpy()
        return np.where(of_repository, whole, self.selectors.covers(table).is_valid().to_numpy())

    def cites(self, table: pa.Table) -> np.ndarray:
        """Which rows that stay cite a document that goes, or name a repository that does as their origin."""
        cites = np.zeros(table.num_rows, np.bool_)
        if "canonical" in table.column_names:
            cites |= self._cites(table["canonical"], "canonical")
        if {"detail", "action"} <= set(table.column_names):
            cites |= self._cites(table["detail"], "detail")
        for names in _origins(table):
            repositories = pa.table({"repo": names})
            cites |= self.selectors.repositories().covers(repositories).is_valid().to_numpy()
        cites |= self.evidence.rows(table)
        return cites & ~self.rows(table)

    def without(self, table: pa.Table) -> pa.Table:
        """The rows that stay, where a citation of what goes says so without naming it."""
        cites, stays = self.cites(table), ~self.rows(table)
        if cites.any():
            table = self.evidence.without(_anonymous(table, cites), REMOVED)
        return table if stays.all() else table.filter(pa.array(stays))

    def _cites(self, column: pa.ChunkedArray, name: str) -> np.ndarray:
        if name == "detail":
            column = pc.struct_field(pc.extract_regex(column, _IN_DETAIL), "id")
        return _is_in(column, self.ids)


def may_cite(names: Sequence[str]) -> bool:
    """Whether a table with these columns cites documents or repositories: edges, decisions, what a host says."""
    return bool({"canonical", "evidence", *ORIGINS} & {*names}) or {"detail", "action"} <= set(names)


def _origins(table: pa.Table) -> Iterator[pa.ChunkedArray]:
    """Columns of names of repositories that rows came from."""
    yield from (table[column] for column in ORIGINS if column in table.column_names)
    if {"detail", "action"} <= set(table.column_names):
        found = pc.struct_field(pc.extract_regex(table["detail"], _ORIGIN_IN_DETAIL), "name")
        if pc.any(pc.is_valid(found)).as_py():
            yield found


def is_document(table: pa.Table) -> np.ndarray:
    """Which rows are about one document, not about a repository."""
    if not {"id", "path"} <= set(table.column_names):
        return np.zeros(table.num_rows, np.bool_)
    return pc.not_equal(pc.fill_null(table["path"], ""), "").to_numpy()


def _is_in(values: pa.ChunkedArray, among: pa.Array) -> np.ndarray:
    return pc.is_in(values, value_set=among).to_numpy()


def _is_record(table: pa.Table) -> np.ndarray:
    """Which rows are the decision that a repository is opted out."""
    if not {"reason", "path"} <= set(table.column_names):
        return np.zeros(table.num_rows, np.bool_)
    whole = pc.equal(pc.fill_null(table["path"], ""), "")
    return pc.fill_null(pc.and_(whole, pc.equal(table["reason"], "opted_out")), False).to_numpy()


def _anonymous(table: pa.Table, rows: np.ndarray) -> pa.Table:
    """`table` with what is cited in these rows replaced by the word REMOVED."""
    mask = pa.array(rows)
    for column in (*CITED, *ORIGINS):
        if column in table.column_names:
            at = table.schema.get_field_index(column)
            table = table.set_column(at, table.schema.field(at), pc.if_else(mask, REMOVED, table[column]))
    if "detail" in table.column_names:
        at, detail = table.schema.get_field_index("detail"), table["detail"]
        for column in (*CITED, *ORIGINS):
            detail = pc.replace_substring_regex(detail, f'"{column}":"(?:[^"\\\\]|\\\\.)*"', f'"{column}":"{REMOVED}"')
        table = table.set_column(at, table.schema.field(at), pc.if_else(mask, detail, table["detail"]))
    return table
