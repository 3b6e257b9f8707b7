"""The redactor, its windows and the stage, on texts with planted values between every kind of character."""

from __future__ import annotations

import hashlib
import hmac
import socket
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pii.options import NerOptions
from pii.readers import Piece, Place
from pii.redact import Finding, Redactor, _Document, mask
from pii.spans import IPV4, SYNTHETIC, Placeholders, Span, replace, resolve
from pii.stage import Redact
from pipeline import schema
from pipeline.errors import UsageError
from pipeline.side import Side

GITHUB = "gh" + "p_" + "zB4kW9tQ2mXc7LrV1nYd5HsJ8fGa3PeU6oKi"
PEM = (
    "-----BEGIN PRIVATE "
    + "KEY-----\n"
    + "MIIcW9tQ2mXc7LrV1nYd5HsJ8fGa3PeU6oKiZb4k\n" * 3
    + "-----END PRIVATE KEY-----"
)
VALUES = ["jane.doe@gmail.com", "93.184.216.34", "2a00:1450:4001:81b::200e", GITHUB, PEM]
FRAGMENTS = [
    *VALUES,
    "postgres://app:hunter22@db.example.net/x",
    "иван@почта.рф",
    "version 4.1.0.27",
    "10.0.0.1",
    "git@github.com:o/r.git",
    "a@",
    "a@b.",
    "1.1.1.1.1",
    "://",
    "https://u@h.com",
    "-----BEGIN RSA PRIVATE " + "KEY-----",
    "-----END ",
    "--?--END -----",
    "hosts",
    "<KEY>",
]
GAPS = [
    " ",
    "\n",
    "\t",
    ", ",
    " é ",
    " 👩‍💻 ",
    " \u202eعربي ",
    " \0 ",
    " 漢字 ",
    " " + "x" * 700 + " ",
    " " + "ж " * 3000,
    "",
]


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor(ner=NerOptions(enabled=False))  # by pattern: what the model finds changes as it is trained


def column(texts: Sequence[str | None]) -> pa.StringArray:
    return pa.array(texts, pa.string())


texts = st.lists(st.tuples(st.sampled_from(GAPS), st.sampled_from(FRAGMENTS)), max_size=8).map(
    lambda pairs: "".join(gap + fragment for gap, fragment in pairs)
)
relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@settings(relaxed, max_examples=40)
@given(st.lists(st.one_of(texts, st.none()), max_size=4))
def test_windows_lose_and_invent_nothing(redactor: Redactor, rows: list[str | None]) -> None:
    """The reference: the recognizers on each whole text."""
    whole = [
        (row, {span[:3] for _, span in redactor.readers[0].read([Piece(Place(0, 0, len(text)), text)])})
        for row, text in enumerate(rows)
        if text
    ]
    found = redactor.readers[0].read(redactor.readers[0].pieces(column(rows)))
    by_row: dict[int, set[tuple[int, int, str]]] = {}
    for row, span in found:
        by_row.setdefault(row, set()).add(span[:3])
    assert by_row == {row: spans for row, spans in whole if spans}


@relaxed
@given(st.lists(texts, max_size=4), st.integers(0, 3))
def test_a_piece_stands_where_it_says(redactor: Redactor, rows: list[str], skipped: int) -> None:
    sliced = column(rows)[skipped:]  # Arrow slices share buffers
    for place, text in redactor.readers[0].pieces(sliced):
        assert rows[skipped + place.row][place.start : place.end] == text


def made(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.replacement is not None]


@relaxed
@given(texts)
def test_text_outside_the_spans_is_unchanged(redactor: Redactor, text: str) -> None:
    redacted, findings = redactor.redact(text, "doc")
    rebuilt, position = "", 0
    for finding in made(findings):
        rebuilt += text[position : finding.span.start] + str(finding.replacement)
        position = finding.span.end
    assert redacted == rebuilt + text[position:]


@relaxed
@given(texts)
def test_redacting_twice_changes_nothing(redactor: Redactor, text: str) -> None:
    once, _ = redactor.redact(text, "doc")
    again, findings = redactor.redact(once, "doc")
    assert again == once
    assert made(findings) == []


