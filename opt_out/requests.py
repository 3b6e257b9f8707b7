"""The plain list of opt-out requests: one selector a line, a `#` at the start of a word begins a comment.

A list speaks of owners and repositories, compared without regard to case: a stage that reads it sees repositories. What
else a selector can say (opt_out/selector.py) needs a ledger. A line that could mean more or less than it says is
refused, by file and line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from opt_out.selectors import Selector, Selectors, parse_selector
from pipeline.errors import UsageError
from pipeline.storage import read_file

_COMMENT = re.compile(r"(?:^|\s)#.*")
_UNSEEN_AT_START = re.compile("^[\\s\u200b-\u200f\u2060\ufe00-\ufe0f\ufeff]+")


@dataclass(frozen=True)
class OptOuts:
    """Selectors, lower-case and sorted: `acme` stands for all of an owner's repositories, `acme/widgets` for one."""

    owners: pa.Array
    repos: pa.Array

    @classmethod
    def parse(cls, text: str, source: str) -> OptOuts:
        """Read a list. Raises UsageError, which names `source` and the line, where a line's meaning is not certain."""
        wanted: set[Selector] = set()
        for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
            written = _COMMENT.sub("", _UNSEEN_AT_START.sub("", line)).strip()
            if not written:
                continue
            where = f"{source}, line {number}"
            selector = parse_selector(written, where)
            if selector.target not in ("owner", "repository") or selector.kinds:
                raise UsageError(
                    f"{where}: '{written[:80]}' needs a ledger (quarry opt-out add); a plain list says less."
                )
            wanted.add(selector)
        owners, repos = (sorted(one.value for one in wanted if one.target == t) for t in ("owner", "repository"))
        return cls(pa.array(owners, pa.string()), pa.array(repos, pa.string()))

    @classmethod
    def load(cls, path: str) -> OptOuts:
        """Read the list at a path or URL; UsageError where it cannot be read or a line is not certain."""
        try:
            return cls.parse(read_file(path).decode(), path)
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise UsageError(f"cannot read the opt-out list '{path}' ({reason}).") from None

    @cached_property
    def selectors(self) -> Selectors:
        """The same, for tables."""
        owners = (Selector("owner", value) for value in self.owners.to_pylist())
        return Selectors.of([*owners, *(Selector("repository", value) for value in self.repos.to_pylist())])

    def covers(self, repos: pa.ChunkedArray) -> pa.ChunkedArray:
        """For each `owner/name`, in any case, the selector that covers it; null where none does.

        Where both the owner and the repository are listed, it is the owner.
        """
        return self.selectors.covers(pa.table({"repo": repos}))
