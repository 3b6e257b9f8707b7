"""Writes the pages of docs/ that are made from the code (`make docs`); a test keeps them current."""

from __future__ import annotations

import sys
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pipeline import schema
from pipeline.stage import CONTENT, PLACEMENT, Stage
from stages.catalog import CATALOG

NOTE = "Made from the code by `make docs`; do not edit.\n"


def pages() -> dict[str, str]:
    """File name below docs/ -> content."""
    return {"schemas.md": _schemas(), "reasons.md": _reasons(), "stages.md": _stages()}


def _schemas() -> str:
    parts = [f"# Schemas\n\n{NOTE}"]
    for name, columns in schema.SCHEMAS.items():
        rows = "".join(f"| `{c.name}` | {c.type} | {_cell(c.metadata[b'meaning'].decode())} |\n" for c in columns)
        parts.append(f"## {name}\n\n| column | type | meaning |\n| --- | --- | --- |\n{rows}")
    return "\n".join(parts)


def _reasons() -> str:
    parts = [
        f"# Reasons\n\n{NOTE}\nA decision's `reason` is one of its stage's, or `error`: the stage failed on this one "
        "document, which was\nquarantined. The sentence follows the stage's name; `{…}` are fields of the decision's "
        "`detail`.\n"
    ]
    for name, kind in CATALOG.items():
        rows = "".join(f"| `{reason}` | {_cell(sentence)} |\n" for reason, sentence in kind.reasons.items())
        table = (
            f"| reason | sentence |\n| --- | --- |\n{rows}"
            if rows
            else "This stage drops, redacts and notes nothing.\n"
        )
        parts.append(f"## {name}\n\n{table}")
    return "\n".join(parts)


def _stages() -> str:
    parts = [
        f"# Stages\n\n{NOTE}\nA *file* counts by its content; *placement* says where or how fast, and never counts.\n"
    ]
    for name, kind in CATALOG.items():
        doc = " ".join((kind.__doc__ or "").split())
        fields = "".join(
            f"| `{field}` | {_cell(_type(kind, field))} | {_default(kind, field)} |\n" for field in kind.model_fields
        )
        table = f"| field | type | default |\n| --- | --- | --- |\n{fields}" if fields else "It has no fields.\n"
        columns = f"Columns it may change: {_names(kind.writes)}. Reads: {_names(kind.takes.names)}."
        parts.append(f"## {name}\n\n{doc}\n\n{columns}\n\n{table}")
    return "\n".join(parts)


def _names(names: object) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) or "none"  # type: ignore[call-overload]


def _type(kind: type[Stage], field: str) -> str:
    info = kind.model_fields[field]
    words = _words(info.annotation)
    if CONTENT in info.metadata:
        words = "file"
    return words + (" (placement)" if PLACEMENT in info.metadata else "")


def _words(annotation: Any) -> str:
    """A type as a reader writes it, without pydantic's constraints."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        if CONTENT in arguments:
            return "file"
        return _words(arguments[0])
    if origin is Literal:
        return " | ".join(repr(value) for value in arguments)
    if origin in (Union, UnionType):
        return " | ".join(_words(argument) for argument in arguments)
    if origin is not None:
        return f"{origin.__name__}[{', '.join(_words(argument) for argument in arguments)}]"
    return "null" if annotation is NoneType else str(annotation.__name__)


def _default(kind: type[Stage], field: str) -> str:
    info = kind.model_fields[field]
    return "required" if info.is_required() else f"`{info.get_default(call_default_factory=True)!r}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    for name, content in pages().items():
        (Path(sys.argv[1]) / name).write_text(content, encoding="utf-8")
