"""Comments drops code that explains nothing, or is hardly code: an optional filter of SantaCoder's.

What counts is the share of a document's characters that stand in comments. SantaCoder keeps 1 % to 80 %, and found that
models get slightly better by it; StarCoder does not filter so. It counts with `tokenize` and `ast` for Python (the
docstrings too) and with pygments for others, at less than 1 MB/s; here a table of syntaxes drives one kernel, which
counts what they count (tests/test_comments.py) and reads 200 MB/s and more.
Source: bigcode-dataset, preprocessing/utils/text_extraction.py and filtering.py.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator

from pipeline import schema
from pipeline.decisions import drop
from pipeline.side import Side
from pipeline.stage import Outcome, Stage
from stages import comment_syntax, languages
from stages.comment_kernel import comment_characters
from stages.text_kernels import buffers

Share = Annotated[float, Field(ge=0, le=1)]


class Comments(Stage):
    """Drops documents with too few or too many comments; documents in other languages pass unread."""

    takes: ClassVar[pa.Schema] = schema.needs(schema.DOCUMENT, "id", "language", "text")
    gives: ClassVar[pa.Schema] = takes
    tables: ClassVar[tuple[str, ...]] = ("comment_syntax.yaml",)
    reasons: ClassVar[dict[str, str]] = {
        "too_few_comments": "comments are {value} of its characters, less than the {limit} required",
        "too_many_comments": "comments are {value} of its characters, more than the {limit} allowed",
    }

    min_ratio: Share = 0.01  # share of the characters that are comments
    max_ratio: Share = 0.8
    languages: list[str] | None = ["java", "javascript", "python"]  # SantaCoder's; None: all of comment_syntax.yaml

    @field_validator("languages")
    @classmethod
    def _known(cls, value: list[str] | None) -> list[str] | None:
        return languages.checked(value, comment_syntax.rules_by_language(), "comment_syntax.yaml")

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        syntaxes = side.load("comment_syntax", comment_syntax.load)
        judged = pa.array(syntaxes.names if self.languages is None else self.languages, pa.string())
        rows = np.flatnonzero(pc.is_in(shard.column("language"), value_set=judged))
        texts = shard.column("text").take(pa.array(rows))
        syntax = pc.index_in(shard.column("language").take(pa.array(rows)), pa.array(syntaxes.names, pa.string()))
        numbers = np.array(list(syntaxes.names.values()), np.int32)[np.asarray(syntax)]
        comments, start = np.zeros(len(rows), np.int64), 0
        for chunk in texts.chunks:
            part = slice(start, start := start + len(chunk))
            comments[part] = comment_characters(*buffers(chunk), numbers[part], *syntaxes.tables)
        ratio = comments / np.maximum(np.asarray(pc.fill_null(pc.utf8_length(texts), 0)), 1)
        few = ratio < self.min_ratio
        wrong = np.flatnonzero(few | (ratio > self.max_ratio))
        return drop(
            shard,
            rows[wrong],
            ["too_few_comments" if few[row] else "too_many_comments" for row in wrong],
            [
                {"value": round(float(ratio[row]), 4), "limit": self.min_ratio if few[row] else self.max_ratio}
                for row in wrong
            ],
        )
