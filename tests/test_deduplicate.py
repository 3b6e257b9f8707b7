"""Deduplicate: its choices against brute force, and what users see."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import datasketch
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline import schema
from pipeline.inline import InlineExecutor
from pipeline.side import Corpus, Side, Worker
from pipeline.stage import Outcome
from pipeline.storage import Storage
from stages import deduplicate
from stages.deduplicate import Deduplicate
from stages.near_duplicates import buckets, equal_sets, ranking, screening, verification
from stages.near_duplicates import documents as near_documents
from tests.test_shingles import WORDS, hash_of, shingles_of

OLD, YOUNG = datetime(2009, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
RunStage = Callable[[Deduplicate, Sequence[pa.Table]], list[Outcome]]


def jaccard_of(one: str, other: str) -> float:
    left, right = shingles_of(one), shingles_of(other)
    return len(left & right) / len(left | right) if left | right else 0.0


def documents(texts: Sequence[str], **columns: Any) -> pa.Table:
    """DOCUMENT rows with these texts; `columns` gives one value a row, or one for all."""
    count = len(texts)
    rows: dict[str, Any] = {
        "id": [f"{columns.get('repo', 'o/r')}-{i:04d}" for i in range(count)],
        "repo": "o/r",
        "path": [f"{i}.py" for i in range(count)],
        "license_type": "permissive",
        "stars": None,
        "fork": None,
        "created": None,
        "text": list(texts),
    } | columns
    values = {name: value if isinstance(value, list) else [value] * count for name, value in rows.items()}
    return pa.table({name: pa.array(values[name], schema.DOCUMENT.field(name).type) for name in rows})


def drops(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """Dropped id -> reason and detail."""
    return {
        row["id"]: {"reason": row["reason"]} | json.loads(row["detail"])
        for outcome in outcomes
        for row in outcome.decisions.to_pylist()
    }


def words(seed: int, count: int = 200) -> list[str]:
    return [f"w{number}" for number in random.Random(seed).choices(range(10_000), k=count)]


def edited(text: str, share: float, seed: int) -> str:
    """The text with this share of its lines replaced."""
    generator, lines = random.Random(seed), text.split("\n")
    for index in generator.sample(range(len(lines)), int(len(lines) * share)):
        lines[index] = f"    changed_{seed}_{index} = {index}"
    return "\n".join(lines)


@pytest.fixture(scope="module")
def real_files() -> list[str]:
    """Modules of installed packages, mid-sized."""
    paths = [p for package in (datasketch, np, pa) for p in sorted(Path(str(package.__file__)).parent.rglob("*.py"))]
    texts = [p.read_text(encoding="utf-8") for p in paths if 3_000 < p.stat().st_size < 40_000]
    return list(dict.fromkeys(texts))[:120]


# --- which one is kept


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"license_type": "permissive"}, {"license_type": "copyleft", "stars": 9}),
        ({"license_type": "permissive"}, {"license_type": None, "stars": 9}),
        ({"stars": 5, "fork": True}, {"stars": 4, "fork": False}),
        ({"stars": 0}, {"stars": None}),
        ({"fork": None}, {"fork": True}),
        ({"fork": False}, {"fork": True}),
        ({"fork": False, "created": YOUNG}, {"fork": True, "created": OLD}),
        ({"created": OLD}, {"created": YOUNG}),
        ({"created": YOUNG}, {"created": None}),
    ],
)
@pytest.mark.parametrize("near", [False, True])
def test_the_better_ranked_survives_whatever_shard_it_is_in(
    run_stage: RunStage, better: dict[str, Any], worse: dict[str, Any], near: bool
) -> None:
    text = " ".join(words(1))
    tables = [
        documents([text], repo="a/worse", **worse),
        documents([text + " end" * near], repo="b/better", **better),
    ]
    outcomes = run_stage(Deduplicate(), tables)
    assert [outcome.kept.num_rows for outcome in outcomes] == [0, 1]
    (detail,) = drops(outcomes).values()
    assert detail["canonical_repo"] == "b/better"
    assert detail["reason"] == ("near_duplicate" if near else "exact_duplicate")


def test_who_stays_is_a_matter_of_policy(run_stage: RunStage) -> None:
    text = " ".join(words(1))
    tables = [
        documents([text], repo="c/starred", stars=9, created=YOUNG),
        documents([text], repo="b/old", stars=0, created=OLD),
        documents([text], repo="a/first", license_type="copyleft"),
    ]
    policies: list[list[Any]] = [["stars"], ["oldest", "stars"], ["permissive", "oldest"], []]
    kept = [[o.kept.num_rows for o in run_stage(Deduplicate(prefer=policy), tables)] for policy in policies]
    assert kept == [[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]]


def test_equal_rank_falls_to_the_smaller_id(run_stage: RunStage) -> None:
    text = " ".join(words(1))
    tables = [documents(["other", text], repo="a/a", fork=[None, False]), documents([text, text], repo="b/b")]
    outcomes = run_stage(Deduplicate(), tables)
    assert set(drops(outcomes)) == {"b/b-0000", "b/b-0001"}
    assert {detail["canonical"] for detail in drops(outcomes).values()} == {"a/a-0001"}


def test_a_decision_reads_as_a_sentence(run_stage: RunStage) -> None:
    text = " ".join(words(1))
    stage = Deduplicate()
    (outcome,) = run_stage(stage, [documents([text, text, text + " more words"])])
    assert [stage.explain(row) for row in outcome.decisions.to_pylist()] == [
        "it is the same as 0.py in o/r",
        "it is much like 0.py in o/r (Jaccard similarity 0.9899)",
    ]


# --- what counts as alike


def test_edited_copies_of_real_files_are_dropped_with_their_exact_similarity(
    run_stage: RunStage, real_files: list[str]
) -> None:
    copies = [edited(text, share, seed) for seed, text in enumerate(real_files) for share in (0.03, 0.3)]
    outcomes = run_stage(Deduplicate(), [documents(real_files, repo="o/a"), documents(copies, repo="o/b")])
    texts = {f"o/a-{i:04d}": text for i, text in enumerate(real_files)}
    texts |= {f"o/b-{i:04d}": text for i, text in enumerate(copies)}
    dropped = drops(outcomes)
    for name, detail in dropped.items():
        assert detail["jaccard"] == round(jaccard_of(texts[name], texts[detail["canonical"]]), 4) >= 0.7
    light = [i for i in range(0, len(copies), 2) if jaccard_of(copies[i], real_files[i // 2]) >= 0.85]
    assert len(light) > 60
    assert sum(f"o/b-{i:04d}" in dropped for i in light) >= 0.97 * len(light)
    assert not any(
        f"o/b-{i:04d}" in dropped
        for i in range(1, len(copies), 2)
        if max(jaccard_of(copies[i], copies[i - 1]), jaccard_of(copies[i], real_files[i // 2])) < 0.7
    )


def test_a_chain_does_not_drop_its_far_end(run_stage: RunStage) -> None:
    base = words(1, 400)
    a, b, c = base[:320], base[40:360], base[80:400]
    assert jaccard_of(" ".join(a), " ".join(b)) > 0.75 < jaccard_of(" ".join(b), " ".join(c))
    assert jaccard_of(" ".join(a), " ".join(c)) < 0.7
    # Bands of two rows: all three pairs are candidates.
    (outcome,) = run_stage(Deduplicate(bands=100, rows=2), [documents([" ".join(part) for part in (a, b, c)])])
    assert outcome.kept["id"].to_pylist() == ["o/r-0000", "o/r-0002"]


def test_short_and_empty_files_are_dropped_for_equal_content_only(run_stage: RunStage) -> None:
    (outcome,) = run_stage(Deduplicate(), [documents(["", "a b", "a b c d", "{}", "a c", "", "a b", "=" * 500])])
    assert outcome.kept["path"].to_pylist() == ["0.py", "1.py", "2.py", "3.py", "4.py", "7.py"]
    assert set(outcome.decisions["reason"].to_pylist()) == {"exact_duplicate"}


def test_layout_and_semicolons_do_not_matter_but_words_of_any_script_do(run_stage: RunStage) -> None:
    code = "\n".join(f"call_{i}(value_{i})" for i in range(40))
    russian = "\n".join(f"call_{i}(value_{i})  # это замечание {i}" for i in range(40))
    english = "\n".join(f"call_{i}(value_{i})  # that is remark {i}" for i in range(40))
    (outcome,) = run_stage(Deduplicate(), [documents([code, code.replace("\n", ";\n\n\t"), russian, english])])
    assert drops([outcome])["o/r-0001"] == {
        "reason": "near_duplicate",
        "canonical": "o/r-0000",
        "canonical_repo": "o/r",
        "canonical_path": "0.py",
        "jaccard": 1.0,
    }
    assert outcome.kept["path"].to_pylist() == ["0.py", "2.py", "3.py"]


def test_a_licence_header_alone_matches_but_does_not_outweigh_code(run_stage: RunStage) -> None:
    header = " ".join(words(1, 120))
    texts = [f"copyright {header} {year}" for year in (2020, 2021)]
    texts += [f"copyright {header} {' '.join(words(seed, 120))}" for seed in (2, 3)]
    (outcome,) = run_stage(Deduplicate(), [documents(texts)])
    assert outcome.kept["path"].to_pylist() == ["0.py", "2.py", "3.py"]


def test_thousands_of_files_from_one_template_cost_a_few_comparisons_each(run_stage: RunStage, side: Side) -> None:
    lines = [" ".join(words(seed, 8)) for seed in range(60)]
    texts = ["\n".join([*lines, f"serial number {number} of many"]) for number in range(3_000)]
    run_stage(Deduplicate(), [documents(texts[:2])])  # compiles the kernels
    began = time.perf_counter()
    outcomes = run_stage(Deduplicate(), [documents(texts[:1_500], repo="o/a"), documents(texts[1_500:], repo="o/b")])
    assert time.perf_counter() - began < 10
    assert [outcome.kept.num_rows for outcome in outcomes] == [1, 0]
    counts = json.loads(side.get_bytes("counts.json"))
    assert counts["near_duplicates"] == 2_999
    assert counts["candidates"] < 20 * 3_000


# --- against brute force


def greedy(texts: list[str], stage: Deduplicate) -> tuple[list[int], dict[int, tuple[int, float]]]:
    """The rule, one document after the other with datasketch's index: the kept ones, and (canonical, similarity)."""
    index = datasketch.MinHashLSH(threshold=0.5, num_perm=stage.permutations, params=(stage.bands, stage.rows))
    maker = datasketch.MinHash(
        stage.permutations, seed=stage.seed, scheme="affine32", hashfunc=lambda h: h & 0xFFFFFFFF
    )
    kept: list[int] = []
    cites: dict[int, tuple[int, float]] = {}
    for number, text in enumerate(texts):
        equal = [other for other in kept if texts[other] == text]
        if equal:
            cites[number] = (equal[0], 1.0)
            continue
        shingles = shingles_of(text)
        minhash = maker.copy()
        minhash.clear()
        minhash.update_batch([hash_of(shingle) for shingle in shingles])
        near = [(-jaccard_of(text, texts[other]), other) for other in index.query(minhash)] if shingles else []
        best, other = min(near, default=(0.0, -1))
        if near and -best >= stage.threshold:
            cites[number] = (other, -best)
            continue
        kept.append(number)
        if shingles:
            index.insert(number, minhash)
    return kept, cites


