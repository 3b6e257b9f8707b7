"""A recipe: the YAML file that names a run's repositories and lists its passes over a closed catalogue of stages.

Everything a user can get wrong in it is found here, before anything runs, and told in one sentence that names the
file, the field, the value, what is allowed and the nearest name.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa
import yaml
from pydantic import BaseModel, ValidationError

from pipeline import schema
from pipeline.about import About
from pipeline.content import change_files, content_files
from pipeline.errors import UsageError
from pipeline.law import schema_after
from pipeline.stage import Stage
from pipeline.storage import read_file

Catalog = Mapping[str, type[Stage]]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class NamedStage:
    """A stage with the name it has in the recipe (`as:`, else its name in the catalogue)."""

    name: str
    kind: str
    stage: Stage


@dataclass(frozen=True)
class Pass:
    """Stages executed together on a shard, read once and written once."""

    name: str
    stages: tuple[NamedStage, ...]

    @property
    def opener(self) -> Stage:
        return self.stages[0].stage


@dataclass(frozen=True)
class Recipe:
    """A validated recipe; paths in it are absolute."""

    name: str
    repositories: str | None  # the list of repositories; None where the first stage reads another source
    passes: tuple[Pass, ...]
    about: About

    def resolved(self) -> str:
        """The recipe as YAML with every field spelt out, as it is kept in the run."""
        passes: dict[str, list[dict[str, Any]]] = {}
        for part in self.passes:
            passes[part.name] = []
            for named in part.stages:
                fields: dict[str, Any] = {} if named.name == named.kind else {"as": named.name}
                passes[part.name].append({named.kind: fields | named.stage.model_dump(mode="json")})
        listed = {"repositories": self.repositories} if self.repositories else {}
        about = self.about.model_dump(mode="json", exclude_defaults=True)
        content = {"name": self.name, **listed, **({"about": about} if about else {}), "passes": passes}
        return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


def load_recipe(path: str, catalog: Catalog, overrides: Sequence[str] = (), *, need_files: bool = True) -> Recipe:
    """Read and validate the recipe at `path`; `overrides` are `stage.field=value`, `name=value` or `repositories=path`.

    Paths in the recipe are relative to its folder, paths in overrides to the working directory. Raises UsageError.
    `need_files=False` accepts that the files it names are gone, for looking at a run that was made with them.
    """
    content = _read(path)
    _known(path, "the recipe", content, ("name", "repositories", "about", "passes"))
    folder = os.path.dirname(os.path.abspath(path)) if "://" not in path else path.rsplit("/", 1)[0]
    if isinstance(content.get("repositories"), str):
        content["repositories"] = _absolute(content["repositories"], folder)
    passes = content.get("passes")
    if not isinstance(passes, dict) or not passes:
        raise UsageError(f"{path}: 'passes' must map a name to a list of stages, such as 'filter: [license, select]'.")
    entries = {str(name): _entries(path, str(name), listed, catalog, folder) for name, listed in passes.items()}
    _override(path, content, [entry for listed in entries.values() for entry in listed], catalog, overrides)
    built = tuple(
        Pass(name, tuple(NamedStage(e.name, e.kind, _build(path, e, catalog[e.kind], need_files)) for e in listed))
        for name, listed in entries.items()
    )
    needed = ("name", "repositories") if len(built[0].opener.takes) else ("name",)
    for key in needed:
        if not isinstance(content.get(key), str) or not content[key]:
            raise UsageError(f"{path}: '{key}' is missing or no text; write '{key}: ...' at the top of the recipe.")
    if "repositories" in content and "repositories" not in needed:
        raise UsageError(f"{path}: 'repositories' goes unread, as '{built[0].stages[0].name}' reads another source.")
    if not re.fullmatch(r"[\w.-][\w .-]*", content["name"]):
        raise UsageError(f"{path}: name {content['name']!r} may hold letters, digits, blanks and '_.-' only.")
    _check_names(path, built)
    _check_chain(path, built)
    return Recipe(content["name"], content.get("repositories"), built, _about(path, content.get("about") or {}))


def recipe_name(path: str) -> str:
    """The name of the recipe at `path`, whatever else it holds."""
    return str(_read(path).get("name"))


@dataclass
class _Entry:
    name: str
    kind: str
    fields: dict[str, Any]


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice, where plain YAML would silently keep the last."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    for key in keys:
        if keys.count(key) > 1:
            raise yaml.constructor.ConstructorError(None, None, f"'{key}' is given twice", node.start_mark)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _read(path: str) -> dict[str, Any]:
    try:
        content = yaml.load(read_file(path).decode("utf-8-sig"), _Loader)
    except (OSError, ValueError, ImportError) as error:
        raise UsageError(f"cannot read recipe '{path}' ({getattr(error, 'strerror', None) or error}).") from None
    except RecursionError:
        raise UsageError(f"{path}: it is nested too deeply for a recipe.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = str(getattr(error, "problem", None) or error).split("\n")[0]
        raise UsageError(f"{path}{line}: this is not valid YAML: {problem}.") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path}: a recipe is a mapping with 'name', 'repositories' and 'passes'.")
    return content


def _entries(path: str, part: str, listed: Any, catalog: Catalog, folder: str) -> list[_Entry]:
    if not part.replace("_", "").isalnum():
        raise UsageError(f"{path}: pass name '{part}' may hold letters, digits and underscores only.")
    if not isinstance(listed, list) or not listed:
        raise UsageError(f"{path}: pass '{part}' must be a list of stages, such as [license, select].")
    entries = []
    for item in listed:
        if isinstance(item, str):
            item = {item: {}}
        if not isinstance(item, dict) or len(item) != 1:
            raise UsageError(
                f"{path}: pass '{part}': write a stage as 'name' or '{{name: {{field: value}}}}', not {item!r}."
            )
        (kind, fields), *_ = item.items()
        if kind not in catalog:
            raise UsageError(f"{path}: pass '{part}': there is no stage '{kind}'{_nearest(str(kind), catalog)}.")
        if not isinstance(fields or {}, dict):
            raise UsageError(f"{path}: stage '{kind}': its fields are written '{{field: value}}', not {fields!r}.")
        fields = dict(fields or {})
        name = fields.pop("as", kind)
        if not isinstance(name, str) or not name.replace("_", "").isalnum():
            raise UsageError(f"{path}: stage '{kind}': 'as: {name}' is no name of letters, digits and underscores.")
        entries.append(_Entry(name, kind, _with_absolute_files(catalog[kind], fields, folder)))
    return entries


def _override(
    path: str, content: dict[str, Any], entries: list[_Entry], catalog: Catalog, overrides: Sequence[str]
) -> None:
    for text in overrides:
        target, equals, raw = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text}: write stage.field=value.")
        try:
            value = yaml.safe_load(raw)
        except yaml.YAMLError:
            raise UsageError(f"--set {text}: the value is not valid YAML.") from None
        if target in ("name", "repositories"):
            content[target] = _absolute(raw, os.getcwd()) if target == "repositories" else raw
            continue
        name, dot, field = target.partition(".")
        if not dot:
            raise UsageError(f"--set {text}: write {name}.FIELD=value.")
        named = [entry for entry in entries if entry.name == name]
        if not named:
            raise UsageError(f"--set {text}: {path} has no stage '{name}'{_nearest(name, [e.name for e in entries])}.")
        kind = catalog[named[0].kind]
        named[0].fields |= _with_absolute_files(kind, {field: value}, os.getcwd())


def _build(path: str, entry: _Entry, kind: type[Stage], need_files: bool) -> Stage:
    where = f"{path}: stage '{entry.name}'"
    stage = _validated(where, kind, entry.fields)
    for field, file in content_files(stage) if need_files else ():
        if "://" in file or os.path.isfile(file) or os.path.isfile(f"{file}/manifest.json"):
            continue
        if os.path.isdir(file):
            raise UsageError(f"{where}, field '{field}': the folder '{file}' holds no run that was completed.")
        raise UsageError(f"{where}, field '{field}': there is no file '{file}'.")
    return stage


def _about(path: str, fields: Any) -> About:
    if not isinstance(fields, dict):
        raise UsageError(f"{path}: 'about' is written as fields, such as 'about: {{contact: me@example.org}}'.")
    return _validated(f"{path}: 'about'", About, fields)


def _validated(where: str, kind: type[Model], fields: Mapping[str, Any]) -> Model:
    """The model of `fields`; UsageError, which begins with `where`, at the first that is wrong."""
    for field in fields:
        if field not in kind.model_fields:
            raise UsageError(f"{where} has no field '{field}'{_nearest(str(field), kind.model_fields)}.")
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        value = f" {first['input']!r}:" if first["type"] != "missing" else ""
        raise UsageError(f"{where}, field '{field}':{value} {message[0].lower()}{message[1:].rstrip('.')}.") from None


def _check_names(path: str, passes: Iterable[Pass]) -> None:
    seen: set[str] = set()
    for part in passes:
        for named in part.stages:
            if named.name in seen:
                raise UsageError(f"{path}: stage '{named.name}' occurs twice; name one of them with 'as: other_name'.")
            seen.add(named.name)


def _check_chain(path: str, passes: Iterable[Pass]) -> None:
    """Every stage finds its columns in what comes before, and only a stage that opens a pass prepares."""
    given: pa.Schema = schema.REPOSITORY
    before = "the repository list"
    for part in passes:
        for place, named in enumerate(part.stages):
            if place and named.stage.prepares:
                raise UsageError(
                    f"{path}: stage '{named.name}' prepares a side input, so it must stand first in its pass, "
                    f"not behind '{part.stages[0].name}' in '{part.name}'."
                )
            for field in named.stage.takes:
                if field.name not in given.names or not given.field(field.name).type.equals(field.type):
                    raise UsageError(
                        f"{path}: stage '{named.name}' in pass '{part.name}' takes column '{field.name}', "
                        f"which {before} does not give."
                    )
            given, before = schema_after(named.stage, given), f"'{named.name}'"


def _known(path: str, what: str, content: Mapping[str, Any], allowed: Sequence[str]) -> None:
    for key in content:
        if key not in allowed:
            raise UsageError(f"{path}: {what} has no key '{key}'{_nearest(str(key), allowed)}.")


def _with_absolute_files(kind: type[Stage], fields: Mapping[str, Any], folder: str) -> dict[str, Any]:
    return change_files(kind, fields, lambda path: _absolute(path, folder))


def _nearest(name: str, allowed: Iterable[str]) -> str:
    options = sorted(map(str, allowed))
    close = difflib.get_close_matches(name, options, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ";"
    return f"{hint} Allowed: {', '.join(options)}" if options else f"{hint} none is allowed here"


def _absolute(path: str, folder: str) -> str:
    if "://" in path or os.path.isabs(path):
        return path
    return os.path.normpath(os.path.join(folder, path)) if "://" not in folder else f"{folder}/{path}"
