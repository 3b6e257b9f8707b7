"""Short pieces of a run's text for a reader: where a decision was made, what a redaction left, how two copies differ.

Text that was not redacted yet passes through `mask` before anything is cut from it, so that no cut can hide half a
secret from the recognizers; what is left of a document's first part is then clipped to a few short lines.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.state import Run
from reports.rows import document_path, input_path, read_rows

Mask = Callable[[str], str]

WINDOW = 16_384  # characters of a document that are masked and shown from
LINES, WIDTH = 6, 140  # of an excerpt
AROUND = 60  # characters shown before and after a placeholder
DIFF_LINES, DIFF_ROWS = 400, 36  # lines of each side that are compared, rows of a diff
# Controls but for tab and line feed, and those of writing direction, which could show a line other than it is.
_HIDDEN = (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_CONTROLS = dict.fromkeys(_HIDDEN, "\N{REPLACEMENT CHARACTER}")


class Example(NamedTuple):
    """A document of which a stage decided something."""

    repo: str
    path: str
    sentence: str
    excerpt: str | None  # masked; None where the text is not there


class Context(NamedTuple):
    """A placeholder in the redacted text, on one line."""

    repo: str
    path: str
    before: str
    placeholder: str
    after: str


class DiffRow(NamedTuple):
    """A line of two texts side by side; `change` is equal, replace, delete, insert or gap."""

    change: str
    left: str
    right: str


def examples(run: Run, rows: Iterable[Mapping[str, Any]], mask: Mask, count: int) -> list[Example]:
    """The first `count` of the decisions `rows` (with pass and shard), those whose text is still there first."""
    rows = list(rows)
    texts = _texts(run, ((row["pass"], row["shard"], row["id"]) for row in rows))
    chosen = sorted(rows, key=lambda row: row["id"] not in texts)[:count]
    return [
        Example(
            row["repo"],
            row["path"],
            sentence(run, row),
            excerpt(texts[row["id"]], mask) if row["id"] in texts else None,
        )
        for row in chosen
    ]


def sentence(run: Run, row: Mapping[str, Any]) -> str:
    """What the stage says about its decision `row`."""
    return run.passes[row["pass"]].explain(row)


def excerpt(text: str, mask: Mask) -> str:
    """The first lines of a text, masked."""
    lines = _masked_lines(text, mask)
    shown = [_clip(line) for line in lines[:LINES]]
    return "\n".join(shown + ["…"] * (len(lines) > LINES or len(text) > WINDOW))


def contexts(run: Run, rows: Iterable[Mapping[str, Any]], count: int) -> list[Context]:
    """Of the redactions `rows` the first `count` whose placeholder stands in the documents of their pass."""
    found: list[Context] = []
    for row in rows:
        if len(found) == count:
            break
        this, shard = run.passes[row["pass"]], row["shard"]
        output = read_rows(run.store, document_path(this, shard), [row["id"]], ["text"]).get(row["id"], {})
        if "text" not in output:
            continue
        columns = ["id", "stage", "action", "start", "end", "replacement"]
        made = run.store.read_table(this.folder.decisions(shard), columns)
        made = made.filter(pc.and_(pc.equal(made["id"], row["id"]), pc.equal(made["action"], "redact")))
        made = made.filter(pc.equal(made["stage"], row["stage"])).sort_by("start")
        context = _context(row, output["text"], made)
        if context is not None:
            found.append(context)
    return found


def _context(row: Mapping[str, Any], text: str, made: pa.Table) -> Context | None:
    """The placeholder of redaction `row` in the redacted `text`; `made` has all redactions of the document."""
    moved = 0  # how far the redactions before it moved what follows them
    for other in made.to_pylist():
        start, placeholder = other["start"] + moved, other["replacement"]
        if other["start"] == row["start"]:
            end = start + len(placeholder)
            if text[start:end] != placeholder:
                return None  # a later stage of the pass changed the text
            before, after = text[max(0, start - AROUND) : start], text[end : end + AROUND]
            before, after = before.rsplit("\n", 1)[-1], after.split("\n", 1)[0]
            return Context(row["repo"], row["path"], printable(before), placeholder, printable(after))
        moved += len(placeholder) - (other["end"] - other["start"])
    return None


def side_by_side(left: str, right: str, mask: Mask) -> list[DiffRow]:
    """How two texts differ, masked: changed lines with two equal ones around them, a gap between the places."""
    a, b = (_masked_lines(text, mask)[:DIFF_LINES] for text in (left, right))
    rows: list[DiffRow] = []
    for group in difflib.SequenceMatcher(None, a, b, autojunk=False).get_grouped_opcodes(2):
        if rows:
            rows.append(DiffRow("gap", "", ""))
        for change, left_from, left_to, right_from, right_to in group:
            for offset in range(max(left_to - left_from, right_to - right_from)):
                one = a[left_from + offset] if left_from + offset < left_to else ""
                two = b[right_from + offset] if right_from + offset < right_to else ""
                rows.append(DiffRow(change, _clip(one), _clip(two)))
    return rows[:DIFF_ROWS]


def find_texts(run: Run, number: int, ids: Collection[str]) -> dict[str, str]:
    """id -> text as pass `number` read it, looked for in all its shards."""
    found: dict[str, str] = {}
    for shard in sorted(run.passes[number].receipts):
        missing = set(ids) - found.keys()
        rows = read_rows(run.store, input_path(run, number, shard), missing, ["text"])
        found |= {key: row["text"] for key, row in rows.items() if "text" in row}
    return found


def _texts(run: Run, places: Iterable[tuple[int, str, str]]) -> dict[str, str]:
    """id -> text as the pass read it, of documents given as (number of the pass, shard, id)."""
    by_file: dict[tuple[int, str], set[str]] = {}
    for number, shard, document in places:
        by_file.setdefault((number, shard), set()).add(document)
    found: dict[str, str] = {}
    for (number, shard), ids in sorted(by_file.items()):
        rows = read_rows(run.store, input_path(run, number, shard), ids, ["text"])
        found |= {key: row["text"] for key, row in rows.items() if "text" in row}
    return found


def _masked_lines(text: str, mask: Mask) -> list[str]:
    """Lines of the first WINDOW characters, masked; without the last, which the window may have cut in a secret."""
    lines = mask(text[:WINDOW]).splitlines()
    return lines[:-1] if len(text) > WINDOW and len(lines) > 1 else lines


def _clip(line: str) -> str:
    return printable(line if len(line) <= WIDTH else line[:WIDTH] + "…")


def printable(text: str) -> str:
    """The text with what a terminal or page would act on instead of show replaced."""
    return text.translate(_CONTROLS)
