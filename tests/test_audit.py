"""The audit's numbers, samples and estimates: against recounts, against the texts, and against textbooks."""

from __future__ import annotations

import csv
import json
import math
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.audit import finder
from pii.audit import Stratum, agreement_of, misses_of, recall_of, share_of, wilson
from pii.audit_verdicts import Verdict, Verdicts, read_verdicts
from pii.evaluation import tables
from pii.evaluation.labelled import Document, Label
from pii.evaluation.scoring import Found
from pipeline import schema
from pipeline.errors import UsageError
from pipeline.layout import PassFolder
from pipeline.state import Run
from pipeline.storage import Storage
from reports.audit import write_csv
from reports.audit_context import Mark, around, marks_of, pieces, plain, redacted
from reports.audit_counts import Counts, count
from reports.audit_estimates import estimate, found_design, missed_design
from reports.audit_misses import OTHER, SUSPICIOUS, _units, draw_lines, show_lines
from reports.audit_page import PAGE, render_audit, write_audit
from reports.audit_sample import draw, show
from reports.audit_stage import Audited, Choice, audited, number64
from tests.audit_run import MISSED, NAME, PRIVATE, VALUES, executed, texts


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return executed(tmp_path_factory.mktemp("audit"))


@pytest.fixture(scope="module")
def one(run: Run) -> Audited:
    return audited(run)


@pytest.fixture(scope="module")
def counts(one: Audited) -> Counts:
    return count(one)


@pytest.fixture(scope="module")
def decisions(one: Audited) -> list[dict[str, Any]]:
    """Everything the stage found, read row by row."""
    rows = []
    for shard in one.shards:
        rows += one.run.store.read_table(one.this.folder.decisions(shard)).to_pylist()
    return [row for row in rows if row["entity"] is not None]


def nothing(texts: Sequence[str]) -> list[list[tuple[int, int, str]]]:
    """A finder that finds nothing more."""
    return [[] for _ in texts]


# ---- counts


def test_counts_agree_with_a_recount(counts: Counts, decisions: list[dict[str, Any]]) -> None:
    by_entity = Counter((row["entity"], row["action"]) for row in decisions)
    in_documents = defaultdict(set)
    for row in decisions:
        in_documents[row["entity"]].add(row["id"])
    assert {row.entity: (row.redacted, row.left, row.documents) for row in counts.entities} == {
        entity: (by_entity[entity, "redact"], by_entity[entity, "note"], len(ids))
        for entity, ids in in_documents.items()
    }
    assert set(in_documents) == {"NAME", "EMAIL", "IP_ADDRESS", "USERNAME", "PASSWORD", "KEY"}
    assert counts.documents == len({row["id"] for row in decisions})
    formats = Counter((row["recognizer"], json.loads(row["detail"])["format"]) for row in decisions)
    assert {
        (row["recognizer"], row["format"]): row["redacted"] + row["left"] for row in counts.by("recognizer", "format")
    } == formats
    repositories = Counter(row["repo"] for row in decisions)
    listed = counts.by("repo")
    assert {row["repo"]: row["redacted"] + row["left"] for row in listed} == repositories
    assert [row["redacted"] + row["left"] for row in listed] == sorted(repositories.values(), reverse=True)
    left = {row["reason"]: row["left"] for row in counts.by("reason") if row["left"]}
    assert left["left_private_address"] == sum(row["reason"] == "left_private_address" for row in decisions) > 0


def test_languages_are_those_of_the_documents(counts: Counts, decisions: list[dict[str, Any]]) -> None:
    endings = {"py": "python", "yaml": "yaml", "md": "markdown", "c": "c"}
    expected = Counter(endings[row["path"].rpartition(".")[2]] for row in decisions)
    assert {row["language"]: row["redacted"] + row["left"] for row in counts.by("language")} == expected


def test_scores_fall_into_the_bin_that_holds_them(counts: Counts, decisions: list[dict[str, Any]]) -> None:
    for entity, bins in counts.scores.items():
        expected = Counter(min(19, int(row["score"] * 20 + 1e-9)) for row in decisions if row["entity"] == entity)
        assert {place: number for place, number in enumerate(bins) if number} == expected


