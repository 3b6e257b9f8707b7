"""Files of a run under one root, a local path or any fsspec URL, written so that a reader never sees half a file.

On a local disk a file is written under a temporary name, synced and renamed; elsewhere it is one object. Parquet is
zstd with a page index and row groups of at most 8 MiB of text, and equal tables give equal bytes.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlsplit

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import RunFailed, UsageError
from pipeline.files import TEMPORARY as TEMPORARY
from pipeline.files import Buffer, Files, LocalFiles

ROW_GROUP_BYTES = 8 << 20
# A dictionary of these would only cost time.
DISTINCT = frozenset({"id", "blob", "text", "input_ids", "value_hmac", "content", "set_key", "minhash"})
REQUESTS_AT_ONCE = 32

Item = TypeVar("Item")
T = TypeVar("T")


class Storage:
    """A folder; every path given to it is relative, with forward slashes."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = os.fspath(root).rstrip("/") or os.fspath(root)[:1]
        self.files = _open_files(self.root)
        self.local = isinstance(self.files, LocalFiles)

    def full(self, path: str) -> str:
        """The path as `open` or fsspec knows it: a local path, or a URL."""
        return self.files.full(path)

    def write_bytes(self, path: str, data: Buffer, *, synced: bool = True) -> None:
        """`synced=False` spares a temporary file the wait for the disk."""
        self.files.write(path, data, synced)

    def read_bytes(self, path: str) -> bytes:
        return self.files.read(path)

    def upload(self, source: str | os.PathLike[str], path: str) -> None:
        """Write the content of a local file, of any size."""
        self.files.upload(os.fspath(source), path)

    def open(self, path: str) -> BinaryIO:
        """A file for random access; of a large one elsewhere, only what is read is fetched."""
        return self.files.open(path)

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

    def read_table(
        self, path: str, columns: Sequence[str] | None = None, where: tuple[str, str] | None = None
    ) -> pa.Table:
        """A Parquet file, or these columns of it; `where` (column, value) takes only the rows that hold the value.

        Of a file elsewhere, no more is fetched than that takes. Raises RunFailed where the file is damaged.
        """
        listed = None if columns is None else list(columns)
        with self._undamaged(path), io.BytesIO(self.read_bytes(path)) if listed is None else self.open(path) as file:
            if where is not None:
                return pq.read_table(file, columns=listed, filters=[(where[0], "=", where[1])])
            return pq.ParquetFile(file, pre_buffer=not self.local).read(columns=listed)

    def read_rows(self, path: str, rows: np.ndarray, columns: Sequence[str]) -> pa.Table:
        """These columns of a Parquet file's rows with these numbers, in their order.

        Row groups that hold none of them are left out, the others read one after the other. Raises RunFailed where the
        file is damaged.
        """
        with self._undamaged(path), self.open(path) as file:
            parquet, names = pq.ParquetFile(file, pre_buffer=not self.local), list(columns)
            sizes = [parquet.metadata.row_group(group).num_rows for group in range(parquet.num_row_groups)]
            ends = np.cumsum(sizes, dtype=np.int64)
            group_of = np.searchsorted(ends, rows, side="right")
            order = np.argsort(group_of, kind="stable")
            groups, starts = np.unique(group_of[order], return_index=True)
            pieces = [pa.schema([parquet.schema_arrow.field(name) for name in names]).empty_table()]
            for group, chosen in zip(groups.tolist(), np.split(order, starts[1:]), strict=False):
                table = parquet.read_row_group(group, columns=names).select(names)
                pieces.append(table.take(pa.array(rows[chosen] - (ends[group] - sizes[group]))))
            found = pa.concat_tables(pieces)
            return found if (np.diff(order) == 1).all() else found.take(pa.array(np.argsort(order)))

    def read_schema(self, path: str) -> pa.Schema:
        """A Parquet file's schema; RunFailed where it is damaged."""
        with self._undamaged(path), self.open(path) as file:
            return pq.read_schema(file)

    @contextmanager
    def _undamaged(self, path: str) -> Iterator[None]:
        """Says which file it was where Arrow cannot make sense of one."""
        try:
            yield
        except (pa.ArrowInvalid, OSError) as error:
            if isinstance(error, FileNotFoundError) or (isinstance(error, OSError) and error.errno is not None):
                raise
            raise RunFailed(
                f"'{self.full(path)}' is damaged ({_first_line(error)}); remove it and run again."
            ) from None

    def exists(self, path: str) -> bool:
        """Whether there is such a file or folder."""
        return self.files.exists(path)

    def size(self, path: str) -> int | None:
        """Bytes of the file, or None where there is none."""
        return self.files.size(path)

    def sizes(self, path: str = "") -> dict[str, int | None]:
        """Files right below `path` with their bytes, and folders with None, sorted; none where it does not exist."""
        return dict(sorted(self.files.sizes(path).items()))

    def names(self, path: str = "") -> list[str]:
        """Names of files and folders right below `path`, sorted; none where it does not exist."""
        return list(self.sizes(path))

    def move(self, source: str, target: str) -> None:
        """Move a file. Elsewhere than on a disk it is copied, then removed: killed in between, both are there."""
        self.files.move(source, target)

    def remove(self, path: str) -> None:
        """Remove a file or a folder with all below it; nothing happens where there is none."""
        self.files.remove(path)

    def remove_unfinished(self, path: str = "") -> None:
        """Remove what a killed process was still writing below `path`."""
        self.files.remove_unfinished(path)

    def each(self, read: Callable[[Item], T], items: Sequence[Item]) -> list[T]:
        """`read(item)` for every item, in order; many at once where each is a request."""
        if self.local or len(items) < 2:
            return [read(item) for item in items]
        with ThreadPoolExecutor(min(REQUESTS_AT_ONCE, len(items))) as pool:
            return list(pool.map(read, items))