@pytest.mark.parametrize("entity", ["NAME", "EMAIL", "IP_ADDRESS", "USERNAME", "PASSWORD", "KEY"])
@pytest.mark.parametrize(
    "around", ["{}", "password = '{}'", "<{}>", "by {} ({})", "https://{}:{}@h.com", '{{"api_key": "{}"}}']
)
def test_what_redaction_writes_is_not_found_again(redactor: Redactor, entity: str, around: str) -> None:
    for value in SYNTHETIC if entity == "IP_ADDRESS" else [f"<{entity}>"]:
        if ":" in value and ":{}@" in around:
            continue  # no URL has an IPv6 address for a user
        text = around.replace("{{", "{").replace("}}", "}").replace("{}", value)
        assert made(redactor.redact(text)[1]) == []


@given(st.data())
def test_a_later_find_goes_back_to_the_text_it_stands_for(data: st.DataObject) -> None:
    text = data.draw(st.text("abc .", min_size=1, max_size=30))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    reasons = st.sampled_from(["", "example"])
    found = [
        Span(start, end, data.draw(st.sampled_from(["IP_ADDRESS", "KEY"])), 0.5, "r", "f", data.draw(reasons))
        for start, end in zip(cuts[::2], cuts[1::2], strict=False)
    ]
    document = _Document(text, "d", found)
    redacted = document.redacted()
    stands_for: list[set[int]] = [{at} for at in range(len(text))]  # characters of the text, by those of the redacted
    for one, (start, end) in zip([one for one in found if not one.left], document.places(), strict=True):
        stands_for[start : start + one.end - one.start] = [set(range(one.start, one.end))] * (end - start)
    start = data.draw(st.integers(0, len(redacted) - 1))
    end = data.draw(st.integers(start + 1, len(redacted)))
    assert document.add([Span(start, end, "PASSWORD", 0.5, "r", "f")])
    (later,) = (one for one in document.spans if one.entity == "PASSWORD")
    assert set(range(later.start, later.end)) == set().union(*stands_for[start:end])
    assert all(left.end <= right.start for left, right in pairwise(document.spans))


def test_each_entity_has_its_replacement(redactor: Redactor) -> None:
    text = f"🙂 jane@gmail.com\n{GITHUB}\npostgres://app:hunter22@db.example.net\nعربي {PEM}\0"
    redacted, findings = redactor.redact(text)
    assert redacted == (
        "🙂 <EMAIL>\n<KEY>\npostgres://app:<PASSWORD>@db.example.net\n"
        "عربي -----BEGIN PRIVATE " + "KEY-----\n<KEY>\n-----END PRIVATE KEY-----\0"
    )
    assert [finding.span.entity for finding in made(findings)] == ["EMAIL", "KEY", "PASSWORD", "KEY"]
    assert text[findings[0].span.start : findings[0].span.end] == "jane@gmail.com"


def test_equal_values_get_equal_placeholders(redactor: Redactor) -> None:
    text = "jane@gmail.com 93.184.216.34 max@gmail.com 93.184.216.35 jane@gmail.com 93.184.216.34"
    first, one, second, other, third, same = redactor.redact(text, "doc")[0].split()
    assert first == second == third == "<EMAIL>"
    assert one == same != other


def test_an_address_is_the_same_in_its_document_and_others_differ(redactor: Redactor) -> None:
    addresses = [f"93.184.216.{number}" for number in range(34, 39)]
    text = " ".join(addresses + addresses)
    first = redactor.redact(text, "first")[0].split()
    assert first[:5] == first[5:]
    assert set(first[:5]) == set(IPV4)
    assert len({redactor.redact(text, str(number))[0] for number in range(20)}) == len(IPV4)


spans = st.builds(
    lambda start, length, entity, score, by: Span(start, start + length, entity, score, by, "ipv4"),
    st.integers(0, 40),
    st.integers(1, 12),
    st.sampled_from(["EMAIL", "KEY", "IP_ADDRESS", "NAME"]),
    st.sampled_from([0.5, 1.0]),
    st.sampled_from(["EmailRecognizer", "NerRecognizer"]),
)


