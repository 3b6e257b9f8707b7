"""Streams the rows of an existing dataset: Parquet and JSON lines on any fsspec file system, or a dataset of the Hub.

Parquet and JSON lines are read here, not by datatrove's readers: those pass over rows without text and over lines that
are no JSON with a line in a log, and make Python objects of columns nobody asked for. What is broken here raises.
datatrove's reader reads what `datasets.load_dataset` can load, which needs its help.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import fsspec
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import BotoCoreError, ClientError
from fsspec.utils import infer_compression

from pipeline.errors import QuarryError, RunFailed, UsageError
from stages.dataset_columns import check_columns
from stages.heritage import open_store

Format = Literal["parquet", "jsonl", "huggingface"]

BATCH_ROWS = 512
_ENDINGS = {"parquet": (".parquet",), "jsonl": (".jsonl", ".ndjson", ".json")}
_COMPRESSED = (".gz", ".zst", ".xz", ".bz2")


class Part(NamedTuple):
    """What is read in one go: a file, or a shard of a Hub dataset."""

    name: str  # unambiguous inside the dataset
    url: str
    size: int | None  # bytes, as it is stored
    etag: str | None  # what the file system tells its content by


def list_files(url: str, kind: Format) -> list[Part]:
    """The files of the dataset at `url` (a file, a glob, or a folder with all below it) in the order of their names.

    Raises UsageError where there are none.
    """
    fs, base = open_store(url)
    try:
        if fsspec.core.has_magic(base):
            found = fs.glob(base, detail=True)
        elif fs.isfile(base):
            found = {base: fs.info(base)}
        else:
            endings = tuple(end + packed for end in _ENDINGS[kind] for packed in ("", *_COMPRESSED))
            found = {path: info for path, info in fs.find(base, detail=True).items() if path.endswith(endings)}
    except (OSError, BotoCoreError, ClientError) as error:
        raise UsageError(f"'{url}' cannot be listed ({_told(error)}).") from None
    files = {path: info for path, info in found.items() if info["type"] == "file"}
    if not files:
        raise UsageError(f"'{url}' holds no {kind} files; give a file, a folder or a glob that has some.")
    paths = sorted(files)
    shared = len(paths[0].rsplit("/", 1)[0]) + 1 if len(paths) == 1 else _common(paths)
    return [Part(path[shared:], fs.unstrip_protocol(path), files[path]["size"], _etag(files[path])) for path in paths]


def read_file(part: Part, kind: Format, columns: Mapping[str, str]) -> Iterator[pa.Table]:
    """Tables of `columns` (target -> column) of a Parquet or JSON lines file; few hundred rows each.

    Raises UsageError where a column is not there, RunFailed, which names the file, where the file is broken.
    """
    fs, path = open_store(part.url)
    packed = infer_compression(part.url) if kind == "jsonl" else None
    try:
        with fsspec.core.OpenFile(fs, path, "rb", compression=packed) as file:
            if kind == "parquet":
                yield from _parquet(file, part, columns)
            else:
                yield from _json_lines(file, part, columns)
    except FileNotFoundError:
        raise RunFailed(f"'{part.url}' is gone since the dataset was listed; put it back and run again.") from None
    except QuarryError:
        raise
    except (pa.ArrowException, EOFError, OSError, ValueError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise RunFailed(f"'{part.url}' cannot be read now ({_told(error)}); run again.") from None
        raise RunFailed(
            f"'{part.url}' is damaged ({_told(error)}); put a whole one in its place and run again."
        ) from None
    except (BotoCoreError, ClientError) as error:
        raise RunFailed(f"'{part.url}' cannot be read now ({_told(error)}); run again.") from None


def hub_parts(dataset: str, options: Mapping[str, str]) -> list[Part]:
    """The shards of a dataset that datasets.load_dataset loads. UsageError where it cannot."""
    from datasets import load_dataset

    try:
        loaded = load_dataset(dataset, **options, streaming=True)
    except (OSError, ValueError) as error:
        raise UsageError(f"'{dataset}' cannot be loaded ({_told(error)}).") from None
    return [Part(f"{number}/{loaded.n_shards}", dataset, None, None) for number in range(loaded.n_shards)]


def read_hub(part: Part, options: Mapping[str, str], columns: Mapping[str, str]) -> Iterator[pa.Table]:
    """Tables of `columns` of one shard of a Hub dataset, read through datatrove."""
    from datatrove.pipeline.readers.huggingface import HuggingFaceDatasetReader
    from loguru import logger

    logger.disable("datatrove")
    rank, world = map(int, part.name.split("/"))
    reader = HuggingFaceDatasetReader(
        part.url, dict(options), streaming=True, batch_size=BATCH_ROWS, adapter=_whole_row
    )
    rows = (document.metadata for document in reader.run(rank=rank, world_size=world))
    yield from _tables(rows, part, columns)


def _parquet(file: Any, part: Part, columns: Mapping[str, str]) -> Iterator[pa.Table]:
    with pq.ParquetFile(file) as parquet:
        check_columns(columns, parquet.schema_arrow.names, part.url)
        for batch in parquet.iter_batches(BATCH_ROWS, columns=list(dict.fromkeys(columns.values()))):
            yield pa.Table.from_batches([batch])


def _json_lines(file: Any, part: Part, columns: Mapping[str, str]) -> Iterator[pa.Table]:
    def rows() -> Iterator[dict[str, Any]]:
        for number, line in enumerate(file, start=1):
            if line.isspace():
                continue
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise ValueError(f"line {number} is no JSON: {error}") from None
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is no JSON object")
            yield row

    yield from _tables(rows(), part, columns)


def _tables(rows: Iterator[dict[str, Any]], part: Part, columns: Mapping[str, str]) -> Iterator[pa.Table]:
    """Rows as tables of `columns`; a column that no row of the first table has is not there."""
    names = list(dict.fromkeys(columns.values()))
    for number, batch in enumerate(iter(lambda: list(itertools.islice(rows, BATCH_ROWS)), [])):
        if number == 0:
            check_columns(columns, list(dict.fromkeys(key for row in batch for key in row)), part.url)
        yield pa.table({name: pa.array([row.get(name) for row in batch]) for name in names})


def _whole_row(reader: Any, data: dict[str, Any], path: str, place: int | str) -> dict[str, Any]:
    """An adapter for datatrove's readers that keeps the row as it is; without a text they would leave it out."""
    return {"text": "row", "id": str(place), "metadata": data}


def _told(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).split("\n")[0].rstrip(".")


def _common(paths: Sequence[str]) -> int:
    """How many characters of folders all paths begin with."""
    first, last = paths[0], paths[-1]
    same = next(at for at, (a, b) in enumerate(zip(first + "\0", last + "\1", strict=False)) if a != b)
    return first.rfind("/", 0, same) + 1


def _etag(info: Mapping[str, Any]) -> str | None:
    for key in ("ETag", "etag", "blob_id", "mtime"):
        if info.get(key) is not None:
            return str(info[key]).strip('"')
    return None
