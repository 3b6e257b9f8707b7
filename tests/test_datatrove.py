"""datatrove's filters and formatters as stages: their verdicts, their reasons, and what a recipe may ask of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest
from datatrove.data import Document
from datatrove.pipeline.filters import GopherRepetitionFilter
from pydantic import ValidationError

from pipeline.law import judge
from pipeline.side import Side
from pipeline.stage import Outcome, Stage
from stages.datatrove import REFUSED, Datatrove, _steps
from tests.toy import documents

PROSE = "The first line says one thing.\nThe second says something else, and says it with care.\n"
ECHO = "Again the same line, word for word.\n" * 20
CODE = "x = 1\n" * 50

Run = Callable[[Stage, Sequence[pa.Table]], list[Outcome]]


def shard(*texts: str, languages: Sequence[str] | None = None) -> pa.Table:
    table = documents(list(texts))
    named = pa.array(languages or ["markdown"] * len(texts), pa.string())
    return table.set_column(table.column_names.index("language"), "language", named)


def test_a_filter_drops_what_datatrove_drops_and_keeps_its_reason(run_stage: Run) -> None:
    stage = Datatrove(step="GopherRepetitionFilter", options={"top_n_grams": [[2, 0.9]], "dup_n_grams": []})
    (outcome,) = run_stage(stage, [shard(PROSE, ECHO)])
    reference = GopherRepetitionFilter(top_n_grams=((2, 0.9),), dup_n_grams=())
    assert [reference.filter(Document(text, "1")) for text in (PROSE, ECHO)] == [True, (False, "dup_line_frac")]
    assert outcome.kept["text"].to_pylist() == [PROSE]
    (decision,) = outcome.decisions.to_pylist()
    assert json.loads(decision["detail"]) == {"step": "GopherRepetitionFilter", "reason": "dup_line_frac"}
    assert stage.explain(decision) == "datatrove's GopherRepetitionFilter said dup_line_frac"


def test_a_filter_that_only_says_no_and_rows_of_other_languages(run_stage: Run) -> None:
    stage = Datatrove(step="RegexFilter", options={"regex_exp": "(?i)lorem ipsum"}, languages=["markdown"])
    table = shard("Lorem ipsum", "dolor", "Lorem ipsum", languages=["markdown", "markdown", "python"])
    (outcome,) = run_stage(stage, [table])
    assert outcome.kept.equals(table.slice(1))
    (decision,) = outcome.decisions.to_pylist()
    assert stage.explain(decision) == "datatrove's RegexFilter said no"


def test_a_filter_leaves_texts_as_they_are_even_where_datatrove_shortens_them(side: Side) -> None:
    text = "This line ends as a sentence does.\n" * 6 + "a line without an end\n"
    table = shard(text)
    document = Document(text, "1")
    step = Datatrove(step="C4QualityFilter", options={"min_num_sentences": -1})
    _steps()["C4QualityFilter"](min_num_sentences=-1).filter(document)
    assert document.text != text
    assert judge(step, "datatrove", table, side).kept.equals(table)


def test_a_formatter_rewrites_texts_and_notes_which(side: Side) -> None:
    table = shard("a title\n=======\ntext", "nothing to do", "======\nx", languages=["markdown", "markdown", "python"])
    stage = Datatrove(step="SymbolLinesFormatter", languages=["markdown"])
    outcome = judge(stage, "datatrove", table, side)
    assert outcome.kept["text"].to_pylist() == ["a title\ntext", "nothing to do", "======\nx"]
    (note,) = outcome.decisions.to_pylist()
    assert (note["id"], note["action"], note["reason"]) == (table["id"][0].as_py(), "note", "reformatted")
    assert stage.explain(note) == "datatrove's SymbolLinesFormatter rewrote it, from 20 characters to 12"


def test_mojibake_is_mended_by_ftfy(side: Side) -> None:
    outcome = judge(Datatrove(step="FTFYFormatter"), "datatrove", shard("schÃ¶n"), side)
    assert outcome.kept["text"].to_pylist() == ["schön"]


@pytest.mark.parametrize("step", sorted(set(_steps()) - set(REFUSED) - {"RegexFilter"}))
def test_every_other_step_runs_and_judges_each_document_on_its_own(step: str, side: Side) -> None:
    stage = Datatrove(step=step)
    table = shard(PROSE * 3, ECHO, CODE, "schÃ¶n", "-----\nx\n")
    whole = judge(stage, "datatrove", table, side)
    pieces = [judge(stage, "datatrove", table.slice(row, 1), side) for row in reversed(range(table.num_rows))]
    assert pa.concat_tables([piece.kept for piece in reversed(pieces)]).equals(whole.kept)
    assert pa.concat_tables([piece.decisions for piece in reversed(pieces)]).equals(whole.decisions)
    assert judge(stage, "datatrove", table.slice(0, 0), side).kept.num_rows == 0


@pytest.mark.parametrize("step", sorted(REFUSED))
def test_steps_that_cannot_be_stages_say_why(step: str) -> None:
    assert step in _steps()  # of the datatrove that is installed
    with pytest.raises(ValidationError, match=re.escape(f"it cannot be a stage: {REFUSED[step]}")):
        Datatrove(step=step)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"step": "GopherRepetition"}, "no such filter or formatter; the nearest is 'GopherRepetitionFilter'"),
        ({"step": "RegexFilter"}, "RegexFilter cannot be made of these"),
        ({"step": "RegexFilter", "options": {"regex_exp": "("}}, "RegexFilter cannot be made of these (missing )"),
        ({"step": "RegexFilter", "options": {"regex": "x"}}, "has no option 'regex'; did you mean 'regex_exp'?"),
        (
            {"step": "C4ParagraphFilter", "options": {"exclusion_writer": "x"}},
            "no option 'exclusion_writer'. It has none",
        ),
        ({"step": "GopherQualityFilter", "options": {"min_doc_words": "many"}}, "takes no 'many' as 'min_doc_words'"),
        ({"step": "FTFYFormatter", "options": {"normalization": "NFX"}}, "takes no 'NFX' as 'normalization'"),
        (
            {"step": "GopherQualityFilter", "options": {"language": "klingon"}},
            "Language 'klingon' doesn't have a token",
        ),
        ({"step": "C4ParagraphFilter", "languages": ["Markdwn"]}, "the nearest is 'markdown'"),
    ],
)
def test_each_mistake_is_told(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(said)):
        Datatrove.model_validate(fields)