def test_equal_values_are_found_by_their_hmac_alone(counts: Counts, decisions: list[dict[str, Any]]) -> None:
    documents = defaultdict(set)
    for row in decisions:
        documents[row["entity"], row["value_hmac"]].add(row["id"])
    assert counts.has_hmac
    assert counts.distinct == Counter(entity for entity, _ in documents)
    most = max(documents, key=lambda key: len(documents[key]))
    assert (counts.equal[0].entity, counts.equal[0].documents) == (most[0], len(documents[most]))
    assert most[1].startswith(counts.equal[0].hmac)
    assert all(row.documents > 1 for row in counts.equal)


def test_counting_in_rounds_finds_the_same_values(
    one: Audited, counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.audit_counts.VALUES_AT_ONCE", 10)
    again = count(one)
    assert (again.distinct, again.equal) == (counts.distinct, counts.equal)


def test_a_choice_counts_what_it_names(one: Audited, decisions: list[dict[str, Any]]) -> None:
    only = count(one, Choice(entity="EMAIL", language="Python", recognizer="EmailRecognizer"))
    assert only.redacted == sum(row["entity"] == "EMAIL" and row["path"].endswith(".py") for row in decisions)
    assert [row.entity for row in only.entities] == ["EMAIL"]
    assert count(one, Choice(language="cobol")).entities == []


def test_csv_has_every_repository_and_adds_up(counts: Counts, tmp_path: Path) -> None:
    write_csv(counts, str(tmp_path / "counts.csv"))
    rows = list(csv.DictReader((tmp_path / "counts.csv").read_text().splitlines()))
    for by in ("finding", "repository"):
        its = [row for row in rows if row["by"] == by]
        assert sum(int(row["redacted"]) for row in its) == counts.redacted
        assert sum(int(row["left"]) for row in its) == counts.left
    assert {row["repo"] for row in rows if row["by"] == "repository"} == {key.partition(":")[0] for key in texts()}
    with pytest.raises(UsageError, match="cannot be written"):
        write_csv(counts, str(tmp_path / "counts.csv" / "below.csv"))


# ---- samples


def test_the_same_seed_draws_the_same_and_more_holds_fewer(one: Audited) -> None:
    first, more = draw(one, Choice(), 10, 1), draw(one, Choice(), 30, 1)
    assert first == more[:10]
    assert draw(one, Choice(), 10, 2) != first
    assert len({item.place for item in more}) == 30
    everything = draw(one, Choice(), 10_000, 1)
    assert len(everything) == count(one).redacted


def test_a_sample_is_drawn_evenly(one: Audited) -> None:
    population = [item.place for item in draw(one, Choice(), 10_000, 0)]
    times = Counter(item.place for seed in range(300) for item in draw(one, Choice(), 9, seed))
    expected = 300 * 9 / len(population)
    deviation = sum((times[place] - expected) ** 2 / expected for place in population)
    assert deviation < len(population) + 5 * math.sqrt(2 * len(population))  # chi-squared


def test_a_stratified_sample_goes_round(one: Audited) -> None:
    drawn = draw(one, Choice(), 12, 0, stratified=True)
    strata = {item.stratum for item in draw(one, Choice(), 10_000, 0)}
    assert {item.stratum for item in drawn[: len(strata)]} == strata
    assert drawn == draw(one, Choice(), 20, 0, stratified=True)[:12]


def test_every_context_shows_the_entity_in_place_of_the_value(one: Audited) -> None:
    originals = texts()
    for action in ("redact", "note"):
        for shown in show(one, draw(one, Choice(), 10_000, 0, action=action), nothing, 0, reveal=True):
            drawn, original = shown.drawn, originals[f"{shown.drawn.repo}:{shown.drawn.path}"]
            assert shown.context is not None
            assert shown.value == original[drawn.start : drawn.end]
            targets = [piece for piece in shown.context if piece.target]
            assert [piece.text for piece in targets] == [f"‹{drawn.entity}›"]
            line = original[original.rfind("\n", 0, drawn.start) + 1 :].split("\n")[0]
            assert not [value for value in (*VALUES, PRIVATE) if value in plain(shown.context)]
            assert line.startswith(plain(shown.context).split("‹")[0].removeprefix("…")) or len(line) > 200


def test_a_context_reads_as_an_auditor_expects(one: Audited) -> None:
    (name,) = [
        plain(shown.context or [])
        for shown in show(one, draw(one, Choice(entity="NAME"), 10, 0), nothing, 0)
        if shown.drawn.path == "main.py"
    ]
    assert name == "# written by ‹NAME›, 2012"


def test_what_the_stage_passed_over_is_masked_too(tmp_path: Path) -> None:
    one = audited(executed(tmp_path, redact={"entities": ["NAME"]}))
    shown = list(show(one, draw(one, Choice(), 10, 0), finder(), 2))
    assert len(shown) == 3
    for item in shown:
        assert not [value for value in VALUES if value in plain(item.context or [])]
    assert any("‹EMAIL?›" in plain(item.context or []) for item in shown)


def test_documents_dropped_later_are_shown_from_the_text_before(tmp_path: Path) -> None:
    gate = {"opt_out": {"as": "gate", "requests": str(tmp_path / "requests.txt")}}
    (tmp_path / "requests.txt").write_text("github.com/acme/tool\n")
    stages = {"redact": [*_redact(tmp_path), gate]}
    run = executed(tmp_path, passes=stages)
    one = audited(run)
    shown = [item for item in show(one, draw(one, Choice(), 1000, 0), nothing, 0) if item.drawn.repo == "acme/tool"]
    assert shown
    assert all(item.context for item in shown)
    assert "# written by ‹NAME›, 2012" in [plain(item.context or []) for item in shown]


def _redact(folder: Path) -> list[Any]:
    return [
        {
            "redact": {
                "recognizer_files": [str(folder / "names.yaml")],
                "ner": {"enabled": False},
                "hmac_key": str(folder / "hmac.key"),
            }
        }
    ]


def test_without_the_text_before_the_text_after_is_enough(tmp_path: Path) -> None:
    run = executed(tmp_path, discard_intermediate=True)
    one = audited(run)
    shown = list(show(one, draw(one, Choice(), 1000, 0), nothing, 0, reveal=True))
    assert all(item.context is not None and item.value is None for item in shown)
    for value in VALUES:
        assert not any(value in plain(item.context or []) for item in shown)


PARTS = st.text(alphabet="ab \né👩x", max_size=12)


@given(
    st.lists(st.tuples(PARTS, st.text("SECRT", min_size=1, max_size=30), st.booleans()), max_size=8), PARTS, st.data()
)
@settings(max_examples=200, deadline=None)
def test_no_context_shows_a_piece_of_a_value(
    parts: list[tuple[str, str, bool]], tail: str, data: st.DataObject
) -> None:
    """Values are of letters that nothing else has, so a context may not have any of them."""
    text, rows = "", []
    for before, value, left in parts:
        text += before
        row = {"start": len(text), "end": len(text) + len(value), "entity": "k"}
        rows.append(row | {"action": "note" if left else "redact", "replacement": None if left else "<k>"})
        text += value
    text += tail
    after, marks = redacted(text, rows), marks_of(rows)
    if marks:
        target = data.draw(st.sampled_from(marks))
        shown = pieces(around(after, marks, target.start, target.end), (), data.draw(st.integers(0, 2)))
        assert sum(piece.target for piece in shown) == 1
        assert not set(plain(shown)) & set("SECRT")
    lines = [(0, len(after))] if after else []
    for start, end in lines:
        assert not set(plain(pieces(around(after, marks, start, end), (), 0, target=False))) & set("SECRT")


def test_a_finding_in_the_shown_text_is_masked_without_moving_the_place() -> None:
    place = around("to jane: <NAME> or jane", [Mark(9, 15, "NAME")], 9, 15)
    shown = pieces(place, [(3, 7, "NAME"), (19, 23, "NAME"), (10, 14, "USERNAME")], 0)
    assert plain(shown) == "to ‹NAME?›: ‹NAME› or ‹NAME?›"
    assert [piece.target for piece in shown if piece.entity] == [False, True, False]


# ---- lines


def test_lines_are_cut_where_their_text_says() -> None:
    rows = ["", "one\n\n  two\r\n", "é" * 1000 + "\nlast", "\n\n", "👩" * 300]
    table = pa.table({"id": [f"{n:032x}" for n in range(5)], "repo": ["r"] * 5, "path": ["p"] * 5, "text": rows})
    units = _units(table, schema.DECISION.empty_table().select(["id", "action", "start", "end", "replacement"]))
    found = [
        (int(row), rows[row][start:end]) for row, start, end in zip(units.rows, units.starts, units.ends, strict=True)
    ]
    assert [text for row, text in found if row == 1] == ["one", "  two\r"]
    for row in (2, 4):
        assert "".join(text for its, text in found if its == row) == rows[row].replace("\n", "")
    assert max(len(text.encode()) for _, text in found) <= 400
    assert {row for row, _ in found} == {1, 2, 4}
    assert units.bytes == len("".join(rows).encode())


@given(st.lists(st.text(alphabet="a \né👩@", max_size=900), max_size=6))
@settings(max_examples=100, deadline=None)
def test_units_cover_everything_but_blanks(rows: list[str]) -> None:
    count = len(rows)
    table = pa.table(
        {"id": [f"{n:032x}" for n in range(count)], "repo": ["r"] * count, "path": ["p"] * count, "text": rows},
        schema=pa.schema([(name, pa.string()) for name in ("id", "repo", "path", "text")]),
    )
    units = _units(table, schema.DECISION.empty_table().select(["id", "action", "start", "end", "replacement"]))
    shown = ["" for _ in rows]
    for row, start, end in zip(units.rows, units.starts, units.ends, strict=True):
        assert rows[row][start:end].strip(" ")
        assert "\n" not in rows[row][start:end]
        shown[row] += rows[row][start:end]
    assert ["".join(text.split()) for text in rows] == ["".join(text.split()) for text in shown]


def test_lines_with_a_finding_are_not_suspicious(one: Audited) -> None:
    lines = draw_lines(one, 10_000, 0)
    texts_after = {
        key: text
        for shard in one.shards
        for key, text in one.texts_after(shard, {x.document for x in lines.drawn}).items()
    }
    assert lines.documents == len(texts())
    assert sum(lines.sizes.values()) == len(lines.drawn)
    shown = {item.drawn.place: item for item in show_lines(one, lines.drawn, nothing)}
    for line in lines.drawn:
        item = shown[line.place]
        assert item.line is not None
        if line.kind == SUSPICIOUS:
            assert not any(piece.entity for piece in item.line)
            assert plain(item.line) == texts_after[line.document][line.start : line.end]
        assert not [value for value in (*VALUES, PRIVATE) if value in plain(item.context or [])]
    suspicious = [plain(shown[line.place].line or []) for line in lines.drawn if line.kind == SUSPICIOUS]
    assert f"Thanks to our friend, contact {MISSED}." in suspicious


def test_drawn_lines_are_half_of_each_kind_in_turn(one: Audited) -> None:
    lines = draw_lines(one, 10, 3)
    assert [line.kind for line in lines.drawn[:2]] == [SUSPICIOUS, OTHER]
    assert lines.drawn == draw_lines(one, 10, 3).drawn != draw_lines(one, 10, 4).drawn


# ---- estimates


def test_wilson_is_that_of_the_textbooks() -> None:
    assert wilson(0.9, 100) == pytest.approx((0.8256343, 0.9447708), abs=1e-6)  # statsmodels proportion_confint
    assert wilson(0.0, 10) == pytest.approx((0.0, 0.2775328), abs=1e-6)
    assert wilson(1.0, 10) == pytest.approx((0.7224672, 1.0), abs=1e-6)


@given(st.integers(1, 500), st.data())
def test_one_stratum_is_wilson(judged: int, data: st.DataObject) -> None:
    yes = data.draw(st.integers(0, judged))
    share = share_of([Stratum(10 * judged, judged, yes)])
    assert share is not None
    assert (share.low, share.high) == pytest.approx(wilson(yes / judged, judged))


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 50), st.floats(0, 1)), min_size=1, max_size=8))
def test_a_share_lies_in_its_interval(strata: list[tuple[int, int, float]]) -> None:
    listed = [Stratum(max(size, judged), judged, round(judged * part)) for size, judged, part in strata]
    share = share_of(listed)
    if share is None:
        assert not any(stratum.judged for stratum in listed)
    else:
        assert 0 <= share.low <= share.value + 1e-12
        assert share.value <= share.high + 1e-12 <= 1 + 1e-11
        assert share.size + share.unjudged == sum(stratum.size for stratum in listed)


