"""The run report: its numbers agree with an independent recount of the run's files, and it shows no unredacted text."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import QuarryError
from pipeline.state import Run, load_run
from reports.clusters import doubts, evidence
from reports.excerpts import WIDTH, WINDOW, excerpt, side_by_side
from reports.figures import Figures, read_figures
from reports.report import PAGE, render, write_report
from reports.rows import read_rows
from reports.words import share, short, size
from tests.small_run import BODY, CATALOG, FILES, REPOSITORIES, SECRET, document_id, mask, small_run
from tests.text_run import edited, executed


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return small_run(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(run: Run) -> BeautifulSoup:
    write_report(run, mask)
    return BeautifulSoup(run.store.read_bytes(PAGE), "html.parser")


@pytest.fixture(scope="module")
def decisions(run: Run) -> list[dict[str, Any]]:
    """All decisions, read row by row."""
    found = []
    for this in run.passes:
        for name in run.store.names(f"{this.folder.path}/decisions"):
            found += run.store.read_table(f"{this.folder.path}/decisions/{name}").to_pylist()
    return found


@pytest.fixture(scope="module")
def dataset(run: Run) -> list[dict[str, Any]]:
    return [
        row
        for name in run.store.names("dataset/data")
        for row in run.store.read_table(f"dataset/data/{name}").to_pylist()
    ]


def cells(page: BeautifulSoup, section: str, table: int = 0) -> list[list[str]]:
    """The words in a table of a section, a list a row, without columns of bars."""
    found = page.select(f"#{section} table")[table]
    rows = found.select("tbody tr, tfoot tr")
    return [
        [words(cell) for cell in row.select("th, td") if "b" not in cell.get_attribute_list("class")] for row in rows
    ]


def words(tag: Tag) -> str:
    return " ".join(tag.get_text().split())


def test_the_head_agrees_with_a_recount(page: BeautifulSoup, dataset: list[dict[str, Any]]) -> None:
    head = words(page.select_one("header") or page)
    tokens = sum(len(row["input_ids"]) for row in dataset)
    assert f"Of {len(FILES)} files in {len(REPOSITORIES)} listed repositories, {len(dataset)} (" in head
    assert f"{tokens:,} tokens in {len({row['language'] for row in dataset})} languages" in head
    shown = {words(tile.select("span")[0]): words(tile.select("b")[0]) for tile in page.select(".figure")}
    assert shown["documents dropped"] == str(len(FILES) - len(dataset))
    assert shown[f"of {len(REPOSITORIES)} repositories in the dataset"] == str(len({row["repo"] for row in dataset}))
    assert shown["redactions"] == "2"


def test_the_funnel_agrees_with_a_recount(page: BeautifulSoup, decisions: list[dict[str, Any]]) -> None:
    drops = Counter(row["stage"] for row in decisions if row["action"] == "drop" and row["path"])
    left, expected = len(FILES), [("in the repositories", str(len(FILES)), "")]
    for stage, part in (
        ("read", "acquire"), ("judge", "filter"), ("tell", "filter"), ("shorten", "filter"), ("unite", ""),
        ("hide", "unite"), ("count", "tokenize"),
    ):  # fmt: skip
        left -= drops[stage]
        expected.append((f"{stage} {part}".strip(), str(left), str(drops[stage])))
    assert [tuple(row[:3]) for row in cells(page, "funnel")] == expected


def test_reasons_agree_with_a_recount(page: BeautifulSoup, decisions: list[dict[str, Any]]) -> None:
    counted = Counter((row["stage"], row["reason"]) for row in decisions if row["action"] == "drop" and row["path"])
    shown = page.select("#reasons details")
    assert [int(words(row.select(".number")[0])) for row in shown] == sorted(counted.values(), reverse=True)
    near = next(row for row in shown if "it is nearly" in words(row))
    assert "unite it is nearly … in … (Jaccard similarity …)" in words(near)
    assert "it is nearly lib.py in acme/tool (Jaccard similarity 0.75)" in words(near)
    assert "def part_0(wheel):" in words(near)


def test_languages_and_tokens_agree_with_a_recount(page: BeautifulSoup, dataset: list[dict[str, Any]]) -> None:
    languages = cells(page, "languages")
    assert languages[0] == ["python", "8", "6", "3", "3", "3", "37.5 %"]
    assert languages[-1] == ["all", "10", "8", "5", "5", "5", "50.0 %"]
    documents = Counter(row["language"] for row in dataset)
    tokens: Counter[tuple[str, str]] = Counter()
    for row in dataset:
        tokens[row["language"], row["split"]] += row["n_tokens"]
    for language, shown, total, _, train, validation in cells(page, "tokens")[:-1]:
        assert int(shown) == documents[language]
        assert number(train) == tokens[language, "train"]
        assert number(validation) == tokens[language, "validation"]
        assert number(total) == number(train) + number(validation)
    assert number(cells(page, "tokens")[-1][2]) == tokens.total()


def test_licences_agree_with_a_recount(page: BeautifulSoup, dataset: list[dict[str, Any]]) -> None:
    tokens = f"{sum(row['n_tokens'] for row in dataset):,}"
    assert cells(page, "licences") == [
        ["MIT", "permissive", str(len(dataset)), "100.0 %", tokens],
        ["all permissive", "", str(len(dataset)), "100.0 %", tokens],
    ]
    assert cells(page, "licences", 1) == [["GPL-3.0-only", "its licence … is copyleft", "1"]]


def test_redactions_stand_in_their_context(page: BeautifulSoup, decisions: list[dict[str, Any]]) -> None:
    made = [row for row in decisions if row["action"] == "redact"]
    documents = len({row["id"] for row in made})
    assert cells(page, "redactions") == [["EMAIL", "email_rule", str(len(made)), str(documents)]]
    contexts = [words(pre) for pre in page.select("#redactions pre")]
    assert contexts == ['"""Ask <EMAIL>, or again <EMAIL> for help."""']
    assert [words(mark) for mark in page.select("#redactions mark")] == ["<EMAIL>"]


def test_clusters_show_members_and_a_masked_diff(page: BeautifulSoup) -> None:
    shown = [words(row) for row in page.select("#duplicates summary")]
    assert shown == [
        "acme/tool:lib.py and 2 dropped in its favour, 25.0 % of the documents looked at",
        "acme/tool:main.py and 1 dropped in its favour, 12.5 % of the documents looked at",
    ]
    members = [words(item) for item in page.select("#duplicates details")[0].select("li")]
    assert members == ["equalforker/tool:lib.py", "0.750forker/tool:lib2.py"]
    removed = [words(cell) for cell in page.select("#duplicates .del")]
    added = [words(cell) for cell in page.select("#duplicates .add")]
    assert "def part_0(gear):" in removed
    assert "def part_0(wheel):" in added
    assert 'print("mine")' in added
    assert cells(page, "duplicates") == [["2", "1"], ["3–4", "1"]]


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """200 documents of which 150 are one, but for a few lines in one of them, and two of the others are equal."""
    texts = {f"acme/tool:{n}.py": edited(1, n % 2) for n in range(150)}
    texts |= {f"acme/many:{n}.py": edited(10 + n, 0) for n in range(49)}
    return executed(tmp_path_factory.mktemp("crowded"), texts | {"acme/many:again.py": edited(10, 0)})


def test_what_the_deduplicate_stage_counted_agrees_with_its_decisions(crowded: Run) -> None:
    page = BeautifulSoup(render(crowded, mask), "html.parser")
    assert words(page.select("#duplicates caption")[0]) == "What deduplicate compared"
    shown = {row[0]: number(row[1]) for row in cells(page, "duplicates")}
    assert shown["documents looked at"] == 200
    assert shown["documents kept"] == 50
    assert shown["documents dropped as equal to a kept one"] == 74 + 1
    assert shown["documents dropped as nearly equal to a kept one"] == 75
    accepted = shown["of these, accepted: their exact similarity reaches the threshold"]
    assert accepted >= 1
    assert shown["pairs compared, which share a band"] == shown["of these, rejected"] + accepted
    assert shown["comparisons left out, as their bucket was too full"] == 0
    assert "There are 2 clusters." in words(page.select("#duplicates p.lead")[0])


def test_a_cluster_or_a_stage_that_takes_unusually_much_is_pointed_at(crowded: Run, run: Run) -> None:
    told = [words(p) for p in BeautifulSoup(render(crowded, mask), "html.parser").select("#duplicates .doubt")]
    assert len(told) == 2
    assert told[0].startswith("deduplicate dropped 75.0 % of the 200 documents it looked at. Look whether")
    assert told[1].startswith("One cluster, that of acme/tool:")
    assert "takes 74.5 % of the 200 documents that were looked at. Look at its members and its diff" in told[1]
    figures = read_figures(crowded)
    more = [stage._replace(documents_in=10**6, documents_out=10**6 - 150) for stage in figures.stages]
    assert doubts(replace(figures, stages=more)) == []
    assert doubts(read_figures(run)) == []  # of few documents a share says nothing


def test_counts_that_a_run_lacks_or_that_are_damaged_are_left_out(crowded: Run, run: Run) -> None:
    assert evidence(run) == []
    path = f"{crowded.passes[1].folder.path}/side/counts.json"
    whole = crowded.store.read_bytes(path)
    crowded.store.write_bytes(path, b'{"documents": 200, "rejected_by_estimate": 3}')
    assert evidence(crowded) == [
        ("deduplicate", [("documents looked at", 200), ("of these, rejected by their signatures", 3)])
    ]
    crowded.store.write_bytes(path, b"{")
    assert evidence(crowded) == []
    crowded.store.write_bytes(path, whole)


def test_repositories_quarantine_and_notes_are_listed(page: BeautifulSoup) -> None:
    assert cells(page, "repositories") == [
        ["shy/secret", "refuse", "its owner shy opted out"],
        ["acme/gone", "read", "it is not at file:///gone any more"],
    ]
    assert cells(page, "quarantine")[0][:2] == ["acme/small:boom.py", "shorten"]
    assert "judge its own header was read for …" in words(page.select("#quarantine summary")[0])


def test_no_unredacted_value_is_shown(page: BeautifulSoup) -> None:
    assert SECRET not in str(page)
    assert "<EMAIL>" in page.get_text()


def test_paths_and_texts_are_escaped_and_nothing_is_loaded(run: Run, page: BeautifulSoup) -> None:
    html = run.store.read_bytes(PAGE).decode()
    assert page.select("script, link, img, iframe") == []
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.py" in html
    assert all(str(link["href"]).startswith("#") for link in page.select("a"))
    assert "url(" not in html
    assert "@import" not in html


def test_every_chart_has_a_title(page: BeautifulSoup) -> None:
    charts = page.select("svg[role=img]")
    assert charts
    assert all(chart.select_one("title") and chart.get("aria-label") for chart in charts)


def test_links_lead_to_sections_and_ids_are_unique(page: BeautifulSoup) -> None:
    ids = [tag["id"] for tag in page.select("[id]")]
    assert len(ids) == len(set(ids))
    assert {str(link["href"])[1:] for link in page.select("nav a")} == set(ids)


def test_a_second_report_of_an_unchanged_run_writes_nothing(run: Run, page: BeautifulSoup) -> None:
    path = write_report(run, mask)
    before = os.stat(path)
    assert write_report(load_run(run.store.root, CATALOG), mask) == path
    after = os.stat(path)
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


def test_a_damaged_page_is_made_again_and_is_the_same(run: Run, page: BeautifulSoup) -> None:
    whole = run.store.read_bytes(PAGE)
    run.store.write_bytes(PAGE, b"half")
    write_report(run, mask)
    assert run.store.read_bytes(PAGE) == whole


def test_a_run_that_is_not_complete_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        small_run(tmp_path, stop_at="unite")
    run = load_run(str(tmp_path / "run"), CATALOG)
    with pytest.raises(QuarryError, match="is not complete; finish it with 'quarry run'"):
        write_report(run, mask)
    assert not run.store.exists("report")


def test_a_run_that_discarded_its_texts_has_a_report_without_excerpts(tmp_path: Path) -> None:
    run = small_run(tmp_path, discard=True)
    page = BeautifulSoup(render(run, mask), "html.parser")
    assert "its licence GPL-3.0-only is copyleft" in words(page.select_one("#reasons") or page)
    copyleft = next(row for row in page.select("#reasons details") if "GPL-3.0-only" in words(row))
    assert copyleft.select("pre") == []
    assert cells(page, "licences")[0][:2] == ["MIT", "permissive"]


def test_a_run_that_keeps_nothing_has_a_report(tmp_path: Path) -> None:
    run = small_run(tmp_path, files={"acme/tool:gpl.c": "int copyleft;\n"})
    page = BeautifulSoup(render(run, mask), "html.parser")
    assert "Of 1 files in 5 listed repositories, 0 (0.0 %) are in the dataset" in words(
        page.select_one("header") or page
    )


def test_a_run_that_does_not_tokenize_has_a_report(tmp_path: Path) -> None:
    run = small_run(tmp_path, tokenize=False)
    page = BeautifulSoup(render(run, mask), "html.parser")
    assert "tokens" not in words(page.select_one("header p.lead") or page)
    assert "This recipe does not tokenize." in words(page.select_one("#tokens") or page)
    assert cells(page, "licences")[0] == ["MIT", "permissive", "5", "100.0 %"]


def test_figures_keep_the_law(run: Run) -> None:
    figures = read_figures(run)
    drops = sum(t.times for t in figures.tallies if t.action == "drop" and not t.whole_repository)
    assert figures.documents_in == figures.documents + drops
    assert sum(row["documents"] for row in figures.kept_by("language")) == figures.documents
    assert sum(figures.jaccard) == 2
    assert figures.cluster_sizes == {2: 1, 3: 1}


def test_samples_do_not_depend_on_the_order_of_shards(run: Run) -> None:
    def sampled(figures: Figures) -> list[str]:
        return [row["id"] for row in figures.samples.to_pylist()]

    first = sampled(read_figures(run))
    for this in run.passes:
        this.receipts = dict(sorted(this.receipts.items(), reverse=True))
    assert sampled(read_figures(run)) == first


def test_rows_are_found_in_the_row_group_that_holds_them(run: Run) -> None:
    wanted = [document_id("acme/tool", "lib.py"), "0" * 32]
    found = [read_rows(run.store, f"dataset/data/{name}", wanted, ["path", "no_such"]) for name in ("00000.parquet",)]
    assert {key: row["path"] for rows in found for key, row in rows.items()} == {wanted[0]: "lib.py"}
    assert read_rows(run.store, "no/such.parquet", wanted, ["path"]) == {}


def test_a_secret_at_the_edge_of_what_is_masked_is_not_shown() -> None:
    cut = "\n".join(["x" * (WINDOW - len(SECRET) // 2 - 1), SECRET, "more"])
    assert "maria" not in excerpt(cut, mask)
    assert len(max(excerpt(cut, mask).split("\n"), key=len)) <= WIDTH + 1


@given(st.text(max_size=300), st.text(max_size=300))
def test_an_excerpt_is_short_and_masked(before: str, after: str) -> None:
    shown = excerpt(f"{before}{SECRET}{after}", mask)
    assert SECRET not in shown
    assert len(shown.split("\n")) <= 7
    assert not {"\0", "\u202e"} & set(shown)  # no control may change how what follows is shown


def test_equal_texts_have_no_difference() -> None:
    assert side_by_side(BODY, BODY, mask) == []


def test_numbers_read_as_people_write_them() -> None:
    assert [size(n) for n in (0, 999, 1000, 12_345_678, 10**13)] == ["0 B", "999 B", "1.0 kB", "12.3 MB", "10.0 TB"]
    shown = [short(n).replace("\xa0", " ") for n in (999_999, 1_000_000, 12_345_678, 345_678_901, 999_900_000)]
    assert shown == ["999,999", "1.00 M", "12.3 M", "346 M", "1.00 B"]
    assert share(0, 0) == "–"
    assert share(1, 10**6).replace("\xa0", " ") == "< 0.1 %"
    assert share(1, 8).replace("\xa0", " ") == "12.5 %"


def number(text: str) -> int:
    return int(text.replace(",", ""))
