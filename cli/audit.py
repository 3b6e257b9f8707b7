"""`quarry audit` looks at what the redact stage of a run found: counts, samples, labelling, misses; never a value."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Annotated, Any

import pyarrow as pa
import typer
from rich.console import Console

from cli.audit_label import Session, ask_found, ask_missed, label
from cli.audit_text import as_text, progress_text
from cli.run import Directory, Json
from pii.audit_verdicts import Verdicts, read_verdicts
from pii.policy import Policy
from pii.redact import Redactor
from pii.spans import ENTITIES
from pipeline.errors import UsageError
from pipeline.state import Run, load_run
from reports.audit import TOP, Audit, as_json, verdicts_path, write_csv
from reports.audit_context import Find
from reports.audit_counts import count
from reports.audit_estimates import estimate, found_design, missed_design
from reports.audit_misses import Lines, draw_lines, show_lines
from reports.audit_page import write_audit
from reports.audit_sample import Drawn, draw, show
from reports.audit_stage import Audited, Choice, audited
from reports.rows import settled
from stages.catalog import CATALOG

TO_LABEL = 100  # places, where --sample does not say how many
MISSES = 20  # lines that --recall shows
FIRST, SECOND = "first", "second"


def audit(
    directory: Directory,
    as_data: Json = False,
    csv: Annotated[str | None, typer.Option("--csv", metavar="FILE", help="Write all counts to FILE.")] = None,
    html: Annotated[bool, typer.Option("--html", help="Write DIR/report/audit.html.")] = False,
    top: Annotated[int, typer.Option(min=1, help="Repositories to list.")] = TOP,
    sample: Annotated[
        int | None, typer.Option("--sample", metavar="N", min=1, help="Show N findings in context, masked.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="Another seed draws another sample.")] = 0,
    entity: Annotated[str | None, typer.Option(metavar="E", help="Only this entity, such as NAME.")] = None,
    language: Annotated[str | None, typer.Option(metavar="L", help="Only documents of this language.")] = None,
    recognizer: Annotated[str | None, typer.Option(metavar="R", help="Only what this recognizer found.")] = None,
    stratified: Annotated[
        bool,
        typer.Option("--stratified", help="Draw as many of each entity and recognizer, so that rare ones are seen."),
    ] = False,
    left: Annotated[
        bool, typer.Option("--left", help="Draw from what was found and left, not from the redacted.")
    ] = False,
    labelling: Annotated[bool, typer.Option("--label", help="Judge the sample, one place after another.")] = False,
    recall: Annotated[
        bool, typer.Option("--recall", help="Draw lines instead, to look for what the recognizers passed over.")
    ] = False,
    blind: Annotated[
        bool, typer.Option("--blind", help="With --label: judge again what the first auditor judged, unseen.")
    ] = False,
    auditor: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who judges; by default 'first', with --blind 'second'.")
    ] = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="With --label, on a terminal: show the values, where they are still there.")
    ] = False,
    verdicts_file: Annotated[
        str | None, typer.Option("--verdicts", metavar="FILE", help="The verdicts; by default DIR.verdicts.jsonl.")
    ] = None,
    stage: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which redact stage, where there are several.")
    ] = None,
) -> None:
    """Audit the redactions of the run in DIR: counts, samples with the value masked, precision, misses."""
    _check(labelling=labelling, recall=recall, blind=blind, reveal=reveal, auditor=auditor, left=left, data=as_data)
    run = settled(load_run(directory, CATALOG))
    one = audited(run, stage)
    choice = Choice(entity, language, recognizer)
    _check_entity(one, entity)
    if recall and (entity or recognizer):
        raise UsageError("--recall draws from all lines of the documents; leave --entity and --recognizer out.")
    verdicts = _verdicts(run, verdicts_file, needed=labelling)
    find = finder()
    if labelling:
        who = auditor or (SECOND if blind else FIRST)
        number = sample or TO_LABEL
        if recall:
            session = _label_lines(one, verdicts, find, number, seed, language, who, blind)
        else:
            session = _label_found(one, verdicts, find, choice, number, seed, who, blind, reveal, left, stratified)
        found = Audit(one, count(one, choice), estimate(one, count(one, choice), verdicts))
        typer.echo(progress_text(session, found, verdicts, recall=recall))
        return
    counts = count(one, choice)
    lines: Lines | None = None
    shown: list[Any] = []
    shown_lines: list[Any] = []
    if recall:
        lines = draw_lines(one, sample or MISSES, seed, language)
        _check_lines(one, lines)
        shown_lines = list(show_lines(one, lines.drawn, find))
    elif sample:
        drawn = draw(one, choice, sample, seed, action="note" if left else "redact", stratified=stratified)
        shown = list(show(one, drawn, find))
        _check_texts(one, shown)
    found = Audit(one, counts, estimate(one, counts, verdicts), shown, lines, shown_lines)
    if csv is not None:
        write_csv(counts, csv)
    page = write_audit(run, one, find, verdicts) if html else None
    typer.echo(json.dumps(as_json(found, top), ensure_ascii=False) if as_data else as_text(found, top))
    if not as_data:
        for path in (csv, page):
            if path is not None:
                typer.echo(f"written: {path}")


def finder() -> Find:
    """What masks everything that any recognizer knows, whatever a policy leaves; built when it is first needed."""
    redactors: list[Redactor] = []

    def find(texts: Sequence[str]) -> list[list[tuple[int, int, str]]]:
        if not redactors:
            strict = Policy.model_validate(dict.fromkeys(Policy.model_fields, "redact"))
            redactors.append(Redactor(policy=strict))
        found: list[list[tuple[int, int, str]]] = [[] for _ in texts]
        for row, spans in redactors[0].find(pa.array(texts, pa.string())):
            found[row] = [(span.start, span.end, span.entity) for span in spans]
        return found

    return find


def write_page(run: Run, verdicts_file: str | None = None) -> str | None:
    """The audit page of a complete run, for `quarry report`; None where the run redacts nothing."""
    run = settled(run)
    try:
        one = audited(run)
    except UsageError:
        return None
    return write_audit(run, one, finder(), _verdicts(run, verdicts_file, needed=False))


def _verdicts(run: Run, given: str | None, *, needed: bool) -> Verdicts:
    if given is None and not run.store.local and not needed:
        return Verdicts.nothing()
    return read_verdicts(verdicts_path(run, given))


def _check(
    *, labelling: bool, recall: bool, blind: bool, reveal: bool, auditor: str | None, left: bool, data: bool
) -> None:
    """UsageError where options do not go together."""
    for given, name in ((blind, "--blind"), (reveal, "--reveal"), (auditor, "--auditor")):
        if given and not labelling:
            raise UsageError(f"{name} is about judging a sample; give --label with it.")
    if labelling and data:
        raise UsageError("--label talks with a person; leave --json out, and give it afterwards without --label.")
    if recall and (reveal or left):
        raise UsageError(f"{'--reveal' if reveal else '--left'} is about what was found; leave it or --recall out.")
    if reveal and not sys.stdout.isatty():
        raise UsageError("--reveal shows values on a terminal alone, and the output is none; leave it out.")


# ---- labelling


def _label_found(
    one: Audited,
    verdicts: Verdicts,
    find: Find,
    choice: Choice,
    number: int,
    seed: int,
    who: str,
    blind: bool,
    reveal: bool,
    left: bool,
    stratified: bool,
) -> Session:
    action = "note" if left else "redact"
    if blind:
        _check_blind(verdicts, "found", who)
        design = verdicts.designs["found"]
        choice = Choice(design["entity"], design["language"], design["recognizer"])
        left, stratified, seed = design["left"], design["stratified"], design["seed"]
        action = "note" if left else "redact"
    else:
        design = found_design(one, choice, seed, left=left, stratified=stratified)
    judged = verdicts.given["found"].get(verdicts.auditors("found")[0], {}) if blind else {}
    # A sample of twice the verdicts holds them all but for what had no text left; then everything is drawn.
    drawn: list[Drawn] = []
    for wanted in (max(number, 2 * len(judged)), 1 << 40):
        drawn = draw(one, choice, min(wanted, sys.maxsize), seed, action=action, stratified=stratified)
        if not blind or judged.keys() <= {item.place for item in drawn}:
            break
    if blind:
        drawn = [item for item in drawn if item.place in judged and judged[item.place].answer != "skip"]
        drawn.sort(key=lambda item: item.place)
    if not drawn:
        raise UsageError("there is nothing to judge: no decision is as asked for; ask for another entity or language.")
    verdicts.start("found", design)
    read: Callable[[Sequence[Any]], Iterator[Any]] = partial(_show_some, one, find, reveal)
    session = label(
        Console(highlight=False), verdicts, "found", who, drawn, read, partial(ask_found, left=left, blind=blind)
    )
    if session.gone == len(drawn):
        _no_documents(one)
    return session


def _show_some(one: Audited, find: Find, reveal: bool, items: Sequence[Drawn]) -> Iterator[Any]:
    return show(one, items, find, 2, reveal=reveal)


def _label_lines(
    one: Audited, verdicts: Verdicts, find: Find, number: int, seed: int, language: str | None, who: str, blind: bool
) -> Session:
    judged = {}
    if blind:
        _check_blind(verdicts, "missed", who)
        seed, language = verdicts.designs["missed"]["seed"], verdicts.designs["missed"]["language"]
        judged = verdicts.given["missed"][verdicts.auditors("missed")[0]]
    lines = draw_lines(one, max(number, 4 * len(judged)), seed, language)
    _check_lines(one, lines)
    drawn = [line for line in lines.drawn if line.place in judged] if blind else lines.drawn
    verdicts.start("missed", missed_design(one, seed, language, lines.sizes, lines.bytes))
    read: Callable[[Sequence[Any]], Iterator[Any]] = partial(_show_some_lines, one, find)
    return label(Console(highlight=False), verdicts, "missed", who, drawn, read, ask_missed)


def _show_some_lines(one: Audited, find: Find, items: Sequence[Any]) -> Iterator[Any]:
    return show_lines(one, items, find)


def _check_blind(verdicts: Verdicts, kind: Any, who: str) -> None:
    auditors = verdicts.auditors(kind)
    if not auditors or kind not in verdicts.designs:
        raise UsageError(f"'{verdicts.path}' has no verdicts to judge a second time; label once without --blind.")
    if who == auditors[0]:
        raise UsageError(f"'{who}' gave the first verdicts; a second pass is another's: give --auditor NAME.")


def _check_entity(one: Audited, entity: str | None) -> None:
    """UsageError for an entity that is none of ours, nor one that a recognizer of the user's own found."""
    if entity is not None and entity not in ENTITIES:
        found = {row["entity"] for row in count(one).by("entity")}
        if entity not in found:
            known = ", ".join([*ENTITIES, *sorted(found.difference(ENTITIES))])
            raise UsageError(f"there is no entity '{entity}'; there are {known}.")


def _check_texts(one: Audited, shown: Sequence[Any]) -> None:
    if shown and all(item.context is None for item in shown):
        _no_documents(one)


def _check_lines(one: Audited, lines: Lines) -> None:
    if not lines.documents:
        _no_documents(one)


def _no_documents(one: Audited) -> None:
    raise UsageError(
        f"no text of the stage {one.name} is left in '{one.run.store.root}', only its counts; run the recipe again to "
        "have its documents."
    )
