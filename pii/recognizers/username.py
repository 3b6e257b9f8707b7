"""Accounts of people by where they stand: TODO(name), homes, credentials, profiles, @mentions, logs.

The name alone says nothing, so every pattern needs a context (pii/recognizers/account_contexts.py). Names that every
system has (root, postgres, ubuntu) say that they stay; placeholders, templates and keywords are not found. The owner in
a link to a repository is not found: it is part of the repository's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii.recognizers.account_contexts import Context, contexts
from pii.recognizers.account_names import ORGANISATION, AccountNames
from pii.recognizers.base import Found, Recognizer
from pii.recognizers.mention import mentions

# TODO(…) that names no one: a topic, a ticket, a version
_TOPIC = re.compile(
    r"^(?:[a-z]{1,3}|[A-Z]+|[A-Z][A-Za-z]*-?[0-9]+|v?[0-9.]+|(?i:gh|issue|bug|ticket|rfc|pr|b|crbug)[-_.]?[0-9]+|.*\.(?:com|org|io|dev|net)"
    r"|.*[0-9]{4,}|(?i:api|arch|asm|async|breaking|build|ci|cleanup|clean-up|cli|code|compat|config|correctness|css|debug|deps|design|doc|docs"
    r"|done|error|errors|examples?|feature|feat|fix|fixes|format|future|generics?|hack|high|html|http|i18n|ie|important|improve|improvement"
    r"|internal|investigate|issue|json|later|legacy|linux|locale|low|mac|macos|maint|maybe|medium|memory|minor|mobile|net|next|optimi[sz]ation"
    r"|optimi[sz]e|opt|parser|perf|performance|perfs|polish|priority|question|refactor|release|remove|review|rust|safety|security|server|soon"
    r"|source|spec|sql|style|temp|test|tests|testing|todo|types?|ui|unicode|unknown|unsafe|upstream|urgent|usability|utf8|ux|validation"
    r"|version|warn|warning|web|win|windows|wip|workaround|wontfix|posix|python3?|py3|team|all|everyone|someone|somebody|anyone|me|you|us))$"
)
# Words of a user interface and of data models, where user names stand too: "user": "Benutzer", username: string
_CODE_VALUE = re.compile(
    r"^[A-Z][a-z]+$|^[A-Z_]+$|^(?:req|request|res|ctx|self|this|config|options|params|process|env|os)\.|\.(?:name|id|user|email)$"
)
_PASSWORD_NEAR = re.compile(r"(?i)pass|pwd|secret|host|login|auth|token|credential")
_SITE = re.compile(r"^www\.|\.(?:com|org|net|tld|io|local|test)$|^localhost$")
# systemctl --user
_NO_ACCOUNT_OPTION = re.compile(r"(?:systemctl|loginctl|journalctl|pip3?|cabal|gem|install|conda)\b[^\n]{0,70}\Z")
_BARE_SUFFIX = re.compile(r"(?:_|-)(?:user|name|id|field|key|type)s?$|\.")
_ROUTES = "edit create delete details index list add remove update show view search manage import export all get find"


class _Lines:
    """The lines of a text that hold a context's literals: patterns read those alone, which most lines are not."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.folded = text.replace("\u0130", "I").lower()  # the one letter whose lower case is longer
        self.known: dict[tuple[str, bool], list[tuple[int, int]]] = {}

    def of(self, row: Context) -> list[tuple[int, int]]:
        """[start, end) of the lines, in order, without their newlines."""
        lines: set[tuple[int, int]] = set()
        for literal in (*row.anchors, *row.scanned):
            lines.update(self._holding(literal, folded=False))
        for literal in (*row.words, *row.assigned):
            lines.update(self._holding(literal, folded=True))
        return sorted(lines)

    def _holding(self, literal: str, folded: bool) -> list[tuple[int, int]]:
        if (literal, folded) not in self.known:
            text, lines, end = self.folded if folded else self.text, [], 0
            while (at := text.find(literal, end)) >= 0:
                start = text.rfind("\n", end, at) + 1 or end
                end = text.find("\n", at)
                end = len(text) if end < 0 else end
                lines.append((start, end))
            self.known[literal, folded] = lines
        return self.known[literal, folded]


class UsernameRecognizer(Recognizer):
    """USERNAME by its context; the score is the context's."""

    def __init__(self) -> None:
        super().__init__("USERNAME")
        self.names = AccountNames()
        self.routes = frozenset(_ROUTES.split())
        self.contexts = [(row, re.compile(row.pattern, row.flags | re.ASCII)) for row in contexts()]
        self.anchors = tuple(anchor for row, _ in self.contexts for anchor in row.anchors)
        self.words = tuple(word for row, _ in self.contexts for word in row.words)
        self.assigned = tuple(word for row, _ in self.contexts for word in row.assigned)

    def find(self, text: str) -> Iterator[Found]:
        found: set[tuple[int, int]] = set()
        lines = _Lines(text)
        for row, pattern in self.contexts:
            for first, last in lines.of(row):
                for match in pattern.finditer(text, first, last):
                    name = match["name"].rstrip(".-_")
                    span = (match.start("name"), match.start("name") + len(name))
                    if span not in found and self._is_account(row, name, text, match):
                        found.add(span)
                        yield Found(*span, row.score, row.name, self.names.left(name))
        for start, end, score in mentions(text, self.names):
            if (start, end) not in found:
                yield Found(start, end, score, "mention", self.names.left(text[start:end]))

    def _is_account(self, row: Context, name: str, text: str, match: re.Match[str]) -> bool:
        lowered = name.lower()
        if len(name) < 2 or not self.names.is_name(name):
            return False
        match row.judged:
            case "todo":
                return _TOPIC.match(name) is None and ORGANISATION.search(lowered) is None
            case "profile":
                return lowered not in self.names.pages and ORGANISATION.search(lowered) is None
            case "quoted":
                if not _CODE_VALUE.search(name):
                    return True
                before = text[max(0, match.start() - 80) : match.start()].rpartition("\n")[2]
                after = text[match.end() : match.end() + 80].partition("\n")[0]
                return name.isalpha() and name[1:].islower() and _PASSWORD_NEAR.search(before + " " + after) is not None
            case "credential":
                if _SITE.search(lowered) or _NO_ACCOUNT_OPTION.search(text, max(0, match.start() - 80), match.start()):
                    return False
                return _CODE_VALUE.search(name) is None or lowered in self.names.generic
            case "bare":
                return lowered in self.names.generic or _BARE_SUFFIX.search(name) is None
            case _:
                return lowered not in self.routes
