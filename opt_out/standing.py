"""Standing numbers: month by month, what came in and what became of it, for the public; names nobody."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from statistics import median
from typing import Any

from opt_out.ledger import Ledger

COUNTED = ("honoured", "rejected", "held", "withdrawn")


def numbers(ledger: Ledger) -> dict[str, Any]:
    """Numbers of each month from the first request to the newest entry, UTC, and the head that they were made of.

    `received` counts requests by when they were made; the others count each request once, when that first happened to
    it. `median_days` is the time from received to honoured of those that were honoured in the month; null without any.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    days: dict[str, list[float]] = defaultdict(list)
    received: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    head = ledger.head()
    newest = ""
    for entry in ledger.entries(until=head.sequence):
        newest = max(newest, entry.time)
        if entry.event == "received":
            received[entry.request] = entry.body["received"]
            counts[_month(entry.body["received"])]["received"] += 1
        elif entry.event in COUNTED and (entry.event, entry.request) not in seen:
            seen.add((entry.event, entry.request))
            counts[_month(entry.time)][entry.event] += 1
            if entry.event == "honoured":
                days[_month(entry.time)].append(_days(received[entry.request], entry.time))
    months = [
        {
            "month": month,
            **{what: counts[month][what] for what in ("received", *COUNTED)},
            "median_days": round(median(days[month]), 2) if days[month] else None,
        }
        for month in _months(min(counts, default=""), max([*counts, _month(newest)], default=""))
    ]
    return {"format": 1, "head": head._asdict(), "months": months}


def numbers_json(ledger: Ledger) -> str:
    """The same as the text of a file; equal ledgers give equal bytes."""
    return json.dumps(numbers(ledger), indent=1) + "\n"


def _month(time: str) -> str:
    return time[:7]


def _months(first: str, last: str) -> Iterator[str]:
    while first and first <= last:
        yield first
        year, month = map(int, first.split("-"))
        first = f"{year + month // 12:04d}-{month % 12 + 1:02d}"


def _days(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() / 86_400
