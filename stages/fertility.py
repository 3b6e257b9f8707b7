"""Fertility drops documents of which a tokenizer makes too many tokens: an optional filter of SantaCoder's.

Fertility is the characters of a document for each of its tokens. Where it is low, the text is unlike the code that the
tokenizer was trained on: numbers, encoded data, another writing system. The limits are SantaCoder's, which it chose
for a byte-level BPE of 49,152 tokens trained on the same three languages; another tokenizer wants others.
Source: bigcode-dataset, preprocessing/filtering.py.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator
from tokenizers import Tokenizer

from pipeline import schema
from pipeline.decisions import drop
from pipeline.errors import UsageError
from pipeline.side import Side
from pipeline.stage import ContentFile, Outcome, Stage
from pipeline.storage import Storage
from stages import languages

Limit = Annotated[float, Field(gt=0)]


class Fertility(Stage):
    """Drops documents with fewer characters a token than their language's `minimum`; other languages pass unread."""

    takes: ClassVar[pa.Schema] = schema.needs(schema.DOCUMENT, "id", "language", "text")
    gives: ClassVar[pa.Schema] = takes
    depends: ClassVar[tuple[str, ...]] = ("tokenizers",)
    reasons: ClassVar[dict[str, str]] = {
        "low_fertility": "it has {value} characters a token, fewer than the {limit} required of {language}",
    }

    tokenizer: ContentFile  # a tokenizer.json of the tokenizers library
    minimum: dict[str, Limit] = {"python": 2.5, "java": 2.9, "javascript": 2.6}  # language -> characters a token

    @field_validator("minimum")
    @classmethod
    def _known(cls, value: dict[str, float]) -> dict[str, float]:
        return languages.checked(value)

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        judged = pa.array(list(self.minimum), pa.string())
        language = pc.index_in(shard.column("language"), value_set=judged)
        rows = np.flatnonzero(pc.is_valid(language))
        if len(rows) == 0:
            return drop(shard, rows, "low_fertility", [])
        tokenizer = side.load(f"tokenizer {self.tokenizer}", self.load)
        texts = shard.column("text").take(pa.array(rows))
        tokens = np.array([_tokens(tokenizer, text.as_py()) for text in texts])
        limits = np.array(list(self.minimum.values()))[np.asarray(language.take(pa.array(rows)))]
        characters = np.asarray(pc.utf8_length(texts))
        value = np.divide(characters, tokens, out=np.full(len(rows), np.inf), where=tokens > 0)  # empty texts pass
        low = np.flatnonzero(value < limits)
        names = shard.column("language").take(pa.array(rows[low])).to_pylist()
        return drop(
            shard,
            rows[low],
            "low_fertility",
            [
                {"value": round(float(value[at]), 4), "limit": float(limits[at]), "language": name}
                for at, name in zip(low, names, strict=True)
            ],
        )

    def load(self) -> Tokenizer:
        """The tokenizer, set to encode whole texts; UsageError where the file cannot be read or holds none."""
        folder, _, name = self.tokenizer.rpartition("/")
        try:
            data = Storage(folder or ".").read_bytes(name)
        except OSError as error:
            raise UsageError(f"cannot read the tokenizer '{self.tokenizer}' ({error.strerror or error}).") from None
        try:
            tokenizer = Tokenizer.from_str(data.decode())
        except Exception as error:  # the library raises bare Exception
            raise UsageError(
                f"'{self.tokenizer}' is no tokenizer of the 'tokenizers' library ({error}); give another."
            ) from None
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer


def _tokens(tokenizer: Tokenizer, text: str) -> int:
    """How many tokens a text is; one text a call runs on one thread, as the executor's workers share the cores."""
    return len(tokenizer.encode_batch_fast([text], add_special_tokens=False)[0])
