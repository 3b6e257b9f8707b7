"""Runs a stage on a shard and holds it to its word: the conservation law, and quarantine for single bad documents.

The law: the ids a stage kept and the ids it dropped are the ids that came in, each once and in order, and columns
outside `writes` are unchanged. Whoever breaks it fails the run. A document on which the stage raises is dropped with
reason `error`, as long as the stage works on the others; the exception's message is not kept, as it may quote the text.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.decisions import decide
from pipeline.errors import LawBroken, QuarryError, RunFailed
from pipeline.side import Side
from pipeline.stage import Outcome, Stage

# More failing documents than this share of a shard (and more than one) is no bad document but a bad stage.
QUARANTINE_SHARE = 0.05


def judge(stage: Stage, name: str, given: pa.Table, side: Side) -> Outcome:
    """`stage.apply(given)` with the law checked and bad documents quarantined; `name` is the stage's in the recipe.

    Raises LawBroken where the outcome breaks the law, RunFailed where the stage fails on the shard as a whole.
    """
    where = f"stage '{name}', shard {side.shard}"
    try:
        outcome = stage.apply(given, side)
    except (QuarryError, OSError, MemoryError):
        raise
    except Exception as error:
        outcome = _salvage(stage, given, side, where, error)
    check(stage, given, outcome, where)
    return Outcome(outcome.kept, _signed(outcome.decisions, name))


def check(stage: Stage, given: pa.Table, outcome: Outcome, where: str) -> None:
    """Raise LawBroken, naming `where` and an offending id, unless the outcome keeps the conservation law."""
    kept, decisions = outcome
    _check_schema(stage, given, kept, where)
    if not decisions.schema.equals(schema.DECISION):
        raise LawBroken(f"{where}: its decisions do not have schema DECISION.")
    _check_words(stage, decisions, where)

    ids = given.column("id").combine_chunks()
    dropped = decisions.filter(pc.equal(decisions.column("action"), "drop"))
    kept_at = _positions(kept.column("id"), ids, where, "kept")
    dropped_at = _positions(dropped.column("id"), ids, where, "dropped")
    _positions(decisions.column("id"), ids, where, "decided about")
    times = np.bincount(np.concatenate([kept_at, dropped_at]), minlength=len(ids))
    if (times == 0).any():
        raise LawBroken(f"{where}: document {ids[int(np.argmin(times))]} was lost, neither kept nor dropped.")
    if (times > 1).any():
        raise LawBroken(f"{where}: document {ids[int(np.argmax(times))]} came out more than once.")
    if (np.diff(kept_at) < 0).any():
        raise LawBroken(f"{where}: the kept documents are not in the order they came in.")
    everything = len(kept_at) == len(ids)
    for column in given.column_names:
        if column in stage.writes or column not in kept.column_names:
            continue
        before = given.column(column) if everything else given.column(column).take(pa.array(kept_at))
        if not before.equals(kept.column(column)):
            raise LawBroken(
                f"{where}: column '{column}' of document {_first_difference(before, kept.column(column), kept)} "
                "was changed, but the stage does not list it in `writes`."
            )


def schema_after(stage: Stage, given: pa.Schema) -> pa.Schema:
    """Schema of what a stage keeps: `gives`, or what came in where it gives what it takes."""
    return given if stage.gives is stage.takes or stage.gives.equals(stage.takes) else stage.gives


def _check_schema(stage: Stage, given: pa.Table, kept: pa.Table, where: str) -> None:
    expected = schema_after(stage, given.schema)
    if stage.gives.equals(schema.TOKENS_16) and kept.schema.equals(schema.TOKENS_32):
        return  # the vocabulary needs it
    if not kept.schema.equals(expected):
        raise LawBroken(f"{where}: it gave columns {kept.schema.names}, not {expected.names}, or other types.")


def _check_words(stage: Stage, decisions: pa.Table, where: str) -> None:
    for action in pc.unique(decisions.column("action")).to_pylist():
        if action not in schema.ACTIONS:
            raise LawBroken(f"{where}: action '{action}' is none of {', '.join(schema.ACTIONS)}.")
    for reason in pc.unique(decisions.column("reason")).to_pylist():
        if reason not in stage.reasons and reason != "error":
            raise LawBroken(f"{where}: reason '{reason}' is none of the stage's ({', '.join(stage.reasons)}).")


def _positions(found: pa.ChunkedArray, ids: pa.Array, where: str, what: str) -> np.ndarray:
    at = pc.index_in(found, value_set=ids)
    if at.null_count:
        stranger = found.filter(pc.is_null(at))[0]
        raise LawBroken(f"{where}: document {stranger} was {what}, but never came in.")
    return at.to_numpy().astype(np.int64)


def _first_difference(before: pa.ChunkedArray, after: pa.ChunkedArray, kept: pa.Table) -> str:
    for row, (old, new) in enumerate(zip(before, after, strict=True)):
        if not old.equals(new):
            return str(kept.column("id")[row])
    return "unknown"


def _salvage(stage: Stage, given: pa.Table, side: Side, where: str, error: Exception) -> Outcome:
    """Halve the shard until the documents that raise stand alone; drop those, keep the outcomes of the others."""
    limit = max(1, int(given.num_rows * QUARANTINE_SHARE))
    try:
        pieces = [stage.apply(given.slice(0, 0), side)]  # a stage that fails on nothing is broken, not its input
        failed = 0
        for piece, raised in _halves(stage, given, side):
            pieces.append(piece)
            failed += raised
            if failed > limit:
                raise RunFailed(
                    f"{where}: {failed} documents and more raised, first {raised_at(error)}; mend the stage and run "
                    "again."
                ) from error
    except RunFailed:
        raise
    except Exception:
        raise RunFailed(f"{where}: it raised {raised_at(error)}; mend the stage and run again.") from error
    kept = [piece.kept for piece in pieces if piece.kept.num_rows] or [pieces[0].kept]
    return Outcome(pa.concat_tables(kept), pa.concat_tables([piece.decisions for piece in pieces]))


def _halves(stage: Stage, given: pa.Table, side: Side) -> Iterator[tuple[Outcome, bool]]:
    middle = given.num_rows // 2
    for half in (given.slice(0, middle), given.slice(middle)):
        if half.num_rows == 0:
            continue
        try:
            yield stage.apply(half, side), False
        except (QuarryError, OSError, MemoryError):
            raise
        except Exception as error:
            if half.num_rows > 1:
                yield from _halves(stage, half, side)
            else:
                kept = schema_after(stage, half.schema).empty_table()
                yield Outcome(kept, decide(half, [0], "drop", "error", [{"error": raised_at(error)}])), True


def raised_at(error: Exception) -> str:
    """The exception's type and the line that raised it: evidence that quotes no text."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    return type(error).__name__ + (f" at {last.filename.rsplit('/', 1)[-1]}:{last.lineno}" if last else "")


def _signed(decisions: pa.Table, name: str) -> pa.Table:
    at = schema.DECISION.get_field_index("stage")
    return decisions.set_column(at, schema.DECISION.field(at), pa.array([name] * decisions.num_rows, pa.string()))
