"""One selector: what a request asks to leave out, and the one way in which it is written.

    acme                        every repository of an account
    acme/widgets                one repository
    acme/widgets:src/*.py       files in it, by a glob (opt_out/globs.py)
    author:acme, author:a@b.c   commits and issues of an author
    swh:1:cnt:HEX               one content; HEX is git's blob id

Each may be limited to kinds: `acme [commits, issues]`. A selector is read as people write it (a GitHub address,
`@owner`, a stray blank or emoji around it), but what could mean more or less than it says is refused: taking out a
whole account where one repository was asked for, or nothing at all, are both failures to honour it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, NamedTuple

from opt_out.globs import ESCAPED, Uncertain, canonical
from pipeline.errors import UsageError

Target = Literal["owner", "repository", "path", "author", "content"]
KINDS = ("code", "commits", "issues")
CONTENT = "swh:1:cnt:"
AUTHOR = "author:"

# GitHub's rules: an account has up to 39 letters, digits and hyphens (and an underscore where a company manages it),
# a repository up to 100 letters, digits, `.`, `-` and `_`; its name never ends in .git.
_OWNER = re.compile(r"[a-z0-9][a-z0-9_-]{0,38}", re.ASCII)
_REPO = re.compile(r"[a-z0-9._-]{1,100}", re.ASCII)
_LOGIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,38}(?:\[bot\])?", re.ASCII)
_EMAIL = re.compile(r"[^\s@<>,;:\"\\]+@[^\s@<>,;:\"\\]+")
_HEX = re.compile(r"[0-9a-f]{40}", re.ASCII)
_ADDRESS = re.compile(r"(?:(?:https?|git|ssh)://)?(?:git@)?(?:www\.)?github\.com(?:/|:(?!\d+/)|$)", re.ASCII)
_PAGES = frozenset({"apps", "explore", "features", "marketplace", "orgs", "search", "settings", "sponsors", "users"})
_BULLET = re.compile(r"^[-*•]\s+")
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufe00-\ufe0f\ufeff]")
_KINDS = re.compile(r"(?P<what>.*\S) \[(?P<kinds>[a-z]+(?:, ?[a-z]+)*)\]", re.DOTALL)
_CLOSING = {"`": "`", "<": ">"}
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


class Selector(NamedTuple):
    """`value` is canonical: lower-case but for paths; `owner/repo:glob` for a path, 40 hex digits for content."""

    target: Target
    value: str
    kinds: frozenset[str] = frozenset()  # some of KINDS; none of them stands for everything

    def __str__(self) -> str:
        prefix = {"author": AUTHOR, "content": CONTENT}.get(self.target, "")
        return prefix + self.value + suffix(self.kinds)


def suffix(kinds: frozenset[str]) -> str:
    """How a selector says that it is limited to kinds."""
    return f" [{', '.join(sorted(kinds))}]" if kinds else ""


def ascii_lower(text: str) -> str:
    """As Arrow's ascii_lower: no letter outside ASCII changes."""
    return text.translate(_LOWER)


def parse_selector(written: str, where: str) -> Selector:
    """The selector that `written` certainly means. Raises UsageError, which begins with `where`, otherwise."""
    bare = _BULLET.sub("", _trimmed(written))
    what, kinds = _kinds(bare, where)
    named = _start(what)
    name, colon, path = named.partition(":")
    name = _INVISIBLE.sub("", name)
    try:
        if colon and "/" in name and not _ADDRESS.match(ascii_lower(f"{name}:")) and not path.startswith("//"):
            return Selector("path", f"{_repository(name)}:{_path(path, what[: len(what) - len(named)])}", kinds)
        plain = _without_symbols(_INVISIBLE.sub("", what))
        if ascii_lower(plain).startswith(AUTHOR):
            return Selector("author", _author(plain[len(AUTHOR) :].strip()), _authored(kinds))
        if ascii_lower(plain).startswith("swh:"):
            return Selector("content", _content(ascii_lower(plain)), kinds)
    except Uncertain as reason:
        raise UsageError(f"{where}: '{_shown(written)}' is not certain: {reason}.") from None
    return _owner_or_repository(plain, written, where)._replace(kinds=kinds)


