"""`trace --near`: what resembles a text is found, with exact similarity and place; what was removed is not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from attribution.index import Index
from attribution.near import NearAnswer, kept_signatures, near, signed
from cli.main import app
from pipeline import schema
from pipeline.errors import UsageError
from pipeline.fingerprint import digest_bytes
from pipeline.state import Run, load_run
from stages.deduplicate import Deduplicate
from tests.small_run import COMMIT, SECRET
from tests.text_run import CATALOG, TEXTS, continued, edited, executed


def jaccard(one: str, other: str) -> float:
    left, right = ({tuple(t[i : i + 5]) for i in range(len(t) - 4)} for t in (one.split(), other.split()))
    return len(left & right) / len(left | right)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return executed(tmp_path_factory.mktemp("trace"))


def found(answer: NearAnswer) -> dict[str, float]:
    return {f"{hit.repo}:{hit.path}": hit.jaccard for hit in answer.hits}


def remove(run: Run, pass_number: int, document: str) -> None:
    """Take a document out of what a pass kept, as an opt-out does."""
    this = run.passes[pass_number]
    for receipt in this.receipts.values():
        path = receipt["documents"]["path"]
        table = run.store.read_table(path)
        left = run.store.write_table(path, table.filter(pc.not_equal(table["id"], document)))
        receipt["documents"] |= {"bytes": len(left), "digest": digest_bytes(left)}
        this.folder.write_receipt(receipt)


# ---- what is found


def test_a_document_that_resembles_the_text_is_found_with_its_exact_similarity(run: Run) -> None:
    text = edited(1, 6)
    answer = near(run, text)
    assert found(answer) == {"acme/tool:a.py": pytest.approx(jaccard(text, TEXTS["acme/tool:a.py"]), abs=1e-9)}
    assert (answer.threshold, answer.documents, answer.more) == (0.7, 4, 0)
    (hit,) = answer.hits
    assert (hit.compared, hit.equal, hit.license, hit.commit) == ("text", False, "MIT", COMMIT)
    held = run.store.read_table(hit.file).slice(hit.row, 1).to_pylist()[0]
    assert hit.file.startswith("dataset/data/")
    assert (held["id"], held["path"]) == (hit.id, "a.py")


def test_an_equal_document_is_said_to_be_equal(run: Run) -> None:
    (hit,) = near(run, TEXTS["acme/tool:b.py"]).hits
    assert (hit.path, hit.jaccard, hit.equal) == ("b.py", 1.0, True)


def test_a_text_shorter_than_a_shingle_finds_only_what_is_equal(run: Run) -> None:
    answer = near(run, "x = 1")
    assert (answer.shingles, found(answer)) == (0, {"acme/tool:short.py": 1.0})
    assert near(run, "x = 2").hits == []


def test_a_text_like_none_finds_none(run: Run) -> None:
    assert near(run, edited(77, 0)).hits == []


def test_the_most_similar_comes_first_and_the_limit_is_told(tmp_path: Path) -> None:
    texts = {f"acme/tool:{n}.py": edited(1, n) for n in (0, 8, 16)}
    run = executed(tmp_path, texts, [{"deduplicate": {"threshold": 1.0, "bands": 64, "rows": 2}}])
    answer = near(run, edited(1, 2), threshold=0.2)
    assert list(found(answer)) == ["acme/tool:0.py", "acme/tool:8.py", "acme/tool:16.py"]
    assert found(answer) == {key: pytest.approx(jaccard(edited(1, 2), text)) for key, text in texts.items()}
    limited = near(run, edited(1, 2), threshold=0.2, limit=1)
    assert (list(found(limited)), limited.more) == (["acme/tool:0.py"], 2)
    assert near(run, edited(1, 2), threshold=0.99).hits == []


def test_copies_are_those_dropped_in_favour_of_a_hit(run: Run) -> None:
    (hit,) = near(run, edited(1, 2), copies=True).hits
    assert [(copy.repo, copy.path, copy.reason) for copy in hit.copies] == [
        ("copier/tool", "a.py", "exact_duplicate"),
        ("copier/tool", "a2.py", "near_duplicate"),
    ]
    assert hit.copies[1].jaccard == pytest.approx(jaccard(edited(1, 4), edited(1, 0)))


def test_the_last_of_several_deduplicate_stages_is_asked(tmp_path: Path) -> None:
    executed(tmp_path, unite=[{"deduplicate": {"as": "first", "threshold": 1.0}}])
    recipe = yaml.safe_load((tmp_path / "recipe.yaml").read_text())
    passes = recipe["passes"] | {"again": [{"deduplicate": {"threshold": 0.8}}]}
    passes["tokenize"] = passes.pop("tokenize")
    answer = near(continued(tmp_path, passes), edited(1, 2))
    assert (answer.stage, answer.threshold) == ("deduplicate", 0.8)
    assert list(found(answer)) == ["acme/tool:a.py"]


# ---- what was removed, redacted, discarded


def test_a_document_that_was_removed_from_the_dataset_is_not_found(tmp_path: Path) -> None:
    run = executed(tmp_path)
    (hit,) = near(run, TEXTS["acme/tool:b.py"]).hits
    remove(run, -1, hit.id)
    answer = near(load_run(run.store.root, CATALOG), TEXTS["acme/tool:b.py"])
    assert (answer.hits, answer.documents) == ([], 3)


def test_without_the_unredacted_text_the_redacted_is_compared_and_that_is_told(tmp_path: Path) -> None:
    run = executed(tmp_path, discard_intermediate=True)
    text = TEXTS["acme/tool:mail.py"].replace("ask", "tell")
    (hit,) = near(run, text).hits
    assert hit.compared == "redacted text"
    assert hit.text is not None
    assert SECRET not in hit.text
    assert near(run, TEXTS["acme/tool:b.py"]).hits[0].compared == "text"  # equal contents need no text


def test_without_any_text_the_signatures_estimate_and_that_is_told(tmp_path: Path) -> None:
    run = executed(tmp_path, discard_intermediate=True)
    for receipt in run.passes[1].receipts.values():
        run.store.remove(receipt["documents"]["path"])
        receipt["documents"]["discarded"] = True
        run.passes[1].folder.write_receipt(receipt)
    text = edited(1, 4)
    (hit,) = near(load_run(run.store.root, CATALOG), text).hits
    assert (hit.compared, hit.text) == ("signature", None)
    assert hit.jaccard == pytest.approx(jaccard(text, TEXTS["acme/tool:a.py"]), abs=0.12)  # 4 standard errors


# ---- what cannot be asked


def test_a_run_without_a_deduplicate_stage_keeps_nothing_to_ask(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no deduplicate stage"):
        near(executed(tmp_path, unite=[]), "text")


def test_a_run_that_is_not_complete_is_to_be_finished_first(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        executed(tmp_path, stop_at="tokenize")
    with pytest.raises(UsageError, match="is not complete; finish it with 'quarry run'"):
        near(load_run(str(tmp_path / "run"), CATALOG), "text")


def test_signatures_of_another_revision_of_the_stage_are_not_compared_with(tmp_path: Path) -> None:
    run = executed(tmp_path)
    manifest = run.store.read_json("manifest.json")
    manifest["passes"][1]["identity"][0]["revision"] -= 1
    run.store.write_json("manifest.json", manifest)
    with pytest.raises(UsageError, match="another revision of the deduplicate stage"):
        near(load_run(run.store.root, CATALOG), "text")


def test_one_band_is_too_few_for_an_index(tmp_path: Path) -> None:
    run = executed(tmp_path, unite=[{"deduplicate": {"bands": 1, "rows": 2}}])
    with pytest.raises(UsageError, match="one band"):
        near(run, "text")


def test_lost_signatures_are_named(tmp_path: Path) -> None:
    run = executed(tmp_path)
    run.store.remove(f"{run.passes[1].folder.path}/side/signature")
    with pytest.raises(UsageError, match="has lost the signatures of shard"):
        near(run, "text")


# ---- the index


def test_the_index_finds_what_near_finds_and_forgets_what_is_removed(run: Run) -> None:
    stage = Deduplicate(threshold=0.7)
    index = Index(stage.permutations, stage.bands, stage.rows, stage.seed)
    for _, kept in kept_signatures(run, 1):
        index.add(kept)
    query = signed(edited(1, 6), stage)
    (hit,) = near(run, edited(1, 6)).hits
    assert len(index) == 4
    assert index.query(query.content, query.minhash) == [hit.id]
    index.remove([hit.id, "no such document"])
    assert index.query(query.content, query.minhash) == []
    assert (len(index), hit.id in index) == (3, False)


def test_a_document_stands_in_the_index_once(run: Run) -> None:
    index = Index(256, 42, 6, 42)
    ((_, kept),) = kept_signatures(run, 1)
    index.add(kept)
    with pytest.raises(ValueError, match="in the index already"):
        index.add(kept)


SMALL_MINHASH = st.one_of(st.none(), st.lists(st.integers(0, 2), min_size=4, max_size=4))


@settings(max_examples=60, deadline=None)
@given(
    documents=st.lists(st.tuples(st.binary(min_size=16, max_size=16), SMALL_MINHASH), max_size=8),
    removed=st.sets(st.integers(0, 7)),
    asked=st.lists(st.integers(0, 2), min_size=4, max_size=4),
)
def test_the_index_holds_just_what_was_added_and_not_removed(
    documents: list[tuple[bytes, list[int] | None]], removed: set[int], asked: list[int]
) -> None:
    index = Index(permutations=4, bands=2, rows=2, seed=1)
    columns = zip(*documents, strict=True) if documents else ([], [])
    contents, minhash = (list(column) for column in columns)
    ids = [str(number) for number in range(len(documents))]
    rows = [{"id": i, "content": c, "minhash": m} for i, c, m in zip(ids, contents, minhash, strict=True)]
    index.add(pa.Table.from_pylist(rows, schema.SIGNATURE))
    index.remove([str(number) for number in removed])
    left = [number for number in range(len(documents)) if number not in removed]
    bands = [number for number in left if (m := minhash[number]) and (m[:2] == asked[:2] or m[2:] == asked[2:])]
    assert index.query(b"", np.array(asked, np.uint32)) == [str(number) for number in bands]
    for number in left:
        assert str(number) in index.query(contents[number], None)
    assert len(index) == len(left)


# ---- the command


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run that neither redacts nor tokenizes, so that it needs no stage of the tests."""
    return executed(tmp_path_factory.mktemp("command"), tokenize=False).store.root


