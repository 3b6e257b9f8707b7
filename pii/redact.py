"""The redactor: texts in, redacted texts and what was redacted out.

Recognizers see only candidate windows, all those of a column as one text, so one call of Presidio's analyzer serves a
shard. The same object masks single excerpts for reports, errors and logs. Results hold no matched value: at most its
HMAC under a key that the caller keeps.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pii import windows
from pii.secrets import formats
from pii.spans import Span, replace, replacements, resolve

ENTITIES = ("EMAIL", "IP_ADDRESS", "KEY", "PASSWORD")


class Redaction(NamedTuple):
    """One value that was replaced in text number `row`."""

    row: int
    span: Span
    replacement: str
    value_hmac: str | None


class Redactor:
    """Built once (about a second, and the import of Presidio), used for many texts. Needs no network and no model."""

    def __init__(self, entities: Sequence[str] = ENTITIES, hmac_key: bytes | None = None) -> None:
        from pii.recognizers import engine  # imports Presidio and spaCy, seconds that only a redactor should cost

        self.engine = engine()
        self.entities = [name for name in ENTITIES if name in entities]
        self.anchors = windows.anchors(anchor for form in formats() for anchor in form.anchors)
        self.hmac_key = hmac_key

    def find(self, column: pa.StringArray) -> list[tuple[int, list[Span]]]:
        """(row, spans to redact) for every text that has any, in row order."""
        found = windows.find(column, self.anchors)
        if not len(found.rows) or not self.entities:
            return []
        results = sorted(self._analyze(found.text))
        number = np.searchsorted(found.starts, [span.start for span in results], side="right") - 1
        shift = (found.origins - found.starts)[number].tolist()
        placed = [
            span._replace(start=span.start + by, end=span.end + by) for span, by in zip(results, shift, strict=True)
        ]
        rows = found.rows[number].tolist()
        by_row = groupby(zip(rows, placed, strict=True), key=lambda pair: pair[0])
        resolved = [(row, resolve([span for _, span in pairs])) for row, pairs in by_row]
        return [(row, spans) for row, spans in resolved if spans]

    def _analyze(self, text: str) -> list[Span]:
        from pii.recognizers import FORMAT, LANGUAGE, LEFT

        results = self.engine.analyze(text, LANGUAGE, entities=self.entities)
        return [
            Span(
                result.start,
                result.end,
                result.entity_type,
                float(result.score),
                result.recognition_metadata["recognizer_name"],
                result.recognition_metadata.get(FORMAT, ""),
                result.recognition_metadata.get(LEFT, ""),
            )
            for result in results
        ]

    def redact_column(
        self, column: pa.StringArray, documents: Sequence[str | None]
    ) -> tuple[pa.StringArray, list[Redaction]]:
        """The column with its personal information replaced, and the redactions in row and text order.

        `documents` are the rows' ids, which choose among the synthetic IP addresses. Texts without redactions are the
        same bytes as before; where no text has any, the column is the same object.
        """
        redactions: list[Redaction] = []
        changed = np.zeros(len(column), dtype=np.bool_)
        texts = []
        for row, spans in self.find(column):
            text = column[row].as_py()
            values = replacements(text, spans, documents[row] or "")
            changed[row] = True
            texts.append(replace(text, spans, values))
            redactions += [
                Redaction(row, span, value, self._hmac(text[span.start : span.end]))
                for span, value in zip(spans, values, strict=True)
            ]
        if not redactions:
            return column, []
        return pc.replace_with_mask(column, pa.array(changed), pa.array(texts, pa.string())), redactions

    def redact(self, text: str, document: str = "") -> tuple[str, list[Redaction]]:
        """One text redacted, and its redactions."""
        column, redactions = self.redact_column(pa.array([text], pa.string()), [document])
        return column[0].as_py(), redactions

    def _hmac(self, value: str) -> str | None:
        return hmac.new(self.hmac_key, value.encode(), "sha256").hexdigest() if self.hmac_key else None


@cache
def _redactor() -> Redactor:
    return Redactor()


def mask(text: str) -> str:
    """Any excerpt as it may be shown or logged: the same recognizers, the same replacements."""
    return _redactor().redact(text)[0]
