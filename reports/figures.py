"""The numbers of a run, counted from its decisions and kept documents: what the report shows, as plain data.

Decisions are read shard by shard and counted by Arrow, so that memory goes with a shard and with the number of
different answers, not with the corpus. Sampling needs no random numbers: ids are hashes, so the smallest are a sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.state import Run
from reports.funnel import PassFigures, StageFigures, pass_figures, stage_figures
from reports.rows import decision_tables, document_path, duplicates, json_columns

SAMPLES = 8  # decisions kept of each kind, of which a report shows those whose text is still there
CLUSTERS = 10
JACCARD_BINS = 20  # between 0 and 1
DECIDED = ("id", "repo", "path", "stage", "action", "reason", "detail", "entity", "start", "recognizer")


class Tally(NamedTuple):
    """How often a stage decided the same."""

    stage: str
    action: str
    reason: str
    whole_repository: bool
    times: int


class Redacted(NamedTuple):
    """How often a recognizer found an entity, and in how many documents."""

    stage: str
    entity: str
    recognizer: str
    times: int
    documents: int


class RefusedLicense(NamedTuple):
    """How often a stage that judges licences dropped a document for one."""

    stage: str
    reason: str
    license: str | None  # SPDX expression
    times: int


class Cluster(NamedTuple):
    """A kept document and how many were dropped in its favour."""

    canonical: str
    canonical_repo: str
    canonical_path: str
    dropped: int


@dataclass(frozen=True)
class Figures:
    """All that is counted of a run, and samples of its decisions."""

    stages: list[StageFigures]
    passes: list[PassFigures]
    tallies: list[Tally]  # largest first
    redactions: list[Redacted]  # largest first
    refused: list[RefusedLicense]  # largest first
    samples: pa.Table  # DECIDED, pass, shard: of each (stage, action, reason, entity, recognizer) the smallest ids
    clusters: list[Cluster]  # the largest
    cluster_sizes: dict[int, int]  # documents of a cluster, the canonical with it -> clusters of that size
    jaccard: list[int]  # near-duplicates by similarity, in JACCARD_BINS bins
    kept: pa.Table  # repo, language, license, license_type, split (as far as there): documents, tokens; see `kept_by`
    dataset_bytes: int  # of the files that hold the kept documents

    @property
    def documents_in(self) -> int:
        """Documents that the first stage over documents looked at."""
        return next((stage.documents_in for stage in self.stages if stage.takes_documents), 0)

    @property
    def documents(self) -> int:
        """Documents that were kept to the end."""
        return int(pc.sum(self.kept["documents"]).as_py() or 0)

    @property
    def tokens(self) -> int | None:
        """Tokens of them; None where the run does not tokenize."""
        return None if self.kept["tokens"].null_count else int(pc.sum(self.kept["tokens"]).as_py() or 0)

    def kept_by(self, *keys: str) -> list[dict[str, Any]]:
        """Kept documents and tokens by `keys`, most tokens (else documents) first; null stands for not known."""
        if self.kept.num_rows == 0:
            return []
        known = [key for key in keys if key in self.kept.column_names]
        grouped = self.kept.group_by(known).aggregate([("documents", "sum"), ("tokens", "sum")])
        rows = grouped.rename_columns([*known, "documents", "tokens"]).to_pylist()
        rows = [dict.fromkeys(keys) | row for row in rows]
        return sorted(rows, key=lambda r: (-(r["tokens"] or 0), -r["documents"], [str(r[key]) for key in keys]))


def read_figures(run: Run) -> Figures:
    """Count a completed run."""
    tallies: Counter[tuple[str, str, str, bool]] = Counter()
    redactions: dict[tuple[str, str, str], list[int]] = {}
    samples = _placed(schema.DECISION.empty_table().select(DECIDED), 0, "")
    refused: Counter[tuple[str, str, str | None]] = Counter()
    judges = [named.name for this in run.passes for named in this.part.stages if "license" in named.stage.writes]
    canonicals: list[pa.Table] = []
    jaccard = np.zeros(JACCARD_BINS, dtype=np.int64)
    for number, shard, table in decision_tables(run, DECIDED):
        if table.num_rows == 0:
            continue
        _count_decisions(table, tallies)
        _count_redactions(table, redactions)
        _count_licenses(table, judges, refused)
        samples = _smallest(pa.concat_tables([samples, _smallest(_placed(table, number, shard))]))
        dropped = duplicates(table)
        if dropped.num_rows:
            canonicals.append(
                dropped.group_by(["canonical", "canonical_repo", "canonical_path"]).aggregate([([], "count_all")])
            )
            near = dropped.filter(pc.equal(dropped["reason"], "near_duplicate"))["jaccard"].drop_null().to_numpy()
            jaccard += np.histogram(near, bins=JACCARD_BINS, range=(0, 1))[0]
    clusters, sizes = _clusters(canonicals)
    return Figures(
        stages=stage_figures(run, _whole_repositories(tallies)),
        passes=pass_figures(run),
        tallies=sorted((Tally(*key, n) for key, n in tallies.items()), key=lambda t: (-t.times, t)),
        redactions=sorted((Redacted(*key, *n) for key, n in redactions.items()), key=lambda r: (-r.times, r)),
        refused=sorted(
            (RefusedLicense(*key, n) for key, n in refused.items()),
            key=lambda r: (-r.times, r.stage, r.reason, r.license or ""),
        ),
        samples=samples,
        clusters=clusters,
        cluster_sizes=sizes,
        jaccard=jaccard.tolist(),
        kept=_kept(run),
        dataset_bytes=sum(receipt["documents"]["bytes"] for receipt in run.passes[-1].receipts.values()),
    )


def _count_decisions(table: pa.Table, tallies: Counter[tuple[str, str, str, bool]]) -> None:
    keys = table.select(["stage", "action", "reason"]).append_column("whole", pc.equal(table["path"], ""))
    for row in keys.group_by(["stage", "action", "reason", "whole"]).aggregate([([], "count_all")]).to_pylist():
        tallies[row["stage"], row["action"], row["reason"], row["whole"]] += row["count_all"]


def _whole_repositories(tallies: Counter[tuple[str, str, str, bool]]) -> Counter[str]:
    """Repositories dropped as a whole, by stage."""
    whole: Counter[str] = Counter()
    for (stage, action, _, whole_repository), count in tallies.items():
        if action == "drop" and whole_repository:
            whole[stage] += count
    return whole


def _count_redactions(table: pa.Table, redactions: dict[tuple[str, str, str], list[int]]) -> None:
    table = table.filter(pc.equal(table["action"], "redact"))
    counted = table.group_by(["stage", "entity", "recognizer"]).aggregate([([], "count_all"), ("id", "count_distinct")])
    for row in counted.to_pylist():
        total = redactions.setdefault((row["stage"], row["entity"], row["recognizer"]), [0, 0])
        total[0] += row["count_all"]
        total[1] += row["id_count_distinct"]  # a document is in one shard only, so these may be summed


def _count_licenses(table: pa.Table, judges: Sequence[str], refused: Counter[tuple[str, str, str | None]]) -> None:
    """Count the drops of the stages `judges` by the licence that their detail names."""
    by_one = pc.and_(
        pc.is_in(table["stage"], value_set=pa.array(judges, pa.string())), pc.equal(table["action"], "drop")
    )
    table = table.filter(pc.and_(by_one, pc.not_equal(table["reason"], "error")))
    names = json_columns(table["detail"], pa.schema([("license", pa.string())]))
    table = table.select(["stage", "reason"]).append_column("license", names["license"])
    for row in table.group_by(["stage", "reason", "license"]).aggregate([([], "count_all")]).to_pylist():
        refused[row["stage"], row["reason"], row["license"]] += row["count_all"]


def _placed(table: pa.Table, number: int, shard: str) -> pa.Table:
    """`table` with the pass's number and the shard its rows are from."""
    rows = table.num_rows
    table = table.append_column("pass", pa.array([number] * rows, pa.int64()))
    return table.append_column("shard", pa.array([shard] * rows, pa.string()))


