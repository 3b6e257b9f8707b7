"""Finds the content files in a stage's configuration, wherever they stand: in a field, a list, a model in a field.

One walk serves all who need them: the recipe makes their paths absolute and looks whether they are there, the
fingerprint puts the digest of their content in place of the path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from pipeline.stage import CONTENT


def change_files(kind: type[BaseModel], fields: Mapping[str, Any], change: Callable[[str], Any]) -> dict[str, Any]:
    """`fields` of a `kind` as plain data, with `change(path)` in place of each ContentFile's path.

    Fields the kind does not have, and values of another type than the field's, stay as they are: that they are wrong
    is for the validation to say.
    """
    changed = dict(fields)
    for name in fields.keys() & kind.model_fields.keys():
        field, value = kind.model_fields[name], fields[name]
        if CONTENT in field.metadata:
            changed[name] = change(value) if isinstance(value, str) else value
        else:
            changed[name] = _changed(field.annotation, value, change)
    return changed


def content_files(stage: BaseModel) -> list[tuple[str, str]]:
    """The content files a stage is configured with: the field, and the path."""
    found: list[tuple[str, str]] = []
    for name, value in stage.model_dump(mode="json").items():
        paths: list[str] = []
        change_files(type(stage), {name: value}, paths.append)
        found.extend((name, path) for path in paths)
    return found


def _changed(annotation: Any, value: Any, change: Callable[[str], Any]) -> Any:
    inner = get_args(annotation)
    if get_origin(annotation) is Annotated:
        if CONTENT in inner[1:]:
            return change(value) if isinstance(value, str) else value
        return _changed(inner[0], value, change)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return change_files(annotation, value, change) if isinstance(value, Mapping) else value
    if get_origin(annotation) is list:
        return [_changed(inner[0], item, change) for item in value] if isinstance(value, list) else value
    for option in inner:  # a union, such as ContentFile | None
        value = _changed(option, value, change)
    return value
