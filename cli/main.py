"""Assembles the command line and turns errors into one sentence and an exit code.

Exit codes: 0 done; 1 the run stopped (it can be continued); 2 the request was impossible; 130 interrupted.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import typer

from cli import (
    audit,
    inspect,
    opt_out,
    opt_out_apply,
    opt_out_certify,
    opt_out_keys,
    redact,
    repositories,
    run,
    trace,
    train,
)
from pipeline.errors import QuarryError, UsageError


def one_sentence(command: Callable[..., None]) -> Callable[..., None]:
    """The command, whose errors that a user can act on end in one sentence; bugs keep their tracebacks."""

    @functools.wraps(command)
    def told(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except KeyboardInterrupt:
            code = _say("interrupted; finished shards stay, the same command continues.", 130)
        except UsageError as error:
            code = _say(str(error), 2)
        except QuarryError as error:
            code = _say(str(error), 1)
        else:
            return
        raise typer.Exit(code)

    return told


def _say(sentence: str, code: int) -> int:
    print(f"quarry: {sentence}", file=sys.stderr, flush=True)
    return code


app = typer.Typer(
    name="quarry",
    help="Turn GitHub repositories into tokenized, consented, documented training shards for code models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
COMMANDS: dict[str, Callable[..., None]] = {
    "run": run.run,
    "status": inspect.status,
    "why": inspect.why,
    "report": inspect.report,
    "audit": audit.audit,
    "trace": trace.trace,
    "clean": run.clean,
    "redact": redact.redact,
    "train": train.train,
}
for name, command in COMMANDS.items():
    app.command(name)(one_sentence(command))
lists = typer.Typer(help="Write repository lists.", no_args_is_help=True, rich_markup_mode=None)
for name, command in repositories.COMMANDS.items():
    lists.command(name)(one_sentence(command))
app.add_typer(lists, name="repositories")
requests = typer.Typer(help="Receive, prove and honour opt-out requests.", no_args_is_help=True, rich_markup_mode=None)
for name, command in (
    opt_out.COMMANDS | opt_out_apply.COMMANDS | opt_out_certify.COMMANDS | opt_out_keys.COMMANDS
).items():
    requests.command(name)(one_sentence(command))
keys = typer.Typer(help="The keys that sign the ledger.", no_args_is_help=True, rich_markup_mode=None)
for name, command in opt_out_keys.KEY_COMMANDS.items():
    keys.command(name)(one_sentence(command))
requests.add_typer(keys, name="key")
app.add_typer(requests, name="opt-out")


def main() -> None:
    """The `quarry` command."""
    app()
