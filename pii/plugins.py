"""A user's own Presidio recognizers: classes by name, and Presidio's YAML definitions of pattern recognizers.

What is wrong with one is told in one sentence. Importing a user's module runs it, as the recipe that names it asks.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from pii.spans import ENTITY_NAME
from pipeline.storage import read_file

if TYPE_CHECKING:
    from presidio_analyzer import EntityRecognizer, PatternRecognizer

Recognizer = TypeVar("Recognizer", bound="EntityRecognizer")


def load_class(name: str) -> type[EntityRecognizer]:
    """The class `package.module:Class`; ValueError, one sentence, where it is no Presidio recognizer."""
    module, colon, attribute = name.partition(":")
    if not colon or not module or not attribute:
        raise ValueError("write a recognizer as 'package.module:Class'")
    try:
        found = getattr(import_module(module), attribute, None)
    except Exception as error:  # the module is the user's, and may fail as it likes
        raise ValueError(f"the module {module} cannot be imported ({type(error).__name__}: {error})") from None
    from presidio_analyzer import (
        EntityRecognizer,
        LocalRecognizer,
    )  # seconds to import, which only who plugs one in should cost

    if found is None:
        raise ValueError(f"the module {module} has no class {attribute}")
    if not (isinstance(found, type) and issubclass(found, EntityRecognizer)):
        raise ValueError(f"{attribute} in {module} is no Presidio recognizer; derive it from EntityRecognizer")
    kind: type[EntityRecognizer] = found
    if kind.analyze in (EntityRecognizer.analyze, LocalRecognizer.analyze):
        raise ValueError(f"{attribute} in {module} has no method analyze, which a recognizer finds with")
    return kind


def build(name: str) -> EntityRecognizer:
    """An instance of the class; ValueError where it wants arguments or fails."""
    kind = load_class(name)
    try:
        made = kind()
    except Exception as error:  # the class is the user's, and may fail as it likes
        raise ValueError(f"{name} cannot be made without arguments ({type(error).__name__}: {error})") from None
    return _named(made, name)


def _named(made: Recognizer, name: str) -> Recognizer:
    """The recognizer; ValueError where an entity's name would give a placeholder that is not known for one again."""
    for entity in made.supported_entities:
        if not re.fullmatch(ENTITY_NAME, entity):
            raise ValueError(
                f"{name} finds '{entity}', which can be no placeholder; name entities in 3 to 41 of A-Z and _"
            )
    return made


def read_definitions(path: str) -> list[PatternRecognizer]:
    """The recognizers of a file in Presidio's format (`recognizers:` with name, supported_entity, patterns, ...)."""
    try:
        content = yaml.safe_load(read_file(path).decode("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read '{path}' ({getattr(error, 'strerror', None) or error})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ValueError(f"'{path}' is not valid YAML{f', see line {mark.line + 1}' if mark else ''}") from None
    listed = content.get("recognizers") if isinstance(content, dict) else None
    if not isinstance(listed, list) or not listed:
        raise ValueError(f"'{path}' has no list 'recognizers', in which Presidio's definitions stand")
    return [_defined(path, number, fields) for number, fields in enumerate(listed, start=1)]


def _defined(path: str, number: int, fields: Any) -> PatternRecognizer:
    from presidio_analyzer import PatternRecognizer

    name = fields.get("name", f"number {number}") if isinstance(fields, dict) else f"number {number}"
    try:
        recognizer = PatternRecognizer.from_dict(fields)
        recognizer.analyze("", recognizer.supported_entities)  # compiles the patterns
    except Exception as error:
        problem = f"{type(error).__name__}: {error}".split("\n")[0]
        raise ValueError(
            f"the recognizer {name} of '{path}' is no definition Presidio understands ({problem})"
        ) from None
    return _named(recognizer, f"the recognizer {name} of '{path}'")
