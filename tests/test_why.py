"""`why`: every fate a document or a repository can have is told as it was, by id, by name, and for a half-done run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import QuarryError
from pipeline.state import Run, load_run
from reports.differences import COLUMN, Difference
from reports.excerpts import DIFF_ROWS, side_by_side
from reports.why import why
from reports.why_document import DocumentAnswer
from reports.why_repository import RepositoryAnswer
from tests.small_run import CATALOG, COMMIT, FILES, SECRET, document_id, mask, small_run
from tests.text_run import edited, executed


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return small_run(tmp_path_factory.mktemp("why"))


def document(run: Run, target: str) -> DocumentAnswer:
    answer = why(run, target)
    assert isinstance(answer, DocumentAnswer)
    return answer


def repository(run: Run, target: str) -> RepositoryAnswer:
    answer = why(run, target)
    assert isinstance(answer, RepositoryAnswer)
    return answer


def test_a_kept_document_is_found_in_its_dataset_row(run: Run) -> None:
    answer = document(run, "acme/tool:main.py")
    assert answer.place is not None
    held = run.store.read_table(answer.place["file"]).slice(answer.place["row"], 1).to_pylist()[0]
    assert (held["id"], held["path"]) == (answer.id, "main.py")
    assert answer.facts["n_tokens"] == held["n_tokens"]
    assert (answer.facts["commit"], answer.facts["split"]) == (COMMIT, "train")
    text = answer.text()
    assert f"It is in the dataset: {answer.place['file']}, row {answer.place['row']}" in text
    assert f"acquired at commit {COMMIT[:12]}" in text
    assert "kept: MIT (permissive)" in text
    assert "kept: python" in text
    assert "redacted 2 EMAIL" in text
    assert f"tokenized: {held['n_tokens']} tokens, split train" in text


def test_every_stage_over_documents_is_a_step(run: Run) -> None:
    steps = document(run, "acme/small:main.py").steps
    assert [step.stage for step in steps] == ["read", "judge", "tell", "shorten", "unite", "hide", "count"]
    assert {step.outcome for step in steps} == {"kept"}


def test_a_dropped_document_ends_at_the_stage_that_dropped_it(run: Run) -> None:
    answer = document(run, "acme/tool:<script>alert(1)</script>.py")
    assert answer.verdict == (
        "It was dropped by shorten in pass filter: its longest line has 163 characters, more than the 100 allowed."
    )
    assert [step.stage for step in answer.steps] == ["read", "judge", "tell", "shorten"]
    assert [step.outcome for step in answer.steps] == ["kept", "kept", "kept", "dropped"]
    assert answer.place is None


def test_what_a_dropping_pass_did_not_record_is_not_made_up(run: Run) -> None:
    assert "licence" not in document(run, "acme/small:boom.py").text()


def test_a_quarantined_document_says_so_without_its_text(run: Run) -> None:
    text = document(run, "acme/small:boom.py").text()
    assert "the stage failed on this one document (ValueError" in text
    assert "says boom" not in text


def test_notes_are_told(run: Run) -> None:
    assert "note: its own header was read for MIT" in document(run, "acme/tool:noted.c").text()


def test_a_duplicate_names_its_canonical_and_that_ones_fate(run: Run) -> None:
    answer = document(run, "forker/tool:main.py")
    assert answer.canonical is not None
    assert (answer.canonical.repo, answer.canonical.path) == ("acme/tool", "main.py")
    assert answer.canonical.jaccard == 0.9375
    assert answer.canonical.fate.startswith("It is in the dataset: dataset/data/")


def test_a_canonical_names_those_dropped_in_its_favour(run: Run) -> None:
    others = document(run, "acme/tool:lib.py").in_its_favour
    assert [(other.path, other.reason) for other in others] == [
        ("lib.py", "exact_duplicate"),
        ("lib2.py", "near_duplicate"),
    ]


def shown(run: Run, target: str) -> DocumentAnswer:
    """The answer with the texts of near-duplicates."""
    answer = why(run, target, mask)
    assert isinstance(answer, DocumentAnswer)
    return answer


def test_a_near_duplicate_stands_side_by_side_with_its_canonical(run: Run) -> None:
    answer = shown(run, "forker/tool:lib2.py")
    assert answer.difference is not None
    changed = [(row.left, row.right) for row in answer.difference.rows if row.change == "replace"]
    assert changed[0] == ("def part_0(gear):", "def part_0(wheel):")
    text = answer.text()
    assert "How the canonical (left) and this document (right) differ:" in text
    assert f"  {'def part_0(gear):':<58} | def part_0(wheel):" in text
    data = answer.as_json()
    assert json.loads(json.dumps(data)) == data
    assert data["difference"]["rows"][0] == {
        "change": "replace",
        "left": "def part_0(gear):",
        "right": "def part_0(wheel):",
    }


def test_a_canonical_stands_side_by_side_with_the_least_similar_of_its_near_duplicates(run: Run) -> None:
    answer = shown(run, "acme/tool:lib.py")
    assert answer.difference is not None
    assert answer.difference.canonical == answer.id
    assert answer.difference.other == document_id("forker/tool", "lib2.py")
    assert "least similar of these (right, forker/tool:lib2.py)" in answer.text()


def test_a_difference_is_redacted_short_and_shown_to_those_who_can_redact_only(run: Run) -> None:
    answer = shown(run, "forker/tool:main.py")
    assert answer.difference is not None
    assert SECRET not in answer.text() + json.dumps(answer.as_json())
    assert 'print("mine")' in answer.text()
    assert len(answer.difference.rows) <= DIFF_ROWS
    assert max(map(len, answer.difference.lines())) <= 2 * COLUMN + 3
    assert document(run, "forker/tool:main.py").difference is None


def test_equal_and_unique_documents_have_no_difference(run: Run) -> None:
    for target in ("forker/tool:lib.py", "acme/small:main.py", "acme/tool:gpl.c"):
        assert shown(run, target).difference is None


def test_places_that_are_far_apart_have_a_gap_between_them() -> None:
    lines = [f"line {n}" for n in range(40)]
    rows = side_by_side("\n".join(lines), "\n".join(["first", *lines[1:-1], "last"]), mask)
    assert "⋮" in "\n".join(Difference("a", "b", rows).lines())


def test_a_canonical_of_the_base_run_is_told_as_such_and_stands_beside(tmp_path: Path) -> None:
    base = executed(tmp_path / "base", {"acme/tool:a.py": edited(1, 0), "acme/tool:b.py": edited(2, 0)})
    texts = {"new/tool:a.py": edited(1, 4), "new/tool:c.py": edited(4, 0)}
    run = executed(tmp_path / "new", texts, [{"deduplicate": {"base": base.store.root}}])
    answer = shown(run, "new/tool:a.py")
    assert answer.canonical is not None
    assert (answer.canonical.repo, answer.canonical.path) == ("acme/tool", "a.py")
    assert f"the one in '{base.store.root}', which this run was judged against" in answer.canonical.fate
    assert answer.difference is not None
    assert {row.change for row in answer.difference.rows} == {"equal", "replace"}
    shutil.rmtree(base.store.root)
    assert shown(run, "new/tool:a.py").difference is None


def test_an_id_and_any_case_of_the_name_find_the_same(run: Run) -> None:
    by_name = document(run, "ACME/Tool:main.py")
    assert by_name == document(run, document_id("acme/tool", "main.py").upper())
    assert by_name == document(run, "github.com/acme/tool:main.py")


def test_a_path_may_hold_colons(run: Run) -> None:
    assert document(run, "acme/tool:docs/a:b.md").facts["path"] == "docs/a:b.md"


def test_the_matched_value_is_never_told(run: Run) -> None:
    for key in FILES:
        assert SECRET not in json.dumps(why(run, key).as_json()) + why(run, key).text()


def test_a_repository_counts_what_became_of_its_documents(run: Run) -> None:
    answer = repository(run, "acme/TOOL")
    kept = [row for name in run.store.names("dataset/data") for row in rows(run, f"dataset/data/{name}")]
    kept = [row for row in kept if row["repo"] == "acme/tool"]
    assert answer.documents == sum(key.startswith("acme/tool:") for key in FILES)
    assert (answer.kept, answer.tokens) == (len(kept), sum(row["n_tokens"] for row in kept))
    assert [(group.stage, group.reason, group.count) for group in answer.dropped] == [
        ("read", "symlink", 1),
        ("judge", "copyleft", 1),
        ("tell", "unknown_language", 1),
        ("shorten", "long_line", 1),
    ]
    assert answer.kept + sum(group.count for group in answer.dropped) == answer.documents
    assert answer.dropped[1].examples[0]["sentence"] == "its licence GPL-3.0-only is copyleft"
    assert answer.redactions == {"EMAIL": 2}
    assert "Of 8 documents, 4 are in the dataset" in answer.text()


def test_a_repository_left_out_as_a_whole_says_why(run: Run) -> None:
    assert repository(run, "shy/secret").decisions == ["left out by refuse: its owner shy opted out"]
    assert "it is not at file:///gone any more" in repository(run, "acme/gone").text()


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("acme/tol", "did you mean 'acme/tool'"),
        ("acme/tool:mian.py", "did you mean 'main.py'"),
        ("shy/secret:main.py", "'quarry why' shy/secret tells what became of it"),
        ("0" * 32, "no document"),
        ("nothing of the kind", "lists no repository"),
    ],
)
def test_an_unknown_target_is_one_sentence_with_the_nearest_names(run: Run, target: str, hint: str) -> None:
    with pytest.raises(QuarryError) as raised:
        why(run, target)
    assert hint in str(raised.value)
    assert "\n" not in str(raised.value)


def test_answers_are_plain_data(run: Run) -> None:
    for target, kind in (("acme/tool:lib.py", "document"), ("acme/tool", "repository")):
        data = why(run, target).as_json()
        assert json.loads(json.dumps(data)) == data
        assert data["kind"] == kind


def test_a_run_that_is_not_done_tells_how_far_it_is(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        small_run(tmp_path, stop_at="unite")
    run = load_run(str(tmp_path / "run"), CATALOG)
    answer = document(run, "forker/tool:main.py")
    assert "It passed all stages of pass filter" in answer.verdict
    assert [step.outcome for step in answer.steps] == ["kept"] * 4 + ["waiting"] * 3
    assert "4 are left after pass filter" in repository(run, "acme/tool").verdict


def test_discarded_documents_leave_the_answer_standing(tmp_path: Path) -> None:
    run = small_run(tmp_path, discard=True)
    assert "its licence GPL-3.0-only is copyleft" in document(run, "acme/tool:gpl.c").verdict
    assert document(run, "acme/tool:main.py").place is not None
    assert shown(run, "forker/tool:lib2.py").difference is None


def rows(run: Run, path: str) -> list[dict[str, Any]]:
    return run.store.read_table(path, ["repo", "path", "n_tokens"]).to_pylist()
