"""The one abstraction: a Stage judges a shard and says, row by row, what it kept, what it dropped and why.

Fields of a stage are its configuration: validated when the recipe is read, and hashed into the fingerprint of what it
writes. A stage holds no state; what it must know of the whole corpus it prepares once, as a side input.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from pipeline.side import Corpus, Side


class _Mark(NamedTuple):
    word: str


# Annotations of a stage's fields. A ContentFile is a path; in the fingerprint it counts by the digest of its content.
# A Placement field says where or how fast something is done, never what comes out, and so never counts.
CONTENT = _Mark("content")
PLACEMENT = _Mark("placement")
ContentFile = Annotated[str, CONTENT]


class Outcome(NamedTuple):
    """What a stage made of a shard."""

    kept: pa.Table  # the rows that go on, in the schema the stage gives
    decisions: pa.Table  # schema.DECISION: one row a drop, redaction or note


class Stage(BaseModel):
    """One step of a pass; subclasses state their schemas and reasons, and implement `apply`.

    `gives` equal to `takes` means that the stage needs these columns, adds and removes none, and passes others through.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    takes: ClassVar[pa.Schema]
    gives: ClassVar[pa.Schema]
    writes: ClassVar[frozenset[str]] = frozenset()  # columns it may change
    reasons: ClassVar[Mapping[str, str]]  # reason -> sentence with {detail} fields, for `explain` and docs/reasons.md
    revision: ClassVar[int] = 1  # raised when equal configuration would give other output
    depends: ClassVar[tuple[str, ...]] = ()  # distributions whose version changes the output
    tables: ClassVar[tuple[str, ...]] = ()  # data files beside its module that the output depends on
    gpus: ClassVar[float] = 0.0  # GPUs a worker needs for it
    source: ClassVar[str | None] = None  # a side table of its own whose shards it reads, instead of the last pass's
    temporary: ClassVar[tuple[str, ...]] = ()  # side tables that are removed when the pass is complete

    def prepare(self, corpus: Corpus, side: Side) -> None:
        """Write the side inputs, once, over all shards. Only the stage that opens a pass may implement it."""

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        """Judge one shard, each row on its own; equal inputs give an equal outcome."""
        raise NotImplementedError

    def explain(self, decision: Mapping[str, Any]) -> str:
        """One plain sentence about a decision of this stage."""
        reason = decision["reason"]
        if reason == "error":
            return error_sentence(decision)
        return self.reasons[reason].format_map(_Shown(json.loads(decision["detail"] or "{}")))

    @property
    def prepares(self) -> bool:
        return type(self).prepare is not Stage.prepare


def error_sentence(decision: Mapping[str, Any]) -> str:
    """How a document that was quarantined is explained, whatever the stage."""
    detail = json.loads(decision["detail"] or "{}")
    return f"the stage failed on this one document ({detail.get('error', 'unknown error')}), so it was quarantined"


class _Shown(dict[str, Any]):
    """Detail fields as `explain` shows them: 1,024 for 1024; a field an older run did not record reads as unknown."""

    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        return f"{value:,}" if type(value) is int else value

    def __missing__(self, key: str) -> str:
        return "unknown"
