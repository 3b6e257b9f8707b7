"""Reads what a model will be tested on: the texts of a benchmark that must not be trained on.

A benchmark is a JSONL file or a JSON list of objects, of which some fields count, or a plain list of texts (a JSON
list, or a text file of one a line). A field may hold a text or a list of texts. `FIELD.docstring` is the text between
the last two triple quotes of a field, as StarCoder takes the task out of a HumanEval prompt.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple

import fsspec
from pydantic import BaseModel, ConfigDict, Field

from pipeline.errors import UsageError
from pipeline.stage import ContentFile

_DOCSTRING = ".docstring"
_TRIPLE_QUOTED = re.compile(r"(\"\"\"|''')(.*?)\1", re.DOTALL)
# What counts of the benchmarks everybody uses: the field with a problem's id, and the fields with its texts.
_KNOWN = {
    "humaneval": ("task_id", ["prompt.docstring", "canonical_solution", "prompt"]),
    "mbpp": ("task_id", ["text", "code", "test_list"]),
}


class Benchmark(BaseModel):
    """A benchmark as the recipe names it; for `humaneval` and `mbpp`, id and fields need not be given."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1)]
    file: ContentFile  # .jsonl, .json or .txt, also compressed (.gz)
    id: str | None = None  # the field with a problem's id
    fields: Annotated[list[str], Field(min_length=1)] | None = None  # the fields that count


class BenchmarkText(NamedTuple):
    """One text of a problem."""

    benchmark: str
    problem: str  # its id; in a plain list, its place from 1
    field: str  # `text` in a plain list
    text: str


def read_benchmark(benchmark: Benchmark) -> list[BenchmarkText]:
    """The texts of all problems, in the file's order. Raises UsageError, naming file and line."""
    texts = []
    for where, place, entry in _entries(benchmark.file):
        if isinstance(entry, str):
            if benchmark.id or benchmark.fields:
                raise UsageError(f"{where}: this is a plain text, so the benchmark takes neither 'id' nor 'fields'.")
            texts.append(BenchmarkText(benchmark.name, str(place), "text", entry))
        elif isinstance(entry, dict):
            texts.extend(_of_problem(benchmark, where, entry))
        else:
            raise UsageError(f"{where}: this is neither a JSON object nor a text.")
    if not texts:
        raise UsageError(f"{benchmark.file}: the benchmark holds no text; give the file with its problems.")
    return texts


def _of_problem(benchmark: Benchmark, where: str, problem: Mapping[str, Any]) -> Iterator[BenchmarkText]:
    known_id, known_fields = _KNOWN.get(benchmark.name, (None, None))
    key, fields = benchmark.id or known_id, benchmark.fields or known_fields
    if key is None or fields is None:
        raise UsageError(
            f"{where}: say in the recipe which field is the 'id' of a problem of '{benchmark.name}' and which 'fields' "
            f"count; it has {', '.join(sorted(problem))}."
        )
    identity = str(_value(problem, key, where))
    for field in fields:
        source = field.removesuffix(_DOCSTRING)
        value = _value(problem, source, where)
        for text in value if isinstance(value, list) else [value]:
            if text is None:
                continue
            if not isinstance(text, str):
                raise UsageError(f"{where}: field '{source}' holds neither a text nor a list of texts.")
            if source == field:
                yield BenchmarkText(benchmark.name, identity, field, text)
            elif quoted := _TRIPLE_QUOTED.findall(text):
                yield BenchmarkText(benchmark.name, identity, field, quoted[-1][1])


def _value(problem: Mapping[str, Any], field: str, where: str) -> Any:
    if field not in problem:
        near = difflib.get_close_matches(field, sorted(problem), n=1, cutoff=0.0)
        hint = f"; the nearest is '{near[0]}'" if near else ""
        raise UsageError(f"{where}: there is no field '{field}'{hint}.")
    return problem[field]


def _entries(path: str) -> Iterator[tuple[str, int, Any]]:
    """(where it stands, its place from 1, the entry) of each entry of the file."""
    text = _read(path)
    ending = re.search(r"\.(jsonl|json|txt)(\.\w+)?$", path)
    if ending is None:
        raise UsageError(f"{path}: a benchmark is a .jsonl, .json or .txt file, which may be compressed (.gz).")
    if ending[1] == "json":
        listed = _parsed(text, path)
        if not isinstance(listed, list):
            raise UsageError(f"{path}: this is not a JSON list; a benchmark is a list of texts or of objects.")
        for place, entry in enumerate(listed, start=1):
            yield f"{path}, entry {place}", place, entry
        return
    for place, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            where = f"{path}, line {place}"
            yield where, place, _parsed(line, where) if ending[1] == "jsonl" else line


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{where}: this is not JSON ({error}).") from None


def _read(path: str) -> str:
    try:
        with fsspec.open(path, "rb", compression="infer") as file:
            return file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: the benchmark is not UTF-8 (byte {error.start}); save it as UTF-8.") from None
    except (OSError, EOFError, ValueError, ImportError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UsageError(f"cannot read the benchmark '{path}' ({reason}).") from None
