"""`quarry train` trains a model on a run's dataset; `--plan` says what that would take."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.run import Directory, Json

PLAIN_STEPS = 25  # between two plain lines


def train(
    directory: Directory,
    preset: Annotated[str, typer.Option(help="tiny, small, santacoder-1b, starcoder-15b.")] = "tiny",
    steps: Annotated[int | None, typer.Option(min=1, help="Optimizer steps; by default the preset's.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights, order, FIM.")] = 0,
    out: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="By default DIR/checkpoints/PRESET-DATASET.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="FILE", help="YAML of language: weight; 2.0 is seen twice an epoch.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what the training would take, and do nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Train an MQA/FIM model on DIR/dataset; leaves a checkpoint that transformers loads, and its loss curve."""
    # torch and transformers take seconds to import, which no other command should wait for.
    from training.loader import Dataset
    from training.model import preset_named
    from training.plan import plan as make_plan
    from training.train import train as run_training
    from training.weights import mixture, read

    dataset = f"{directory.rstrip('/')}/dataset"
    shape = preset_named(preset)
    weighted = read(weights) if weights else {}
    if plan:
        data = Dataset(dataset)
        planned = asdict(make_plan(shape, data.coder.vocabulary))
        portions = mixture(data.tokens("train"), weighted)
        if as_json:
            typer.echo(json.dumps(planned | {"mixture": [portion._asdict() for portion in portions]}))
            return
        lines = [f"  {name.replace('_', ' '):<18} {value:,.0f}" for name, value in planned.items()]
        lines += [
            f"  {p.language:<18} {p.tokens:,} tokens an epoch, {p.share:.1%}, weight {p.weight:g}" for p in portions
        ]
        typer.echo("\n".join([f"{preset}; nothing was done:", *lines]))
        return
    # The dataset's digest is in the name: a run whose dataset changed keeps the checkpoint of the old one.
    named = out or f"{directory.rstrip('/')}/checkpoints/{preset}-{Dataset(dataset).digest()[:8]}"
    folder = named if "://" in named else Path(named)
    console = Console(stderr=True)
    with Progress(
        TextColumn("training"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        total = steps or shape.steps
        task = progress.add_task("training", total=total, loss="")

        def on_step(step: int, loss: float) -> None:
            progress.update(task, completed=step, loss=f"loss {loss:.3f}")
            if not console.is_terminal and (step % PLAIN_STEPS == 0 or step == total):
                console.print(f"train: step {step}/{total}, loss {loss:.3f}", highlight=False)

        result = run_training(
            dataset, folder, preset, steps=steps, seed=seed, weights=weighted or None, on_step=on_step
        )
    typer.echo(json.dumps(result.summary) if as_json else f"checkpoint: {folder}")