def test_stratified_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """1,000 audits of a run whose truth is known: rare entities oversampled, one recognizer much worse."""
    generator = np.random.default_rng(7)
    sizes, truth, judged = [9000, 900, 100], [0.97, 0.6, 0.2], [40, 40, 40]
    whole = sum(s * t for s, t in zip(sizes, truth, strict=True)) / sum(sizes)
    inside, estimates = 0, []
    for _ in range(1000):
        yes = [int(generator.binomial(n, t)) for n, t in zip(judged, truth, strict=True)]
        share = share_of([Stratum(*one) for one in zip(sizes, judged, yes, strict=True)])
        assert share is not None
        estimates.append(share.value)
        inside += share.low <= whole <= share.high
    assert np.mean(estimates) == pytest.approx(whole, abs=0.005)
    assert inside >= 930


def test_misses_and_recall_of_known_numbers() -> None:
    misses = misses_of([Stratum(100, 50, 5), Stratum(900, 90, 0)], 10, 2_000_000)
    assert misses is not None
    assert misses.missed == pytest.approx(100 * 0.1 * 2)  # ten in a hundred lines, two in each
    assert misses.per_mb == pytest.approx(misses.missed / 2)
    assert misses.low <= misses.missed <= misses.high
    recall = recall_of(180, share_of([Stratum(180, 90, 90)]), misses)
    assert recall is not None
    assert recall.value == pytest.approx(180 / 200)
    assert recall.low < recall.value < recall.high
    assert recall_of(180, None, misses) is None


