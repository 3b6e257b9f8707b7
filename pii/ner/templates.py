"""Templates: texts with slots, `{NAME}` labelled and `{company}` not, and alternatives, `⟨(c)|©|⟩`.

A file holds blocks between empty lines; a line `~` stands for an empty one. A block belongs to one split by its hash.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from hashlib import blake2b
from importlib.resources import files
from typing import NamedTuple

from pii.ner.names import Split

ENTITY = {"GIVEN": "NAME", "FAMILY": "NAME"}  # slots that are labelled as another entity than they are called
_PART = re.compile(r"\{([A-Za-z_0-9]+)\}|⟨([^⟩]*)⟩")


class Part(NamedTuple):
    """Literal text, the name of a slot, or alternatives."""

    text: str = ""
    slot: str = ""
    choices: tuple[tuple[Part, ...], ...] = ()


class Template(NamedTuple):
    """A parsed block; `labelled` where one of its slots is."""

    parts: tuple[Part, ...]
    labelled: bool


class Filled(NamedTuple):
    """A text and its labelled spans."""

    text: str
    spans: list[tuple[int, int, str]]


def load(name: str, split: Split, slots: Mapping[str, object]) -> list[Template]:
    """The templates of pii/ner/template_NAME.txt that belong to `split`."""
    text = (files("pii.ner") / f"template_{name}.txt").read_text(encoding="utf-8")
    blocks = [re.sub(r"(?m)^~$", "", block.strip("\n")) for block in re.split(r"\n\n+", text) if block.strip()]
    return [_parse(block, slots) for block in blocks if _split_of(block) == split]


def _split_of(block: str) -> Split:
    return "dev" if blake2b(block.encode(), digest_size=1).digest()[0] % 8 == 0 else "train"


def _parse(block: str, slots: Mapping[str, object]) -> Template:
    labelled = any(match[1].isupper() for match in re.finditer(r"\{([A-Za-z_0-9]+)\}", block) if match[1] in slots)
    return Template(_parts(block, slots), labelled)


def _parts(text: str, slots: Mapping[str, object]) -> tuple[Part, ...]:
    parts: list[Part] = []
    position = 0
    for match in _PART.finditer(text):
        slot, choice = match.groups()
        if slot is not None and slot not in slots:
            continue
        parts.append(Part(text=text[position : match.start()]))
        if slot is not None:
            parts.append(Part(slot=slot))
        else:
            parts.append(Part(choices=tuple(_parts(one, slots) for one in choice.split("|"))))
        position = match.end()
    parts.append(Part(text=text[position:]))
    return tuple(part for part in parts if part != Part())


def fill(template: Template, slots: Mapping[str, Callable[[random.Random], str]], rng: random.Random) -> Filled:
    """One text of a template."""
    written: list[str] = []
    spans: list[tuple[int, int, str]] = []
    _fill(template.parts, slots, rng, written, spans, 0)
    return Filled("".join(written), spans)


def _fill(
    parts: tuple[Part, ...],
    slots: Mapping[str, Callable[[random.Random], str]],
    rng: random.Random,
    written: list[str],
    spans: list[tuple[int, int, str]],
    position: int,
) -> int:
    """Writes parts from `position` on and returns where they end."""
    for text, slot, choices in parts:
        if choices:
            position = _fill(rng.choice(choices), slots, rng, written, spans, position)
            continue
        value = slots[slot](rng) if slot else text
        if slot.isupper():
            spans.append((position, position + len(value), ENTITY.get(slot, slot)))
        written.append(value)
        position += len(value)
    return position
