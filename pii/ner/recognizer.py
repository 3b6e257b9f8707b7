"""The NER model as one of Presidio's recognizers: it reads the candidate windows of a column, or any text."""

from __future__ import annotations

from collections.abc import Sequence

from presidio_analyzer import RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from pii.ner.model import NerModel
from pii.recognizers.base import FORMAT, LEFT, Recognizer
from pii.windows import SEPARATOR


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
        results = []
        origin = 0
        parts = text.split(SEPARATOR)
        for part, found in zip(parts, self.model.find(parts), strict=True):
            results += [
                RecognizerResult(entity, origin + start, origin + end, score, recognition_metadata=dict(metadata))
                for start, end, entity, score in found
                if entity in entities
            ]
            origin += len(part) + len(SEPARATOR)
        return results
