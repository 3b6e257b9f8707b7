"""Code parses after redaction where it did before: escapes stay whole, bare numbers get quotes."""

from __future__ import annotations

import ast
import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pii.mend import mend, quoted
from pii.spans import Span, replace


def span(text: str, value: str) -> Span:
    start = text.index(value)
    return Span(start, start + len(value), "PASSWORD", 0.9, "R", "f")


@pytest.mark.parametrize(
    ("text", "found", "whole"),
    [
        (r'"Ren\u00e9 Roy"', r"Ren\u00", r"Ren\u00e9"),
        (r'"Ren\u00e9 Roy"', r"9 Roy", r"\u00e9 Roy"),
        (r'"Ren\u00e9 Roy"', r"u00e9 Roy", r"\u00e9 Roy"),
        (r'"Ren\u00e9 Roy"', r"00e9 Roy", r"\u00e9 Roy"),
        (r'"by\nJane Roy"', "nJane Roy", "Jane Roy"),
        (r'"by\n\nПётр Вяземский"', "nПётр Вяземский", "Пётр Вяземский"),
        (r'"Jane Roy\n"', "Jane Roy\\", "Jane Roy"),
        (r'"Jane Roy\\n"', "Jane Roy\\\\", "Jane Roy\\\\"),
        (r'"\\nJane"', "nJane", "nJane"),
        (r'"C:\\Users\\nina"', "nina", "nina"),
        (r'"C:\Users\tom"', "tom", "tom"),
        (r"'\xe9tienne'", r"\xe", r"\xe9"),
        ('"Jane Roy"', "Jane Roy", "Jane Roy"),
    ],
)
def test_no_escape_is_cut(text: str, found: str, whole: str) -> None:
    mended = mend(text, span(text, found))
    assert text[mended.start : mended.end] == whole


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"pin": 12345678}', '{"pin": "<PASSWORD>"}'),
        ("pin: 12345678\n", 'pin: "<PASSWORD>"\n'),
        ("pin = 12345678  # secret", 'pin = "<PASSWORD>"  # secret'),
        ("login(12345678)", 'login("<PASSWORD>")'),
        ("PIN=12345678\r\n", 'PIN="<PASSWORD>"\r\n'),
        ('dsn = "pwd=12345678;host=x"', 'dsn = "pwd=<PASSWORD>;host=x"'),
        ('{"pin": "12345678"}', '{"pin": "<PASSWORD>"}'),
        ("# the pin is 12345678", "# the pin is <PASSWORD>"),
        ("'it\\'s pin=12345678'", "'it\\'s pin=<PASSWORD>'"),
    ],
)
def test_a_bare_number_gets_quotes(text: str, expected: str) -> None:
    found = span(text, "12345678")
    assert replace(text, [found], [quoted(text, found, "<PASSWORD>")]) == expected


@given(
    st.sampled_from(["json", "yaml", "python"]),
    st.one_of(st.integers(1000, 10**12), st.from_regex(r"[a-z0-9]{4,12}", fullmatch=True)),
)
def test_a_value_of_a_configuration_can_be_replaced(language: str, value: int | str) -> None:
    written = json.dumps(value)
    if language == "yaml":
        written = str(value)
    text = {
        "json": f'{{"a": [{written}], "b": 1}}',
        "yaml": f"a: {written}\nb: 1\n",
        "python": f"a = {written}\nb = 1\n",
    }[language]
    found = span(text, str(value))
    done = replace(text, [found], [quoted(text, found, "<PASSWORD>")])
    if language == "python":
        assert len(ast.parse(done).body) == 2
    else:
        assert yaml.safe_load(done)["a"] in ("<PASSWORD>", ["<PASSWORD>"])
        assert language == "yaml" or json.loads(done)["a"] == ["<PASSWORD>"]
