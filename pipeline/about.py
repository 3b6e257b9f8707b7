"""What the publisher says about the dataset in the recipe (`about:`), for its card and its Croissant file.

It changes no document, so it counts in no fingerprint: changing it writes the papers again and nothing else.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class About(BaseModel):
    """Every field may be left out; the card says what is missing."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    title: str | None = None  # the recipe's name without it
    description: str | None = None
    contact: str | None = None  # where opt-out requests and questions go: an address or a URL
    url: str | None = None  # where the dataset is published
    version: str = "1.0.0"  # semantic version, as Croissant asks for
    published: Annotated[date | None, Field(strict=False)] = None
