"""Looks for anything of removed documents that a run still holds: `python -m opt_out.residual`, JSON in, JSON out.

It stands apart on purpose: it imports nothing of Quarry, shares no rule with what removes, and runs in a process of its
own, so that a mistake there cannot hide itself here. Where in doubt, it finds. Every file is read, with bounded memory.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

KEYS = ("runs", "ids", "owners", "repositories", "paths", "blobs", "searched")
IDS, REPOSITORIES, PATHS = ("id", "canonical"), ("repo", "renamed_from", "canonical_repo"), ("path", "canonical_path")
COLUMNS = (*IDS, *REPOSITORIES, *PATHS, "blob", "detail", "reason")
MOST_FINDINGS, LONGEST_VALUE, BATCH_ROWS = 1000, 200, 1 << 16
CHUNK, OVERLAP, MARGIN = 4 << 20, 8192, 512  # bytes of a file searched at once; a name is shorter than MARGIN
EXEMPT = re.compile(r"00-repositories-[^/]*/|checkpoints/|recipe\.yaml$|\.lock$")  # the list as given, and weights
NAMES_EXEMPT = re.compile(r"report/|.*/tokenizer\.json$")  # reports say who opted out; a vocabulary is no list of names
FIELDS = (
    "id|repo|commit|path|blob|language|license|split|n_tokens|text_start|input_ids"  # of the dataset, in its papers
)
VOCABULARIES = r"//mlcommons\.org/croissant/|//purl\.org/dc/|owner/name$"  # of croissant.json, and in its words
OWN_WORDS = re.compile(
    rf"\d\d-\w+-[0-9a-f]{{12}}/|data/\d+\.parquet$|documents/(?:{FIELDS})$|application/x-parquet$|{VOCABULARIES}"
)
HEX = re.compile(rb"[0-9a-fA-F]{32,}")
NAME = re.compile(rb"(?<![\w.-])([\w.-]++)/(?=([\w.-]+))")  # owner/name, where words begin
SLASH, BREAK = (
    re.compile(rb"\\/|%2[fF]|&#47;|&#[xX]2[fF];"),
    re.compile(rb"\\[bfnrt]"),
)  # as JSON, HTML, URLs write them


class Unreadable(Exception):
    """One sentence: what could not be read."""


@dataclass(frozen=True)
class Sought:
    """What is searched for; names in lower case, `paths` as whole-path patterns (RE2) by repository."""

    ids: frozenset[str]
    owners: frozenset[str]
    repositories: frozenset[str]
    blobs: frozenset[str]
    paths: Mapping[str, str]

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Sought:
        """Raises Unreadable where the request is none."""
        unknown = sorted(request.keys() - set(KEYS))
        if unknown or not request.get("runs") or request.get("searched", "whole") not in ("whole", "dataset"):
            raise Unreadable(f"The request has unknown keys {unknown}, no runs, or a 'searched' not whole or dataset.")
        ids, owners, repositories, blobs = (
            frozenset(map(str.lower, request.get(key, ()))) for key in ("ids", "owners", "repositories", "blobs")
        )
        patterns: dict[str, list[str]] = {}
        for repository, pattern in request.get("paths", ()):
            _matches(pa.array([""]), pattern)
            patterns.setdefault(repository.lower(), []).append(f"(?:{pattern})")
        paths = {repository: "|".join(several) for repository, several in patterns.items()}
        return cls(ids, owners, repositories, blobs, paths)

    def name(self, owner: str, repository: str) -> tuple[str, str] | None:
        """(what, value) of the finding, if this name is sought."""
        if owner in self.owners:
            return "owner", owner
        repository = repository.rstrip(".").removesuffix(".git")  # the end of a sentence, or of an address
        whole = f"{owner}/{repository}"
        return ("repository", whole) if whole in self.repositories else None


@dataclass
class Found:
    """The answer: how much was read, and what was found. `row` counts from 0; only Parquet has rows and columns."""

    files: int = 0
    rows: int = 0
    bytes: int = 0
    findings: list[dict[str, Any]] = field(default_factory=list)
    more: bool = False

    def add(self, place: tuple[str, str], what: str, value: str, row: int | None = None, column: str = "") -> None:
        if len(self.findings) == MOST_FINDINGS:
            self.more = True
            return
        finding = {"run": place[0], "file": place[1], "row": row, "column": column or None}
        self.findings.append(finding | {"what": what, "value": value[:LONGEST_VALUE]})

    def add_rows(
        self, place: tuple[str, str], what: str, column: str, values: pa.Array, hits: pa.Array, first: int
    ) -> None:
        """A finding for every row of `hits` (booleans) of a batch that starts at row `first`."""
        rows = pc.indices_nonzero(hits)
        wanted = rows[: MOST_FINDINGS - len(self.findings) + 1]
        for row, value in zip(wanted.to_pylist(), values.take(wanted).to_pylist(), strict=True):
            self.add(place, what, value, first + row, column)


def scan(request: Mapping[str, Any]) -> dict[str, Any]:
    """What `request` seeks in its runs. Raises Unreadable where a run or a file cannot be read."""
    sought, found = Sought.of(request), Found()
    for run in request["runs"]:
        _scan_run(run, sought, found, request.get("searched", "whole") == "dataset")
    return asdict(found)


def _scan_run(run: str, sought: Sought, found: Found, only_dataset: bool) -> None:
    with _reading(run):
        files, root = fsspec.core.url_to_fs(run)
        root = root.rstrip("/")
        files.invalidate_cache()
        listed = files.find(f"{root}/dataset" if only_dataset else root, detail=True)
    sizes = {path[len(root) + 1 :]: entry["size"] for path, entry in listed.items() if entry["type"] == "file"}
    sizes.pop("", None)
    if not sizes:
        raise Unreadable(f"'{run}' holds no {'dataset' if only_dataset else 'run'}: there is no file.")
    for path in sorted(path for path in sizes if not EXEMPT.match(path)):
        found.files, found.bytes = found.files + 1, found.bytes + sizes[path]
        with _reading(f"{run.rstrip('/')}/{path}"), files.open(f"{root}/{path}", "rb") as file:
            parquet = path.endswith(".parquet") or file.read(4) == b"PAR1"
            file.seek(0)
            if parquet:
                _scan_parquet(file, (run, path), sought, found)
            else:
                _scan_bytes(file, (run, path), sought, found, sizes.keys())


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Whatever fails inside is told in one sentence; stores fail with errors of many libraries."""
    try:
        yield
    except Unreadable:
        raise
    except Exception as error:
        why = (str(error) or type(error).__name__).split("\n")[0].rstrip(".")
        raise Unreadable(f"'{name}' cannot be read ({why}).") from None


