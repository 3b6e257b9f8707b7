"""What became of a repository: how many of its documents are kept, why others were dropped, or why it was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.state import Run
from reports.names import KnownRepository
from reports.rows import DECIDED, decision_tables, document_path, is_done
from reports.words import counted, entities, reason_words

EXAMPLES = 3


@dataclass(frozen=True)
class Dropped:
    """Documents of a repository that were dropped for one reason."""

    stage: str
    reason: str
    count: int
    words: str
    examples: list[dict[str, str]]  # id, path, sentence


@dataclass(frozen=True)
class RepositoryAnswer:
    """What became of a repository."""

    id: str
    repo: str
    url: str
    verdict: str
    decisions: list[str]  # about the repository as a whole
    documents: int  # that were decided about
    kept: int
    tokens: int | None
    languages: dict[str, int]
    dropped: list[Dropped]
    redactions: dict[str, int]
    kind: str = "repository"

    def as_json(self) -> dict[str, Any]:
        """The answer as plain data."""
        return asdict(self)

    def text(self) -> str:
        """The answer as lines for a terminal."""
        lines = [self.repo, *([self.url] if self.url else []), "", self.verdict]
        lines += [f"  {sentence}" for sentence in self.decisions]
        if self.languages:
            lines += ["", "Kept:"]
            lines += [f"  {count:>8,}  {language}" for language, count in self.languages.items()]
        if self.dropped:
            lines += ["", "Dropped:"]
        for dropped in self.dropped:
            lines.append(f"  {dropped.count:>8,}  {dropped.stage}: {dropped.words}")
            lines += [f"            {example['path']}: {example['sentence']}" for example in dropped.examples]
        if self.redactions:
            lines += ["", f"Redacted: {entities(self.redactions)}"]
        return "\n".join(lines)


def about_repository(run: Run, repository: KnownRepository) -> RepositoryAnswer:
    kept, tokens, languages, last = _kept_of(run, repository.repo)
    whole: list[str] = []
    left_out = False
    groups: dict[tuple[int, str, str], list[dict[str, Any]]] = {}
    redactions: Counter[str] = Counter()
    for number, _, table in decision_tables(run, DECIDED):
        if number > last:
            break  # of a pass that is not done yet
        about = table.filter(pc.or_(pc.equal(table["repo"], repository.repo), pc.equal(table["id"], repository.id)))
        for row in about.filter(pc.equal(about["path"], "")).to_pylist():
            left_out |= row["action"] == "drop"
            did = "left out" if row["action"] == "drop" else "noted"
            whole.append(f"{did} by {row['stage']}: {run.passes[number].explain(row)}")
        about = about.filter(pc.not_equal(about["path"], ""))
        redactions.update(about.filter(pc.equal(about["action"], "redact"))["entity"].to_pylist())
        for row in about.filter(pc.equal(about["action"], "drop")).to_pylist():
            groups.setdefault((number, row["stage"], row["reason"]), []).append(row)
    dropped = [_dropped(run, key, rows) for key, rows in sorted(groups.items(), key=lambda item: _order(run, item[0]))]
    documents = kept + sum(group.count for group in dropped)
    return RepositoryAnswer(
        id=repository.id,
        repo=repository.repo,
        url=repository.url,
        verdict=_repository_verdict(run, left_out, documents, kept, tokens, last),
        decisions=whole,
        documents=documents,
        kept=kept,
        tokens=tokens,
        languages=languages,
        dropped=dropped,
        redactions=dict(sorted(redactions.items())),
    )


def _kept_of(run: Run, repo: str) -> tuple[int, int | None, dict[str, int], int]:
    """Documents and tokens of a repository in the last pass that is done, documents by language, that pass's number."""
    last = len(run.passes) - 1
    while last > 0 and not is_done(run, last):
        last -= 1
    columns = ["repo", "language", "n_tokens"]
    tables = list(documents_of(run, last, repo, columns))
    languages: Counter[str] = Counter()
    tokens: int | None = None
    for table in tables:
        if "language" in table.column_names:
            languages.update(name for name in table["language"].to_pylist() if name is not None)
        if "n_tokens" in table.column_names:
            tokens = (tokens or 0) + (pc.sum(table["n_tokens"]).as_py() or 0)
    by_count = dict(sorted(languages.items(), key=lambda item: (-item[1], item[0])))
    return sum(table.num_rows for table in tables), tokens, by_count, last


def _dropped(run: Run, key: tuple[int, str, str], rows: list[dict[str, Any]]) -> Dropped:
    number, stage, reason = key
    this = run.passes[number]
    rows = sorted(rows, key=lambda row: row["id"])
    examples = [{"id": r["id"], "path": r["path"], "sentence": this.explain(r)} for r in rows[:EXAMPLES]]
    return Dropped(stage, reason, len(rows), reason_words(run, stage, reason), examples)


def _order(run: Run, key: tuple[int, str, str]) -> tuple[int, int, str]:
    number, stage, reason = key
    return number, [named.name for named in run.passes[number].part.stages].index(stage), reason


def _repository_verdict(run: Run, left_out: bool, documents: int, kept: int, tokens: int | None, last: int) -> str:
    if documents == 0:
        return (
            "It is listed and was left out as a whole:"
            if left_out
            else "It is listed; nothing is decided about it yet."
        )
    done = last == len(run.passes) - 1
    where = "in the dataset" if done else f"left after pass {run.passes[last].part.name}, what follows is not done yet"
    total = f", {tokens:,} tokens" if tokens is not None else ""
    return f"Of {counted(documents, 'document', 'documents')}, {kept:,} {'is' if kept == 1 else 'are'} {where}{total}."


def documents_of(run: Run, number: int, repo: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The documents of a repository that pass `number` kept."""
    this = run.passes[number]
    for shard in sorted(this.receipts):
        path = document_path(this, shard)
        if run.store.exists(path) and "path" in (names := run.store.read_schema(path).names):
            table = run.store.read_table(path, [name for name in columns if name in names])
            yield table.filter(pc.equal(table["repo"], repo))
