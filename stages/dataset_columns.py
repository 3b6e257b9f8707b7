"""How the columns of an existing dataset become those of a document: a map, presets for known datasets, and defaults.

A row becomes a row of ROWS: a document, but for the text where that lies in an archive (then `blob_id` names it), or
the reason why there is none. What the dataset does not say is null, or follows from the row's place in the dataset.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.decisions import canonical_json
from pipeline.errors import RunFailed, UsageError
from pipeline.storage import row_bytes
from stages.languages import Languages
from stages.plan import document_id
from stages.spdx import Spdx

SOFTWARE_HERITAGE = "s3://softwareheritage/content"

# The source table of acquire_dataset, one row a row of the dataset.
ROWS = pa.schema(
    [
        *schema.DOCUMENT,
        pa.field("blob_id", pa.string()),  # name of the content in the archive; null where `text` is given
        pa.field("place", pa.string()),  # FILE:ROW, counted from 0
        pa.field("reason", pa.string()),  # one of acquire_dataset's reasons; null where there is a document
        pa.field("detail", pa.string()),  # evidence for `reason`, JSON
    ]
)
TARGETS = (*(name for name in schema.DOCUMENT.names if name != "id"), "blob_id")

PresetName = Literal["the_stack_v1", "the_stack_v2", "starcoderdata"]

# Document's column -> dataset's column, from the dataset cards of bigcode/the-stack, the-stack-v2 and starcoderdata.
PRESETS: Mapping[PresetName, Mapping[str, str]] = {
    "the_stack_v1": {
        "repo": "max_stars_repo_name",
        "commit": "max_stars_repo_head_hexsha",
        "path": "max_stars_repo_path",
        "language": "lang",
        "blob": "hexsha",
        "size": "size",
        "license": "max_stars_repo_licenses",
        "stars": "max_stars_count",
        "text": "content",
    },
    "the_stack_v2": {
        "repo": "repo_name",
        "commit": "revision_id",
        "path": "path",
        "language": "language",
        "blob": "content_id",
        "size": "length_bytes",
        "encoding": "src_encoding",
        "license": "detected_licenses",
        "stars": "star_events_count",
        "created": "gha_created_at",
        "blob_id": "blob_id",
    },
    "starcoderdata": {
        "repo": "max_stars_repo_name",
        "path": "max_stars_repo_path",
        "stars": "max_stars_count",
        "text": "content",
    },
}

_LINGUIST = {"visual-basic-.net": "visual-basic", "protocol-buffers": "protocol-buffer"}  # slugs that differ


class Judges(NamedTuple):
    """What is loaded once to read rows with."""

    spdx: Spdx
    languages: Languages


class RowReader(NamedTuple):
    """Turns tables of a dataset's columns into ROWS."""

    columns: Mapping[str, str]  # target -> column of the dataset
    constants: Mapping[str, Any]  # target -> value
    max_bytes: int
    judges: Judges

    def rows(self, table: pa.Table, file: str, start: int) -> pa.Table:
        """ROWS of `table`, whose first row is row `start` of `file`.

        Raises UsageError where a column is not there, RunFailed where its values are of another kind.
        """
        count = table.num_rows
        check_columns(self.columns, table.column_names, file)
        given = {target: table.column(name) for target, name in self.columns.items()}
        given |= {target: pa.array([value] * count) for target, value in self.constants.items()}
        place = [f"{file}:{row}" for row in range(start, start + count)]

        def values_of(target: str) -> pa.Array:
            kind = ROWS.field(target).type
            return _cast(given[target], kind, target, file) if target in given else pa.nulls(count, kind)

        plain = ("commit", "blob", "size", "encoding", "stars", "fork", "created", "text", "blob_id")
        columns: dict[str, pa.Array] = {name: values_of(name) for name in plain}
        columns["repo"] = pc.fill_null(values_of("repo"), "unknown")
        columns["path"] = pc.coalesce(values_of("path"), pa.array(place, pa.string()))
        columns["kind"] = values_of("kind") if "kind" in given else _kinds(columns["path"])
        columns["language"] = _distinct(values_of("language"), self._language)
        columns["license"], columns["license_type"] = self._licenses(given, values_of("license_type"))
        if "text" in given:
            columns |= _from_text(columns)
        keys = zip(*(columns[name].to_pylist() for name in ("repo", "commit", "path")), strict=True)
        columns["id"] = pa.array([document_id(repo, commit or "", path) for repo, commit, path in keys], pa.string())
        columns["place"] = pa.array(place, pa.string())
        columns["reason"], columns["detail"] = self._problems(columns)
        if columns["reason"].null_count < count:
            columns["text"] = pc.if_else(pc.is_null(columns["reason"]), columns["text"], None)
        return pa.table([columns[field.name] for field in ROWS], schema=ROWS)

    def _language(self, name: str) -> str:
        """StarCoder's spelling of a language as GitHub's linguist names it: C# is c-sharp."""
        slug = name.strip().lower().replace("#", "-sharp").replace(" ", "-")
        return slug if slug in self.judges.languages.names else _LINGUIST.get(slug, slug)

    def _licenses(self, given: Mapping[str, Any], stated: pa.Array) -> tuple[pa.Array, pa.Array]:
        """License expression and type of each row; a type that the dataset states counts where it names no licence."""
        named = given["license"].to_pylist() if "license" in given else [None] * len(stated)
        judged = []
        for license, kind in zip(named, stated.to_pylist(), strict=True):
            listed = [license] if isinstance(license, str) else [each for each in license or () if each]
            expression, found = self.judges.spdx.judge(listed)
            if expression is None:
                unsaid = "no_license" if "license" in given else "unknown"
                found = kind if kind in schema.LICENSE_TYPES else unsaid
            judged.append((expression, found))
        return pa.array([e for e, _ in judged], pa.string()), pa.array([kind for _, kind in judged], pa.string())

    def _problems(self, columns: Mapping[str, pa.Array]) -> tuple[pa.Array, pa.Array]:
        """Why a row is no document: reason and detail, null where it is one."""
        none = pc.and_(pc.is_null(columns["text"]), pc.is_null(columns["blob_id"]))
        large = pc.fill_null(pc.greater(columns["size"], self.max_bytes), False)
        binary = pc.fill_null(pc.match_substring(columns["text"], "\0"), False)
        reasons: list[str | None] = [None] * len(none)
        details: list[str | None] = [None] * len(none)
        for reason, mask in (("binary", binary), ("too_large", large), ("no_content", none)):
            for row in np.flatnonzero(mask):
                reasons[row] = reason
                detail = {"limit": self.max_bytes, "size": columns["size"][row].as_py()}
                details[row] = canonical_json(detail if reason == "too_large" else {})
        return pa.array(reasons, pa.string()), pa.array(details, pa.string())


