"""The NER model as one of Presidio's recognizers: it reads the candidate windows of a column, or any text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from presidio_analyzer import RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from pii.ner.model import NerModel
from pii.recognizers.base import FORMAT, LEFT, Recognizer
from pii.windows import SEPARATOR

LINES = 6  # as many as an example of the corpus has at most
_LINE = re.compile(r"\n")


class NerRecognizer(Recognizer):
    """People's names and whatever else a token classifier finds; a text is cut at windows.SEPARATOR.

    `entities` are those it is asked for, all that the model knows where they are not given.
    """

    def __init__(self, model: NerModel, entities: Sequence[str] | None = None) -> None:
        super().__init__(model.entities[0])
        self.supported_entities = [entity for entity in model.entities if entities is None or entity in entities]
        self.model = model

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        metadata = {
            RecognizerResult.RECOGNIZER_NAME_KEY: self.name,
            RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
            FORMAT: "ner",
            LEFT: "",
        }
        stretches = list(_stretches(text))
        return [
            RecognizerResult(entity, origin + start, origin + end, score, recognition_metadata=dict(metadata))
            for (origin, _), found in zip(
                stretches, self.model.find([stretch for _, stretch in stretches]), strict=True
            )
            for start, end, entity, score in found
            if entity in entities
        ]


def _stretches(text: str) -> Iterator[tuple[int, str]]:
    """(first code point, text) of every LINES lines of every window.

    So the model reads what it was trained on, and a long list of people that is changed in one place is read again
    there alone: lines keep their numbers whatever is replaced in them.
    """
    origin = 0
    for part in text.split(SEPARATOR):
        ends = [match.end() for match in _LINE.finditer(part)]
        cuts = [0, *ends[LINES - 1 :: LINES], len(part)]
        yield from ((origin + first, part[first:last]) for first, last in pairwise(cuts) if first < last)
        origin += len(part) + len(SEPARATOR)
