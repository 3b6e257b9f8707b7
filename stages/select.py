"""Select tells each file's language and drops files of no known or no wanted language.

It runs early: it reads paths, and the first bytes of files without an extension, and never a whole text.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import field_validator

from pipeline import schema
from pipeline.decisions import drop
from pipeline.side import Side
from pipeline.stage import Outcome, Stage
from stages import languages


class Select(Stage):
    """Writes `language` and drops what is in none of `languages`."""

    takes: ClassVar[pa.Schema] = schema.needs(schema.DOCUMENT, "id", "path", "language", "text")
    gives: ClassVar[pa.Schema] = takes
    writes: ClassVar[frozenset[str]] = frozenset({"language"})
    tables: ClassVar[tuple[str, ...]] = ("languages.yaml",)
    reasons: ClassVar[dict[str, str]] = {
        "unknown_language": "neither its name nor its first line tells a known language (extension: {extension})",
        "language_not_selected": "it is in {language}, which the recipe does not select",
    }

    languages: list[str] | None = None  # StarCoder's spelling, see languages.yaml; None selects all of the table

    @field_validator("languages")
    @classmethod
    def _known(cls, value: list[str] | None) -> list[str] | None:
        return languages.checked(value)

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        table = side.load("languages", languages.load)
        paths = shard.column("path")
        language = table.of(paths, shard.column("text"))
        told = shard.set_column(shard.schema.get_field_index("language"), shard.schema.field("language"), language)
        unknown = np.asarray(pc.is_null(language))
        wanted = pa.array(sorted(table.names if self.languages is None else self.languages), pa.string())
        rows = np.flatnonzero(~np.asarray(pc.is_in(language, value_set=wanted)))
        dropped = pa.array(rows)
        extensions = table.extensions(languages.file_names(paths.take(dropped))).to_pylist()
        named = language.take(dropped).to_pylist()
        return drop(
            told,
            rows,
            ["unknown_language" if unknown[row] else "language_not_selected" for row in rows],
            [
                {"extension": extension or "none"} if name is None else {"language": name}
                for extension, name in zip(extensions, named, strict=True)
            ],
        )