def _scan_parquet(file: BinaryIO, place: tuple[str, str], sought: Sought, found: Found) -> None:
    parquet = pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
    found.rows += parquet.metadata.num_rows
    columns = [name for name in parquet.schema_arrow.names if name in COLUMNS]
    first = 0
    for batch in parquet.iter_batches(BATCH_ROWS, columns=columns, use_threads=False) if columns else ():
        _scan_batch(_texts(batch), first, place, sought, found)
        first += batch.num_rows


def _texts(batch: pa.RecordBatch) -> dict[str, pa.Array]:
    """The columns of text, null as the empty text."""
    texts = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
            texts[name] = pc.fill_null(column.cast(pa.string()), "")
    return texts


def _scan_batch(
    texts: Mapping[str, pa.Array], first: int, place: tuple[str, str], sought: Sought, found: Found
) -> None:
    named = pa.scalar(True)  # where a name counts: all but the decision that says which repository is opted out
    if "reason" in texts and "path" in texts:
        named = pc.invert(pc.and_(pc.equal(texts["reason"], "opted_out"), pc.equal(texts["path"], "")))
    for column in (name for name in texts if name in (*IDS, "blob")):
        wanted, what = (sought.blobs, "content") if column == "blob" else (sought.ids, "id")
        found.add_rows(place, what, column, texts[column], _is_in(pc.ascii_lower(texts[column]), wanted), first)
    for column in (name for name in texts if name in REPOSITORIES):
        name = pc.ascii_lower(texts[column])
        owner = pc.replace_substring_regex(name, "(?s)/.*", "")
        of_owner, whole = _is_in(owner, sought.owners), _is_in(name, sought.repositories)
        found.add_rows(place, "owner", column, texts[column], pc.and_(of_owner, named), first)
        found.add_rows(place, "repository", column, texts[column], pc.and_(pc.and_not(whole, of_owner), named), first)
        path = "canonical_path" if column == "canonical_repo" else "path"
        if path in texts and pc.any(_is_in(name, sought.paths)).as_py():
            for repository in pc.unique(name.filter(_is_in(name, sought.paths))).to_pylist():
                hits = pc.and_(pc.equal(name, repository), _matches(texts[path], sought.paths[repository]))
                found.add_rows(place, "path", path, texts[path], hits, first)
    if "detail" in texts:
        _scan_detail(texts["detail"], named, first, place, sought, found)


