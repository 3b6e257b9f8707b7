"""Quality: each rule just inside and just outside its limit, and where it does not apply."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pyarrow as pa
import pytest
from pydantic import ValidationError

from pipeline.side import Side, Worker
from pipeline.stage import Outcome
from stages import languages
from stages.quality import Quality

CODE = "def function(argument):\n    return argument\n"  # breaks no rule


table = cache(languages.load)


@pytest.fixture(scope="module")
def worker() -> Worker:
    """One worker for all tests here, which keeps the character classes as a worker of a run does."""
    return Worker()


@pytest.fixture
def side(side: Side, worker: Worker) -> Side:
    return replace(side, worker=worker)


def documents(rows: Sequence[tuple[str, str]]) -> pa.Table:
    """(path, text) rows as Select leaves them."""
    paths = pa.array([path for path, _ in rows], pa.string())
    texts = pa.array([text for _, text in rows], pa.string())
    ids = pa.array([str(number) for number in range(len(rows))], pa.string())
    language = table().of(paths, texts)
    return pa.table([ids, paths, language, texts], schema=Quality.takes)


def judged(side: Side, path: str, text: str, stage: Quality | None = None) -> str | None:
    """The reason for which a file is dropped; None where it is kept."""
    outcome = (stage or Quality()).apply(documents([(path, text)]), side)
    assert outcome.kept.num_rows + outcome.decisions.num_rows == 1
    return outcome.decisions.column("reason").to_pylist()[0] if outcome.decisions.num_rows else None


def page(visible: int, hidden: int) -> str:
    return "<p>" + "a " * (visible // 2) + "</p><!--" + "b" * (hidden - 14) + "-->"


def short(value: str) -> str:
    """A test's name, where texts of a megabyte are parameters."""
    return value.split("\n")[0][:20]


LINE = "word " * 10  # 50 characters
JSON = '{"name of a key": "some value"},\n'  # 33 characters, more than half of them letters


@pytest.mark.parametrize(
    ("path", "inside", "outside", "reason"),
    [
        ("a.py", "x\n", " \n\t\u2028", "empty"),
        ("a.py", "é", "", "empty"),
        ("a.py", "ab\n" * 100_000, "ab\n" * 100_001, "too_many_lines"),
        ("a.py", "a\n" * 10 + "b " * 500, "a\n" * 10 + "b " * 500 + "b", "long_line"),
        ("a.py", "a\r" * 10 + "中 " * 500, "a\r" * 10 + "中 " * 500 + "中", "long_line"),
        ("a.py", LINE * 2 + "\n" + LINE * 2 + "\n", LINE * 2 + "\n" + LINE * 2 + "b\n", "long_average_line"),
        ("a.py", "a1;;;;;;", "a1;;;;;;;", "low_alphanumeric"),  # 2 of 8 inside, which is also few letters: see below
        ("a.py", "中文1;;;;;", "中1;;;;;;", "low_alphabetic"),
        ("a.py", "é1;;", "é1;;;", "low_alphabetic"),
        ("a.json", JSON * 2, JSON[:32] + '"' * 33, "low_alphabetic"),
        ("a.py", " " * 87 + "<?xml version=" + CODE * 9, " " * 86 + "<?xml version=" + CODE * 9, "xml"),
        ("a.html", page(200, 799), page(200, 800), "html_little_text"),
        ("a.html", "<b>" + "a" * 101 + "</b>", "<b>" + "a" * 100 + "</b>", "html_short_text"),
        ("a.json", '"' + "a" * 48 + '"', '"' + "a" * 47 + '"', "data_too_small"),
        ("a.yaml", "key: value of a key\n" * 250, "key: value of a key\n" * 250 + "k", "data_too_large"),
        ("a.yml", "ab: cd\n" * 512, "ab: cd\n" * 513, "data_too_many_lines"),
        ("a.py", "\n" * 5 + "# auto-generated\n" + CODE, "\n" * 4 + "# Auto-Generated\n" + CODE, "auto_generated"),
        ("a.py", CODE * 99 + " " + "ab12\n" * 204 + "abcd", CODE * 99 + " " + "ab12\n" * 205, "encoded_stretch"),
        ("a.py", LINE * 2 + "\n" + "A" * 98 + "\n", LINE * 2 + "\n" + "A" * 99 + "\n", "encoded_share"),
    ],
    ids=short,
)  # fmt: skip
def test_each_rule_at_its_limit(side: Side, path: str, inside: str, outside: str, reason: str) -> None:
    assert judged(side, path, outside) == reason
    assert judged(side, path, inside) != reason


