"""Patterns tried only around the literals that their matches hold: str.find passes over the rest at memory speed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numba
import numpy as np

AHEAD = 600  # characters after an anchor that a pattern with a reach may match


def plain(text: str) -> str:
    """`text` with `?` for every character that is not ASCII: a byte a character, which str.find is fastest on."""
    return text if text.isascii() else text.encode("ascii", "replace").decode("ascii")


class Anchors:
    """Many literals; says in one pass which of them a text holds, as most texts hold few and each search costs."""

    def __init__(self, anchors: Sequence[str]) -> None:
        self.anchors = sorted({anchor.encode("ascii") for anchor in anchors})  # two bytes or more
        self.starts = np.cumsum([0, *map(len, self.anchors)], dtype=np.int64)
        self.data = np.frombuffer(b"".join(self.anchors), dtype=np.uint8)
        self.heads = np.full(1 << 16, -1, dtype=np.int16)  # the first that starts with these two bytes
        self.following = np.full(len(self.anchors), -1, dtype=np.int16)  # the next one with the same two
        for number, anchor in enumerate(self.anchors):
            head = anchor[0] << 8 | anchor[1]
            self.following[number], self.heads[head] = self.heads[head], number

    def held(self, searched: str) -> frozenset[str]:
        """Those that stand in `searched`, a plain text."""
        text = np.frombuffer(searched.encode("ascii"), np.uint8)
        held = _held(text, self.data, self.starts, self.heads, self.following)
        return frozenset(self.anchors[which].decode() for which in np.flatnonzero(held).tolist())


@numba.njit(nogil=True, cache=True)
def _held(
    text: np.ndarray, literals: np.ndarray, starts: np.ndarray, heads: np.ndarray, following: np.ndarray
) -> np.ndarray:
    """bool[n]: whether each literal stands in the text."""
    held = np.zeros(len(following), dtype=np.bool_)
    for at in range(len(text) - 1):
        number = heads[np.int64(text[at]) << 8 | text[at + 1]]
        while number >= 0:
            length = starts[number + 1] - starts[number]
            if not held[number] and at + length <= len(text):
                same = 2
                while same < length and text[at + same] == literals[starts[number] + same]:
                    same += 1
                held[number] = same == length
            number = following[number]
    return held


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