def test_kappa_of_the_textbook_example() -> None:
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    agreement = agreement_of(pairs)
    assert agreement[:2] == (50, 35)
    assert agreement.kappa == pytest.approx(0.4)
    assert agreement_of([(True, True)] * 3).kappa is None
    assert agreement_of([]).both == 0


# ---- verdicts


def test_verdicts_are_read_back_and_the_later_holds(tmp_path: Path) -> None:
    verdicts = Verdicts(tmp_path / "v.jsonl")
    verdicts.start("found", {"seed": 1})
    place = ("d", 3, 9)
    for answer in ("yes", "no", "undo", "skip", "no"):
        verdicts.add("found", Verdict(place, ("NAME", "ner"), answer, "first"), "ner", 0.5)
    verdicts.add("found", Verdict(("e", 0, 4), ("NAME", "ner"), "yes", "first"), "ner")
    verdicts.add("found", Verdict(("e", 0, 4), ("NAME", "ner"), "undo", "first"), "ner")
    again = read_verdicts(tmp_path / "v.jsonl")
    assert again == verdicts
    assert [(one.place, one.answer) for one in again.of("found", "first")] == [(place, "no")]
    with pytest.raises(UsageError, match=r"another sample \(seed 1\)"):
        again.start("found", {"seed": 2})
    assert len((tmp_path / "v.jsonl").read_text().splitlines()) == 8


