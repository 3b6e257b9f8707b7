"""Demands become requests in the ledger: verified where their author is the owner, else received, else held.

What one demand asks for with different authority becomes several requests: an author's own account is honoured at once,
while an organisation's waits for proof. Where a demand was made names its requests, so that importing it twice adds
nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from opt_out.forms.demand import Demand
from opt_out.ledger import Incoming, Ledger
from opt_out.selectors import Selector
from pipeline.errors import UsageError

AT_ONCE = 2_000  # requests that one transaction takes in


class Part(NamedTuple):
    """What becomes one request."""

    selectors: tuple[Selector, ...]
    source: str
    state: str  # verified (its author is the owner), received, or held
    reason: str  # why it is held


def parts_of(demand: Demand) -> list[Part]:
    """The requests that a demand becomes: at most what is proven, what is not, and former names of the author."""
    if demand.held:
        return [Part(demand.selectors, demand.source, "held", demand.held)]
    former = [Selector("owner", name) for name in demand.former]
    proven = [one for one in (*demand.selectors, *former) if _is_authors(one, demand.author)]
    unproven = tuple(one for one in demand.selectors if not _is_authors(one, demand.author))
    said = tuple(one for one in former if not _is_authors(one, demand.author))
    reason = "it is said to be a former name of its author; the account needs its own proof or your judgement"
    parts = [
        (tuple(dict.fromkeys(proven)), "verified", ""),
        (unproven, "received", ""),
        (said, "held", reason),
    ]
    present = [part for part in parts if part[0]]
    return [
        Part(selectors, demand.source if number == 1 else f"{demand.source}/{number}", state, why)
        for number, (selectors, state, why) in enumerate(present, 1)
    ]


def incoming_of(demands: Iterable[Demand], because: str = "") -> list[Incoming]:
    """What the ledger receives of demands. `because` is an operator's judgement of why what is not held may be asked.

    Raises UsageError where two different demands were made in one place, of which one would be lost.
    """
    seen: dict[str, int] = {}
    incoming: dict[str, Incoming] = {}
    for demand in demands:
        same = hash((demand.selectors, demand.former, demand.held, demand.copies, demand.author))
        if seen.setdefault(demand.source, same) != same:
            raise UsageError(
                f"two different requests are said to come from {demand.source[:200]!r}; give each a source of its own. "
                "Nothing was recorded."
            )
        person = {name: value for name, value in [("author", demand.author), *demand.claims.items()] if value} or None
        for part in parts_of(demand):
            authority = _authority(part, because)
            incoming[part.source] = Incoming(
                part.selectors, part.source, person, demand.copies, demand.received, part.reason, authority
            )
    return list(incoming.values())


def take_in(ledger: Ledger, incoming: Sequence[Incoming]) -> dict[str, int]:
    """Record requests, and count those `added`, in all and by their states, and those `known` before.

    What was imported stands on the disk before more is taken in: who is interrupted imports again, which goes on.
    """
    added: Counter[str] = Counter()
    for start in range(0, len(incoming), AT_ONCE):
        added.update(request.state for request in ledger.receive_many(incoming[start : start + AT_ONCE]))
    return {
        "added": added.total(),
        **{state: added[state] for state in ("verified", "received", "held")},
        "known": len(incoming) - added.total(),
    }


def _authority(part: Part, because: str) -> dict[str, Any] | None:
    """How it is known that who asks may ask; None where it is not."""
    if part.state == "verified":
        return {"how": "author"}
    return {"how": "judgement", "because": because} if because and part.state == "received" else None


def _is_authors(selector: Selector, author: str | None) -> bool:
    """Whether who asks is who owns what is asked for."""
    if author is None or selector.target == "content":
        return False
    return selector.value.partition(":")[0].split("/")[0].lower() == author.lower()
