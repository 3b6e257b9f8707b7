"""The opt-out stage: drops what its owners asked to be left out, whether repositories or documents.

At the intake it runs over the repository list, so that nothing of them is cloned; as the gate it runs once more over
documents before they are published. Requests come from the ledger, which is no part of the fingerprint: a run catches
up with later entries (opt_out/honour.py). A plain list of selectors beside it is configuration, and counts by content.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import model_validator

from opt_out.copies import copies_removed
from opt_out.ledger import Ledger
from opt_out.requests import OptOuts
from opt_out.selectors import Selectors
from pipeline import schema
from pipeline.decisions import drop
from pipeline.side import Side
from pipeline.stage import PLACEMENT, ContentFile, Outcome, Stage


class OptOut(Stage):
    """Drops every row whose repository, path or content an opt-out request covers."""

    takes = gives = schema.needs(schema.REPOSITORY, "id", "repo")
    reasons: ClassVar[Mapping[str, str]] = {"opted_out": "its owner opted out (the request says '{selector}')"}

    requests: ContentFile | None = None  # a list of requests: an owner or owner/repo a line
    ledger: Annotated[ContentFile | None, PLACEMENT] = None  # the ledger of requests (quarry opt-out)

    @model_validator(mode="after")
    def _asks_somewhere(self) -> OptOut:
        if self.requests is None and self.ledger is None:
            raise ValueError("it honours nothing: give the ledger, or a list of requests")
        return self

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        covering = pa.chunked_array([pa.nulls(shard.num_rows, pa.string())])
        if self.ledger is not None:
            for selectors in side.load(f"opt-outs of the ledger {self.ledger}", self._selectors):
                whole = "path" not in shard.column_names
                covering = pc.coalesce(covering, (selectors.repositories() if whole else selectors).covers(shard))
        if self.requests is not None:
            listed = side.load(f"opt-outs of {self.requests}", lambda: OptOuts.load(str(self.requests)))
            covering = pc.coalesce(covering, listed.covers(shard["repo"]))
            if "renamed_from" in shard.column_names:  # a request holds for what its owner called the repository then
                covering = pc.coalesce(covering, listed.covers(shard["renamed_from"]))
        rows = np.flatnonzero(covering.is_valid().to_numpy())
        return drop(shard, rows, "opted_out", [{"selector": s} for s in covering.take(rows).to_pylist()])

    def _selectors(self) -> tuple[Selectors, Selectors]:
        """What is asked for, and the copies that were removed for it."""
        with Ledger.open(str(self.ledger), readonly=True) as ledger:
            return ledger.selectors(), Selectors.of(copies_removed(ledger))
