"""How two near-duplicates differ: their texts as they were compared, redacted, side by side.

The one place that finds these texts: a document may cite a canonical of another run, the one that its own was judged
against (`base` of the deduplicate stage), whose texts stand there. What is not there any more has no difference.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from rich.cells import set_cell_size

from pipeline.errors import QuarryError
from pipeline.state import Run
from reports.excerpts import DiffRow, Mask, find_texts, side_by_side
from reports.rows import read_rows
from stages.near_duplicates.base_run import open_base

COLUMN = 58  # cells of each side on a terminal
SIGNS = {"equal": " ", "replace": "|", "delete": "<", "insert": ">", "gap": "⋮"}  # as of `diff --side-by-side`


@dataclass(frozen=True)
class Difference:
    """A canonical on the left, one of its near-duplicates on the right."""

    canonical: str  # id
    other: str  # id
    rows: list[DiffRow]  # none where they differ only beyond what is compared, or in what was redacted

    def as_json(self) -> dict[str, Any]:
        """The difference as plain data."""
        return {"canonical": self.canonical, "other": self.other, "rows": [row._asdict() for row in self.rows]}

    def lines(self) -> list[str]:
        """The difference as lines for a terminal: two columns with a sign between them."""
        return [f"{_column(row.left)} {SIGNS[row.change]} {_column(row.right)}".rstrip() for row in self.rows]


def differences(run: Run, pairs: Collection[tuple[int, str, str]], mask: Mask) -> dict[str, Difference]:
    """By canonical: how it differs from its near-duplicate, for pairs (number of the pass, canonical, near-duplicate).

    Pairs whose texts are not both there are left out.
    """
    found: dict[str, Difference] = {}
    for number in sorted({number for number, _, _ in pairs}):
        of_pass = [(canonical, other) for place, canonical, other in pairs if place == number]
        texts = _texts(run, number, {document for pair in of_pass for document in pair})
        for canonical, other in of_pass:
            if canonical in texts and other in texts:
                rows = side_by_side(texts[canonical], texts[other], mask)
                found[canonical] = Difference(canonical, other, rows)
    return found


def base_of(run: Run, number: int) -> str | None:
    """The directory of the run that pass `number` judged against, if any."""
    base: str | None = getattr(run.passes[number].part.opener, "base", None)
    return base


def _texts(run: Run, number: int, ids: Collection[str]) -> dict[str, str]:
    """id -> text as pass `number` read it, or as it compared those of the run that it judged against."""
    found = find_texts(run, number, ids)
    missing, base = set(ids) - found.keys(), base_of(run, number)
    if not missing or base is None:
        return found
    try:
        earlier = open_base(base, {}, None)
    except (QuarryError, OSError):
        return found  # it was moved or removed since
    for shard in earlier.shards:
        rows = read_rows(earlier.store, f"{earlier.texts}/{shard}.parquet", missing - found.keys(), ["text"])
        found |= {key: row["text"] for key, row in rows.items()}
    return found


def _column(line: str) -> str:
    line = line.expandtabs(4)
    cut = set_cell_size(line, COLUMN)
    return cut if cut.rstrip() == line.rstrip() else set_cell_size(line, COLUMN - 1) + "…"
