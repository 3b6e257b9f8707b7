"""Takes documents from an existing dataset instead of from git: Parquet, JSON lines or the Hub, by a map of columns.

`prepare` reads every file once, on the workers, and writes its rows as shards of the side table `rows`: so a run never
mixes two states of a dataset, whatever happens to it later, and running again reads it no more. `apply` makes documents
of the rows; where a row only names its content, as The Stack v2 does, it fetches that from Software Heritage, so that
an interrupted run has lost no finished shard. A dataset that has changed is read anew when `version` changes.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Annotated, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, ValidationInfo, field_validator

from pipeline import schema
from pipeline.decisions import canonical_json, decide
from pipeline.fingerprint import digest_bytes
from pipeline.side import Corpus, Side
from pipeline.stage import PLACEMENT, Outcome, Stage
from stages import languages
from stages.dataset_columns import ROWS, SOFTWARE_HERITAGE, TARGETS, Judges, PresetName, RowReader, git_blob, mapped
from stages.dataset_files import Format, Part, hub_parts, list_files, read_file, read_hub
from stages.decode import Decoded, decode
from stages.heritage import fetch
from stages.spdx import Spdx

ROWS_A_SHARD = 50_000
IDS_A_TASK = 4_000_000  # ids that are looked through for duplicates at once, about 500 MB


class AcquireDataset(Stage):
    """Rows of a dataset in, documents out; it opens a recipe that has no `repositories`."""

    takes: ClassVar[pa.Schema] = pa.schema([])
    gives: ClassVar[pa.Schema] = schema.DOCUMENT
    writes: ClassVar[frozenset[str]] = frozenset({"text", "encoding", "blob", "size"})
    revision: ClassVar[int] = 2
    source: ClassVar[str | None] = "rows"
    temporary: ClassVar[tuple[str, ...]] = ("rows",)
    depends: ClassVar[tuple[str, ...]] = ("charset-normalizer", "license-expression")
    tables: ClassVar[tuple[str, ...]] = ("languages.yaml",)
    reasons: ClassVar[dict[str, str]] = {
        "duplicate_row": "its repository, commit and path are those of an earlier row of the dataset (this is {place})",
        "no_content": "the dataset holds neither its text nor where that is kept",
        "missing_object": "its content ({blob_id}) is missing from the archive",
        "corrupt_object": "its content ({blob_id}) is damaged in the archive",
        "too_large": "it is larger than the {limit} bytes allowed",
        "binary": "it holds NUL bytes, so it is no text",
        "undecodable": "it is neither UTF-8 nor in any other encoding that could be detected",
    }

    format: Format = "parquet"
    # Absolute, or a URL such as s3://... or hf://datasets/...: a file, a folder with all below it, or a glob. For
    # `huggingface` the dataset's name on the Hub, or a local folder that datasets.load_dataset can load.
    path: str
    # Which state of the dataset is meant. For `huggingface` a branch, tag or commit of it; elsewhere any word, to be
    # changed when the dataset has. It stands for the content, which is not looked at to find out.
    version: str | None = None
    options: dict[str, str] = {}  # `huggingface` only: arguments of datasets.load_dataset; the split is train
    preset: PresetName | None = None  # the columns of a known dataset
    columns: dict[str, str | None] = Field(default={}, validate_default=True)  # over the preset's; null leaves one out
    constants: dict[str, str | int | bool] = {}  # a document's column -> its value in every row
    blobs: str = SOFTWARE_HERITAGE  # the archive of contents that `blob_id` names
    max_bytes: Annotated[int, Field(gt=0, le=128 << 20)] = 1 << 20  # of a document
    shard_bytes: Annotated[int, Field(gt=0, le=512 << 20)] = 64 << 20
    at_once: Annotated[int, PLACEMENT, Field(gt=0)] = 64  # contents that each worker fetches at once
    retries: Annotated[int, PLACEMENT, Field(ge=0)] = 3  # of fetching a content

    @field_validator("path")
    @classmethod
    def _absolute(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("format") == "huggingface" or "://" in value or os.path.isabs(value):
            return value
        raise ValueError("it means another place on every worker; write it absolute, or as a URL")

    @field_validator("options")
    @classmethod
    def _for_the_hub(cls, value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        if value and info.data.get("format") != "huggingface":
            raise ValueError("only 'format: huggingface' has options")
        return value

    @field_validator("columns", "constants")
    @classmethod
    def _of_a_document(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        for target in value:
            if target not in TARGETS:
                near = difflib.get_close_matches(target, TARGETS, n=1, cutoff=0.0)
                raise ValueError(f"{target!r} is no column of a document; the nearest is {near[0]!r}")
        contents = {"text", "blob_id"}
        if info.field_name == "columns" and not contents & mapped(info.data.get("preset"), value).keys():
            raise ValueError("nothing says where the text is; map 'text' or 'blob_id', or name a preset")
        return value

    def prepare(self, corpus: Corpus, side: Side) -> None:
        """Write `files` (what was read, by name, size and ETag) and the shards of `rows`."""
        parts = self._parts()
        side.put("files", pa.Table.from_pylist([part._asdict() for part in parts], _FILES))
        groups = list(enumerate(_grouped(parts, self.shard_bytes)))
        counts = {shard: rows for read in corpus.map(partial(_read, self), groups) for shard, rows in read.items()}
        if not counts:
            side.put("rows", ROWS.empty_table(), shard="00000-00000")  # so that an empty dataset makes a whole run
            return
        buckets = -(-sum(counts.values()) // IDS_A_TASK)
        found = corpus.map(partial(_find_duplicates, sorted(counts), buckets), range(buckets))
        repeated: dict[str, list[int]] = {}
        for shard, row in sorted(pair for pairs in found for pair in pairs):
            repeated.setdefault(shard, []).append(row)
        corpus.map(_mark_duplicates, repeated.items())

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        """Make documents; ConnectionError where a content cannot be fetched now, so that the kernel tries again."""
        reasons, details = shard["reason"].to_pylist(), shard["detail"].to_pylist()
        open_rows = pc.and_(pc.is_null(shard["reason"]), pc.is_null(shard["text"]))
        wanted = np.flatnonzero(open_rows.to_numpy())
        columns = {name: shard[name] for name in schema.DOCUMENT.names}
        if len(wanted):
            fetched = {name: columns[name].to_pylist() for name in self.writes}
            for row, (values, reason, detail) in zip(wanted, self._contents(shard.take(wanted)), strict=True):
                reasons[row], details[row] = reason, canonical_json(detail)
                for name, value in values.items():
                    fetched[name][row] = value
            columns |= {name: pa.array(fetched[name], shard.schema.field(name).type) for name in fetched}
        dropped = np.array([reason is not None for reason in reasons], dtype=np.bool_)
        kept = pa.table(columns, schema=schema.DOCUMENT).filter(pa.array(~dropped))
        at = np.flatnonzero(dropped)
        decisions = decide(shard, at, "drop", [reasons[row] for row in at])
        told = pa.array([details[row] for row in at], pa.string())
        return Outcome(kept, decisions.set_column(decisions.column_names.index("detail"), _DETAIL, told))

    def _contents(self, rows: pa.Table) -> Iterator[tuple[dict[str, Any], str | None, dict[str, Any]]]:
        """What `writes` says for each row, or its reason and detail, from the archive."""
        ids, encodings, blobs = (rows[name].to_pylist() for name in ("blob_id", "encoding", "blob"))
        contents = fetch(self.blobs, ids, self.max_bytes, self.at_once, self.retries)
        for content, encoding, blob in zip(contents, encodings, blobs, strict=True):
            if content.data is None:
                yield {}, content.reason, content.detail
                continue
            text, used, reason = _decoded(content.data, encoding)
            size = len(content.data)
            yield {"text": text, "encoding": used, "blob": blob or git_blob(content.data), "size": size}, reason, {}

    def _parts(self) -> list[Part]:
        if self.format == "huggingface":
            return hub_parts(self.path, self._options())
        return list_files(self.path, self.format)

    def _options(self) -> dict[str, str]:
        return {"split": "train", **self.options} | ({"revision": self.version} if self.version else {})

    def _tables(self, part: Part) -> Iterator[pa.Table]:
        columns = mapped(self.preset, self.columns)
        if self.format == "huggingface":
            return read_hub(part, self._options(), columns)
        return read_file(part, self.format, columns)


_DETAIL = schema.DECISION.field("detail")
_FILES = pa.schema([("name", pa.string()), ("url", pa.string()), ("size", pa.int64()), ("etag", pa.string())])


def _grouped(parts: Iterable[Part], limit: int) -> Iterator[list[Part]]:
    """Consecutive small files together, as many as make a shard; by their sizes alone, whatever the workers."""
    held: list[Part] = []
    size = 0
    for part in parts:
        bytes_more = limit if part.size is None else part.size
        if held and size + bytes_more > limit:
            yield held
            held, size = [], 0
        held.append(part)
        size += bytes_more
    if held:
        yield held


def _read(stage: AcquireDataset, item: tuple[int, list[Part]], corpus: Corpus, side: Side) -> dict[str, int]:
    """Write the shards of `rows` of a group of files; shard -> number of rows."""
    group, parts = item
    judges = side.load("judges", lambda: Judges(Spdx(), languages.load()))
    reader = RowReader(mapped(stage.preset, stage.columns), stage.constants, stage.max_bytes, judges)

    def rows() -> Iterator[pa.Table]:
        for part in parts:
            start = 0
            for table in stage._tables(part):
                yield reader.rows(table, part.name, start)
                start += table.num_rows

    counts = {}
    for number, table in enumerate(_cut(rows(), stage.shard_bytes)):
        shard = f"{group:05d}-{number:05d}"
        side.put("rows", table, shard=shard)
        counts[shard] = table.num_rows
    return counts


def _cut(tables: Iterable[pa.Table], shard_bytes: int) -> Iterator[pa.Table]:
    """The rows in their order, in tables of at most `shard_bytes` of documents and ROWS_A_SHARD rows.

    A document larger than that stands alone.
    """
    held: list[pa.Table] = []
    rows = size = 0
    for table in tables:
        sizes = pc.if_else(pc.is_null(table["reason"]), pc.fill_null(table["size"], 0), 0).to_numpy()
        start = 0
        for row, more in enumerate(sizes.tolist()):
            if rows and (size + more > shard_bytes or rows == ROWS_A_SHARD):
                yield pa.concat_tables([*held, table.slice(start, row - start)])
                held, rows, size, start = [], 0, 0, row
            rows += 1
            size += more
        held.append(table.slice(start))
    if rows:
        yield pa.concat_tables(held)


def _find_duplicates(shards: list[str], buckets: int, bucket: int, corpus: Corpus, side: Side) -> list[tuple[str, int]]:
    """(shard, row) of the rows whose id an earlier row has, among the ids that fall into this bucket."""
    seen: set[bytes] = set()
    repeated = []
    for shard in shards:
        for row, id in enumerate(side.get_shard("rows", ["id"], shard=shard)["id"].to_pylist()):
            if int(id[:8], 16) % buckets != bucket:
                continue
            key = bytes.fromhex(id)
            if key in seen:
                repeated.append((shard, row))
            seen.add(key)
    return repeated


def _mark_duplicates(item: tuple[str, list[int]], corpus: Corpus, side: Side) -> None:
    """Give repeated rows of a shard an id of their own, by their place in the dataset, and the reason to be dropped."""
    shard, repeated = item
    table = side.get_shard("rows", shard=shard)
    columns = {name: table[name].to_pylist() for name in ("id", "place", "reason", "detail", "text")}
    for row in repeated:
        place = columns["place"][row]
        columns["id"][row] = digest_bytes(f"{columns['id'][row]}\0{place}".encode())
        columns["reason"][row], columns["text"][row] = "duplicate_row", None
        columns["detail"][row] = canonical_json({"place": place})
    for name, values in columns.items():
        at = ROWS.get_field_index(name)
        table = table.set_column(at, ROWS.field(at), pa.array(values, pa.string()))
    side.put("rows", table, shard=shard)


def _decoded(data: bytes, encoding: str | None) -> Decoded:
    """The text of a content in its stated encoding; as decode() reads it where that is UTF-8, or does not fit."""
    if encoding and encoding.lower().replace("_", "-") not in ("utf-8", "utf8", "ascii", "us-ascii"):
        try:
            text = data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            pass
        else:
            return Decoded(None, None, "binary") if "\0" in text else Decoded(text, encoding, None)
    return decode(data)
