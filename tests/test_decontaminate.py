"""Decontaminate: what is dropped, what it cites, what is left alone, and how benchmark files are read."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest
from pydantic import ValidationError

from pipeline import schema
from pipeline.errors import UsageError
from pipeline.fingerprint import stage_identity
from pipeline.law import judge
from pipeline.side import Side
from pipeline.stage import Outcome
from stages.benchmark_texts import Benchmark, read_benchmark
from stages.decontaminate import Decontaminate

PROBLEMS = [
    {
        "task_id": "Own/0",
        "prompt": 'from typing import List\n\n\ndef widest_gap(years: List[int]) -> int:\n    """ Tell the widest gap '
        "between two years that stand next to each other\n    once the years are in order.\n"
        '    >>> widest_gap([1990, 2004, 1999])\n    9\n    """\n',
        "canonical_solution": "    ordered = sorted(years)\n    gaps = [later - earlier for "
        "earlier, later in zip(ordered, ordered[1:])]\n    return max(gaps, default=0)\n",
    },
    {
        "task_id": "Own/1",
        "prompt": "def plus(x, y):\n    ''' Add two numbers, and say how far the sum is from the next multiple of ten."
        "'''\n",
        "canonical_solution": "    return x + y\n",
    },
]
SOLUTION = PROBLEMS[0]["canonical_solution"]
FILE = "import os\n\n\nclass Reader:\n    def read(self, path):\n        return os.read(path)\n"

Apply = Callable[..., Outcome]


@pytest.fixture
def problems(tmp_path: Path) -> str:
    path = tmp_path / "problems.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(problem) + "\n" for problem in PROBLEMS).encode()))
    return str(path)


@pytest.fixture
def apply(problems: str, side: Side) -> Apply:
    """Judges texts by the problems above, as the kernel would."""

    def judged(texts: Sequence[str | None], **fields: Any) -> Outcome:
        stage = Decontaminate.model_validate({"benchmarks": [{"name": "humaneval", "file": problems}]} | fields)
        return judge(stage, "decontaminate", documents(texts), side)

    return judged


def documents(texts: Sequence[str | None]) -> pa.Table:
    rows = [{"id": f"{number:02d}", "path": f"{number}.py", "text": text} for number, text in enumerate(texts)]
    return pa.Table.from_pylist(rows, schema=schema.DOCUMENT)


def read(path: str | Path, **fields: Any) -> list[tuple[str, str, str]]:
    return [text[1:] for text in read_benchmark(Benchmark.model_validate({"name": "own", "file": str(path)} | fields))]


def details(outcome: Outcome) -> list[dict[str, Any]]:
    return [json.loads(detail) for detail in outcome.decisions["detail"].to_pylist()]


def test_a_copy_in_other_case_and_white_space_is_dropped_and_cited(apply: Apply) -> None:
    copy = FILE + SOLUTION.upper().replace("    ", "\t\u3000").replace("\n", "\r\n")
    kept, decisions = outcome = apply([FILE, copy, None])
    assert kept["id"].to_pylist() == ["00", "02"]
    assert decisions.select(["id", "action", "reason"]).to_pylist() == [
        {"id": "01", "action": "drop", "reason": "benchmark_copy"}
    ]
    assert details(outcome) == [
        {
            "benchmark": "humaneval",
            "problem": "Own/0",
            "field": "canonical_solution",
            "characters": len("".join(SOLUTION.split())),
            "line": 7,
            "problems": 1,
        }
    ]


def test_half_of_a_problem_in_a_bigger_file_is_dropped(apply: Apply) -> None:
    prompt = PROBLEMS[0]["prompt"]
    outcome = apply([f"{FILE}{prompt[: len(prompt) * 2 // 3]}\n{FILE}", f"{FILE}{prompt[:60]}\n{FILE}"])
    assert outcome.decisions["reason"].to_pylist() == ["benchmark_ngram"]
    (detail,) = details(outcome)
    assert (detail["problem"], detail["line"], detail["field"]) == ("Own/0", 7, "prompt")
    assert apply([f"{FILE}{prompt[: len(prompt) * 2 // 3]}"], ngram=None).decisions.num_rows == 0


def test_a_task_is_known_by_its_description_alone(apply: Apply) -> None:
    task = "// Add two numbers, and say how far the sum is\n// from the next multiple of ten."
    outcome = apply([task.replace("//", ""), task])
    assert [(detail["problem"], detail["field"]) for detail in details(outcome)] == [("Own/1", "prompt.docstring")]


def test_a_trivial_solution_drops_nothing_unless_asked_to(apply: Apply, problems: str) -> None:
    text = f"{FILE}    return x + y\n    ordered = sorted(years)\n    gaps = []\n"
    assert apply([text]).decisions.num_rows == 0
    with pytest.raises(ValidationError, match="greater than or equal to 16"):
        Decontaminate.model_validate({"benchmarks": [{"name": "humaneval", "file": problems}], "min_characters": 9})


def test_of_several_problems_the_first_whole_one_is_cited_and_all_are_counted(apply: Apply) -> None:
    (detail,) = details(apply([f"{PROBLEMS[1]['prompt']}\n{SOLUTION}{PROBLEMS[0]['prompt']}"]))
    assert (detail["problem"], detail["field"], detail["line"], detail["problems"]) == ("Own/1", "prompt", 1, 2)


