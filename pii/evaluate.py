"""`python -m pii.evaluate`: scores the redactor on the labelled sets, beside other systems and StarPII's figures.

    python -m pii.evaluate --repositories DIR           both sets; DIR holds bare git directories or clones
    python -m pii.evaluate --repositories DIR --clone   the commits that DIR lacks are fetched from their hosts
    python -m pii.evaluate --found NAME=FILE            spans of another system: lines like `quarry redact --jsonl`'s
    python -m pii.evaluate --presidio MODEL --keep      Presidio with a spaCy model; kept in baselines.json
    python -m pii.evaluate --texts FILE                 writes {"id", "text"} lines for such a system to read
    python -m pii.evaluate --errors                     every miss and false alarm; of real code only masked context
    python -m pii.evaluate --write                      results.json and docs/pii-evaluation.md (`make pii-eval`)

The part of real code that cannot be read is named, and left out of every figure.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from pii.evaluation import labelled, scoring, systems, tables
from pii.evaluation.labelled import Document
from pii.evaluation.scoring import Found
from pii.spans import ENTITIES

FOLDER = Path(__file__).with_name("evaluation")
REAL = FOLDER / "real.jsonl"
RESULTS = FOLDER / "results.json"
BASELINES = FOLDER / "baselines.json"  # scores of other systems, which need not be run again
PAGE = Path(__file__).parents[1] / "docs" / "pii-evaluation.md"
CONTEXT = 40  # characters shown on either side of an error
NAME = "Quarry, default configuration"


def evaluate(
    documents: Sequence[Document], baselines: Sequence[dict[str, Any]] = ()
) -> tuple[dict[str, Any], list[list[Found]]]:
    """Contents and scores of a set, and what Quarry found; `baselines` are summaries that stand beside it."""
    found = systems.quarry([document.text for document in documents])
    mine = tables.summary(tables.Scored(NAME, documents, found))
    return {"contents": tables.contents(documents), "systems": [mine, *baselines]}, found


def others(
    documents: Sequence[Document], found_files: Iterable[tuple[str, Path]], presidio: str | None
) -> list[dict[str, Any]]:
    """Summaries of other systems: files of found spans, and Presidio with a spaCy model, or `none`."""
    scored = [tables.Scored(name, documents, systems.from_file(path, documents)) for name, path in found_files]
    if presidio:
        name, found = systems.presidio(documents, None if presidio == "none" else presidio)
        scored.append(tables.Scored(name, documents, found))
    return [tables.summary(one, brief=True) for one in scored]


def kept_of(kept: dict[str, Any], name: str, documents: Sequence[Document]) -> list[dict[str, Any]]:
    """The kept summaries of a set that were made on these very labels."""
    return [one for one in kept.get(name, []) if one["labels"] == tables.digest(documents)]


def errors(documents: Sequence[Document], found: Sequence[Sequence[Found]]) -> Iterable[str]:
    """One line a miss or false alarm; letters and figures of real code are masked, also around the span."""
    for document, spans in zip(documents, found, strict=True):
        for entity in ENTITIES:
            judged = scoring.judge(document, spans, entity)
            for kind, wrong in (("miss", judged.misses), ("false alarm", judged.false_alarms)):
                for start, end, *_ in wrong:
                    line = document.text.count("\n", 0, start) + 1
                    shown = _shown(document, start, end)
                    yield f"{kind}\t{entity}\t{document.id}\t{document.language}\tline {line}\t{shown}"


def _shown(document: Document, start: int, end: int) -> str:
    before = document.text[max(0, start - CONTEXT) : start].rpartition("\n")[2]
    after = document.text[end : end + CONTEXT].partition("\n")[0]
    parts = [before, document.text[start:end], after]
    if not document.show:
        parts = [re.sub(r"\d", "9", re.sub(r"[^\W\d_]", "x", part)) for part in parts]
    return f"{parts[0]}⟦{parts[1]!r}⟧{parts[2]}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pii.evaluate", description=__doc__.split("\n")[0])
    parser.add_argument("--set", choices=["synthetic", "real", "both"], default="both")
    parser.add_argument("--real", type=Path, default=REAL, help="labels of real code (default: the shipped ones)")
    parser.add_argument("--repositories", type=Path, help="a folder of bare git directories or clones")
    parser.add_argument("--clone", action="store_true", help="fetch the commits that are missing there")
    parser.add_argument("--found", action="append", default=[], metavar="NAME=FILE", help="spans of another system")
    parser.add_argument("--presidio", metavar="MODEL", help="score Presidio too, with this spaCy model, or 'none'")
    parser.add_argument("--keep", action="store_true", help="keep what was scored of other systems in baselines.json")
    parser.add_argument("--texts", type=Path, help="write the texts of the sets for another system, and stop")
    parser.add_argument("--errors", action="store_true")
    parser.add_argument("--write", action="store_true")
    return parser.parse_args()


def main() -> None:
    options = _arguments()
    sets: dict[str, list[Document]] = {}
    if options.set in ("synthetic", "both"):
        sets["synthetic"] = labelled.synthetic()
    if options.set in ("real", "both") and options.real.exists():
        if options.clone and options.repositories:
            for failure in labelled.clone_missing(options.real, options.repositories):
                print(f"could not be fetched: {failure}", file=sys.stderr)
        documents, unread = labelled.real(options.real, options.repositories)
        for name, reason in unread:
            print(f"could not be read: {name}: {reason}", file=sys.stderr)
        if unread:
            print(f"{len(unread)} of {len(unread) + len(documents)} chunks of real code left out", file=sys.stderr)
        if documents:
            sets["real"] = documents
    if options.texts:
        lines = [{"id": d.id, "text": d.text} for documents in sets.values() for d in documents]
        options.texts.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
        return
    files = [(name, Path(path)) for name, _, path in (entry.partition("=") for entry in options.found)]
    results: dict[str, Any] = {}
    kept = orjson.loads(BASELINES.read_bytes()) if BASELINES.exists() else {}
    for name, documents in sets.items():
        kept[name] = kept_of(kept, name, documents) + others(documents, files, options.presidio)
        results[name], found = evaluate(documents, kept[name])
        if options.errors:
            print("\n".join(errors(documents, found)))
    if options.keep:
        BASELINES.write_bytes(orjson.dumps(kept, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    if options.write:
        RESULTS.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        PAGE.write_text(tables.page(results), encoding="utf-8")
    for name, part in results.items():
        print(tables.short(name, part))


if __name__ == "__main__":
    main()
