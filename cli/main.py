"""Assembles the command line and turns errors into one sentence and an exit code.

Exit codes: 0 done; 1 the run stopped (it can be continued); 2 the request was impossible; 130 interrupted.
"""

from __future__ import annotations

import sys

import click
import typer

from cli import inspect, run, train
from pipeline.errors import QuarryError, UsageError

app = typer.Typer(
    name="quarry",
    help="Turn GitHub repositories into tokenized, consented, documented training shards for code models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("run")(run.run)
app.command("status")(inspect.status)
app.command("why")(inspect.why)
app.command("report")(inspect.report)
app.command("clean")(run.clean)
app.command("train")(train.train)


def main() -> None:
    """The `quarry` command."""
    try:
        code = app(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = _say("interrupted; finished shards stay, the same command continues.", 130)
    except UsageError as error:
        code = _say(str(error), 2)
    except QuarryError as error:
        code = _say(str(error), 1)
    sys.exit(code or 0)


def _say(sentence: str, code: int) -> int:
    print(f"quarry: {sentence}", file=sys.stderr)
    return code
