"""Which people stand in lines that a licence requires to stay: copyright notices, and a licence's own words about them.

A notice is told by its words, not by a comment's style: after `Copyright`, `(c)`, `©` or SPDX-FileCopyrightText nothing
but years, names, addresses and words such as `by` may stand before the person. A list of holders goes on over lines
that hold nothing else. Prose about copyright, `Author:` and `Written by` therefore do not count.
"""

from __future__ import annotations

import re
from functools import lru_cache

REACH = 400  # characters of a line before the person that are looked at
LINES = 30  # of a list of holders

_MARK = re.compile(
    r"(?i:\bcopyrights?\b|\bcopr\.|SPDX-(?:File|Snippet)CopyrightText)|\([cC]\)|©|(?i:&copy;|&\#169;|\\u00a9|\\\(co)"
)
_WORD = re.compile(
    r"<[^<>\n]{0,100}>|[^\s<>()\[\]]+@[^\s<>()\[\]]+|https?://[^\s<>()]+|[^\W\d_][\w.'’-]*:?|\d+|[^\w\s]|_"
)
# Lower-case words that may stand in a list of holders, particles of names among them.
_LISTED_WORDS = """
by and or the of et al und y e to present now in on for c onwards inc ltd llc gmbh co corp copyright copr
de da del della di do dos du la le van von vom der den ter ten zu af av bin ibn el al-
"""
_LISTED = frozenset(_LISTED_WORDS.split())
_LISTED_LABELS = frozenset({"copyright:", "copr:", "spdx-filecopyrighttext:", "spdx-snippetcopyrighttext:", "c:"})
# Capitalised words that begin something else than a holder.
_OTHER_WORDS = """
author authors written created maintained maintainer maintainers contributor contributed modified developed thanks based
ported adapted permission licensed license licence this distributed released see email mail date version file filename
description project package module website homepage original translated originally changes changed updated edited
improved reviewed designed coded implemented redistribution
"""
_OTHERS = frozenset(_OTHER_WORDS.split())
_COMMENT = re.compile(r"^[\s#*/;%!\-'\"|.{}(<>@~+`$:,_\\]*(?:(?i:rem|dnl)\s)?\s*")
_ASSIGNED = re.compile(r"""^["']?\s*[:=]>?\s*(?:[a-zA-Z]?["'])?""")  # copyright = u"2010, Jane Doe"
_STOPS = re.compile(r"(?i)\ball rights reserved\b\.?")
# A licence's own words about its holder, at the end of what stands before the person.
_IN_LICENSE = re.compile(
    r"(?i)(?:\bprovided\s+by|\bin\s+no\s+event\s+shall|\bneither\s+the\s+names?\s+(?:of)?|\bthe\s+names?\s+of"
    r"|\bincludes\s+software\s+(?:developed|written)\s+by|\bcryptographic\s+software\s+written\s+by)"
    r"[\s#*/;]{1,20}(?:the\s+)?(?:[\w.,&]+\s+){0,4}\Z"
)


def is_holder(text: str, start: int, end: int) -> bool:
    """Whether the person at code points [start, end) of `text` stands in a line that a licence requires."""
    line = text.rfind("\n", 0, start) + 1
    before = text[max(line, start - REACH) : start]
    marked = _after_mark(before)
    if marked is not None:
        return _is_list(marked) and not _goes_on_as_prose(text, end)
    if _IN_LICENSE.search(text, max(0, start - 120), start):
        return True
    return start - line <= REACH and _is_list(_COMMENT.sub("", before, count=1)) and _follows_notice(text, line)


def _after_mark(line: str) -> str | None:
    """What stands behind the first sign of copyright in `line`; None where there is none."""
    mark = _MARK.search(line)
    return None if mark is None else _ASSIGNED.sub("", line[mark.end() :], count=1)


def _goes_on_as_prose(text: str, end: int) -> bool:
    """`Copyright Jane holds`: a verb behind the name."""
    return re.match(r"\s(?:holds|held|has|had|owns|owned|is|was|assigns|claims|'s)\b", text[end : end + 12]) is not None


def _follows_notice(text: str, line: int) -> bool:
    """Whether the lines above the one that begins at `line` are a list of holders back to the sign of copyright."""
    for _ in range(LINES):
        if line == 0:
            return False
        above = text.rfind("\n", 0, line - 1) + 1
        if line - above > REACH:
            return False
        content = text[above : line - 1]
        marked = _after_mark(content)
        if marked is not None:
            return _is_list(_STOPS.sub("", marked))
        content = _COMMENT.sub("", content, count=1).rstrip()
        if not content or not _is_list(content):
            return False
        line = above
    return False


@lru_cache(4096)  # lists of holders come in every file of a project
def _is_list(text: str) -> bool:
    """Whether nothing stands in `text` but what a list of holders is made of."""
    for word in _WORD.findall(_MARK.sub(" ", text)):
        lowered = word.lower()
        if word[0].isalpha() and "@" not in word and "://" not in word:
            if lowered.endswith(":"):
                if lowered not in _LISTED_LABELS:
                    return False
            elif lowered.rstrip(".") in _OTHERS or (word[0].islower() and lowered.rstrip(".,") not in _LISTED):
                return False
        elif word in "=;{}[]" and word != ";":
            return False
    return True