FAMILIES = st.lists(
    st.tuples(
        st.integers(0, 2),  # family
        st.lists(st.tuples(st.integers(0, 39), st.sampled_from(WORDS)), max_size=3),  # edits
        st.sampled_from([0, 4, 5, 20, 40]),  # length
    ),
    min_size=1,
    max_size=14,
)


def family_member(family: int, edits: list[tuple[int, str]], length: int) -> str:
    text = words(family, 40)
    for position, word in edits:
        text[position] = word
    return " ".join(text[:length])


@settings(max_examples=80, deadline=None)
@given(
    members=FAMILIES,
    cuts=st.sets(st.integers(0, 14)),
    threshold=st.sampled_from([0.3, 0.7, 1.0]),
    leaders=st.sampled_from([(1,) * 14, (1, 2, 20), buckets.LEADERS]),
    small=st.booleans(),
    put_by=st.sampled_from([0, 1, verification.PUT_BY]),  # texts of no, some and all documents that come again
)
def test_greedy_choice_is_that_of_one_document_after_the_other(
    tmp_path_factory: pytest.TempPathFactory,
    members: list[tuple[int, list[tuple[int, str]], int]],
    cuts: set[int],
    threshold: float,
    leaders: tuple[int, ...],
    small: bool,
    put_by: int,
) -> None:
    """However many rounds it takes, and in however many partitions, groups and pieces the work is cut."""
    texts = [family_member(*member) for member in members]
    stage = Deduplicate(threshold=threshold, bands=60, rows=3)
    bounds = sorted({0, len(texts), *(cut for cut in cuts if cut < len(texts))})
    table = documents(texts)
    tables = [table.slice(start, stop - start) for start, stop in pairwise(bounds)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buckets, "LEADERS", leaders)
        patch.setattr(verification, "PUT_BY", put_by)
        if small:
            cut_finely(patch)
        outcomes = prepared(tmp_path_factory.mktemp("run"), stage, tables)[0]
    dropped = {int(name.split("-")[1]): detail for name, detail in drops(outcomes).items()}
    kept = [number for number in range(len(texts)) if number not in dropped]

    for number, detail in dropped.items():  # every drop cites a kept document that is as near as it says
        canonical = int(detail["canonical"].split("-")[1])
        assert canonical in kept
        exact = texts[number] == texts[canonical]
        assert detail["reason"] == ("exact_duplicate" if exact else "near_duplicate")
        similarity = 1.0 if exact else jaccard_of(texts[number], texts[canonical])
        assert similarity >= threshold
        assert detail["jaccard"] == round(similarity, 4)
    assert len({texts[number] for number in kept}) == len(kept)

    expected, cites = greedy(texts, stage)
    assert kept == expected
    shingled = [frozenset(shingles_of(text)) or text for text in texts]
    for number, (canonical, _) in cites.items():
        if shingled.index(shingled[number]) == number:  # copies cite what the first of them cites
            assert dropped[number]["canonical"] == f"o/r-{canonical:04d}"


