"""Decontaminate drops what holds a benchmark's problem or its solution, so that the benchmark still measures something.

StarCoder drops a file that holds a whole string of a benchmark in any case, StarCoder2 in any white space too; here a
long enough part of one is also enough, and trivial or ubiquitous strings are left out by rule instead of by hand.
docs/decisions/decontaminate.md holds the measurements behind the defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, NamedTuple, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from pipeline import schema
from pipeline.decisions import drop
from pipeline.side import Side
from pipeline.stage import Outcome, Stage
from stages.benchmark_texts import Benchmark, BenchmarkText, read_benchmark
from stages.substring_index import GRAM, LENGTH, LINE, PROBLEMS, STRING, WHOLE, SubstringIndex, build_index, find
from stages.text_kernels import over_column


class Sought(NamedTuple):
    """What is looked for: the texts of all benchmarks, and the index of them (its string i is text i)."""

    texts: list[BenchmarkText]
    strings: SubstringIndex


class Decontaminate(Stage):
    """Lengths are in bytes of UTF-8 (characters, in ASCII) without white space; letters' case makes no difference."""

    takes: ClassVar[pa.Schema] = schema.needs(schema.DOCUMENT, "id", "text")
    gives: ClassVar[pa.Schema] = takes
    reasons: ClassVar[dict[str, str]] = {
        "benchmark_copy": (
            "it holds a whole text of a benchmark: {field} of {benchmark} problem {problem}, {characters} characters "
            "from line {line} on (problems found in it: {problems})"
        ),
        "benchmark_ngram": (
            "it holds a part of a text of a benchmark: {characters} characters of {field} of {benchmark} problem "
            "{problem}, from line {line} on (problems found in it: {problems})"
        ),
    }

    benchmarks: Annotated[list[Benchmark], Field(min_length=1)]
    min_characters: Annotated[int, Field(ge=GRAM)] = 40  # a shorter text of a benchmark is not looked for
    ngram: int | None = 80  # so long a part of a text is enough; null: only whole texts count
    max_problems: Annotated[int, Field(ge=1)] = 5  # what stands in more problems of a benchmark is boilerplate

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.ngram is not None and self.ngram < self.min_characters:
            raise ValueError(f"'ngram' ({self.ngram}) must be at least 'min_characters' ({self.min_characters})")
        names = [benchmark.name for benchmark in self.benchmarks]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two benchmarks are named {name!r}; decisions cite the name, so it must be one's own")
        return self

    def sought(self) -> Sought:
        """Reads the benchmarks and builds the index. Raises UsageError where a file is wrong."""
        texts = [text for benchmark in self.benchmarks for text in read_benchmark(benchmark)]
        problems = _numbers([(text.benchmark, text.problem) for text in texts])
        order = np.argsort(problems, kind="stable")  # a problem's texts together, also where its id comes again
        texts = [texts[number] for number in order]
        benchmarks = _numbers([text.benchmark for text in texts])
        index = build_index(
            [text.text for text in texts],
            problems[order],
            benchmarks,
            self.min_characters,
            self.ngram,
            self.max_problems,
        )
        return Sought(texts, index)

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        texts, strings = side.load(f"benchmarks of {self.model_dump_json()}", self.sought)
        found = over_column(shard.column("text"), find, strings)
        rows = np.flatnonzero(found[:, STRING] >= 0)
        return drop(
            shard,
            rows,
            ["benchmark_copy" if whole else "benchmark_ngram" for whole in found[rows, WHOLE]],
            [_detail(texts[hit[STRING]], hit) for hit in found[rows]],
        )


def _detail(text: BenchmarkText, hit: np.ndarray) -> dict[str, Any]:
    return {
        "benchmark": text.benchmark,
        "problem": text.problem,
        "field": text.field,
        "characters": int(hit[LENGTH]),
        "line": int(hit[LINE]),
        "problems": int(hit[PROBLEMS]),
    }


def _numbers(keys: Sequence[Any]) -> np.ndarray:
    """Each key's number, int64: from 0, in the order in which they first come."""
    number: dict[Any, int] = {}
    return np.array([number.setdefault(key, len(number)) for key in keys], np.int64)
