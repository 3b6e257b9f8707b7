"""BigCode's issue template of 2022 to 2026, and what "Am I in The Stack" filled in for it.

A sentence, a list (`Commits`, `GitHub issue`, repositories, or `all`), and a note. `all`, `Commits` and `GitHub issue`
stand for what the issue's author has, so they are read only where nothing says that another account is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from opt_out.forms.demand import Uncertain, distinct, whole_account, written_by
from opt_out.forms.markdown import Line, items, repository
from opt_out.selectors import Selector

SENTENCE = re.compile(
    r"I request that the following data is removed from The Stack(?: and StackOverflow)?\s*[:.]?", re.IGNORECASE
)
_TITLE = re.compile(r"\s*(?:opt[- ]?out(?: request)?|remove)(?: (?:for )?(.*?))?[\s.!]*", re.IGNORECASE)
_MYSELF = frozenset(
    {"", "username", "<username>", "me", "myself", "my account", "my data", "my repositories", "all my repositories"}
)
_PLACEHOLDER = re.compile(r"(?:USERNAME|<USERNAME>)(?:/REPO(?:_?\d+)?)?", re.IGNORECASE)
_STACK_OVERFLOW = re.compile(r"StackOverflow\s*:\s*(\S.*)?", re.IGNORECASE)
_UNFILLED_STACK_OVERFLOW = re.compile(r"<?INSERT_STACKOVERFLOW_USERNAME_HERE>?", re.IGNORECASE)
_KINDS = {
    "commits": "commits",
    "commit": "commits",
    "github commits": "commits",
    "github issue": "issues",
    "github issues": "issues",
}
ADD_ALL = (
    "if you don't want all resources to be included just remove the elements from the list above. if you would like to "
    'exclude all repositories and resources just add a single element "all" to the list.'
)
REPLACE_BY_ALL = (
    "if you don't want all repositories removed, edit the list above. to exclude everything under your username, "
    'replace the list with a single "all" entry.'
)
_NOTE = re.compile(r"[_*]{0,2}Note[_*]{0,2}\s*:\s*", re.IGNORECASE)
COURTESIES = frozenset(
    {"thanks", "thank you", "thank you very much", "thank you in advance", "thanks in advance", "many thanks", "cheers"}
    | {"hi", "hello", "regards", "best regards", "kind regards", "thx", "ty"}
)


def is_template(lines: Iterable[Line]) -> bool:
    """Whether the template's sentence stands on a line."""
    return any(SENTENCE.fullmatch(line.text) for line in lines)


def read_template(lines: list[Line], title: str, author: str | None) -> tuple[tuple[Selector, ...], str]:
    """The selectors that a filled-in template asks for, and what else it asks for that Quarry has not ("" if nothing).

    Raises Uncertain where any line is none of the template's, or where the list says two things.
    """
    places = [place for place, line in enumerate(lines) if SENTENCE.fullmatch(line.text)]
    if len(places) > 1:
        raise Uncertain("the template stands in it twice")
    listed, notes = _without_note(lines[places[0] + 1 :])
    for line in lines[: places[0]]:
        if line.text and not is_courtesy(line.text):
            raise Uncertain(f"line {line.number} stands before the template's list and is no part of it")
    words: list[str] = []
    found: list[Selector] = []
    placeholders, elsewhere = False, ""
    for item in items(listed):
        word = " ".join(item.text.casefold().split())
        overflow = _STACK_OVERFLOW.fullmatch(item.text)
        if word == "all" or word in _KINDS:
            words.append(word)
        elif _PLACEHOLDER.fullmatch(item.text):
            placeholders = True
        elif overflow:
            if overflow[1] and not _UNFILLED_STACK_OVERFLOW.fullmatch(overflow[1]):
                elsewhere = "it also asks for an account of Stack Overflow, which is no part of these data"
        else:
            found.append(repository(item))
    if placeholders and not found and "all" not in words:
        raise Uncertain("the template was sent without filling in its placeholders")
    if not words and not found:
        raise Uncertain(elsewhere or "its list is empty")
    if words:
        login = _subject(title, author)
        found = [*_of_the_author(words, found, notes, login), *found]
        if "all" in words:  # covers its own repositories
            found = [one for one in found if one.target != "repository" or _owner(one) != login.lower()]
    return distinct(found), elsewhere


def is_courtesy(text: str) -> bool:
    """Whether a line only greets or thanks."""
    return text.strip(" !.,:;-)").casefold() in COURTESIES


def _of_the_author(words: list[str], found: list[Selector], notes: set[str], login: str) -> list[Selector]:
    """What `all`, `Commits` and `GitHub issue` stand for."""
    if "all" not in words:
        return [selector for word in words for selector in written_by(login, _KINDS[word])]
    if ADD_ALL not in notes and any(_owner(one) == login.lower() for one in found):
        raise Uncertain("it asks for 'all' and for single repositories of the same account: which of them is meant?")
    return list(whole_account(login))


def _subject(title: str, author: str | None) -> str:
    """Whose `all` it is: the author's, unless the title may say anything else."""
    if author is None:
        raise Uncertain("its author's account is gone, so that nobody can tell whose data 'all', commits or issues are")
    named = _TITLE.fullmatch(title[:300])
    name = (named[1] or "").casefold().removeprefix("@") if named else title.strip().casefold()
    if name not in _MYSELF and name != author.casefold():
        raise Uncertain("its title may name another account than its author's: whose data are meant?")
    return author


def _owner(selector: Selector) -> str:
    return selector.value.split("/")[0]


def _without_note(lines: list[Line]) -> tuple[list[Line], set[str]]:
    """The list's lines, without the template's own note and dots; and the notes that stand there."""
    listed, notes = [], set()
    for line in lines:
        note = _NOTE.match(line.text)
        text = (
            " ".join(line.text[note.end() :].casefold().replace("’", "'").replace("“", '"').replace("”", '"').split())
            if note
            else ""
        )
        if text in (ADD_ALL, REPLACE_BY_ALL):
            notes.add(text)
        elif line.text not in ("...", "…") and not is_courtesy(line.text):
            listed.append(line)
    return listed, notes
