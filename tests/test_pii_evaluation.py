"""The evaluation of redaction: the scorer on cases with known numbers, and the shipped labelled sets."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pii import evaluate
from pii.evaluation import labelled, scoring, systems, tables
from pii.evaluation.labelled import Document, Label
from pii.evaluation.scoring import Found
from pii.spans import ENTITIES

TEXT = "x" * 200


def document(*labels: Label, start: int = 0, end: int = 200) -> Document:
    return Document("d", "Python", TEXT, start, end, tuple(labels), "d", True)


def counted(
    labels: list[Label], found: list[Found], rule: str = "overlap", entity: str = "NAME"
) -> tuple[int, int, int]:
    judged = scoring.judge(document(*labels), found, entity, rule)
    return len(judged.hits), len(judged.misses), len(judged.false_alarms)


NAME = "NAME"


@pytest.mark.parametrize(
    ("labels", "found", "overlap", "most", "exact"),
    [
        ([(0, 10)], [(0, 10)], (1, 0, 0), (1, 0, 0), (1, 0, 0)),
        ([(0, 10)], [(0, 9)], (1, 0, 0), (1, 0, 0), (0, 1, 1)),
        ([(0, 10)], [(0, 8)], (1, 0, 0), (0, 1, 1), (0, 1, 1)),  # 80% is not more than 80%
        ([(0, 10)], [(9, 30)], (1, 0, 0), (0, 1, 1), (0, 1, 1)),
        ([(0, 10)], [(10, 20)], (0, 1, 1), (0, 1, 1), (0, 1, 1)),  # they only touch
        ([(0, 10), (11, 20)], [(0, 20)], (1, 1, 0), (0, 2, 1), (0, 2, 1)),
        ([(0, 20)], [(0, 9), (10, 20)], (1, 0, 1), (0, 1, 2), (0, 1, 2)),
        ([(0, 10), (11, 20)], [(5, 12), (13, 20)], (2, 0, 0), (0, 2, 2), (0, 2, 2)),
        ([(0, 10)], [], (0, 1, 0), (0, 1, 0), (0, 1, 0)),
        ([], [(0, 10)], (0, 0, 1), (0, 0, 1), (0, 0, 1)),
        ([(0, 10)], [(2, 5), (0, 10)], (1, 0, 0), (1, 0, 0), (1, 0, 0)),  # of overlapping found spans the longest
    ],
)
def test_matching_by_hand(
    labels: list[tuple[int, int]],
    found: list[tuple[int, int]],
    overlap: tuple[int, int, int],
    most: tuple[int, int, int],
    exact: tuple[int, int, int],
) -> None:
    wanted = [Label(*span, NAME) for span in labels]
    spans = [Found(*span, NAME) for span in found]
    assert counted(wanted, spans) == overlap
    assert counted(wanted, spans, "most") == most
    assert counted(wanted, spans, "exact") == exact


def test_optional_labels_are_neither_hit_nor_error() -> None:
    labels = [Label(0, 10, NAME, optional=True), Label(20, 30, NAME)]
    assert counted(labels, []) == (0, 1, 0)
    assert counted(labels, [Found(0, 10, NAME)]) == (0, 1, 0)
    assert counted(labels, [Found(0, 10, NAME), Found(20, 30, NAME)]) == (1, 0, 0)
    assert counted(labels, [Found(5, 25, NAME)]) == (1, 0, 0)  # the required one is served first
    assert counted(labels, [Found(0, 10, "KEY")], entity="KEY") == (0, 0, 1)  # optional as a name, not as a key


def test_only_the_labelled_chunk_of_a_file_counts() -> None:
    chunk = document(Label(100, 110, NAME), start=100, end=150)
    found = [Found(0, 10, NAME), Found(90, 100, NAME), Found(105, 120, NAME), Found(150, 160, NAME)]
    assert [len(part) for part in scoring.judge(chunk, found, NAME)] == [1, 0, 0]


def test_rates_are_those_of_the_counts() -> None:
    rates = scoring.Rates(6, 2, 3)
    assert (rates.precision, rates.recall, rates.f1) == (6 / 9, 6 / 8, 12 / 17)
    assert scoring.Rates(0, 0, 0)[:3] == (0, 0, 0)
    assert scoring.Rates(0, 0, 0).f1 is None
    assert scoring.Rates(0, 3, 0).precision is None


def test_confusion_says_what_a_label_was_found_as() -> None:
    labels = [Label(0, 10, "KEY"), Label(20, 30, "PASSWORD"), Label(40, 50, NAME)]
    found = [Found(0, 10, "PASSWORD"), Found(21, 30, "KEY"), Found(20, 21, "NAME"), Found(90, 99, "EMAIL")]
    assert scoring.confusion([document(*labels)], [found]) == {
        ("KEY", "PASSWORD"): 1,
        ("PASSWORD", "KEY"): 1,
        (NAME, ""): 1,
        ("", "EMAIL"): 1,
    }


def test_every_found_span_is_put_to_its_recognizer() -> None:
    labels = [Label(0, 10, NAME), Label(20, 30, NAME)]
    found = [
        Found(0, 10, NAME, recognizer="A"),
        Found(20, 30, NAME, recognizer="B"),
        Found(40, 50, NAME, recognizer="B"),
    ]
    assert scoring.by_recognizer([document(*labels)], [found]) == {
        (NAME, "A", True): 1,
        (NAME, "B", True): 1,
        (NAME, "B", False): 1,
    }


def test_redaction_and_detection_are_scored_apart() -> None:
    labels = [Label(0, 10, NAME), Label(20, 30, NAME)]
    found = [Found(0, 10, NAME, redacted=False), Found(20, 30, NAME)]
    row = tables.summary(tables.Scored("s", [document(*labels)], [found]))["entities"][NAME]
    assert (row["detected"]["recall"], row["redacted"]["recall"], row["redacted"]["precision"]) == (1.0, 0.5, 1.0)


def test_intervals_hold_the_figure_and_draw_whole_clusters() -> None:
    good, bad = [9, 1, 1], [5, 5, 5]
    cases = np.array([good, bad] * 40)
    spread = scoring.intervals(cases, [str(i) for i in range(80)])
    together = scoring.intervals(cases, [str(i // 8) for i in range(80)])
    low, high = spread["precision"] or (0, 0)
    assert low < 14 / 20 < high
    assert (high - low) > 0.02
    assert together["precision"] == pytest.approx((0.7, 0.7))  # each cluster is the same mixture
    assert scoring.intervals(cases, [str(i) for i in range(80)]) == spread
    assert scoring.intervals(np.zeros((2, 3)), ["a", "b"])["f1"] is None


# --- invariants ------------------------------------------------------------------------------------------------------


@st.composite
def apart(draw: st.DrawFn, most: int = 8) -> list[tuple[int, int]]:
    """Spans in order that do not overlap."""
    cuts = draw(st.lists(st.integers(0, 200), max_size=2 * most, unique=True).map(sorted))
    return [(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]


spans = apart()
entities = st.sampled_from(ENTITIES)


@settings(max_examples=60, deadline=None)
@given(spans, st.data())
def test_a_perfect_prediction_scores_one(wanted: list[tuple[int, int]], data: st.DataObject) -> None:
    labels = [Label(a, b, data.draw(entities), data.draw(st.booleans())) for a, b in wanted]
    found = [Found(*label[:3]) for label in labels]
    for rule in scoring.RULES:
        hits, misses, false_alarms = scoring.counts([document(*labels)], [found], rule).sum(axis=(0, 1))
        assert (hits, misses, false_alarms) == (sum(not label.optional for label in labels), 0, 0)


@settings(max_examples=60, deadline=None)
@given(spans, spans, st.integers(1, 50))
def test_order_and_place_do_not_matter(a: list[tuple[int, int]], b: list[tuple[int, int]], by: int) -> None:
    labels, found = [Label(*s, NAME) for s in a], [Found(*s, NAME) for s in b]
    moved = Document(
        "m", "C", TEXT + "x" * by, 0, 200 + by, tuple(Label(s + by, e + by, NAME) for s, e in a), "m", True
    )
    shuffled = sorted(found, key=lambda s: hash((s.start * 7919) % 13))
    for rule in scoring.RULES:
        before = scoring.counts([document(*labels)], [found], rule)
        assert (scoring.counts([document(*labels)], [shuffled], rule) == before).all()
        shifted = [Found(s + by, e + by, NAME) for s, e in b]
        assert (scoring.counts([moved], [shifted], rule) == before).all()


@settings(max_examples=100, deadline=None)
@given(spans, spans)
def test_matching_is_as_large_as_it_can_be(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> None:
    """Against the textbook's augmenting paths; and a stricter rule never hits more."""

    def maximum() -> int:
        partner: dict[int, int] = {}

        def augment(i: int, seen: set[int]) -> bool:
            for j, (start, end) in enumerate(b):
                if start < a[i][1] and a[i][0] < end and j not in seen:
                    seen.add(j)
                    if j not in partner or augment(partner[j], seen):
                        partner[j] = i
                        return True
            return False

        return sum(augment(i, set()) for i in range(len(a)))

    labels, found = [Label(*s, NAME) for s in a], [Found(*s, NAME) for s in b]
    hits, misses, false_alarms = counted(labels, found)
    assert hits == maximum()
    assert (hits + misses, hits + false_alarms) == (len(a), len(b))
    assert hits >= counted(labels, found, "most")[0] >= counted(labels, found, "exact")[0]


