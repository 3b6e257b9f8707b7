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


class Template(NamedTuple):
    """`parts` are literal text, alternatives, or the name of a slot."""

    parts: tuple[tuple[str, tuple[str, ...]], ...]  # ("text", (it,)), ("choice", all), ("slot", (name,))
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
    parts: list[tuple[str, tuple[str, ...]]] = []
    position = 0
    for match in _PART.finditer(block):
        slot, choice = match.groups()
        if slot is not None and slot not in slots:
            continue
        parts.append(("text", (block[position : match.start()],)))
        parts.append(("slot", (slot,)) if slot is not None else ("choice", tuple(choice.split("|"))))
        position = match.end()
    parts.append(("text", (block[position:],)))
    return Template(
        tuple(part for part in parts if part != ("text", ("",))), any(k == "slot" and v[0].isupper() for k, v in parts)
    )


def fill(template: Template, slots: Mapping[str, Callable[[random.Random], str]], rng: random.Random) -> Filled:
    """One text of a template."""
    written: list[str] = []
    spans: list[tuple[int, int, str]] = []
    position = 0
    for kind, values in template.parts:
        if kind == "text":
            value = values[0]
        elif kind == "choice":
            value = rng.choice(values)
        else:
            slot = values[0]
            value = slots[slot](rng)
            if slot.isupper():
                spans.append((position, position + len(value), ENTITY.get(slot, slot)))
        written.append(value)
        position += len(value)
    return Filled("".join(written), spans)