def read_file(path: str) -> bytes:
    """A file at a local path or URL, outside any run: a recipe, a list, a tokenizer.

    Raises FileNotFoundError and what else `open` may; UsageError or RunFailed where a store does not give it.
    """
    folder, _, name = path.rpartition("/")
    return Storage(folder or ("/" if path.startswith("/") else ".")).read_bytes(name)


def _open_files(root: str) -> Files:
    scheme = root.split("://")[0] if "://" in root else "file"
    if not root or "\0" in root:
        raise UsageError(f"'{root}' is no directory for a run; name one.")
    if scheme in ("file", "local"):
        return LocalFiles(fsspec.core.url_to_fs(root)[1])
    if "@" in urlsplit(root).netloc:
        raise UsageError(
            "a URL holds credentials, which are kept out of runs; leave them out of it, and give them as the settings "
            "of the store's client, such as AWS_PROFILE."
        )
    # Only who works on a URL should wait for these to be imported.
    from pipeline.remote import RemoteFiles
    from pipeline.s3 import PROTOCOLS, S3Files

    try:
        return S3Files(root) if scheme in PROTOCOLS else RemoteFiles(root)
    except (ImportError, ValueError) as error:
        raise UsageError(f"'{root}' cannot be used ({_first_line(error)}).") from None


def _first_line(error: Exception) -> str:
    return str(error).split("\n")[0].rstrip(".")


def parquet_bytes(table: pa.Table) -> bytes:
    """The table as a Parquet file."""
    sink = pa.BufferOutputStream()
    repeated = [name for name in table.column_names if name not in DISTINCT]
    options = {"compression": "zstd", "write_page_index": True, "use_dictionary": repeated}
    with pq.ParquetWriter(sink, table.schema, **options) as writer:
        for start, stop in _row_groups(table):
            # In one piece, as pages would end where a piece does.
            writer.write_table(table.slice(start, stop - start).combine_chunks(), row_group_size=max(1, stop - start))
    written: bytes = sink.getvalue().to_pybytes()
    return written


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