def test_an_alphanumeric_text_of_few_letters_is_dropped_for_its_letters_unless_it_is_assembly(side: Side) -> None:
    text = "a1;;;;;;"
    assert judged(side, "a.py", text) == "low_alphabetic"
    assert judged(side, "a.asm", text) is None
    assert judged(side, "a.asm", text + ";") == "low_alphanumeric"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        *((path, ("word " * 400 + "\n") * 3) for path in ("a.md", "a.tex", "a.rst", "a.sql", "a.cmake", "a.R", "a.do")),
        *(("CMakeLists.txt", ("word " * 400 + "\n") * 3), ("a.html", ("word " * 400 + "\n") * 3)),
        ("a.json", '{"key": "' + "word " * 400 + '"}'),
        *(("a.sas", "a;;;;;;;;;;"), ("a.frm", "a;;;;;;;;;;;")),
        *(("a.xsl", '<?xml version="1.0"?>\n' + CODE * 5), ("a.xslt", '<?xml version="1.0"?>\n' + CODE * 5)),
        *(("a.fsh", "word " * 100), ("a.py", "变量 = 函数(参数)\n" * 3), ("a.go", "// привет, мир\n")),
    ],
    ids=short,
)
def test_exceptions_of_languages_and_extensions(side: Side, path: str, text: str) -> None:
    stage = Quality(max_average_line_length=None) if path == "a.fsh" else Quality()
    assert judged(side, path, text, stage) is None


def test_limits_that_are_tighter_or_remain_where_a_rule_is_lifted(side: Side) -> None:
    assert judged(side, "a.fsh", CODE * 99 + "word " * 101) == "long_line"
    assert judged(side, "a.md", "word " * 20_000) is None
    assert judged(side, "a.md", "word " * 20_001) == "long_line"
    assert judged(side, "a.plsql", CODE * 99 + "word " * 201) == "long_line"  # only .sql is lifted


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.go", "// Copyright\n" * 39 + "// Code generated by protoc-gen-go. DO NOT EDIT.\n" + CODE),
        ("a_pb2.py", "# Generated by the protocol buffer compiler.  DO NOT EDIT!\n" + CODE),
        ("a.c", "/* Generated by Cython 3.0 */\n" + CODE),
        ("a.h", "/* DO NOT EDIT THIS FILE - it is machine generated */\n" + CODE),
        ("a.js", CODE + "//# sourceMappingURL=a.js.map\n"),
        ("web/node_modules/x/index.js", CODE),
        ("package-lock.json", '{"name": "' + "abc " * 20 + '"}'),
        ("Form1.Designer.cs", CODE),
        ("a.py", "#\r#\r#\r# This file is generated\r" + CODE),
    ],
)
def test_what_says_that_a_program_wrote_it(side: Side, path: str, text: str) -> None:
    assert judged(side, path, text) == "auto_generated"
    assert judged(side, path, text, Quality(drop_generated=False)) is None
    assert judged(side, path, text, Quality(drop_generated=None)) is None


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("generator.py", "# Writes the table of names.\n" + CODE),
        ("a.py", "# how to edit what was generated\n" + CODE),
        ("a.py", CODE + "# sourceMappingURL=\n" + CODE),
        ("vendor/notes.py", CODE),
        ("a.go", "// Copyright\n" * 40 + "// Code generated by hand: an example\n" + CODE),
    ],
)
def test_what_only_speaks_of_generation_is_kept(side: Side, path: str, text: str) -> None:
    assert judged(side, path, text) is None


