"""`quarry opt-out`: requests come in, are looked at, proven, accepted, rejected or withdrawn."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any

import typer

from cli.opt_out_reader import HostReader
from cli.run import Json
from opt_out.authority import FILES, places_of, prove, token_of
from opt_out.forms import Demand, read
from opt_out.intake import incoming_of, parts_of, take_in
from opt_out.ledger import Ledger, Request
from opt_out.selectors import Selector, parse_selector
from pipeline.errors import UsageError
from pipeline.storage import read_file
from reports.words import counted
from stages.git import Git

GITHUB = "https://github.com"
KINDS = ("code", "issues", "commits")
STATES = ("received", "verified", "held", "rejected", "withdrawn", "applying", "honoured", "certified")
HOW = {"author": "its author is the owner", "challenge": "its token is published"}

LedgerFile = Annotated[str, typer.Option("--ledger", metavar="FILE", help="The ledger.")]
LEDGER = "opt-out.sqlite"
Id = Annotated[str, typer.Argument(metavar="ID", help="A request, such as R000001.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Requests, such as R000001.")]
DryRun = Annotated[
    list[str] | None,
    typer.Option("--dry-run", metavar="DIR", help="Record nothing; list the documents of this run it would touch."),
]
Because = Annotated[str, typer.Option("--because", metavar="TEXT", help="Why; it is recorded and never erased.")]


def add(
    selectors: Annotated[list[str], typer.Argument(metavar="SELECTOR...", help="acme, acme/widgets, ...")],
    ledger: LedgerFile = LEDGER,
    source: Annotated[
        str, typer.Option("--source", metavar="NAME", help="Where it came from: a letter, an issue.")
    ] = "",
    kinds: Annotated[str, typer.Option("--kinds", metavar="KINDS", help="Only these: code,issues,commits.")] = "",
    copies: Annotated[bool, typer.Option("--copies", help="Near-copies elsewhere are to be removed too.")] = False,
    former: Annotated[
        list[str] | None, typer.Option("--former", metavar="NAME", help="An account its author says to have had.")
    ] = None,
    verified_because: Annotated[
        str, typer.Option("--verified-because", metavar="TEXT", help="Your judgement of why its author may ask for it.")
    ] = "",
    dry_run: DryRun = None,
    as_json: Json = False,
) -> None:
    """Receive one request; the ledger is made where there is none."""
    wanted = tuple(_limited(parse_selector(text, "the request"), kinds) for text in selectors)
    names = tuple(parse_selector(name, "--former").value for name in former or ())
    if dry_run:
        show_touched(dry_run, [*wanted, *(Selector("owner", name) for name in names)], as_json)
        return
    if verified_because:  # who vouches for the request vouches for its former names too
        wanted, names = (*wanted, *(Selector("owner", name) for name in names)), ()
    name = source or "added by hand: " + " ".join(sorted(map(str, wanted)))
    demand = Demand(wanted, name, copies=copies, former=names)
    incoming = incoming_of([demand], verified_because)
    with _to_write(ledger) as book:
        requests = book.receive_many(incoming)
        if not requests:
            raise UsageError(f"a request from '{name}' is in {ledger} already; name another --source for another one.")
        _print_requests(requests, as_json)


def import_(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Issues, BigCode's lists, CSV, a plain list.")],
    ledger: LedgerFile = LEDGER,
    source: Annotated[
        str,
        typer.Option("--source", metavar="NAME", help="Names entries that name none, such as owner/repo of issues."),
    ] = "",
    verified_because: Annotated[
        str, typer.Option("--verified-because", metavar="TEXT", help="Your judgement of why these authors may ask.")
    ] = "",
    copies: Annotated[
        bool,
        typer.Option("--copies", help="Your policy: near-copies elsewhere are to be removed too, for all of them."),
    ] = False,
    preview: Annotated[
        bool, typer.Option("--preview", help="Print what is read, a JSON line each; record nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Receive all requests of files; what was imported before adds nothing."""
    found = itertools.chain.from_iterable(read(_read(file), source or os.path.basename(file)) for file in files)
    demands = (replace(demand, copies=True) if copies else demand for demand in found)
    if preview:
        for demand in demands:
            typer.echo(json.dumps(_as_json(demand), ensure_ascii=False))
        return
    incoming = incoming_of(demands, verified_because)  # all of it, before anything is recorded
    with _to_write(ledger) as book:
        counts = take_in(book, incoming)
    typer.echo(json.dumps(counts) if as_json else _told(counts, ledger))


def list_(
    ledger: LedgerFile = LEDGER,
    state: Annotated[str | None, typer.Option("--state", metavar="STATE", help=", ".join(STATES))] = None,
    as_json: Json = False,
) -> None:
    """List requests, with their states."""
    if state is not None and state not in STATES:
        raise UsageError(f"--state '{state}' is none; choose one of {', '.join(STATES)}.")
    with Ledger.open(ledger, readonly=True) as book:
        if as_json:
            typer.echo("[", nl=False)
            for place, request in enumerate(book.requests(state)):
                typer.echo(
                    f"{',' if place else ''}\n{json.dumps(_request_json(request), ensure_ascii=False)}", nl=False
                )
            typer.echo("\n]")
            return
        for request in book.requests(state):
            typer.echo(_line(request))


