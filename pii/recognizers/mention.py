"""Mentions of people as @handle in comments, changelogs and Markdown, told from decorators, tags, variables and scopes.

An `@` before a word means something else in most languages, so a mention needs a cue: a link that names the handle
again, a word of thanks or authorship before it, a list or parenthesis of handles, or a number of an issue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii.recognizers.account_names import ORGANISATION, AccountNames

_MENTION = re.compile(
    r"(?<![A-Za-z0-9_.@/\\$&=-])@(?P<name>[A-Za-z0-9](?:[A-Za-z0-9_]|-(?=[A-Za-z0-9])){1,38})(?P<end>[_-]{0,2})"
    r"(?![A-Za-z0-9_({=@-]|/[\w-]|\.[A-Za-z0-9_]|::|[ \t]{1,3}(?:[=<>+*/]|(?:AS|as|AND|OR|IN)\b))",
    re.ASCII,
)
_WORDS = (
    r"thank(?:s|[ -]?you)?(?: to)?|thx|kudos(?: to)?|props(?: to)?|credits?(?: (?:goes )?to)?|courtesy of"
    r"|hat tip(?: to)?|h/t|/?cc|ping|via|authors?|maintainers?|reviewers?|assignees?|owners?|contact|ask|follow"
    r"|according to|author is|(?:maintain|creat|report|suggest|contribut|fix|add|implement|request|propos"
    r"|inspir|discover|spott|provid|port"
    r"|tweet|submitt|review|develop)ed[- ]by|(?:found|written|done|made|idea|tweet|comment|work|patch(?:es)?) by"
    r"|(?:tweet|idea|patch(?:es)?|pull request) from|twitter|github|mastodon|telegram"
)
CUES = re.compile(rf"(?i)(?<![A-Za-z])(?:{_WORDS})[\"'`*_]{{0,3}}[ \t]?[:=,>|-]{{0,3}}[ \t\"'`*_(\[<]{{0,6}}\Z")
_NEAR = re.compile(  # Thanks to Jane Doe (@jane); thanks for the fix, @jane
    rf"(?i)(?<![A-Za-z])(?:thank(?:s|[ -]?you)?|thx|kudos|props|credits?|courtesy|{_WORDS})[^@\n]{{0,60}}\Z"
)
_BY = re.compile(
    r"(?<![A-Za-z@])(?<!order )(?<!Order )(?<!group )(?<!Group )(?<!partition )(?:[bB]y|- [fF]rom|^[fF]rom):? [\[`]?\Z"
)
_NUMBER = re.compile(r"#[0-9]{1,6}[\])]{0,2}(?:\(http[^\s()]{1,100}\))?[,:;]?[ \t]{1,2}[\[(]?(?:by |from |- )?[\[`]?\Z")
_NAMED = re.compile(r"[A-Z][\w.'-]{1,30}[*`_\"]{0,2},? [(\[<]{1,2}[`*]?\Z")  # Jane Doe (@jane)
_AND = re.compile(
    r"[\])`*_.'\"]{0,3}(?:\((?:https?:)?//[^\s()]{1,100}\))?[)\]]?(?:,| and| &| /|/|, and|,? or| \+|\|| \|)?"
    r"[ \t]{0,3}[(\[`*]{0,2}\Z"
)
_CLOSED = re.compile(r"[`*_]{0,2}[)\]]|[,;]? ")
_LINK = re.compile(r"\]\(|\]\[|`?\s?<https?://|\]: ")
_CELL_BEFORE, _CELL_AFTER = re.compile(r"\|[ \t]{1,40}\Z"), re.compile(r"(?:,? @[\w-]{2,38}){0,6}[ \t]{1,60}\|")
_BULLET = re.compile(r"(?:^|\n)[ \t]{0,8}- \Z")
_BULLET_AFTER = re.compile(r"[ \t]{0,3}(?:\r?\n|\Z|[:(,-] ?)")
_CODE = re.compile(
    r"(?:^|\W)(?:if|while|for|foreach|unless|when|return|values|set|select|exec(?:ute)?|declare|where|and|or|not|in"
    r"|print|len|cast|max|min) ?\(?\Z",
    re.IGNORECASE,
)
_SHOUTED = re.compile(r"[A-Z]{2}[ \t\"'(\[`]*[ (]\Z")  # DECLARE @name
_MASTODON = re.compile(r"(?<![\w@/.])@(?P<name>[A-Za-z0-9_]{2,30})@[a-z0-9-]{2,40}\.[a-z.]{2,20}\b", re.ASCII)
REACH = 100  # characters before a handle that are looked at


def mentions(text: str, names: AccountNames) -> Iterator[tuple[int, int, float]]:
    """(start, end, score) of the handles in `text`, without the `@`."""
    for match in _MASTODON.finditer(text):
        yield *match.span("name"), 0.85
    last = -1  # where the last handle ended
    for match in _MENTION.finditer(text):
        name, (start, end) = match["name"], match.span("name")
        lowered = name.lower()
        if lowered in names.tags or lowered.isdigit() or ORGANISATION.search(lowered):
            continue
        score = _score(text, match.start(), end + len(match["end"]), last)
        if score:
            last = end + len(match["end"])
            yield start, last, score


def _score(text: str, start: int, end: int, last: int) -> float:
    """How surely the handle at text[start:end] is a mention; 0.0 where nothing says so."""
    before = text[max(0, start - REACH) : start]
    before = before[before.rfind("\n") + 1 :]
    if _LINK.match(text, end) and before.endswith(("[", "`", "[`")):
        return 0.95
    if last >= 0 and start - last < REACH and _AND.match(text[last:start]):
        return 0.9
    if _CODE.search(before) or _SHOUTED.search(before):
        return 0.0
    if CUES.search(before):
        return 0.9
    if _NUMBER.search(before):
        return 0.85
    if _NAMED.search(before) and _CLOSED.match(text, end):
        return 0.85
    if _BY.search(before):
        return 0.8
    if _NEAR.search(before):
        return 0.75
    if _CELL_BEFORE.search(before) and _CELL_AFTER.match(text, end):
        return 0.7
    if _BULLET.search(before) and _BULLET_AFTER.match(text, end):
        return 0.6
    return 0.0
