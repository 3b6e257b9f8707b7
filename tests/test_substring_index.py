"""The substring index against plain Python: normalise, then look at every place of every string."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.substring_index import (
    COMMONPLACE,
    GRAM,
    INDEXED,
    LEAST_VARIETY,
    LENGTH,
    LINE,
    PROBLEMS,
    SHORT,
    STRING,
    WHOLE,
    SubstringIndex,
    build_index,
    find,
)
from stages.text_kernels import over_column

Text = tuple[str, int, int]  # a string, its problem, its benchmark

# Few pieces, so that random strings overlap, begin alike and stand in random texts.
PIECES = (
    "def f(a, b):",
    "return A+b",
    "if x[0]:\n\t",
    "é中😀",
    "0 0 0 0 0 0 0 0",
    "=" * 9,
    "while",
    "\u3000\xa0",
    "K\x00",
)
unhurried = settings(deadline=None, max_examples=60)  # the first call may compile a kernel
strings = st.lists(st.sampled_from(PIECES), max_size=7).map("".join)
belonging = st.lists(st.tuples(strings, st.integers(0, 3)), min_size=1, max_size=6)


def normalised(text: str) -> bytes:
    return "".join(text.split()).encode().lower()  # bytes.lower() knows ASCII only


def line_of(text: str, place: int) -> int:
    lines = [text[:at].count("\n") + 1 for at, char in enumerate(text) for _ in normalised(char)]
    return lines[place]


def indexed(texts: Sequence[Text], shortest: int, ngram: int | None, most: int) -> SubstringIndex:
    problems = np.array([problem for _, problem, _ in texts], np.int64)
    benchmarks = np.array([benchmark for _, _, benchmark in texts], np.int64)
    return build_index([text for text, _, _ in texts], problems, benchmarks, shortest, ngram, most)


def found(index: SubstringIndex, texts: Sequence[str]) -> list[list[int]]:
    return over_column(pa.array(texts, pa.string()), find, index).tolist()


def pieces_of(string: bytes, shortest: int, ngram: int | None) -> list[bytes]:
    if len(string) < shortest:
        return []
    if ngram is None or len(string) < ngram:
        return [string]
    return [string[at : at + ngram] for at in range(len(string) - ngram + 1)]


def in_python(texts: Sequence[Text], shortest: int, ngram: int | None, most: int, text: str) -> list[int]:
    """One row of `find`: every run that the text shares with a string, and whether it holds a telling piece."""
    listed = [(normalised(string), problem, benchmark) for string, problem, benchmark in texts]
    problems: dict[tuple[int, bytes], set[int]] = {}
    for string, problem, benchmark in listed:
        for piece in pieces_of(string, shortest, ngram):
            problems.setdefault((benchmark, piece), set()).add(problem)
    plain, ranks, hit = normalised(text), [], set()
    for number, (string, problem, benchmark) in enumerate(listed):
        telling = [
            piece
            for piece in pieces_of(string, shortest, ngram)
            if len(set(piece)) >= LEAST_VARIETY and len(problems[benchmark, piece]) <= most
        ]
        for shift in range(-len(string), len(plain)):
            at = max(shift, 0)
            while at < min(len(plain), shift + len(string)):
                end = at
                while end < min(len(plain), shift + len(string)) and plain[end] == string[end - shift]:
                    end += 1
                if any(piece in plain[at:end] for piece in telling):
                    ranks.append((-int(end - at == len(string)), at, at - end, number))
                    hit.add(problem)
                at = end + 1
    if not ranks:
        return [-1, 0, 0, 0, 0, 0]
    whole, at, length, number = min(ranks)
    return [number, -whole, at, -length, line_of(text, at), len(hit)]


@unhurried
@given(belonging, st.lists(strings, max_size=4), st.sampled_from([(16, None), (16, 16), (16, 24), (20, 33)]), st.data())
def test_it_finds_what_plain_python_finds(
    problems: list[tuple[str, int]], others: list[str], lengths: tuple[int, int | None], data: st.DataObject
) -> None:
    most = data.draw(st.integers(1, 3))
    split = data.draw(st.integers(1, 4))  # problems from this one on belong to another benchmark
    texts = [(text, problem, int(problem >= split)) for text, problem in sorted(problems, key=lambda pair: pair[1])]
    source = data.draw(st.sampled_from(problems))[0]
    begin, end = sorted(data.draw(st.tuples(*[st.integers(0, len(source))] * 2)))
    rows = [*others, source, source[begin:end].upper() + "".join(others), "x".join(others) + " ".join(source[begin:])]
    expected = [in_python(texts, *lengths, most, row) for row in rows]
    assert found(indexed(texts, *lengths, most), rows) == expected


SOLUTION = (
    "for left, right in pairs:\n    total += left * right - offset\nreturn total % modulus"  # 64 without white space
)


@pytest.mark.parametrize("length", range(16, 65))
def test_every_run_of_ngram_characters_is_found_wherever_it_stands_in_a_text(length: int) -> None:
    index = indexed([(SOLUTION, 0, 0)], 16, length, 1)
    plain = normalised(SOLUTION).decode()
    runs = [plain[at : at + length] for at in range(len(plain) - length + 1)]
    for before in ("", "#" * 7, "\n" * 3 + "é" * 20):
        texts = [f"{before}{run}?{run[1:]}" for run in runs]
        assert [row[LENGTH] for row in found(index, texts)] == [length] * len(runs)
        short = [f"{before}{run[1:]}?{run[:-1]}" for run in runs]
        assert [row[STRING] for row in found(index, short)] == [-1] * len(runs)


def test_a_text_is_read_from_its_own_begin_to_its_own_end() -> None:
    half = len(SOLUTION) // 2
    index = indexed([(SOLUTION, 0, 0)], 16, None, 1)
    column = pa.array([SOLUTION[:half], SOLUTION[half:], "", None, SOLUTION, SOLUTION[:-1]], pa.string())
    assert over_column(column, find, index)[:, STRING].tolist() == [-1, -1, -1, -1, 0, -1]
    assert over_column(column.slice(4), find, index)[:, STRING].tolist() == [0, -1]
    assert over_column(pa.chunked_array([], pa.string()), find, index).tolist() == []


def test_of_two_strings_of_which_one_begins_the_other_the_longer_is_cited() -> None:
    shorter, longer = (SOLUTION[:40], 0, 0), (SOLUTION, 1, 0)
    assert found(indexed([shorter, longer], 16, None, 1), [SOLUTION, SOLUTION[:60]]) == [
        [1, 1, 0, 64, 1, 2],
        [0, 1, 0, 29, 1, 1],
    ]


def test_a_whole_copy_goes_before_an_earlier_part() -> None:
    texts = [(SOLUTION, 0, 0), ("assert answer(12, 'abc') == {'k': 7}", 1, 0)]
    (row,) = found(indexed(texts, 16, 30, 1), [f"{SOLUTION[:50]}\n\n{texts[1][0]}\n"])
    assert (row[STRING], row[WHOLE], row[LINE], row[PROBLEMS]) == (1, 1, 4, 2)


def test_what_stands_in_many_problems_of_one_benchmark_tells_nothing() -> None:
    header = "# Copyright the authors; see LICENSE for what you may do with it.\n"
    bodies = [f"def task_{number}(value):\n    return value ** {number} + {number}00\n" for number in range(4)]
    texts = [(header + body, number, 0) for number, body in enumerate(bodies)]
    rows = [header, header + bodies[2], f"pass\n{bodies[1]}"]
    assert [row[STRING] for row in found(indexed(texts, 16, 24, 3), rows)] == [-1, 2, 1]
    assert [row[STRING] for row in found(indexed(texts, 16, 24, 4), rows)] == [0, 2, 1]
    apart = [(text, problem, problem) for text, problem, _ in texts]  # one benchmark each
    assert [row[STRING] for row in found(indexed(apart, 16, 24, 3), rows)] == [0, 2, 1]


def test_short_and_monotonous_strings_are_left_out_and_told() -> None:
    texts = [("return x + y", 0, 0), ("0 1 0 1 " * 20, 1, 0), ("-" * 200, 2, 0), (SOLUTION, 3, 0)]
    index = indexed(texts, GRAM, 32, 1)
    assert index.fate.tolist() == [SHORT, COMMONPLACE, COMMONPLACE, INDEXED]
    assert [row[STRING] for row in found(index, [text for text, _, _ in texts])] == [-1, -1, -1, 3]


def test_nothing_to_look_for_finds_nothing() -> None:
    assert found(indexed([("pass", 0, 0)], 16, 20, 1), ["pass" * 30, SOLUTION]) == [[-1, 0, 0, 0, 0, 0]] * 2
