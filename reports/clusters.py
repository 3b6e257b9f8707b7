"""Clusters of duplicates as a report shows them: who was dropped in favour of whom, and how two of them differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.state import Run
from reports.excerpts import DiffRow, Mask, find_texts, side_by_side
from reports.figures import Cluster
from reports.rows import decision_tables, duplicates

MEMBERS = 12  # documents of a cluster that are listed


class Difference(NamedTuple):
    """How a canonical differs from one of its near-duplicates."""

    repo: str
    path: str
    rows: list[DiffRow]


class ClusterDetails(NamedTuple):
    """A cluster, the nearest of its documents, and the farthest beside the canonical."""

    cluster: Cluster
    members: list[dict[str, Any]]  # decisions, with columns canonical and jaccard
    difference: Difference | None  # None without near-duplicates, or where the texts are not there


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
    texts: dict[str, str] = {}
    for number in sorted({row["pass"] for row in farthest.values()}):
        pairs = [(key, row["id"]) for key, row in farthest.items() if row["pass"] == number]
        texts |= find_texts(run, number, [document for pair in pairs for document in pair])
    details = []
    for cluster in clusters:
        other, difference = farthest.get(cluster.canonical), None
        if other and cluster.canonical in texts and other["id"] in texts:
            lines = side_by_side(texts[cluster.canonical], texts[other["id"]], mask)
            difference = Difference(other["repo"], other["path"], lines)
        details.append(ClusterDetails(cluster, members[cluster.canonical][:MEMBERS], difference))
    return details


def size_classes(sizes: dict[int, int]) -> list[tuple[str, int]]:
    """Clusters by number of documents, in classes that double."""
    classes: dict[int, int] = {}
    for size, count in sizes.items():
        power = (size - 1).bit_length()  # 2, 3-4, 5-8, ...
        classes[power] = classes.get(power, 0) + count
    names = {power: f"{(1 << power - 1) + 1}–{1 << power}" if power > 1 else "2" for power in classes}
    return [(names[power], classes[power]) for power in sorted(classes)]
