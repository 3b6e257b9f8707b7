"""Path selectors of many repositories, looked up by repository first: a pattern never sees another's paths.

Most name one file, and are looked up by hash. The rest are joined to a few alternations for each repository, and only
the paths that match one of these are asked which pattern it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opt_out.globs import is_literal, literal, to_regex

AT_ONCE = 4_000  # characters of an alternation; RE2 refuses patterns that compile to megabytes


@dataclass(frozen=True)
class PathPatterns:
    """Values of path selectors: `owner/repo:glob`, canonical."""

    files: dict[str, str]  # owner/repo:path -> the selector's value, where it names one file
    literals: pa.Array  # the keys of `files`
    globs: dict[str, tuple[str, ...]]  # owner/repo -> the values of its other selectors
    repositories: pa.Array  # the keys of both

    @classmethod
    def of(cls, values: Iterable[str]) -> PathPatterns:
        files: dict[str, str] = {}
        globs: dict[str, list[str]] = defaultdict(list)
        names: set[str] = set()
        for value in sorted(set(values)):
            name, _, glob = value.partition(":")
            names.add(name)
            if is_literal(glob):
                files[f"{name}:{literal(glob)}"] = value
            else:
                globs[name].append(value)
        return cls(
            files,
            pa.array(files, pa.string()),
            {name: tuple(found) for name, found in globs.items()},
            pa.array(sorted(names), pa.string()),
        )

    def __len__(self) -> int:
        return len(self.files) + sum(map(len, self.globs.values()))

    def covers(self, names: pa.Array, paths: pa.Array) -> pa.Array:
        """For each lower-case owner/repo and path the value of a selector that covers it; null where none does."""
        found = np.full(len(names), None, object)
        concerned = np.flatnonzero(pc.is_in(names, value_set=self.repositories).to_numpy(zero_copy_only=False))
        if len(concerned):
            self._look(found, concerned, names.take(concerned), paths.take(concerned))
        return pa.array(found, pa.string())

    def _look(self, found: np.ndarray, rows: np.ndarray, names: pa.Array, paths: pa.Array) -> None:
        places = pc.binary_join_element_wise(names, paths, ":")
        at = pc.index_in(places, value_set=self.literals)
        named = at.is_valid().to_numpy(zero_copy_only=False)
        if named.any():
            values = np.array([*self.files.values()], object)
            found[rows[named]] = values[at.drop_null().to_numpy()]
        encoded = names.dictionary_encode()
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        order = np.argsort(codes, kind="stable")
        starts = np.searchsorted(codes[order], np.arange(len(encoded.dictionary) + 1))
        for code, name in enumerate(encoded.dictionary.to_pylist()):
            if name in self.globs:
                own = order[starts[code] : starts[code + 1]]
                _match(self.globs[name], rows[own], paths.take(own), found)


def _match(values: tuple[str, ...], rows: np.ndarray, paths: pa.Array, found: np.ndarray) -> None:
    """Note for `rows`, whose paths are `paths`, which of its repository's `values` covers them, the first."""
    distinct = paths.dictionary_encode()
    told = np.full(len(distinct.dictionary) + 1, None, object)  # the last stands for paths that are null
    for together in _together(values):
        patterns = [to_regex(value.partition(":")[2]) for value in together]
        some = np.flatnonzero(_matches(distinct.dictionary, "|".join(patterns)))
        candidates = distinct.dictionary.take(some)
        for value, pattern in zip(reversed(together), reversed(patterns), strict=True):
            if len(some):
                told[some[_matches(candidates, pattern)]] = value
    by_row = told[pc.fill_null(distinct.indices, len(told) - 1).to_numpy(zero_copy_only=False)]
    found[rows] = np.where(by_row == None, found[rows], by_row)  # noqa: E711


def _matches(paths: pa.Array, pattern: str) -> np.ndarray:
    return pc.match_substring_regex(paths, rf"(?s)\A(?:{pattern})\z").to_numpy(zero_copy_only=False)


def _together(values: tuple[str, ...]) -> Iterator[list[str]]:
    batch: list[str] = []
    for value in values:
        if batch and sum(map(len, batch)) + len(value) > AT_ONCE:
            yield batch
            batch = []
        batch.append(value)
    yield batch