LINE = (
    '{"judges": "found", "document": "d", "start": 0, "end": 1, "stratum": ["NAME", "ner"], "verdict": "yes", '
    '"auditor": "a"}'
)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"judges": "found"}',
        '{"judges": "other", "sample": {}}',
        LINE.replace('"start": 0', '"start": "0"'),
        LINE.replace("yes", "maybe"),
        LINE.replace('["NAME", "ner"]', "[]"),
    ],
)
def test_a_broken_line_is_told_in_one_sentence(tmp_path: Path, line: str) -> None:
    (tmp_path / "v.jsonl").write_text(f'{{"judges": "found", "sample": {{}}}}\n{line}\n')
    with pytest.raises(UsageError, match=r"line 2 of '.*v.jsonl' is no verdict"):
        read_verdicts(tmp_path / "v.jsonl")


def test_a_line_torn_by_a_full_disk_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    verdicts = read_verdicts(path)
    verdicts.start("found", {"seed": 0})
    for start in (1, 2):
        verdicts.add("found", Verdict(("d", start, 9), ("NAME", "N"), "yes", "ann"), "N")
    path.write_bytes(path.read_bytes()[:-20])
    again = read_verdicts(path)
    assert [place[1] for place in again.given["found"]["ann"]] == [1]
    again.add("found", Verdict(("d", 3, 9), ("NAME", "N"), "no", "ann"), "N")
    assert [place[1] for place in read_verdicts(path).given["found"]["ann"]] == [1, 3]


def test_verdicts_of_a_run_become_its_precision_and_recall(one: Audited, counts: Counts, tmp_path: Path) -> None:
    verdicts = _judged(one, tmp_path)
    found = estimate(one, counts, verdicts)
    rows = {(row.entity, row.recognizer): row.share for row in found.precision["first"]}
    assert rows["NAME", "planted_names"].yes == 3
    assert rows["KEY", "SecretRecognizer"].value == 0.0  # the auditor said no
    weighted = 1 - sum(row.redacted for row in counts.entities if row.entity == "KEY") / counts.redacted
    assert rows["", ""].value == pytest.approx(weighted)
    (name,) = [row for row in found.misses if row.entity == "NAME"]
    assert name.misses.missed == pytest.approx(1)  # every line was judged, one held a name
    assert name.recall is not None
    assert name.recall.value == pytest.approx(3 / 4)
    assert name.misses.per_mb == pytest.approx(1 / (draw_lines(one, 1, 0).bytes / 1e6))
    assert found.agreement[-1].agreement.both == len(verdicts.of("found", "second"))
    assert found.agreement[-1].agreement.kappa is not None


