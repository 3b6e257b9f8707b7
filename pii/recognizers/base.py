"""What the recognizers share, in Presidio's frame: `find` yields what a text holds, `analyze` makes results of it.

A recognizer is linear on any text (bounded patterns that start at a boundary), looks at no more context than a window
holds (pii/windows.py), and says with `anchors`, `words` and `assigned` where the scan for windows must stop: one of
them stands in the line of every match, at most windows.BACK bytes after its start.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from presidio_analyzer import LocalRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

LANGUAGE = "en"  # Presidio asks for one; no recognizer here depends on it
FORMAT = "format"  # key of a result's metadata: what the recognizer calls the kind of value
LEFT = "left"  # key of a result's metadata: why the value stays; "" where it is redacted


class Found(NamedTuple):
    """One value in a text: code points [start, end), how sure, what kind, and why it stays ("" where it does not)."""

    start: int
    end: int
    score: float
    format: str
    left: str = ""


class Recognizer(LocalRecognizer):
    """A recognizer of one entity."""

    anchors: tuple[str, ...] = ()  # ASCII, two bytes or more; one stands in the line of every match
    words: tuple[str, ...] = ()  # the same in lower case, found in any case
    assigned: tuple[str, ...] = ()  # words that count where a value may follow: = : => , ( or > comes next
    blocks: tuple[str, ...] = ()  # as anchors, of matches that reach over lines
    statements: tuple[str, ...] = ()  # as words, of such matches; count where a password is named soon after

    def __init__(self, entity: str) -> None:
        super().__init__(supported_entities=[entity], supported_language=LANGUAGE)

    def load(self) -> None:
        """Nothing to load."""

    def find(self, text: str) -> Iterator[Found]:
        """What stands in `text`, in any order; spans may overlap."""
        raise NotImplementedError

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        entity = self.supported_entities[0]
        if entity not in entities:
            return []
        metadata = {
            RecognizerResult.RECOGNIZER_NAME_KEY: self.name,
            RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
        }
        return [
            RecognizerResult(entity, start, end, score, recognition_metadata={**metadata, FORMAT: form, LEFT: left})
            for start, end, score, form, left in self.find(text)
        ]
