"""The run report: one self-contained HTML page about a completed run, drawn from its own records.

Numbers come from reports/figures.py, text from reports/excerpts.py; report.html lays them out and computes nothing. An
unchanged run keeps its page: the receipt names the records and the code it was made from.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.errors import UsageError
from pipeline.fingerprint import digest_bytes
from pipeline.state import Run
from reports import words
from reports.audit_stage import is_audited
from reports.clusters import cluster_details, doubts, evidence, looked_at, size_classes
from reports.excerpts import Mask, contexts, examples, sentence
from reports.figures import Figures, read_figures
from reports.pages import fill
from reports.rows import decision_tables, is_done, settled

PAGE, RECEIPT = "report/index.html", "report/receipt.json"
EXAMPLES = 3
LANGUAGES = LICENSES = 25  # rows of their tables
LISTED = 100  # repositories or documents that are listed one by one


def write_report(run: Run, mask: Mask) -> str:
    """Write report/index.html of a completed run and return its path; an unchanged run's page stays as it is.

    `mask` redacts a text; every excerpt of a document goes through it. UsageError where the run is not complete.
    """
    run, store = settled(run), run.store
    if not store.exists("manifest.json") or not is_done(run):
        raise UsageError(f"the run in '{store.root}' is not complete; finish it with 'quarry run', then report again.")
    made_from = _made_from(run)
    path = f"{store.root}/{PAGE}"
    if store.exists(RECEIPT) and store.exists(PAGE):
        receipt = store.read_json(RECEIPT)
        if receipt == {"made_from": made_from, "page": digest_bytes(store.read_bytes(PAGE))}:
            return path
    page = render(run, mask).encode()
    store.write_bytes(PAGE, page)
    store.write_json(RECEIPT, {"made_from": made_from, "page": digest_bytes(page)})
    return path


def render(run: Run, mask: Mask) -> str:
    """The report of a completed run as HTML."""
    return fill("report.html", _content(run, read_figures(run), mask))


def _made_from(run: Run) -> str:
    """Digest of the run's records and of the code that makes the page."""
    records = [name for name in ("manifest.json", "dataset/receipt.json") if run.store.exists(name)]
    parts = [run.store.read_bytes(name) for name in records]
    code = sorted(file.name for file in resources.files("reports").iterdir() if file.name.endswith((".py", ".html")))
    parts += [resources.files("reports").joinpath(name).read_bytes() for name in code]
    return digest_bytes(b"".join(digest_bytes(part).encode() for part in parts))


def _content(run: Run, figures: Figures, mask: Mask) -> dict[str, Any]:
    """What the template shows."""
    documents = [stage for stage in figures.stages if stage.takes_documents]
    last_out = documents[-1].documents_out if documents else 0
    return {
        "name": run.recipe.name,
        "manifest": run.store.read_json("manifest.json"),
        "figures": figures,
        "documents": documents,
        "removed_later": last_out - figures.documents,  # opt-outs that were applied after the run
        "bytes_in": documents[0].bytes_in if documents else 0,
        "repositories": _repositories(run, figures),
        "languages": _languages(figures),
        "licenses": _licenses(run, figures),
        "reasons": _reasons(run, figures, "drop", mask),
        "notes": _reasons(run, figures, "note", mask),
        "redactions": _redactions(run, figures),
        "is_audited": is_audited(run),
        "clusters": cluster_details(run, figures.clusters, mask),
        "cluster_sizes": size_classes(figures.cluster_sizes),
        "clusters_total": sum(figures.cluster_sizes.values()),
        "clustered": max((stage.documents_in for stage in looked_at(figures)), default=0),
        "doubts": doubts(figures),
        "evidence": evidence(run),
        "splits": list(schema.SPLITS),
        "tokens": _tokens(figures),
        "errors": _listed(run, figures, "error"),
    }


# ---- repositories, quarantine


def _repositories(run: Run, figures: Figures) -> dict[str, Any]:
    """How many were listed, read and are in the dataset, and which were dropped as a whole."""
    dropped = sum(t.times for t in figures.tallies if t.action == "drop" and t.whole_repository)
    kept = len(set(figures.kept["repo"].to_pylist())) if "repo" in figures.kept.column_names else None
    listed = run.repositories.num_rows
    return {"listed": listed, "dropped": dropped, "kept": kept, "rows": _listed(run, figures, "whole_repository")}


def _listed(run: Run, figures: Figures, what: str) -> dict[str, Any]:
    """Up to LISTED of the repositories dropped as a whole, or of the quarantined documents, and how many there are."""
    if what == "error":
        total = sum(t.times for t in figures.tallies if t.reason == "error")
    else:
        total = sum(t.times for t in figures.tallies if t.action == "drop" and t.whole_repository)
    rows: list[dict[str, Any]] = []
    for number, _, table in decision_tables(run, None) if total else ():
        if what == "error":
            chosen = pc.equal(table["reason"], "error")
        else:
            chosen = pc.and_(pc.equal(table["action"], "drop"), pc.equal(table["path"], ""))
        for row in table.filter(chosen).slice(0, LISTED - len(rows)).to_pylist():
            rows.append({**row, "sentence": sentence(run, {**row, "pass": number})})
        if len(rows) == min(total, LISTED):
            break
    return {"rows": rows, "total": total}


