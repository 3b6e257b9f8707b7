"""`quarry opt-out`: keys and signatures of the ledger, whether it is whole, what others may see, and forgetting."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Annotated

import typer

from cli.opt_out import LEDGER, Because, Ids, LedgerFile
from cli.run import Json
from opt_out.chain import Head
from opt_out.keys import load_private, load_public, lose_key, make_key, rotate_key
from opt_out.ledger import Ledger
from opt_out.standing import numbers as standing_numbers
from pipeline.errors import UsageError

PrivateFile = Annotated[str, typer.Argument(metavar="PRIVATE", help="The private key; yours alone.")]
PublicFile = Annotated[str, typer.Argument(metavar="PUBLIC", help="The public keys, which you publish.")]


def make(private: PrivateFile, public: PublicFile, ledger: LedgerFile = LEDGER) -> None:
    """Make the operator's first key, or one after all others were lost; the ledger notes it, where there is one."""
    _note(ledger, "key_added", key=make_key(private, public))
    typer.echo(f"keep {private} to yourself, with a copy in a safe; publish {public}.")


def rotate(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The present private key.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Where its successor is written.")],
    public: PublicFile,
    ledger: LedgerFile = LEDGER,
) -> None:
    """Make a key that the present one vouches for, and retire that; what it signed stays valid."""
    before, after = rotate_key(old, new, public)
    _note(ledger, "key_added", key=after, follows=before)
    _note(ledger, "key_retired", key=before)
    typer.echo(f"{new} signs from now on; publish {public} again, and destroy {old}.")


def lost(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="The id of a key of the public file.")],
    public: PublicFile,
    because: Because,
    ledger: LedgerFile = LEDGER,
) -> None:
    """Record that a key is lost or stolen: what only it signed is trusted no more."""
    lose_key(key_id, public, because)
    _note(ledger, "key_lost", key=key_id, reason=because)
    typer.echo(f"publish {public} again, make a new key (key make), and sign the ledger with it.")


def sign(
    key: Annotated[str, typer.Option("--key", metavar="PRIVATE", help="The present private key.")],
    ledger: LedgerFile = LEDGER,
    as_json: Json = False,
) -> None:
    """Sign the newest entry of the ledger, and so all before it."""
    private = load_private(key)
    with Ledger.open(ledger) as book:
        head = book.sign(private)
    said = {"sequence": head.sequence, "chain": head.chain, "key": private.id}
    typer.echo(json.dumps(said) if as_json else f"entry {head.sequence} ({head.chain}) signed by {private.id}.")


def verify(
    ledger: LedgerFile = LEDGER,
    public: Annotated[
        str | None, typer.Option("--public", metavar="FILE", help="The operator's public keys, as published.")
    ] = None,
    head: Annotated[
        list[str] | None,
        typer.Option("--head", metavar="SEQUENCE:CHAIN", help="A head it had, as receipts and certificates name it."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that no entry was edited, removed or moved; exit code 2 where one was."""
    known = [_head(text) for text in head or ()]
    keys = load_public(public) if public else None
    with Ledger.open(ledger, readonly=True) as book:
        problems = book.verify(keys, known)
        newest = book.head()
    if as_json:
        typer.echo(json.dumps({"sequence": newest.sequence, "chain": newest.chain, "problems": problems}))
    if problems:
        raise UsageError(f"the ledger '{ledger}' is not what it was: {' '.join(problems)}")
    if not as_json:
        checked = "its chain and signatures hold" if keys else "its chain holds; give --public to check signatures too"
        typer.echo(f"{ledger} is whole: {newest.sequence:,} entries, {checked}.")


def export(
    out: Annotated[str, typer.Argument(metavar="FILE", help="Where JSON lines go.")], ledger: LedgerFile = LEDGER
) -> None:
    """Write every entry and signature as a JSON line; who asked, and what they wrote, stays here."""
    with Ledger.open(ledger, readonly=True) as book:
        partial = f"{out}.partial"
        try:
            with open(partial, "w", encoding="utf-8") as file:
                book.export(file)
            os.replace(partial, out)
        except OSError as error:
            raise UsageError(f"cannot write '{out}' ({error.strerror}); choose another file.") from None


def erase(request_ids: Ids, ledger: LedgerFile = LEDGER) -> None:
    """Forget who made requests and what they wrote; what was asked stays, and the chain whole."""
    with Ledger.open(ledger) as book:
        book.erase_person(*request_ids)
    typer.echo(f"{', '.join(request_ids)}: forgotten; erase them from copies of {ledger} too.")


def numbers(
    ledger: LedgerFile = LEDGER,
    out: Annotated[str | None, typer.Option("--out", metavar="FILE", help="Where it goes; by default, here.")] = None,
) -> None:
    """Print the public numbers as JSON: a month's requests received, honoured, rejected and held, median days."""
    with Ledger.open(ledger, readonly=True) as book:
        text = json.dumps(standing_numbers(book), indent=1) + "\n"
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        with open(out, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"cannot write '{out}' ({error.strerror}); choose another --out.") from None


COMMANDS: dict[str, Callable[..., None]] = {
    "sign": sign,
    "verify": verify,
    "export": export,
    "erase": erase,
    "numbers": numbers,
}
KEY_COMMANDS: dict[str, Callable[..., None]] = {"make": make, "rotate": rotate, "lost": lost}


def _note(ledger: str, event: str, **body: str) -> None:
    """Tell the ledger of a key, where there is a ledger."""
    if os.path.exists(ledger):
        with Ledger.open(ledger) as book:
            book.record(event, "", body)


def _head(text: str) -> Head:
    sequence, _, chain = text.partition(":")
    if not sequence.isdigit() or len(chain) != 64:
        raise UsageError(f"--head '{text[:80]}' is no head; write the number of an entry, a colon and its chain.")
    return Head(int(sequence), chain)