def test_verdicts_of_another_configuration_do_not_count(one: Audited, counts: Counts, tmp_path: Path) -> None:
    verdicts = _judged(one, tmp_path)
    verdicts.designs["found"] |= {"fingerprint": "of another"}
    found = estimate(one, counts, verdicts)
    assert found.stale
    assert not found.precision
    assert found.misses[0].recall is None


def _judged(one: Audited, folder: Path) -> Verdicts:
    """Everything judged by two auditors: right is all but keys, and to the second all; all lines looked through."""
    verdicts = Verdicts(folder / "v.jsonl")
    verdicts.start("found", found_design(one, Choice(), 0, left=False, stratified=False))
    for item in draw(one, Choice(), 10_000, 0):
        for who in ("first", "second"):
            answer = "no" if item.entity == "KEY" and (who == "first" or item.start > 0) else "yes"
            if who == "first" or item.entity != "EMAIL":
                verdicts.add("found", Verdict(item.place, item.stratum, answer, who), item.recognizer, item.score)
    lines = draw_lines(one, 10_000, 0)
    verdicts.start("missed", missed_design(one, 0, None, lines.sizes, lines.bytes))
    for shown in show_lines(one, lines.drawn, nothing):
        missed = ("NAME",) if MISSED in plain(shown.line or []) else ()
        answer = "yes" if missed else "no"
        verdicts.add("missed", Verdict(shown.drawn.place, shown.drawn.stratum, answer, "first", missed), "")
    return read_verdicts(verdicts.path)


# ---- the page


def test_the_page_shows_the_counts_and_no_value(one: Audited, counts: Counts, tmp_path: Path) -> None:
    verdicts = _judged(one, tmp_path)
    html = render_audit(one, finder(), verdicts)
    page = BeautifulSoup(html, "html.parser")
    rows = [
        [cell.get_text(" ", strip=True) for cell in row.select("th, td:not(.b)")]
        for row in page.select("#entities tbody tr")
    ]
    assert rows == [[row.entity, f"{row.redacted:,}", f"{row.left:,}", f"{row.documents:,}"] for row in counts.entities]
    assert len(page.select("#repositories tbody tr")) == 10
    assert {tag.get_text() for tag in page.select("#sample .tag")} == {row.entity for row in counts.entities}
    assert "# written by ‹NAME›, 2012" in page.select("#sample")[0].get_text()
    assert "Cohen's kappa" in html
    assert "75.0" in page.select("#misses")[0].get_text()
    assert not [value for value in (*VALUES, PRIVATE, MISSED) if value in html]
    assert html == render_audit(one, finder(), verdicts)


def test_the_page_shows_scores_on_labelled_sets_beside_starpii(one: Audited) -> None:
    text = f"# by {NAME} and {MISSED}"
    labels = tuple(Label(text.find(name), text.find(name) + len(name), "NAME") for name in (NAME, MISSED))
    document = Document("1", "python", text, 0, len(text), labels, "made", True)
    scored = tables.summary(tables.Scored("Quarry", [document], [[Found(*labels[0][:3])]]))
    results = {"synthetic": {"contents": tables.contents([document]), "systems": [scored]}, "real": None}
    page = BeautifulSoup(render_audit(one, nothing, Verdicts.nothing(), results), "html.parser")
    rows = [[cell.get_text() for cell in row.select("th, td")] for row in page.select("#evaluation tbody tr")]
    assert rows[0][:5] == ["NAME", "2", "100.0", "50.0", "66.7"]
    assert rows[0][6:] == ["86.5", "97.4", "91.6"]
    assert "measured on its own set" in page.select("#evaluation")[0].get_text()


def test_a_page_of_nothing_found_says_so(tmp_path: Path) -> None:
    run = executed(tmp_path, {"acme/tool:a.py": "x = 1\n"}, with_key=False)
    one = audited(run)
    page = BeautifulSoup(render_audit(one, nothing, Verdicts.nothing()), "html.parser")
    assert "Nothing was found." in page.select("#entities")[0].get_text()
    assert write_audit(run, one, nothing, Verdicts.nothing()) == f"{run.store.root}/{PAGE}"


