"""Patterns tried only around the literals that their matches hold: str.find passes over the rest at memory speed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

AHEAD = 600  # characters after an anchor that a pattern with a reach may match


def plain(text: str) -> str:
    """`text` with `?` for every character that is not ASCII: a byte a character, which str.find is fastest on."""
    return text if text.isascii() else text.encode("ascii", "replace").decode("ascii")


def matches(
    text: str, pattern: re.Pattern[str], anchors: Sequence[str], reach: int, searched: str = ""
) -> Iterator[re.Match[str]]:
    """The matches of `pattern`, which start at one of `anchors`, or at most `reach` characters before it.

    A match may come twice where it holds two anchors. Linear: of anchors close to one another the surroundings are
    searched once. `searched` is plain(text), which pays where one text is searched for many patterns' anchors.
    """
    searched = searched or text
    for anchor in anchors:
        at = searched.find(anchor)
        while at >= 0:
            if reach == 0:
                match = pattern.match(text, at)
                if match:
                    yield match
                at = searched.find(anchor, match.end() if match else at + len(anchor))
                continue
            begin, end = max(0, at - reach), at + AHEAD
            at = searched.find(anchor, at + len(anchor))
            while 0 <= at - reach <= end:
                end = at + AHEAD
                at = searched.find(anchor, at + len(anchor))
            yield from pattern.finditer(text, begin, end)
