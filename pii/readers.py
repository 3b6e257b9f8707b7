"""Who reads what of a column: patterns and the model read their candidate windows, a user's recognizers whole texts.

Each reader is Presidio's analyzer over its recognizers, and a scan that finds what they have to read. The windows of a
column are joined into one text, so that one call of the analyzer serves a shard; a user's recognizer gets every text by
itself, with the tokens that Presidio's context words need, at whatever speed it has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import spacy
from presidio_analyzer import (
    AnalyzerEngine,
    ContextAwareEnhancer,
    EntityRecognizer,
    RecognizerRegistry,
    RecognizerResult,
)
from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine, NoOpNlpEngine, SlimSpacyNlpEngine

from pii import windows
from pii.recognizers import NoContext
from pii.recognizers.base import FORMAT, LANGUAGE, LEFT
from pii.spans import ENTITY_NAME, Span

# Presidio's words for what ours have another word for.
_ENTITIES = {"EMAIL_ADDRESS": "EMAIL", "PERSON": "NAME"}
_NAMED = re.compile(ENTITY_NAME)
_LONGEST = 1 << 31  # characters; spaCy's own limit is one for parsers, and none runs here


class Place(NamedTuple):
    """A piece of text number `row` that a reader reads: code points [start, end)."""

    row: int
    start: int
    end: int


class Piece(NamedTuple):
    """A place and what stands there."""

    place: Place
    text: str


class Reader:
    """Recognizers, and the scan for what they read."""

    def __init__(
        self, recognizers: Sequence[EntityRecognizer], scan: Callable[[pa.StringArray], windows.Windows]
    ) -> None:
        self.scan = scan
        self.analyzer = _analyzer(
            recognizers, NoOpNlpEngine([{"lang_code": LANGUAGE, "model_name": "none"}]), NoContext()
        )

    def pieces(self, column: pa.StringArray) -> list[Piece]:
        """The candidate windows of the column, in order."""
        found = self.scan(column)
        text, gap = found.text, len(windows.SEPARATOR)
        starts, origins, rows = found.starts.tolist(), found.origins.tolist(), found.rows.tolist()
        return [
            Piece(Place(row, origin, origin + end - gap - start), text[start : end - gap])
            for row, start, origin, end in zip(rows, starts, origins, [*starts[1:], len(text)], strict=False)
        ]

    def read(self, pieces: Sequence[Piece]) -> Iterator[tuple[int, Span]]:
        """(row, span in the row's text) of everything found in the pieces."""
        if not pieces:
            return
        joined = windows.SEPARATOR.join([*(piece.text for piece in pieces), ""])
        starts = np.cumsum([0, *(len(piece.text) + len(windows.SEPARATOR) for piece in pieces)])
        spans = sorted(_span(result) for result in self.analyzer.analyze(joined, LANGUAGE))
        numbers = np.searchsorted(starts, [span.start for span in spans], side="right") - 1
        for span, number, start in zip(spans, numbers.tolist(), starts[numbers].tolist(), strict=True):
            row, origin, end = pieces[number].place
            by = origin - start
            if span.end + by <= end:  # else it runs over a window's end, and is nothing that stands in the text
                yield row, span._replace(start=span.start + by, end=span.end + by)


class WholeReader(Reader):
    """A user's recognizers, which get every text by itself."""

    def __init__(self, recognizers: Sequence[EntityRecognizer]) -> None:
        in_context = any(recognizer.context for recognizer in recognizers)
        for recognizer in recognizers:
            recognizer.supported_language = LANGUAGE  # code has none
        if in_context:
            self.analyzer = _analyzer(recognizers, _Words(models=[]), LemmaContextAwareEnhancer())
        else:
            super().__init__(recognizers, _no_windows)

    def pieces(self, column: pa.StringArray) -> list[Piece]:
        return [Piece(Place(row, 0, len(text)), text) for row, text in enumerate(column.to_pylist()) if text]

    def read(self, pieces: Sequence[Piece]) -> Iterator[tuple[int, Span]]:
        for place, text in pieces:
            spans = [_span(result) for result in self.analyzer.analyze(text, LANGUAGE)]
            for span in sorted(_inside(text, span) for span in spans):
                yield place.row, span


def _inside(text: str, span: Span) -> Span:
    """What a user's recognizer found as far as it stands in the text (`resolve` drops what is empty), scored 0 to 1."""
    if not _NAMED.fullmatch(span.entity):
        raise ValueError("a recognizer found an entity whose name can be no placeholder")
    start, end = max(span.start, 0), min(span.end, len(text))
    return span._replace(start=start, end=end, score=min(max(span.score, 0.0), 1.0))


def _no_windows(column: pa.StringArray) -> windows.Windows:
    none = np.zeros(0, np.int64)
    return windows.Windows("", none, none, none)


def _analyzer(recognizers: Sequence[EntityRecognizer], nlp: NlpEngine, context: ContextAwareEnhancer) -> AnalyzerEngine:
    return AnalyzerEngine(
        RecognizerRegistry(list(recognizers), supported_languages=[LANGUAGE]),
        nlp_engine=nlp,
        supported_languages=[LANGUAGE],
        context_aware_enhancer=context,
    )


def _span(result: RecognizerResult) -> Span:
    metadata: dict[str, Any] = result.recognition_metadata or {}
    entity = _ENTITIES.get(result.entity_type, result.entity_type)
    return Span(
        result.start,
        result.end,
        entity,
        float(result.score),
        str(metadata.get(RecognizerResult.RECOGNIZER_NAME_KEY, "")),
        str(metadata.get(FORMAT, entity.lower())),
        str(metadata.get(LEFT, "")),
    )


class _Words(SlimSpacyNlpEngine):
    """Words as spaCy's rules for English cut them, with no model behind: enough for context words."""

    def load(self) -> None:
        words = spacy.blank(LANGUAGE)
        words.max_length = _LONGEST
        self.nlp = {LANGUAGE: words}

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        words = self.nlp[language](text)
        for word in words:
            word.lemma_ = word.lower_  # Presidio looks for context words among the lemmas
        return self._doc_to_nlp_artifact(words, language)
