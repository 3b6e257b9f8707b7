"""Names by pattern, and what the gazetteer says for and against a name that the model sees."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pii.ner.evidence import is_account, needed
from pii.recognizers.name import NameRecognizer
from pii.redact import Redactor

RECOGNIZER = NameRecognizer()


def names(text: str) -> list[str]:
    """What is found in `text`, of overlapping names the longest."""
    kept: list[tuple[int, int]] = []
    for found in sorted(RECOGNIZER.find(text), key=lambda found: found.start - found.end):
        if all(found.end <= start or end <= found.start for start, end in kept):
            kept.append((found.start, found.end))
    return [text[start:end] for start, end in sorted(kept)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* Copyright (c) 2007, 2008, 2009 Ulrike Bender", ["Ulrike Bender"]),
        ("// Copyright (c) 2012 - present, Ulrike Bender and others", ["Ulrike Bender"]),
        ("* @author Tomasz Zverevich <t@x.org>", ["Tomasz Zverevich"]),
        ("author:  Ulrike Bender, Tom P Smith, Joey Adams", ["Ulrike Bender", "Tom P Smith", "Joey Adams"]),
        ("# Authors: Ulrike Bender and Wim van den Berg", ["Ulrike Bender", "Wim van den Berg"]),
        ("Signed-off-by: Xqwert Zlotykova <xz@posteo.net>", ["Xqwert Zlotykova"]),
        ("0ab3 1cd4 Ulrike Bender <ub@posteo.net> 1635896329 -0500\tcommit: x", ["Ulrike Bender"]),
        ('"author": "Ulrike Bender",', ["Ulrike Bender"]),
        ('names = ["Ulrike Bender", "N. Abdullaev"]', ["Ulrike Bender", "N. Abdullaev"]),
        ("The idea is from Ulrike MacArthur[1]", ["Ulrike MacArthur"]),
        ("Ulrike Bender's plugin wraps lines", ["Ulrike Bender"]),
        ("based on a patch from thomas knoblauch <k@pobox.com>", []),  # the model's
        ("patch by thomas knoblauch", ["thomas knoblauch"]),
        ("Cheers,\nUlrike", ["Ulrike"]),
        ("# TODO (Ulrike): mend", ["Ulrike"]),
        ('p = new Person("Ulrike", "Bender");', ["Ulrike", "Bender"]),
        ('{"firstName": "Ulrike", "lastName": "Bender"}', ["Ulrike", "Bender"]),
        ("VALUES (7, 'Ulrike', 'Bender', 'x')", ["Ulrike", "Bender"]),
        ("// Supervisor: Xqwert Zlotykova", ["Xqwert Zlotykova"]),
        ('"name": "Bender, Ulrike"', ["Bender, Ulrike"]),
    ],
)
def test_finds_people(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Copyright 2019 The Go Authors",
        "Copyright (c) Nginx, Inc.",
        "Copyright (C) 1989 Texas Instruments",
        "Author: Foundation Yetis <c@get.foundation>",
        "// Authors: Bender Brothers, Ltd",
        "# Contributed by Ulrike Dynamics Ltd",
        "3987 Nuala Street, Newcastle",
        "'5525', 'Lilly Lane', 'Burbank'",
        "flag: Svalbard & Jan Mayen",
        "the Haskell Workshop '05",
        "Homer Simpson",
        "['Dieter', 'Ulrike', 'Bender', 'Vogel']",
        "class Thomas Method(Base)",
        "Maria::Connector and Martin::Fowler->call()",
        "The Font Awesome icons, North Carolina, Server Side Template",
    ],
)
def test_leaves_what_names_nobody(text: str) -> None:
    assert names(text) == []


def test_evidence_orders_what_the_model_must_be_sure_of() -> None:
    listed, unlisted, ordinary = (
        needed(value, 0.7) for value in ("Ulrike Bender", "Xqwert Zlotykova", "Error Handler")
    )
    assert listed < 0.7 < unlisted < ordinary
    assert needed("Bright Foundation", 0.7) == 1.0
    assert needed("Spara andringar", 0.7) > unlisted
    assert needed("山田太郎", 0.7, "作者：") == needed("Ирина Волкова", 0.7, "Автор: ") == 0.7
    assert needed("Андрей Сидоренко", 0.7, "- ") == 0.7
    assert 0.9 < needed("山田太郎", 0.7, "- ") < 1.0  # a family name before it
    for words in ("信息", "Получить ссылку", "最后一条信息", "Пароль"):  # they say little by themselves
        assert needed(words, 0.7, '"link": "') == 1.0


@given(st.text(alphabet="Aa. ,<@()'\"-\nUlrike Bender", max_size=200))
def test_spans_are_of_the_text_and_hold_letters(text: str) -> None:
    for found in RECOGNIZER.find(text):
        value = text[found.start : found.end]
        assert 0 <= found.start < found.end <= len(text)
        assert value == value.strip()
        assert value[0].isalpha()


@pytest.mark.parametrize(
    "piece", ["Ulrike ", "Author: ", "A. ", "Copyright (c) 2001, ", "Ulrike, ", "thanks to a b, ", "X"]
)
def test_time_is_linear(piece: str) -> None:
    def seconds(text: str) -> float:
        began = time.process_time()
        list(RECOGNIZER.find(text))
        return time.process_time() - began

    short = min(seconds(piece * 2_000) for _ in range(3))
    assert min(seconds(piece * 20_000) for _ in range(3)) < 40 * short + 0.05


def test_the_redactor_uses_both() -> None:
    text = "0ab3 1cd4 Ulrike Bender <ub@posteo.net> 1635896329 -0500\tcommit: x\n"
    assert Redactor(["NAME"]).redact(text)[0] == text.replace("Ulrike Bender", "<NAME>")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("see {@code @Lazy} for it", "Lazy"),
        ("src=roles/mongod/files/secret", "mongod"),
        ("uses mongodb_datadir here", "mongodb_"),
        ("From: me@somewhere now", "somewhere"),
        ("https://github.com/hashicorp/consul", "hashicorp"),
        ("user=`whoami`", "whoami"),
        ("by HexToBinary again", "HexToBinary"),
        ("facebook.com/robots.txt", "robots.txt"),
    ],
)
def test_parts_of_links_and_identifiers_classes_and_hosts_are_no_accounts(text: str, value: str) -> None:
    start = text.index(value)
    assert not is_account(text, start, start + len(value))


@pytest.mark.parametrize(
    "text", ["thanks jdoe for this", "fixed by @jane-doe today", "by JaneDoe, 2019", "~/home/jdoe"]
)
def test_a_word_of_its_own_may_be_an_account(text: str) -> None:
    value = next(name for name in ("jdoe", "jane-doe", "JaneDoe") if name in text)
    start = text.index(value)
    assert is_account(text, start, start + len(value))


def test_an_unlisted_word_alone_is_a_person_only_behind_a_credit() -> None:
    assert needed("Yuengling", 0.7, "1) ") > 1 - 1e-9
    assert needed("Yuengling", 0.7, "reported by ") < 1


def test_a_cue_or_a_neighbour_makes_a_single_word_a_person() -> None:
    assert needed("Zlotykova", 0.7, "guarantee given by ") == 1.0
    for before in ("fixed by ", "Author: ", "<surname>", '"family": "', ".An ", "Thanks to "):
        assert needed("Zlotykova", 0.7, before) == 0.7, before
    for after in (" <z@host.org>", " et al. (2004)", " wrote:", ", D. E."):
        assert needed("Zlotykova", 0.7, "see ", after) == 0.7, after
    beside = needed("Zlotykova", 0.7, 'person("Ulrike", "', '", role')
    assert 0.7 < beside < needed("Zlotykova", 0.7, 'color("Blue", "', '", role') == 1.0
    assert needed("Eigenaar", 0.7, '"Owner": "', '",') == 1.0  # a translation


def test_characters_of_fiction_places_and_languages_are_nobody() -> None:
    for value in (
        "Darth Vader",
        "Doctor Watson",
        "Erik Josten",
        "Nilo-Saharan",
        "Toki Quechua",
        "Pine Hill",
        "Star Wars",
    ):
        assert needed(value, 0.7) >= 0.97, value
    assert needed("Anna Hill", 0.7) < 0.7
    assert needed("Paul Irish", 0.7) <= 0.7
