"""The redaction audit as a page of the report: report/audit.html, linked from report/index.html.

Counts come from reports/audit_counts.py, samples are masked, what auditors' verdicts say stands there when there are
any, and beside it how well the redactor does on labelled sets (pii/evaluation/results.json, where the package has it).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from pii.audit_verdicts import Verdicts
from pii.evaluation.tables import STARPII
from pii.spans import ENTITIES
from pipeline.state import Run
from reports import words
from reports.audit_context import Find, length_class
from reports.audit_counts import SCORE_BINS, Counts, count
from reports.audit_estimates import Estimates, estimate
from reports.audit_sample import draw, show
from reports.audit_stage import Audited, Choice
from reports.pages import fill

PAGE = "report/audit.html"
EACH, MOST = 3, 36  # samples of an entity and recognizer, and in all
LISTED = 25  # rows of tables by language and repository
SEED = 0
SETS = (("synthetic", "written for it, with made-up people and secrets"), ("real", "real code, labelled by hand"))


def write_audit(run: Run, one: Audited, find: Find, verdicts: Verdicts) -> str:
    """Write the page and return its path; a page that would be the same stays as it is."""
    page = render_audit(one, find, verdicts, shipped_results()).encode()
    if not run.store.exists(PAGE) or run.store.read_bytes(PAGE) != page:
        run.store.write_bytes(PAGE, page)
    return f"{run.store.root}/{PAGE}"


def render_audit(one: Audited, find: Find, verdicts: Verdicts, results: Mapping[str, Any] | None = None) -> str:
    """The page as HTML; `results` are scores on labelled sets, as `make pii-eval` writes them."""
    counts = count(one)
    estimates = estimate(one, counts, verdicts)
    return fill("audit.html", _content(one, counts, estimates, find, results or {}))


def shipped_results() -> dict[str, Any]:
    """The scores on labelled sets that the package has; none where it has none."""
    file = resources.files("pii").joinpath("evaluation", "results.json")
    return dict(json.loads(file.read_text("utf-8"))) if file.is_file() else {}


def _content(
    one: Audited, counts: Counts, estimates: Estimates, find: Find, results: Mapping[str, Any]
) -> dict[str, Any]:
    """What the template shows."""
    languages, repositories = counts.by("language"), counts.by("repo")
    total = max((row.redacted + row.left for row in counts.entities), default=0)
    return {
        "name": one.run.recipe.name,
        "stage": one.name,
        "counts": counts,
        "most": total,
        "recognizers": counts.by("entity", "recognizer", "format"),
        "reasons": [
            {**row, "words": words.reason_words(one.run, one.name, row["reason"]).replace("a …", "it")}
            for row in counts.by("reason", "entity")
            if row["left"]
        ],
        "languages": languages[:LISTED],
        "languages_more": len(languages[LISTED:]),
        "language_entities": _by_entity(counts),
        "repositories": repositories[:LISTED],
        "repositories_more": len(repositories[LISTED:]),
        "entities": [row.entity for row in counts.entities],
        "bins": SCORE_BINS,
        "samples": _samples(one, counts, find),
        "estimates": estimates,
        "percent": _percent,
        "rate": words.rate,
        "evaluation": _evaluation(results),
        "starpii": STARPII,
        "links_back": one.run.store.exists("report/index.html"),
    }


def _by_entity(counts: Counts) -> dict[str, dict[str, int]]:
    """language -> entity -> values that were found."""
    found: dict[str, dict[str, int]] = {}
    for row in counts.by("language", "entity"):
        found.setdefault(row["language"], {})[row["entity"]] = row["redacted"] + row["left"]
    return found


def _samples(one: Audited, counts: Counts, find: Find) -> list[dict[str, Any]]:
    """Up to EACH findings of each entity and recognizer, redacted ones and left ones apart."""
    rows: list[dict[str, Any]] = []
    for action in ("redact", "note"):
        strata = len(counts.strata(action))
        drawn = draw(one, Choice(), min(MOST, EACH * strata), SEED, action=action, stratified=True) if strata else []
        for shown in show(one, drawn, find):
            if shown.context is not None:
                rows.append({"drawn": shown.drawn, "pieces": shown.context, "length": _length(shown.drawn)})
    order = {entity: place for place, entity in enumerate(ENTITIES)}
    rows.sort(
        key=lambda row: (order.get(row["drawn"].entity, len(order)), row["drawn"].entity, row["drawn"].recognizer)
    )
    return rows


def _length(drawn: Any) -> str:
    return length_class(drawn.end - drawn.start)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _evaluation(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For each labelled set: its name, what is in it, and the scores of each entity by the default configuration."""
    found = []
    for key, meaning in SETS:
        part = results.get(key)
        if part and part.get("systems"):
            rows = {entity: row["detected"] for entity, row in part["systems"][0]["entities"].items()}
            found.append({"name": key, "meaning": meaning, "contents": part["contents"], "rows": rows})
    return found
