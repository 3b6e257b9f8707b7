"""The licence stage: what each repository is licensed under, and documents only of the licences one wants to keep.

A repository's licence is what the licence files at its root say, read by ScanCode (stages/scancode.py). A repository
may lie in several shards and many licence files are copies, so `prepare` first finds them all, then reads each distinct
one once, in the one worker that holds the index, and leaves every shard a table of just its repositories. How files
are chosen and combined is told in docs/decisions/licenses.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline import schema
from pipeline.decisions import canonical_json, decide
from pipeline.side import Corpus, Side
from pipeline.stage import Outcome, Stage
from stages.scancode import Scancode, Term, strictest, unknown_term

LicenseType = Literal["permissive", "weak_copyleft", "copyleft", "non_free", "no_license", "unknown"]

TEXTS_A_TASK = 64  # progress is seen, and the shard is not read again too often

_WORD = r"(?:un)?li[cs]en[cs]es?|copying|copyleft"
_FAMILY = r"(?:[al]?gpl|mit|apache|bsd|mpl|epl|cc0|isc|eupl|wtfpl)"
_PART = rf"(?:{_FAMILY}|x11|asl|cc-by|artistic|boost|zlib|lesser|libs?|other|external|third|3rd|bundled|chromium)"
_NAME = r"[^./]*(?:\d\.\d)?[^./]*"  # a dot stands only in a version
_TEXT = r"\.(?:txt|text|md|mkdn?|markdown|rst|adoc|asciidoc|org|html?)"
# LICENSE, LICENSE.md, LICENSE-MIT, LICENSE.Apache-2.0, COPYING.LESSER, COPYING3, MIT-LICENSE.txt, gpl-3.0.txt; not
# license.py, license-checker.js, licensing.md, which are about licences.
_LICENSE_FILE = re.compile(
    rf"(?:.*[-_. ])?(?:{_WORD})\d?(?:\.{_PART}{_NAME}|[-_ ]{_NAME})?(?:{_TEXT})?"
    rf"|{_FAMILY}(?:[-_ ]?v?\d(?:\.\d)?)?(?:[-_](?:clause|only|or-later))?(?:{_TEXT})?",
    re.IGNORECASE,
)
# What tells of licences without being this repository's own: notices, and lists of what others' code is under.
_SUPPORTING_FILE = re.compile(
    rf"(?:.*[-_. ]|third-?party)?(?:notices?|copyrights?|legal)(?:[-_ ]{_NAME})?(?:{_TEXT})?", re.IGNORECASE
)
_OF_OTHERS = re.compile(r"third[-_. ]?part|3rd[-_. ]?part|dependenc|bundled|vendor|trademark", re.IGNORECASE)

# CRAN's form where DESCRIPTION says "MIT + file LICENSE": it names the holder, the licence stands elsewhere.
_R_FORM_TEXT = re.compile(r"\s*(?:(?:YEAR|COPYRIGHT HOLDER|ORGANIZATION):[^\n]*\n?\s*){1,3}")
_R_FORM = unknown_term("is R's form for a copyright holder, which names no licence")

_LINE = "its repository is licensed under {license} (read from {path}), which is "


class License(Stage):
    """Fills in `license` and `license_type`, and keeps documents whose repository's type is one of `keep`."""

    takes = gives = schema.needs(schema.DOCUMENT, "id", "repo", "path", "blob", "license", "license_type", "text")
    writes = frozenset({"license", "license_type"})
    revision = 2
    depends = ("scancode-toolkit",)
    reasons: ClassVar[Mapping[str, str]] = {
        "permissive": _LINE + "permissive",
        "weak_copyleft": _LINE + "weak copyleft",
        "copyleft": _LINE + "copyleft",
        "non_free": _LINE + "not a free licence",
        "no_license": "its repository has no licence file",
        "unknown_license": "its repository's licence is not known for certain, because its file {path} {problem}",
    }

    keep: list[LicenseType] = Field(default=["permissive"], min_length=1)

    def prepare(self, corpus: Corpus, side: Side) -> None:
        """Write `licenses`, a table a shard: repo, license, license_type, detail (for decisions), evidence (JSON)."""
        found = corpus.map(_find, corpus.shards)
        terms = _read_all(corpus, [shard.files for shard in found])
        of_repository: dict[str, list[LicenseFile]] = {}
        for file in sorted(file for shard in found for file in shard.files):
            of_repository.setdefault(file.repo, []).append(file)
        verdicts = {
            repo: judge([(file.path, file.supporting, terms[file.blob]) for file in files])
            for repo, files in of_repository.items()
        }
        nothing = judge([])
        for name, shard in zip(corpus.shards, found, strict=True):
            rows = [{"repo": repo, **verdicts.get(repo, nothing)._asdict()} for repo in shard.repos]
            side.put("licenses", pa.Table.from_pylist(rows, _TABLE), name)

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        table = side.get_shard("licenses", ["repo", "license", "license_type", "detail"])
        row = pc.index_in(shard["repo"], table["repo"].combine_chunks())
        types = table["license_type"].take(row)
        marked = _put(shard, schema.DOCUMENT.field("license"), table["license"].take(row))
        marked = _put(marked, schema.DOCUMENT.field("license_type"), types)
        keep = pc.is_in(types, pa.array(self.keep, pa.string()))
        dropped = np.flatnonzero(~keep.to_numpy())
        reasons = ["unknown_license" if kind == "unknown" else kind for kind in types.take(dropped).to_pylist()]
        decisions = decide(shard, dropped, "drop", reasons)
        details = table["detail"].take(row.take(dropped))
        return Outcome(marked.filter(keep), _put(decisions, schema.DECISION.field("detail"), details))


