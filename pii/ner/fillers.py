"""What fills the slots of the templates: values that are labelled, and the many things that only look like them."""

from __future__ import annotations

import random
from collections.abc import Callable

from pii.ner import values
from pii.ner.names import Names, Person, Split, handle, written
from pii.ner.values import pick

_PLAIN: dict[str, Callable[[random.Random], str]] = {
    "IP_ADDRESS": values.ip_address, "PASSWORD": values.password, "KEY": values.key,
    "project": values.project, "class": values.class_name, "ident": values.identifier, "const": values.constant,
    "sentence": values.sentence, "title": values.title, "year": values.year, "years": values.years,
    "date": values.date, "time": values.time, "version": values.version, "n": values.number, "hash": values.digest,
    "hash7": values.short_digest, "uuid": values.uuid, "file": values.file_name, "host": values.host,
    "repo": values.repository, "phone": values.phone,
}  # fmt: skip
_LISTS = {
    "product": "products", "city": "cities", "topic": "topics", "book": "books", "wordname": "word_names",
    "madeup": "made_up", "month": "months", "weekday": "days", "word": "nouns", "verb": "verbs", "adj": "adjectives",
    "service": "services", "ext": "extensions",
}  # fmt: skip


class Fillers:
    """Fills slots of one document at a time. An upper-case slot is labelled, a lower-case one is not.

    NAME, GIVEN and FAMILY begin a person; EMAIL and USERNAME belong to that person where there is one already.
    """

    def __init__(self, split: Split) -> None:
        self.names = Names(split)
        self.current: Person | None = None
        self.slots: dict[str, Callable[[random.Random], str]] = {
            "NAME": self.name,
            "GIVEN": self.given,
            "FAMILY": self.family,
            "EMAIL": self.email,
            "USERNAME": self.username,
            "company": self.company,
            "eponym": self.eponym,
            "d": lambda rng: str(rng.randint(1, 28)),
            "mon": lambda rng: pick(rng, "months")[:3],
            "day": lambda rng: pick(rng, "days")[:3],
            "Word": lambda rng: pick(rng, "nouns").capitalize(),
            "Verb": lambda rng: pick(rng, "verbs").capitalize(),
            "Adj": lambda rng: pick(rng, "adjectives").capitalize(),
            **_PLAIN,
            **{slot: self._listed(name) for slot, name in _LISTS.items()},
        }

    @staticmethod
    def _listed(name: str) -> Callable[[random.Random], str]:
        return lambda rng: pick(rng, name)

    def name(self, rng: random.Random) -> str:
        self.current = self.names.person(rng)
        return written(rng, self.current)

    def given(self, rng: random.Random) -> str:
        self.current = self.names.person(rng)
        return self.current.given

    def family(self, rng: random.Random) -> str:
        self.current = self.names.person(rng)
        return self.current.family

    def username(self, rng: random.Random) -> str:
        return handle(rng, self.current or self.names.person(rng)).strip(".")

    def email(self, rng: random.Random) -> str:
        local = self.username(rng).strip("-_").lower()
        return f"{local or 'jd'}@{pick(rng, 'providers') if rng.random() < 0.4 else values.host(rng)}"

    def company(self, rng: random.Random) -> str:
        """A firm, an institute, a university; a third of the firms are called after somebody."""
        kind = rng.random()
        if kind < 0.15:
            return pick(rng, "institutes")
        if kind < 0.25:
            return f"University of {pick(rng, 'cities').split('/')[-1]}"
        if kind < 0.6:
            name = pick(rng, "companies")
        elif kind < 0.75:
            tails = ("", " & Co", " & Partners", " Brothers", " " + pick(rng, "company_middles"))
            name = self.names.person(rng).family + rng.choice(tails)
        else:
            name = pick(rng, "company_heads") + rng.choice(("", " ")) + pick(rng, "company_middles")
        return f"{name}{rng.choice(('', ',', ''))} {pick(rng, 'company_tails')}" if rng.random() < 0.6 else name

    def eponym(self, rng: random.Random) -> str:
        """Dijkstra's algorithm, Bloom filter, and as much with a name that nothing is called after."""
        name = pick(rng, "eponyms") if rng.random() < 0.6 else self.names.person(rng).family
        if rng.random() < 0.2:
            name += "-" + pick(rng, "eponyms")
        return f"{name}{rng.choice(('', '', chr(39) + 's'))} {pick(rng, 'eponym_things')}"