def test_markup_in_a_text_is_text(tmp_path: Path) -> None:
    run = executed(tmp_path, {"acme/tool:<b>.py": f"# <script>alert(1)</script> by {NAME}\n"})
    html = render_audit(audited(run), nothing, Verdicts.nothing())
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "<b>.py" not in html


# ---- what there may be none of, and how long it takes


def test_runs_that_cannot_be_audited_say_why(tmp_path: Path, run: Run) -> None:
    with pytest.raises(UsageError, match="no stage redact"):
        audited(executed(tmp_path / "plain", passes={"redact": []}))
    with pytest.raises(UsageError, match="no redact stage 'other'; it has redact"):
        audited(run, "other")
    with pytest.raises(UsageError, match="has not run yet"):
        audited(replace(run, passes=[replace(this, receipts={}) for this in run.passes]))


def test_ids_are_numbers_whatever_they_look_like() -> None:
    assert number64(pa.array(["00000000000000ff" * 2, "0000000000000100" * 2])).tolist() == [255, 256]
    odd = number64(pa.chunked_array([["x", "x", "yy"], [None, "x"]], pa.string()))
    assert odd[0] == odd[1] == odd[4]
    assert len({odd[0], odd[2], odd[3]}) == 3
    assert len(number64(pa.array([], pa.string()))) == 0


def test_a_million_decisions_take_seconds(run: Run, tmp_path: Path) -> None:
    """Counted and sampled from 20 files of synthesised decisions."""
    one = _million(run, tmp_path)
    begun = time.perf_counter()
    counts = count(one)
    counted = time.perf_counter() - begun
    drawn = draw(one, Choice(), 200, 0, stratified=True)
    taken = time.perf_counter() - begun
    print(f"\n1,000,000 decisions: counted in {counted:.1f} s, counted and sampled in {taken:.1f} s")
    assert counts.redacted + counts.left == 1_000_000
    assert len(drawn) == 200
    assert len(counts.by("repo")) == 5000
    assert {row["language"] for row in counts.by("language")} == {"python", "c", "java"}
    assert taken < 60


def _million(run: Run, folder: Path, shards: int = 20, each: int = 50_000, documents: int = 10_000) -> Audited:
    store = Storage(folder)
    one = audited(run)
    this = replace(one.this, folder=PassFolder(store, "redacted"), receipts={})
    entities = np.array(["NAME", "EMAIL", "IP_ADDRESS", "USERNAME", "PASSWORD", "KEY"])
    hmacs = np.array([f"{number * 0x9E3779B97F4A7C15 % (1 << 64):016x}" * 4 for number in range(200_000)])
    repos = np.array([f"owner/repo{number % 5000}" for number in range(documents)])
    for number in range(shards):
        shard = f"{number:05d}"
        generator = np.random.default_rng(number)
        ids = np.array([f"{number:016x}{document:016x}" for document in range(documents)])
        at, entity = generator.integers(0, documents, each), generator.integers(0, 6, each)
        redacted = generator.random(each) < 0.8
        columns = {
            "id": ids[at],
            "repo": repos[at],
            "path": np.full(each, "a/b.py"),
            "stage": np.full(each, "redact"),
            "action": np.where(redacted, "redact", "note"),
            "reason": np.where(redacted, "email", "left_example"),
            "detail": np.array([f'{{"format":"format_{name}"}}' for name in entities])[entity],
            "entity": entities[entity],
            "start": generator.integers(0, 10**6, each),
            "end": generator.integers(10**6, 2 * 10**6, each),
            "score": generator.random(each),
            "recognizer": np.where(generator.random(each) < 0.5, "ner", "pattern"),
            "replacement": np.where(redacted, "<X>", ""),
            "value_hmac": hmacs[generator.integers(0, 200_000, each)],
        }
        store.write_table(this.folder.decisions(shard), pa.table(columns, schema=schema.DECISION))
        language = np.array(["python", "c", "java"])[np.arange(documents) % 3]
        store.write_table(this.folder.documents(shard), pa.table({"id": ids, "language": language}))
        this.receipts[shard] = {"documents": {"path": this.folder.documents(shard)}}
    return replace(one, run=replace(run, store=store, passes=[this]), number=0)
