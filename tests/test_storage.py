"""Files are whole or not there, equal tables give equal bytes, and row groups stay small enough to read one by one."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import storage
from pipeline.errors import RunFailed, UsageError
from pipeline.storage import ROW_GROUP_BYTES, Storage, parquet_bytes, read_file, row_bytes
from tests.toy import documents


def test_row_groups_hold_at_most_8_mib_of_text_or_one_document(tmp_path: Path) -> None:
    texts = ["x" * (3 << 20)] * 5 + ["y" * (20 << 20)] + ["z"] * 100
    store = Storage(tmp_path)
    store.write_table("a/t.parquet", documents(texts))
    metadata = pq.ParquetFile(tmp_path / "a/t.parquet").metadata
    rows = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    assert rows == [2, 2, 1, 1, 100]
    assert metadata.row_group(0).column(13).compression == "ZSTD"
    assert metadata.row_group(0).column(0).has_column_index
    assert metadata.row_group(0).column(13).has_offset_index
    assert ROW_GROUP_BYTES == 8 << 20
    assert store.read_table("a/t.parquet")["text"].to_pylist() == texts


@given(st.lists(st.text(max_size=20), max_size=40), st.integers(0, 40), st.integers(0, 40))
def test_equal_tables_give_equal_bytes_however_they_are_cut(texts: list[str], start: int, stop: int) -> None:
    whole = documents(texts)
    pieces = pa.concat_tables(
        [whole.slice(0, start), whole.slice(start, max(0, stop - start)), whole.slice(max(start, stop))]
    )
    assert row_bytes(pieces["text"]).tolist() == [len(text.encode()) for text in texts]
    assert parquet_bytes(pieces) == parquet_bytes(whole)


FULL = """
import resource, sys
from pipeline.storage import Storage
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
Storage(sys.argv[1]).write_bytes("a/file", b"x" * 5000)
"""


def test_a_write_that_fails_leaves_the_old_file_and_no_half_one(tmp_path: Path) -> None:
    store = Storage(tmp_path)
    store.write_bytes("a/file", b"old")
    script = [sys.executable, "-c", FULL, str(tmp_path)]
    failed = subprocess.run(script, capture_output=True, text=True, check=False)
    assert "File too large" in failed.stderr
    assert store.read_bytes("a/file") == b"old"
    assert store.names("a") == ["file"]
    assert resource.RLIMIT_FSIZE  # the limit was the child's, not ours
    store.write_bytes("a/file", b"x" * 5000)


def test_a_storage_on_another_file_system_behaves_the_same() -> None:
    store = Storage("memory://bucket/run")
    table = documents(["one", "two"])
    store.write_table("p/documents/00000.parquet", table)
    assert store.read_table("p/documents/00000.parquet").equals(table)
    assert store.names("p") == ["documents"]
    assert store.size("p/gone") is None
    store.move("p/documents/00000.parquet", "q/1.parquet")
    assert store.names("p/documents") == []
    assert store.exists("q/1.parquet")
    store.remove("q")
    assert not store.exists("q/1.parquet")


@pytest.mark.parametrize("root", ["local", "memory://read/run"])
def test_rows_and_columns_of_a_table_are_read_alone(root: str, tmp_path: Path) -> None:
    store = Storage(tmp_path if root == "local" else root)
    table = documents(["one", "two", "two"])
    store.write_table("t.parquet", table)
    assert store.read_table("t.parquet", ["id"]).equals(table.select(["id"]))
    assert store.read_table("t.parquet", ["id"], where=("text", "two")).equals(table.select(["id"]).slice(1))
    assert store.read_schema("t.parquet").equals(table.schema)
    (tmp_path / "file").write_bytes(b"content")
    store.upload(tmp_path / "file", "folder/copy")
    assert store.sizes("folder") == {"copy": 7}
    assert read_file(f"{store.root}/folder/copy") == b"content"
    with pytest.raises(FileNotFoundError):
        read_file(f"{store.root}/folder/gone")


@given(st.lists(st.integers(0, 7), max_size=12), st.integers(1, 8))
def test_rows_are_read_in_the_order_they_are_asked_for(rows: list[int], group: int) -> None:
    store, table = Storage("memory://rows/run"), documents([f"text {number}" for number in range(8)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "ROW_GROUP_BYTES", 6 * group)
        store.write_table("t.parquet", table)
    read = store.read_rows("t.parquet", np.array(rows, np.int64), ["text", "id"])
    assert read.equals(table.select(["text", "id"]).take(pa.array(rows, pa.int64())))


READS: list[Callable[[Storage], object]] = [
    lambda store: store.read_table("t.parquet"),
    lambda store: store.read_rows("t.parquet", np.array([0]), ["id"]),
    lambda store: store.read_schema("t.parquet"),
]


@pytest.mark.parametrize("read", READS, ids=["table", "rows", "schema"])
def test_a_damaged_file_is_named(read: Callable[[Storage], object], tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(RunFailed, match=r"t\.parquet' is damaged .*; remove it and run again"):
        read(Storage(tmp_path))


def test_a_url_with_credentials_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="holds credentials") as refused:
        Storage("s3://key:hidden@bucket/run")
    assert "hidden" not in str(refused.value)


def test_reading_what_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Storage(tmp_path).read_bytes("gone")
    assert Storage(tmp_path).names("gone") == []
