"""Passwords in URLs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii.recognizers.base import Found, Recognizer

_URL_PASSWORD = re.compile(
    r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s:/@'\"<>]{0,64}:([^\s:/@'\"<>]{1,128})@(?=[\w\[${<%])"
)
# What a program, a shell or a regular expression puts there, and not a value.
_TEMPLATE = re.compile(
    r"^\$\w|\$[{(]|[{#]\{|\{\w*\}|%[sd(]|^%\w+%$|\*\*\*|\.\.\.|xxx|[()\[\]|\\]", re.ASCII | re.IGNORECASE
)
_PORT = re.compile(r"[0-9]{2,5}[#?&;]")  # of an address that an attack hides behind
_PASSWORD_WORD = re.compile(
    r"(?:my|your|the|aws)?[_-]?(?:pass|passwd|password|passphrase|pwd|secret|token|user|username)"
    r"(?:[_-]?(?:access)?[_-]?key|[_-]?here)?",
    re.IGNORECASE,
)


class UrlPasswordRecognizer(Recognizer):
    """The password of scheme://user:password@host, unless it is a template or the word password."""

    def __init__(self) -> None:
        super().__init__("PASSWORD")

    def find(self, text: str) -> Iterator[Found]:
        for match in _URL_PASSWORD.finditer(text):
            if not _TEMPLATE.search(match[1]) and not _PORT.match(match[1]) and not _PASSWORD_WORD.fullmatch(match[1]):
                yield Found(*match.span(1), 0.8, "url_password")