def test_the_first_broken_rule_in_the_order_of_the_reasons_is_named_with_value_and_limit(side: Side) -> None:
    stage = Quality()
    outcome = stage.apply(documents([("a.py", CODE), ("b.py", ";" * 2000), ("c.py", ";" * 50)]), side)
    assert outcome.kept.column("path").to_pylist() == ["a.py"]
    rows = outcome.decisions.to_pylist()
    assert [(row["path"], row["reason"]) for row in rows] == [("b.py", "long_line"), ("c.py", "low_alphanumeric")]
    assert [json.loads(row["detail"]) for row in rows] == [{"limit": 1000, "value": 2000}, {"limit": 0.25, "value": 0}]
    assert stage.explain(rows[0]) == "its longest line has 2,000 characters, more than the 1,000 allowed"


def outcome_of(stage: Quality, shard: pa.Table, side: Side) -> tuple[list[str], list[tuple[str, str]]]:
    outcome: Outcome = stage.apply(shard, side)
    decided = outcome.decisions.to_pylist()
    return outcome.kept.column("id").to_pylist(), [(row["id"], row["reason"]) for row in decided]


def test_documents_are_judged_alone_also_in_slices_and_chunks(side: Side) -> None:
    shard = documents([("a.py", CODE), ("b.md", ""), ("c.html", "<p>"), ("d.json", "{}"), ("e.c", "é" * 1001)])
    kept, decided = outcome_of(Quality(), shard, side)
    assert kept == ["0"]
    assert decided == [
        *(("1", "empty"), ("2", "html_little_text"), ("3", "low_alphanumeric"), ("4", "long_line")),
    ]
    for start in range(6):
        for parts in ([shard.slice(start)], [shard.slice(start, 1), shard.slice(start + 1)]):
            part = outcome_of(Quality(), pa.concat_tables(parts), side)
            assert part == ([i for i in kept if int(i) >= start], [d for d in decided if int(d[0]) >= start])


@pytest.mark.parametrize(
    ("field", "path", "text"),
    [
        ("max_lines", "a.py", "a b\n" * 100_001),
        ("min_html_text", "a.html", "abc def"),
        ("min_data_size", "a.json", '{"abcd": "abcdefgh"}'),
        ("max_encoded_share", "a.py", "A" * 80 + " a"),
        ("drop_xml", "a.py", "<?xml version=" + CODE),
    ],
    ids=short,
)
def test_null_turns_a_rule_off(side: Side, field: str, path: str, text: str) -> None:
    assert judged(side, path, text) is not None
    assert judged(side, path, text, Quality.model_validate({field: None})) is None


def test_a_recipes_exceptions_win_over_the_table(side: Side) -> None:
    digits = '{"key": [' + "1234, " * 50 + "5], " + '"' + "a" * 150 + '": 0}'
    assert judged(side, "a.json", digits) == "low_alphabetic"
    assert judged(side, "a.json", digits, Quality(exceptions={"json": {"min_alphabetic": 0.25}})) is None
    stage = Quality(exceptions={".md": {"max_line_length": 10}})
    assert judged(side, "a.md", "eleven characters", stage) == "long_line"
    only_prose = Quality(max_line_length=None, exceptions={"markdown": {"max_line_length": 100}})
    assert judged(side, "a.md", "word " * 21, only_prose) == "long_line"
    assert judged(side, "a.py", "word " * 19, only_prose) is None
    with pytest.raises(ValidationError, match="'jsn' is neither a language nor an extension"):
        Quality(exceptions={"jsn": {}})
    with pytest.raises(ValidationError, match="'max_lenght' of 'json' is no limit; the limits are max_lines"):
        Quality(exceptions={"json": {"max_lenght": 1}})


def test_every_limit_that_the_table_names_is_one() -> None:
    assert Quality(exceptions={key: dict(limits) for key, limits in table().quality.items()}).exceptions
