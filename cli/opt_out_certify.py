"""`quarry opt-out certify`: makes the certificate of a request, or checks one against a dataset."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated

import typer

from cli.opt_out import LEDGER, LedgerFile
from cli.run import Json
from opt_out.certificate import (
    check_dataset,
    check_signature,
    file_bytes,
    make_certificate,
    read_certificate,
)
from opt_out.certificate_page import page
from opt_out.keys import load_private, load_public
from opt_out.ledger import Ledger
from pipeline.errors import UsageError
from pipeline.storage import Storage


def certify(
    what: Annotated[
        str, typer.Argument(metavar="ID|CERTIFICATE", help="A request to certify, or with --check a certificate.")
    ],
    directories: Annotated[
        list[str] | None, typer.Argument(metavar="DIR...", help="Runs; with --check also dataset folders.")
    ] = None,
    ledger: LedgerFile = LEDGER,
    key: Annotated[str, typer.Option("--key", metavar="PRIVATE", help="The present private key.")] = "opt-out.key",
    out: Annotated[str, typer.Option("--out", metavar="FOLDER", help="Where the certificate is written.")] = ".",
    check: Annotated[bool, typer.Option("--check", help="Check a certificate, by the public keys alone.")] = False,
    public: Annotated[
        str, typer.Option("--public", metavar="FILE", help="The operator's public keys, as published.")
    ] = "opt-out.pub",
    as_json: Json = False,
) -> None:
    """Prove that a request was honoured, in JSON and as a page for the requester; or check such a proof."""
    if check:
        _check(what, directories or [], public, as_json)
        return
    if not directories:
        raise UsageError("a certificate is about runs; name the directories that the request was honoured in.")
    private = load_private(key)
    with Ledger.open(ledger) as book:
        certificate = make_certificate(book, what, directories, private)
        data, folder = file_bytes(certificate), Storage(out)
        folder.write_bytes(f"{what}.json", data)
        folder.write_bytes(f"{what}.html", page(certificate).encode())
        digest = hashlib.sha256(data).hexdigest()
        if book.entries_of(what)[-1].body != {"certificate": digest}:
            book.record("certified", what, {"certificate": digest})
    if as_json:
        typer.echo(data.decode(), nl=False)
    else:
        typer.echo(f"{out}/{what}.json and {what}.html: nothing of {what} is left in {', '.join(directories)}.")


def _check(path: str, directories: list[str], public: str, as_json: bool) -> None:
    certificate = read_certificate(path)
    check_signature(certificate, load_public(public))
    if len(directories) > len(certificate["datasets"]):
        raise UsageError(
            f"the certificate is about {len(certificate['datasets'])} runs, not {len(directories)}; name these."
        )
    checked = [check_dataset(certificate, number, folder) for number, folder in enumerate(directories)]
    same = [unchanged for unchanged, _ in checked]
    said = {"request": certificate["request"], "key": certificate["key"], "signature": "valid", "unchanged": same}
    if as_json:
        typer.echo(json.dumps(said))
        return
    typer.echo(f"the certificate of {said['request']} is signed by the operator's key {said['key']}.")
    for _, sentence in checked:
        typer.echo(sentence)
    if not directories:
        typer.echo("name the dataset too, and it is scanned for what was asked to be removed.")


COMMANDS = {"certify": certify}
