"""A stage that loses, swaps, invents or doubles documents is caught and named; one bad document is quarantined."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decisions import drop
from pipeline.errors import LawBroken, RunFailed
from pipeline.law import check, judge
from pipeline.side import Side
from tests.toy import Forbid, Misbehave, documents

TEXTS = [f"document {n}" for n in range(40)]


def _judge(how: str, side: Side, texts: list[str] = TEXTS) -> None:
    judge(Misbehave(how=how), "rogue", documents(texts), side.for_shard("00001"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("lose", "00000000000000000000000000000000 was lost"),
        ("swap", "column 'text' of document 00000000000000000000000000000000 was changed"),
        ("invent", "ffffffffffffffffffffffffffffffff was kept, but never came in"),
        ("double", "00000000000000000000000000000000 came out more than once"),
        ("reorder", "not in the order"),
        ("reason", "reason 'mood' is none of the stage's"),
    ],
)
def test_a_broken_law_names_stage_shard_and_document(how: str, said: str, side: Side) -> None:
    with pytest.raises(LawBroken, match="stage 'rogue', shard 00001") as caught:
        _judge(how, side)
    assert said in str(caught.value)


def test_one_bad_document_is_quarantined_and_the_others_go_on(side: Side) -> None:
    kept, decisions = judge(Misbehave(how="raise_one"), "rogue", documents(TEXTS), side.for_shard("00001"))
    (decision,) = decisions.to_pylist()
    assert (decision["id"], decision["action"], decision["reason"]) == (f"{7:032x}", "drop", "error")
    assert decision["stage"] == "rogue"
    assert json.loads(decision["detail"])["error"].startswith("ValueError at toy.py:")
    assert "secret" not in decision["detail"]
    assert kept["id"].to_pylist() == [f"{n:032x}" for n in range(40) if n != 7]
    assert "quarantined" in Misbehave().explain(decision)


@pytest.mark.parametrize("how", ["raise_all", "raise_shard"])
def test_a_stage_that_always_raises_fails_the_run(how: str, side: Side) -> None:
    with pytest.raises(RunFailed, match=r"stage 'rogue', shard 00001: .*ValueError at toy.py"):
        _judge(how, side)


def test_a_stage_broken_on_a_shard_of_one_document_still_quarantines_only_that(side: Side) -> None:
    kept, decisions = judge(Misbehave(how="raise_one"), "rogue", documents(["x"], start=7), side.for_shard("00001"))
    assert kept.num_rows == 0
    assert decisions["reason"].to_pylist() == ["error"]


@given(st.lists(st.sampled_from(["good", "bad"]), max_size=30), st.data())
def test_the_law_accepts_what_keeps_it_and_refuses_any_lost_row(texts: list[str], data: st.DataObject) -> None:
    shard = documents(texts)
    stage = Forbid()
    outcome = drop(shard, [row for row, text in enumerate(texts) if text == "bad"], "forbidden_word")
    check(stage, shard, outcome, "here")
    if outcome.kept.num_rows:
        row = data.draw(st.integers(0, outcome.kept.num_rows - 1))
        keep = [n for n in range(outcome.kept.num_rows) if n != row]
        with pytest.raises(LawBroken, match="was lost"):
            check(stage, shard, outcome._replace(kept=outcome.kept.take(np.array(keep, dtype=np.int64))), "here")
    if outcome.decisions.num_rows:
        with pytest.raises(LawBroken, match="was lost"):
            check(stage, shard, outcome._replace(decisions=outcome.decisions.slice(1)), "here")


@given(st.integers(0, 70), st.sets(st.integers(0, 69), max_size=20))
def test_what_is_not_dropped_stays_as_it_was(count: int, dropped: set[int]) -> None:
    shard, rows = (
        documents([f"text {number}" for number in range(count)]),
        sorted(row for row in dropped if row < count),
    )
    kept = drop(shard, rows, "forbidden_word").kept
    assert kept.equals(shard.take(np.setdiff1d(np.arange(count), rows)))
