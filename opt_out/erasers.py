"""What rooms above hand to a removal: how what they made is found, judged again, or written anew."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import pyarrow as pa

from pipeline.side import Executor
from pipeline.state import Run

COPY = pa.schema(
    [
        ("id", pa.string()),
        ("repo", pa.string()),
        ("path", pa.string()),
        ("jaccard", pa.float64()),
        ("of", pa.string()),  # the removed document it resembles
        ("action", pa.string()),  # left, or judged_again where it was dropped as a copy
    ]
)


class Judgement(NamedTuple):
    """Shards that are judged again, since what they held was dropped for a removed document."""

    first_pass: int  # number of the pass that judges them, and all later ones
    edges: dict[str, pa.Table]  # shard -> its new table `edge`
    prepare_again: bool = False  # the pass was interrupted, so that all of it is judged anew by the next execution


class Erasers(Protocol):
    """The lock of the run is held by who calls."""

    def load(self, out: str) -> Run:
        """The run in a directory, as its manifest records it."""

    def copies(self, run: Run, removed: pa.Array, executor: Executor) -> pa.Table:
        """Verified copies of removed documents elsewhere in the run, as COPY; none where they are not known."""

    def judge_again(self, run: Run, removed: pa.Array, executor: Executor) -> Judgement | None:
        """Who stays in place of removed documents; None where nobody was dropped for one."""

    def renew(self, run: Run) -> None:
        """Write anew what names or counts documents: the dataset's papers, counts of stages, the report."""