def git_blob(content: bytes | memoryview) -> str:
    """Git's sha1 of a file with this content."""
    digest = hashlib.sha1(b"blob %d\0" % len(content), usedforsecurity=False)
    digest.update(content)
    return digest.hexdigest()


def mapped(preset: PresetName | None, columns: Mapping[str, str | None]) -> dict[str, str]:
    """Target -> column of the dataset: the preset's, with `columns` over them; null leaves one out."""
    merged = {**(PRESETS[preset] if preset else {}), **columns}
    return {target: name for target, name in merged.items() if name is not None}


def check_columns(columns: Mapping[str, str], found: Sequence[str], file: str) -> None:
    """UsageError where the dataset lacks a column of the map; it names the nearest one."""
    for target, name in columns.items():
        if name not in found:
            near = difflib.get_close_matches(name, found, n=1)
            hint = f"did you mean '{near[0]}'" if near else f"it has {', '.join(found) or 'none'}"
            raise UsageError(
                f"'{file}' has no column '{name}' for the documents' '{target}' ({hint}?); "
                f"name another in 'columns', or null to leave it out."
            )


def _from_text(columns: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    """Encoding, blob and size as they follow from the text, where the dataset does not give them."""
    text = columns["text"]
    sizes = row_bytes(pa.chunked_array([text]))
    blob = columns["blob"]
    if blob.null_count:
        offsets = np.frombuffer(text.buffers()[1], np.int32)[text.offset : text.offset + len(text) + 1]
        data = memoryview(text.buffers()[2] or b"")
        hashed = (git_blob(data[a:b]) for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True))
        blob = pc.coalesce(blob, pa.array(hashed, pa.string()))
    return {
        "encoding": pc.coalesce(columns["encoding"], pa.array(["utf-8"] * len(text), pa.string())),
        "blob": blob,
        "size": pc.coalesce(columns["size"], pa.array(sizes, pa.int64(), mask=np.asarray(pc.is_null(text)))),
    }


def _kinds(paths: pa.Array) -> pa.Array:
    return pc.if_else(pc.ends_with(paths, ".ipynb"), "notebook", "code")


def _distinct(column: pa.Array, change: Callable[[str], str]) -> pa.Array:
    """`change` of each value, called once for each distinct one; nulls stay."""
    encoded = column.dictionary_encode()
    changed = pa.array([change(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return changed.take(encoded.indices)


def _cast(column: pa.ChunkedArray | pa.Array, kind: pa.DataType, target: str, file: str) -> pa.Array:
    try:
        whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        return _moments(whole) if kind == schema.CREATED else whole.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise RunFailed(
            f"'{file}': the column for the documents' '{target}' holds {column.type}, which is no {kind}; "
            "map another in 'columns', or null to leave it out."
        ) from None


def _moments(column: pa.Array) -> pa.Array:
    """Dates, times or their text in ISO 8601 as whole seconds; they are UTC where they name no zone.

    Raises ArrowInvalid for numbers too, as they do not tell their unit.
    """
    if not pa.types.is_temporal(column.type):
        text = column.cast(pa.string())
        try:
            column = text.cast(pa.timestamp("ns", "UTC"))
        except pa.ArrowInvalid:  # it names no zone
            column = text.cast(pa.timestamp("ns"))
    return column.cast(pa.timestamp("s", "UTC"), safe=False).cast(schema.CREATED)
