"""What can be scored: the redactor, Presidio as it comes, and any file of found spans.

Each takes texts and gives, for each, the spans it found; they import what they need when they are asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson
import pyarrow as pa

from pii.evaluation.labelled import Document
from pii.evaluation.scoring import Found

_PRESIDIO = {"EMAIL_ADDRESS": "EMAIL", "IP_ADDRESS": "IP_ADDRESS", "PERSON": "NAME"}


def quarry(texts: Sequence[str]) -> list[list[Found]]:
    """The redactor in its default configuration: what it redacts, and what it finds and leaves by policy."""
    from pii.redact import Redactor

    found: list[list[Found]] = [[] for _ in texts]
    for row, spans in Redactor().find(pa.array(list(texts), pa.string())):
        found[row] = [Found(s.start, s.end, s.entity, s.score, not s.left, s.recognizer) for s in spans]
    return found


def presidio(documents: Sequence[Document], model: str | None = None) -> tuple[str, list[list[Found]]]:
    """Presidio as it comes, on the labelled parts of documents: its name, and what it found.

    `model` is an English spaCy model (a name or a folder), which its default analyzer needs; without one its pattern
    recognizers run alone. Its e-mail recognizer asks the network for a list of suffixes and goes on without.
    """
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NlpEngineProvider, NoOpNlpEngine

    if model:
        wanted = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": model}]}
        engine = AnalyzerEngine(nlp_engine=NlpEngineProvider(nlp_configuration=wanted).create_engine())
        name = f"Presidio's default analyzer, {_model_name(model)}"
    else:
        recognizers = RecognizerRegistry()
        recognizers.load_predefined_recognizers(languages=["en"])
        engine = AnalyzerEngine(
            recognizers, nlp_engine=NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "none"}])
        )
        name = "Presidio's pattern recognizers"
    entities = [entity for entity in _PRESIDIO if model or entity != "PERSON"]
    found = []
    for document in documents:
        results = engine.analyze(document.text[document.start : document.end], "en", entities=entities)
        found.append(
            [
                Found(document.start + r.start, document.start + r.end, _PRESIDIO[r.entity_type], r.score)
                for r in results
            ]
        )
    return name, found


def _model_name(model: str) -> str:
    """The name and version a model gives itself; the folder may be called anything."""
    meta = Path(model, "meta.json")
    if not meta.exists():
        return model
    about = orjson.loads(meta.read_bytes())
    return f"{about['lang']}_core_web_{about['name'].split('_')[2]} {about['version']}"


def from_file(path: Path, documents: Sequence[Document]) -> list[list[Found]]:
    """Spans of a JSONL file, as `quarry redact --jsonl` prints it: {"id", "spans": [{"start", "end", "entity", ...}]}.

    Lines are found by the documents' ids; a document without a line has no spans. Offsets are code points of the
    document's text, which `--texts` writes for the set.
    """
    spans: dict[str, list[Found]] = {}
    for record in map(orjson.loads, path.read_bytes().splitlines()):
        spans[record["id"]] = [
            Found(
                s["start"], s["end"], s["entity"], s.get("score", 1.0), s.get("redacted", True), s.get("recognizer", "")
            )
            for s in record["spans"]
        ]
    return [spans.get(document.id, []) for document in documents]