# ---- languages, licences, tokens


def _languages(figures: Figures) -> dict[str, Any]:
    """Documents by language after every stage that knows languages, the largest first."""
    stages = [stage for stage in figures.stages if stage.languages]
    if not stages:
        return {"stages": [], "rows": []}
    counted: dict[str, list[int]] = {}
    for place, stage in enumerate(stages):
        for language, (documents, _) in stage.languages.items():
            counted.setdefault(language, [0] * len(stages))[place] = documents
    ordered = sorted(counted.items(), key=lambda item: (-item[1][0], item[0]))
    rows = [{"language": _known(language), "counts": counts} for language, counts in ordered[:LANGUAGES]]
    if rest := [counts for _, counts in ordered[LANGUAGES:]]:
        others = [sum(column) for column in zip(*rest, strict=True)]
        rows.append({"language": f"{len(rest)} others", "counts": others})
    total = [sum(column) for column in zip(*counted.values(), strict=True)]
    return {"stages": [stage.stage for stage in stages], "rows": rows, "total": total, "count": len(counted)}


def _licenses(run: Run, figures: Figures) -> dict[str, Any]:
    """What is kept by licence and by type of licence, and for which licences documents were dropped."""
    types = _license_types(run)
    rows = [
        {**row, "license": row["license"] or "none found", "type": types.get(row["license"], "unknown")}
        for row in figures.kept_by("license")
    ]
    rows.sort(key=lambda row: (-row["documents"], row["license"]))
    by_type: dict[str, list[int]] = {}
    for row in rows:
        total = by_type.setdefault(row["type"], [0, 0])
        total[0] += row["documents"]
        total[1] += row["tokens"] or 0
    refused = [{"row": row, "words": words.reason_words(run, row.stage, row.reason)} for row in figures.refused]
    return {
        "rows": rows[:LICENSES] if "license" in figures.kept.column_names else [],
        "more": len(rows[LICENSES:]),
        "types": sorted(by_type.items(), key=lambda item: (-item[1][0], item[0])),
        "refused": refused[:LICENSES],
        "more_refused": len(refused[LICENSES:]),
    }


def _license_types(run: Run) -> dict[str | None, str]:
    """Licence expression -> type, from the last pass whose documents have both."""
    for this in reversed(run.passes):
        types: dict[str | None, str] = {}
        for shard in sorted(this.receipts):
            path = this.receipts[shard]["documents"]["path"]
            if not run.store.exists(path) or "license_type" not in run.store.read_schema(path).names:
                break
            table = run.store.read_table(path, ["license", "license_type"])
            for row in table.group_by(["license", "license_type"]).aggregate([]).to_pylist():
                types[row["license"]] = row["license_type"] or "unknown"
        if types:
            return types
    return {}


def _tokens(figures: Figures) -> list[dict[str, Any]]:
    """Kept documents and tokens by language: in all, and by split."""
    by_language: dict[str, dict[str, Any]] = {}
    for row in figures.kept_by("language", "split"):
        splits = dict.fromkeys(schema.SPLITS, 0)
        language = by_language.setdefault(_known(row["language"]), {"documents": 0, "tokens": 0, "splits": splits})
        language["documents"] += row["documents"]
        language["tokens"] += row["tokens"] or 0
        if row["split"] is not None:
            language["splits"][row["split"]] += row["tokens"] or 0
    rows = [{"language": language, **counted} for language, counted in by_language.items()]
    return sorted(rows, key=lambda row: (-row["tokens"], -row["documents"], row["language"]))


# ---- reasons, redactions, duplicates


def _reasons(run: Run, figures: Figures, action: str, mask: Mask) -> list[dict[str, Any]]:
    """The reasons for `action` about documents, most frequent first, each with examples."""
    rows = []
    for tally in figures.tallies:
        if tally.action != action or tally.whole_repository:
            continue
        chosen = [row for row in _samples(figures, tally.stage, action, tally.reason) if row["path"]]
        shown = examples(run, chosen, mask, EXAMPLES)
        rows.append({"tally": tally, "words": words.reason_words(run, tally.stage, tally.reason), "examples": shown})
    return rows


def _redactions(run: Run, figures: Figures) -> list[dict[str, Any]]:
    rows = []
    for redacted in figures.redactions:
        samples = [
            row
            for row in figures.samples.filter(_all_equal(figures.samples, "redact", redacted.stage)).to_pylist()
            if (row["entity"], row["recognizer"]) == (redacted.entity, redacted.recognizer)
        ]
        rows.append({"redacted": redacted, "contexts": contexts(run, samples, EXAMPLES)})
    return rows


def _samples(figures: Figures, stage: str, action: str, reason: str) -> list[dict[str, Any]]:
    chosen = figures.samples.filter(_all_equal(figures.samples, action, stage))
    return [row for row in chosen.to_pylist() if row["reason"] == reason]


def _all_equal(table: pa.Table, action: str, stage: str) -> pa.ChunkedArray:
    return pc.and_(pc.equal(table["action"], action), pc.equal(table["stage"], stage))


def _known(name: str | None) -> str:
    return "not known" if name in (None, "None") else str(name)