@given(st.lists(spans, max_size=12))
def test_what_stands_overlaps_nothing_and_covers_what_was_found(found: list[Span]) -> None:
    text = "x" * 60
    kept = resolve(found, text)
    assert all(left.end <= right.start for left, right in pairwise(kept))
    assert all(any(one.start < span.end and span.start < one.end for one in kept) for span in found)
    values = [Placeholders("d").of(text[span.start : span.end], span.entity) for span in kept]
    assert len(replace(text, kept, values)) == 60 + sum(
        len(value) - (span.end - span.start) for span, value in zip(kept, values, strict=True)
    )


def span(start: int, end: int, entity: str, score: float, by: str = "Pattern") -> Span:
    return Span(start, end, entity, score, by, "f")


TEXT = "Jane Doe jane@x.org Max Muster 123"


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        # A checksum counts more than length, a pattern more than the model, length more than the score.
        ([span(0, 8, "KEY", 0.9), span(5, 8, "KEY", 1.0)], [(5, 8, "KEY")]),
        ([span(0, 4, "KEY", 0.5), span(0, 8, "PASSWORD", 0.9, "NerRecognizer")], [(0, 4, "KEY")]),
        ([span(0, 8, "KEY", 0.5), span(0, 4, "PASSWORD", 0.9)], [(0, 8, "KEY")]),
        # What the model took for one name is a name and an address, and another name.
        (
            [span(0, 30, "NAME", 0.9, "NerRecognizer"), span(9, 19, "EMAIL", 0.9)],
            [(0, 8, "NAME"), (9, 19, "EMAIL"), (20, 30, "NAME")],
        ),
        # Pieces of a name are one.
        ([span(0, 4, "NAME", 0.9, "NerRecognizer"), span(5, 8, "NAME", 0.8, "NerRecognizer")], [(0, 8, "NAME")]),
        (
            [span(0, 8, "NAME", 0.9, "NerRecognizer"), span(20, 30, "NAME", 0.8, "NerRecognizer")],
            [(0, 8, "NAME"), (20, 30, "NAME")],
        ),
    ],
)
def test_which_of_overlapping_spans_stands(found: list[Span], kept: list[tuple[int, int, str]]) -> None:
    assert [one[:3] for one in resolve(found, TEXT)] == kept
    assert [one[:3] for one in resolve(found[::-1], TEXT)] == kept


@pytest.mark.parametrize(
    "text",
    [
        "x" * 2_000_000,
        "1" * 2_000_000,
        "1." * 500_000,
        "a@" * 1_000_000,
        "a@b." * 250_000,
        "://a:b" * 300_000,
        "2001:" * 200_000,
        "eyJ." * 250_000,
        ("-----BEGIN PRIVATE " + "KEY-----") * 60_000,
        ("-----BEGIN PRIVATE " + "KEY-----" + "A" * 50 + " " * 30_000 + "-----END ") * 30,
        " ".join(f"user{number}@host.com" for number in range(100_000)),
        "password = '" * 150_000,
        "Copyright (c) 2010 Jane Doe, " * 60_000,
        "by Jane Doe <jane@gmail.com>, " * 20_000,
        "\\u00" * 300_000,
        "/home/" * 300_000,
        "<EMAIL>" * 200_000,
    ],
    ids=lambda text: text[:12],
)
def test_no_text_makes_it_slow(redactor: Redactor, text: str) -> None:
    started = time.process_time()
    redactor.redact(text)
    assert time.process_time() - started < 30  # a quadratic step would take minutes


def test_nothing_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert Redactor().redact("jane@gmail.com")[0] == "<EMAIL>"


def test_an_excerpt_is_masked() -> None:
    assert mask("by jane@gmail.com from 93.184.216.34") != "by jane@gmail.com from 93.184.216.34"
    assert mask("by jane@gmail.com,") == "by <EMAIL>,"
    assert mask("") == ""


