"""Keys in a format that tells them."""

from __future__ import annotations

from collections.abc import Iterator

from pii.recognizers.anchored import Anchors, matches, plain
from pii.recognizers.base import Found, Recognizer
from pii.secrets import compiled, formats, is_made_up


class SecretRecognizer(Recognizer):
    """Keys in one of the formats of pii/secrets.py; score 1.0 where the format's own checksum agrees."""

    def __init__(self) -> None:
        super().__init__("KEY")
        self.formats = [(form, compiled(form)) for form in formats()]
        self.anchors = tuple(anchor for form, _ in self.formats for anchor in form.anchors)
        self.held = Anchors(self.anchors).held

    def find(self, text: str) -> Iterator[Found]:
        found: set[tuple[int, int]] = set()
        searched = plain(text)
        held = self.held(searched)
        for form, pattern in self.formats:
            group = "secret" if "secret" in pattern.groupindex else 0
            anchors = [anchor for anchor in form.anchors if anchor in held]
            for match in matches(text, pattern, anchors, form.reach, searched):
                span = match.span(group)
                if span in found or is_made_up(match[group]):
                    continue
                agreed = form.check is not None and form.check(match[group])
                if agreed or not form.strict:
                    found.add(span)
                    yield Found(*span, 1.0 if agreed else 0.95, form.name)