class LicenseFile(NamedTuple):
    """A file that tells of a repository's licence."""

    repo: str
    path: str
    blob: str
    supporting: bool


class Verdict(NamedTuple):
    """A repository's licence."""

    license: str | None  # SPDX expression; null without a licence
    license_type: str
    detail: str  # JSON: the licence, and the file (for unknown also the problem) that made the type what it is
    evidence: str  # JSON: every term with its file, line and score


_TABLE = pa.schema([(name, pa.string()) for name in ("repo", *Verdict._fields)])


def kind_of(path: str) -> Literal["license", "supporting"] | None:
    """What a path in a repository is to its licence; only the root and REUSE's folder LICENSES/ speak for all of it."""
    reuse = path.startswith("LICENSES/")
    if ("/" in path and not reuse) or path.lower().startswith("licenses/readme"):
        return None
    if reuse or _LICENSE_FILE.fullmatch(path):
        return "supporting" if _OF_OTHERS.search(path) else "license"
    return "supporting" if _SUPPORTING_FILE.fullmatch(path) else None


def judge(files: Sequence[tuple[str, bool, Sequence[Term]]]) -> Verdict:
    """The licence of a repository with these files: (path, whether it only supports, terms), in order of path.

    All terms of all files hold together (AND), so the type is that of the strictest. A supporting file can make a
    licence stricter by what was recognised in it, but alone never makes a repository permissive. R's form for the
    copyright holder says nothing where another file states the licence.
    """
    stated = [
        (path, term)
        for path, supporting, terms in files
        for term in terms
        if not supporting or term.license_type != "unknown"
    ]
    if any(term != _R_FORM for _, term in stated):
        stated = [(path, term) for path, term in stated if term != _R_FORM]
    license_type = strictest([term.license_type for _, term in stated])
    if license_type is None:
        return Verdict(None, "no_license", "{}", "[]")
    if license_type == "permissive" and all(supporting for _, supporting, _ in files):
        license_type = "unknown"
        stated.append((stated[0][0], unknown_term("names licences, but there is no licence file")))
    expressions = dict.fromkeys(term.expression for _, term in stated)
    license = " AND ".join(f"({e})" if " OR " in e and len(expressions) > 1 else e for e in expressions)
    path, decisive = next((path, term) for path, term in stated if term.license_type == license_type)
    detail = {"license": license, "path": path} | ({"problem": decisive.problem} if decisive.problem else {})
    evidence = [{"path": path, **term._asdict()} for path, term in stated]
    return Verdict(license, license_type, canonical_json(detail), json.dumps(evidence, ensure_ascii=False))


class _Found(NamedTuple):
    repos: list[str]
    files: list[LicenseFile]


def _find(shard: str, corpus: Corpus, side: Side) -> _Found:
    """The repositories of a shard, and the licence files it holds."""
    table = corpus.read(shard, ["repo", "path", "blob"])
    speaks = pc.match_substring_regex(table["path"], "^(LICENSES/.*|[^/]*)$")
    files = [
        LicenseFile(repo, path, blob, kind == "supporting")
        for repo, path, blob in zip(*(column.to_pylist() for column in table.filter(speaks).columns), strict=True)
        if (kind := kind_of(path)) is not None
    ]
    return _Found(pc.unique(table["repo"]).to_pylist(), files)


def _read_all(corpus: Corpus, files: Sequence[Sequence[LicenseFile]]) -> dict[str, list[Term]]:
    """The terms of every distinct blob among the licence files, each read in the shard it first lies in."""
    tasks: list[tuple[str, list[str]]] = []
    seen: set[str] = set()
    for shard, listed in zip(corpus.shards, files, strict=True):
        new = [blob for blob in dict.fromkeys(file.blob for file in listed) if blob not in seen]
        seen.update(new)
        tasks.extend((shard, new[at : at + TEXTS_A_TASK]) for at in range(0, len(new), TEXTS_A_TASK))
    results = corpus.map(_read, tasks, alone=True) if tasks else []
    return {blob: terms for result in results for blob, terms in result.items()}


def _read(task: tuple[str, list[str]], corpus: Corpus, side: Side) -> dict[str, list[Term]]:
    shard, blobs = task
    scancode = side.load("scancode", lambda: Scancode(side.scratch))
    table = corpus.read(shard, ["blob", "text"])
    rows = pc.index_in(pa.array(blobs, pa.string()), table["blob"].combine_chunks())
    texts = table["text"].take(rows).to_pylist()
    return {
        blob: [_R_FORM] if _R_FORM_TEXT.fullmatch(text) else scancode.read(text)
        for blob, text in zip(blobs, texts, strict=True)
    }


def _put(table: pa.Table, field: pa.Field, column: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(field.name), field, column)
