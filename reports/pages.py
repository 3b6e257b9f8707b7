"""Fills the templates beside this module: HTML pages that need no other file."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

import jinja2

from reports import words


def fill(template: str, content: Mapping[str, Any]) -> str:
    """The page that the template `template` makes of `content`; what it is given and is no markup is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": words.number,
        "short": words.short,
        "size": words.size,
        "share": words.share,
        "duration": words.duration,
    }
    return environment.get_template(template).render(content)


def _read(name: str) -> str:
    return resources.files("reports").joinpath(name).read_text("utf-8")
