"""Who stays in place of removed documents: the same as if deduplication had never seen them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import schema
from pipeline.errors import UsageError
from pipeline.inline import InlineExecutor
from pipeline.side import Corpus
from pipeline.state import Run
from stages.deduplicate import Deduplicate
from stages.near_duplicates import buckets
from stages.near_duplicates.re_election import copies, re_elect
from tests.test_deduplicate import corpus_in, documents, jaccard_of, words
from tests.test_deduplicate_base import run

FOLDER = "pass/side"


def prepared(root: Path, stage: Deduplicate, tables: Sequence[pa.Table]) -> Corpus:
    corpus = corpus_in(root, tables)
    stage.prepare(corpus, corpus.side)
    return corpus


def edges(corpus: Corpus) -> dict[str, pa.Table]:
    return {shard: corpus.side.get_shard("edge", shard=shard) for shard in corpus.shards}


def without(table: pa.Table, removed: Sequence[str]) -> pa.Table:
    return table.filter(pc.invert(pc.is_in(table["id"], value_set=pa.array(removed, pa.string()))))


def judged_again(
    corpus: Corpus, stage: Deduplicate, removed: Sequence[str]
) -> tuple[dict[str, pa.Table], dict[str, pa.Table]]:
    """What is replaced, and all edge tables with the rest losing rows only."""
    found = re_elect(stage, corpus.store, corpus.paths, FOLDER, pa.array(removed, pa.string()), InlineExecutor())
    rest = {shard: without(table, removed) for shard, table in edges(corpus).items()}
    return found, rest | found


STEP, WIDTH = 10, 160  # words; neighbours that are up to two steps apart reach 0.7
MEMBERS = st.lists(
    st.tuples(
        st.integers(0, 14),  # steps from the beginning of one long text
        st.sampled_from([0, 4, WIDTH, WIDTH, WIDTH, WIDTH, WIDTH]),  # words of it
        st.sampled_from(["", "", "", " red", " green"]),  # end
        st.integers(0, 2),  # stars
        st.sampled_from(["permissive", "permissive", "copyleft"]),
    ),
    min_size=2,
    max_size=24,
)
Member = tuple[int, int, str, int, str]


def text_of(member: Member) -> str:
    start, width, end, *_ = member
    return " ".join(words(1, 1000)[start * STEP : start * STEP + width]) + end


@settings(max_examples=60, deadline=None)
@given(
    members=MEMBERS,
    cuts=st.sets(st.integers(0, 24), max_size=3),
    choice=st.data(),
    threshold=st.sampled_from([0.3, 0.5, 0.7, 1.0]),
    there=st.booleans(),
    one_by_one=st.booleans(),
)
def test_the_outcome_is_that_of_a_rebuild(
    tmp_path_factory: pytest.TempPathFactory,
    members: list[Member],
    cuts: set[int],
    choice: st.DataObject,
    threshold: float,
    there: bool,
    one_by_one: bool,
) -> None:
    """Removed at once or one after the other, their rows being in what the pass read still, or not."""
    texts = [text_of(member) for member in members]
    columns: dict[str, Any] = {"stars": [member[3] for member in members]}
    table = documents(texts, **columns, license_type=[member[4] for member in members])
    bounds = sorted({0, len(texts), *(cut for cut in cuts if cut < len(texts))})
    tables = [table.slice(start, stop - start) for start, stop in pairwise(bounds)]
    stage = Deduplicate(threshold=threshold, bands=60, rows=3)
    root = tmp_path_factory.mktemp("run")
    corpus = prepared(root / "whole", stage, tables)
    removed = sorted(choice.draw(st.sets(st.sampled_from(table["id"].to_pylist()), min_size=1, max_size=6)))
    rest = prepared(root / "rest", stage, [without(part, removed) for part in tables])
    for names in [[name] for name in removed] if one_by_one else [removed]:
        if not there:
            cut_out(corpus, names)
        replaced, found = judged_again(corpus, stage, names)
        for shard, new in replaced.items():
            assert new.schema.equals(schema.EDGE, check_metadata=True)
            assert not new.equals(without(corpus.side.get_shard("edge", shard=shard), names))
        cut_out(corpus, names)
        for shard, new in found.items():
            corpus.side.put("edge", new, shard=shard)
            signatures = corpus.side.get_shard("signature", shard=shard)
            corpus.side.put("signature", without(signatures, names), shard=shard)
    assert rows_of(edges(corpus)) == rows_of(edges(rest))


@settings(max_examples=25, deadline=None)
@given(members=MEMBERS, choice=st.data(), threshold=st.sampled_from([0.3, 0.7]))
def test_who_stays_is_the_same_where_comparing_took_rounds(
    tmp_path_factory: pytest.TempPathFactory, members: list[Member], choice: st.DataObject, threshold: float
) -> None:
    """Then the rebuild may cite another kept document, since it compared what fell early with few."""
    texts = [text_of(member) for member in members]
    table = documents(texts, stars=[member[3] for member in members])
    stage, root = Deduplicate(threshold=threshold, bands=60, rows=3), tmp_path_factory.mktemp("run")
    removed = sorted(choice.draw(st.sets(st.sampled_from(table["id"].to_pylist()), min_size=1, max_size=6)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buckets, "LEADERS", (1,) * 24)
        corpus = prepared(root / "whole", stage, [table])
        rest = prepared(root / "rest", stage, [without(table, removed)])
    _, found = judged_again(corpus, stage, removed)
    assert found["00000"]["id"].equals(edges(rest)["00000"]["id"])
    text = dict(zip(table["id"].to_pylist(), texts, strict=True))
    for row in found["00000"].to_pylist():
        assert row["canonical"] not in {*removed, *found["00000"]["id"].to_pylist()}
        same = text[row["id"]] == text[row["canonical"]]
        assert row["jaccard"] == (1.0 if same else jaccard_of(text[row["id"]], text[row["canonical"]]))


def cut_out(corpus: Corpus, removed: Sequence[str]) -> None:
    """Take documents out of what the pass read."""
    for shard, path in corpus.paths.items():
        corpus.store.write_table(path, without(corpus.read(shard), removed))


def rows_of(tables: dict[str, pa.Table]) -> dict[str, list[dict[str, Any]]]:
    return {shard: table.to_pylist() for shard, table in tables.items()}


def relatives(*shares: tuple[int, int]) -> list[str]:
    """Texts of words from..to of one long text: two are the more alike the more of it they share."""
    text = words(1, 1000)
    return [" ".join(text[start:stop]) for start, stop in shares]


WIDE = Deduplicate(bands=100, rows=2)  # finds about all pairs at 0.7


def test_one_who_stays_in_place_drops_another_and_frees_a_third(tmp_path: Path) -> None:
    # Each is like the next one only. The first stays, so the second falls, the third stays, and so on.
    texts = relatives((0, 320), (40, 360), (80, 400), (120, 440), (160, 480))
    table = documents(texts)
    corpus = prepared(tmp_path, WIDE, [table.slice(number, 1) for number in range(5)])
    ids = table["id"].to_pylist()
    replaced, found = judged_again(corpus, WIDE, ids[:1])
    cites = {row["id"]: row["canonical"] for new in found.values() for row in new.to_pylist()}
    assert cites == {ids[2]: ids[1], ids[4]: ids[3]}
    assert sorted(replaced) == ["00001", "00002", "00003", "00004"]


def test_the_next_of_equal_texts_is_judged_by_its_own_rank(tmp_path: Path) -> None:
    best, text, worse = relatives((0, 320), (40, 360), (70, 390))
    table = documents([best, text, worse, text], stars=[9, 8, 7, 0])
    corpus = prepared(tmp_path, WIDE, [table])
    ids = table["id"].to_pylist()
    assert [row["canonical"] for row in edges(corpus)["00000"].to_pylist()] == [ids[0], ids[0]]
    _, found = judged_again(corpus, WIDE, [ids[1]])
    assert [row["canonical"] for row in found["00000"].to_pylist()] == [ids[2]]  # nearer, and before it now


@pytest.mark.parametrize(("stars", "cited"), [([9, 8, 7, 0], 1), ([9, 7, 8, 0], 2)])
def test_of_two_that_are_equally_near_the_better_ranked_is_cited(tmp_path: Path, stars: list[int], cited: int) -> None:
    texts = relatives((20, 340), (60, 380), (140, 460), (100, 420))
    table = documents(texts, stars=stars)
    corpus = prepared(tmp_path, WIDE, [table])
    ids = table["id"].to_pylist()
    assert {row["id"]: row["canonical"] for row in edges(corpus)["00000"].to_pylist()} == {
        ids[1]: ids[0],
        ids[3]: ids[2],
    }
    _, found = judged_again(corpus, WIDE, [ids[0]])
    assert [row["canonical"] for row in found["00000"].to_pylist()] == [ids[cited]]


def test_nothing_is_replaced_where_only_rows_of_removed_documents_go(tmp_path: Path) -> None:
    (near, text, other) = relatives((0, 310), (0, 300), (500, 800))
    table = documents([text, near, text, other])
    corpus = prepared(tmp_path, Deduplicate(), [table])
    replaced, found = judged_again(corpus, Deduplicate(), [table["id"][1].as_py(), table["id"][3].as_py()])
    assert replaced == {}
    assert [row["id"] for row in found["00000"].to_pylist()] == [table["id"][2].as_py()]


def test_documents_of_shards_that_are_not_concerned_are_not_read(tmp_path: Path) -> None:
    one, near, other = relatives((0, 300), (0, 310), (500, 800))
    table = documents([one, near, other])
    corpus = prepared(tmp_path, Deduplicate(), [table.slice(number, 1) for number in range(3)])
    corpus.store.write_bytes(corpus.paths["00002"], b"unreadable")
    replaced, found = judged_again(corpus, Deduplicate(), [table["id"][0].as_py()])
    assert sorted(replaced) == ["00001"]
    assert found["00001"].num_rows == 0


def test_thousands_that_were_dropped_for_a_removed_one_cost_a_few_comparisons_each(tmp_path: Path) -> None:
    lines = [" ".join(words(seed, 8)) for seed in range(60)]
    table = documents(["\n".join([*lines, f"serial number {number} of many"]) for number in range(2_000)])
    corpus = prepared(tmp_path, Deduplicate(), [table.slice(0, 900), table.slice(900)])
    ids = table["id"].to_pylist()
    began = time.process_time()
    _, found = judged_again(corpus, Deduplicate(), ids[:1])
    assert time.process_time() - began < 20
    cites = {row["id"]: row["canonical"] for new in found.values() for row in new.to_pylist()}
    assert cites == dict.fromkeys(ids[2:], ids[1])


# --- a base run


def test_a_copy_falls_to_a_document_of_the_base_run_which_stays(tmp_path: Path) -> None:
    published, copied, far = relatives((0, 320), (40, 360), (65, 385))
    run(tmp_path, "old", {"acme/tool:a.py": published})
    files = {
        "aaa/far:far.py": far,
        "bbb/copy:copied.py": copied,
        "ccc/copy:again.py": copied,
        "ddd/own:own.py": "x = 1",
    }
    fields: dict[str, Any] = {"base": tmp_path / "old", "bands": 100, "rows": 2, "prefer": []}
    this = run(tmp_path, "new", files, **fields)
    (names,) = [{value.partition(":")[0]: key for key, value in named(this).items()}]
    before = base_edges(this)
    if before[names["bbb/copy"]]["canonical"] != names["aaa/far"]:
        pytest.fail("the copies are to be nearer to the document that is removed than to the base's")
    stage = this.passes[2].part.opener
    assert isinstance(stage, Deduplicate)
    removed = pa.array([names["aaa/far"]])
    folder = f"{this.passes[2].folder.path}/side"
    replaced = re_elect(stage, this.store, this.input_paths(2), folder, removed, InlineExecutor())
    after = {row["id"]: row for new in replaced.values() for row in new.to_pylist()}
    rest = run(tmp_path, "rest", {key: text for key, text in files.items() if key != "aaa/far:far.py"}, **fields)
    assert after == base_edges(rest)
    assert {row["canonical_repo"] for row in after.values()} == {"acme/tool"}

    (tmp_path / "old" / "manifest.json").unlink()  # the base does not matter to what nothing was dropped for
    own = pa.array([names["ddd/own"]])
    assert re_elect(stage, this.store, this.input_paths(2), folder, own, InlineExecutor()) == {}
    with pytest.raises(UsageError, match="holds no complete run"):
        re_elect(stage, this.store, this.input_paths(2), folder, removed, InlineExecutor())


def named(this: Run) -> dict[str, str]:
    """id -> repo:path of what deduplicate read."""
    tables = [this.store.read_table(path, ["id", "repo", "path"]) for path in this.input_paths(2).values()]
    return {row["id"]: f"{row['repo']}:{row['path']}" for table in tables for row in table.to_pylist()}


def base_edges(this: Run) -> dict[str, dict[str, Any]]:
    """Dropped id -> its row."""
    folder = f"{this.passes[2].folder.path}/side/edge"
    tables = [this.store.read_table(f"{folder}/{name}") for name in this.store.names(folder)]
    return {row["id"]: row for table in tables for row in table.to_pylist()}


# --- copies


def test_copies_of_removed_documents_are_listed_with_what_they_are_to_them(tmp_path: Path) -> None:
    kept, gone, alike, unlike = relatives((0, 320), (40, 360), (50, 370), (0, 280))
    table = documents(
        [kept, gone, alike, unlike, gone, words_apart := " ".join(words(2)), words_apart + " end"],
        id=["kept", "gone", "alike", "unlike", "same", "first", "its copy"],
        stars=[9, 0, 0, 0, 0, 0, 0],
    )
    corpus = prepared(tmp_path, WIDE, [table.slice(0, 3), table.slice(3)])
    assert {row["id"]: row["canonical"] for new in edges(corpus).values() for row in new.to_pylist()} == {
        "gone": "kept", "alike": "kept", "unlike": "kept", "same": "kept", "its copy": "first",
    }  # fmt: skip
    found = copies(corpus.store, corpus.paths, FOLDER, pa.array(["gone", "first"]), InlineExecutor())
    assert found["shard"].to_pylist() == ["00000", "00001", "00000", "00001"]
    rows = [(row["id"], row["path"], row["of"], row["relation"], row["jaccard"]) for row in found.to_pylist()]
    assert rows == [
        ("alike", "2.py", "gone", "dropped_alike", jaccard_of(alike, gone)),
        ("its copy", "6.py", "first", "dropped_for_it", jaccard_of(words_apart, words_apart + " end")),
        ("kept", "0.py", "gone", "kept_over_it", jaccard_of(kept, gone)),
        ("same", "4.py", "gone", "same_content", 1.0),
    ]
    assert jaccard_of(unlike, gone) < 0.7


@settings(max_examples=40, deadline=None)
@given(members=MEMBERS, choice=st.data())
def test_every_copy_that_is_listed_is_one(
    tmp_path_factory: pytest.TempPathFactory,
    members: list[Member],
    choice: st.DataObject,
) -> None:
    texts = [text_of(member) for member in members]
    table = documents(texts, stars=[member[3] for member in members])
    stage = Deduplicate(threshold=0.5, bands=60, rows=3)
    corpus = prepared(tmp_path_factory.mktemp("run"), stage, [table.slice(0, 7), table.slice(7)])
    ids = table["id"].to_pylist()
    removed = choice.draw(st.sets(st.sampled_from(ids), min_size=1, max_size=6))
    found = copies(corpus.store, corpus.paths, FOLDER, pa.array(sorted(removed)), InlineExecutor(), threshold=0.5)
    text = dict(zip(ids, texts, strict=True))
    pairs = set()
    for row in found.to_pylist():
        assert row["id"] not in removed
        assert row["of"] in removed
        same = text[row["id"]] == text[row["of"]]
        assert row["jaccard"] == (1.0 if same else jaccard_of(text[row["id"]], text[row["of"]]))
        assert row["jaccard"] >= 0.5
        pairs.add((row["id"], row["of"]))
    assert len(pairs) == found.num_rows
    assert pairs >= {(one, of) for of in removed for one in ids if one not in removed and text[one] == text[of]}
    cited = {row["id"]: row["canonical"] for new in edges(corpus).values() for row in new.to_pylist()}
    for one, canonical in cited.items():
        assert (one, canonical) in pairs or one in removed or canonical not in removed
        assert (canonical, one) in pairs or one not in removed or canonical in removed
