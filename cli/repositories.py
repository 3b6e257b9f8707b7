"""`quarry repositories` writes repository lists: of owners, of a search, of GH Archive's events."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer

from pipeline.errors import UsageError
from pipeline.storage import Storage
from reports.words import counted
from stages.credentials import GITHUB, read_token
from stages.github_api import API, Client
from stages.listing import archived, owned, searched
from stages.rate_limit import Clock, RateLimit

MAX_WAIT_S = 3700.0  # GitHub's limit lasts an hour at most
REQUESTS_A_MINUTE = 900  # what GitHub's secondary limit allows

Out = Annotated[str | None, typer.Option("--out", metavar="FILE", help="Where the list goes; by default, here.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="At most so many repositories, the first ones.")]
Api = Annotated[str, typer.Option("--api", metavar="URL", help="The root of the REST API.")]
TokenFile = Annotated[
    str | None, typer.Option("--token-file", metavar="FILE", help="A file with a token, or gh's hosts.yml.")
]
NoForks = Annotated[bool, typer.Option("--no-forks", help="Leave forks out.")]


def owner(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Users and organisations.")],
    out: Out = None,
    api: Api = API,
    token_file: TokenFile = None,
    no_forks: NoForks = False,
    limit: Limit = None,
) -> None:
    """List the repositories of users and organisations."""
    with _client(api, token_file) as client:
        found = itertools.chain.from_iterable(owned(client, name, not no_forks) for name in names)
        _write(found, f"owned by {', '.join(names)}, as {api} lists them", out, limit)


def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="As on github.com: 'language:rust stars:>50'.")],
    out: Out = None,
    api: Api = API,
    token_file: TokenFile = None,
    no_forks: NoForks = False,
    limit: Limit = None,
) -> None:
    """List the repositories that GitHub's search finds, 1,000 at most."""
    with _client(api, token_file) as client:
        _write(searched(client, query, _note, not no_forks), f"found by {api} for: {query}", out, limit)


def archive(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Hours of GH Archive: .json.gz, paths or URLs.")
    ],
    out: Out = None,
    limit: Limit = None,
) -> None:
    """List the repositories that events of GH Archive name, in the order of their first event."""
    found = itertools.chain.from_iterable(archived(file, _note) for file in files)
    _write(found, f"named in GH Archive's {', '.join(files)}", out, limit)


COMMANDS: dict[str, Callable[..., None]] = {"owner": owner, "search": search, "archive": archive}


@contextmanager
def _client(api: str, token_file: str | None) -> Iterator[Client]:
    if not api.startswith(("https://", "http://")):
        raise UsageError(f"--api '{api}' is no URL; give one such as {API}.")
    token = None
    if token_file is not None:
        token_file = os.path.abspath(os.path.expanduser(token_file))
        token = read_token(token_file, GITHUB if api == API else api.split("/")[2])
    clock = Clock()
    limit = RateLimit(clock, MAX_WAIT_S, REQUESTS_A_MINUTE, _note)
    with Client(api, limit, clock, token=token, token_file=token_file) as client:
        yield client


def _write(found: Iterable[str], source: str, out: str | None, limit: int | None) -> None:
    """Write the list, each repository once, below lines that say where it is from."""
    first: dict[str, str] = {}
    for name in found:
        first.setdefault(name.lower(), name)
        if len(first) == limit:
            break
    if not first:
        raise UsageError(f"no repository is {source}; nothing was written.")
    today = datetime.now(UTC).date().isoformat()
    total = counted(len(first), "repository", "repositories")
    head = [f"# {total}", f"# {' '.join(source.split())}", f"# on {today}"]
    text = "\n".join([*head, *first.values(), ""])
    if out is None:
        typer.echo(text, nl=False)
        return
    folder, name = os.path.split(out)
    try:
        Storage(folder or ".").write_bytes(name, text.encode())
    except OSError as error:
        raise UsageError(f"cannot write '{out}' ({error.strerror}); choose another --out.") from None
    typer.echo(f"{total} in {out}", err=True)


def _note(message: str) -> None:
    typer.echo(f"note: {message}", err=True)
