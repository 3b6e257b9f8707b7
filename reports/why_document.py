"""What became of one document: a step for each stage of the recipe, with what the stages recorded about it.

Only columns that answer the question are read; of texts only two near-duplicates', to show how they differ.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow.compute as pc

from pipeline.stage import Stage
from pipeline.state import Run
from reports.differences import Difference, base_of, differences
from reports.excerpts import Mask
from reports.rows import DECIDED, decision_tables, document_path, duplicates, input_path, is_done, read_rows
from reports.words import counted, entities

FACTS = ("repo", "path", "commit", "blob", "size", "language", "license", "license_type", "split", "n_tokens")
LISTED = 20  # duplicates listed one by one
NEAR = "near_duplicate"
UNSEEN = "only beyond their first part, or in what was redacted"


@dataclass(frozen=True)
class Step:
    """What one stage made of a document."""

    part: str
    stage: str
    outcome: str  # kept, dropped, or waiting where the run has not come to it
    words: str
    notes: list[str] = field(default_factory=list)
    redactions: dict[str, int] = field(default_factory=dict)  # entity -> how many


@dataclass(frozen=True)
class Duplicate:
    """The other side of a duplicate: a canonical, or a document dropped in favour of the one asked for."""

    id: str
    repo: str
    path: str
    reason: str
    jaccard: float | None
    fate: str  # what became of it


@dataclass(frozen=True)
class DocumentAnswer:
    """What became of a document."""

    id: str
    verdict: str  # one sentence
    facts: dict[str, Any]
    steps: list[Step]
    place: dict[str, Any] | None  # file, row: where the dataset (or the last pass done) holds it
    canonical: Duplicate | None
    in_its_favour: list[Duplicate]
    difference: Difference | None  # from its canonical, or of the farthest near-duplicate dropped in its favour
    kind: str = "document"

    def as_json(self) -> dict[str, Any]:
        """The answer as plain data."""
        return asdict(self) | {"difference": self.difference.as_json() if self.difference else None}

    def text(self) -> str:
        """The answer as lines for a terminal."""
        facts = self.facts
        lines = [f"{facts.get('repo', '')}:{facts.get('path', '')}", f"document {self.id}"]
        if "commit" in facts:
            blob = f", blob {facts['blob']}" if facts.get("blob") else ""
            lines.append(f"commit {facts['commit']}{blob}")
        lines += ["", self.verdict, ""]
        width = max((len(step.stage) for step in self.steps), default=0)
        wide = max((len(step.part) for step in self.steps), default=0)
        last = ""
        for step in self.steps:
            part, last = "" if step.part == last else step.part, step.part
            lines.append(f"  {part:<{wide}}  {step.stage:<{width}}  {step.words}")
            lines += [f"  {'':<{wide}}  {'':<{width}}  note: {note}" for note in step.notes]
        if self.canonical:
            lines += ["", f"Its canonical: {_named(self.canonical)}", f"  {self.canonical.fate}"]
        if self.in_its_favour:
            lines += [
                "",
                f"{counted(len(self.in_its_favour), 'document was', 'documents were')} dropped in its favour:",
            ]
            lines += [f"  {_named(other)}" for other in self.in_its_favour[:LISTED]]
            if len(self.in_its_favour) > LISTED:
                lines.append(f"  and {len(self.in_its_favour) - LISTED:,} more")
        if self.difference:
            lines += ["", *self._difference_lines(self.difference)]
        return "\n".join(lines)

    def _difference_lines(self, difference: Difference) -> list[str]:
        """The two texts side by side, under their names."""
        if self.canonical:
            head = "How the canonical (left) and this document (right) differ:"
        else:
            other = next(other for other in self.in_its_favour if other.id == difference.other)
            head = f"How it (left) and the least similar of these (right, {other.repo}:{other.path}) differ:"
        return [head, *(f"  {line}" for line in difference.lines() or [UNSEEN])]


def about_document(run: Run, document: str, mask: Mask | None = None) -> DocumentAnswer | None:
    """What became of the document of this id; None where the run knows none.

    With `mask`, which redacts a text, also how it differs from a near-duplicate; without, no text is shown.
    """
    decisions = _decisions_about(run, document)
    dropped = next((row for row in decisions if row["action"] == "drop"), None)
    place: dict[str, Any] | None = None
    if dropped is not None:
        last, shard = dropped["pass"], dropped["shard"]
    else:
        for last in reversed(range(len(run.passes))):
            found = _kept_at(run, last, document)
            if found is not None:
                shard, place = found[0], {"file": found[1], "row": found[2]}
                break
        else:
            return None
    facts = _facts(run, document, last, shard, dropped is not None)
    for name in ("repo", "path"):
        facts.setdefault(name, decisions[0][name] if decisions else "")
    canonical, favoured = _canonical(run, dropped), _in_its_favour(run, document)
    pairs: list[tuple[int, str, str]] = []
    if dropped is not None and canonical is not None and canonical.reason == NEAR:
        pairs = [(dropped["pass"], canonical.id, document)]
    elif canonical is None:
        pairs = [(number, document, other.id) for number, other in favoured if other.reason == NEAR][-1:]
    return DocumentAnswer(
        id=document,
        verdict=_verdict(run, dropped, last, place),
        facts=facts,
        steps=_steps(run, decisions, dropped, last, facts),
        place=place,
        canonical=canonical,
        in_its_favour=[other for _, other in favoured],
        difference=next(iter(differences(run, pairs, mask).values()), None) if mask else None,
    )


def _decisions_about(run: Run, document: str) -> list[dict[str, Any]]:
    """All decisions about a document, in order, with pass and shard."""
    rows = []
    for number, shard, table in decision_tables(run, DECIDED):
        for row in table.filter(pc.equal(table["id"], document)).to_pylist():
            rows.append({**row, "pass": number, "shard": shard})
    return rows


def _kept_at(run: Run, number: int, document: str) -> tuple[str, str, int] | None:
    """Shard, file and row where pass `number` kept the document; None where it did not."""
    this = run.passes[number]
    for shard in sorted(this.receipts):
        path = document_path(this, shard)
        found = read_rows(run.store, path, [document], [])
        if found:
            return shard, path, found[document]["row"]
    return None


def _facts(run: Run, document: str, last: int, shard: str, dropped: bool) -> dict[str, Any]:
    """What the files that held the document say of it, from the last back to where it was read."""
    paths = [] if dropped else [document_path(run.passes[last], shard)]
    for number in range(last, -1, -1):
        paths.append(input_path(run, number, shard))
        if run.passes[number].part.opener.source is not None:
            break  # shards of the pass before are others
    facts: dict[str, Any] = {}
    for path in paths:
        row = read_rows(run.store, path, [document], FACTS).get(document, {})
        facts |= {name: row[name] for name in FACTS if row.get(name) is not None and name not in facts}
    return facts


def _verdict(run: Run, dropped: dict[str, Any] | None, last: int, place: dict[str, Any] | None) -> str:
    if dropped is not None:
        part = run.passes[dropped["pass"]].part.name
        sentence = run.passes[dropped["pass"]].explain(dropped)
        return f"It was dropped by {dropped['stage']} in pass {part}: {sentence}."
    where = _where(place["file"], place["row"]) if place else ""
    if last == len(run.passes) - 1:
        return f"It is in the dataset: {where}."
    if is_done(run):
        return f"It was removed after the run; pass {run.passes[last].part.name} still holds it: {where}."
    return f"It passed all stages of pass {run.passes[last].part.name} ({where}); what follows is not done yet."


def _steps(
    run: Run, decisions: list[dict[str, Any]], dropped: dict[str, Any] | None, last: int, facts: dict[str, Any]
) -> list[Step]:
    """A step for each stage that judges documents."""
    steps: list[Step] = []
    reading = _reading_pass(run)
    for number, this in enumerate(run.passes[reading:], start=reading):
        for named in this.part.stages:
            made = [row for row in decisions if row["stage"] == named.name]
            notes = [this.explain(row) for row in made if row["action"] == "note"]
            redactions = dict(sorted(Counter(row["entity"] for row in made if row["action"] == "redact").items()))
            if dropped is not None and dropped["stage"] == named.name:
                words = "quarantined" if dropped["reason"] == "error" else f"dropped: {dropped['reason']}"
                return [*steps, Step(this.part.name, named.name, "dropped", words, notes, redactions)]
            if number > last:
                steps.append(Step(this.part.name, named.name, "waiting", "not done yet"))
                continue
            written = dropped is None or number < last  # what a pass that dropped the document found is not kept
            words = _kept_words(named.stage, facts if written else {})
            if redactions:
                words += f"; redacted {entities(redactions)}"
            steps.append(Step(this.part.name, named.name, "kept", words, notes, redactions))
    return steps


def _reading_pass(run: Run) -> int:
    """The number of the pass that makes documents of repositories."""
    for number, this in enumerate(run.passes):
        if any("path" in named.stage.gives.names for named in this.part.stages):
            return number
    return 0


def _kept_words(stage: Stage, facts: dict[str, Any]) -> str:
    """What is to say of a stage that kept the document: what it found out."""
    gives = stage.gives.names
    if "text" in gives and "text" not in stage.takes.names:
        return f"acquired at commit {facts['commit'][:12]}" if "commit" in facts else "acquired"
    if "input_ids" in gives and "n_tokens" in facts:
        return f"tokenized: {facts['n_tokens']:,} tokens, split {facts.get('split', 'unknown')}"
    if "license" in stage.writes and ("license" in facts or "license_type" in facts):
        kind = str(facts.get("license_type", "unknown")).replace("_", " ")
        return f"kept: {facts.get('license') or 'no licence found'} ({kind})"
    if "language" in stage.writes and facts.get("language"):
        return f"kept: {facts['language']}"
    return "kept"


def _canonical(run: Run, dropped: dict[str, Any] | None) -> Duplicate | None:
    """The canonical of a dropped duplicate, and what became of that one."""
    if dropped is None or "canonical" not in (detail := json.loads(dropped["detail"] or "{}")):
        return None
    return Duplicate(
        id=detail["canonical"],
        repo=detail.get("canonical_repo", ""),
        path=detail.get("canonical_path", ""),
        reason=dropped["reason"],
        jaccard=detail.get("jaccard"),
        fate=_fate(run, detail["canonical"], dropped["pass"]),
    )


def _fate(run: Run, document: str, number: int) -> str:
    """What became of a canonical that pass `number` cites."""
    for row in _decisions_about(run, document):
        if row["action"] == "drop":
            return f"It was dropped later by {row['stage']}: {run.passes[row['pass']].explain(row)}."
    found = _kept_at(run, len(run.passes) - 1, document)
    if found is not None:
        return f"It is in the dataset: {_where(found[1], found[2])}."
    if (base := base_of(run, number)) is not None and _kept_at(run, number - 1, document) is None:
        return f"It is no document of this run but of the one in '{base}', which this run was judged against."
    if not is_done(run):
        return "It is kept so far; the passes that follow are not done yet."
    return "It was removed after the run."


def _in_its_favour(run: Run, document: str) -> list[tuple[int, Duplicate]]:
    """Documents that were dropped as duplicates of this one, nearest first, with the number of the pass that did."""
    found = []
    for number, _, table in decision_tables(run, DECIDED):
        table = table.filter(pc.match_substring(table["detail"].fill_null(""), document))
        if table.num_rows == 0:
            continue
        same = duplicates(table)
        for row in same.filter(pc.equal(same["canonical"], document)).to_pylist():
            fate = f"It was dropped by {row['stage']}: {run.passes[number].explain(row)}."
            other = Duplicate(row["id"], row["repo"], row["path"], row["reason"], row["jaccard"], fate)
            found.append((number, other))
    return sorted(found, key=lambda pair: (-(pair[1].jaccard or 0), pair[1].repo, pair[1].path, pair[1].id))


def _where(file: str, row: int) -> str:
    return f"{file}, row {row:,} (counted from 0)"


def _named(other: Duplicate) -> str:
    near = "equal" if other.reason == "exact_duplicate" else f"Jaccard similarity {other.jaccard}"
    return f"{other.repo}:{other.path} ({near}, document {other.id})"
