"""Real code for the training data to stand in: lines of installed packages under permissive licences.

Read when training, from the environment's own site-packages; nothing of it is kept in the repository. Which packages
belong to train and dev goes by a hash of their name; RESERVED ones are left to tests. Lines that could hold a person
are left out, for what stands around the synthetic entities is labelled as nothing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from importlib.metadata import Distribution, distributions
from pathlib import Path

from pii.ner.names import Split
from pii.ner.words import words

RESERVED = frozenset({"scipy", "flask", "requests", "werkzeug", "rich", "networkx"})  # for held-out tests of the model
# Packages that are lists of names and places.
_LISTS = frozenset({"faker", "spacy", "ftfy", "tzdata", "phonenumbers", "mimesis", "names"})
_UNLOCKED = frozenset({"pip", "quarry"})  # not in requirements.lock, so other ones elsewhere
_PERMISSIVE = re.compile(r"\b(MIT|BSD|Apache|ISC|PSF|Python Software Foundation)\b|\bApache", re.IGNORECASE)
_COPYLEFT = re.compile(r"GPL|MPL|Mozilla|Artistic|EPL", re.IGNORECASE)
_PER_PACKAGE, _PER_SUFFIX, _FILE_LINES = 60, 500, 120
_SUSPECT = re.compile(
    r"@|author|copyright|\(c\)|©|written|thank|credit|contribut|maintain|todo|fixme|xxx|licen[cs]|\bby\b|signed|report|courtesy|"
    r"http|www\.|user|passw|secret|token|key|[A-Z]\. ?[A-Z]|[^\x00-\x7f]|[0-9a-fA-F]{16}|\d\.\d+\.\d+\.\d",
    re.IGNORECASE,
)
_TWO_NAMES = re.compile(r"\b[A-Z][a-z]+,? (?:[A-Z]\. )?[A-Z][a-z]+\b")


def package_split(name: str) -> Split | None:
    """Where a package's lines may be used; None where they may not."""
    name = name.lower().replace("_", "-")
    if name in RESERVED | _UNLOCKED:
        return None
    return "dev" if blake2b(name.encode(), digest_size=1).digest()[0] % 5 == 0 else "train"


@cache
def lines(split: Split) -> dict[str, list[list[str]]]:
    """Runs of consecutive harmless lines by file suffix, in the order of package and file names."""
    found: dict[str, list[list[str]]] = defaultdict(list)
    taken: dict[str, int] = defaultdict(int)
    for distribution in sorted(distributions(), key=lambda d: d.metadata["Name"] or ""):
        name = distribution.metadata["Name"] or ""
        if name.lower() in _LISTS or package_split(name) != split or not _is_permissive(distribution):
            continue
        per_package: dict[str, int] = defaultdict(int)
        for path in _files(distribution):
            suffix = path.suffix[1:].lower()
            if per_package[suffix] >= _PER_PACKAGE or taken[suffix] >= _PER_SUFFIX:
                continue
            runs = _runs(path)
            if runs:
                per_package[suffix] += 1
                taken[suffix] += 1
                found[suffix] += runs
    return dict(found)


def readable(per_package: int) -> Iterator[tuple[str, str]]:
    """(package, text) of files of all packages, at most so many of each: where the words of code are counted."""
    for distribution in sorted(distributions(), key=lambda d: d.metadata["Name"] or ""):
        if (distribution.metadata["Name"] or "").lower() in _LISTS or not _is_permissive(distribution):
            continue
        listed = _files(distribution)
        for path in listed[:: max(1, len(listed) // per_package)]:
            try:
                yield distribution.metadata["Name"], path.read_bytes()[:40_000].decode()
            except (OSError, UnicodeDecodeError):
                continue


def _is_permissive(distribution: Distribution) -> bool:
    metadata = distribution.metadata
    fields = [("License-Expression", ""), ("License", ""), ("Classifier", "License")]
    values = [value for field, head in fields for value in metadata.get_all(field) or [] if value.startswith(head)]
    stated = " ".join(value[:200] for value in values)
    return bool(_PERMISSIVE.search(stated)) and not _COPYLEFT.search(stated)


def _files(distribution: Distribution) -> list[Path]:
    suffixes = frozenset(words("source_suffixes"))
    listed = sorted(str(file) for file in distribution.files or [] if Path(str(file)).suffix[1:].lower() in suffixes)
    step = max(1, len(listed) // (_PER_PACKAGE * 8))
    return [Path(str(distribution.locate_file(name))) for name in listed[::step]]


def _runs(path: Path) -> list[list[str]]:
    """Two lines or more in a row that neither are long nor could name somebody."""
    try:
        text = path.read_bytes()[:40_000].decode()
    except (OSError, UnicodeDecodeError):
        return []
    runs: list[list[str]] = []
    run: list[str] = []
    for line in [*text.splitlines()[:_FILE_LINES], "@"]:
        if len(line) <= 140 and not _SUSPECT.search(line) and not _TWO_NAMES.search(line):
            run.append(line)
            continue
        if len(run) >= 2 and any(line.strip() for line in run):
            runs.append(run)
        run = []
    return runs
