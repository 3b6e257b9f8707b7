"""Who stays in place of removed documents: the same as if deduplication had never seen them."""

from __future__ import annotations

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
from pipeline.inline import InlineExecutor
from pipeline.side import Corpus
from stages.deduplicate import Deduplicate
from stages.near_duplicates.re_election import re_elect
from tests.test_deduplicate import corpus_in, documents, family_member

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


MEMBERS = st.lists(
    st.tuples(
        st.integers(0, 1),  # family
        st.lists(st.tuples(st.integers(0, 39), st.sampled_from(["red", "green", "blue"])), max_size=4),  # edits
        st.sampled_from([0, 4, 20, 40, 40, 40]),  # length
        st.integers(0, 2),  # stars
        st.sampled_from(["permissive", "permissive", "copyleft"]),
    ),
    min_size=2,
    max_size=24,
)


@settings(max_examples=250, deadline=None)
@given(
    members=MEMBERS,
    cuts=st.sets(st.integers(0, 24), max_size=3),
    choice=st.data(),
    threshold=st.sampled_from([0.3, 0.5, 0.7, 1.0]),
    there=st.booleans(),
)
def test_the_outcome_is_that_of_a_rebuild(
    tmp_path_factory: pytest.TempPathFactory,
    members: list[tuple[int, list[tuple[int, str]], int, int, str]],
    cuts: set[int],
    choice: st.DataObject,
    threshold: float,
    there: bool,
) -> None:
    """Whether the removed rows are still in what the pass read, or not."""
    texts = [family_member(*member[:3]) for member in members]
    columns: dict[str, Any] = {"stars": [member[3] for member in members]}
    table = documents(texts, **columns, license_type=[member[4] for member in members])
    bounds = sorted({0, len(texts), *(cut for cut in cuts if cut < len(texts))})
    tables = [table.slice(start, stop - start) for start, stop in pairwise(bounds)]
    stage = Deduplicate(threshold=threshold, bands=60, rows=3)
    root = tmp_path_factory.mktemp("run")
    corpus = prepared(root / "whole", stage, tables)
    removed = sorted(choice.draw(st.sets(st.sampled_from(table["id"].to_pylist()), min_size=1, max_size=6)))
    rest = prepared(root / "rest", stage, [without(part, removed) for part in tables])
    if not there:
        for shard, path in corpus.paths.items():
            corpus.store.write_table(path, without(corpus.read(shard), removed))
    replaced, found = judged_again(corpus, stage, removed)
    assert {shard: table.to_pylist() for shard, table in found.items()} == {
        shard: table.to_pylist() for shard, table in edges(rest).items()
    }
    for shard, new in replaced.items():
        assert new.schema.equals(schema.EDGE, check_metadata=True)
        assert not new.equals(without(corpus.side.get_shard("edge", shard=shard), removed))
