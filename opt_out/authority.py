"""Whether who asks may ask: an owner proves it by a token published where only the owner can write.

The author of an issue who is the owner needs no more (opt_out/intake.py); an operator's judgement is recorded by who
makes it. Everybody else is given a token and publishes it: for a repository in that repository, for an account in its
profile repository, since who may write to one of an account's repositories need not be the account. The token belongs
to one request of one ledger, so that it proves nothing else, and it need not be kept secret.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from opt_out.ledger import Ledger, Request
from opt_out.selectors import Selector

# Where a token is looked for, on the default branch; a line of its own.
FILES = ("quarry-opt-out.txt", ".github/quarry-opt-out.txt", "README.md")
MARK = "quarry-opt-out-"
_LOGIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,38}", re.ASCII)
_SYMLINK_OR_GITLINK = ("120000", "160000")


class Unreadable(Exception):
    """A repository cannot be read; says why in some words."""


class Published(NamedTuple):
    """What the default branch of a repository holds."""

    commit: str
    files: dict[str, tuple[str, bytes]]  # path -> (mode, content)


class Reader(Protocol):
    """Reads some files of the default branch of a public repository."""

    def __call__(self, repository: str, paths: Sequence[str]) -> Published:
        """Those of `paths` that stand in `repository` (owner/name). Raises Unreadable."""


class Proof(NamedTuple):
    """Where the token of a selector was found."""

    selector: str
    repository: str
    commit: str
    file: str


def token_of(ledger: Ledger, request: Request) -> str:
    """The token of a request: the same whenever it is asked for, another one for any other request or ledger."""
    parts = ["token", ledger.head_at(1).chain, request.id, request.source, *sorted(map(str, request.selectors))]
    return MARK + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]


def places_of(selector: Selector) -> tuple[str, ...]:
    """The repositories in which a token proves that who published it may ask for `selector`.

    None for an e-mail address or for content: these need an operator's judgement.
    """
    if selector.target == "content" or (selector.target == "author" and not _LOGIN.fullmatch(selector.value.lower())):
        return ()
    named, _, _ = selector.value.partition(":")
    owner = named.split("/")[0].lower()
    profile = (f"{owner}/{owner}", f"{owner}/.github")
    return (named, *(place for place in profile if place != named)) if "/" in named else profile


def prove(token: str, selectors: Sequence[Selector], read: Reader) -> tuple[list[Proof], list[str]]:
    """A proof for each selector whose token is published, and a sentence for each that is not proven."""
    proofs: list[Proof] = []
    problems: list[str] = []
    known: dict[str, tuple[str, str] | str] = {}  # place -> (commit, file), or what stands in the way
    for selector in selectors:
        places = places_of(selector)
        for place in places:
            if place not in known:
                known[place] = _look(token, place, read)
            if not isinstance(found := known[place], str):
                proofs.append(Proof(str(selector), place, *found))
                break
        else:
            reasons = "; ".join(f"{place}: {known[place]}" for place in places)
            problems.append(
                f"'{selector}' is not proven ({reasons})."
                if places
                else f"'{selector}' cannot be proven by a token; it needs an operator's judgement (accept)."
            )
    return proofs, problems


def _look(token: str, repository: str, read: Reader) -> tuple[str, str] | str:
    try:
        published = read(repository, FILES)
    except Unreadable as error:
        return str(error)
    for file, (mode, content) in published.files.items():
        lines = content.decode(errors="replace").splitlines()
        if mode not in _SYMLINK_OR_GITLINK and token in (line.strip() for line in lines):
            return published.commit, file
    return "the token stands on no line of " + ", ".join(FILES)
