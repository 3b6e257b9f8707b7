"""A user's own Presidio recognizers: found, named, counted in the fingerprint, and refused with one sentence."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from cli.main import app
from pii.options import NerOptions, Plugged
from pii.redact import Redactor
from pii.stage import Redact
from pipeline.fingerprint import stage_identity
from pipeline.side import Side

MODULE = """
from presidio_analyzer import LocalRecognizer, Pattern, PatternRecognizer, RecognizerResult


class Badge(PatternRecognizer):
    def __init__(self):
        super().__init__("BADGE", patterns=[Pattern("badge", r"B-[0-9]{4}", 0.4)], context=["badge"])


class Person(LocalRecognizer):
    def __init__(self):
        super().__init__(supported_entities=["PERSON"], supported_language="de")

    def load(self):
        pass

    def analyze(self, text, entities, nlp_artifacts=None):
        start = text.find("Theodora")
        return [RecognizerResult("PERSON", start, start + 8, 0.7)] if start >= 0 else []


class Astray(Person):
    def analyze(self, text, entities, nlp_artifacts=None):
        end = len(text)
        places = ((-5, 2), (end - 1, end + 9), (end + 2, end + 5), (4, 3))
        return [RecognizerResult("PERSON", start, stop, 7.0) for start, stop in places]


class Failing(Person):
    def analyze(self, text, entities, nlp_artifacts=None):
        if "Theodora" in text:
            raise ValueError("cannot read " + text)
        return []


class Odd(Person):
    def __init__(self):
        LocalRecognizer.__init__(self, supported_entities=["a badge"])


class Needy(Person):
    def __init__(self, file):
        super().__init__()


class Unwritten(LocalRecognizer):
    pass


