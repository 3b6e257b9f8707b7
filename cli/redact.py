"""`quarry redact` redacts a file, a pipe, or a batch of texts as JSON lines, without a run."""

from __future__ import annotations

import codecs
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any, BinaryIO, NamedTuple

import pyarrow as pa
import typer
import yaml
from pydantic import ValidationError

from cli.run import Json
from pii.redact import Finding, Redactor
from pii.spans import replace
from pii.stage import Redact
from pipeline.errors import UsageError
from pipeline.law import raised_at
from pipeline.recipe import load_recipe
from pipeline.storage import read_file
from stages.catalog import CATALOG
from stages.decode import decode

BATCH_CHARACTERS = 4_000_000  # of texts that are redacted together
BATCH_LINES = 4096
_SURROGATE = re.compile("[\ud800-\udfff]")


class Line(NamedTuple):
    """A line of the input: its text with its id, or what is wrong with it."""

    number: int
    id: Any
    text: str | None
    problem: str = ""


def redact(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The text; - or nothing is standard input.")] = "-",
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help='Read lines {"id", "text"}, print lines {"id", "text", "spans"}.')
    ] = False,
    spans: Annotated[
        bool, typer.Option("--spans", help="Print what was found, redacted or left, instead of the text.")
    ] = False,
    recipe: Annotated[
        str | None, typer.Option("--recipe", metavar="RECIPE", help="Redact as the stage redact of this recipe does.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A field of the stage redact, such as ner.enabled=false."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Replace personal information and secrets in a text, or in every text of a batch."""
    if jsonl and spans:
        raise UsageError("--jsonl prints the spans beside each text anyway; leave --spans out.")
    stage = _stage(recipe, overrides or ())
    if jsonl:
        with _open(file) as stream:  # before the redactor is built, which takes seconds
            wrong = _batch(stream, sys.stdout.buffer, stage.redactor())
        if wrong:
            lines = "1 line was" if wrong == 1 else f"{wrong:,} lines were"
            raise UsageError(f"{lines} passed over, as said above; all others are redacted.")
        return
    text = _read(file)
    redactor = stage.redactor()
    try:
        redacted, findings = _redact(redactor, [text])[0]
    except Exception as error:  # its traceback may quote the text
        raise UsageError(f"the text {_failed(error)}.") from None
    if spans:
        found = [_as_json(finding) for finding in findings]
        typer.echo(json.dumps(found) if as_json else _table(text, findings))
    elif as_json:
        typer.echo(json.dumps({"text": redacted, "spans": [_as_json(finding) for finding in findings]}))
    else:
        sys.stdout.buffer.write(redacted.encode())
        sys.stdout.buffer.flush()


# ---- configuration


def _stage(recipe: str | None, overrides: Sequence[str]) -> Redact:
    """The stage as the recipe has it, or with its defaults; with fields changed."""
    fields: dict[str, Any] = {}
    if recipe is not None:
        loaded = load_recipe(recipe, CATALOG)
        stages = [named.stage for part in loaded.passes for named in part.stages if isinstance(named.stage, Redact)]
        if not stages:
            raise UsageError(f"{recipe} has no stage redact; name a recipe that has one, or leave --recipe out.")
        fields = stages[0].model_dump(mode="json")
    for text in overrides:
        target, equals, raw = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text}: write field=value, such as ner.enabled=false.")
        try:
            value = yaml.safe_load(raw)
        except yaml.YAMLError:
            raise UsageError(f"--set {text}: the value is not valid YAML.") from None
        *outer, last = target.split(".")
        inner = fields
        for name in outer:
            inner = inner.setdefault(name, {})
            if not isinstance(inner, dict):
                raise UsageError(f"--set {text}: '{name}' has no fields of its own.")
        inner[last] = value
    try:
        return Redact.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "thresholds"  # the one that is held against other fields
        message = first["msg"].removeprefix("Value error, ").rstrip(".")
        allowed = f"; fields of the stage are {', '.join(Redact.model_fields)}" if "." not in field else ""
        raise UsageError(f"--set {field}: {message[0].lower()}{message[1:]}{allowed}.") from None


# ---- one text


def _read(file: str) -> str:
    """The text of a file or standard input, decoded as documents are; a byte order mark is not part of it."""
    name = "standard input" if file == "-" else f"'{file}'"
    try:
        data = sys.stdin.buffer.read() if file == "-" else read_file(file)
    except OSError as error:
        raise UsageError(f"cannot read {name} ({error.strerror or error}); name a file of text.") from None
    try:
        return data.decode()  # a NUL makes a blob binary in a run, but nothing here
    except UnicodeDecodeError:
        decoded = decode(data)
    if decoded.text is None:
        what = "binary" if decoded.reason == "binary" else "in no encoding that could be detected"
        raise UsageError(f"{name} is {what}, and redaction reads text; give a file of text.")
    return decoded.text


def _table(text: str, findings: Sequence[Finding]) -> str:
    """What was found, a line each: where, what, how sure, by whom, and what became of it; never the value."""
    lines = [f"{'line':>6} {'column':>6} {'length':>6}  {'entity':<11} {'score':>5}  {'recognizer':<22} became"]
    number, position = 1, 0
    for finding in findings:
        span = finding.span
        number += text.count("\n", position, span.start)
        position = span.start
        column = span.start - text.rfind("\n", 0, span.start)
        became = finding.replacement or f"left: {span.left.replace('_', ' ')}"
        lines.append(
            f"{number:>6} {column:>6} {span.end - span.start:>6}  {span.entity:<11} {span.score:>5.2f}  "
            f"{span.recognizer:<22} {became}"
        )
    return "\n".join(lines) if findings else "nothing was found"


# ---- batches


def _open(file: str) -> AbstractContextManager[BinaryIO]:
    if file == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return open(file, "rb")
    except OSError as error:
        raise UsageError(f"cannot read '{file}' ({error.strerror}); name a file of JSON lines.") from None


def _batch(stream: BinaryIO, out: BinaryIO, redactor: Redactor) -> int:
    """Redact line by line, a batch at a time; how many lines were wrong, each of which is told on standard error."""
    wrong = 0
    for lines in _batches(_lines(stream)):
        good = [line for line in lines if line.text is not None]
        answers = _redact_lines(redactor, good)
        problems = {line.number: line.problem for line in lines if line.text is None}
        problems |= {line.number: one for line, one in zip(good, answers, strict=True) if isinstance(one, str)}
        wrong += len(problems)
        for number, problem in sorted(problems.items()):
            print(f"quarry: line {number:,} {problem}.", file=sys.stderr, flush=True)
        for line, answer in zip(good, answers, strict=True):
            if isinstance(answer, str):
                continue
            text, findings = answer
            spans = [_as_json(finding) for finding in findings]
            out.write(_encoded({"id": line.id, "text": text, "spans": spans}))
        out.flush()
    return wrong


def _redact_lines(redactor: Redactor, lines: Sequence[Line]) -> list[tuple[str, list[Finding]] | str]:
    """What becomes of each text, or why it failed, as a user's recognizer may; one that fails costs no other."""
    try:
        return [*_redact(redactor, [str(line.text) for line in lines])]
    except Exception as error:
        if len(lines) <= 1:
            return [_failed(error)] * len(lines)
        middle = len(lines) // 2
        return _redact_lines(redactor, lines[:middle]) + _redact_lines(redactor, lines[middle:])


def _failed(error: Exception) -> str:
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


def _redact(redactor: Redactor, texts: Sequence[str]) -> list[tuple[str, list[Finding]]]:
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


def _as_json(finding: Finding) -> dict[str, Any]:
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