def show(request_id: Id, ledger: LedgerFile = LEDGER, dry_run: DryRun = None, as_json: Json = False) -> None:
    """Show one request: what it asks for, its history, and what the requester wrote, where that is kept."""
    with Ledger.open(ledger, readonly=True) as book:
        request = book.request(request_id)
        if dry_run:
            show_touched(dry_run, request.selectors, as_json)
            return
        history = book.entries_of(request_id)
        person = book.person(request_id)
    if as_json:
        entries = [{"sequence": e.sequence, "time": e.time, "event": e.event, "body": e.body} for e in history]
        typer.echo(json.dumps({**_request_json(request), "entries": entries, "person": person}, ensure_ascii=False))
        return
    typer.echo(_line(request))
    typer.echo(f"from {request.source}, received {request.received}" + (", with its copies" if request.copies else ""))
    for entry in history:
        said = entry.body.get("reason") or entry.body.get("because") or HOW.get(str(entry.body.get("how")), "")
        typer.echo(f"  {entry.time}  {entry.event:<9}" + (f"  {said}" if said else ""))
    if request.state == "received":
        typer.echo(f"nothing proves yet that who asks may ask: quarry opt-out challenge {request.id}, or accept it.")
    if person:
        typer.echo("the requester (erasable by quarry opt-out erase):")
        for name, value in person.items():
            typer.echo(f"  {name}: {value}")


def accept(
    request_ids: Ids,
    because: Because = "",
    ledger: LedgerFile = LEDGER,
    as_: Annotated[
        list[str] | None,
        typer.Option("--as", metavar="SELECTOR", help="Read a held request as these; a new one takes its place."),
    ] = None,
    dry_run: DryRun = None,
    as_json: Json = False,
) -> None:
    """Accept requests by your own judgement, which is recorded."""
    if not dry_run:
        _not_empty(because)
    read_as = tuple(parse_selector(text, "--as") for text in as_ or ())
    if read_as and len(request_ids) > 1:
        raise UsageError("--as says how one request is read; accept the others by themselves.")
    with Ledger.open(ledger, readonly=bool(dry_run)) as book:
        requests = [book.request(name) for name in request_ids]
        for request in requests:
            if not request.selectors and not read_as:
                raise UsageError(
                    f"{request.id} was not parsed ({request.reason}); say what it asks for with --as SELECTOR, "
                    "or reject it."
                )
        if dry_run:
            show_touched(dry_run, read_as or [s for request in requests for s in request.selectors], as_json)
            return
        if read_as:
            requests = [_read_as(book, requests[0], read_as)]
        for request in requests:
            book.record("verified", request.id, {"how": "judgement", "because": because})
        _print_requests([book.request(request.id) for request in requests], as_json)


def reject(request_ids: Ids, because: Because, ledger: LedgerFile = LEDGER, as_json: Json = False) -> None:
    """Reject requests, with the reason that their authors are told."""
    _record("rejected", request_ids, because, ledger, as_json)


def withdraw(request_ids: Ids, because: Because, ledger: LedgerFile = LEDGER, as_json: Json = False) -> None:
    """Withdraw requests: what they cover may come back, from the next run on."""
    _record("withdrawn", request_ids, because, ledger, as_json)


def challenge(request_id: Id, ledger: LedgerFile = LEDGER, as_json: Json = False) -> None:
    """Print the token that proves authority over what a request asks for, and where it is to be published."""
    with Ledger.open(ledger, readonly=True) as book:
        request = book.request(request_id)
        token = token_of(book, request)
    places = {str(selector): list(places_of(selector)) for selector in request.selectors}
    if as_json:
        typer.echo(json.dumps({"request": request.id, "token": token, "files": FILES, "repositories": places}))
        return
    typer.echo(f"Publish this line in {' or '.join(FILES)} of the default branch:\n\n{token}\n")
    for selector, names in places.items():
        typer.echo(
            f"for {selector}: in {' or '.join(names)}" if names else f"for {selector}: no token proves it; accept it"
        )
    typer.echo(f"\nthen: quarry opt-out check {request.id}")


def check(
    request_ids: Ids,
    ledger: LedgerFile = LEDGER,
    host: Annotated[str, typer.Option("--host", metavar="URL", help="Where repositories are read.")] = GITHUB,
    as_json: Json = False,
) -> None:
    """Look for published tokens; a request all of whose selectors are proven is verified."""
    if not host.startswith(("https://", "http://", "file://")):
        raise UsageError(f"--host '{host}' is no URL; give one such as {GITHUB}.")
    reader = HostReader(host, Git(timeout_s=120.0, stall_s=30.0))
    missing: list[str] = []
    with Ledger.open(ledger) as book:
        for name in request_ids:
            request = book.request(name)
            if not request.selectors:
                missing.append(f"{name} was not parsed and cannot be proven ({request.reason}).")
                continue
            proofs, problems = prove(token_of(book, request), request.selectors, reader)
            missing += [f"{name}: {problem}" for problem in problems]
            if not problems:
                book.record("verified", name, {"how": "challenge", "proofs": [proof._asdict() for proof in proofs]})
        _print_requests([book.request(name) for name in request_ids], as_json)
    if missing:
        raise UsageError(" ".join(missing))


