"""What `quarry audit` says in a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from cli.audit_label import Session
from pii.audit_verdicts import Verdicts
from reports.audit import Audit
from reports.audit_context import length_class, plain
from reports.audit_counts import SCORE_BINS, Counts
from reports.audit_estimates import Estimates
from reports.words import counted, rate, share

BAR = " ▁▂▃▄▅▆▇█"


def as_text(audit: Audit, top: int) -> str:
    """Everything that was asked for."""
    lines = list(_counts(audit, top))
    if audit.sample:
        lines += ["", "Sample, values masked"]
        for shown in audit.sample:
            drawn = shown.drawn
            became = drawn.replacement or drawn.reason.replace("_", " ")
            length = length_class(drawn.end - drawn.start)
            lines.append(
                f"  {drawn.entity}  {drawn.recognizer} {drawn.score:.2f}  {length} characters"
                f"  {became}  {drawn.repo}:{drawn.path}"
            )
            lines += _indented("(its text is not there any more)" if shown.context is None else plain(shown.context))
    if audit.lines is not None:
        sizes = audit.lines.sizes
        lines += [
            "",
            f"Lines looked at: {sum(sizes.values()):,} of {counted(audit.lines.documents, 'document', 'documents')} "
            f"({audit.lines.bytes / 1e6:,.1f} MB): {sizes['suspicious']:,} look suspicious and hold no finding",
        ]
        for line in audit.shown_lines:
            lines.append(f"  {line.drawn.kind}  {line.drawn.repo}:{line.drawn.path}")
            lines += _indented("(its text is not there any more)" if line.line is None else plain(line.line))
    lines += estimates_text(audit.estimates)
    return "\n".join(lines)


def progress_text(session: Session, audit: Audit, verdicts: Verdicts, *, recall: bool) -> str:
    """What a sitting did, and what all verdicts say now."""
    rest = "the sample is judged to its end" if session.ended else "the same command goes on where you stopped"
    gone = f"; {counted(session.gone, 'place has', 'places have')} no text left" if session.gone else ""
    what = ("line", "lines") if recall else ("place", "places")
    judged = f"{counted(session.judged, *what)} judged into {verdicts.path}: {rest}{gone}."
    return "\n".join([judged, *estimates_text(audit.estimates)])


def _counts(audit: Audit, top: int) -> Iterator[str]:
    counts, one = audit.counts, audit.audited
    chosen = [
        f"{name} {value}"
        for name in ("entity", "language", "recognizer")
        if (value := getattr(counts.choice, name)) is not None
    ]
    yield (
        f"{one.run.recipe.name}, stage {one.name}{', only ' + ', '.join(chosen) if chosen else ''}: "
        f"{counted(counts.redacted, 'value', 'values')} redacted, {counts.left:,} found and left, in "
        f"{counted(counts.documents, 'document', 'documents')}."
    )
    if not counts.entities:
        return
    yield f"\n  {'entity':<14}{'redacted':>11}{'left':>11}{'documents':>11}  scores 0 to 1"
    for row in counts.entities:
        yield (
            f"  {row.entity:<14}{row.redacted:>11,}{row.left:>11,}{row.documents:>11,}  "
            f"{_histogram(counts.scores[row.entity])}"
        )
    yield f"\n  {'recognizer':<26}{'entity':<14}{'format':<26}{'redacted':>11}{'left':>11}"
    for kind in counts.by("recognizer", "entity", "format"):
        yield (
            f"  {kind['recognizer']:<26}{kind['entity']:<14}{kind['format']:<26}"
            f"{kind['redacted']:>11,}{kind['left']:>11,}"
        )
    if counts.left:
        yield f"\n  {'left because of':<26}{'entity':<14}{'':<26}{'':>11}{'left':>11}"
        for kind in counts.by("reason", "entity"):
            if kind["left"]:
                yield f"  {_reason(kind['reason']):<26}{kind['entity']:<14}{'':<26}{'':>11}{kind['left']:>11,}"
    yield from _listed("language", counts.by("language"), 10_000)
    yield from _listed("repository", counts.by("repo"), top)
    yield from _equal(counts)


def _reason(reason: str) -> str:
    return reason.removeprefix("left_").replace("_", " ")


def _histogram(bins: list[int]) -> str:
    most = max(bins)
    return "".join(BAR[-(-8 * number // most)] for number in bins) if most else " " * SCORE_BINS


def _listed(title: str, rows: list[dict[str, object]], top: int) -> Iterator[str]:
    key = {"repository": "repo"}.get(title, title)
    yield f"\n  {title:<66}{'redacted':>11}{'left':>11}"
    for row in rows[:top]:
        yield f"  {row[key]!s:<66}{row['redacted']:>11,}{row['left']:>11,}"
    if len(rows) > top:
        yield f"  and {len(rows) - top:,} more; --top shows more, --csv has all"


def _equal(counts: Counts) -> Iterator[str]:
    if not counts.has_hmac:
        yield "\n  Equal values are not known: the stage had no hmac_key."
        return
    distinct = ", ".join(f"{number:,} {entity}" for entity, number in counts.distinct.items())
    yield f"\n  Different values: {distinct}"
    if counts.equal:
        yield f"  {'in most documents (by HMAC)':<40}{'documents':>11}{'times':>11}"
    for row in counts.equal:
        yield f"  {row.entity:<20}{row.hmac:<20}{row.documents:>11,}{row.times:>11,}"


# ---- what verdicts say


def estimates_text(estimates: Estimates) -> list[str]:
    """Precision, agreement, misses and recall, as far as anything was judged."""
    lines: list[str] = []
    if estimates.stale:
        lines += ["", "The file of verdicts also has some of another configuration of the run; they do not count."]
    for who, rows in estimates.precision.items():
        if rows:
            what = "Right to be left" if estimates.left else "Precision"
            lines += ["", f"{what}, by auditor '{who}' (95% interval)"]
            lines.append(f"  {'entity':<14}{'recognizer':<26}{'estimate':>10}{'interval':>20}{'yes':>7} of judged")
        for entity, recognizer, part in rows:
            lines.append(
                f"  {entity or 'all':<14}{recognizer or 'all':<26}{share(part.value, 1):>10}"
                f"{_between(part.low, part.high):>20}{part.yes:>7,} of {part.judged:,}"
                + (f"; {part.unjudged:,} in strata not judged" if part.unjudged else "")
            )
    if estimates.agreement:
        first, second = estimates.auditors[:2]
        lines += ["", f"Agreement of '{first}' and '{second}' (Cohen's kappa)"]
        for entity, agreement in estimates.agreement:
            kappa = "not defined" if agreement.kappa is None else f"{agreement.kappa:.3f}"
            lines.append(f"  {entity or 'all':<14}{agreement.agreed:,} of {agreement.both:,} alike, kappa {kappa}")
    if estimates.misses:
        lines += ["", f"Misses, estimated from {counted(estimates.lines, 'line', 'lines')} (95% interval)"]
        lines.append(f"  {'entity':<14}{'per MB':>10}{'interval':>20}{'seen':>7}{'recall':>10}{'interval':>20}")
        for entity, misses, recall in estimates.misses:
            between = f"{rate(misses.per_mb_low)}–{rate(misses.per_mb_high)}"
            line = f"  {entity or 'all':<14}{rate(misses.per_mb):>10}{between:>20}{misses.seen:>7,}"
            if recall is not None:
                line += f"{share(recall.value, 1):>10}{_between(recall.low, recall.high):>20}"
            lines.append(line)
    if any(estimates.precision.values()) or estimates.misses:
        lines += ["", f"Method: {estimates.method}."]
    return lines


def _between(low: float, high: float) -> str:
    return f"{100 * low:.1f}–{100 * high:.1f} %"


def _indented(text: str) -> list[str]:
    return [f"    {line}" for line in text.split("\n")]
