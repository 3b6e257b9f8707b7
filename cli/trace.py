"""`quarry trace` tells where a text comes from: which documents of a run's dataset resemble it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from attribution.near import SIGNATURE, TEXT, Hit, NearAnswer
from attribution.near import near as find_near
from cli.run import Directory, Json
from pii.redact import mask
from pipeline.errors import UsageError
from pipeline.state import load_run
from pipeline.storage import read_file
from reports.excerpts import excerpt
from reports.words import counted
from stages.catalog import CATALOG
from stages.decode import decode

COPIES = 20  # listed one by one


def trace(
    directory: Directory,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The text; - or nothing is standard input.")] = "-",
    near: Annotated[bool, typer.Option("--near", help="Find documents that resemble the text as a whole.")] = False,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Least Jaccard similarity; by default the deduplicate stage's.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Documents to show.")] = 10,
    copies: Annotated[bool, typer.Option("--copies", help="Name what was dropped in favour of each.")] = False,
    excerpts: Annotated[bool, typer.Option("--excerpts", help="Show the first lines of each, redacted.")] = False,
    as_json: Json = False,
) -> None:
    """Tell where a text comes from: the documents of DIR's dataset that resemble it, best first."""
    if not near:
        raise UsageError(
            "searching for parts of a text comes later; give --near for documents that resemble all of it."
        )
    text = _read(file)
    answer = find_near(load_run(directory, CATALOG), text, threshold, limit, copies)
    shown = [excerpt(hit.text, mask) if excerpts and hit.text is not None else None for hit in answer.hits]
    typer.echo(json.dumps(_json(answer, shown), ensure_ascii=False) if as_json else _text(answer, shown))


def _read(file: str) -> str:
    """The text of a file, a URL or standard input, decoded as documents are."""
    name = "standard input" if file == "-" else f"'{file}'"
    try:
        data = sys.stdin.buffer.read() if file == "-" else read_file(file)
    except OSError as error:
        raise UsageError(f"cannot read {name} ({error.strerror or error}); name a file of text.") from None
    if not data:
        raise UsageError(f"{name} is empty; give a text to trace.")
    decoded = decode(data)
    if decoded.text is None:
        what = "binary" if decoded.reason == "binary" else "in no encoding that could be detected"
        raise UsageError(f"{name} is {what}, and documents are text; give a file of text.")
    return decoded.text


def _json(answer: NearAnswer, excerpts: list[str | None]) -> dict[str, Any]:
    data = asdict(answer)
    for hit, shown in zip(data["hits"], excerpts, strict=True):
        hit["excerpt"] = shown
        del hit["text"]  # it may be unredacted
    return data


def _text(answer: NearAnswer, excerpts: list[str | None]) -> str:
    asked = f"of {counted(answer.documents, 'document', 'documents')} in the dataset"
    total = len(answer.hits) + answer.more
    if answer.shingles == 0:
        lines = [f"The text is shorter than a shingle, so only equal ones are found: {total:,} {asked}."]
    else:
        one = "resembles" if total == 1 else "resemble"
        lines = [
            f"{total:,} {asked} {one} it with a Jaccard similarity of at least {answer.threshold:g} "
            f"(one at that similarity is found with probability {answer.found_with:.3g})."
        ]
    for hit, shown in zip(answer.hits, excerpts, strict=True):
        lines += ["", *_hit_lines(hit)]
        if shown is not None:
            lines += ["", *(f"         | {line}" for line in shown.split("\n"))]
    if answer.more:
        lines += ["", f"And {answer.more:,} more; --limit shows them."]
    return "\n".join(lines)


def _hit_lines(hit: Hit) -> list[str]:
    how = {TEXT: "", SIGNATURE: "  estimated, as the text is not there any more"}
    note = "  equal" if hit.equal else how.get(hit.compared, "  compared after redaction")
    lines = [
        f"  {hit.jaccard:.3f}  {hit.repo}:{hit.path}  {hit.license or 'no licence'}{note}",
        f"         {f'commit {hit.commit}, ' if hit.commit else ''}document {hit.id}",
        f"         {hit.file}, row {hit.row:,} (counted from 0)",
    ]
    for copy in hit.copies[:COPIES]:
        near = "equal" if copy.reason == "exact_duplicate" else f"{copy.jaccard:.3f}"
        lines.append(f"         dropped in its favour: {copy.repo}:{copy.path} ({near}, document {copy.id})")
    if len(hit.copies) > COPIES:
        lines.append(f"         and {len(hit.copies) - COPIES:,} more")
    return lines
