"""Stars drops documents of repositories that few people starred: an optional filter of SantaCoder's.

It hurts: "selecting files from repositories with 5+ GitHub stars deteriorates performance significantly" is a finding
of the SantaCoder paper (arXiv 2301.03988), called "don't reach for the stars". It is here so that the experiment can
be repeated. The limit is the paper's, 5 or more; SantaCoder's code asks for more than 5.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline import schema
from pipeline.decisions import drop
from pipeline.side import Side
from pipeline.stage import Outcome, Stage


class Stars(Stage):
    """Drops documents of repositories with fewer than `min_stars` stars.

    Stars are unknown where the host was not asked or does not count them. SantaCoder takes that for none; here such
    documents stay, because who forgets to ask the host would otherwise lose the whole corpus without a word.
    """

    takes: ClassVar[pa.Schema] = schema.needs(schema.DOCUMENT, "id", "stars")
    gives: ClassVar[pa.Schema] = takes
    reasons: ClassVar[dict[str, str]] = {
        "few_stars": "its repository has fewer stars ({value}) than the {limit} required",
        "unknown_stars": "it is not known how many stars its repository has, and {limit} are required",
    }

    min_stars: int = Field(default=5, ge=1)
    drop_unknown: bool = False  # whether documents go whose repository's stars are unknown

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        few = np.asarray(pc.fill_null(pc.less(shard.column("stars"), self.min_stars), self.drop_unknown))
        rows = np.flatnonzero(few)
        values = shard.column("stars").take(pa.array(rows)).to_pylist()
        return drop(
            shard,
            rows,
            ["unknown_stars" if value is None else "few_stars" for value in values],
            [{"limit": self.min_stars} | ({} if value is None else {"value": value}) for value in values],
        )
