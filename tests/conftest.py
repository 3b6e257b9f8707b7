"""Fixtures every test may use: a side and a corpus on a temporary folder, worked on in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.inline import InlineExecutor
from pipeline.side import Corpus, Side, Worker
from pipeline.stage import Outcome, Stage
from pipeline.storage import Storage


@pytest.fixture
def side(tmp_path: Path) -> Side:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Side(Storage(tmp_path / "run"), "pass/side", scratch, Worker())


@pytest.fixture
def corpus_of(side: Side) -> Callable[[Sequence[pa.Table]], Corpus]:
    """Makes a corpus whose shards are the given tables."""

    def make(tables: Sequence[pa.Table]) -> Corpus:
        paths = {}
        for number, table in enumerate(tables):
            paths[f"{number:05d}"] = path = f"input/{number:05d}.parquet"
            side.store.write_table(path, table)
        return Corpus(side.store, paths, side, InlineExecutor())

    return make


@pytest.fixture
def run_stage(
    side: Side, corpus_of: Callable[[Sequence[pa.Table]], Corpus]
) -> Callable[[Stage, Sequence[pa.Table]], list[Outcome]]:
    """Prepares a stage over the given shards and applies it to each."""

    def run(stage: Stage, tables: Sequence[pa.Table]) -> list[Outcome]:
        corpus = corpus_of(tables)
        stage.prepare(corpus, side)
        if stage.source is None:
            return [stage.apply(corpus.read(shard), side.for_shard(shard)) for shard in corpus.shards]
        names = [name.removesuffix(".parquet") for name in side.store.names(f"{side.folder}/{stage.source}")]
        return [stage.apply(side.get_shard(stage.source, shard=name), side.for_shard(name)) for name in names]

    return run
