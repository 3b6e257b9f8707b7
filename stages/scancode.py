"""Licence texts read with ScanCode's index: which licences a text states, and how free each one is.

ScanCode is used as a library, one `match` a text: its 40,000 rules give SPDX expressions and survive re-wrapped,
re-indented and slightly edited texts. What it returns is judged on the safe side: a licence counts when it was matched
well, a poor match of anything stricter than a permissive licence makes the text unknown, and so do terms that somebody
wrote around a known licence. The index takes 1.4 GB and 6 to 9 seconds, so it is loaded in one worker only.
"""

from __future__ import annotations

import os
import re
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

# From free to strict. What holds for several licences at once is as strict as the strictest of them.
STRICTNESS = ("permissive", "weak_copyleft", "copyleft", "unknown", "non_free")
CLASS_OF_CATEGORY = {
    "Permissive": "permissive",
    "Public Domain": "permissive",
    "Copyleft Limited": "weak_copyleft",
    "Copyleft": "copyleft",
    "Unstated License": "unknown",
}  # every other category (Commercial, Proprietary Free, Source-available, Patent License, ...) is non_free

# The Stack v2's neutral keys (get_license_types.py), which neither give nor take a right to the code, and trademark
# policies, which REUSE-style LICENSES/ folders hold too; ScanCode's category CLA (agreements between contributors and
# owners) is neutral as a whole.
NEUTRAL = frozenset(
    {"generic-exception", "generic-export-compliance", "generic-tos", "generic-trademark", "warranty-disclaimer"}
    | {"elixir-trademark-policy", "red-hat-trademarks", "trademark-notice"}
)

MATCHED = 70.0  # ScanCode score (coverage x rule relevance, less for extra words) from which a licence counts
DOUBTFUL = 40.0  # below it a match is chance: legal prose shares phrases
MAX_CHARACTERS = 200_000  # of one text; 110,000 characters take 10 seconds
DEADLINE = 100.0  # seconds for one text, as The Stack v2 set it; the length limit is what normally stops

UNKNOWN = "LicenseRef-scancode-unknown"

# Wording that takes rights away, in ScanCode's tokens (lower-case words, one blank between them). It is searched only
# in what no licence matched: a copyright line or a list of holders never says this, but "MIT, not for commercial use"
# does, and to ScanCode alone that is MIT.
_NOT = r"(?:(?:may|must|shall|should|can|do|does|are|is) not|cannot|(?:can|don|doesn|isn|aren|mustn|shan) t)"
_USE = r"(?:use|copy\b|copied|modif|distribut|redistribut|sell|sold|shar|publish|train|employ|permit|allow|licens)"
_RESTRICTS = re.compile(
    r"\bnon ?commercial|\bno[nt]? (?:\w+ ){0,6}commercial"
    rf"|\b{_NOT} (?:\w+ ){{0,2}}{_USE}"
    r"|\b(?:prohibited|forbidden|confidential|proprietary)\b"
    r"|\bwithout (?:\w+ ){0,6}(?:permission|consent|authori[sz]ation)\b"
    r"|\b(?:only|solely) (?:\w+ ){0,4}(?:personal|educational|academic|research|evaluation|internal)\b"
    r"|\bprovided (?:that|you)\b|\bexcept (?:that|for|if|when|where|by)\b"
)


class Term(NamedTuple):
    """One licence that a text states; a text's terms hold together (AND)."""

    expression: str  # SPDX; LicenseRef-scancode-* where SPDX has no name for it
    license_type: str  # one of STRICTNESS
    line: int  # first line of the match, from 1; 0 where the term is about the whole text
    score: float  # ScanCode's score, 0 to 100
    problem: str  # why the type is unknown, a phrase that follows the file's name; empty otherwise


