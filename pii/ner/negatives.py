"""Windows of real code that the candidate scan yields and that name nobody: what the model must learn to pass over.

They come from the same packages as the carriers. A window is kept where every capitalised word in it, and every word
that a cue points at, is an ordinary one or stands in files of several packages, and no address or mention is there.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache

import pyarrow as pa

from pii.ner import candidates, carriers, gazetteer
from pii.ner.names import Split
from pii.windows import SEPARATOR

_PACKAGES = 2  # so many packages hold a word that is nobody's name
_LONGEST = 500  # characters
_WORD = re.compile(r"[A-Za-z_0-9]+")
_CAPITALISED = re.compile(r"(?<![A-Za-z0-9_])[A-Z](?:[a-z]+(?:[A-Z][a-z]+)?|[A-Z]{2,})(?![A-Za-z0-9_])")
_CAMEL = re.compile(r"(?!Mc|Mac|De|Di|La|Le|Van|Von|O)[A-Z][a-z]+[A-Z]")
_POINTED = re.compile(
    r"(?:(?i:author|maintainer|owner|contributor|user|login|creator|assignee|name)\w{0,4}\W{1,5}"
    r"|(?i:\bby) |(?i:thanks|from|to|cc|see|via|ask):? )([A-Za-z_0-9]+)"
)
_PERSONAL = re.compile(
    r"(?i:todo|fixme|xxx|hack|note) ?\(|@|[^\x00-\x7f]|/home/|[Uu]sers[/\\]|\.com/|\.org/|\.me/|"
    r"\$(?:Id|Header|Author)|[0-9a-f]{24}|passw|\b[A-Z]\. "
)


@cache
def windows(split: Split) -> tuple[str, ...]:
    """All harmless windows of a split's packages, sorted."""
    packages: dict[str, set[str]] = defaultdict(set)
    for package, text in carriers.readable(25):
        for word in set(_WORD.findall(text)):
            packages[word].add(package)
    texts = [text for package, text in carriers.readable(100) if carriers.package_split(package) == split]
    common = frozenset(word for word, where in packages.items() if len(where) >= _PACKAGES)
    found = candidates.find(pa.array(texts, pa.string()))
    cut = found.text.split(SEPARATOR)[:-1]
    return tuple(sorted({window for window in cut if len(window) <= _LONGEST and _is_harmless(window, common)}))


def _is_harmless(window: str, common: frozenset[str]) -> bool:
    if _PERSONAL.search(window):
        return False
    for word in _CAPITALISED.findall(window):
        bits = gazetteer.bits_of(word)
        if word.isupper() and not bits:
            continue
        if bits != gazetteer.ORDINARY and (bits or word not in common) and not _CAMEL.match(word):
            return False
    return all(gazetteer.bits_of(word) == gazetteer.ORDINARY or word in common for word in _POINTED.findall(window))
