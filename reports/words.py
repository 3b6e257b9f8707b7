"""How reasons and numbers are written for a reader."""

from __future__ import annotations

import re

from pipeline.state import Run


def reason_words(run: Run, stage: str, reason: str) -> str:
    """A reason as its stage words it, with an ellipsis for what differs from document to document."""
    if reason == "error":
        return "the stage failed on this one document, so it was quarantined"
    stages = {named.name: named.stage for this in run.passes for named in this.part.stages}
    return re.sub(r"\{[^}]*\}", "…", stages[stage].reasons[reason])


def counted(count: int, one: str, many: str) -> str:
    """A number with its noun: '1 document', '1,000 documents'."""
    return f"{count:,} {one if count == 1 else many}"


def entities(counts: dict[str, int]) -> str:
    """Redactions by entity: '2 EMAIL, 1 KEY'."""
    return ", ".join(f"{count:,} {entity}" for entity, count in counts.items())


def number(count: int) -> str:
    """With commas between the thousands."""
    return f"{count:,}"


def short(count: int) -> str:
    """With three digits and the letter of its power of thousand, from a million on."""
    if count < 1_000_000:
        return number(count)
    power, letter = next((p, letter) for p, letter in ((12, "T"), (9, "B"), (6, "M")) if count >= 0.9995 * 10**p)
    value = count / 10**power
    digits = max(0, 3 - len(f"{value:.0f}"))
    return f"{value:,.{digits}f}\N{NO-BREAK SPACE}{letter}"


def size(count: int) -> str:
    """Bytes in the largest decimal unit that leaves a digit before the point."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"


def share(part: float, whole: float) -> str:
    """`part` of `whole` in per cent; what is not nothing never reads as nothing."""
    if not whole:
        return "–"
    value = 100 * part / whole
    return "<\N{NO-BREAK SPACE}0.1\N{NO-BREAK SPACE}%" if 0 < value < 0.1 else f"{value:.1f}\N{NO-BREAK SPACE}%"


def duration(seconds: float) -> str:
    """In seconds, minutes or hours."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def rate(value: float) -> str:
    """With as many digits as a rate of a few, or of thousands, is read with."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
