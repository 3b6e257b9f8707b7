"""The benchmark of speed runs, and its sides do the same work: what is planted is found by all of them."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path

import datasketch
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import deduplicate_peers as peers
from benchmarks import deduplicate_speed as speed
from benchmarks.deduplicate_stage import quarry_stage
from pipeline.errors import UsageError
from stages.shingles import Utf8, signatures

ORIGINALS = 10


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Modules of the standard library, each followed by an equal copy and by one with a line more."""
    paths = sorted(Path(json.__file__).parents[1].glob("*.py"))
    found = [path.read_text(encoding="utf-8") for path in paths if 3_000 < path.stat().st_size < 6_000][:ORIGINALS]
    assert len(found) == ORIGINALS
    return [copy for text in found for copy in (text, text, text + "\n# one remark more\n")]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    """A folder with a Parquet file of the texts; the ids of an original and its copies begin alike."""
    folder = tmp_path_factory.mktemp("files")
    ids = [f"{number // 3}-{number % 3}" for number in range(len(texts))]
    pq.write_table(
        pa.table({"id": ids, "repo": ["o/r"] * len(ids), "path": ids, "text": texts}), folder / "some.parquet"
    )
    return folder


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory, files: Path, texts: list[str]) -> Path:
    """The same, as the benchmark takes it."""
    folder = tmp_path_factory.mktemp("taken") / "documents"
    speed.take_documents([files], sum(len(text.encode()) for text in texts), folder)
    return folder


def test_the_peers_shingles_are_ours(texts: list[str]) -> None:
    column = pa.chunked_array([pa.array(texts, pa.string())])
    minhash = datasketch.MinHash(peers.PERMUTATIONS, peers.SEED)
    signed = signatures(Utf8.of(column), peers.NGRAM, *minhash.permutations)
    assert signed.shingles.tolist() == [len(set(peers.shingles(text))) for text in texts]


@pytest.mark.parametrize("hashed", ["its SHA-1", "xxHash"])
def test_datasketch_finds_what_is_planted(texts: list[str], hashed: str) -> None:
    ways = peers.datasketch_signers()[hashed]
    assert len(ways) == 4
    for way in ways.values():
        signed = way(texts)
        for number in range(0, len(texts), 3):
            assert signed[number].jaccard(signed[number + 1]) == 1
            assert signed[number].jaccard(signed[number + 2]) > 0.9
            assert signed[number].jaccard(signed[number - 1]) < 0.5


def test_the_stages_keep_one_of_each_original(documents: Path, tmp_path: Path) -> None:
    for stage in (quarry_stage, peers.datatrove_stage):
        out = tmp_path / stage.__name__
        assert speed.run_stage(stage, documents, out) > 0
        kept = Counter(name.split("-")[0] for name in speed.kept_ids(out))
        assert kept == dict.fromkeys(map(str, range(ORIGINALS)), 1)


def test_the_rows_of_the_table(files: Path, tmp_path: Path) -> None:
    table = speed.take_documents([files], 20_000, tmp_path / "documents")
    rows = list(speed.compare_signatures(table, tmp_path / "documents", tmp_path, rounds=1))
    assert len(rows) == 6
    assert all(re.fullmatch(r"\| .+ \| .+ MB/s \| .+ MB/s \| \S+ \(\S+-\S+\) \|", row) for row in rows)


def test_peak_memory_is_some_hundred_megabytes(documents: Path, tmp_path: Path) -> None:
    assert 50e6 < speed.stage_peak(documents, tmp_path) < 1e9


def test_more_than_there_is_cannot_be_compared(files: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the files have 0\.\d MB of text, not 5\.0: name more, or ask for less"):
        speed.take_documents([files], 5_000_000, tmp_path / "documents")


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "rensa", None)  # as if it were not there, whether it is or not
    monkeypatch.setattr(sys, "argv", ["deduplicate_speed", "somewhere"])
    with pytest.raises(SystemExit) as stopped:
        speed.main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "rensa cannot be imported: install quarry[bench]\n"