def cut_finely(patch: pytest.MonkeyPatch) -> None:
    """Lets a handful of documents be more than one partition, group or piece can take."""
    for module in (buckets, equal_sets, ranking):
        patch.setattr(module, "BUDGET", 300)
    patch.setattr(deduplicate, "TEXT_BUDGET", 300)
    patch.setattr(verification, "SENT_AT_ONCE", 100)
    patch.setattr(buckets, "PAIRS_AT_ONCE", 3)
    patch.setattr(near_documents, "GROUP_DOCUMENTS", 1)


def corpus_in(root: Path, tables: Sequence[pa.Table], executor: InlineExecutor | None = None) -> Corpus:
    side = Side(Storage(root), "pass/side", root, Worker())
    paths = {f"{number:05d}": f"input/{number:05d}.parquet" for number in range(len(tables))}
    for path, table in zip(paths.values(), tables, strict=True):
        side.store.write_table(path, table)
    return Corpus(side.store, paths, side, executor or InlineExecutor())


def prepared(
    root: Path, stage: Deduplicate, tables: Sequence[pa.Table], executor: InlineExecutor | None = None
) -> tuple[list[Outcome], dict[str, bytes]]:
    """Outcomes, and every side file's bytes."""
    corpus = corpus_in(root, tables, executor)
    side = corpus.side
    stage.prepare(corpus, side)
    outcomes = [stage.apply(corpus.read(shard), side.for_shard(shard)) for shard in corpus.shards]
    files = {str(p.relative_to(root)): p.read_bytes() for p in sorted((root / "pass").rglob("*")) if p.is_file()}
    return outcomes, files


