"""Private keys in PEM blocks, in files and in string literals of any language."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii.recognizers.base import Found, Recognizer

# RSA, EC, DSA, OPENSSH, ENCRYPTED, PGP ... BLOCK, SSH2 ENCRYPTED, and none of these.
_PEM_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
_PEM_REACH = 32000  # less than windows.PEM_REACH
_BODY = re.compile(r"[A-Za-z0-9+/\\]{32}")  # JSON may write \/ for a slash
# Around the body: white space, written-out newlines, and what ends one string literal and starts the next, be it
# "a\n" + "b", "a\n" . "b", "a\n" \ "b" or ["a", "b"].
_EDGE = re.compile(r"(?:\s|\\+[nr]|[\"'`,.+&\\_()\[\]])*")
_EDGE_BACKWARDS = re.compile(r"(?:\s|[nr]\\+|[\"'`,.&\\_()\[\]]|\+(?=[\s\"'`]))*")


class PrivateKeyRecognizer(Recognizer):
    """The body of a PEM private key; its BEGIN and END lines stay."""

    anchors = ("-----BEGIN ",)

    def __init__(self) -> None:
        super().__init__("KEY")

    def find(self, text: str) -> Iterator[Found]:
        passed = 0  # walking the ENDs, each looking back no further than the last: linear whatever the text
        end = text.find("-----END ")
        while end >= 0:
            begin = text.rfind("-----BEGIN ", max(passed, end - _PEM_REACH), end)
            label = _PEM_BEGIN.match(text, begin) if begin >= 0 else None
            if label is not None:
                body = text[label.end() : end]
                if body.isascii() and "\0" not in body and _BODY.search(body):
                    before, after = _length(_EDGE, body), _length(_EDGE_BACKWARDS, body[::-1])
                    yield Found(label.end() + before, end - after, 1.0, "private_key")
            passed = end
            end = text.find("-----END ", end + 1)


def _length(pattern: re.Pattern[str], text: str) -> int:
    """How many characters `pattern` matches at the start of `text`."""
    match = pattern.match(text)
    return match.end() if match else 0
