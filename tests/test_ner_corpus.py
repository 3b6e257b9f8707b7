"""The synthetic training data of the NER model."""

import itertools
import random

import pytest

from pii.ner import carriers, corpus, templates
from pii.ner.fillers import Fillers
from pii.ner.names import Names, Split, handle, split_of, written

SPLITS: tuple[Split, ...] = ("train", "dev")


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[corpus.Example]]:
    return {split: list(itertools.islice(corpus.examples(1, split), 6000)) for split in SPLITS}


def test_examples_are_the_same_for_a_seed(drawn: dict[str, list[corpus.Example]]) -> None:
    assert list(itertools.islice(corpus.examples(1, "dev"), 600)) == drawn["dev"][:600]
    assert list(itertools.islice(corpus.examples(2, "dev"), 600)) != drawn["dev"][:600]


@pytest.mark.parametrize("split", SPLITS)
def test_spans_lie_in_their_text_apart_and_hold_values(split: str, drawn: dict[str, list[corpus.Example]]) -> None:
    for text, spans in drawn[split]:
        end = 0
        for start, stop, _ in sorted(spans):
            assert end <= start < stop <= len(text)
            value = text[start:stop]
            assert value == value.strip()
            assert "\n" not in value
            end = stop


@pytest.mark.parametrize("split", SPLITS)
def test_entities_and_windows_without_any_are_balanced(split: str, drawn: dict[str, list[corpus.Example]]) -> None:
    found = [entity for _, spans in drawn[split] for *_, entity in spans]
    assert set(found) <= {"NAME", "EMAIL", "IP_ADDRESS", "KEY", "PASSWORD", "USERNAME"}
    assert found.count("NAME") > 1000
    assert found.count("USERNAME") > 300
    assert 0.3 < sum(not spans for _, spans in drawn[split]) / len(drawn[split]) < 0.7


def test_the_label_says_what_the_value_is(drawn: dict[str, list[corpus.Example]]) -> None:
    for text, spans in drawn["train"]:
        for start, stop, entity in spans:
            value = text[start:stop]
            if entity == "EMAIL":
                assert value.count("@") == 1
            if entity == "NAME":
                assert any(letter.isalpha() for letter in value)
                assert not any(letter in value for letter in "@<>{}/=")
            if entity == "USERNAME":
                assert " " not in value


def test_no_name_and_no_template_is_in_both_splits() -> None:
    train, dev = Names("train"), Names("dev")
    for which in (1, 2):
        names = [{name.casefold() for pool in one.pools for name in pool[which]} for one in (train, dev)]
        assert names[0]
        assert names[1]
        assert not names[0] & names[1]
    slots = Fillers("dev").slots
    for file in ("comments", "lines"):
        loaded = [{template.parts for template in templates.load(file, split, slots)} for split in SPLITS]
        assert not loaded[0] & loaded[1]
        assert len(loaded[1]) > 40


def test_no_package_is_in_both_splits_and_the_reserved_ones_in_none() -> None:
    assert all(carriers.package_split(name) is None for name in carriers.RESERVED)
    assert {
        carriers.package_split(name) for name in ("numpy", "pandas", "torch", "ray", "jinja2", "sympy", "pillow")
    } <= set(SPLITS)


def test_a_name_is_of_one_split_however_it_is_written() -> None:
    assert split_of("Jürgen") == split_of("jürgen") == split_of("JÜRGEN")


def test_handles_come_from_the_name_and_are_plain() -> None:
    rng = random.Random(3)
    names = Names("train")
    people = [names.person(rng) for _ in range(2000)]
    handles = [handle(rng, person) for person in people]
    assert all(made.isascii() and " " not in made and len(made) >= 1 for made in handles)
    latin = [(person, made) for person, made in zip(people, handles, strict=True) if person.family.isascii()]
    shared = sum(
        person.family.lower()[:3] in made or person.given.lower()[:3] in made.lower() for person, made in latin
    )
    assert shared > 0.7 * len(latin)


def test_names_are_written_in_many_ways() -> None:
    rng = random.Random(4)
    names = Names("train")
    forms = [written(rng, names.person(rng)) for _ in range(5000)]
    for mark in (". ", ", ", "-", " van ", '"', " Jr."):
        assert any(mark in form for form in forms)
    assert any(form.islower() and form.isascii() for form in forms)
    for first, last in (("Ѐ", "ӿ"), ("一", "鿿"), ("가", "힣"), ("֐", "׿"), ("؀", "ۿ"), ("ऀ", "ॿ"), ("Ͱ", "Ͽ")):
        assert any(first <= letter <= last for form in forms for letter in form)
