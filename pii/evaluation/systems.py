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
        found[row] = [Found(s.start, s.end, s.entity, s.score, not getattr(s, "left", "")) for s in spans]
    return found


def presidio(texts: Sequence[str]) -> tuple[str, list[list[Found]]]:
    """Presidio's own recognizers, and which of them: with an English spaCy model where one is installed."""
    import spacy
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NlpEngineProvider, NoOpNlpEngine

    models = sorted((m for m in spacy.util.get_installed_models() if m.startswith("en_core_web")), reverse=True)
    if models:
        wanted = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": models[-1]}]}
        engine = AnalyzerEngine(nlp_engine=NlpEngineProvider(nlp_configuration=wanted).create_engine())
        name = f"Presidio's default analyzer, {models[-1]}"
    else:
        registry = RecognizerRegistry()
        registry.load_predefined_recognizers(languages=["en"])
        for recognizer in [r for r in registry.recognizers if "PERSON" in r.supported_entities]:
            registry.remove_recognizer(recognizer.name)
        engine = AnalyzerEngine(registry, nlp_engine=NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "none"}]))
        name = "Presidio's pattern recognizers (no spaCy model)"
    return name, [
        [
            Found(r.start, r.end, _PRESIDIO[r.entity_type], r.score)
            for r in engine.analyze(text, "en", entities=list(_PRESIDIO) if models else ["EMAIL_ADDRESS", "IP_ADDRESS"])
        ]
        for text in texts
    ]


def presidio_on(documents: Sequence[Document]) -> tuple[str, Sequence[Document], list[list[Found]]]:
    """Presidio on documents: its name, the documents, what it found."""
    name, found = presidio([document.text for document in documents])
    return name, documents, found


def from_file(path: Path, documents: Sequence[Document]) -> list[list[Found]]:
    """Spans of a JSONL file, as `quarry redact --jsonl` prints it: {"id", "spans": [{"start", "end", "entity", ...}]}.

    Lines are found by the documents' ids; a document without a line has no spans. Offsets are code points of the
    document's text, which `--texts` writes for the set.
    """
    spans: dict[str, list[Found]] = {}
    for record in map(orjson.loads, path.read_bytes().splitlines()):
        spans[record["id"]] = [
            Found(s["start"], s["end"], s["entity"], s.get("score", 1.0), s.get("redacted", True))
            for s in record["spans"]
        ]
    return [spans.get(document.id, []) for document in documents]
