"""Spans of personal information in one text, and what replaces them: pure functions on strings.

Replacements are StarCoder's (bigcode-dataset, pii/ner/pii_redaction/utils.py): a word in angle brackets, and for IP
addresses one of five synthetic private addresses. Its quirk of writing a space before some secrets is not repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

SHORTEST = 4  # StarCoder redacts nothing of three characters or fewer
WORDS = {"EMAIL": "<EMAIL>", "KEY": "<KEY>", "PASSWORD": "<PASSWORD>"}
IPV4 = ("172.16.31.10", "172.16.58.3", "172.16.17.32", "192.168.127.12", "192.168.3.11")
IPV6 = (
    "fd00:c2b6:b24b:be67:2827:688d:e6a1:6a3b",
    "fd00:a516:7c1b:17cd:6d81:2137:bd2a:2c5b",
    "fc00:e968:6179::de52:7100",
    "fc00:db20:35b:7399::5",
    "fdf8:f53e:61e4::18",
)


class Span(NamedTuple):
    """One found value: code points [start, end) of a text, what it is, how sure and who found it."""

    start: int
    end: int
    entity: str
    score: float
    recognizer: str
    format: str  # what the recognizer calls the kind of value: ipv4, aws_access_key_id, ...
    left: str = ""  # why it is found but not redacted; "" where it is redacted


def resolve(spans: Sequence[Span]) -> list[Span]:
    """The spans that are redacted, in text order, none overlapping another and none shorter than SHORTEST.

    Of overlapping spans the longest stays, then the one with the higher score, then the earlier one.
    """
    chosen: list[Span] = []
    for cluster in _clusters(sorted(span for span in spans if span.end - span.start >= SHORTEST)):
        kept: list[Span] = []
        for span in sorted(cluster, key=lambda s: (s.start - s.end, -s.score, s)):
            if all(span.end <= other.start or other.end <= span.start for other in kept):
                kept.append(span)
        chosen += sorted(kept)
    return chosen


def _clusters(spans: list[Span]) -> Iterator[list[Span]]:
    """Runs of sorted spans that overlap one another, so that resolving stays linear in a text with many."""
    cluster: list[Span] = []
    end = 0
    for span in spans:
        if cluster and span.start >= end:
            yield cluster
            cluster = []
        cluster.append(span)
        end = max(end, span.end)
    if cluster:
        yield cluster


def replacements(text: str, spans: Sequence[Span], document: str) -> list[str]:
    """What stands for each span; within a document equal values get equal replacements.

    The n-th distinct IP address of a document gets entry (n + hash of the document's id) mod 5 of its list, so up to
    five addresses stay told apart, and one address is not written the same all over the corpus.
    """
    first = blake2b(document.encode(), digest_size=8).digest()[0]
    given: dict[str, str] = {}
    seen = {"ipv4": 0, "ipv6": 0}
    result = []
    for span in spans:
        if span.entity != "IP_ADDRESS":
            result.append(WORDS[span.entity])
            continue
        value = text[span.start : span.end]
        if value not in given:
            addresses = IPV4 if span.format == "ipv4" else IPV6
            given[value] = addresses[(first + seen[span.format]) % len(addresses)]
            seen[span.format] += 1
        result.append(given[value])
    return result


def replace(text: str, spans: Sequence[Span], values: Sequence[str]) -> str:
    """`text` with each span (sorted, not overlapping) replaced; every other character stays as it is."""
    parts, position = [], 0
    for span, value in zip(spans, values, strict=True):
        parts += [text[position : span.start], value]
        position = span.end
    return "".join([*parts, text[position:]])
