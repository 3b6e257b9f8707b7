"""Comments: the kernel against a plain reading of its table, Python's parser and pygments; and the stage's verdicts."""

from __future__ import annotations

import ast
import io
import re
import string
import sysconfig
import time
import tokenize
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment

from pipeline.law import judge
from pipeline.side import Side
from pipeline.stage import Outcome
from stages import comment_syntax, languages
from stages.comment_kernel import comment_characters
from stages.comments import Comments
from stages.text_kernels import buffers

RULES = comment_syntax.rules_by_language()
SYNTAXES = comment_syntax.load()
WORD = frozenset(string.ascii_letters + string.digits + "_")
COUNTED = (Comment, Comment.Single, Comment.Multiline, Comment.Special)  # pygments' others are directives
DELIMITERS = {"word": "[A-Za-z0-9_]{1,255}+", "capitals": "[A-Z0-9_]{1,255}+"}

# Pieces out of which random texts come near to every rule.
MARKERS = sorted({part for rules in RULES.values() for rule in rules for part in (rule["begin"], rule.get("end", ""))})
PIECES = (
    *(marker.replace("…", inside) for marker in MARKERS for inside in ("", "E", "=")),
    *("\\", "\n", "\r\n", "\r", " ", "\t", "\n  ", "'", '"', "#", "/", "*", "(", ")", "[", "]", "{", "}", ";", "="),
    *("return", "return ", "a", "E", "rE", "1", "é", "中", "😀", "\\é", "'é'", "'\\n'", "'\\u00e9'", "f'", "$"),
)


def counted(language: str, texts: Sequence[str]) -> list[int]:
    syntax = np.full(len(texts), SYNTAXES.names[language], np.int32)
    return comment_characters(*buffers(pa.array(texts, pa.string())), syntax, *SYNTAXES.tables).tolist()


def is_at(text: str, at: int, place: str, after: Sequence[str] = ()) -> bool:
    before = text[:at]
    if place == "anywhere" or not before:
        return True
    if place == "line":
        return before[-1] in "\n\r"
    if place == "space":
        return before[-1] in " \t\n\r;&|()"
    if place == "name":
        return before[-1] not in WORD and before[-1] not in ")]}'."
    if place == "indent":
        return before.rstrip(" \t")[-1:] in ("", "\n", "\r")
    before = before.rstrip(" \t\n\r")
    if before and before[-1] in WORD:
        return re.search("[A-Za-z0-9_]*$", before)[0] in after  # type: ignore[index]
    return not before or before[-1] in "=([{,;:!&|?+-*%~^>"


def begins(text: str, at: int, rule: dict[str, Any]) -> tuple[int, str] | None:
    """Where the inside of the rule begins, and its delimiter."""
    begin, delimited, middle = rule["begin"].partition("…")
    if not text.startswith(begin, at):
        return None
    inside, delimiter = at + len(begin), ""
    if not delimited and text[inside - 1] in WORD and text[inside : inside + 1] in WORD:
        return None
    if not is_at(text, at, rule.get("at", "anywhere"), rule.get("after", ())):
        return None
    if delimited:
        chosen = rule.get("delimiter", "word")
        found = re.compile(DELIMITERS.get(chosen, f"[{chosen}]{{0,255}}+")).match(text, inside)
        if found is None or not text.startswith(middle, found.end()):
            return None
        inside, delimiter = found.end() + len(middle), found[0]
    if rule["kind"] == "character":
        if text.startswith("\\", inside):
            escape = text[inside + 1 :].encode()[:12]
            place = escape.find(b"'", 1)
            if place < 0:
                return None
            inside += 2 + len(escape[:place].decode())
        elif text[inside : inside + 1] not in ("", "\n", "\r") and text.startswith("'", inside + 1):
            inside += 2
        else:
            return None
    return min(inside + rule.get("skip", 0), len(text)), delimiter


def ends(text: str, at: int, rule: dict[str, Any], delimiter: str) -> int:
    end = rule.get("end", "").replace("…", delimiter)
    depth, in_class = 1, False
    while at < len(text):
        closes = bool(end) and not in_class and text.startswith(end, at)
        closes = closes and is_at(text, at, rule.get("end_at", "anywhere"))
        closes = closes and not (end[-1] in WORD and text[at + len(end) : at + len(end) + 1] in WORD)
        if text[at] == rule.get("escape"):
            at += 2
        elif closes and rule.get("doubled") and text.startswith(end, at + len(end)):
            at += 2 * len(end)
        elif closes:
            at += len(end)
            depth -= 1
            if depth == 0:
                return at
        elif rule.get("nests") and text.startswith(rule["begin"], at):
            at += len(rule["begin"])
            depth += 1
        elif text[at] in "\n\r" and not rule.get("lines", rule["kind"] == "comment" and bool(end)):
            return at
        else:
            if rule.get("classes") and text[at] in "[]":
                in_class = text[at] == "["
            at += 1
    return len(text)


