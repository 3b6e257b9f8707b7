"""`quarry opt-out apply`: takes what requests cover out of finished runs, and says what that meant."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any

import typer

from cli.erasers import RunErasers
from cli.opt_out import show_touched
from opt_out.apply import Record
from opt_out.honour import due, honour
from opt_out.ledger import Ledger, Request
from pipeline.errors import UsageError
from pipeline.inline import InlineExecutor
from pipeline.storage import Storage

LEDGER = "opt-out.sqlite"


def apply(
    directories: Annotated[
        list[str], typer.Argument(metavar="DIR...", help="Runs: what was given to 'quarry run --out'.")
    ],
    ledger: Annotated[str, typer.Option("--ledger", metavar="FILE", help="The ledger of requests.")] = LEDGER,
    requests: Annotated[
        list[str] | None,
        typer.Option("--request", metavar="ID", help="This request, also where it was honoured before."),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes; by default one a CPU.")] = None,
    ray: Annotated[str | None, typer.Option(metavar="ADDRESS", help="A running Ray cluster, host:port.")] = None,
    inline: Annotated[bool, typer.Option("--inline", help="Work in this process, without Ray.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and do nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print data, for programs.")] = False,
) -> None:
    """Take what requests cover out of every file of finished runs, also of shards that are tokenized already."""
    if inline and (ray or workers):
        raise UsageError("--inline works in this process: leave --workers and --ray out, or leave --inline out.")
    directories = list(
        {
            directory if "://" in directory else os.path.realpath(directory): directory for directory in directories
        }.values()
    )
    for directory in directories:
        RunErasers().load(directory)  # what is no run is told before anything is written
    with Ledger.open(ledger, readonly=dry_run) as opened:
        asked = [_accepted(opened, name) for name in requests] if requests else _due(opened, directories)
        if dry_run:
            show_touched(directories, [selector for one in asked for selector in one.selectors], as_json)
            return
        with executor(workers, ray, inline or not asked) as pool:
            done = honour(opened, directories, asked, RunErasers(), pool)
    typer.echo(json.dumps(done, ensure_ascii=False) if as_json else "\n".join(_sentences(done, directories)))


def executor(workers: int | None, ray: str | None, inline: bool) -> AbstractContextManager[Any]:
    """Where the work is done, as `quarry run` has it."""
    if inline:
        return nullcontext(InlineExecutor())
    from pipeline.executor import RayExecutor  # Ray takes half a second to import, and only work needs it

    return RayExecutor(workers, ray)


def _due(ledger: Ledger, directories: Sequence[str]) -> list[Request]:
    """The requests that some of these runs do not honour yet, and those of which nothing is recorded yet."""
    found = {one.id: one for directory in directories for one in due(ledger, Storage(directory)).accepted}
    found |= {one.id: one for one in ledger.requests("verified")}
    return [found[name] for name in sorted(found)]


def _accepted(ledger: Ledger, name: str) -> Request:
    request = ledger.request(name)
    if request.verified is None or request.state in ("withdrawn", "rejected"):
        raise UsageError(f"request {name} is {request.state}, so nothing is removed for it; 'quarry opt-out show' it.")
    return request


def _sentences(done: dict[str, list[Record]], directories: Sequence[str]) -> Iterator[str]:
    if not done:
        yield f"nothing to do: {', '.join(directories)} honour every accepted request of the ledger."
    for name, records in done.items():
        for one in records:
            copies = [copy for copy in one["copies"] if copy["action"] == "left"]
            common = [copy for copy in one["copies"] if copy["action"] == "common"]
            yield (
                f"{name}: {one['found']['documents']} documents of {one['found']['repositories']} repositories removed "
                f"from {one['run']}, {len(one['shards'])} files written again."
            )
            if copies:
                yield f"{name}: {len(copies)} verified copies stand elsewhere and were not asked for."
            if common:
                yield f"{name}: {len(common)} copies of files that many owners have were left."
            if not one["copies_searched"]:
                yield f"{name}: copies in {one['run']} were searched for by content only, as texts were discarded."
            for checkpoint in one["checkpoints"]:
                yield f"{name}: {checkpoint['folder']} was trained before and cannot be rewritten."
    if done:
        yield f"Prove it: quarry opt-out certify {next(iter(done))} {' '.join(directories)}"


COMMANDS = {"apply": apply}