def test_a_node_with_more_candidates_than_a_round_allows_is_compared_with_all(tmp_path: Path) -> None:
    # Forty far relatives that all stay, then a near copy of the last: found although it shares buckets with all.
    base, own = words(1, 60), [words(seed, 40) for seed in range(2, 42)]
    texts = [" ".join(base + tail) for tail in own]
    texts.append(texts[-1] + " end")
    stage = Deduplicate(bands=128, rows=2)
    outcomes, files = prepared(tmp_path, stage, [documents(texts)])
    assert drops(outcomes) == {
        "o/r-0040": {
            "reason": "near_duplicate",
            "canonical": "o/r-0039",
            "canonical_repo": "o/r",
            "canonical_path": "39.py",
            "jaccard": round(96 / 97, 4),
        }
    }
    assert json.loads(files["pass/side/counts.json"])["rounds"] > 1


def test_signatures_spare_most_comparisons_and_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = words(1, 400)
    texts = [
        " ".join(base[: 40 * shared] + words(100 + number, 400 - 40 * shared))
        for number, shared in enumerate([10, 9, 8, 5, 5, 4] * 6)
    ]
    stage = Deduplicate(bands=128, rows=2)
    outcomes, files = prepared(tmp_path / "screened", stage, [documents(texts)])
    monkeypatch.setattr(screening, "SURE", 1e6)
    exact, exact_files = prepared(tmp_path / "exact", stage, [documents(texts)])
    assert outcomes == exact
    counts, exact_counts = (json.loads(some["pass/side/counts.json"]) for some in (files, exact_files))
    assert exact_counts.pop("rejected_by_estimate") == 0
    assert counts.pop("rejected_by_estimate") > 0.8 * counts["rejected"]
    assert counts == exact_counts
    assert 0 < counts["near_duplicates"] < 18


