"""The redaction audit of a run as data: counts, a sample, what auditors' verdicts say; written as JSON and as CSV.

Nothing here holds a value: places are offsets, equal values are digits of a keyed hash, contexts are masked.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv

from pipeline.errors import UsageError
from pipeline.state import Run
from pipeline.storage import Storage
from reports.audit_counts import SCORE_BINS, Counts, split
from reports.audit_estimates import Estimates
from reports.audit_misses import Lines, ShownLine
from reports.audit_sample import Shown
from reports.audit_stage import Audited

TOP = 20  # repositories that are listed
_CSV = ("by", "repo", "language", "entity", "recognizer", "format", "reason", "redacted", "left")


@dataclass(frozen=True)
class Audit:
    """What is known of one redact stage."""

    audited: Audited
    counts: Counts
    estimates: Estimates
    sample: Sequence[Shown] = field(default_factory=list)
    lines: Lines | None = None  # that were drawn to look for misses
    shown_lines: Sequence[ShownLine] = field(default_factory=list)


def verdicts_path(run: Run, given: str | None) -> str:
    """The file of verdicts: the one that is given, else the one beside the run's folder."""
    if given is not None:
        return given
    if not run.store.local:
        raise UsageError("verdicts are kept in a local file, and this run is elsewhere; give --verdicts FILE.")
    return f"{run.store.root}.verdicts.jsonl"


def as_json(audit: Audit, top: int = TOP) -> dict[str, Any]:
    """Everything as plain data."""
    counts, audited = audit.counts, audit.audited
    repositories = counts.by("repo")
    data: dict[str, Any] = {
        "run": audited.run.store.root,
        "name": audited.run.recipe.name,
        "stage": audited.name,
        "pass": audited.this.part.name,
        "filters": asdict(counts.choice),
        "redacted": counts.redacted,
        "left": counts.left,
        "documents": counts.documents,
        "entities": [row._asdict() for row in counts.entities],
        "recognizers": counts.by("entity", "recognizer", "format"),
        "reasons": counts.by("entity", "reason"),
        "languages": counts.by("language"),
        "language_entities": counts.by("language", "entity"),
        "repositories": repositories[:top],
        "repositories_in_all": len(repositories),
        "scores": {"bins": SCORE_BINS, "entities": counts.scores},
        "equal_values": {
            "known": counts.has_hmac,
            "distinct": counts.distinct,
            "most_frequent": [row._asdict() for row in counts.equal],
        },
        "sample": [shown.as_json() for shown in audit.sample],
    }
    data |= estimates_json(audit.estimates)
    if audit.lines is not None:
        data["lines"] = {
            "kinds": audit.lines.sizes,
            "documents": audit.lines.documents,
            "bytes": audit.lines.bytes,
            "sample": [shown.as_json() for shown in audit.shown_lines],
        }
    return data


def estimates_json(estimates: Estimates) -> dict[str, Any]:
    """Precision, agreement, misses and recall as plain data."""

    def named(row: Any, what: str) -> dict[str, Any]:
        return {"entity": row.entity or None, **getattr(row, what)._asdict()}

    return {
        "method": estimates.method,
        "judged_sample": estimates.design,
        "other_configuration": estimates.stale,
        "precision": {
            who: [named(row, "share") | {"recognizer": row.recognizer or None} for row in rows]
            for who, rows in estimates.precision.items()
        },
        "agreement": {
            "auditors": estimates.auditors[:2],
            "entities": [named(row, "agreement") for row in estimates.agreement],
        },
        "misses": {
            "auditors": estimates.miss_auditors[:1],
            "lines": estimates.lines,
            "suspicious": dict(zip(("judged", "with_a_miss"), estimates.suspicious, strict=True)),
            "entities": [
                named(row, "misses") | {"recall": row.recall._asdict() if row.recall else None}
                for row in estimates.misses
            ],
        },
    }


def write_csv(counts: Counts, path: str) -> None:
    """All counts as CSV: rows by finding (language, entity, recognizer, format, reason), and rows by repository."""
    kinds = split(counts.kinds).append_column("by", pa.array(["finding"] * counts.kinds.num_rows, pa.string()))
    repositories = counts.repositories
    repositories = repositories.append_column("by", pa.array(["repository"] * repositories.num_rows, pa.string()))
    parts = [
        pa.table(
            {
                name: table[name].combine_chunks() if name in table.column_names else [""] * table.num_rows
                for name in _CSV
            },
            schema=pa.schema([(name, pa.int64() if name in ("redacted", "left") else pa.string()) for name in _CSV]),
        )
        for table in (kinds, repositories)
    ]
    sink = io.BytesIO()
    pacsv.write_csv(pa.concat_tables(parts), sink)
    target = Path(path)
    try:
        Storage(target.parent).write_bytes(target.name, sink.getvalue())
    except OSError as error:
        raise UsageError(f"'{path}' cannot be written ({error.strerror}); give another --csv FILE.") from None