def _smallest(table: pa.Table) -> pa.Table:
    """Of each kind of decision the SAMPLES with the smallest ids, at most one a document, sorted by kind and id."""
    kind = ["stage", "action", "reason", "entity", "recognizer"]
    table = table.sort_by([(name, "ascending") for name in (*kind, "id", "start")])
    table = table.filter(pa.array(_starts(table, [*kind, "id"])))
    starts = _starts(table, kind)
    place = np.arange(table.num_rows)
    rank = place - np.maximum.accumulate(np.where(starts, place, 0))
    return table.filter(pa.array(rank < SAMPLES)).combine_chunks()


def _starts(table: pa.Table, names: Sequence[str]) -> np.ndarray:
    """Whether a row differs from the one before it in any of these columns, bool."""
    differs = np.zeros(table.num_rows, dtype=np.bool_)
    differs[:1] = True
    for name in names:
        codes = table[name].combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy()
        differs[1:] |= codes[1:] != codes[:-1]
    return differs


def _clusters(parts: list[pa.Table]) -> tuple[list[Cluster], dict[int, int]]:
    """The largest clusters, and clusters by size."""
    if not parts:
        return [], {}
    grouped = pa.concat_tables(parts).group_by(["canonical", "canonical_repo", "canonical_path"])
    counted = grouped.aggregate([("count_all", "sum")])
    sizes = pc.value_counts(counted["count_all_sum"]).to_pylist()
    largest = counted.sort_by([("count_all_sum", "descending"), ("canonical", "ascending")]).slice(0, CLUSTERS)
    clusters = [
        Cluster(row["canonical"], row["canonical_repo"], row["canonical_path"], row["count_all_sum"])
        for row in largest.to_pylist()
    ]
    return clusters, {size["values"] + 1: size["counts"] for size in sorted(sizes, key=lambda size: size["values"])}


def _kept(run: Run) -> pa.Table:
    """Documents and tokens of what the last pass kept, by all keys a report counts by."""
    last = run.passes[-1]
    parts = []
    for shard in sorted(last.receipts):
        path = document_path(last, shard)
        names = run.store.read_schema(path).names
        keys = [name for name in ("repo", "language", "license", "license_type", "split") if name in names]
        table = run.store.read_table(path, [*keys, "n_tokens"] if "n_tokens" in names else keys)
        tokens = table["n_tokens"].cast(pa.int64()) if "n_tokens" in names else pa.nulls(table.num_rows, pa.int64())
        table = table.select(keys).append_column("tokens", tokens)
        grouped = table.group_by(keys).aggregate([([], "count_all"), ("tokens", "sum")])
        parts.append(grouped.rename_columns([*keys, "documents", "tokens"]))
    if not parts:
        return pa.table({"documents": pa.array([], pa.int64()), "tokens": pa.array([], pa.int64())})
    return pa.concat_tables(parts)
