"""A plain list: a selector a line, as `quarry opt-out add` takes them; `#` at the start of a word begins a comment.

It is the list that the stage `opt_out` read before there was a ledger.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from opt_out.forms.demand import Demand
from opt_out.selectors import Selector, parse_selector
from pipeline.errors import UsageError

_COMMENT = re.compile(r"(?:^|\s)#.*")


def read_list(text: str, source: str) -> Iterator[Demand]:
    """A demand a line. UsageError where no line at all is a selector: such a text is no list."""
    demands = list(_demands(text, source))
    if not any(demand.selectors for demand in demands):
        raise UsageError(
            f"{source} holds no selector; give a list of one a line (acme, acme/widgets), a table, or issues."
        )
    return iter(demands)


def digest_of(*words: str) -> str:
    """A short name of what was written, which does not repeat it and stays when lines move."""
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:16]


def _demands(text: str, source: str) -> Iterator[Demand]:
    for line in re.split(r"\r\n|\r|\n", text):
        written = _COMMENT.sub("", line).strip()
        if not written:
            continue
        selectors: tuple[Selector, ...] = ()
        held = ""
        try:
            selectors = (parse_selector(written, "a line"),)
        except UsageError:
            held = "its line is no selector whose meaning is certain"
        name = str(selectors[0]) if selectors else digest_of(written)
        yield Demand(selectors, f"{source}#{name}", claims={"text": written} if held else {}, held=held)
