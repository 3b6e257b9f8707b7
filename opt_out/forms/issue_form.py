"""BigCode's issue form of July 2026: two lists (whole accounts; single repositories), boxes, a link and notes.

GitHub writes a form's answers below headings. The form promises that only what is listed is removed, and only the
listed repositories of an account: where both lists speak of one account, or notes may change what the lists say, a
person decides.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from opt_out.forms.demand import Uncertain, distinct
from opt_out.forms.markdown import LONGEST_LINE, Line, account, items, repository
from opt_out.forms.template import is_courtesy
from opt_out.selectors import Selector

ACCOUNTS, REPOSITORIES, BOXES, PROOF, NOTES = "accounts", "repositories", "boxes", "proof", "notes"
HEADINGS = {
    "accounts and organizations to remove entirely": ACCOUNTS,
    "specific repositories to remove": REPOSITORIES,
    "optional - your relationship to what you listed": BOXES,
    "optional - a link that helps confirm this is you/yours": PROOF,
    "anything else? (optional)": NOTES,
}
RELATIONS = {
    "these are my own personal account(s).": "own accounts",
    "i am an owner or admin of the organization(s) listed.": "organisation's admin",
    "i am a maintainer / core contributor of the projects listed.": "maintainer",
}
_HEADING = re.compile(r"#{1,6}\s*(.*?)\s*#*")
_NO_RESPONSE = re.compile(r"_?No response_?|[-–]|n/a", re.IGNORECASE)
_FORMER = re.compile(r"(\S+)\s*\((?:my )?(?:old|former|previous)(?: user ?name| account| name)?\)", re.IGNORECASE)
_PLACEHOLDERS = frozenset({"my-username", "my-old-username", "my-org", "username"})
_NO_REPOSITORIES = frozenset({"none", "no", "nothing", "no repositories"})
_ALL_REPOSITORIES = frozenset(
    {
        "all",
        "*",
        "everything",
        "all of them",
        "all them",
        "all repos",
        "all repositories",
        "all my repos",
        "all of my repo",
    }
    | {"all my repositories", "all of my repos", "all of my repositories"}
)
# Words that GitHub would allow as an account's name, but that people write as words.
_WORDS = frozenset(
    {"all", "any", "anything", "both", "every", "everyone", "everything", "me", "mine", "my", "myself", "no", "none"}
    | {
        "nothing",
        "null",
        "nope",
        "opt-out",
        "optout",
        "org",
        "orgs",
        "please",
        "remove",
        "repo",
        "repos",
        "same",
        "self",
    }
    | {"stop", "thanks", "them", "this", "user", "users", "yes", "account", "accounts", "delete", "github", "owner"}
    | {
        "only",
        "keep",
        "but",
        "and",
        "or",
        "also",
        "with",
        "without",
        "the",
        "of",
        "to",
        "do",
        "dont",
        "is",
        "are",
        "it",
    }
    | {"public", "private", "tbd", "todo", "unknown", "undefined", "except", "not", "n", "y", "x"}
)


class Answers(NamedTuple):
    """What a filled-in form says."""

    selectors: tuple[Selector, ...]
    former: tuple[str, ...]
    claims: dict[str, Any]
    held: str  # why a person must read it although the lists are certain


def is_form(lines: list[Line]) -> bool:
    """Whether a heading of the form's two lists stands on a line."""
    return any(_heading(line) in (ACCOUNTS, REPOSITORIES) for line in lines)