def _owner_or_repository(bare: str, written: str, where: str) -> Selector:
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
        raise UsageError(
            f"{where}: '{_shown(written)}' is neither an owner nor owner/repo; write one of them on the line."
        )
    return Selector("repository", f"{owner}/{repo}") if slash else Selector("owner", owner)


def _kinds(bare: str, where: str) -> tuple[str, frozenset[str]]:
    """What stands before ` [kinds]`, and these."""
    limited = _KINDS.fullmatch(bare)
    if not limited:
        return bare, frozenset()
    named = frozenset(kind.strip() for kind in limited["kinds"].split(","))
    if not named <= set(KINDS):
        raise UsageError(f"{where}: '{_shown(bare)}' names kinds other than {', '.join(KINDS)}; write some of these.")
    return limited["what"], frozenset() if named == set(KINDS) else named


def _repository(name: str) -> str:
    owner, _, repo = (name.lower() if name.isascii() else name).partition("/")
    repo = repo.removesuffix(".git")
    if not _OWNER.fullmatch(owner) or not _REPO.fullmatch(repo) or repo in (".", ".."):
        raise Uncertain("a path follows owner/repo:")
    return f"{owner}/{repo}"


def _path(path: str, before: str) -> str:
    """The canonical glob; symbols at the end belong to a file's name unless they close what opened `before` it."""
    closing = _CLOSING.get(before[-1:])
    if closing and path.endswith(closing):
        path = path[:-1]
    if path != path.strip():
        raise Uncertain("a blank stands around the path")
    if any(unicodedata.category(character) == "Cc" for character in path):
        raise Uncertain("the path holds a control character")
    if path and (path[-1] in "`<>" or (not path[-1].isascii() and unicodedata.category(path[-1])[0] in "ZCS")):
        raise Uncertain("the path ends in a symbol, which may not belong to it")
    glob = canonical(path)
    # A file whose name ends in what would limit kinds.
    at = glob.rfind(" [")
    return f"{glob[: at + 1]}\\{glob[at + 1 :]}" if _KINDS.fullmatch(f"x{glob}") and "[" in ESCAPED else glob


def _author(who: str) -> str:
    if "@" in who[1:]:
        if not _EMAIL.fullmatch(who):
            raise Uncertain("an author is an account's login or an e-mail address")
        return ascii_lower(who)
    login = ascii_lower(who.removeprefix("@"))
    if not _LOGIN.fullmatch(login):
        raise Uncertain("an author is an account's login or an e-mail address")
    return login


def _authored(kinds: frozenset[str]) -> frozenset[str]:
    """The kinds of an author's selector; code has no author."""
    if kinds == {"code"}:
        raise Uncertain("an author has commits and issues, no code; name owners or repositories for code")
    kinds -= {"code"}
    return frozenset() if kinds == {"commits", "issues"} else kinds


def _content(identifier: str) -> str:
    digits = identifier.removeprefix(CONTENT)
    if not identifier.startswith(CONTENT) or not _HEX.fullmatch(digits):
        raise Uncertain(f"content is written {CONTENT} and 40 hex digits, without qualifiers")
    return digits


def _shown(text: str) -> str:
    """`text` on one line, and not endless."""
    return "".join(character if character.isprintable() else " " for character in text[:200])


def _trimmed(text: str) -> str:
    """`text` without blanks and what cannot be seen at its ends."""
    start, end = 0, len(text)
    while start < end and _is_unseen(text[start]):
        start += 1
    while end > start and _is_unseen(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character)[0] in "ZC"


def _start(text: str) -> str:
    """`text` without blanks, controls, emoji and other symbols (Unicode Z, C and S), and variants, at its start."""
    start = 0
    while start < len(text) and (unicodedata.category(text[start])[0] in "ZCS" or _INVISIBLE.match(text[start])):
        start += 1
    return text[start:]


def _without_symbols(text: str) -> str:
    """`text` without such at its two ends."""
    return _start(_start(text)[::-1])[::-1]