def test_every_reason_is_explained_in_a_sentence(apply: Apply, problems: str) -> None:
    stage = Decontaminate.model_validate({"benchmarks": [{"name": "humaneval", "file": problems}]})
    outcome = apply([SOLUTION, PROBLEMS[0]["prompt"][30:200]])
    copy, part = (stage.explain(decision) for decision in outcome.decisions.to_pylist())
    assert copy == (
        "it holds a whole text of a benchmark: canonical_solution of humaneval problem Own/0, 108 characters "
        "from line 1 on (problems found in it: 1)"
    )
    assert part.startswith("it holds a part of a text of a benchmark: 1")
    assert "characters of prompt of humaneval problem Own/0, from line 1 on" in part


def test_the_fingerprint_follows_the_content_of_the_file_not_its_place(problems: str, tmp_path: Path) -> None:
    def identity(path: str | Path) -> dict[str, Any]:
        stage = Decontaminate.model_validate({"benchmarks": [{"name": "humaneval", "file": str(path)}]})
        return stage_identity("decontaminate", stage)

    moved = tmp_path / "moved.jsonl.gz"
    moved.write_bytes(Path(problems).read_bytes())
    assert identity(moved) == identity(problems)
    moved.write_bytes(gzip.compress(json.dumps(PROBLEMS[0]).encode()))
    assert identity(moved) != identity(problems)


def test_lists_of_texts_and_lists_within_a_field_are_read(tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("first text\n\nthird text\n")
    assert read(tmp_path / "plain.txt") == [("1", "text", "first text"), ("3", "text", "third text")]
    (tmp_path / "plain.json").write_text('["a", "b"]')
    assert read(tmp_path / "plain.json") == [("1", "text", "a"), ("2", "text", "b")]
    mbpp = {"task_id": 11, "text": "Write", "code": "def f", "test_list": ["assert 1", "assert 2"], "other": 3}
    (tmp_path / "mbpp.json").write_text(json.dumps([mbpp | {"code": None}]))
    assert read(tmp_path / "mbpp.json", name="mbpp") == [
        ("11", "text", "Write"),
        ("11", "test_list", "assert 1"),
        ("11", "test_list", "assert 2"),
    ]
    assert read(tmp_path / "mbpp.json", id="other", fields=["text"]) == [("3", "text", "Write")]


def test_a_benchmark_is_read_from_any_storage() -> None:
    with fsspec.open("memory://benchmarks/plain.txt", "wb") as file:
        file.write(b"a text")
    assert read("memory://benchmarks/plain.txt") == [("1", "text", "a text")]


def test_the_docstring_is_what_stands_between_the_last_triple_quotes(tmp_path: Path) -> None:
    prompts = ['"""module"""\ndef f():\n  """ task """\n', "def g():\n  ''' say \"x\" '''", "no task"]
    (tmp_path / "p.jsonl").write_text("\n".join(json.dumps({"n": n, "p": p}) for n, p in enumerate(prompts)))
    found = read(tmp_path / "p.jsonl", id="n", fields=["p.docstring"])
    assert found == [("0", "p.docstring", " task "), ("1", "p.docstring", ' say "x" ')]


@pytest.mark.parametrize(
    ("name", "content", "fields", "message"),
    [
        (
            "a.jsonl",
            '{"n": 1, "code": "x"}\n{"n"',
            {"id": "n", "fields": ["code"]},
            "a.jsonl, line 2: this is not JSON",
        ),
        (
            "a.jsonl",
            '{"n": 1, "code": "x"}',
            {"id": "n", "fields": ["coda"]},
            "line 1: .* 'coda'; the nearest is 'code'",
        ),
        ("a.jsonl", '{"n": 1, "code": "x"}', {}, "say in the recipe which field .* it has code, n"),
        ("a.jsonl", '{"n": 1, "code": [2]}', {"id": "n", "fields": ["code"]}, "'code' holds neither a text nor a list"),
        ("a.jsonl", "17", {}, "line 1: this is neither a JSON object nor a text"),
        ("a.txt", "some text", {"id": "n"}, "takes neither 'id' nor 'fields'"),
        ("a.txt", "\n\n", {}, "holds no text"),
        ("a.json", '{"n": 1}', {}, "not a JSON list"),
        ("a.csv", "n,code", {}, "a benchmark is a .jsonl, .json or .txt file"),
        ("a.txt.gz", "not gzip", {}, "cannot read the benchmark"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_in_a_sentence(
    tmp_path: Path, name: str, content: str, fields: dict[str, Any], message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError, match=message):
        read(tmp_path / name, **fields)


def test_bytes_that_are_no_utf8_and_absent_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    with pytest.raises(UsageError, match=r"latin.txt: the benchmark is not UTF-8 \(byte 3\)"):
        read(tmp_path / "latin.txt")
    with pytest.raises(UsageError, match=r"cannot read the benchmark '.*absent.txt' \(No such file"):
        read(tmp_path / "absent.txt")


def test_a_configuration_that_cannot_be_meant_is_refused(problems: str) -> None:
    known = {"name": "humaneval", "file": problems}
    for fields, message in (
        ({"benchmarks": []}, "at least 1 item"),
        ({"benchmarks": [known, known]}, "two benchmarks are named 'humaneval'"),
        ({"benchmarks": [known], "ngram": 30}, r"'ngram' \(30\) must be at least 'min_characters' \(40\)"),
    ):
        with pytest.raises(ValidationError, match=message):
            Decontaminate.model_validate(fields)
