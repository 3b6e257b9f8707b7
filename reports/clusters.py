"""What a report shows of deduplication: what was compared, the clusters of duplicates, and what looks wrong in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.state import Run
from reports.differences import Difference, differences
from reports.excerpts import Mask
from reports.figures import Cluster, Figures
from reports.funnel import StageFigures
from reports.rows import DUPLICATE, decision_tables, duplicates
from reports.words import share

MEMBERS = 12  # documents of a cluster that are listed
# What is worth a second look: a cluster or a stage that takes this share or more of the documents that were looked
# at. In fewer than FEW documents such a share says nothing.
CLUSTER_SHARE, STAGE_SHARE, FEW = 0.01, 0.6, 100
# Key of counts.json -> what it counts; runs of earlier versions lack some.
COUNTED = {
    "documents": "documents looked at",
    "candidates": "pairs compared, which share a band",
    "rejected": "of these, rejected",
    "rejected_by_estimate": "of these, rejected by their signatures",
    "rejected_by_jaccard": "of these, rejected by their exact similarity",
    "accepted": "of these, accepted: their exact similarity reaches the threshold",
    "left_out": "comparisons left out, as their bucket was too full",
    "rounds": "rounds of comparing",
    "exact_duplicates": "documents dropped as equal to a kept one",
    "near_duplicates": "documents dropped as nearly equal to a kept one",
    "copies_of_opted_out": "documents dropped as copies of opted-out ones",
    "kept": "documents kept",
}


class Evidence(NamedTuple):
    """What a deduplicate stage counted."""

    stage: str
    rows: list[tuple[str, int]]  # words, count


class ClusterDetails(NamedTuple):
    """A cluster, the nearest of its documents, and the farthest beside the canonical."""

    cluster: Cluster
    members: list[dict[str, Any]]  # decisions, with columns canonical and jaccard
    other: dict[str, Any] | None  # the farthest member, if it is a near-duplicate
    difference: Difference | None  # how that one differs; None where the texts are not there


def evidence(run: Run) -> list[Evidence]:
    """What each deduplicate stage counted while it compared, as far as it left that in counts.json."""
    found = []
    for this in run.passes:
        counts = run.store.read_record(f"{this.folder.path}/side/counts.json", "documents")
        if counts and set(DUPLICATE) <= this.part.opener.reasons.keys():
            rows = [(words, counts[key]) for key, words in COUNTED.items() if key in counts]
            found.append(Evidence(this.part.stages[0].name, rows))
    return found


def looked_at(figures: Figures) -> list[StageFigures]:
    """The stages that drop duplicates, with how many documents each looked at."""
    names = {tally.stage for tally in figures.tallies if tally.reason in DUPLICATE}
    return [stage for stage in figures.stages if stage.stage in names]


def doubts(figures: Figures) -> list[str]:
    """What is unusual about the duplicates of a run, and where to look; one sentence each."""
    stages, found = looked_at(figures), []
    for stage in stages:
        if stage.dropped >= max(FEW, STAGE_SHARE * stage.documents_in):
            found.append(
                f"{stage.stage} dropped {share(stage.dropped, stage.documents_in)} of the {stage.documents_in:,} "
                "documents it looked at. Look whether the list holds forks or mirrors of the same repositories, and "
                "whether the largest clusters below are what you would drop."
            )
    whole = max((stage.documents_in for stage in stages), default=0)
    for cluster in figures.clusters:
        if cluster.dropped >= max(FEW, CLUSTER_SHARE * whole):
            found.append(
                f"One cluster, that of {cluster.canonical_repo}:{cluster.canonical_path}, takes "
                f"{share(cluster.dropped, whole)} of the {whole:,} documents that were looked at. Look at its members "
                "and its diff below: files of one tool or template may differ in what matters to you."
            )
    return found


def cluster_details(run: Run, clusters: Sequence[Cluster], mask: Mask) -> list[ClusterDetails]:
    """The documents of each of `clusters`."""
    wanted = pa.array([cluster.canonical for cluster in clusters], pa.string())
    members: dict[str, list[dict[str, Any]]] = {cluster.canonical: [] for cluster in clusters}
    for number, _, table in decision_tables(run, ("id", "repo", "path", "action", "reason", "detail")):
        dropped = duplicates(table)
        for row in dropped.filter(pc.is_in(dropped["canonical"], value_set=wanted)).to_pylist():
            members[row["canonical"]].append({**row, "pass": number})
    for rows in members.values():
        rows.sort(key=lambda row: (-(row["jaccard"] or 0), row["repo"], row["path"], row["id"]))
    farthest = {key: rows[-1] for key, rows in members.items() if rows and rows[-1]["reason"] == "near_duplicate"}
    found = differences(run, [(row["pass"], key, row["id"]) for key, row in farthest.items()], mask)
    return [
        ClusterDetails(
            cluster,
            members[cluster.canonical][:MEMBERS],
            farthest.get(cluster.canonical),
            found.get(cluster.canonical),
        )
        for cluster in clusters
    ]


def size_classes(sizes: dict[int, int]) -> list[tuple[str, int]]:
    """Clusters by number of documents, in classes that double."""
    classes: dict[int, int] = {}
    for size, count in sizes.items():
        power = (size - 1).bit_length()  # 2, 3-4, 5-8, ...
        classes[power] = classes.get(power, 0) + count
    names = {power: f"{(1 << power - 1) + 1}–{1 << power}" if power > 1 else "2" for power in classes}
    return [(names[power], classes[power]) for power in sorted(classes)]
