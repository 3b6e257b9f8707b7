"""The scan that chooses what the NER model reads."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pii.ner import candidates
from pii.windows import SEPARATOR

PIECES = (
    *("by ", "Thomas ", "Müller", "王", "\n", "@", "@jdoe", "(c) ", "author: ", "TODO(", "<", ">", "/home/", "user='"),
    *("©", ", ", "x@y.org", "“", ". ", "J. ", "van ", "-- ", "Authors:\n", "$Id: ", "et al", '"', "name"),
)


def cut(*texts: str | None) -> list[tuple[int, int, str]]:
    """(row, first code point, window) of the texts."""
    found = candidates.find(pa.array(texts, pa.string()))
    windows = found.text.split(SEPARATOR)[:-1] if len(found.rows) else []
    return list(zip(found.rows.tolist(), found.origins.tolist(), windows, strict=True))


def yields(text: str, value: str) -> bool:
    """Whether a window of the text, among code, holds the whole value."""
    code = "int main(void) {\n    return frob(x);\n}\n"
    return any(value in window for _, _, window in cut(code * 9 + text + "\n" + code * 9))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("// Copyright (c) 2010-2014 Zbigniew Qwertyński. All rights reserved.", "Zbigniew Qwertyński"),
        ("/* © 2012 Xqz Wvut */", "Xqz Wvut"),
        ("# Author: Foobert Barsson", "Foobert Barsson"),
        (" * @author Quux McQuuxface", "Quux McQuuxface"),
        (" * @author zquux", "zquux"),
        ("__author__ = 'zquux'", "zquux"),
        (' "author": "Zquux Blargh",', "Zquux Blargh"),
        ("# AUTHORS:\n#   Zquux Blargh\n#   Blargh Zquux", "Blargh Zquux"),
        ("Signed-off-by: Zquux Blargh <zb@blargh.org>", "Zquux Blargh"),
        ("  * fixed by Zquux Blargh (#12)", "Zquux Blargh"),
        ("- Added a thing (Thomas Blargh)", "Thomas Blargh"),
        ("- Added a thing (Konstantin\n  Blargh)", "Konstantin\n  Blargh"),
        ("  see K. Zquux, 'On Things', 1998", "K. Zquux"),
        ("-- Thomas Blargh  12 May 2001", "Thomas Blargh"),
        ("Jürgen van der Blargh wrote it", "Jürgen van der Blargh"),
        ("BLARGH, Thomas; 2001; 12", "BLARGH, Thomas"),
        ("INSERT INTO e VALUES (1,'Thomas','Zquux','M');", "'Thomas','Zquux'"),
        ("作者: 王小明", "王小明"),
        ("# Автор: Зквукс Бларг", "Зквукс Бларг"),
        ("# written by\n#   Zquux Blargh", "Zquux Blargh"),
        ("# thanks to Zquux", "Zquux"),
        ("Thanks @zquux.", "@zquux"),
        ("- a thing (@zquux)", "@zquux"),
        ("// TODO(zquux): frob", "zquux"),
        ("// TODO(zquux@): frob", "zquux"),
        ("export X=/home/zquux/bin", "zquux"),
        (r"C:\Users\zquux\x", "zquux"),
        (r'"C:\\Users\\zquux\\x"', "zquux"),
        ("https://twitter.com/zquux", "zquux"),
        ("$user = 'zquux';", "zquux"),
        ("user=zquux", "zquux"),
        ("//  Created by zquux on 1/2/12.", "zquux"),
        ("$Id: x.c,v 1.2 2001/02/03 zquux Exp $", "zquux"),
        ("ssh zquux@10.1.2.3", "zquux"),
    ],
)
def test_names_and_accounts_are_candidates(text: str, name: str) -> None:
    assert yields(text, name)


@pytest.mark.parametrize(
    "text",
    [
        "def f(author: str, copyright: str = '') -> None:",
        "class Thomas(Mark): pass  # sorted by default",
        "x = Thomas.parse(Thomas.Kind)",
        "@property\ndef by(self): ...",
        "@Override\npublic void set(Mark mark) {}",
        "import { a } from '@babel/core';",
        "/** @param name the new value */",
        "// Returns the first Node of this List, or Null.",
        "The above copyright notice and this permission notice shall be included in",
        "See the Getting Started page of the User Guide.",
        "npm install react@16.2.0",
        "if @options.empty? then @foo else @bar end",
        "TODO: remove this",
        "https://github.com/a/b/issues/12",
        "user = get_user(request)",
    ],
)
def test_code_is_no_candidate(text: str) -> None:
    assert cut(text) == []


def test_rows_offsets_and_nulls() -> None:
    text = "ä\n# by Thomas Müller\nx = 1\n"
    (first, origin, window), (second, other, again) = cut(None, text, "", "no", text)
    assert (first, second, origin, other, window) == (1, 4, 2, 2, again)
    assert text[origin : origin + len(window)] == window == "# by Thomas Müller"


def test_a_slice_of_a_column_is_read_from_its_own_start() -> None:
    column = pa.array(["# by Anna Zquux", "x = 1", "# by Thomas Zquux"])
    assert candidates.find(column[1:]).rows.tolist() == [1]


def test_a_long_line_is_cut_around_each_trigger() -> None:
    line = "x" * 200_000 + " by Thomas Zquux; " + "y=1;" * 50_000
    ((_, origin, window),) = cut(line)
    assert "Thomas Zquux" in window
    assert len(window) <= candidates.BACK + candidates.AHEAD + 20
    assert line[origin : origin + len(window)] == window


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=12),
            st.sampled_from(PIECES),
        ),
        max_size=60,
    )
)
def test_windows_are_pieces_of_the_text_in_order(pieces: list[str]) -> None:
    text = "".join(pieces).replace("\0", "")
    position = -1
    for row, origin, window in cut(text, text):
        if row == 0:
            assert origin > position
            position = origin + len(window)
        assert window
        assert text[origin : origin + len(window)] == window


@pytest.mark.parametrize(
    "piece", ["@a ", "by ", "author: ", "user ", "T. ", "    ", "(c) ", "@jdoe, ", "a@b ", "TODO(", "作", "author,\n"]
)
def test_the_scan_is_linear(piece: str) -> None:
    """Ten times the text takes some ten times as long, whatever it repeats."""
    from time import process_time

    def seconds(count: int) -> float:
        column = pa.array([piece * count])
        begin = process_time()
        candidates.find(column)
        return process_time() - begin

    seconds(10)
    assert seconds(400_000) < 30 * max(seconds(40_000), 0.002)
