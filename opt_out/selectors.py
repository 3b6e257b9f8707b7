"""Many selectors at once, over whole Arrow columns: a table's rows are looked up in microseconds each.

Names are compared as a whole, by hash; globs are RE2 patterns that run only over paths of the repositories that have
any. Which selector covers a row is told by the widest one, so that a reader sees why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opt_out.path_patterns import PathPatterns
from opt_out.selector import AUTHOR, CONTENT, suffix
from opt_out.selector import KINDS as KINDS
from opt_out.selector import Selector as Selector
from opt_out.selector import parse_selector as parse_selector

_KIND_OF = {"code": "code", "notebook": "code", "issue": "issues", "commit": "commits"}  # of schema.KINDS
_AUTHORED = frozenset({"issues", "commits"})
_NOTHING = pa.scalar(None, pa.string())
_ADDRESS = "<(?P<address>[^<>]+)>"  # in an author as git writes it


@dataclass(frozen=True)
class Names:
    """A set of strings that columns are looked up in."""

    values: pa.Array
    plain: frozenset[str]

    @classmethod
    def of(cls, values: Iterable[str]) -> Names:
        plain = frozenset(values)
        return cls(pa.array(sorted(plain), pa.string()), plain)

    def holds(self, column: pa.Array) -> np.ndarray:
        """Which values are in the set, as booleans; nulls are not.

        Arrow builds its hash table at each call, which for a few values takes longer than to look them up one by one.
        """
        if not self.plain:
            return np.zeros(len(column), np.bool_)
        if len(column) * 8 < len(self.plain):
            return np.fromiter((value in self.plain for value in column.to_pylist()), np.bool_, len(column))
        return pc.is_in(column, value_set=self.values).to_numpy(zero_copy_only=False)


@dataclass(frozen=True)
class Group:
    """The selectors that are limited to the same kinds; none stands for everything."""

    kinds: frozenset[str]
    owners: Names
    repositories: Names
    authors: Names
    contents: Names
    paths: PathPatterns


@dataclass(frozen=True)
class Selectors:
    """Selectors of any number, made by `of`; can be pickled."""

    groups: tuple[Group, ...]  # the widest first
    _of_repositories: list[Selectors] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def of(cls, selectors: Iterable[Selector]) -> Selectors:
        """All of `selectors`, in any order; what stands twice counts once."""
        by_kinds: dict[frozenset[str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for target, value, kinds in selectors:
            by_kinds[kinds][target].append(value)
        widest_first = sorted(by_kinds, key=lambda kinds: (len(kinds) or len(KINDS), sorted(kinds)), reverse=True)
        return cls(tuple(_group(kinds, by_kinds[kinds]) for kinds in widest_first))

    def __len__(self) -> int:
        return sum(
            len(names.plain)
            for one in self.groups
            for names in (one.owners, one.repositories, one.authors, one.contents)
        ) + sum(len(one.paths) for one in self.groups)

    def covers(self, table: pa.Table) -> pa.ChunkedArray:
        """For each row the written form of the selector that covers it, the widest one; null where none does.

        Uses the columns repo, renamed_from, path, blob, kind and author, as far as the table has them. A row without a
        kind is code, or whatever an author wrote; one with an empty path is a whole repository. Authors' selectors
        cover no code.
        """
        rows = _Rows(table)
        found = pa.nulls(table.num_rows, pa.string())
        for covering in (self._owners, self._repositories, self._authors, self._paths, self._contents):
            for one in covering(rows):
                found = pc.coalesce(found, one)
        return pa.chunked_array([found], pa.string())

    def repositories(self) -> Selectors:
        """Those by which a whole repository is left out: owners and repositories, where code is meant."""
        if not self._of_repositories:
            no, none = Names.of([]), PathPatterns.of([])
            groups = (one for one in self.groups if not one.kinds or "code" in one.kinds)
            self._of_repositories.append(
                Selectors(tuple(replace(one, authors=no, contents=no, paths=none) for one in groups))
            )
        return self._of_repositories[0]

    def _owners(self, rows: _Rows) -> Iterator[pa.Array]:
        for group in self.groups:
            if group.owners.plain:
                for name in rows.names:
                    owner = pc.list_element(pc.split_pattern(name, "/", max_splits=1), 0)
                    yield rows.told(group.owners.holds(owner), owner, "", group.kinds)

    def _repositories(self, rows: _Rows) -> Iterator[pa.Array]:
        for group in self.groups:
            if group.repositories.plain:
                for name in rows.names:
                    yield rows.told(group.repositories.holds(name), name, "", group.kinds)

    def _authors(self, rows: _Rows) -> Iterator[pa.Array]:
        author = rows.column("author")
        if author is None:
            return
        lower = pc.ascii_lower(author)
        address = pc.struct_field(pc.extract_regex(lower, _ADDRESS), "address")
        for group in self.groups:
            if group.authors.plain:
                for who in (lower, address):
                    yield rows.told(group.authors.holds(who), who, AUTHOR, group.kinds, authored=True)

    def _paths(self, rows: _Rows) -> Iterator[pa.Array]:
        path = rows.column("path")
        if path is None:
            return
        for group in self.groups:
            if len(group.paths):
                for name in rows.names:
                    told = group.paths.covers(name, path)
                    yield rows.told(told.is_valid().to_numpy(zero_copy_only=False), told, "", group.kinds)

    def _contents(self, rows: _Rows) -> Iterator[pa.Array]:
        blob = rows.column("blob")
        if blob is None:
            return
        for group in self.groups:
            if group.contents.plain:
                yield rows.told(group.contents.holds(blob), blob, CONTENT, group.kinds)


class _Rows:
    """The columns of a table that selectors speak of."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self.names = [
            _one(pc.ascii_lower(table[column])) for column in ("repo", "renamed_from") if column in table.column_names
        ]

    def column(self, name: str) -> pa.Array | None:
        return _one(self._table[name]) if name in self._table.column_names else None

    def told(
        self, covered: np.ndarray, what: pa.Array, prefix: str, kinds: frozenset[str], *, authored: bool = False
    ) -> pa.Array:
        """The written form of selectors whose value is `what`, where `covered` and of one of the kinds; else null."""
        if authored or kinds:
            covered = covered & self._of_kinds(kinds, authored)
        if not covered.any():
            return pa.nulls(len(covered), pa.string())
        written = what
        if prefix or kinds:
            written = pc.binary_join_element_wise(prefix, what, suffix(kinds), "")
        return pc.if_else(pa.array(covered), written, _NOTHING)

    def _of_kinds(self, kinds: frozenset[str], authored: bool) -> np.ndarray:
        kind = self.column("kind")
        if kind is None:
            kind = pa.nulls(self._table.num_rows, pa.string())
        wanted = [name for name, of in _KIND_OF.items() if of in (kinds or KINDS) and (not authored or of in _AUTHORED)]
        matches = pc.is_in(kind, value_set=pa.array(wanted, pa.string()))
        unknown = authored or "code" in kinds
        return (pc.or_(matches, pc.is_null(kind)) if unknown else matches).to_numpy(zero_copy_only=False)


def _one(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # beyond 2 GB of text, which no column of names has
        raise ValueError("a column of names holds more than 2 GB")
    return array if array.type == pa.string() else array.cast(pa.string())


def _group(kinds: frozenset[str], values: dict[str, list[str]]) -> Group:
    owners, repositories, authors, contents = (
        Names.of(values[target]) for target in ("owner", "repository", "author", "content")
    )
    return Group(kinds, owners, repositories, authors, contents, PathPatterns.of(values["path"]))