COMMANDS: dict[str, Callable[..., None]] = {
    "add": add,
    "import": import_,
    "list": list_,
    "show": show,
    "accept": accept,
    "reject": reject,
    "withdraw": withdraw,
    "challenge": challenge,
    "check": check,
}


def _to_write(path: str) -> Ledger:
    """The ledger, made where there is none."""
    try:
        return Ledger.open(path) if os.path.exists(path) else Ledger.create(path)
    except UsageError:
        if not os.path.exists(path):
            raise
        return Ledger.open(path)  # somebody else has just made it


def _record(event: str, request_ids: Iterable[str], because: str, ledger: str, as_json: bool) -> None:
    _not_empty(because)
    with Ledger.open(ledger) as book:
        for name in request_ids:
            book.record(event, name, {"reason": because})
        _print_requests([book.request(name) for name in request_ids], as_json)


def _read_as(book: Ledger, held: Request, selectors: tuple[Selector, ...]) -> Request:
    """A new request in place of one that was not parsed, which is rejected as replaced."""
    new = book.receive(
        selectors,
        source=f"{held.source}/as-read",
        person=book.person(held.id),
        copies=held.copies,
        received=held.received,
    )
    book.record("rejected", held.id, {"reason": f"a person read it: {new.id} takes its place"})
    return new


def _limited(selector: Selector, kinds: str) -> Selector:
    if not kinds:
        return selector
    named = frozenset(kind.strip() for kind in kinds.split(","))
    if named - set(KINDS):
        raise UsageError(f"--kinds '{kinds}' names others than {', '.join(KINDS)}; join some of these with commas.")
    return replace_kinds(selector, named)


def replace_kinds(selector: Selector, kinds: frozenset[str]) -> Selector:
    """`selector`, limited to kinds; everything where all are named."""
    return selector._replace(kinds=kinds if kinds != set(KINDS) else frozenset())


def _not_empty(because: str) -> None:
    if not because.strip():
        raise UsageError("--because is empty; say why, in a sentence that may stand in the ledger for good.")


def _read(file: str) -> bytes:
    try:
        return read_file(file)
    except OSError as error:
        raise UsageError(f"cannot read '{file}' ({error.strerror or error}); name a file or URL.") from None


def show_touched(runs: list[str], selectors: Iterable[Selector], as_json: bool) -> None:
    """The documents of runs that selectors would touch; nothing is recorded."""
    from opt_out.trace import touched  # reads whole tables, which no other command needs

    rows = touched(runs, list(selectors))
    if as_json:
        typer.echo(json.dumps([row._asdict() for row in rows], ensure_ascii=False))
        return
    for row in rows:
        typer.echo(f"{row.run}/{row.file}  {row.id}  {row.repo}:{row.path}  ({row.selector})")
    typer.echo(f"{counted(len(rows), 'document', 'documents')} would be touched; nothing was recorded.")


def _print_requests(requests: Iterable[Request], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([_request_json(request) for request in requests], ensure_ascii=False))
        return
    for request in requests:
        typer.echo(_line(request))


def _line(request: Request) -> str:
    shown = [str(selector) for selector in request.selectors]
    what = ", ".join(shown[:5]) + (f" and {len(shown) - 5:,} more" if len(shown) > 5 else "")
    return f"{request.id}  {request.state:<9}  {what or '-'}" + (f"  ({request.reason})" if request.reason else "")


def _request_json(request: Request) -> dict[str, Any]:
    return {
        "id": request.id,
        "state": request.state,
        "reason": request.reason,
        "selectors": [str(selector) for selector in request.selectors],
        "copies": request.copies,
        "source": request.source,
        "received": request.received,
        "verified": request.verified,
    }


def _as_json(demand: Demand) -> dict[str, Any]:
    return {
        "source": demand.source,
        "author": demand.author,
        "held": demand.held,
        "selectors": [str(selector) for selector in demand.selectors],
        "becomes": [
            {"source": part.source, "state": part.state, "selectors": [str(selector) for selector in part.selectors]}
            for part in parts_of(demand)
        ],
    }


def _told(counts: Mapping[str, int], ledger: str) -> str:
    said = f"{counted(counts['added'], 'request', 'requests')} added to {ledger}"
    states = [f"{counts[state]:,} {state}" for state in ("verified", "received", "held") if counts[state]]
    said += f": {', '.join(states)}" if states else ""
    return f"{said}; {counts['known']:,} stood there already." if counts["known"] else f"{said}."
