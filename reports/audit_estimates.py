"""Precision, agreement, misses and recall of a redact stage, from the verdicts of its auditors.

The first auditor is the one with the most verdicts. Verdicts count for the configuration they were given on: those of
another fingerprint are about other decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from pii.audit import (
    METHOD,
    Agreement,
    Misses,
    Recall,
    Share,
    Stratum,
    agreement_of,
    judged_strata,
    misses_of,
    recall_of,
    share_of,
)
from pii.audit_verdicts import Verdict, Verdicts
from reports.audit_counts import Counts, count
from reports.audit_misses import OTHER, SUSPICIOUS
from reports.audit_stage import KEPT, Audited, Choice


class PrecisionRow(NamedTuple):
    """The share of right decisions, of an entity and recognizer; of all recognizers, or entities, where that is ''."""

    entity: str
    recognizer: str
    share: Share


class PairRow(NamedTuple):
    """How two auditors agree on an entity, or (where it is '') on all."""

    entity: str
    agreement: Agreement


class MissRow(NamedTuple):
    """Misses of an entity, and its recall where its precision was judged too; '' is all entities."""

    entity: str
    misses: Misses
    recall: Recall | None


@dataclass(frozen=True)
class Estimates:
    """What verdicts say; parts are empty where there are none."""

    left: bool  # whether the decisions judged are those that left a value
    design: dict[str, Any]  # of the sample that was judged; empty without one
    auditors: list[str]
    precision: dict[str, list[PrecisionRow]]  # auditor -> rows, the whole last
    skipped: int  # by the first auditor
    agreement: list[PairRow]  # of the first two auditors
    miss_auditors: list[str]
    lines: int  # judged by the first of them
    suspicious: tuple[int, int]  # suspicious lines judged, and how many of them had a miss
    misses: list[MissRow]
    stale: bool  # whether there are verdicts that were given on another configuration

    @property
    def method(self) -> str:
        return METHOD


def found_design(audited: Audited, choice: Choice, seed: int, *, left: bool, stratified: bool) -> dict[str, Any]:
    """What tells one sample of decisions from another."""
    return {
        "run": audited.run.recipe.name,
        "fingerprint": audited.this.fingerprint,
        "stage": audited.name,
        "seed": seed,
        "entity": choice.entity,
        "language": choice.language,
        "recognizer": choice.recognizer,
        "left": left,
        "stratified": stratified,
    }


def missed_design(
    audited: Audited, seed: int, language: str | None, sizes: dict[str, int], size: int
) -> dict[str, Any]:
    """What tells one sample of lines from another, and what it was drawn from."""
    return {
        "run": audited.run.recipe.name,
        "fingerprint": audited.this.fingerprint,
        "stage": audited.name,
        "seed": seed,
        "language": language,
        "lines": dict(sizes),
        "bytes": size,
    }


def estimate(audited: Audited, counts: Counts, verdicts: Verdicts) -> Estimates:
    """What the verdicts say of the stage; `counts` are of it, of whatever choice."""
    designs = {kind: design for kind, design in verdicts.designs.items() if _fits(audited, design)}
    found, missed = designs.get("found"), designs.get("missed")
    precision: dict[str, list[PrecisionRow]] = {}
    agreement: list[PairRow] = []
    auditors = verdicts.auditors("found") if found else []
    within = counts
    if found:
        choice = Choice(found["entity"], found["language"], found["recognizer"])
        within = counts if choice == counts.choice else count(audited, choice)
        sizes = within.strata("note" if found["left"] else KEPT)
        for who in auditors:
            precision[who] = _precision(sizes, verdicts.of("found", who))
        if len(auditors) > 1:
            agreement = _agreement(list(verdicts.pairs("found", *auditors[:2])), lambda one: one.stratum[0])
    miss_auditors = verdicts.auditors("missed") if missed else []
    misses: list[MissRow] = []
    judged: list[Verdict] = []
    if missed and miss_auditors:
        judged = verdicts.of("missed", miss_auditors[0])
        first = precision.get(auditors[0], []) if found and auditors and not found["left"] else []
        if found and found["language"] != missed["language"]:
            first = []  # of other text
        misses = _misses(missed, judged, first, within)
    skipped = (
        sum(one.answer == "skip" for one in verdicts.given["found"].get(auditors[0], {}).values()) if auditors else 0
    )
    looked = [one for one in judged if one.stratum == (SUSPICIOUS,)]
    return Estimates(
        bool(found and found["left"]),
        found or {},
        auditors,
        precision,
        skipped,
        agreement,
        miss_auditors,
        len(judged),
        (len(looked), sum(bool(one.missed) for one in looked)),
        misses,
        len(designs) < len(verdicts.designs),
    )


def _fits(audited: Audited, design: dict[str, Any]) -> bool:
    return (design.get("fingerprint"), design.get("stage")) == (audited.this.fingerprint, audited.name)


def _precision(sizes: dict[tuple[str, ...], int], verdicts: list[Verdict]) -> list[PrecisionRow]:
    strata = judged_strata(sizes, ((one.stratum, one.answer == "yes") for one in verdicts))
    rows: list[PrecisionRow] = []
    for entity in sorted({key[0] for key in strata}):
        its = {key: stratum for key, stratum in strata.items() if key[0] == entity}
        parts = [(key[-1], share_of([stratum])) for key, stratum in sorted(its.items())]
        listed = [PrecisionRow(entity, name, share) for name, share in parts if share is not None]
        whole = share_of(its.values())
        if whole is not None:
            rows += [*listed, PrecisionRow(entity, "", whole)] if len(its) > 1 else listed
    whole = share_of(strata.values())
    return rows if whole is None else [*rows, PrecisionRow("", "", whole)]


def _of_entity(rows: Iterable[PrecisionRow], entity: str) -> Share | None:
    """The whole of an entity: its row of all recognizers, or its only one."""
    its = [row for row in rows if row.entity == entity]
    return its[-1].share if its else None


def _agreement(pairs: list[tuple[Verdict, Verdict]], entity_of: Callable[[Verdict], str]) -> list[PairRow]:
    answers = [(entity_of(one), (one.answer == "yes", two.answer == "yes")) for one, two in pairs]
    rows = [
        PairRow(entity, agreement_of([pair for its, pair in answers if its == entity]))
        for entity in sorted({entity for entity, _ in answers})
    ]
    return [*rows, PairRow("", agreement_of([pair for _, pair in answers]))] if rows else []


def _misses(
    design: dict[str, Any], judged: list[Verdict], precision: list[PrecisionRow], counts: Counts
) -> list[MissRow]:
    sizes: dict[str, int] = design["lines"]
    entities = sorted({row.entity for row in counts.entities} | {entity for one in judged for entity in one.missed})
    rows = []
    for entity in [*entities, ""]:
        strata = []
        seen = 0
        for kind in (SUSPICIOUS, OTHER):
            its = [one for one in judged if one.stratum == (kind,)]
            counted = [len(one.missed) if not entity else one.missed.count(entity) for one in its]
            strata.append(Stratum(max(sizes[kind], len(its)), len(its), sum(number > 0 for number in counted)))
            seen += sum(counted)
        misses = misses_of(strata, seen, design["bytes"])
        if misses is not None:
            found = sum(row.redacted + row.left for row in counts.entities if entity in ("", row.entity))
            rows.append(MissRow(entity, misses, recall_of(found, _of_entity(precision, entity), misses)))
    return rows
