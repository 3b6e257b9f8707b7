"""Quality drops what StarCoder and StarCoder2 drop as not written by a person, or of no use to read.

A document is dropped by the first rule that it breaks, in the order of `reasons`. What differs for a language or an
extension stands in languages.yaml; where the two models' rules differ, docs/decisions/quality.md says which is taken.
Counting is done by kernels over the column's buffers; characters are Unicode code points, lines those of
str.splitlines, so that a file of three lines counts three, with or without a last line break.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator

from pipeline import schema
from pipeline.decisions import drop
from pipeline.side import Side
from pipeline.stage import Outcome, Stage
from stages import generated, languages
from stages.encoded_data import LONGEST, encoded_data
from stages.html_text import visible_characters
from stages.text_kernels import (
    ALPHABETIC,
    ALPHANUMERIC,
    CHARACTERS,
    LINE_CHARACTERS,
    LINES,
    LONGEST_LINE,
    SPACES,
    character_classes,
    over_column,
    text_statistics,
)

Count = Annotated[int, Field(ge=0)]
Mean = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]

_XML_HEADER = "<?xml version="
_XML_CHARACTERS = 100
_DATA_LANGUAGES = frozenset({"json", "yaml"})


class _Rule(NamedTuple):
    reason: str
    broken: np.ndarray  # bool, one a document
    detail: Mapping[str, np.ndarray]  # detail field -> its value for each document


class Quality(Stage):
    """Every limit can be changed; null turns its rule off. The defaults are StarCoder's and StarCoder2's."""

    takes: ClassVar[pa.Schema] = schema.needs(schema.DOCUMENT, "id", "path", "language", "text")
    gives: ClassVar[pa.Schema] = takes
    tables: ClassVar[tuple[str, ...]] = ("languages.yaml",)
    reasons: ClassVar[dict[str, str]] = {
        "empty": "it holds nothing but white space",
        "too_many_lines": "it has {value} lines, more than the {limit} allowed",
        "long_line": "its longest line has {value} characters, more than the {limit} allowed",
        "long_average_line": "its lines have {value} characters on average, more than the {limit} allowed",
        "low_alphanumeric": "only {value} of its characters are letters or digits, less than the {limit} required",
        "low_alphabetic": "only {value} of its characters are letters, less than the {limit} required",
        "xml": "it begins with an XML header, and {language} is no XML language",
        "html_little_text": "only {value} of its characters are visible text, and more than {limit} is required",
        "html_short_text": "it shows {value} characters of text, and more than {limit} are required",
        "data_too_small": "it is data of {value} characters, fewer than the {limit} required",
        "data_too_large": "it is data of {value} characters, more than the {limit} allowed",
        "data_too_many_lines": "it is data of {value} lines, more than the {limit} allowed",
        "auto_generated": "it passes for generated, not for written by a person ({evidence})",
        "encoded_stretch": "it holds a stretch of {value} characters of encoded data, more than the {limit} allowed",
        "encoded_share": "{value} of its characters are encoded data, more than the {limit} allowed",
    }

    max_lines: Count | None = 100_000
    max_line_length: Count | None = 1000  # characters of the longest line
    max_average_line_length: Mean | None = 100.0
    min_alphanumeric: Share | None = 0.25  # share of letters and digits
    min_alphabetic: Share | None = 0.25  # share of letters
    drop_xml: bool | None = True  # what has an XML header in its first 100 characters
    min_html_share: Share | None = 0.2  # share of visible text; HTML must have more
    min_html_text: Count | None = 100  # characters of visible text; HTML must have more
    min_data_size: Count | None = 50  # characters of a JSON or YAML file
    max_data_size: Count | None = 5000
    max_data_lines: Count | None = 512
    drop_generated: bool | None = True
    max_encoded_stretch: Count | None = 1024  # characters matched in one piece
    max_encoded_share: Share | None = 0.5  # share of the characters that one expression matches
    exceptions: dict[str, dict[str, float | None]] = {}  # language or extension -> other limits, over languages.yaml's

    @field_validator("exceptions")
    @classmethod
    def _limits_of_known(cls, value: dict[str, dict[str, float | None]]) -> dict[str, dict[str, float | None]]:
        table = languages.load() if value else None
        for key, limits in value.items():
            if table and key not in table.names and key not in table.by_extension:
                raise ValueError(f"{key!r} is neither a language nor an extension of stages/languages.yaml")
            unknown = sorted(set(limits) - set(_limit_names()))
            if unknown:
                raise ValueError(f"{unknown[0]!r} of {key!r} is no limit; the limits are {', '.join(_limit_names())}")
        return value

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        classes = side.load("character_classes", character_classes)
        table = side.load("languages", languages.load)
        first = np.full(shard.num_rows, -1)
        rules = list(self._rules(shard, classes, self._limits(shard, table)))
        for number, rule in enumerate(rules):
            first[(first < 0) & rule.broken] = number
        rows = np.flatnonzero(first >= 0)
        broken = [rules[number] for number in first[rows]]
        details = [
            {field: _plain(values[row]) for field, values in rule.detail.items()}
            for row, rule in zip(rows, broken, strict=True)
        ]
        return drop(shard, rows, [rule.reason for rule in broken], details)

    def _rules(self, shard: pa.Table, classes: np.ndarray, limit: Mapping[str, np.ndarray]) -> Iterator[_Rule]:
        """The rules in the order of `reasons`. A limit that is off is NaN, and no value is above or below NaN."""

        def above(reason: str, value: np.ndarray, name: str) -> _Rule:
            return _Rule(reason, value > limit[name], {"value": value, "limit": limit[name]})

        def below(reason: str, value: np.ndarray, name: str) -> _Rule:
            return _Rule(reason, value < limit[name], {"value": value, "limit": limit[name]})

        text = shard.column("text")
        count = over_column(text, text_statistics, classes).T
        characters = np.maximum(count[CHARACTERS], 1)
        yield _Rule("empty", count[SPACES] == count[CHARACTERS], {})
        yield above("too_many_lines", count[LINES], "max_lines")
        yield above("long_line", count[LONGEST_LINE], "max_line_length")
        yield above(
            "long_average_line", count[LINE_CHARACTERS] / np.maximum(count[LINES], 1), "max_average_line_length"
        )
        yield below("low_alphanumeric", count[ALPHANUMERIC] / characters, "min_alphanumeric")
        yield below("low_alphabetic", count[ALPHABETIC] / characters, "min_alphabetic")

        language = np.asarray(pc.fill_null(shard.column("language"), ""), dtype=object)
        header = pc.match_substring(pc.utf8_slice_codeunits(text, 0, _XML_CHARACTERS), _XML_HEADER)
        yield _Rule("xml", np.asarray(pc.fill_null(header, False)) & (limit["drop_xml"] == 1), {"language": language})

        pages = np.flatnonzero(language == "html")
        visible = np.full(shard.num_rows, np.inf)
        visible[pages] = over_column(text.take(pa.array(pages)), visible_characters)
        share = visible / characters
        for reason, value, name in (
            ("html_little_text", share, "min_html_share"),
            ("html_short_text", visible, "min_html_text"),
        ):
            yield _Rule(reason, value <= limit[name], {"value": value, "limit": limit[name]})

        yield below("data_too_small", count[CHARACTERS], "min_data_size")
        yield above("data_too_large", count[CHARACTERS], "max_data_size")
        yield above("data_too_many_lines", count[LINES], "max_data_lines")

        evidence = generated.evidence(shard.column("path"), text, shard.column("language"))
        told = np.array([phrase is not None for phrase in evidence], dtype=np.bool_)
        yield _Rule("auto_generated", told & (limit["drop_generated"] == 1), {"evidence": evidence})

        encoded = over_column(text, encoded_data, classes).T
        matched = encoded[LONGEST + 1 :].max(axis=0) / characters
        yield above("encoded_stretch", encoded[LONGEST], "max_encoded_stretch")
        yield above("encoded_share", matched, "max_encoded_share")

    def _limits(self, shard: pa.Table, table: languages.Languages) -> dict[str, np.ndarray]:
        """Each limit for each document, float64; resolved once for each pair of a language and an extension."""
        language = pc.fill_null(shard.column("language"), "").combine_chunks()
        extension = table.extensions(languages.file_names(shard.column("path")))
        pairs = pc.binary_join_element_wise(language, pc.fill_null(extension, ""), "/").dictionary_encode()
        resolved = [self._limits_of(pair, table) for pair in pairs.dictionary.to_pylist()]
        values = np.array(resolved, dtype=np.float64).reshape(-1, len(_limit_names()))
        return dict(zip(_limit_names(), values[np.asarray(pairs.indices)].T, strict=True))

    def _limits_of(self, pair: str, table: languages.Languages) -> list[float]:
        """The limits for `language/extension`, in the order of the fields; NaN where a rule does not apply.

        The table cannot switch on what the recipe turns off; the recipe's own exceptions can.
        """
        language, _, extension = pair.partition("/")
        limits: dict[str, float | None] = {name: getattr(self, name) for name in _limit_names()}
        limits.update({name: None for name in limits if "_html_" in name and language != "html"})
        limits.update({name: None for name in limits if "_data_" in name and language not in _DATA_LANGUAGES})
        keys = (language, extension.lower())
        for key in keys:
            limits.update({n: v for n, v in table.quality.get(key, {}).items() if limits[n] is not None})
        for key in keys:
            limits.update(self.exceptions.get(key, {}))
        return [math.nan if value is None else float(value) for value in limits.values()]


def _limit_names() -> list[str]:
    return [name for name in Quality.model_fields if name != "exceptions"]


def _plain(value: Any) -> Any:
    """A measured value as the detail holds it: whole numbers as int, shares with four digits."""
    if isinstance(value, str):
        return value
    number = float(value)
    return int(number) if number.is_integer() else round(number, 4)
