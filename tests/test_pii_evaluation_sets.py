"""The shipped labelled sets: what they hold, that labels lie on values, and that they share nothing with training."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from importlib.resources import files
from pathlib import Path

import orjson
import pytest

from pii import evaluate
from pii.evaluation import generate, keys, labelled, tables, values
from pii.evaluation.draw import Draw
from pii.evaluation.labelled import Document
from pii.spans import ENTITIES


@pytest.fixture(scope="module")
def synthetic() -> list[Document]:
    return labelled.synthetic()


def test_the_shipped_set_is_what_the_generator_makes() -> None:
    shipped = Path(generate.__file__).with_name("synthetic.jsonl.gz")
    assert gzip.decompress(shipped.read_bytes()) == generate.lines()


def test_the_synthetic_set_is_as_large_and_broad_as_it_says(synthetic: list[Document]) -> None:
    held = tables.contents(synthetic)
    assert sum(held["labels"].values()) >= 3000
    assert min(held["labels"].values()) >= 250
    assert set(held["labels"]) == set(ENTITIES)
    assert sum(held["optional"].values()) >= 300
    assert held["languages"] >= 60
    assert len({document.cluster for document in synthetic}) >= 170
    by_language: Counter[str] = Counter()
    for one in synthetic:
        by_language[one.language] += sum(not label.optional for label in one.labels)
    assert sum(n >= 15 for n in by_language.values()) >= 40


def test_labels_lie_on_values(synthetic: list[Document]) -> None:
    for one in synthetic:
        position = 0
        for label in one.labels:
            value = one.text[label.start : label.end]
            assert position <= label.start < label.end <= len(one.text), one.id
            assert value == value.strip(), one.id
            assert label.entity != "EMAIL" or "@" in value, one.id
            assert label.entity != "IP_ADDRESS" or re.fullmatch(r"[0-9.]{7,15}|[0-9a-f:]{2,39}", value), one.id
            position = label.end
        assert "«" not in one.text, one.id


def test_every_value_of_a_kind_is_labelled(synthetic: list[Document]) -> None:
    """A value that is labelled somewhere in a document is labelled, or part of a label, wherever it stands alone."""
    for one in synthetic:
        for label in one.labels:
            value = one.text[label.start : label.end]
            if label.optional or len(value) < 6 or "\n" in value:
                continue
            for match in re.finditer(rf"(?<![\w@.-]){re.escape(value)}(?![\w@.-])", one.text):
                assert any(other.start <= match.start() and match.end() <= other.end for other in one.labels), (
                    one.id,
                    value,
                )


def test_github_and_npm_tokens_carry_their_checksum() -> None:
    from pii.secret_checks import crc32_base62

    made = [keys.keys()[kind](Draw(f"{kind}{i}")) for kind in ("github_token", "npm_token") for i in range(20)]
    assert all(crc32_base62(token) for token in made)


def test_the_shipped_labels_of_real_code_are_well_formed() -> None:
    """Their texts are read where they are scored; here: form, order, size, and that no text came along."""
    if not evaluate.REAL.exists():
        pytest.skip("real.jsonl is not there yet")
    rows = [orjson.loads(line) for line in evaluate.REAL.read_bytes().splitlines()]
    counted: Counter[str] = Counter()
    for row in rows:
        assert set(row) == {"repository", "commit", "path", "language", "start", "end", "entities"}
        assert re.fullmatch(r"[0-9a-f]{40}", row["commit"])
        position = row["start"]
        for entity in row["entities"]:
            assert position <= entity["start"] < entity["end"] <= row["end"], row["path"]
            assert set(entity) == {"start", "end", "entity", "optional"}
            position = entity["end"]
            counted[entity["entity"]] += not entity["optional"]
    assert sum(counted.values()) >= 500
    assert set(counted) == set(ENTITIES)
    assert len({row["repository"] for row in rows}) >= 30


def _words(line: str) -> tuple[str, ...]:
    """The words of a template's line in lower case, with its slots all alike."""
    return tuple(re.sub(r"[\W_]+", " ", line.replace("◆", " slot0 ")).lower().split())


def _of_the_set() -> list[list[tuple[str, ...]]]:
    return [[_words(re.sub(r"«[^«»]+»", "◆", line)) for line in t.text.splitlines()] for t in generate.templates()]


def _of_the_training_data() -> list[list[tuple[str, ...]]]:
    folder = files("pii.ner")
    names = [entry.name for entry in folder.iterdir() if re.fullmatch(r"template.*\.txt", entry.name)]
    assert names
    texts = [folder.joinpath(name).read_text(encoding="utf-8") for name in names]
    return [[_words(re.sub(r"\{[A-Za-z_0-9]+\}|⟨[^⟩]*⟩", "◆", line)) for line in text.splitlines()] for text in texts]


def test_the_set_shares_no_template_with_the_training_data() -> None:
    """No line of five words or more around a slot, and no three lines in a row with as many.

    Shorter ones (Copyright (c) 1999 Jane Doe. All rights reserved; Signed-off-by: ...; author, name and e-mail address
    of a YAML file) are forms of the world, which everyone writes alike.
    """

    def said(*lines: tuple[str, ...]) -> int:
        return sum(word != "slot0" and len(word) > 1 for line in lines for word in line)

    def long(texts: list[list[tuple[str, ...]]]) -> set[tuple[str, ...]]:
        return {line for text in texts for line in text if "slot0" in line and said(line) >= 5}

    def runs(texts: list[list[tuple[str, ...]]]) -> set[tuple[tuple[str, ...], ...]]:
        threes = (three for text in texts for three in zip(text, text[1:], text[2:], strict=False))
        return {three for three in threes if all(three) and said(*three) >= 5}

    mine, theirs = _of_the_set(), _of_the_training_data()
    assert len(long(mine)) > 150
    assert long(mine) & long(theirs) == set()
    assert runs(mine) & runs(theirs) == set()


def test_nobody_in_the_set_can_come_out_of_the_training_names() -> None:
    """Of no person both parts of the name are in the lists that training names are drawn from, in either order."""
    from pii.ner import names

    pools = names.locales().values()
    given, family = {name for p in pools for name in p.given}, {name for p in pools for name in p.family}
    assert len(given) > 1000 < len(family)

    def parts(full: str) -> list[tuple[str, str]]:
        words = full.split(" ")
        if len(words) == 1:
            return [(full[:i], full[i:]) for i in range(1, len(full))]
        return [(" ".join(words[:i]), " ".join(words[i:])) for i in range(1, len(words))] + [(words[0], words[-1])]

    for person in values.people():
        for a, b in parts(person.full):
            assert not (a in given and b in family), person.full
            assert not (b in given and a in family), person.full


def test_the_set_is_carried_by_none_of_the_training_packages() -> None:
    """Its code is written for it: of its longer lines only words of licences stand in training carriers."""
    from pii.ner import carriers

    theirs = {
        line.strip()
        for split in ("train", "dev")
        for runs in carriers.lines(split).values()
        for r in runs
        for line in r
    }
    assert len(theirs) > 10000
    for one in labelled.synthetic():
        position = 0
        for line in one.text.splitlines(keepends=True):
            labels = [label for label in one.labels if position <= label.start < position + len(line)]
            assert not (labels and len(line.strip()) >= 25 and line.strip() in theirs), (one.id, line)
            position += len(line)