# --- runs


@settings(max_examples=15, deadline=None)
@given(count=st.integers(1, 150), step=st.integers(1, 50), seed=st.integers(0, 1 << 32))
def test_ranks_are_the_order_by_policy_and_id_in_however_many_ranges(
    tmp_path_factory: pytest.TempPathFactory, count: int, step: int, seed: int
) -> None:
    """Repositories made within seconds of each other: keys that differ in the last of their 58 bits."""
    choose = random.Random(seed)
    rows = [(choose.choice([None, 0, 1 << 20]), choose.randrange(40), choose.randrange(90)) for _ in range(count)]
    table = documents(
        ["x"] * count,
        id=[f"{name:02}" for _, _, name in rows],
        stars=[stars for stars, _, _ in rows],
        created=[YOUNG + timedelta(seconds=age) for _, age, _ in rows],
    )
    tables = [table.slice(first, step) for first in range(0, count, step)]
    corpus = corpus_in(tmp_path_factory.mktemp("run"), tables)
    prefer = Deduplicate().prefer
    with pytest.MonkeyPatch.context() as patch:
        cut_finely(patch)
        found = near_documents.Documents.of(None, corpus.shards, np.array([len(part) for part in tables]), 2)
        ranks = ranking.rank(corpus, found, [ranking.sample_keys(part, prefer) for part in tables], prefer)
        by_shard = [ranking.read_ranks(corpus.side, found, ranks, group) for group in found.all_groups]
    ranked = np.concatenate([shard[number] for shard in by_shard for number in shard]).tolist()
    stars = [-1 if stars is None else stars for stars, _, _ in rows]
    expected = sorted(range(count), key=lambda row: (-stars[row], *rows[row][1:], row))
    assert [ranked[row] for row in expected] == list(range(count))


class Interrupted(InlineExecutor):
    """Ends each task before it writes for the `writes + 1`th time, and runs it again, as when its worker was killed."""

    def __init__(self, writes: int) -> None:
        super().__init__()
        self.writes = writes

    def map(self, task: Callable[..., Any], items: Iterable[Any], **options: Any) -> Iterator[tuple[int, Any]]:
        write = Storage.write_bytes
        for index, item in enumerate(items):
            left = self.writes

            def until_killed(store: Storage, path: str, data: Any, **how: Any) -> None:
                nonlocal left
                if left == 0:
                    raise KeyboardInterrupt
                left -= 1
                write(store, path, data, **how)

            with pytest.MonkeyPatch.context() as patch, suppress(KeyboardInterrupt):
                patch.setattr(Storage, "write_bytes", until_killed)
                task(item, Worker())
            yield index, task(item, Worker())


