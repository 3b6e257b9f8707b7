"""Keys whose name is one letter or none: members of JSON Web Keys, PuTTY's private lines, tokens before a URL's host.

A JSON object with `kty` is a key; its d, p, q, dp, dq, qi (RFC 7518, section 6) and, of a symmetric one, k are private.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii.recognizers.anchored import matches
from pii.recognizers.base import Found, Recognizer
from pii.secret_values import Values

_TYPE = re.compile(r"""\\?["']?kty\\?["']?\s{0,4}(?::|=>)""")
_MEMBER = re.compile(
    r"""(?<![A-Za-z0-9_])(?:d|p|q|dp|dq|qi|k)\\?["']?\s{0,4}(?::|=>)\s{0,20}\\?["']"""
    r"""(?P<value>[A-Za-z0-9_-]{16,1400}={0,2})\\?["']"""
)
_BACK, _AHEAD = 500, 5000  # characters; less than the windows' reach
_PUTTY = re.compile(
    r"Private-Lines: [0-9]{1,3}\r?\n(?P<value>(?:[A-Za-z0-9+/=]{4,76}\r?\n){0,99}[A-Za-z0-9+/=]{4,76})(?=\r?\n|\Z)"
)
_SIGNED = re.compile(
    r"""\b(?:jwt|JWT|jsonwebtoken)\.(?:sign|verify|encode|decode)\([^()"'\n\0]{1,80},[ ]{0,2}"""
    r"""["'](?P<value>[^"'\n\0]{10,200})["']"""
)
_IN_URL = re.compile(r"https?://(?P<value>[A-Za-z0-9_-]{20,100})(?::x-oauth-basic)?@(?![\w.-]{0,60}sentry)[A-Za-z]")


class KeyMemberRecognizer(Recognizer):
    """KEY by the place in a structure."""

    anchors = ("jwt.", "JWT.", "jsonwebtoken.")
    blocks = ('"kty', "'kty", "Private-Lines: ")

    def __init__(self) -> None:
        super().__init__("KEY")
        self.values = Values()

    def find(self, text: str) -> Iterator[Found]:
        yield from _members(text)
        for match in matches(text, _PUTTY, ("Private-Lines: ",), 0):
            yield Found(*match.span("value"), 1.0, "putty_private_key")
        for pattern, anchors, form in ((_SIGNED, self.anchors, "signing_key"), (_IN_URL, ("http",), "url_token")):
            for match in matches(text, pattern, anchors, 0):
                if self.values.key(match["value"], weak=False, bare=form == "url_token"):
                    yield Found(*match.span("value"), 0.8, form)


def _members(text: str) -> Iterator[Found]:
    """The private members of the objects with `kty`; every character is looked at once or twice."""
    passed, match = 0, _TYPE.search(text)
    while match is not None:
        begin = max(text.rfind("{", max(passed, match.start() - _BACK), match.start()), passed, match.start() - _BACK)
        end = text.find("}", match.end(), match.end() + _AHEAD)
        end = end if end >= 0 else min(len(text), match.end() + _AHEAD)
        for member in _MEMBER.finditer(text, begin, end):
            yield Found(*member.span("value"), 1.0, "json_web_key")
        passed = end
        match = _TYPE.search(text, end)