def is_statement(before: str, after: str) -> bool:
    starts = re.search(r"(?:^|(?P<escaped>\\?)(?:\r\n|[\r\n]))[ \t]*(?:[rRuU]{1,2})?$", before)
    return bool(starts and not starts["escaped"] and re.match(r"[ \t]*(?:[\r\n#;]|$)", after))


def in_python(language: str, text: str) -> int:
    """What the table says, read rule by rule."""
    at = depth = comments = 0
    while at < len(text):
        for rule in RULES[language]:
            if found := begins(text, at, rule):
                break
        else:
            at += 1
            continue
        after, kind = found[0], rule["kind"]
        depth = max(depth + {"open": 1, "close": -1}.get(kind, 0), 0)
        if kind in ("comment", "string", "docstring"):
            after = ends(text, found[0], rule, found[1])
            documents = kind == "docstring" and depth == 0 and is_statement(text[:at], text[after:])
            comments += after - at if kind == "comment" or documents else 0
        at = after
    return comments


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(sorted(RULES)), st.lists(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), max_size=3)
)
def test_the_kernel_counts_what_the_table_says(language: str, texts: list[str]) -> None:
    assert counted(language, texts) == [in_python(language, text) for text in texts]


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(sorted(RULES)), st.text(max_size=30), st.lists(st.sampled_from(PIECES), max_size=20))
def test_any_text_gives_a_number_no_larger_than_itself(language: str, head: str, pieces: list[str]) -> None:
    text = head + "".join(pieces)
    assert 0 <= counted(language, [text])[0] <= len(text)


@pytest.mark.parametrize("piece", ["#", "/*", "{-", "(*", "<<E", "[=", " ", "'", "\\", "/ ", '"', 'R"x'])
def test_a_million_of_anything_takes_no_time(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    start = time.process_time()
    for language in ("swift", "rust", "haskell", "ocaml", "ruby", "lua", "javascript", "python", "c++", "batchfile"):
        assert 0 <= counted(language, [text])[0] <= len(text)
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("language", "text", "comments"),
    [
        ("python", 'x = "# no"  # yes\n', ["# yes"]),
        ("python", 'def f():\n    r"""One\n    # two"""\n', ['"""One\n    # two"""']),
        ("python", "f(\n'''no'''\n)\nx = '''no'''\n'yes'\n'no' % x\n'no'.lower()", ["'yes'"]),
        ("c", 'char *a = "/* no */", b = \'"\'; // yes\\\n yes\n/* yes */', ["// yes\\\n yes", "/* yes */"]),
        ("c++", 'auto a = R"x(" // no )" )x"; // yes', ["// yes"]),
        ("javascript", "a = b / c // yes\nreturn /[/*]'/ // yes", ["// yes", "// yes"]),
        ("typescript", "`// no ${x}\n/* no */`; /** yes */", ["/** yes */"]),
        ("java", 'String s = """\n// no """; // é', ["// é"]),
        ("rust", 'fn f<\'a>(x: &\'a str) { r#""//"# } /* a /* b */ c */', ["/* a /* b */ c */"]),
        ("go", "x := `// no\n` // yes", ["// yes"]),
        ("c-sharp", 'var a = @"C:\\"; var b = @"a""\n// no"; // yes', ["// yes"]),
        ("shell", "#!/bin/sh\nurl=a#no ${#no} $# # yes\ncat <<'EOF'\n# no\nEOF\n# yes", ["# yes", "# yes"]),
        ("lua", "a = [==[ -- no ]] ]==] --[[ yes\n]] -- yes", ["--[[ yes\n]]", "-- yes"]),
        ("sql", "SELECT 'it''s -- no' -- yes", ["-- yes"]),
        ("haskell", "foldl' f --> x\n{- a {- b -} c -} '\"' -- yes", ["{- a {- b -} c -}", "-- yes"]),
        ("ocaml", "let c = '\"' (* a (* b *) c *) {|(* no *)|}", ["(* a (* b *) c *)"]),
        ("common-lisp", '(char= c #\\;) "; no" #| a #| b |# |# ; yes', ["#| a #| b |# |#", "; yes"]),
        ("ruby", 'a = "#{b} # no"\n=begin\nyes\n=end\n/#/ =~ c # yes', ["=begin\nyes\n=end", "# yes"]),
        ("perl", "$#a; s/'//;\n# yes\n=head1 A\n\nyes\n\n=cut\n", ["# yes", "=head1 A\n\nyes\n\n=cut"]),
        ("fortran", "C yes\n      CALL F('! no') ! yes\nCALL G", ["C yes", "! yes"]),
        ("matlab", "a = b' % yes\n%{\nyes\n%}\nc = '% no'", ["% yes", "%{\nyes\n%}"]),
        ("html", "<!-- yes --><p>// no</p>", ["<!-- yes -->"]),
        ("tex", "50\\% no % yes", ["% yes"]),
        ("visual-basic", "s = \"' no\" ' yes\nREM yes\nREMOVE no", ["' yes", "REM yes"]),
        ("batchfile", "@rem yes\necho rem no\n:: yes", ["@rem yes", ":: yes"]),
        ("powershell", "$a = '# no' <# yes #> # yes", ["<# yes #>", "# yes"]),
        ("erlang", 'f($", "% no") -> $%. % yes', ["% yes"]),
        ("php", "<?php $a = <<<EOT\n// no\nEOT;\n# yes ?>\n", ["# yes ?>"]),
        ("yaml", "a: don't#no # yes\nb: '# no'", ["# yes"]),
    ],
)
def test_comments_of_a_language(language: str, text: str, comments: list[str]) -> None:
    assert all(comment in text for comment in comments)
    assert counted(language, [text]) == [sum(map(len, comments))]