NOTHING = 1
"""
YAML = """
recognizers:
  - name: "Plates"
    supported_entity: "PLATE"
    patterns: [{name: "plate", regex: "[A-Z]{2}-[0-9]{4}", score: 0.6}]
  - name: "Titles"
    supported_language: "de"
    supported_entity: "TITLE"
    deny_list: ["Freifrau"]
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "our_recognizers.py"
    path.write_text(MODULE)
    (tmp_path / "broken_recognizers.py").write_text("raise RuntimeError('out of order')\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield path
    for name in ("our_recognizers", "broken_recognizers"):
        sys.modules.pop(name, None)


def redactor(*names: str, files: tuple[str, ...] = ()) -> Redactor:
    plugged = [Plugged.model_validate(f"our_recognizers:{name}") for name in names]
    return Redactor(ner=NerOptions(enabled=False), recognizers=plugged, recognizer_files=files)


def test_a_recognizer_finds_its_own_entity_and_ours(module: Path) -> None:
    text, findings = redactor("Badge", "Person").redact("# Theodora, B-1234, jane.roeder@gmail.com\n")
    assert text == "# <NAME>, <BADGE>, <EMAIL>\n"
    assert [finding.span.recognizer for finding in findings] == ["Person", "Badge", "EmailRecognizer"]


def test_what_lies_outside_the_text_is_cut_off(module: Path) -> None:
    text, findings = redactor("Astray").redact("abcdefgh")
    assert text == "<NAME>cdefg<NAME>"
    assert [finding.span[:2] + finding.span[3:4] for finding in findings] == [(0, 2, 1.0), (7, 8, 1.0)]


def test_an_entity_that_can_be_no_placeholder_is_refused(module: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="finds 'a badge', which can be no placeholder"):
        redactor("Odd")
    path = tmp_path / "ours.yaml"
    path.write_text(YAML.replace("PLATE", "P8"))
    with pytest.raises(ValueError, match="finds 'P8', which can be no placeholder"):
        redactor(files=(str(path),))


def test_a_recognizer_that_fails_quotes_no_text_and_costs_no_other_line(module: Path) -> None:
    options = ("--set", "ner.enabled=false", "--set", "recognizers=['our_recognizers:Failing']")
    lines = [
        json.dumps({"id": n, "text": "Theodora" if n in (1, 4) else f"{n} jane.roeder@gmail.com"}) for n in range(6)
    ]
    done = CliRunner().invoke(app, ["redact", "--jsonl", *options], input="\n".join(lines))
    assert done.exit_code == 2
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [0, 2, 3, 5]
    assert [line.split(" as ")[0] for line in done.stderr.splitlines()[:2]] == [
        "quarry: line 2 cannot be redacted,",
        "quarry: line 5 cannot be redacted,",
    ]
    one = CliRunner().invoke(app, ["redact", *options], input="by Theodora")
    assert (one.exit_code, one.stdout, one.stderr.count("\n")) == (2, "", 1)
    assert "ValueError at our_recognizers.py:" in one.stderr
    assert "Theodora" not in done.stderr + one.stderr


def test_context_words_raise_the_score(module: Path) -> None:
    found = [redactor("Badge").redact(text)[1][0].span.score for text in ("B-1234", "the badge is B-1234")]
    assert found == [0.4, pytest.approx(0.75)]
    strict = Redactor(
        ner=NerOptions(enabled=False),
        recognizers=[Plugged.model_validate("our_recognizers:Badge")],
        thresholds={"BADGE": 0.5},
    )
    assert strict.redact("B-1234 and the badge B-1234")[0] != "B-1234 and the badge B-1234"
    assert strict.redact("B-1234")[0] == "B-1234"


def test_presidios_definitions_are_read(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(YAML)
    text, _ = redactor(files=(str(path),)).redact("Freifrau X, XY-1234")
    assert text == "<TITLE> X, <PLATE>"


def test_the_stage_records_what_an_own_recognizer_found(module: Path, side: Side) -> None:
    stage = Redact.model_validate({"recognizers": ["our_recognizers:Badge"], "ner": {"enabled": False}})
    table = pa.table({"id": ["0" * 32], "repo": ["o/r"], "path": ["a"], "text": ["B-1234"]}, schema=Redact.takes)
    (decision,) = stage.apply(table, side).decisions.to_pylist()
    assert (decision["reason"], decision["entity"], decision["replacement"]) == ("custom", "BADGE", "<BADGE>")
    assert stage.explain(decision) == "a value that a recognizer of your own calls BADGE was replaced"


def test_the_device_that_a_model_runs_on_does_not_count_in_the_fingerprint() -> None:
    def identity(**ner: str | bool) -> str:
        return str(stage_identity("redact", Redact.model_validate({"ner": ner})))

    assert identity() == identity(device="cpu")
    assert identity() != identity(enabled=False)


def test_the_fingerprint_counts_what_the_recognizers_do(module: Path, tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(YAML)

    def identity() -> str:
        fields = {"recognizers": ["our_recognizers:Badge"], "recognizer_files": [str(path)], "ner": {"enabled": False}}
        stage = Redact.model_validate(fields)
        assert Redact.model_validate(stage.model_dump(mode="json")) == stage  # as a worker rebuilds it
        return str(stage_identity("redact", stage))

    first = identity()
    assert identity() == first
    path.write_text(YAML.replace("0.6", "0.7"))
    second = identity()
    module.write_text(MODULE.replace("0.4", "0.5"))
    assert len({first, second, identity()}) == 3


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("our_recognizers", "write a recognizer as 'package.module:Class'"),
        ("our_recognizers:Missing", "has no class Missing"),
        ("our_recognizers:NOTHING", "is no Presidio recognizer"),
        ("our_recognizers:Needy", "cannot be made without arguments"),
        ("our_recognizers:Unwritten", "has no method analyze"),
        ("no_such_module:X", "cannot be imported"),
        ("broken_recognizers:X", "out of order"),
    ],
)
def test_a_bad_recognizer_is_refused_when_the_recipe_is_read(module: Path, name: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Redact.model_validate({"recognizers": [name]})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("recognizers: [", "is not valid YAML"),
        ("patterns: []", "has no list 'recognizers'"),
        (
            "recognizers: [{name: A, supported_entity: A, patterns: [{name: a, regex: '(', score: 0.5}]}]",
            "recognizer A",
        ),
        ("recognizers: [{name: B}]", "recognizer B"),
        ("recognizers: [5]", "recognizer number 1"),
    ],
)
def test_a_bad_definition_is_told(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(content)
    with pytest.raises(ValueError, match=said) as caught:
        redactor(files=(str(path),))
    assert "\n" not in str(caught.value)