@pytest.fixture(scope="module")
def synthetic() -> list[Document]:
    return labelled.synthetic()


# --- real code -------------------------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Path, str]:
    """A bare repository OWNER+NAME/repo with one file, and its commit."""
    work, bare = tmp_path / "work", tmp_path / "mirrors" / "jane+tool" / "repo"
    environment = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": os.devnull,
        **{f"GIT_{who}_{what}": "x@y.z" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    subprocess.run(["git", "init", "-q", str(work)], check=True)
    (work / "a.py").write_bytes("# é by Jörg Brömme\r\nx = 1\n".encode())
    (work / "b.py").write_bytes(b"\xff\xfe")
    subprocess.run(["git", "-C", str(work), "add", "."], check=True)
    subprocess.run(["git", "-C", str(work), "commit", "-qm", "x"], check=True, env=environment)
    subprocess.run(["git", "clone", "-q", "--bare", str(work), str(bare)], check=True)
    commit = subprocess.run(["git", "-C", str(work), "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return tmp_path / "mirrors", commit.stdout.strip()


def chunk(commit: str, path: str = "a.py", name: str = "github.com/jane/tool", end: int = 20) -> bytes:
    entity = {"start": 7, "end": 18, "entity": "NAME", "optional": False}
    return orjson.dumps(
        {
            "repository": name,
            "commit": commit,
            "path": path,
            "language": "Python",
            "start": 0,
            "end": end,
            "entities": [entity],
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def test_real_code_is_read_from_git_and_what_is_not_there_is_named(
    repository: tuple[Path, str], tmp_path: Path
) -> None:
    mirrors, commit = repository
    labels = tmp_path / "real.jsonl"
    labels.write_bytes(
        chunk(commit)
        + chunk(commit, "b.py")
        + chunk(commit, "gone.py")
        + chunk("0" * 40)
        + chunk(commit, name="github.com/jane/other")
        + chunk(commit, end=99999)
    )
    documents, unread = labelled.real(labels, mirrors)
    assert [one.text[label.start : label.end] for one in documents for label in one.labels] == ["Jörg Brömme"]
    assert [bool(re.search(pattern, reason)) for pattern, (_, reason) in zip(_REASONS, unread, strict=True)] == [
        True
    ] * 5
    assert labelled.real(labels, None)[0] == []


_REASONS = ["not UTF-8", "gone.py", "000000", "a.py", "shorter"]


def test_errors_in_real_code_show_no_letter_of_it(repository: tuple[Path, str], tmp_path: Path) -> None:
    mirrors, commit = repository
    labels = tmp_path / "real.jsonl"
    labels.write_bytes(chunk(commit))
    documents, _ = labelled.real(labels, mirrors)
    listed = "\n".join(evaluate.errors(documents, [[Found(0, 3, "KEY")]]))
    assert "miss\tNAME" in listed
    assert "false alarm\tKEY" in listed
    assert "Jörg" not in listed
    assert "Brömme" not in listed


# --- other systems, and the page -------------------------------------------------------------------------------------


def test_spans_of_another_system_are_read_from_a_file(tmp_path: Path) -> None:
    documents = [document(Label(0, 10, NAME))._replace(id=name) for name in ("a", "b")]
    file = tmp_path / "found.jsonl"
    file.write_bytes(b'{"id": "b", "spans": [{"start": 0, "end": 4, "entity": "NAME", "redacted": false}]}\n')
    found = systems.from_file(file, documents)
    assert found == [[], [Found(0, 4, NAME, 1.0, False)]]


def test_the_page_says_what_was_scored(synthetic: list[Document]) -> None:
    some = synthetic[:30]
    perfect = [[Found(*label[:3]) for label in one.labels] for one in some]
    part: dict[str, Any] = {
        "contents": tables.contents(some),
        "systems": [tables.summary(tables.Scored("perfect", some, perfect))],
    }
    page = tables.page({"synthetic": part})
    row = next(line for line in page.splitlines() if line.startswith("| NAME |"))
    labels = part["contents"]["labels"]["NAME"]
    assert row == f"| NAME | {labels} | 100.0 | 100.0 | **100.0** | 100.0–100.0 | 91.6 |"
    assert "StarPII, on its own set" in page


def test_the_published_page_is_that_of_the_results_and_they_are_of_the_shipped_labels(
    synthetic: list[Document],
) -> None:
    results = orjson.loads(evaluate.RESULTS.read_bytes())
    assert evaluate.PAGE.read_text(encoding="utf-8") == tables.page(results)
    assert {system["labels"] for system in results["synthetic"]["systems"]} == {tables.digest(synthetic)}
    rows = [orjson.loads(line) for line in evaluate.REAL.read_bytes().splitlines()]
    assert results["real"]["contents"]["documents"] == len(rows)
