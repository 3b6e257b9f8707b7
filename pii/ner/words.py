"""Lists of words that the training data are made of: companies, products, cities, verbs, titles, ..."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def words(name: str) -> tuple[str, ...]:
    """The list `name` of words.txt, where the `_` of a word stands for a blank."""
    return _read()[name]


@cache
def _read() -> dict[str, tuple[str, ...]]:
    sections = (files("pii.ner") / "words.txt").read_text(encoding="utf-8").split("[")[1:]
    named = (section.split("]") for section in sections)
    return {name: tuple(word.replace("_", " ") for word in listed.split()) for name, listed in named}
