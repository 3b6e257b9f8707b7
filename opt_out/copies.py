"""Copies that were removed for a request: a run that is made anew must leave them out too, by their content."""

from __future__ import annotations

from collections.abc import Iterator

from opt_out.ledger import Ledger
from opt_out.selectors import Selector

CODE = frozenset({"code"})


def copies_removed(ledger: Ledger) -> Iterator[Selector]:
    """The contents of all copies that were removed for requests that still hold."""
    for request in ledger.asking_for_copies():
        yield from copies_of(ledger, request.id)


def copies_of(ledger: Ledger, request: str) -> Iterator[Selector]:
    """The contents of the copies that were removed for one request, by the ledger."""
    for entry in ledger.entries_of(request):
        for record in entry.body.get("runs", ()) if entry.event == "honoured" else ():
            for copy in record["copies"]:
                if copy["action"] == "removed" and copy.get("blob"):
                    yield Selector("content", copy["blob"], CODE)