class Scancode:
    """ScanCode's licence index, ready to read texts."""

    def __init__(self, scratch: Path) -> None:
        """Load the index; what ScanCode must have a folder for at import goes below `scratch`."""
        with folders(scratch), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside ScanCode and its dependencies are not ours to mend
            from licensedcode import cache

            self._index = cache.get_index()
            self._licenses = cache.get_licenses_db()
            self._licensing = cache.get_licensing()
        self._known: dict[str, list[tuple[str, str]]] = {}

    def read(self, text: str, deadline: float = DEADLINE) -> list[Term]:
        """The terms of a licence text, at least one, in order of first appearance.

        A text that is not recognised, or reached a limit (`deadline` is in seconds), has one term, of type unknown.
        """
        if len(text) > MAX_CHARACTERS:
            return [unknown_term(f"has more than {MAX_CHARACTERS} characters")]
        end = time.time() + deadline
        try:
            matches = self._index.match(query_string=text.removeprefix("\ufeff"), deadline=end)
        except (MemoryError, OSError):
            raise
        except Exception as error:  # one odd text must not stop a run over all repositories
            return [unknown_term(f"made ScanCode fail ({type(error).__name__})")]
        if time.time() > end:
            return [unknown_term(f"could not be read within {deadline:g} seconds")]
        terms: dict[str, Term] = {}
        stated = [match for match in matches if _states(match)]
        for match in stated:
            for term in self._read_match(match):
                terms.setdefault(term.expression + term.problem, term)
        if not any(term.license_type != "unknown" for term in terms.values()):
            return [next(iter(terms.values()), unknown_term("is not a licence text that ScanCode knows"))]
        line = self._own_terms([match for match in stated if match.score() >= MATCHED])
        if line:
            terms[""] = unknown_term(f"adds terms of its own in line {line}", line)
        return list(terms.values())

    def _read_match(self, match: Any) -> Iterator[Term]:
        score, line = float(match.score()), int(match.start_line)
        for expression, license_type in self._terms(match.rule.license_expression):
            if expression == "LicenseRef-scancode-unknown-license-reference":
                continue  # "see the licence": which one is read elsewhere, or nowhere, and then nothing is found
            if score >= MATCHED:
                problem = "names a licence that is not known" if license_type == "unknown" else ""
                yield Term(expression, license_type, line, score, problem)
            elif license_type != "permissive":
                yield unknown_term(f"may state {expression} in line {line}", line, score)

    def _own_terms(self, matches: Sequence[Any]) -> int:
        """The first line with wording that takes rights away and is no part of `matches`, from 1; 0: there is none."""
        query = matches[0].query
        covered = {position for match in matches for position in match.qspan}
        run: list[int] = []
        for position in range(len(query.tokens) + 1):
            if position < len(query.tokens) and position not in covered:
                run.append(position)
            elif run:
                found = _RESTRICTS.search(words := " ".join(self._index.tokens_by_tid[query.tokens[p]] for p in run))
                if found:
                    return int(query.line_by_pos[run[words.count(" ", 0, found.start())]])
                run = []
        return 0

    def _terms(self, expression: str) -> list[tuple[str, str]]:
        """The (SPDX expression, type) that must all hold for a ScanCode expression; neutral ones are left out."""
        if expression not in self._known:
            parsed = self._licensing.parse(expression)
            parts = parsed.args if isinstance(parsed, self._licensing.AND) else (parsed,)
            typed = ((part.render("{symbol.wrapped.spdx_license_key}"), self._type(part)) for part in parts)
            self._known[expression] = [(spdx, kind) for spdx, kind in typed if kind is not None]
        return self._known[expression]

    def _type(self, node: Any) -> str | None:
        """The type of an expression: the freest of an OR, the strictest of an AND or WITH; None is neutral."""
        if isinstance(node, (self._licensing.AND, self._licensing.OR)):
            choose = strictest if isinstance(node, self._licensing.AND) else _freest
            return choose([kind for kind in map(self._type, node.args) if kind is not None])
        if hasattr(node, "exception_symbol"):
            both = (self._type(node.license_symbol), self._type(node.exception_symbol))
            return strictest([kind for kind in both if kind is not None])
        category = self._licenses[node.key].category
        if node.key in NEUTRAL or category == "CLA":
            return None
        return CLASS_OF_CATEGORY.get(category, "non_free")


def strictest(types: Sequence[str]) -> str | None:
    """The strictest of some licence types; None of none."""
    return max(types, key=STRICTNESS.index, default=None)


def _freest(types: Sequence[str]) -> str | None:
    return min(types, key=STRICTNESS.index, default=None)


def unknown_term(problem: str, line: int = 0, score: float = 0.0) -> Term:
    """What stands for a licence that is not known for certain, and why (see Term.problem)."""
    return Term(UNKNOWN, "unknown", line, score, problem)


def _states(match: Any) -> bool:
    """Whether a match may state a licence; introductions ("under the following licence:") and clues do not."""
    return match.score() >= DOUBTFUL and not match.rule.is_license_intro and not match.rule.is_license_clue


@contextmanager
def folders(scratch: Path) -> Iterator[None]:
    """While ScanCode is imported, it finds its cache and temporary folder below `scratch`.

    It creates both at import, in the home folder and in the system's temporary folder, where a read-only home stops it
    and a folder is left behind by every process. The index itself is read from the installed package.
    """
    names = {"SCANCODE_CACHE": str(scratch / "scancode-cache"), "SCANCODE_TEMP": str(scratch / "scancode-temp")}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
