"""A place of a redacted text as an auditor sees it: a few lines, with every value in them masked.

What the stage found, replaced or left, stands as its entity: ‹NAME›. Then whatever a finder still recognizes in these
lines is masked too, as ‹NAME?›: the stage's thresholds or entities passed it over, or its recognizers were others. It
is looked for in more text than is shown, so that no edge cuts a value in two. Only a value that no recognizer knows can
be seen: that is what a search for misses shows.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from reports.audit_stage import KEPT
from reports.excerpts import printable

# Texts -> of each the (first code point, code point after the last, entity) of what is recognized, in order.
Find = Callable[[Sequence[str]], Sequence[Sequence[tuple[int, int, str]]]]

REACH = 2000  # characters around a place that are looked at
WIDTH = 110  # characters of a line that are shown before and after the place
LENGTHS = ((4, "1–3"), (8, "4–7"), (16, "8–15"), (32, "16–31"), (64, "32–63"))  # below, name of the class


class Piece(NamedTuple):
    """A run of text, or a masked value (then `entity` is not empty); `target` is what is asked about."""

    text: str
    entity: str = ""
    target: bool = False


class Mark(NamedTuple):
    """Code points [start, end) of the text after redaction that hold a value or what replaced it."""

    start: int
    end: int
    entity: str


class Around(NamedTuple):
    """A place and the text around it with the known marks as placeholders: what a finder has to read."""

    text: str
    marks: list[Mark]  # in `text`
    start: int  # of the place, in `text`
    end: int


def marks_of(findings: Sequence[Mapping[str, Any]]) -> list[Mark]:
    """Where the findings of a document (in text order, offsets in the text before) stand in the text after."""
    moved, marks = 0, []
    for row in findings:
        start = row["start"] + moved
        if row["action"] == KEPT:
            end = start + len(row["replacement"])
            moved += len(row["replacement"]) - (row["end"] - row["start"])
        else:
            end = row["end"] + moved
        marks.append(Mark(start, end, row["entity"]))
    return marks


def redacted(before: str, findings: Sequence[Mapping[str, Any]]) -> str:
    """The text after redaction, from the text before and what was found in it."""
    parts, position = [], 0
    for row in findings:
        if row["action"] == KEPT:
            parts += [before[position : row["start"]], row["replacement"]]
            position = row["end"]
    return "".join([*parts, before[position:]])


def is_as_written(after: str, findings: Sequence[Mapping[str, Any]], marks: Sequence[Mark]) -> bool:
    """Whether every replacement stands in the text: else it was changed later, and no offset fits."""
    return all(
        after[mark.start : mark.end] == row["replacement"]
        for row, mark in zip(findings, marks, strict=True)
        if row["action"] == KEPT
    ) and all(mark.end <= len(after) for mark in marks)


def around(after: str, marks: Sequence[Mark], start: int, end: int) -> Around:
    """The text around code points [start, end), every mark in it as its entity's placeholder."""
    low, high = max(0, start - REACH), min(len(after), end + REACH)
    first = bisect_right([mark.end for mark in marks], low)
    last = bisect_left([mark.start for mark in marks], high)
    inside = marks[first:last]
    if inside:  # no edge cuts a value
        low, high = min(low, inside[0].start), max(high, inside[-1].end)
    parts: list[str] = []
    made: list[Mark] = []
    position, length = low, 0
    place = [-1, -1]
    for mark in [*inside, Mark(high, high, "")]:
        for number, point in enumerate((start, end)):
            if place[number] < 0 and position <= point <= mark.start:
                place[number] = length + point - position
        parts.append(after[position : mark.start])
        length += mark.start - position
        if not mark.entity:
            break
        placeholder = f"<{mark.entity}>"
        parts.append(placeholder)
        made.append(Mark(length, length + len(placeholder), mark.entity))
        if mark.start <= start < mark.end:
            place[0] = length
        length += len(placeholder)
        if mark.start < end <= mark.end:
            place[1] = length
        position = mark.end
    return Around("".join(parts), made, place[0], place[1])


def pieces(place: Around, found: Sequence[tuple[int, int, str]], lines: int, *, target: bool = True) -> list[Piece]:
    """The place with `lines` lines before and after, and what a finder found in it, masked.

    `target`: whether the place itself is a masked value that is asked about; else it is text that is read.
    """
    text = place.text
    marks, names = list(place.marks), [f"‹{mark.entity}›" for mark in place.marks]
    known = [mark.start for mark in marks]
    for start, end, entity in found:
        at = bisect_right(known, start)
        overlaps = (at > 0 and marks[at - 1].end > start) or (at < len(known) and known[at] < end)
        if not overlaps:
            marks.insert(at, Mark(start, end, entity))
            names.insert(at, f"‹{entity}?›")
            known.insert(at, start)
    low, high = _shown(text, place.start, place.end, lines)
    for mark in marks:
        if mark.start < low < mark.end:
            low = mark.start
        if mark.start < high < mark.end:
            high = mark.end
    result: list[Piece] = [Piece("…")] if low and text[low - 1] != "\n" else []
    position = low
    for mark, name in zip(marks, names, strict=True):
        if mark.end <= low or mark.start >= high:
            continue
        if mark.start > position:
            result.append(Piece(_readable(text[position : mark.start])))
        is_target = target and mark.start == place.start
        result.append(Piece(name, mark.entity, is_target))
        position = mark.end
    if position < high:
        result.append(Piece(_readable(text[position:high])))
    if high < len(text) and text[high] not in "\r\n":
        result.append(Piece("…"))
    return result


def _readable(text: str) -> str:
    return printable(text.replace("\r\n", "\n"))


def _shown(text: str, start: int, end: int, lines: int) -> tuple[int, int]:
    """Code points that are shown: the place's line and `lines` around it, no more than WIDTH beyond the place."""
    low, high = text.rfind("\n", 0, start) + 1, _line_end(text, end)
    for _ in range(lines):
        low = text.rfind("\n", 0, low - 1) + 1 if low else 0
        high = _line_end(text, high + 1)
    low, high = max(low, start - WIDTH * (lines + 1)), min(high, end + WIDTH * (lines + 1))
    while low < start and text[low] == "\n":  # no empty line at either end
        low += 1
    while high > end and text[high - 1] in "\r\n":
        high -= 1
    return low, high


def _line_end(text: str, point: int) -> int:
    found = text.find("\n", point)
    return len(text) if found < 0 else found


def plain(shown: Sequence[Piece]) -> str:
    """The pieces as one string."""
    return "".join(piece.text for piece in shown)


def length_class(length: int) -> str:
    """How long a value is, roughly: more would tell which of a few it is."""
    return next((name for limit, name in LENGTHS if length < limit), "64 or more")