def quarry(*arguments: str, given: bytes = b"") -> tuple[int, str, str]:
    """Exit code, output and errors of `quarry trace`."""
    done = CliRunner().invoke(app, ["trace", *arguments], input=given)
    return done.exit_code, done.stdout, done.stderr


def test_the_command_reads_a_file_or_standard_input(directory: str, tmp_path: Path) -> None:
    (tmp_path / "asked.py").write_text(edited(1, 2))
    code, told, _ = quarry(directory, str(tmp_path / "asked.py"), "--near", "--copies")
    assert (code, told) == (0, quarry(directory, "-", "--near", "--copies", given=edited(1, 2).encode())[1])
    assert "1 of 4 documents in the dataset resembles it with a Jaccard similarity of at least 0.7" in told
    assert "acme/tool:a.py  MIT" in told
    assert f"commit {COMMIT}, document " in told
    assert "row 0 (counted from 0)" in told
    assert "dropped in its favour: copier/tool:a.py (equal, document " in told


def test_excerpts_are_redacted_and_the_data_holds_no_text(directory: str) -> None:
    asked = TEXTS["acme/tool:mail.py"].encode()
    code, told, _ = quarry(directory, "--near", "--excerpts", "--json", given=asked)
    (hit,) = json.loads(told)["hits"]
    assert (code, hit["path"], hit["equal"]) == (0, "mail.py", True)
    assert hit["excerpt"].startswith("# ask <EMAIL>\n")
    assert SECRET not in told
    assert "text" not in hit
    assert "# ask <EMAIL>" in quarry(directory, "--near", "--excerpts", given=asked)[1]


def test_a_short_text_is_told_to_be_found_by_equality_only(directory: str) -> None:
    assert "only equal ones are found: 1 of 4 documents" in quarry(directory, "--near", given=b"x = 1")[1]


@pytest.mark.parametrize(
    ("arguments", "given", "said"),
    [
        (["{run}"], b"text", "comes later; give --near"),
        (["{run}", "--near"], b"", "standard input is empty"),
        (["{run}", "--near"], b"a\0b", "standard input is binary"),
        (["{run}", "{folder}/none.py", "--near"], b"", "none.py' (No such file or directory)"),
        (["{run}", "{folder}", "--near"], b"", "(Is a directory)"),
        (["{folder}", "--near"], b"text", "holds no run"),
        (["{run}", "--near", "--threshold", "2"], b"text", "--threshold"),
        (["{run}", "--near", "--limit", "0"], b"text", "--limit"),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str], given: bytes, said: str, directory: str, tmp_path: Path
) -> None:
    code, told, errors = quarry(*(a.format(run=directory, folder=tmp_path) for a in arguments), given=given)
    assert (code, told) == (2, "")
    assert said in errors
    assert "Traceback" not in errors
