"""Makes the synthetic evaluation set: templates of real-looking files, filled with made-up values, labels by position.

A template (templates/*.txt) starts with a line `=== LANGUAGE PATH` and holds marks:

    «name» «email» «ip» «aws_id» …        a value of that kind, labelled with its entity
    «name:a» «email:a» «user:a»           of one person, `a`, of the document; a repeated mark is the same value
    «year» «sha256» «product» …           a value that is no entity; `«year:x»` the same again
    «NAME=Sven» «NAME?Alice» «user?:a»    this text, labelled; with `?` as optional (neither hit nor error)
    «|one|two|three»                      one of these

A value of several lines (a private key) gets the white space its first line starts with. Each template is filled
FILLINGS times, with other values; the result depends on nothing but SEED and the files in this folder.
`python -m pii.evaluation.generate` writes synthetic.jsonl.gz; a test holds the shipped file to it.
"""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import orjson

from pii.evaluation import keys, values
from pii.evaluation.draw import Draw
from pii.evaluation.values import Person

SEED = "quarry evaluation 1"
FILLINGS = 3
_MARK = re.compile(r"«([^«»]+)»")
_LITERAL = re.compile(r"(NAME|EMAIL|IP_ADDRESS|USERNAME|PASSWORD|KEY)([=?])(.+)", re.DOTALL)


class Template(NamedTuple):
    """The text of one file with marks; `number` counts within its language."""

    language: str
    path: str
    number: int
    text: str


def templates() -> list[Template]:
    """All templates, by file name and place."""
    result: list[Template] = []
    folder = files("pii.evaluation").joinpath("templates")
    for name in sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".txt")):
        for part in re.split(r"^=== ", folder.joinpath(name).read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            head, _, text = part.partition("\n")
            language, _, path = head.partition(" ")
            language = language.replace("_", " ")
            number = sum(other.language == language for other in result)
            result.append(Template(language, path, number, text.strip("\n") + "\n"))
    return result


class Filling:
    """The values of one document: people and labelled values are remembered, so that a repeated mark repeats them."""

    def __init__(self, seed: str, everyone: list[Person]) -> None:
        self.draw = Draw(seed)
        self.everyone = everyone
        self.people: dict[str, Person] = {}
        self.known: dict[str, tuple[str, str]] = {}
        self.keys = keys.keys()
        self.fillers = values.fillers()
        self.handles = values.lines_of("handles.txt")
        self.domains = values.lines_of("domains.txt")

    def value(self, mark: str) -> tuple[str, str]:
        """(text, entity) of a mark, entity "" for what is none."""
        kind, _, label = mark.partition(":")
        if label and mark in self.known:
            return self.known[mark]
        made = self._make(kind, label)
        if label:
            self.known[mark] = made
        return made

    def _make(self, kind: str, label: str) -> tuple[str, str]:
        draw = self.draw
        if kind in self.fillers:
            return self.fillers[kind](draw), ""
        if kind in self.keys:
            return self.keys[kind](draw), "KEY"
        if kind in ("ip", "private", "ip6"):
            address = {"ip": values.public_ipv4, "private": values.private_ipv4, "ip6": values.ipv6}[kind]
            return address(draw), "IP_ADDRESS"
        if kind in ("password", "plain_password"):
            return (values.password if kind == "password" else values.plain_password)(draw), "PASSWORD"
        return self._of_person(kind, label)

    def _of_person(self, kind: str, label: str) -> tuple[str, str]:
        draw = self.draw
        person = self._person(label, latin=kind in ("given", "family", "sorted", "initial", "latin"))
        given, family = person.full.split(" ")[0], person.full.rpartition(" ")[2]
        names = {
            "name": person.full,
            "latin": person.full,
            "given": given,
            "family": family,
            "sorted": f"{family}, {given}",
            "initial": f"{given[0]}. {family}",
        }
        if kind in names:
            return names[kind], "NAME"
        if kind == "user":
            return values.handle(draw, person, self.handles), "USERNAME"
        if kind == "email":
            account = self.value(f"user:{label}")[0] if label else values.handle(draw, person, self.handles)
            return values.email(draw, person, account, self.domains), "EMAIL"
        if kind == "role":
            local = draw.of(values.words("roles"))
            return f"{local}@{draw.of(self.domains[20:])}", "EMAIL"
        raise ValueError(f"no such mark: {kind}")

    def _person(self, label: str, latin: bool) -> Person:
        if label in self.people:
            return self.people[label]
        while True:
            person = draw_from(self.draw, self.everyone, latin)
            if person not in self.people.values():
                self.people[label or f"#{len(self.people)}"] = person
                return person


def draw_from(draw: Draw, everyone: list[Person], latin: bool) -> Person:
    """Somebody; with `latin` somebody whose name has a given and a family name in Latin letters."""
    while True:
        person = draw.of(everyone)
        if person.latin or not latin:
            return person


def fill(template: Template, filling: Filling) -> tuple[str, list[dict[str, object]]]:
    """The text of a template with its marks replaced, and the labels in code points."""
    parts: list[str] = []
    entities: list[dict[str, object]] = []
    length = position = 0
    # A person whose single given or family name is asked for must have one, wherever the person is named first.
    for kind, label in re.findall(r"«(given|family|sorted|initial|latin)\??:(\w+)»", template.text):
        filling._person(label, latin=bool(kind))
    for match in _MARK.finditer(template.text):
        before = template.text[position : match.start()]
        position = match.end()
        mark, optional = match[1], False
        literal = _LITERAL.fullmatch(mark)
        if mark.startswith("|"):
            value, entity = filling.draw.of(mark[1:].split("|")), ""
        elif literal:
            entity, value, optional = literal[1], literal[3], literal[2] == "?"
        else:
            optional = "?" in mark
            value, entity = filling.value(mark.replace("?", ""))
        if "\n" in value:
            line = template.text[template.text.rfind("\n", 0, match.start()) + 1 :]
            indent = re.match(r"[ \t]*", line)
            value = value.replace("\n", "\n" + (indent[0] if indent else ""))
        parts += [before, value]
        length += len(before)
        if entity:
            entities.append({"start": length, "end": length + len(value), "entity": entity, "optional": optional})
        length += len(value)
    return "".join(parts) + template.text[position:], entities


def documents(seed: str = SEED, fillings: int = FILLINGS) -> Iterator[dict[str, object]]:
    """The documents of the set: id, language, path, text, template (which `fillings` share) and entities."""
    everyone = values.people()
    for template in templates():
        name = f"{template.language.lower().replace(' ', '-')}-{template.number:02d}"
        for number in range(fillings):
            text, entities = fill(template, Filling(f"{seed}/{name}/{number}", everyone))
            yield {
                "id": f"{name}.{number}",
                "language": template.language,
                "path": template.path,
                "template": name,
                "text": text,
                "entities": entities,
            }


def lines() -> bytes:
    """The set as JSON lines."""
    return b"".join(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE) for document in documents())


def main() -> None:
    target = Path(__file__).with_name("synthetic.jsonl.gz")
    data = lines()
    target.write_bytes(gzip.compress(data, mtime=0))
    print(f"{target.name}: {data.count(chr(10).encode())} documents, {len(data):,} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
