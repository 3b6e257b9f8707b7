"""The redactor: texts in, redacted texts and what was found out, redacted or left.

Readers (pii/readers.py) find spans, `resolve` makes them disjoint, the policy says which stay. As a replacement can
change what its neighbourhood looks like to a recognizer, changed texts are read again, as far as there is something
new to read, until nothing new is found: so redacting twice changes nothing. Results hold no matched value: at most its
HMAC under a key that the caller keeps.
"""

from __future__ import annotations

import hmac
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pii.mend import mend, quoted
from pii.options import NerOptions, Plugged, model_folder
from pii.plugins import build, read_definitions
from pii.policy import Policy, judge
from pii.spans import ENTITIES, ENTITY_NAME, SYNTHETIC, Placeholders, Span, replace, resolve

if TYPE_CHECKING:
    from pii.readers import Piece, Reader

SLICE = 16 << 20  # bytes of text that are read at once
ROUNDS = 8  # a text is read again; two are usual, and each finds less
_PLACEHOLDER = re.compile(f"<{ENTITY_NAME}>")


class Finding(NamedTuple):
    """One value found in text number `row`: redacted, or left for the reason `span.left`."""

    row: int
    span: Span
    replacement: str | None  # what stands there now; None where it was left
    value_hmac: str | None


class Redactor:
    """Built once (seconds, and the import of Presidio and of the model), used for many texts. Needs no network."""

    def __init__(
        self,
        entities: Sequence[str] = ENTITIES,
        hmac_key: bytes | None = None,
        *,
        thresholds: Mapping[str, float] | None = None,
        ner: NerOptions | None = None,
        policy: Policy | None = None,
        recognizers: Sequence[Plugged] = (),
        recognizer_files: Sequence[str] = (),
    ) -> None:
        self.entities = frozenset(entities)
        self.hmac_key = hmac_key
        self.thresholds = dict(thresholds or {})
        self.policy = policy or Policy()
        self.readers = list(_readers(self.entities, ner or NerOptions(), recognizers, recognizer_files))

    def find(self, column: pa.StringArray) -> list[tuple[int, list[Span]]]:
        """(row, spans) of every text that has any, in row order; `left` of a span says why it stays in the text."""
        return [(row, document.spans) for row, document in self._read(column, [None] * len(column)).items()]

    def redact_column(
        self, column: pa.StringArray, documents: Sequence[str | None]
    ) -> tuple[pa.StringArray, list[Finding]]:
        """The column with its personal information replaced, and the findings in row and text order.

        `documents` are the rows' ids, which choose among the synthetic IP addresses. Texts without redactions are the
        same bytes as before; where no text has any, the column is the same object.
        """
        found = self._read(column, documents)
        findings = [
            Finding(row, span, value, self._hmac(document.text[span.start : span.end]))
            for row, document in found.items()
            for span, value in zip(document.spans, document.values, strict=True)
        ]
        changed = [row for row, document in found.items() if document.is_changed]
        if not changed:
            return column, findings
        mask = np.zeros(len(column), dtype=np.bool_)
        mask[changed] = True
        texts = pa.array([found[row].redacted() for row in changed], pa.string())
        return pc.replace_with_mask(column, pa.array(mask), texts), findings

    def redact(self, text: str, document: str = "") -> tuple[str, list[Finding]]:
        """One text redacted, and its findings."""
        column, findings = self.redact_column(pa.array([text], pa.string()), [document])
        return column[0].as_py(), findings

    def _read(self, column: pa.StringArray, documents: Sequence[str | None]) -> dict[int, _Document]:
        """The texts of the column in which something was found, by row; read a slice at a time, to bound the memory."""
        found: dict[int, _Document] = {}
        for first, last in _slices(column):
            read = self._read_slice(column[first:last], documents[first:last])
            found |= {first + row: document for row, document in read.items()}
        return found

    def _read_slice(self, column: pa.StringArray, documents: Sequence[str | None]) -> dict[int, _Document]:
        pieces = [reader.pieces(column) for reader in self.readers]
        found = {row: _Document(text, documents[row] or "", spans) for row, text, spans in self._find(column, pieces)}
        again = [row for row, document in found.items() if document.is_changed]
        seen = [{(piece.place.row, piece.text) for piece in its if piece.place.row in found} for its in pieces]
        for _ in range(ROUNDS):
            if not again:
                break
            texts = pa.array([found[row].redacted() for row in again], pa.string())
            fresh = [_fresh(reader.pieces(texts), again, its) for reader, its in zip(self.readers, seen, strict=True)]
            again = [again[at] for at, _, spans in self._find(texts, fresh) if found[again[at]].add(spans)]
        return found

    def _find(self, column: pa.StringArray, pieces: Sequence[Sequence[Piece]]) -> Iterator[tuple[int, str, list[Span]]]:
        """(row, its text, its judged spans) for every row in whose pieces, a list a reader, something stands."""
        read = [pair for reader, its in zip(self.readers, pieces, strict=True) for pair in reader.read(its)]
        read = [pair for pair in read if pair[1].score >= self.thresholds.get(pair[1].entity, 0.0)]
        read.sort(key=lambda pair: pair[0])  # stable
        for row, pairs in groupby(read, key=lambda pair: pair[0]):
            text = column[row].as_py()
            spans = [span for _, span in pairs if self._counts(text, span)]
            if spans:
                spans = resolve([mend(text, span) for span in spans], text)
                yield row, text, judge(text, spans, self.policy)

    def _counts(self, text: str, span: Span) -> bool:
        """Whether an entity that is asked for is found, and not what an earlier redaction wrote."""
        if span.entity in ENTITIES and span.entity not in self.entities:
            return False
        if text[span.start : span.end] in SYNTHETIC:
            return False
        near = max(0, span.start - 42)
        return not any(
            placeholder.start() < span.end and span.start < placeholder.end()
            for placeholder in _PLACEHOLDER.finditer(text, near, span.end + 42)
        )

    def _hmac(self, value: str) -> str | None:
        return hmac.new(self.hmac_key, value.encode(), "sha256").hexdigest() if self.hmac_key else None


