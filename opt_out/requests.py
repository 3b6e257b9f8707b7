"""The list of opt-out requests: one selector a line, an owner or `owner/repo`, compared without regard to case.

A selector is read as people write it (a GitHub address, `@owner`, a stray blank or emoji around it), but a line that
could mean more or less than it says is refused, by file and line: taking out a whole account where one repository was
asked for, or nothing at all, are both failures to honour it. Look-ups run over whole Arrow columns.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import UsageError
from pipeline.storage import read_file

# GitHub's rules: an account has up to 39 letters, digits and hyphens (and an underscore where a company manages it),
# a repository up to 100 letters, digits, `.`, `-` and `_`; its name never ends in .git.
_OWNER = re.compile(r"[a-z0-9][a-z0-9_-]{0,38}", re.ASCII)
_REPO = re.compile(r"[a-z0-9._-]{1,100}", re.ASCII)
_ADDRESS = re.compile(r"(?:(?:https?|git|ssh)://)?(?:git@)?(?:www\.)?github\.com(?:[/:]|$)", re.ASCII)
_PAGES = frozenset({"apps", "explore", "features", "marketplace", "orgs", "search", "settings", "sponsors", "users"})
_COMMENT = re.compile(r"(?:^|\s)#.*")
_BULLET = re.compile(r"^[-*•]\s+")
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufe00-\ufe0f\ufeff]")


@dataclass(frozen=True)
class OptOuts:
    """Selectors, lower-case and sorted: `acme` stands for all of an owner's repositories, `acme/widgets` for one."""

    owners: pa.Array
    repos: pa.Array

    @classmethod
    def parse(cls, text: str, source: str) -> OptOuts:
        """Read a list; a `#` at the start of a word begins a comment.

        Raises UsageError, which names `source` and the line, where a line's meaning is not certain.
        """
        selectors: set[str] = set()
        for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
            written = _COMMENT.sub("", _INVISIBLE.sub("", line)).strip()
            if written:
                selectors.add(_selector(written, f"{source}, line {number}"))
        repos = {selector for selector in selectors if "/" in selector}
        return cls(pa.array(sorted(selectors - repos), pa.string()), pa.array(sorted(repos), pa.string()))

    @classmethod
    def load(cls, path: str) -> OptOuts:
        """Read the list at a path or URL; UsageError where it cannot be read or a line is not certain."""
        try:
            return cls.parse(read_file(path).decode(), path)
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise UsageError(f"cannot read the opt-out list '{path}' ({reason}).") from None

    def covers(self, repos: pa.ChunkedArray) -> pa.ChunkedArray:
        """For each `owner/name`, in any case, the selector that covers it; null where none does.

        Where both the owner and the repository are listed, it is the owner.
        """
        name = pc.ascii_lower(repos)
        owner = pc.list_element(pc.split_pattern(name, "/", max_splits=1), 0)
        no = pa.scalar(None, pa.string())
        by_repo = pc.if_else(pc.is_in(name, self.repos), name, no)
        return pc.if_else(pc.is_in(owner, self.owners), owner, by_repo)


def _selector(written: str, where: str) -> str:
    """The selector that `written` certainly means."""
    bare = _without_symbols(_BULLET.sub("", written))
    plain = bare.lower() if bare.isascii() else bare
    address = _ADDRESS.match(plain)
    rest = plain[address.end() :] if address else plain.removeprefix("@")
    owner, slash, repo = rest.rstrip("/").partition("/")
    repo = repo.removesuffix(".git")
    certain = _OWNER.fullmatch(owner) and not (address and owner in _PAGES)
    if slash:
        certain = certain and _REPO.fullmatch(repo) and repo not in (".", "..")
    elif rest.endswith("/"):  # "acme/" may be a whole owner's address, or half of a repository's name
        certain = certain and address and written.endswith("/")
    if not certain:
        raise UsageError(f"{where}: '{written}' is neither an owner nor owner/repo; write one of them on the line.")
    return f"{owner}/{repo}" if slash else owner


def _without_symbols(text: str) -> str:
    """`text` without blanks, controls, emoji and other symbols (Unicode Z, C and S) at its two ends."""
    start, end = 0, len(text)
    while start < end and unicodedata.category(text[start])[0] in "ZCS":
        start += 1
    while end > start and unicodedata.category(text[end - 1])[0] in "ZCS":
        end -= 1
    return text[start:end]
