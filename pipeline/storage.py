"""Files of a run under one root, a local path or any fsspec URL, written so that a reader never sees half a file.

On a local disk a file is written under a temporary name, synced and renamed; elsewhere it is one PUT. Parquet is zstd
with a page index and row groups of at most 8 MiB of text, and equal tables give equal bytes.
"""

from __future__ import annotations

import io
import json
import os
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import RunFailed, UsageError

ROW_GROUP_BYTES = 8 << 20
DISTINCT = frozenset({"id", "blob", "text", "input_ids", "value_hmac"})  # a dictionary of these would only cost time
TEMPORARY = ".tmp-"  # part of the name of every file that is still being written


class Storage:
    """A folder; every path given to it is relative, with forward slashes."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = os.fspath(root).rstrip("/")
        if not self.root or "\0" in self.root:
            raise UsageError(f"'{root}' is no directory for a run; name one.")
        try:
            self.fs, self.base = fsspec.core.url_to_fs(self.root)
        except (ImportError, ValueError) as error:
            raise UsageError(f"'{self.root}' cannot be used ({_first_line(error)}).") from None
        self.local = "file" in (self.fs.protocol if isinstance(self.fs.protocol, tuple) else (self.fs.protocol,))

    def __reduce__(self) -> tuple[type[Storage], tuple[str]]:
        return Storage, (self.root,)

    def full(self, path: str) -> str:
        """The path as the file system knows it."""
        return f"{self.base}/{path}" if path else self.base

    def write_bytes(self, path: str, data: bytes) -> None:
        target = self.full(path)
        if not self.local:
            self.fs.pipe_file(target, data)
            return
        os.makedirs(os.path.dirname(target), exist_ok=True)
        temporary = f"{target}{TEMPORARY}{uuid.uuid4().hex}"
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            if os.path.exists(temporary):
                os.unlink(temporary)
            raise

    def read_bytes(self, path: str) -> bytes:
        data: bytes = self.fs.cat_file(self.full(path))
        return data

    def write_json(self, path: str, value: Any) -> None:
        self.write_bytes(path, (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode())

    def read_json(self, path: str) -> Any:
        return json.loads(self.read_bytes(path))

    def read_record(self, path: str, *keys: str) -> dict[str, Any] | None:
        """A JSON object with at least `keys`; None where there is none, or it is damaged and so proves nothing."""
        try:
            found = self.read_json(path)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        return found if isinstance(found, dict) and found.keys() >= set(keys) else None

    def write_table(self, path: str, table: pa.Table) -> bytes:
        """Write `table` as Parquet and return the bytes that were written."""
        data = parquet_bytes(table)
        self.write_bytes(path, data)
        return data

    def read_table(self, path: str, columns: Sequence[str] | None = None) -> pa.Table:
        """A Parquet file, or these columns of it. Raises RunFailed where the file is damaged."""
        try:
            with self.fs.open(self.full(path), "rb") as file:
                return pq.ParquetFile(file).read(columns=None if columns is None else list(columns))
        except (pa.ArrowInvalid, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise RunFailed(
                f"'{self.full(path)}' is damaged ({_first_line(error)}); remove it and run again."
            ) from None

    def read_schema(self, path: str) -> pa.Schema:
        with self.fs.open(self.full(path), "rb") as file:
            return pq.read_schema(file)

    def exists(self, path: str) -> bool:
        found: bool = self.fs.exists(self.full(path))
        return found

    def size(self, path: str) -> int | None:
        """Bytes of the file, or None where there is none."""
        try:
            return int(self.fs.size(self.full(path)))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def names(self, path: str = "") -> list[str]:
        """Names of files and folders right below `path`, sorted; none where it does not exist."""
        try:
            found: Iterable[str] = self.fs.ls(self.full(path), detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name.rstrip("/").rsplit("/", 1)[-1] for name in found)

    def move(self, source: str, target: str) -> None:
        if self.local:
            os.makedirs(os.path.dirname(self.full(target)), exist_ok=True)
            os.replace(self.full(source), self.full(target))
        else:
            self.fs.mv(self.full(source), self.full(target))

    def remove(self, path: str) -> None:
        """Remove a file or a folder with all below it; nothing happens where there is none."""
        if self.fs.exists(self.full(path)):
            self.fs.rm(self.full(path), recursive=True)

    def remove_unfinished(self, path: str = "") -> None:
        """Remove what a killed process was still writing below `path`."""
        if self.local:
            for folder, _, files in os.walk(self.full(path)):
                for name in files:
                    if TEMPORARY in name:
                        os.unlink(os.path.join(folder, name))


def _first_line(error: Exception) -> str:
    return str(error).split("\n")[0].rstrip(".")


def parquet_bytes(table: pa.Table) -> bytes:
    """The table as a Parquet file."""
    sink = io.BytesIO()
    repeated = [name for name in table.column_names if name not in DISTINCT]
    options = {"compression": "zstd", "write_page_index": True, "use_dictionary": repeated}
    with pq.ParquetWriter(sink, table.schema, **options) as writer:
        for start, stop in _row_groups(table):
            writer.write_table(table.slice(start, stop - start), row_group_size=max(1, stop - start))
    return sink.getvalue()


def _row_groups(table: pa.Table) -> list[tuple[int, int]]:
    """Row ranges whose heaviest column (text, or input_ids) stays within ROW_GROUP_BYTES, a single row excepted."""
    heavy = next((name for name in ("text", "input_ids") if name in table.column_names), None)
    if table.num_rows == 0:
        return []  # some readers stumble over a row group without rows
    if heavy is None:
        return [(0, table.num_rows)]
    ends = np.cumsum(row_bytes(table.column(heavy)))
    groups, start = [], 0
    while start < table.num_rows:
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + ROW_GROUP_BYTES, side="right")))
        groups.append((start, stop))
        start = stop
    return groups


def row_bytes(column: pa.ChunkedArray) -> np.ndarray:
    """Bytes of each value of a string or list column, int64; nulls count 0."""
    sizes = []
    for chunk in column.chunks:
        offsets = np.frombuffer(chunk.buffers()[1], dtype=np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
        width = chunk.type.value_type.bit_width // 8 if pa.types.is_list(chunk.type) else 1
        sizes.append(np.diff(offsets.astype(np.int64)) * width)
    return np.concatenate(sizes) if sizes else np.zeros(0, dtype=np.int64)
