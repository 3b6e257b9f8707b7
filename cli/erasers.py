"""What the rooms below cannot know of each other when documents are taken out of a run: loading, papers, pages."""

from __future__ import annotations

import pyarrow as pa

from opt_out.erasers import Judgement
from pipeline.side import Executor
from pipeline.state import Run, load_run
from stages import forget
from stages.catalog import CATALOG

REPORT = "report"  # a run's folder of pages


class RunErasers:
    """See opt_out.erasers.Erasers; every name of a stage or page is known here alone."""

    def load(self, out: str) -> Run:
        return load_run(out, CATALOG)

    def copies(self, run: Run, removed: pa.Array, executor: Executor) -> pa.Table:
        return forget.copies(run, removed, executor)

    def judge_again(self, run: Run, removed: pa.Array, executor: Executor) -> Judgement | None:
        return forget.judge_again(run, removed, executor)

    def renew(self, run: Run) -> None:
        """The pages of the report go, as their samples name documents; `quarry report` makes them again."""
        run.store.remove(REPORT)
        forget.recount(run)
        forget.renew_papers(run)