def test_only_the_asked_entities_are_redacted() -> None:
    assert (
        Redactor(["KEY"], ner=NerOptions(enabled=False)).redact(f"jane@gmail.com {GITHUB}")[0] == "jane@gmail.com <KEY>"
    )


def shard(texts: list[str | None]) -> pa.Table:
    count = len(texts)
    return pa.table(
        {
            "id": [f"{number:032x}" for number in range(count)],
            "repo": ["o/r"] * count,
            "path": [f"{number}.py" for number in range(count)],
            "text": column(texts),
        },
        schema=Redact.takes,
    )


def test_the_stage_replaces_and_records(run_stage: Callable) -> None:
    table = shard(["x = 1\n", "# jane@gmail.com 10.0.0.1\nx = '93.184.216.34'\n", "", None])
    outcome = run_stage(Redact(), [table])[0]
    kept, decisions = outcome.kept, outcome.decisions.to_pylist()
    assert kept.schema.equals(table.schema)
    assert kept["text"].to_pylist()[0::2] == ["x = 1\n", ""]
    assert kept["text"].to_pylist()[1].startswith("# <EMAIL> 10.0.0.1\nx = '1")
    assert outcome.decisions.schema.equals(schema.DECISION)
    assert [(d["id"][-1], d["action"], d["reason"], d["entity"], d["start"], d["end"]) for d in decisions] == [
        ("1", "redact", "email", "EMAIL", 2, 16),
        ("1", "redact", "ip_address", "IP_ADDRESS", 31, 44),
        ("1", "note", "left_private_address", "IP_ADDRESS", 17, 25),
    ]
    assert decisions[0]["recognizer"] == "EmailRecognizer"
    assert [d["replacement"] for d in decisions][0::2] == ["<EMAIL>", None]
    assert decisions[0]["value_hmac"] is None
    assert 0 < decisions[0]["score"] <= 1
    assert "gmail" not in str(decisions)
    assert Redact().explain(decisions[1]) == "an IP address (ipv4) was replaced by a synthetic private one"
    assert Redact().explain(decisions[2]).startswith("an IP address was left")


def test_a_shard_without_findings_is_passed_through(side: Side) -> None:
    for table in (shard([]), shard(["x = 1"])):
        outcome = Redact().apply(table, side)
        assert outcome.kept.equals(table)
        assert outcome.decisions.num_rows == 0


def test_rows_are_judged_each_on_its_own(side: Side) -> None:
    table = shard([f"jane{n}@gmail.com -----BEGIN PRIVATE " + "KEY-----" if n % 2 else PEM for n in range(6)])
    whole = Redact().apply(table, side)
    parts = [Redact().apply(table.slice(row, 1), side) for row in range(6)]
    assert pa.concat_tables([part.kept for part in parts]).equals(whole.kept)
    assert pa.concat_tables([part.decisions for part in parts]).equals(whole.decisions)


def test_a_key_file_gives_hmacs(side: Side, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"0123456789abcdef0123456789abcdef\n")
    decisions = Redact(hmac_key=str(key)).apply(shard(["jane@gmail.com"]), side).decisions
    expected = hmac.new(b"0123456789abcdef0123456789abcdef", b"jane@gmail.com", hashlib.sha256).hexdigest()
    assert decisions["value_hmac"].to_pylist() == [expected]


@pytest.mark.parametrize("content", [None, b"short"])
def test_a_bad_key_file_is_refused(side: Side, tmp_path: Path, content: bytes | None) -> None:
    key = tmp_path / "key"
    if content is not None:
        key.write_bytes(content)
    with pytest.raises(UsageError, match="HMAC key"):
        Redact(hmac_key=str(key)).apply(shard(["x"]), side)


def test_a_finding_holds_no_value(redactor: Redactor) -> None:
    findings = redactor.redact(f"{GITHUB} jane@gmail.com 10.0.0.1")[1]
    assert not any(value in repr(findings) for value in (GITHUB, "jane", "10.0.0.1"))
