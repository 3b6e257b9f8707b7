"""Texts as JSON lines: each redacted, with what was found in it; in the order they came, some megabytes at a time."""

from __future__ import annotations

import codecs
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa

from pii.redact import Finding, Redactor
from pii.spans import replace
from pipeline.errors import UsageError
from pipeline.law import raised_at

BATCH_CHARACTERS = 4_000_000  # of texts that are redacted together
BATCH_LINES = 4096
_SURROGATE = re.compile("[\ud800-\udfff]")


class Line(NamedTuple):
    """A line of the input: its text with its id, or what is wrong with it."""

    number: int
    id: Any
    text: str | None
    problem: str = ""


def open_lines(file: str) -> AbstractContextManager[BinaryIO]:
    """The file, or standard input for `-`; UsageError where it cannot be opened."""
    if file == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return open(file, "rb")
    except OSError as error:
        raise UsageError(f"cannot read '{file}' ({error.strerror}); name a file of JSON lines.") from None


def redact_lines(stream: BinaryIO, out: BinaryIO, redactor: Redactor) -> int:
    """Redact line by line, a batch at a time; how many lines were wrong, each of which is told on standard error."""
    wrong = 0
    for lines in _batches(_lines(stream)):
        good = [line for line in lines if line.text is not None]
        answers = _or_why_not(redactor, good)
        problems = {line.number: line.problem for line in lines if line.text is None}
        problems |= {line.number: one for line, one in zip(good, answers, strict=True) if isinstance(one, str)}
        wrong += len(problems)
        for number, problem in sorted(problems.items()):
            print(f"quarry: line {number:,} {problem}.", file=sys.stderr, flush=True)
        for line, answer in zip(good, answers, strict=True):
            if isinstance(answer, str):
                continue
            text, findings = answer
            spans = [as_json_span(finding) for finding in findings]
            out.write(_encoded({"id": line.id, "text": text, "spans": spans}))
        out.flush()
    return wrong


def _or_why_not(redactor: Redactor, lines: Sequence[Line]) -> list[tuple[str, list[Finding]] | str]:
    """What becomes of each text, or why it failed, as a user's recognizer may; one that fails costs no other."""
    try:
        return [*redact_texts(redactor, [str(line.text) for line in lines])]
    except Exception as error:
        if len(lines) <= 1:
            return [why_failed(error)] * len(lines)
        middle = len(lines) // 2
        return _or_why_not(redactor, lines[:middle]) + _or_why_not(redactor, lines[middle:])


def why_failed(error: Exception) -> str:
    """What was raised and where, without the message."""
    return f"cannot be redacted, as a recognizer raised {raised_at(error)}; mend it (its message may quote the text)"


def _lines(stream: BinaryIO) -> Iterator[Line]:
    for number, raw in enumerate(stream, start=1):
        data = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
        if not data.strip():
            continue
        try:
            content = json.loads(data.decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError:
            yield Line(number, None, None, "is not UTF-8; write JSON in UTF-8")
        except (ValueError, RecursionError):
            yield Line(number, None, None, 'is not JSON; write an object such as {"id": "1", "text": "..."}')
        else:
            yield _line(number, content)


def _line(number: int, content: Any) -> Line:
    if not isinstance(content, dict):
        return Line(number, None, None, 'is no JSON object; write one such as {"id": "1", "text": "..."}')
    if "text" not in content:
        return Line(number, None, None, "has no text; write the text as the field 'text'")
    text = content["text"]
    if not isinstance(text, str):
        kind = (
            "null"
            if text is None
            else {bool: "a truth value", dict: "an object", list: "a list"}.get(type(text), "a number")
        )
        return Line(number, None, None, f"has {kind} as its text; write the text as a string")
    try:
        json.dumps(content.get("id"), allow_nan=False)
    except ValueError:  # Python reads NaN and 1e400, and no other reader its answer
        return Line(number, None, None, "has an id that is no JSON, such as NaN; write a string or a number")
    return Line(number, content.get("id"), text)


def _batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    batch: list[Line] = []
    size = 0
    for line in lines:
        batch.append(line)
        size += len(line.text or "")
        if size >= BATCH_CHARACTERS or len(batch) == BATCH_LINES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def redact_texts(redactor: Redactor, texts: Sequence[str]) -> list[tuple[str, list[Finding]]]:
    """Each text redacted, and its findings in text order.

    JSON may hold surrogates that are no character. They are read as one replacement character each, so offsets stay,
    and stand in the redacted text as they did.
    """
    readable = [_SURROGATE.sub("\ufffd", text) for text in texts]
    _, findings = redactor.redact_column(pa.array(readable, pa.string()), [""] * len(texts))
    by_row: list[list[Finding]] = [[] for _ in texts]
    for finding in findings:
        by_row[finding.row].append(finding)
    results = []
    for text, its in zip(texts, by_row, strict=True):
        done = [(finding.span, finding.replacement) for finding in its if finding.replacement is not None]
        results.append((replace(text, [span for span, _ in done], [value for _, value in done]), its))
    return results


def as_json_span(finding: Finding) -> dict[str, Any]:
    """A finding as plain data, without its value; offsets are code points of the text that was given."""
    span = finding.span
    return {
        "start": span.start,
        "end": span.end,
        "entity": span.entity,
        "score": round(span.score, 4),
        "recognizer": span.recognizer,
        "redacted": finding.replacement is not None,
    }


def _encoded(line: dict[str, Any]) -> bytes:
    try:
        return json.dumps(line, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate
        return json.dumps(line).encode() + b"\n"
