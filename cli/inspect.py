"""Commands that look at a run and change nothing in it: `quarry status`, `quarry why`, `quarry report`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from cli.audit import write_page
from cli.run import Directory, Json
from pii.redact import mask
from pipeline.manifest import merge_stages
from pipeline.state import Run, load_run
from reports.report import write_report
from reports.why import why as find_why
from stages.catalog import CATALOG


def status(directory: Directory, as_json: Json = False) -> None:
    """Show how far the run in DIR has come, pass by pass."""
    run = load_run(directory, CATALOG)
    rows = _status(run)
    if as_json:
        typer.echo(json.dumps({"name": run.recipe.name, "complete": not any(run.todo()), "passes": rows}))
        return
    typer.echo(f"{run.recipe.name}: {'complete' if not any(run.todo()) else 'not complete; quarry run continues it'}")
    typer.echo(f"  {'pass':<14}{'shards':>8}{'documents':>12}{'kept':>12}{'MB in':>10}{'seconds':>10}  state")
    for row in rows:
        typer.echo(
            f"  {row['pass']:<14}{row['shards']:>8,}{row['documents_in']:>12,}{row['documents_out']:>12,}"
            f"{row['bytes_in'] / 1e6:>10.1f}{row['seconds']:>10.1f}  {'done' if row['done'] else 'to do'}"
        )


def why(
    directory: Directory,
    target: Annotated[str, typer.Argument(metavar="TARGET", help="A document ID, OWNER/REPO, or OWNER/REPO:PATH.")],
    as_json: Json = False,
) -> None:
    """Explain what became of a document or a repository: which stage, which reason, which evidence."""
    answer = find_why(load_run(directory, CATALOG), target, mask)
    typer.echo(json.dumps(answer.as_json(), ensure_ascii=False) if as_json else answer.text())


def report(directory: Directory) -> None:
    """Write DIR/report/index.html: what came in, what was dropped and why, what is in the dataset."""
    run = load_run(directory, CATALOG)
    typer.echo(f"report: {write_report(run, mask)}")
    audit = write_page(run)
    if audit is not None:
        typer.echo(f"audit: {audit}")


def _status(run: Run) -> list[dict[str, Any]]:
    rows = []
    for this, wanted in zip(run.passes, run.todo(), strict=True):
        stages = merge_stages(this.receipts.values())
        rows.append(
            {
                "pass": this.part.name,
                "folder": this.folder.path,
                "done": not wanted,
                "shards": len(this.receipts),
                "documents_in": stages[0]["documents_in"] if stages else 0,
                "documents_out": stages[-1]["documents_out"] if stages else 0,
                "bytes_in": stages[0]["bytes_in"] if stages else 0,
                "seconds": round(sum(stage["seconds"] for stage in stages), 3),
            }
        )
    return rows
