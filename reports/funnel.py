"""What the receipts of a run measured: documents and bytes through every stage, and how fast every pass was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline import schema
from pipeline.law import schema_after
from pipeline.manifest import merge_stages
from pipeline.state import PassRun, Run


class StageFigures(NamedTuple):
    """One stage: what came in, what went on. Repositories that were dropped as a whole are counted apart."""

    part: str
    stage: str
    takes_documents: bool  # False for a stage that judges the repository list
    documents_in: int
    documents_out: int
    repositories_dropped: int
    bytes_in: int
    bytes_out: int | None  # None where tokens are given
    seconds: float  # summed over the workers
    languages: dict[str, list[int]]  # language -> [documents, bytes] going on; empty before languages are known

    @property
    def dropped(self) -> int:
        return self.documents_in - self.documents_out


class PassFigures(NamedTuple):
    """How fast a pass was."""

    part: str
    shards: int
    prepare_seconds: float
    seconds: float
    bytes_in: int
    peak_memory: int


def stage_figures(run: Run, whole: Mapping[str, int]) -> list[StageFigures]:
    """The stages of a run in order; `whole` has the repositories each dropped as a whole, by the stage's name."""
    rows = []
    given: pa.Schema = schema.REPOSITORY
    for this in run.passes:
        for named, measure in zip(this.part.stages, _measures(this), strict=True):
            takes_documents = named.stage.source is not None or "path" in given.names
            given = schema_after(named.stage, given)
            rows.append(
                StageFigures(
                    part=this.part.name,
                    stage=named.name,
                    takes_documents=takes_documents,
                    documents_in=measure["documents_in"] - (whole.get(named.name, 0) if takes_documents else 0),
                    documents_out=measure["documents_out"],
                    repositories_dropped=whole.get(named.name, 0),
                    bytes_in=measure["bytes_in"],
                    bytes_out=None if "input_ids" in given.names else measure["bytes_out"],
                    seconds=measure["seconds"],
                    languages=measure["languages_out"],
                )
            )
    return rows


def pass_figures(run: Run) -> list[PassFigures]:
    """The passes of a run in order."""
    return [
        PassFigures(
            part=this.part.name,
            shards=len(this.receipts),
            prepare_seconds=this.prepared["seconds"] if this.prepared else 0.0,
            seconds=sum(measure["seconds"] for measure in _measures(this)),
            bytes_in=_measures(this)[0]["bytes_in"],
            peak_memory=max((receipt["peak_memory"] for receipt in this.receipts.values()), default=0),
        )
        for this in run.passes
    ]


def _measures(this: PassRun) -> list[dict[str, Any]]:
    """What the receipts measured of each stage; zeros where the pass had no shard."""
    merged = merge_stages(this.receipts[shard] for shard in sorted(this.receipts))
    numbers = ("documents_in", "documents_out", "bytes_in", "bytes_out", "seconds")
    return merged or [dict.fromkeys(numbers, 0) | {"languages_out": {}} for _ in this.part.stages]
