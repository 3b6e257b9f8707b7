"""Fertility: characters a token against each language's limit, and other languages are not even read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tokenizers import Tokenizer

from pipeline.errors import UsageError
from pipeline.law import judge
from pipeline.side import Side
from pipeline.stage import Outcome
from stages.fertility import Fertility
from stages.tokenizer import train

PYTHON = "def function(argument):\n    return argument\n" * 4
NUMBERS = "0.7 3.1 9.4\n" * 8


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tokenizer that knows PYTHON's words and takes numbers digit by digit."""
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    train([PYTHON] * 9, 400).save(str(path))
    return str(path)


def documents(rows: Sequence[tuple[str | None, str]]) -> pa.Table:
    """(language, text) rows."""
    ids = pa.array([f"{row:032x}" for row in range(len(rows))], pa.string())
    languages, texts = (pa.array([row[at] for row in rows], pa.string()) for at in (0, 1))
    return pa.table([ids, languages, texts], schema=Fertility.takes)


def outcome(side: Side, stage: Fertility, rows: Sequence[tuple[str | None, str]]) -> Outcome:
    """What the stage makes of the rows, under the conservation law."""
    return judge(stage, "fertility", documents(rows), side)


def test_a_document_below_its_languages_limit_goes_and_the_decision_shows_both_numbers(
    side: Side, tokenizer: str
) -> None:
    stage = Fertility(tokenizer=tokenizer)
    result = outcome(side, stage, [("python", PYTHON), ("python", NUMBERS), ("java", NUMBERS), ("csv", NUMBERS)])
    assert result.kept["language"].to_pylist() == ["python", "csv"]
    value = round(len(NUMBERS) / len(Tokenizer.from_file(tokenizer).encode(NUMBERS).ids), 4)
    assert [stage.explain(decision) for decision in result.decisions.to_pylist()] == [
        f"it has {value} characters a token, fewer than the 2.5 required of python",
        f"it has {value} characters a token, fewer than the 2.9 required of java",
    ]


def test_exactly_the_limit_stays(side: Side, tokenizer: str) -> None:
    exact = len(NUMBERS) / len(Tokenizer.from_file(tokenizer).encode(NUMBERS).ids)
    assert outcome(side, Fertility(tokenizer=tokenizer, minimum={"c": exact}), [("c", NUMBERS)]).kept.num_rows == 1
    above = Fertility(tokenizer=tokenizer, minimum={"c": exact + 1e-9})
    assert outcome(side, above, [("c", NUMBERS)]).kept.num_rows == 0


def test_characters_are_code_points_and_empty_texts_pass(side: Side, tokenizer: str) -> None:
    result = outcome(side, Fertility(tokenizer=tokenizer), [("python", ""), ("python", "漢字" * 50)])
    assert result.kept["text"].to_pylist() == [""]
    assert json.loads(result.decisions["detail"][0].as_py())["value"] == 0.3333  # three bytes, and a token each


def test_other_languages_are_not_tokenized(side: Side, tmp_path: Path) -> None:
    stage = Fertility(tokenizer=str(tmp_path / "there is none.json"))
    assert outcome(side, stage, [("go", NUMBERS), (None, NUMBERS)]).kept.num_rows == 2
    with pytest.raises(UsageError, match=r"cannot read the tokenizer '.*there is none.json'"):
        outcome(side, stage, [("java", NUMBERS)])


def test_a_file_that_is_no_tokenizer_is_one_sentence(side: Side, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_bytes(b"\xff{")
    with pytest.raises(UsageError, match=r"bad.json' is no tokenizer of the 'tokenizers' library .*give another\.$"):
        outcome(side, Fertility(tokenizer=str(tmp_path / "bad.json")), [("java", NUMBERS)])


def test_a_tokenizer_that_cuts_or_pads_still_counts_whole_documents(side: Side, tokenizer: str, tmp_path: Path) -> None:
    cutting = Tokenizer.from_file(tokenizer)
    cutting.enable_truncation(3)
    cutting.enable_padding(length=5000)
    cutting.save(str(tmp_path / "cutting.json"))
    rows = [("python", PYTHON), ("python", NUMBERS)]
    expected = outcome(side, Fertility(tokenizer=tokenizer), rows)
    assert outcome(side, Fertility(tokenizer=str(tmp_path / "cutting.json")), rows).decisions.equals(expected.decisions)


def test_unknown_languages_and_limits_of_nothing_are_refused(tokenizer: str) -> None:
    with pytest.raises(ValidationError, match=r"'pyton' is not a language of .*; the nearest is 'python'"):
        Fertility(tokenizer=tokenizer, minimum={"pyton": 2.5})
    with pytest.raises(ValidationError, match="greater than 0"):
        Fertility(tokenizer=tokenizer, minimum={"python": 0})


@given(
    st.lists(st.tuples(st.sampled_from(["python", "java", "go", None]), st.sampled_from(["", "x", PYTHON, NUMBERS]))),
    st.data(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
def test_each_document_is_judged_on_its_own(
    side: Side, tokenizer: str, rows: list[tuple[str | None, str]], data: st.DataObject
) -> None:
    stage, shard = Fertility(tokenizer=tokenizer), documents(rows)
    whole = stage.apply(shard, side)
    at = data.draw(st.integers(0, len(rows)))
    parts = [stage.apply(piece, side) for piece in (shard.slice(0, at), shard.slice(at))]
    assert pa.concat_tables([part.kept for part in parts]).equals(whole.kept)
    assert pa.concat_tables([part.decisions for part in parts]).equals(whole.decisions)
    backwards = stage.apply(shard.take(np.arange(len(rows))[::-1]), side)
    assert backwards.decisions.equals(whole.decisions.take(np.arange(whole.decisions.num_rows)[::-1]))
