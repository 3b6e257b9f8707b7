"""Copies of removed documents elsewhere in a run: which there are, and which of them are common property."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from opt_out.erasers import COPY, Erasers
from opt_out.selectors import Selector
from opt_out.trace import find_documents
from pipeline.side import Executor
from pipeline.state import Run

COMMON = 8  # owners with a copy from which on a file is nobody's own


def all_copies(run: Run, found: pa.Table, erasers: Erasers, executor: Executor, *, by_content: bool) -> pa.Table:
    """Copies of the documents found, as COPY; with `by_content` also what was dropped before any were compared."""
    if not found.num_rows:
        return COPY.empty_table()
    copies = erasers.copies(run, found["id"].combine_chunks(), executor)
    blobs = {row["blob"]: row["id"] for row in found.to_pylist() if row["blob"]}
    if not by_content or not blobs:
        return copies
    same = find_documents(run.store, [Selector("content", blob) for blob in sorted(blobs)], executor)
    known = pa.concat_arrays([found["id"].combine_chunks(), copies["id"].combine_chunks()])
    rows = same.filter(pc.invert(pc.is_in(same["id"], value_set=known))).to_pylist()
    more = [{**row, "jaccard": 1.0, "of": blobs[row["blob"]], "action": "left"} for row in rows]
    return pa.concat_tables([copies, pa.Table.from_pylist(more, schema=COPY)])


def common(copies: pa.Table) -> pa.Array:
    """The documents that are common property, of those that copies are of.

    What stands with many owners (a licence text, a vendored library) is no copy of the requester's work, or not of
    theirs alone, and taking it from all of them would be too wide.
    """
    owners = pc.list_element(pc.split_pattern(pc.ascii_lower(copies["repo"]), "/", max_splits=1), 0)
    spread = pa.table({"of": copies["of"], "owner": owners}).group_by("of").aggregate([("owner", "count_distinct")])
    return spread.filter(pc.greater(spread["owner_count_distinct"], COMMON))["of"].combine_chunks()


def told(copies: pa.Table, common: pa.Array) -> list[dict[str, Any]]:
    """Copies as the ledger has them; those of what is common property say so."""
    shared = set(common.to_pylist())
    return [{**copy, "action": "common"} if copy["of"] in shared else copy for copy in copies.to_pylist()]
