"""Spans of personal information in one text, and what replaces them: pure functions on strings.

Replacements are StarCoder's (bigcode-dataset, pii/ner/pii_redaction/utils.py): a word in angle brackets, and for IP
addresses one of five synthetic private addresses. Its quirk of writing a space before some secrets is not repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Literal, NamedTuple, get_args

Entity = Literal["NAME", "EMAIL", "IP_ADDRESS", "USERNAME", "PASSWORD", "KEY"]
ENTITIES: tuple[Entity, ...] = get_args(Entity)
NER = "NerRecognizer"  # the name of the recognizer that is a model
IPV4 = ("172.16.31.10", "172.16.58.3", "172.16.17.32", "192.168.127.12", "192.168.3.11")
IPV6 = (
    "fd00:c2b6:b24b:be67:2827:688d:e6a1:6a3b",
    "fd00:a516:7c1b:17cd:6d81:2137:bd2a:2c5b",
    "fc00:e968:6179::de52:7100",
    "fc00:db20:35b:7399::5",
    "fdf8:f53e:61e4::18",
)
SYNTHETIC = frozenset((*IPV4, *IPV6))
ENTITY_NAME = "[A-Z][A-Z_]{2,40}"  # a regular expression; a placeholder is such a name in angle brackets
_PIECES = re.compile(r"[ \-]|\. ?|")  # what may stand between two pieces of one name
_EDGE = re.compile(r"[\W_]*")


class Span(NamedTuple):
    """One found value: code points [start, end) of a text, what it is, how sure and who found it."""

    start: int
    end: int
    entity: str
    score: float
    recognizer: str
    format: str  # what the recognizer calls the kind of value: ipv4, aws_access_key_id, ...
    left: str = ""  # why it is found but not redacted; "" where it is redacted


def resolve(spans: Sequence[Span], text: str = "") -> list[Span]:
    """The spans that stand, in text order, none empty and none overlapping another.

    Of overlapping spans the one whose own checksum agrees (score 1.0) stays, then one by pattern before the model's,
    then the longest, the one with the higher score, the earlier one. A name the model found stays where others leave it
    (`Jane Doe jane@x.org`); pieces of a name with a blank or a hyphen between them are one.
    """
    chosen: list[Span] = []
    for cluster in _clusters(sorted(span for span in spans if span.end > span.start)):
        kept: list[Span] = []
        for span in sorted(cluster, key=_rank):
            if all(span.end <= other.start or other.end <= span.start for other in kept):
                kept.append(span)
            elif span.recognizer == NER and span.entity == "NAME":
                kept += _rest(span, kept, text)
        chosen += sorted(kept)
    return _joined(chosen, text)


def _rank(span: Span) -> tuple[bool, bool, int, float, Span]:
    by_model = span.recognizer == NER
    return (by_model or span.score < 1, by_model, span.start - span.end, -span.score, span)


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


def _rest(span: Span, kept: Sequence[Span], text: str) -> list[Span]:
    """The pieces of `span` that none of `kept` covers, as far as two letters or more are left of them."""
    pieces, position = [], span.start
    for start, end in [*sorted((other.start, other.end) for other in kept), (span.end, span.end)]:
        if position < min(start, span.end):
            piece = text[position : min(start, span.end)]
            first, last = position + _edge(piece), position + len(piece) - _edge(piece[::-1])
            if sum(map(str.isalpha, text[first:last])) >= 2:
                pieces.append(span._replace(start=first, end=last))
        position = max(position, end)
    return pieces


def _edge(piece: str) -> int:
    """How many characters that are no letter and no digit `piece` starts with."""
    match = _EDGE.match(piece)
    return match.end() if match else 0


def _joined(spans: list[Span], text: str) -> list[Span]:
    """Neighbouring pieces of a name as one."""
    result: list[Span] = []
    for span in spans:
        last = result[-1] if result else None
        if (
            last is not None
            and span.entity == last.entity == "NAME"
            and span.left == last.left
            and span.start - last.end <= 2
            and _PIECES.fullmatch(text[last.end : span.start])
        ):
            result[-1] = last._replace(end=span.end, score=max(span.score, last.score))
        else:
            result.append(span)
    return result


class Placeholders:
    """What stands for the values of one document: equal values get equal placeholders.

    Values of an entity are not told apart, as in StarCoder's, but for IP addresses: the n-th distinct one of a document
    gets entry (n + hash of the document's id) mod 5 of its list, so up to five stay told apart, and one address is not
    written the same all over the corpus.
    """

    def __init__(self, document: str) -> None:
        self.first = blake2b(document.encode(errors="replace"), digest_size=8).digest()[0]
        self.given: dict[str, str] = {}
        self.seen = {"ipv4": 0, "ipv6": 0}

    def of(self, value: str, entity: str) -> str:
        """The placeholder of a value."""
        if entity != "IP_ADDRESS":
            return f"<{entity}>"
        if value not in self.given:
            family, addresses = ("ipv6", IPV6) if ":" in value else ("ipv4", IPV4)
            self.given[value] = addresses[(self.first + self.seen[family]) % len(addresses)]
            self.seen[family] += 1
        return self.given[value]


def replace(text: str, spans: Sequence[Span], values: Sequence[str]) -> str:
    """`text` with each span (sorted, not overlapping) replaced; every other character stays as it is."""
    parts, position = [], 0
    for span, value in zip(spans, values, strict=True):
        parts += [text[position : span.start], value]
        position = span.end
    return "".join([*parts, text[position:]])
