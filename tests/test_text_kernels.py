"""The text kernels against plain Python: str's methods, re and BeautifulSoup are the references."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.encoded_data import encoded_data
from stages.html_text import visible_characters
from stages.text_kernels import character_classes, over_column, text_statistics

EXPRESSIONS = (
    re.compile(r"[a-zA-Z0-9+/\n=]{64,}"),
    re.compile(r"(?:\b(?:0x|\\x)?[0-9a-fA-F]{2}(?:,|\b\s*)){8,}"),
    re.compile(r"(?:\\u[0-9a-fA-F]{4}){8,}"),
)
# Pieces out of which random texts come near to matching, and to not matching.
PIECES = (
    *("0x41,", "41 ", "ab,", "cd", "f", "0", "0x", "\\x", "\\x41", "\\u00e9", "\\u0", "_", ",", "=", "/", "g", "\\"),
    *(" ", "\n", "\t", "\r\n", "\u2028", "\x1c", "\xa0", "\x85", "é", "中", "٣", "²", "𝒜", "😀"),
    *("41\n" * 4, "A" * 30, "\\x4a\\x4b" * 4, "\\u00e9" * 4, "0x41," * 4),
)
unhurried = settings(deadline=None)  # the first call may compile a kernel
pieces = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@pytest.fixture(scope="module")
def classes() -> np.ndarray:
    return character_classes()


def statistics_in_python(text: str) -> list[int]:
    lengths = [len(line) for line in text.splitlines()]
    counts = [sum(map(test, text)) for test in (str.isalpha, str.isalnum, str.isspace)]
    return [len(text), len(lengths), max(lengths, default=0), sum(lengths), *counts]


def encoded_in_python(text: str) -> list[int]:
    lengths = [[len(match[0]) for match in expression.finditer(text)] for expression in EXPRESSIONS]
    return [max(map(max, filter(None, lengths)), default=0), *map(sum, lengths)]


def visible_in_python(page: str) -> int:
    soup = BeautifulSoup(page, "html.parser")
    for element in soup(["script", "style"]):
        element.extract()
    return len(soup.get_text())


@unhurried
@given(st.lists(st.one_of(st.text(), pieces), max_size=6))
def test_statistics_are_those_of_str(classes: np.ndarray, texts: list[str]) -> None:
    counted = over_column(pa.array(texts, pa.string()), text_statistics, classes)
    assert counted.tolist() == [statistics_in_python(text) for text in texts]


@unhurried
@given(st.lists(st.one_of(st.text(), pieces), max_size=6))
def test_encoded_data_is_what_the_regular_expressions_match(classes: np.ndarray, texts: list[str]) -> None:
    matched = over_column(pa.array(texts, pa.string()), encoded_data, classes)
    assert matched.tolist() == [encoded_in_python(text) for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        *("A" * 63, "A" * 64, "A" * 63 + "\n", "A" * 63 + "=" + "!" + "B" * 64),
        *("0x41," * 7, "0x41," * 8, "0x41, " * 20, "41 " * 8, "z41 " * 8, '"' + "\\x41" * 9, "a" + "\\x41" * 8),
        *("\\u0041" * 7, "\\u0041" * 8, "\\" + "\\u0041" * 8, "\\u00g1" + "\\u0041" * 8),
    ],
)
def test_encoded_data_at_the_shortest_match(classes: np.ndarray, text: str) -> None:
    assert over_column(pa.array([text]), encoded_data, classes).tolist() == [encoded_in_python(text)]


def test_slices_chunks_and_nulls_are_read_as_themselves(classes: np.ndarray) -> None:
    texts = ["ab\nc", "é中\n", "", None, "x y", "A" * 70]
    whole = pa.array(texts, pa.string())
    column = pa.chunked_array([whole.slice(1, 2), whole.slice(3, 0), whole.slice(4), whole.slice(3, 1)])
    expected = [text or "" for text in column.to_pylist()]
    counted = over_column(column, text_statistics, classes).tolist()
    assert counted == [statistics_in_python(text) for text in expected]
    matched = over_column(column, encoded_data, classes).tolist()
    assert matched == [encoded_in_python(text) for text in expected]
    assert over_column(pa.chunked_array([], pa.string()), text_statistics, classes).shape == (0, 7)


PAGES = [
    "<!DOCTYPE html>\n<html>\n  <head>\n    <title>Title</title>\n  </head>\n  <body>Hello</body>\n</html>\n",
    "<p>a &amp; b &#169; &#xe9; &lt;x&gt; AT&T fish & chips</p>",
    "<script>if (a < b && c > d) { '<p>no</p>' }</script><style>p > a {}</style>seen<SCRIPT src='x'></SCRIPT>too",
    '<a title="1 > 0" href=x>link</a> 3 < 4 <br/>end',
    "<!-- no <p>comment</p> --> yes <!-- --><?php echo 1 ?>",
    "<pre>\n    <span>a</span>    <span>b</span>\n</pre>\n    \n<p>é中😀</p>",
    "no markup at all",
    "",
]


@pytest.mark.parametrize("page", PAGES)
def test_visible_text_is_as_long_as_beautiful_soup_says(page: str) -> None:
    assert over_column(pa.array([page]), visible_characters).tolist() == [visible_in_python(page)]


parts = st.sampled_from(
    (
        *("<div>", "</div>", "<p class='x'>", "</p>", "<br>", " ", "\n  ", "text", "é", "&nbsp;", "<!-- c -->"),
        *("<script>var a = '<b>';</script>", "<style>b{}</style>", '<img alt="a > b">', "a & b", "1 &lt; 2"),
    )
)


@unhurried
@given(st.lists(parts, max_size=30).map("".join))
def test_visible_text_of_well_formed_markup_is_exact(page: str) -> None:
    assert over_column(pa.array([page]), visible_characters).tolist() == [visible_in_python(page)]


@pytest.mark.parametrize(
    "unit", ["<a ", "<!--", "<!", "<script>", '<a b="', "<a x='>' <a y=\">", "&amp", "<pre>", "</"]
)
def test_broken_markup_is_counted_in_linear_time(unit: str) -> None:
    visible = over_column(pa.array([unit * 100_000]), visible_characters)  # quadratic time would not end
    assert 0 <= visible[0] <= len(unit) * 100_000
