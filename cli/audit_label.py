"""The labelling mode of `quarry audit`: one place at a time, one key each, every verdict on disk before the next place.

Keys come from the terminal one by one, or as characters from a pipe. What is shown goes to the terminal alone.
"""

from __future__ import annotations

import sys
import termios
import tty
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from pii.audit_verdicts import Kind, Verdict, Verdicts
from pii.spans import ENTITIES
from pipeline.errors import UsageError
from reports.audit_context import Piece, length_class
from reports.audit_misses import ShownLine
from reports.audit_sample import Shown
from reports.excerpts import printable

AHEAD = 16  # places whose text is read together
MEANINGS = {"y": "yes", "n": "no", "s": "skip"}
_HINT = "y yes · n no · s skip · u undo · q quit"


class Session(NamedTuple):
    """What one sitting did."""

    judged: int
    gone: int  # places of which no text is left
    ended: bool  # whether all of the sample is judged


class Keys:
    """One key after another from standard input; a terminal gives them at once, without Enter and without echo."""

    def __init__(self) -> None:
        self.is_terminal = sys.stdin.isatty()
        self.any = False

    def __enter__(self) -> Keys:
        if self.is_terminal:
            self.before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin, termios.TCSADRAIN)  # for the whole sitting, so that no key typed ahead is lost
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_terminal:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self.before)

    def next(self) -> str | None:
        """The next key in lower case, None at the end; line feeds count too, as they end an answer of several keys."""
        key = sys.stdin.read(1)
        self.any = self.any or bool(key.strip())
        return None if key in ("", "\x04") else key.lower()


def label(
    console: Console,
    verdicts: Verdicts,
    kind: Kind,
    auditor: str,
    items: Sequence[Any],
    read: Callable[[Sequence[Any]], Iterator[Any]],
    ask: Callable[[Any], tuple[Text, str]],
) -> Session:
    """Ask about each of `items` (Drawn or Line) that this auditor has not judged yet; `read` gives their contexts.

    UsageError where there is no terminal, and nothing comes from the pipe.
    """
    with Keys() as keys:
        return _label(console, keys, verdicts, kind, auditor, items, read, ask)


def _label(
    console: Console,
    keys: Keys,
    verdicts: Verdicts,
    kind: Kind,
    auditor: str,
    items: Sequence[Any],
    read: Callable[[Sequence[Any]], Iterator[Any]],
    ask: Callable[[Any], tuple[Text, str]],
) -> Session:
    done = verdicts.given[kind].get(auditor, {})
    todo = [item for item in items if item.place not in done]
    before = len(items) - len(todo)
    shown: dict[int, Any] = {}
    history: list[tuple[int, Any]] = []
    at = gone = 0
    while at < len(todo):
        if at not in shown:
            shown = {at + n: one for n, one in enumerate(read(todo[at : at + AHEAD]))}
        place = shown[at]
        if place.context is None:
            gone, at = gone + 1, at + 1
            continue
        text, question = ask(place)
        console.print(Rule(Text(f"{before + at + 1:,} of {len(items):,}"), align="left", style="dim"))
        console.print(text)
        answer = _answer(console, keys, question, kind)
        if answer is None:
            if not keys.is_terminal and not keys.any:
                raise UsageError(
                    "labelling needs answers: run --label in a terminal, or pipe the keys y, n, s, u, q into it."
                )
            return Session(len(history), gone, False)
        word, missed = answer
        if word == "undo":
            if history:
                at, item = history.pop()
                _record(verdicts, kind, item, "undo", auditor, ())
                console.print("taken back", style="dim")
            else:
                console.print("nothing to take back in this sitting", style="dim")
            continue
        _record(verdicts, kind, todo[at], word, auditor, missed)
        history.append((at, todo[at]))
        at += 1
    return Session(len(history), gone, True)


def _answer(console: Console, keys: Keys, question: str, kind: Kind) -> tuple[str, tuple[str, ...]] | None:
    """(word, entities that were missed); None for the end."""
    console.print(f"{question}  [{_HINT}]", markup=False, style="bold")
    while True:
        key = keys.next()
        if key is None or key == "q":
            return None
        if key == "u":
            return "undo", ()
        if key in MEANINGS:
            if kind == "missed" and key == "y":
                missed = _missed(console, keys)
                if not missed:
                    console.print("no entity was named: y once more, or another key", style="dim")
                    continue
                return "yes", missed
            return MEANINGS[key], ()
        if key.strip():
            console.print(_HINT, style="dim")


def _missed(console: Console, keys: Keys) -> tuple[str, ...]:
    """The entities whose digits follow, up to a key that is none."""
    digits = " ".join(f"{number} {entity}" for number, entity in enumerate(ENTITIES, start=1))
    console.print(f"what? {digits}; one digit a missed value, then Enter", style="bold")
    missed: list[str] = []
    while (key := keys.next()) is not None:
        if key.isdigit() and 1 <= int(key) <= len(ENTITIES):
            missed.append(ENTITIES[int(key) - 1])
            console.print(f"  {ENTITIES[int(key) - 1]}", style="dim")
        elif key.strip() or missed:
            break
    return tuple(missed)


def _record(verdicts: Verdicts, kind: Kind, item: Any, word: str, auditor: str, missed: tuple[str, ...]) -> None:
    verdict = Verdict(item.place, item.stratum, word, auditor, missed)
    verdicts.add(kind, verdict, getattr(item, "recognizer", ""), getattr(item, "score", None))


# ---- what is shown


def ask_found(shown: Shown, *, left: bool, blind: bool) -> tuple[Text, str]:
    """A decision and the question about it; a second auditor is not told who found it and how sure."""
    drawn = shown.drawn
    text = Text(f"{drawn.entity}  ", style="bold")
    text.append(f"{drawn.repo}:{drawn.path}  {drawn.language}  {length_class(drawn.end - drawn.start)} characters")
    if not blind:
        text.append(f"  {drawn.recognizer} {drawn.score:.2f}", style="dim")
    text.append("\n\n")
    text.append_text(_context(shown.context or [], shown.value))
    text.append("\n")
    if left:
        return text, f"It was left ({drawn.reason.removeprefix('left_').replace('_', ' ')}). Is that right?"
    return text, f"Is it {'an' if drawn.entity[0] in 'AEIO' else 'a'} {drawn.entity}?"


def ask_missed(shown: ShownLine) -> tuple[Text, str]:
    """A line and the question about it."""
    text = Text(f"{shown.drawn.repo}:{shown.drawn.path}\n\n")
    text.append_text(_context(shown.context or []))
    text.append("\n\n  the line: ", style="dim")
    text.append_text(_context(shown.line or []))
    text.append("\n")
    if any(piece.text.endswith("?›") for piece in shown.line or []):
        text.append("  ‹…?› the run did not find; today's recognizers do\n", style="dim")
    return text, "Is anything missed in the line?"


def _context(pieces: Sequence[Piece], value: str | None = None) -> Text:
    text = Text()
    for piece in pieces:
        if piece.target:
            text.append(piece.text if value is None else printable(value), style="bold reverse")
        else:
            text.append(piece.text, style="cyan" if piece.entity else "")
    return text
