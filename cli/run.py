"""`quarry run` executes a recipe into a directory; `quarry clean` removes what older configurations left in one."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from typing import Annotated, Any

import typer
from rich.console import Console

from cli.erasers import RunErasers
from cli.progress import listener
from opt_out.consent import LedgerConsent, ledger_of
from pipeline.errors import UsageError
from pipeline.inline import InlineExecutor
from pipeline.manifest import dataset_receipt
from pipeline.recipe import Recipe, load_recipe
from pipeline.run import clean as remove_old
from pipeline.run import execute
from pipeline.state import Run, load_run, open_run
from reports.plan import plan as plan_run
from reports.plan import plan_json, plan_text, read_rates
from stages.catalog import CATALOG
from stages.publish import publish

Directory = Annotated[str, typer.Argument(metavar="DIR", help="The run: what was given to 'quarry run --out'.")]
Json = Annotated[bool, typer.Option("--json", help="Print data, for programs.")]


def run(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="The recipe, a YAML file.")],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Directory or URL of the run.")],
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes; by default one a CPU.")] = None,
    ray: Annotated[str | None, typer.Option(metavar="ADDRESS", help="A running Ray cluster, host:port.")] = None,
    inline: Annotated[bool, typer.Option("--inline", help="Work in this process, without Ray.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Say what would be done, and do nothing.")] = False,
    rates: Annotated[
        str | None, typer.Option(metavar="DIR", help="With --plan: a complete run to take time and volume from.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="STAGE.FIELD=VALUE", help="Change a field of the recipe.")
    ] = None,
    discard_intermediate: Annotated[
        bool, typer.Option("--discard-intermediate", help="Delete unredacted text once the run is complete.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Execute RECIPE into a directory; what is done there already is not done again."""
    if inline and (ray or workers):
        raise UsageError("--inline works in this process: leave --workers and --ray out, or leave --inline out.")
    loaded = load_recipe(recipe, CATALOG, overrides or ())
    if plan:
        measured = read_rates(rates or out, needed=rates is not None)
        found = plan_run(open_run(loaded, out), measured, workers or (1 if inline else os.cpu_count() or 1))
        typer.echo(json.dumps(plan_json(found)) if as_json else plan_text(found))
        return

    def start() -> Any:
        if inline:
            return nullcontext(InlineExecutor())
        from pipeline.executor import RayExecutor  # Ray takes half a second to import, and only work needs it

        return RayExecutor(workers, ray)

    with listener(Console(stderr=True)) as progress:
        consent = consent_of(loaded)
        done = execute(
            loaded, out, start, progress, publish, consent=consent, discard_intermediate=discard_intermediate
        )
    figures = summary(done)
    typer.echo(json.dumps(figures) if as_json else _sentences(done, figures))


def consent_of(recipe: Recipe) -> LedgerConsent | None:
    """How a recipe's runs keep to their ledger; None where it names none."""
    path = ledger_of(recipe)
    return LedgerConsent(path, RunErasers()) if path else None


def clean(directory: Directory, as_json: Json = False) -> None:
    """Remove the folders that older configurations of the recipe left in DIR, and unfinished files."""
    removed = remove_old(load_run(directory, CATALOG))
    if as_json:
        typer.echo(json.dumps({"removed": removed}))
    else:
        typer.echo("\n".join(f"removed {name}" for name in removed) or "nothing to remove")


def summary(run: Run) -> dict[str, Any]:
    """What a run holds and what this execution did, as plain data."""
    dataset = dataset_receipt(run)
    return {
        "run": run.store.root,
        "name": run.recipe.name,
        "repositories": run.repositories.num_rows,
        "applied": run.applied,
        "prepared": run.prepared,
        "documents": dataset["documents"] if dataset else None,
        "shards": len(run.passes[-1].receipts),
        "digest": dataset["digest"] if dataset else None,
    }


def _sentences(run: Run, figures: dict[str, Any]) -> str:
    did = "everything was done before: no shard was applied, nothing was prepared"
    if figures["applied"] or figures["prepared"]:
        did = f"{figures['applied']} shards applied, {figures['prepared']} side inputs prepared"
    lines = [f"{run.recipe.name}: {did}."]
    if figures["documents"] is not None:
        lines.append(f"{figures['documents']:,} documents in {run.store.root}/dataset ({figures['shards']} shards).")
    lines.append(f"What happened: quarry report {run.store.root}. A file: quarry why {run.store.root} OWNER/REPO:PATH")
    return "\n".join(lines)
