"""Select: which language a file is in, and what is dropped for it."""

from __future__ import annotations

import json
import re

import pyarrow as pa
import pytest
import yaml
from pydantic import ValidationError

from pipeline import schema
from pipeline.side import Side
from pipeline.stage import Outcome
from stages import languages
from stages.select import Select

# Extensions that StarCoder's language table drops as ambiguous, and those that its annotators excluded.
AMBIGUOUS = ".asc .b .cgi .ch .cls .d .es .fcgi .fr .gml .gs .inc .l .m .mod .moo .ms .n .ncl .nl .pluginspec .pp .pro"
AMBIGUOUS += " .sc .tst .v"
EXCLUDED = ".bison .cats .w .csx .cl2 .sexp .xrl .f77 .frg .geo .vrx .grt .cdf .nbp .wlt .dpr .al .ph .plx .rktd .rktl"
EXCLUDED += " .rest .pck .pls .tab .sig .ihlp .sthlp .aux .ltx .toc .vhf .vht .frx .yy"
STARCODER = (
    "ada agda alloy antlr applescript assembly augeas awk batchfile bluespec c c-sharp c++ clojure cmake coffeescript "
    "common-lisp css cuda dart dockerfile elixir elm emacs-lisp erlang f-sharp fortran glsl go groovy haskell html "
    "idris isabelle java java-server-pages javascript json julia kotlin lean literate-agda literate-coffeescript "
    "literate-haskell lua makefile maple markdown mathematica matlab ocaml pascal perl php powershell prolog "
    "protocol-buffer python r racket restructuredtext rmarkdown ruby rust sas scala scheme shell smalltalk solidity "
    "sparql sql stan standard-ml stata systemverilog tcl tcsh tex thrift typescript verilog vhdl visual-basic xslt "
    "yacc yaml zig"
)


def documents(paths: list[str], texts: list[str] | None = None) -> pa.Table:
    columns = {
        "id": [str(number) for number in range(len(paths))],
        "path": paths,
        "language": [None] * len(paths),
        "text": texts or [""] * len(paths),
    }
    return pa.table(columns, schema=Select.takes)


def details(outcome: Outcome) -> list[tuple[str, str, dict[str, str]]]:
    rows = outcome.decisions.to_pylist()
    return [(row["path"], row["reason"], json.loads(row["detail"])) for row in rows]


@pytest.mark.parametrize(
    ("path", "language"),
    [
        *(("a/b/main.py", "python"), ("main.pyi", "python"), ("x.h", "c"), ("x.H", "c++"), ("x.C", "c++")),
        *(("x.c", "c"), ("X.CPP", "c++"), ("x.R", "r"), ("a.F90", "fortran"), ("a.ts", "typescript"), ("a.pl", "perl")),
        *(("a.t", "perl"), ("a.fs", "f-sharp"), ("a.sql", "sql"), ("a.swift", "swift"), ("a.rkt", "racket")),
        *(("Makefile", "makefile"), ("sub.dir/Dockerfile", "dockerfile"), ("CMakeLists.txt", "cmake")),
        *(("Rakefile", "ruby"), ("Makefile.PL", "perl"), (".bashrc", "shell")),
        *(("a.coffee.md", "literate-coffeescript"), ("README.md", "markdown"), ("a.min.js", "javascript")),
    ],
)
def test_language_by_name(side: Side, path: str, language: str) -> None:
    kept = Select().apply(documents([path]), side).kept
    assert kept.column("language").to_pylist() == [language]


@pytest.mark.parametrize(
    ("line", "language"),
    [
        *(("#!/bin/sh", "shell"), ("#! /usr/bin/env python3.11", "python"), ("#!/usr/bin/perl -w", "perl")),
        *(("#!/usr/bin/env -S A=b node --x", "javascript"), ("#!/opt/ruby-2.7/bin/ruby2.7\r", "ruby")),
        *(("#!/usr/bin/unheard-of", None), ("#!", None), ("#!/usr/bin/env", None), ("# !/bin/sh", None), ("", None)),
    ],
)
def test_language_by_shebang_of_a_file_without_extension(side: Side, line: str, language: str | None) -> None:
    outcome = Select().apply(documents(["bin/tool"], [line + "\nmore\n"]), side)
    assert outcome.kept.column("language").to_pylist() == ([language] if language else [])


def test_a_shebang_does_not_outvote_an_extension(side: Side) -> None:
    outcome = Select().apply(documents(["notes.xyz", "a.py"], ["#!/bin/sh\n"] * 2), side)
    assert outcome.kept.column("language").to_pylist() == ["python"]


def test_dropped_files_say_why(side: Side) -> None:
    stage = Select(languages=["python"])
    shard = documents(["a.py", "b.rs", "c.xyz", "LICENSE", "d.ipynb"])
    outcome = stage.apply(shard, side)
    assert outcome.kept.column("path").to_pylist() == ["a.py"]
    assert details(outcome) == [
        ("b.rs", "language_not_selected", {"language": "rust"}),
        ("c.xyz", "unknown_language", {"extension": ".xyz"}),
        ("LICENSE", "unknown_language", {"extension": "none"}),
        ("d.ipynb", "unknown_language", {"extension": ".ipynb"}),
    ]
    assert [stage.explain(row) for row in outcome.decisions.to_pylist()][:2] == [
        "it is in rust, which the recipe does not select",
        "neither its name nor its first line tells a known language (extension: .xyz)",
    ]


def test_columns_it_does_not_know_pass_through_in_order(side: Side) -> None:
    shard = documents(["b.py", "x.zzz", "a.c"]).append_column("more", pa.array([1, 2, 3]))
    kept = Select().apply(shard, side).kept
    assert kept.column_names == shard.column_names
    assert kept.column("more").to_pylist() == [1, 3]
    assert kept.schema.field("language").type == schema.DOCUMENT.field("language").type


def test_empty_shards_and_slices(side: Side) -> None:
    shard = pa.concat_tables([documents(["a.py", "b.zzz"]), documents(["run", "c.c"], ["#!/bin/bash", ""])])
    assert Select().apply(shard.slice(0, 0), side).kept.num_rows == 0
    assert Select().apply(shard.slice(1, 2), side).kept.column("language").to_pylist() == ["shell"]
    assert Select(languages=[]).apply(shard, side).kept.num_rows == 0


def test_an_unknown_language_is_refused_and_the_nearest_named() -> None:
    with pytest.raises(ValidationError, match=r"'pyton' is not a language .* the nearest is 'python'"):
        Select(languages=["pyton"])


def test_every_extension_name_and_interpreter_stands_once_in_the_table() -> None:
    lines = languages.TABLE.read_text("utf-8").splitlines()
    for key in ("extensions", "filenames", "interpreters"):
        listed = [
            entry for line in lines if re.match(rf"  {key}:", line) for entry in yaml.safe_load(line.strip())[key]
        ]
        assert len(listed) == len(set(listed))
        assert all(isinstance(entry, str) for entry in listed)
        if key == "extensions":
            assert all(entry.startswith(".") for entry in listed)


def test_the_table_is_starcoders_and_what_it_lost_by_mistake() -> None:
    table = languages.load()
    assert table.names == {*STARCODER.split(), "swift"}
    assert not set(table.by_extension) & {*AMBIGUOUS.split(), *EXCLUDED.split(), ".ipynb"}
    assert set(table.quality) <= table.names | set(table.by_extension)
