"""The few marks of Markdown that may stand around a name in a list, and nothing else.

A line that holds more than a name in such marks is not read: a quotation, a struck-out line, a table or a sentence may
mean the opposite of the name that stands in it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from opt_out.forms.demand import Uncertain
from opt_out.selectors import Selector, parse_selector
from pipeline.errors import UsageError

LONGEST_LINE = 1_000  # characters; no name is longer
LONGEST_BODY = 1_000_000  # GitHub's issues have at most 65,536 characters

_NEWLINE = re.compile(r"\r\n|\r")
# Overrides of direction, and tag characters: what a reader sees is not what stands there.
_DECEPTIVE = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff]")
_FENCE = re.compile(r"\s*(?:```|~~~)\s*\w*\s*")
_BULLET = re.compile(r"(?:[-*+•‣·–]|\d{1,4}[.)])\s+|[-*•](?=[A-Za-z0-9@])")
_BOX = re.compile(r"\[([ xX])\]\s+")
_LINK = re.compile(r"\[([^\[\]]*)\]\((\S+?)\)")
_NO_NAME = re.compile(r"repo(?:_?\d+)?|repo-?name|repos|all|all-?repos|any|everything")
# Pages of GitHub that show an account, or a repository as a whole.
_PAGE = re.compile(
    r"((?:https?://)?(?:www\.)?github\.com/[\w.-]+(?:/[\w.-]+)?)"
    r"(?:/tree/(?:main|master)/?|/?#readme|/?\?tab=(?:repositories|overview|readme-ov-file)(?:#readme)?)",
    re.ASCII | re.IGNORECASE,
)
_PAIRS = (("**", "**"), ("__", "__"), ("`", "`"), ('"', '"'), ("'", "'"), ("“", "”"), ("<", ">"))
_MARKS = re.compile(r"[~|<>^$=\[\]{}\\!?]")  # no part of a name; each may change what a line means
_YES_OR_NO = re.compile("[✅✔☑❌✖❎🚫⛔🙅👎👍❗❓‼🔴🟠🟡🟢⭕🆗🆖]")
_PLAIN = re.compile(r"[A-Za-z0-9][\w./-]*", re.ASCII)  # what nearly all names are made of
_LOGIC = frozenset({"Sm", "Sc", "Sk"})  # Unicode's signs such as ¬, ≠ and ×


class Line(NamedTuple):
    """A line of a body; the first is number 1."""

    number: int
    text: str


def lines_of(body: str) -> list[Line]:
    """The lines of a body as a reader sees them: without comments and characters that cannot be seen.

    Raises Uncertain where what is seen may differ from what stands there.
    """
    if len(body) > LONGEST_BODY:
        raise Uncertain(f"its text has more than {LONGEST_BODY:,} characters")
    if _DECEPTIVE.search(body):
        raise Uncertain("its text holds characters that hide or reorder what a reader sees")
    body = _NEWLINE.sub("\n", _INVISIBLE.sub("", body))
    if "<!--" in body:
        if "```" in body or "~~~" in body:
            raise Uncertain("its text holds both a comment and a code block, so that one may hide the other")
        body = _without_comments(body)
    return [Line(number, text.strip()) for number, text in enumerate(body.split("\n"), 1)]


def _without_comments(body: str) -> str:
    """`body` without HTML comments; its lines keep their numbers."""
    shown, at = [], 0
    while (start := body.find("<!--", at)) >= 0:
        end = body.find("-->", start)
        if end < 0:
            raise Uncertain("its text holds a comment that is not closed, and hides what follows")
        shown += [body[at:start], "\n" * body.count("\n", start, end)]
        at = end + len("-->")
    return "".join([*shown, body[at:]])


def items(lines: Iterable[Line]) -> Iterator[Line]:
    """What the lines of a list hold, without blank lines, bullets and marks of Markdown.

    Raises Uncertain, which names the line, where more than a name may stand in it.
    """
    for number, text in lines:
        if len(text) > LONGEST_LINE:
            raise Uncertain(f"line {number} is longer than any name")
        if not text or _FENCE.fullmatch(text):
            continue
        bare = _BULLET.sub("", text, count=1) if _BULLET.match(text) else text
        if box := _BOX.match(bare):
            if box[1] == " ":
                raise Uncertain(f"line {number} is a box that was not ticked")
            bare = bare[box.end() :]
        for piece in _pieces(bare):
            if piece := _unmarked(piece, number):
                yield Line(number, piece)


def repository(item: Line) -> Selector:
    """The repository that an item names; Uncertain where it is anything else, also a part of one.

    BigCode's forms know no paths: what stands behind a colon may as well be a remark.
    """
    selector = _selector(item)
    if selector.target != "repository":
        raise Uncertain(f"line {item.number} names no repository as owner/repo")
    if _NO_NAME.fullmatch(selector.value.split("/")[1]):
        raise Uncertain(f"line {item.number} may be a placeholder or mean all repositories rather than name one")
    return selector


def account(item: Line) -> Selector:
    """The account that an item names; Uncertain where it is anything else."""
    selector = _selector(item)
    if selector.target != "owner":
        raise Uncertain(f"line {item.number} names less than an account, where whole accounts are listed")
    return selector


def _selector(item: Line) -> Selector:
    text = item.text
    if page := _PAGE.fullmatch(text):
        return _parsed(page[1], item.number)
    if link := _LINK.fullmatch(text):
        shown, address = link.groups()
        selector = _parsed(address, item.number)
        try:
            named = parse_selector(shown, "")
        except UsageError:
            return selector
        if named != selector:
            raise Uncertain(f"line {item.number} shows one name and links to another")
        return selector
    if not _PLAIN.fullmatch(text) and (
        _MARKS.search(text) or _YES_OR_NO.search(text) or any(unicodedata.category(sign) in _LOGIC for sign in text)
    ):
        raise Uncertain(f"line {item.number} holds more than a name")
    if text.endswith("."):  # part of a repository's name, or the end of a sentence
        raise Uncertain(f"line {item.number} ends in a full stop")
    return _parsed(text, item.number)


def _parsed(text: str, number: int) -> Selector:
    try:
        selector = parse_selector(text, f"line {number}")
    except UsageError:
        raise Uncertain(f"line {number} is neither an account nor owner/repo") from None
    if selector.kinds:
        raise Uncertain(f"line {number} holds more than a name")
    return selector


def _pieces(text: str) -> list[str]:
    """Several names on a line, between commas: only where each is a repository, since prose has commas too."""
    pieces = [piece.strip() for piece in text.rstrip(",; ").split(",")]
    return pieces if all("/" in piece for piece in pieces) else [text.rstrip(",; ")]


def _unmarked(text: str, number: int) -> str:
    if _PLAIN.fullmatch(text):
        return text
    for _ in range(2):
        for opening, closing in _PAIRS:
            inner = text[len(opening) : len(text) - len(closing)]
            if len(text) > len(opening) + len(closing) and text.startswith(opening) and text.endswith(closing):
                if opening == "<" and "://" not in inner:
                    raise Uncertain(f"line {number} is a placeholder that was not filled in")
                text = inner.strip()
    return text
