"""The list of opt-out requests: one selector a line, an owner or `owner/repo`, compared without regard to case.

A selector is read as people write it (a GitHub address, `@owner`, a stray blank or emoji around it), but a line that
could mean more or less than it says is refused, by file and line: taking out a whole account where one repository was
asked for, or nothing at all, are both failures to honour it. Look-ups run over whole Arrow columns.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import UsageError

# GitHub's rules: an account has up to 39 letters, digits and hyphens (underscores in managed accounts), none at its
# start; a repository has up to 100 letters, digits, `.`, `-` and `_`.
_OWNER = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,38})", re.ASCII)
_REPO = re.compile(r"[a-z0-9._-]{1,100}", re.ASCII)
_ADDRESS = re.compile(r"(?:(?:https?|git|ssh)://)?(?:git@)?(?:www\.)?github\.com(?:[/:]|$)", re.ASCII)


@dataclass(frozen=True)
class OptOuts:
    """Selectors in lower case: `acme` stands for all of an owner's repositories, `acme/widgets` for one."""

    owners: frozenset[str]
    repos: frozenset[str]

    @classmethod
    def parse(cls, text: str, source: str) -> OptOuts:
        """Read a list; `#` starts a comment. Raises UsageError naming `source` and the line that is not certain."""
        selectors: set[str] = set()
        for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
            written = _trimmed(line.split("#", 1)[0])
            if written:
                selectors.add(_selector(written, f"{source}, line {number}"))
        repos = frozenset(selector for selector in selectors if "/" in selector)
        return cls(frozenset(selectors) - repos, repos)

    def matcher(self) -> Matcher:
        """The same selectors, ready for whole columns."""
        return Matcher(_sorted(self.owners), _sorted(self.repos))


@dataclass(frozen=True)
class Matcher:
    """Finds the rows of a column that a list of opt-outs covers."""

    owners: pa.Array
    repos: pa.Array

    def covers(self, repos: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
        """For each `owner/name`, in any case, the selector that covers it; null where none does.

        The owner's selector is named where both an owner's and the repository's do.
        """
        name = pc.ascii_lower(repos)
        owner = pc.replace_substring_regex(name, "/.*", "")
        no = pa.scalar(None, pa.string())
        by_repo = pc.if_else(pc.is_in(name, self.repos), name, no)
        return pc.if_else(pc.is_in(owner, self.owners), owner, by_repo)


def _sorted(selectors: Iterable[str]) -> pa.Array:
    return pa.array(sorted(selectors), pa.string())


def _trimmed(line: str) -> str:
    """`line` without the white space, symbols, emoji and invisible characters around it and inside it invisibly."""
    visible = "".join(char for char in line if unicodedata.category(char) not in ("Cf", "Mn", "Cc") or char == "\t")
    kept = [at for at, char in enumerate(visible) if unicodedata.category(char)[0] not in "ZCS"]
    return visible[kept[0] : kept[-1] + 1] if kept else ""


def _selector(written: str, where: str) -> str:
    """The selector that `written` certainly means."""
    plain = written.lower() if written.isascii() else written
    address = _ADDRESS.match(plain)
    rest = plain[address.end() :] if address else plain.removeprefix("@")
    parts = rest.strip("/").split("/")
    if len(parts) == 2:
        parts[1] = parts[1].removesuffix(".git")
    certain = (
        len(parts) in (1, 2)
        and _OWNER.fullmatch(parts[0])
        and (len(parts) == 1 or (_REPO.fullmatch(parts[1]) and parts[1] not in (".", "..")))
    )
    if not certain:
        raise UsageError(f"{where}: '{written}' is neither an owner nor owner/repo; write one of them on the line.")
    return "/".join(parts)
