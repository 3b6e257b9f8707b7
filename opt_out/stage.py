"""The opt-out stage: drops what its owners asked to be left out, whether repositories or documents.

At the intake it runs over the repository list, so that nothing of them is cloned; as the gate it runs once more over
documents before they are published. The list counts in the fingerprint by its content (docs/decisions/opt-out-list.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opt_out.requests import OptOuts
from pipeline import schema
from pipeline.decisions import drop
from pipeline.side import Side
from pipeline.stage import ContentFile, Outcome, Stage


class OptOut(Stage):
    """Drops every row whose repository an opt-out request covers."""

    takes = gives = schema.needs(schema.REPOSITORY, "id", "repo")
    reasons: ClassVar[Mapping[str, str]] = {"opted_out": "its owner opted out (the request says '{selector}')"}

    requests: ContentFile  # the list of requests: an owner or owner/repo a line

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        requests = side.load(f"opt-outs of {self.requests}", lambda: OptOuts.load(self.requests))
        selectors = requests.covers(shard["repo"])
        if "renamed_from" in shard.column_names:  # a request holds for what its owner called the repository then
            selectors = pc.coalesce(selectors, requests.covers(shard["renamed_from"]))
        rows = np.flatnonzero(selectors.is_valid().to_numpy())
        return drop(shard, rows, "opted_out", [{"selector": s} for s in selectors.take(rows).to_pylist()])
