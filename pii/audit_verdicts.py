"""The file of an auditor's verdicts: JSON lines, only ever appended to, without a value.

Its first line of a kind says which sample is judged, so that verdicts of different samples are not thrown together. A
verdict names its place by document and code points; of two by one auditor about one place the later holds, and `undo`
takes it back. The place of a found value is in the text the redact stage read, that of a line in the text it wrote.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

from pipeline.errors import UsageError

Kind = Literal["found", "missed"]
LONGEST = 1 << 16  # bytes of a line
ANSWERS = ("yes", "no", "skip", "undo")
Place = tuple[str, int, int]  # document, first code point, code point after the last


class Verdict(NamedTuple):
    """What one auditor said of one place."""

    place: Place
    stratum: tuple[str, ...]  # entity and recognizer of what was found; the kind of a line
    answer: str  # one of ANSWERS
    auditor: str
    missed: tuple[str, ...] = ()  # entities of the values that were missed there, each as often as it was


@dataclass
class Verdicts:
    """The verdicts of a file that hold, by kind and auditor, in the order they were given."""

    path: Path
    designs: dict[Kind, dict[str, Any]] = field(default_factory=dict)
    given: dict[Kind, dict[str, dict[Place, Verdict]]] = field(default_factory=lambda: {"found": {}, "missed": {}})

    @classmethod
    def nothing(cls) -> Verdicts:
        """No verdicts, of no file."""
        return cls(Path())

    def auditors(self, kind: Kind) -> list[str]:
        """Who judged, the one with the most verdicts first."""
        return sorted(self.given[kind], key=lambda who: (-len(self.given[kind][who]), who))

    def of(self, kind: Kind, auditor: str) -> list[Verdict]:
        """An auditor's verdicts that are a yes or a no."""
        return [one for one in self.given[kind].get(auditor, {}).values() if one.answer != "skip"]

    def pairs(self, kind: Kind, first: str, second: str) -> Iterator[tuple[Verdict, Verdict]]:
        """What both auditors judged."""
        theirs = {one.place: one for one in self.of(kind, second)}
        for one in self.of(kind, first):
            if one.place in theirs:
                yield one, theirs[one.place]

    def start(self, kind: Kind, design: Mapping[str, Any]) -> None:
        """Say which sample is judged from here; UsageError where the file has verdicts of another."""
        held = self.designs.get(kind)
        if held is None:
            self._append({"judges": kind, "sample": dict(design)})
            self.designs[kind] = dict(design)
        elif held != dict(design):
            differ = sorted(name for name in {*held, *design} if held.get(name) != design.get(name))
            told = ", ".join(f"{name} {_shown(held.get(name))}" for name in differ)
            raise UsageError(f"'{self.path}' has verdicts of another sample ({told}); give another --verdicts FILE.")

    def add(self, kind: Kind, verdict: Verdict, recognizer: str, score: float | None = None) -> None:
        """Record a verdict at once, on disk before the next is asked for."""
        document, start, end = verdict.place
        line: dict[str, Any] = {"judges": kind, "document": document, "start": start, "end": end}
        line |= {"stratum": list(verdict.stratum), "recognizer": recognizer, "verdict": verdict.answer}
        if kind == "found":
            line["entity"] = verdict.stratum[0]
        else:
            line["missed"] = list(verdict.missed)
        if score is not None:
            line["score"] = round(score, 4)
        line |= {"auditor": verdict.auditor, "time": datetime.now(UTC).isoformat(timespec="seconds")}
        self._append(line)
        self.take(kind, verdict)

    def take(self, kind: Kind, verdict: Verdict) -> None:
        """Let a verdict hold that is in the file."""
        theirs = self.given[kind].setdefault(verdict.auditor, {})
        theirs.pop(verdict.place, None)
        if verdict.answer != "undo":
            theirs[verdict.place] = verdict
        elif not theirs:
            del self.given[kind][verdict.auditor]

    def _append(self, line: Mapping[str, Any]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+") as file:
                _end_last_line(file)
                file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        except OSError as error:
            raise UsageError(
                f"verdicts cannot be written to '{self.path}' ({error.strerror}); give another --verdicts FILE."
            ) from None


def read_verdicts(path: str | Path) -> Verdicts:
    """The verdicts in a file, none where there is none yet; UsageError where a line is no verdict."""
    verdicts = Verdicts(Path(path))
    try:
        lines = verdicts.path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        return verdicts
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UsageError(f"verdicts cannot be read from '{path}' ({why}); give a file that --label wrote.") from None
    for number, text in enumerate(lines, start=1):
        if not text.strip() or (number == len(lines) and _is_torn(text)):
            continue
        try:
            _read_line(verdicts, json.loads(text))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise UsageError(
                f"line {number:,} of '{path}' is no verdict; remove it, or give another --verdicts FILE."
            ) from None
    return verdicts


def _is_torn(line: str | bytes) -> bool:
    """Whether this, without a line feed at its end, is what a full disk or a power failure left of a line."""
    try:
        return not isinstance(json.loads(line), dict)
    except ValueError:
        return True


def _end_last_line(file: BinaryIO) -> None:
    """Have the file end with a line feed, without what is left of a torn line: the next would become part of it."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - LONGEST))
    last = file.read().rpartition(b"\n")[2]
    if last and _is_torn(last):
        file.truncate(end - len(last))
    elif last:
        file.write(b"\n")


def _read_line(verdicts: Verdicts, line: dict[str, Any]) -> None:
    kind = line["judges"]
    if kind not in verdicts.given:
        raise ValueError
    if "sample" in line:
        if not isinstance(line["sample"], dict) or verdicts.designs.setdefault(kind, line["sample"]) != line["sample"]:
            raise ValueError
        return
    place = (line["document"], line["start"], line["end"])
    stratum, missed = tuple(line["stratum"]), tuple(line.get("missed", ()))
    words = (place[0], *stratum, *missed, line["auditor"])
    numbers = (place[1], place[2])
    if not all(isinstance(word, str) for word in words) or not all(type(number) is int for number in numbers):
        raise TypeError
    if line["verdict"] not in ANSWERS or not stratum:
        raise ValueError
    verdicts.take(kind, Verdict(place, stratum, line["verdict"], line["auditor"], missed))


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)
