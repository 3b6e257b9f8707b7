"""The `quarry` command as tests call it: in this process, or as a user does, in one of its own."""

from __future__ import annotations

import sys
from typing import Any

from typer.testing import CliRunner

from cli.main import app

# Hears an interrupt although the tests may run in the background of a shell, which ignores them.
QUARRY = (
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from cli.main import main; main()",
)


def quarry(*arguments: object) -> Any:
    """Execute the command in this process, which has imported everything; its `exit_code`, `stdout` and `stderr`."""
    return CliRunner().invoke(app, list(map(str, arguments)))
