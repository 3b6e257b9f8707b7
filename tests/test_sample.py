"""Sample: caps hold to within a bin, shares hold on average, and nothing but seed and id decides who stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.inline import InlineExecutor
from pipeline.law import judge
from pipeline.side import Corpus, Side, Worker
from pipeline.stage import Outcome, Stage
from pipeline.storage import Storage
from stages import chance, sample
from stages.sample import BINS, Sample

LANGUAGES = ("json", "yaml", "css", "python", None)
RunStage = Callable[[Stage, Sequence[pa.Table]], list[Outcome]]

# (language, bytes of text) of each document.
corpora = st.lists(st.tuples(st.sampled_from(LANGUAGES), st.integers(0, 40)), max_size=60)


def documents(rows: Sequence[tuple[str | None, int]], start: int = 0) -> pa.Table:
    ids = pa.array([f"{start + row:032x}" for row in range(len(rows))], pa.string())
    names = pa.array([name for name, _ in rows], pa.string())
    return pa.table([ids, names, pa.array(["x" * size for _, size in rows], pa.string())], schema=Sample.takes)


def kept(folder: Path, stage: Sample, shards: Sequence[pa.Table]) -> dict[str, tuple[str | None, int]]:
    """id -> (language, bytes) of what a run over these shards keeps."""
    store = Storage(folder)
    side = Side(store, "side", folder, Worker())
    paths = {f"{number:05d}": f"input/{number:05d}.parquet" for number in range(len(shards))}
    for path, shard in zip(paths.values(), shards, strict=True):
        store.write_table(path, shard)
    stage.prepare(Corpus(store, paths, side, InlineExecutor()), side)
    rows = [row for shard in shards for row in judge(stage, "sample", shard, side).kept.to_pylist()]
    return {row["id"]: (row["language"], len(row["text"])) for row in rows}


def in_python(stage: Sample, table: pa.Table) -> set[str]:
    """The ids that stay: of each language the bins that fit below the cap, one after the other."""
    stays, rows = set(), table.to_pylist()
    for language in LANGUAGES:
        drawn = [(chance.uniform(stage.seed, "sample", [r["id"]])[0, 0], r) for r in rows if r["language"] == language]
        drawn = [(at, row) for at, row in drawn if at < stage.shares.get(str(language), 1.0)]
        room = stage.caps.get(str(language), 1 << 60)
        for place in sorted({int(at * BINS) for at, _ in drawn}):
            inside = [row for at, row in drawn if int(at * BINS) == place]
            room -= sum(len(row["text"]) for row in inside)
            if room < 0:
                break
            stays |= {row["id"] for row in inside}
    return stays


@settings(deadline=None, max_examples=25)
@given(
    corpora,
    st.dictionaries(st.sampled_from(["json", "css"]), st.integers(0, 600)),
    st.dictionaries(st.sampled_from(["json", "yaml"]), st.floats(0, 1)),
    st.integers(0, 3),
    st.integers(1, 9),
)
def test_caps_hold_and_the_layout_of_the_shards_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str | None, int]],
    caps: dict[str, int],
    shares: dict[str, float],
    seed: int,
    per_shard: int,
) -> None:
    stage, table = Sample(caps=caps, shares=shares, seed=seed), documents(rows)
    order = np.random.default_rng(seed).permutation(len(rows))
    shuffled = table.take(pa.array(order))
    layouts = [[table], [shuffled.slice(at, per_shard) for at in range(0, len(rows), per_shard)]]
    found = [kept(tmp_path_factory.mktemp("run"), stage, shards) for shards in layouts]
    assert found[0] == found[1]
    assert found[0].keys() == in_python(stage, table)
    for name, cap in caps.items():
        assert sum(size for language, size in found[0].values() if language == name) <= cap


def test_a_cap_is_filled_to_within_a_bin(tmp_path: Path) -> None:
    rows = [("json", 1 + row % 7) for row in range(3000)]
    found = kept(tmp_path, Sample(caps={"json": 5000}), [documents(rows[:1000]), documents(rows[1000:], 1000)])
    assert 5000 - 7 < sum(size for _, size in found.values()) <= 5000
    (counts,) = Storage(tmp_path).read_table("side/bins.parquet").to_pylist()
    assert counts["bytes"] == sum(size for _, size in rows)
    assert counts["kept_bytes"] == sum(size for _, size in found.values())


def test_a_lower_cap_keeps_some_of_what_a_higher_one_keeps_and_a_seed_draws_others(tmp_path: Path) -> None:
    shards = [documents([("css", 10)] * 400)]
    less, more, other = (
        kept(tmp_path / str(number), stage, shards).keys()
        for number, stage in enumerate(
            [Sample(caps={"css": 1000}), Sample(caps={"css": 2000}), Sample(caps={"css": 2000}, seed=1)]
        )
    )
    assert less < more
    assert len(more) == len(other) == 200
    assert more != other


def test_a_share_is_kept_and_the_decision_says_which(run_stage: RunStage) -> None:
    stage = Sample(caps={"json": 0}, shares={"yaml": 0.25})
    (result,) = run_stage(stage, [documents([("yaml", 10)] * 2000 + [("json", 10), ("python", 10)])])
    languages = result.kept["language"].to_pylist()
    assert languages.count("yaml") == pytest.approx(500, abs=80)
    assert languages[-1] == "python"
    told = {stage.explain(decision) for decision in result.decisions.to_pylist()}
    assert told == {
        "a share of 0.25 of the documents in yaml is kept, and the draw left it out",
        "no more than 0 bytes of json are kept, and the draw left it out",
    }


def test_shards_that_are_counted_together_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "GROUPS", 2)
    shards = [documents([("json", 5)] * 3, 3 * number) for number in range(5)]
    assert len(kept(tmp_path, Sample(caps={"json": 40}), shards)) == 8


def test_starcoders_caps_are_the_default_and_a_misspelt_language_is_refused() -> None:
    assert Sample().caps == {"json": 1_000_000_000, "yaml": 1_000_000_000, "css": 3_000_000_000}
    with pytest.raises(ValidationError, match=r"'JSNO' is not a language of .*; the nearest is 'json'"):
        Sample(caps={"JSNO": 1})
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        Sample(shares={"json": 1.5})