def _scan_detail(
    detail: pa.Array, named: pa.Array, first: int, place: tuple[str, str], sought: Sought, found: Found
) -> None:
    """Ids anywhere in the JSON; a repository as a whole value; an owner in values whose key ends with `repo`."""

    def holding(parts: pa.Array, wanted: pa.Array) -> pa.Array:
        rows = pc.unique(pc.list_parent_indices(parts).filter(wanted))
        return pc.is_in(pa.array(range(len(detail)), pa.int64()), value_set=rows.cast(pa.int64()))

    words = pc.split_pattern_regex(pc.ascii_lower(detail), "[^0-9a-f]+")
    found.add_rows(place, "id", "detail", detail, holding(words, _is_in(words.flatten(), sought.ids)), first)
    # What stands between quotation marks; JSON may write a slash as `\/`.
    plain = pc.replace_substring(pc.ascii_lower(detail), "\\/", "/")
    values = pc.split_pattern(plain, '"')
    whole = holding(values, _is_in(values.flatten(), sought.repositories))
    found.add_rows(place, "repository", "detail", detail, pc.and_(whole, named), first)
    owners = pc.split_pattern_regex(pc.replace_substring_regex(plain, r'repo"\s*:\s*"([^"/]*)/', r'"\\owner:\1"'), '"')
    of_owner = holding(owners, _is_in(owners.flatten(), frozenset(f"\\owner:{owner}" for owner in sought.owners)))
    found.add_rows(place, "owner", "detail", detail, pc.and_(of_owner, named), first)


def _is_in(values: pa.Array, wanted: frozenset[str] | Mapping[str, str]) -> pa.Array:
    return pc.is_in(values, value_set=pa.array(list(wanted), pa.string()))


def _matches(paths: pa.Array, pattern: str) -> pa.Array:
    try:
        return pc.match_substring_regex(paths, rf"(?s)\A(?:{pattern})\z")
    except pa.ArrowInvalid:
        raise Unreadable(f"The pattern '{pattern}' cannot be read as a regular expression.") from None


def _scan_bytes(file: BinaryIO, place: tuple[str, str], sought: Sought, found: Found, paths: Collection[str]) -> None:
    """Every id and name once for the file. Windows overlap; a name counts where its surroundings are seen too."""
    ids = bool(sought.ids)
    names = bool(sought.owners or sought.repositories) and not NAMES_EXEMPT.match(place[1])
    hits: set[tuple[str, str]] = set()
    read, kept, first, more = file.read(CHUNK), b"", True, True
    while more:
        window = kept + read
        read = file.read(CHUNK)
        more = bool(read)
        if ids:
            hits.update(("id", value) for value in _ids(window) if value in sought.ids)
        if names:
            text = BREAK.sub(b" ", SLASH.sub(b"/", window))
            start, stop = 0 if first else MARGIN, len(text) - (MARGIN if more else 0)
            hits.update(_names(text, start, stop, sought, paths))
        kept, first = window[-OVERLAP:], False
    for what, value in sorted(hits):
        found.add(place, what, value)


def _ids(window: bytes) -> Iterator[str]:
    for match in HEX.finditer(window):
        digits = match.group().decode().lower()
        for at in range(len(digits) - 31):
            yield digits[at : at + 32]


def _names(text: bytes, start: int, stop: int, sought: Sought, paths: Collection[str]) -> Iterator[tuple[str, str]]:
    for match in NAME.finditer(text):
        if start <= match.start() and match.end(2) <= stop:
            owner, repository = (part.decode().lower() for part in match.groups())
            hit = sought.name(owner, repository)
            if hit and not (hit[0] == "owner" and _is_own(text, match, paths)):
                yield hit


def _is_own(text: bytes, match: re.Match[bytes], paths: Collection[str]) -> bool:
    """Whether what looks like an owner is a folder in a path of the run, or a word of its papers."""
    rest = re.compile(rb"[\w./-]*").match(text, match.start())
    word = rest.group().decode() if rest else ""
    before = text[max(0, match.start() - MARGIN) : match.start()]
    lead = re.search(rb"[\w./-]*$", before)
    return any(
        each in paths or bool(OWN_WORDS.match(each)) for each in (word, (lead.group().decode() if lead else "") + word)
    )


def main() -> int:
    """Exit code 0 where nothing is found, 1 where something is, 2 where something cannot be read."""
    try:
        found = scan(json.load(sys.stdin))
    except (ValueError, TypeError, AttributeError) as error:
        print(f"The request is no JSON of the form expected ({error}).", file=sys.stderr)
        return 2
    except Unreadable as error:
        print(error, file=sys.stderr)
        return 2
    json.dump(found, sys.stdout)
    print()
    return 1 if found["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