def test_the_table_knows_the_languages_of_code() -> None:
    known = languages.load().names
    assert set(RULES) <= known
    assert known - set(RULES) == {
        *("json", "markdown", "restructuredtext", "rmarkdown"),
        *("literate-agda", "literate-coffeescript", "literate-haskell"),
    }


def test_python_is_counted_as_its_own_parser_does() -> None:
    paths = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    texts = [path.read_text(encoding="utf-8") for path in paths if path.stat().st_size < 12_000][:40]
    for text, comments in zip(texts, counted("python", texts), strict=True):
        told = sum(
            len(t.string) for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type == tokenize.COMMENT
        )
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Expr(value=ast.Constant(value=str())):
                    told += len(ast.get_source_segment(text, node) or "")
        assert comments == pytest.approx(told, abs=0.02 * len(text))


@pytest.mark.parametrize(
    ("language", "folder", "ending"),
    [("c", "numpy", "h"), ("javascript", "matplotlib", "js"), ("css", "matplotlib", "css"), ("c++", "pyarrow", "cc")],
)
def test_real_files_are_counted_as_pygments_does(language: str, folder: str, ending: str) -> None:
    paths = sorted((Path(sysconfig.get_paths()["purelib"]) / folder).rglob(f"*.{ending}"))
    texts = [path.read_text(encoding="utf-8") for path in paths if path.stat().st_size < 30_000][:12]
    assert texts
    lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    for text, comments in zip(texts, counted(language, texts), strict=True):
        found = sum(len(value.rstrip("\n")) for kind, value in lexer.get_tokens(text) if kind in COUNTED)
        assert comments == pytest.approx(found, abs=0.02 * len(text))


def outcome(side: Side, stage: Comments, rows: Sequence[tuple[str | None, str | None]]) -> Outcome:
    """What the stage makes of (language, text) rows, under the conservation law."""
    ids = pa.array([f"{row:032x}" for row in range(len(rows))], pa.string())
    columns = [pa.array([row[at] for row in rows], pa.string()) for at in (0, 1)]
    return judge(stage, "comments", pa.table([ids, *columns], schema=Comments.takes), side)


BARE, SOME, ALL = "x = 1\n" * 50, "x = 1  # é\n" * 50, "# a long comment\n" * 50


def test_code_without_comments_and_comments_without_code_go(side: Side) -> None:
    result = outcome(side, Comments(), [("python", BARE), ("python", SOME), ("python", ALL), ("java", "")])
    assert result.kept["text"].to_pylist() == [SOME]
    assert [Comments().explain(decision) for decision in result.decisions.to_pylist()] == [
        "comments are 0.0 of its characters, less than the 0.01 required",
        "comments are 0.9412 of its characters, more than the 0.8 allowed",
        "comments are 0.0 of its characters, less than the 0.01 required",
    ]


def test_only_the_languages_named_are_judged(side: Side) -> None:
    rows = [(name, BARE) for name in ("python", "ruby", "json", "no language", None)]
    for chosen, kept in (
        (Comments(), ["ruby", "json", "no language", None]),
        (Comments(languages=["ruby"]), ["python", "json", "no language", None]),
        (Comments(languages=None), ["json", "no language", None]),
        (Comments(languages=None, min_ratio=0.0), [name for name, _ in rows]),
    ):
        assert outcome(side, chosen, rows).kept["language"].to_pylist() == kept


def test_limits_are_inclusive_and_a_document_may_be_null(side: Side) -> None:
    rows = [("ruby", "# 45\n67890"), ("ruby", None)]
    stage = Comments(languages=["ruby"], min_ratio=0.4, max_ratio=0.4)
    assert outcome(side, stage, rows).kept["text"].to_pylist() == ["# 45\n67890"]


def test_a_language_without_comments_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValidationError, match=r"'Pyton' is not a language of .*; the nearest is 'python'"):
        Comments(languages=["Pyton"])