@pytest.mark.parametrize("writes", [0, 1, 2, 3, 99])
def test_a_task_that_is_run_again_after_any_of_its_writes_changes_nothing(tmp_path: Path, writes: int) -> None:
    base, own = words(1, 60), [words(seed, 40) for seed in range(2, 14)]
    texts = [" ".join(base + tail) for tail in own] + [" ".join(base + tail) + " end" for tail in own]
    tables, stage = [documents(texts[:9]), documents(texts[9:], repo="o/s")], Deduplicate(bands=128, rows=2)
    undisturbed, files = prepared(tmp_path / "one", stage, tables)
    assert len(drops(undisturbed)) == 12
    assert json.loads(files["pass/side/counts.json"])["rounds"] > 1
    assert prepared(tmp_path / "two", stage, tables, Interrupted(writes)) == (undisturbed, files)


def test_packing_does_not_matter_and_equal_runs_write_equal_bytes(tmp_path: Path, real_files: list[str]) -> None:
    texts = real_files[:40] + [edited(text, 0.05, seed) for seed, text in enumerate(real_files[:40])] + real_files[:5]
    table = documents(texts)
    one, files = prepared(tmp_path / "one", Deduplicate(), [table.slice(0, 50), table.slice(50)])
    again, files_again = prepared(tmp_path / "again", Deduplicate(), [table.slice(0, 50), table.slice(50)])
    packed, _ = prepared(tmp_path / "packed", Deduplicate(), [table.slice(start, 9) for start in range(0, 85, 9)])
    assert files == files_again
    assert drops(one) == drops(again) == drops(packed)
    assert len(drops(one)) > 30


def test_slices_of_a_shard_and_empty_shards_are_judged_alike(run_stage: RunStage, side: Side) -> None:
    text = " ".join(words(1))
    table = documents([text, "x", text, "x"])
    whole, empty = run_stage(Deduplicate(), [table, table.slice(0, 0)])
    parts = [Deduplicate().apply(table.slice(start, 1), side.for_shard("00000")) for start in range(4)]
    assert pa.concat_tables([part.decisions for part in parts]).equals(whole.decisions)
    assert pa.concat_tables([part.kept for part in parts]).equals(whole.kept.combine_chunks())
    assert (empty.kept.num_rows, empty.decisions.num_rows) == (0, 0)


def test_signatures_can_be_looked_up_with_datasketch(run_stage: RunStage, side: Side) -> None:
    texts = [" ".join(words(1)), "", " ".join(words(2))]
    run_stage(Deduplicate(), [documents(texts)])
    rows = side.get_shard("signature", shard="00000").to_pylist()
    assert [row["shingles"] for row in rows] == [196, 0, 196]
    assert rows[1]["minhash"] is None
    index = datasketch.MinHashLSH(threshold=0.7, num_perm=256, params=(25, 10))
    for row in rows[::2]:
        values = np.array(row["minhash"], np.uint32)
        index.insert(row["id"], datasketch.LeanMinHash(seed=42, hashvalues=values, scheme="affine32"))
    hashes = [hash_of(shingle) & 0xFFFFFFFF for shingle in shingles_of(texts[2] + " end")]
    query = datasketch.MinHash(256, seed=42, scheme="affine32", hashfunc=int)
    query.update_batch(hashes)
    assert index.query(query) == ["o/r-0002"]


def test_an_empty_corpus_is_no_error(run_stage: RunStage) -> None:
    assert run_stage(Deduplicate(), []) == []
    (outcome,) = run_stage(Deduplicate(), [documents([])])
    assert outcome.kept.num_rows == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"bands": 30, "rows": 10}, "30 bands of 10 rows need 300 permutations but there are 256; lower bands or rows"),
        ({"permutations": 128}, "42 bands of 6 rows need 252 permutations but there are 128"),
        ({"preset": "starcoder", "permutations": 128}, "25 bands of 10 rows need 250 permutations"),
        ({"preset": "bigcode"}, "'quarry' or 'starcoder'"),
        ({"preset": ["quarry"]}, "'quarry' or 'starcoder'"),
        ({"prefer": ["stars", "stars"]}, "each criterion may stand once"),
        ({"prefer": ["forks"]}, "'permissive', 'stars', 'not_fork' or 'oldest'"),
        ({"threshold": 1.5}, "less than or equal to 1"),
        ({"threshold": 0.0}, "greater than 0"),
        ({"ngram": 0}, "greater than or equal to 1"),
    ],
)
def test_impossible_settings_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        Deduplicate(**fields)
    assert len(caught.value.errors()) == 1
