"""`quarry redact` redacts a file, a pipe, or a batch of texts as JSON lines, without a run."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
import yaml
from pydantic import ValidationError

from cli.redact_lines import as_json_span, open_lines, redact_lines, redact_texts, why_failed
from cli.run import Json
from pii.redact import Finding
from pii.stage import Redact
from pipeline.errors import UsageError
from pipeline.recipe import load_recipe
from pipeline.storage import read_file
from stages.catalog import CATALOG
from stages.decode import decode


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
        with open_lines(file) as stream:  # before the redactor is built, which takes seconds
            wrong = redact_lines(stream, sys.stdout.buffer, stage.redactor())
        if wrong:
            lines = "1 line was" if wrong == 1 else f"{wrong:,} lines were"
            raise UsageError(f"{lines} passed over, as said above; all others are redacted.")
        return
    text = _read(file)
    redactor = stage.redactor()
    try:
        redacted, findings = redact_texts(redactor, [text])[0]
    except Exception as error:  # its traceback may quote the text
        raise UsageError(f"the text {why_failed(error)}.") from None
    if spans:
        found = [as_json_span(finding) for finding in findings]
        typer.echo(json.dumps(found) if as_json else _table(text, findings))
    elif as_json:
        typer.echo(json.dumps({"text": redacted, "spans": [as_json_span(finding) for finding in findings]}))
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