def read_form(lines: list[Line], author: str | None) -> Answers:
    """The answers of a form. Raises Uncertain where a line of a list is not certainly a name, or the lists disagree."""
    sections = _sections(lines)
    accounts, former = _accounts(sections.get(ACCOUNTS, []))
    single = _repositories(sections.get(REPOSITORIES, []), [*accounts], author)
    whole = {selector.value for selector in accounts} | {name.lower() for name in former}
    if any(selector.value.split("/")[0] in whole for selector in single):
        raise Uncertain("it lists an account to be removed entirely and single repositories of it: which is meant?")
    if not accounts and not single and not former:
        raise Uncertain("both of its lists are empty")
    claims: dict[str, Any] = {}
    if relations := _relations(sections.get(BOXES, [])):
        claims["relations"] = relations
    proof = [line.text for line in sections.get(PROOF, []) if line.text and not _NO_RESPONSE.fullmatch(line.text)]
    if proof:
        claims["proof"] = "\n".join(proof)
    notes = [line.text for line in sections.get(NOTES, []) if line.text and not _NO_RESPONSE.fullmatch(line.text)]
    held = ""
    if not all(is_courtesy(text) for text in notes):
        held = "its notes may change what its lists say; read them"
    elif len(proof) > 1 or any(" " in text for text in proof):
        held = "where a link is asked for stands a text that may change what its lists say; read it"
    return Answers(distinct([*accounts, *single]), former, claims, held)


def _heading(line: Line) -> str | None:
    match = _HEADING.fullmatch(line.text) if line.text.startswith("#") and len(line.text) < LONGEST_LINE else None
    return HEADINGS.get(" ".join(match[1].casefold().replace("–", "-").replace("—", "-").split())) if match else None


def _sections(lines: list[Line]) -> dict[str, list[Line]]:
    sections: dict[str, list[Line]] = {}
    current: list[Line] | None = None
    for line in lines:
        name = _heading(line)
        if name is not None:
            if name in sections:
                raise Uncertain(f"line {line.number} is a heading of the form that stands in it twice")
            current = sections[name] = []
        elif current is not None:
            current.append(line)
        elif line.text and not is_courtesy(line.text):
            raise Uncertain(f"line {line.number} stands before the form's answers and is no part of it")
    return sections


def _accounts(lines: list[Line]) -> tuple[list[Selector], tuple[str, ...]]:
    """The accounts of the first list, and those of them that are said to be former names."""
    accounts, former = [], []
    for item in items(lines):
        if _NO_RESPONSE.fullmatch(item.text):
            continue
        said = _FORMER.fullmatch(item.text)
        selector = account(Line(item.number, said[1])) if said else account(item)
        if selector.value in _WORDS:
            raise Uncertain(f"line {item.number} is a word rather than the name of an account")
        if selector.value in _PLACEHOLDERS:
            raise Uncertain(f"line {item.number} is a placeholder that was not filled in")
        if said:
            former.append(selector.value)
        else:
            accounts.append(selector)
    return accounts, tuple(dict.fromkeys(former))


def _repositories(lines: list[Line], accounts: list[Selector], author: str | None) -> list[Selector]:
    found = []
    for item in items(lines):
        text = " ".join(item.text.casefold().split()).strip("\"'.! ")
        if _NO_RESPONSE.fullmatch(item.text) or text in _NO_REPOSITORIES:
            continue
        if text in _ALL_REPOSITORIES:
            if author is None or all(selector.value != author.lower() for selector in accounts):
                raise Uncertain(f"line {item.number} asks for all repositories without naming whose")
            continue  # the account is listed to be removed entirely
        selector = repository(item)
        owner = selector.value.split("/")[0]
        if owner in _PLACEHOLDERS or owner == "some-org":
            raise Uncertain(f"line {item.number} is a placeholder that was not filled in")
        found.append(selector)
    return found


def _relations(lines: list[Line]) -> list[str]:
    ticked = []
    for line in lines:
        box = re.fullmatch(r"[-*]\s*\[([ xX])\]\s*(.*)", line.text)
        label = " ".join((box[2] if box else line.text).casefold().split())
        if label in RELATIONS:
            if box and box[1] != " ":
                ticked.append(RELATIONS[label])
        elif line.text and not _NO_RESPONSE.fullmatch(line.text):
            raise Uncertain(f"line {line.number} stands among the form's boxes and is none of them")
    return ticked