class _Document:
    """A text, the spans found in it, and what stands for them."""

    def __init__(self, text: str, document: str, spans: list[Span]) -> None:
        self.text = text
        self.placeholders = Placeholders(document)
        self.spans = spans
        self.values = [self._value(span) for span in spans]

    @property
    def is_changed(self) -> bool:
        return any(value is not None for value in self.values)

    def redacted(self) -> str:
        """The text with the values replaced."""
        done = self._redacted()
        return replace(self.text, [span for span, _ in done], [value for _, value in done])

    def places(self) -> list[tuple[int, int]]:
        """Code points [start, end) of every replacement in the redacted text."""
        moved, result = 0, []
        for span, value in self._redacted():
            start = span.start + moved
            result.append((start, start + len(value)))
            moved += len(value) - (span.end - span.start)
        return result

    def add(self, later: Sequence[Span]) -> bool:
        """Take up what was found in the redacted text and is to be redacted; False where that is nothing."""
        new = []
        done, places = self._redacted(), self.places()
        starts, ends = [start for start, _ in places], [end for _, end in places]
        for span in later:
            if span.left:
                continue
            first, last = bisect_right(ends, span.start), bisect_left(starts, span.end)
            start = span.start - (ends[first - 1] - done[first - 1][0].end if first else 0)
            end = span.end - (ends[last - 1] - done[last - 1][0].end if last else 0)
            if first < last:  # what it shares characters with goes into it whole
                start, end = min(start, done[first][0].start), max(end, done[last - 1][0].end)
            new.append(span._replace(start=start, end=end))
        new = resolve(new, self.text)
        if not new:
            return False
        ends = [span.end for span in new]
        kept = []
        for span, value in zip(self.spans, self.values, strict=True):
            first = bisect_right(ends, span.start)
            if first == len(new) or new[first].start >= span.end:
                kept.append((span, value))
        merged = sorted([*kept, *((span, self._value(span)) for span in new)], key=lambda pair: pair[0])
        self.spans, self.values = [span for span, _ in merged], [value for _, value in merged]
        return True

    def _redacted(self) -> list[tuple[Span, str]]:
        return [(span, value) for span, value in zip(self.spans, self.values, strict=True) if value is not None]

    def _value(self, span: Span) -> str | None:
        if span.left:
            return None
        value = self.text[span.start : span.end]
        return quoted(self.text, span, self.placeholders.of(value, span.entity))


def _slices(column: pa.StringArray) -> Iterator[tuple[int, int]]:
    """(first row, row after the last) of runs of rows with about SLICE bytes, at least one row each."""
    offsets = np.frombuffer(column.buffers()[1], dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    first = 0
    while first < len(column):
        last = int(np.searchsorted(offsets, offsets[first] + SLICE, side="right")) - 1
        last = min(max(last, first + 1), len(column))
        yield first, last
        first = last


def _fresh(pieces: Sequence[Piece], rows: Sequence[int], seen: set[tuple[int, str]]) -> list[Piece]:
    """The pieces whose text was not read before in the same document; from now on it was.

    What a reader finds depends on a piece's text alone, so the others hold nothing but what was judged already.
    """
    fresh = [piece for piece in pieces if (rows[piece.place.row], piece.text) not in seen]
    seen.update((rows[piece.place.row], piece.text) for piece in fresh)
    return fresh


def _readers(
    entities: frozenset[str], ner: NerOptions, recognizers: Sequence[Plugged], files: Sequence[str]
) -> Iterator[Reader]:
    """What reads the texts; imports what it needs here, as Presidio, spaCy and the model take seconds to import."""
    from pii import windows
    from pii.readers import Reader, WholeReader
    from pii.recognizers import patterns

    asked = [recognizer for recognizer in patterns() if entities.intersection(recognizer.supported_entities)]
    if asked:
        table = windows.triggers(asked)
        yield Reader(asked, lambda column: windows.find(column, table))
    if ner.enabled and entities:
        from pii.ner import candidates
        from pii.ner.model import NerModel
        from pii.ner.recognizer import NerRecognizer
        from pii.recognizers.name import NameRecognizer

        model = NerModel.load(str(model_folder(ner.model)), ner.labels, ner.device)
        by_pattern = [NameRecognizer()] if "NAME" in entities else []
        yield Reader([NerRecognizer(model, ner.entities), *by_pattern], candidates.find)
    plugged = [build(one.name) for one in recognizers]
    plugged += [recognizer for path in files for recognizer in read_definitions(path)]
    if plugged:
        yield WholeReader(plugged)


@cache
def _redactor() -> Redactor:
    return Redactor()


def mask(text: str) -> str:
    """Any excerpt as it may be shown or logged: the same recognizers, the same replacements."""
    return _redactor().redact(text)[0]
