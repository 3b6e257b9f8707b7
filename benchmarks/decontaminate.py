"""Decontamination measured: `python -m benchmarks.decontaminate --benchmark humaneval=FILE ... --documents PATH ...`.

A PATH is a Parquet file with a column `text`, a folder of such, or a git repository, of which the files of HEAD are
read. Prints Markdown: speed and memory by the number of strings, against pyahocorasick and datatrove; what is found in
the documents by the defaults' neighbours, each hit listed to be judged by hand; and which planted copies are found.
MB are 10^6 bytes of UTF-8 as they come in, seconds are of CPU time; a row's figures are from the same texts in turn.
"""

from __future__ import annotations

import argparse
import ast
import random
import re
import subprocess
import sysconfig
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import ahocorasick
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datatrove.data import Document
from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter
from datatrove.utils.hashing import HashConfig
from datatrove.utils.text import ngrams, simplify_text

from stages.benchmark_texts import BenchmarkText
from stages.decontaminate import Decontaminate
from stages.substring_index import GRAM, INDEXED, LENGTH, LINE, STRING, WHOLE, SubstringIndex, build_index, find
from stages.text_kernels import over_column

SAMPLE = 40_000_000  # bytes of text that speed is measured on
SLOW_SAMPLE = 400_000  # datatrove's
LARGEST = 1_000_000  # bytes of a file that is read from a repository
SHORTEST = (16, 20, 25, 40)
NGRAMS = (50, 60, 80, 100, None)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--benchmark", action="append", required=True, metavar="NAME=FILE")
    parser.add_argument("--documents", action="append", required=True, metavar="PATH")
    given = parser.parse_args()
    named = [dict(zip(("name", "file"), each.split("=", 1), strict=True)) for each in given.benchmark]
    sample = pa.chunked_array([texts for _, texts in _documents(given.documents)]).combine_chunks()
    speed(_first(_shuffled(sample), SAMPLE), _functions())
    false_drops(named, given.documents)
    recall(named, sample)


def speed(texts: pa.Array, functions: Sequence[str]) -> None:
    """MB/s by the number of strings; pyahocorasick must find a whole string in the same texts."""
    megabytes, plain, rows = texts.nbytes / 1e6, texts.to_pylist(), []
    over_column(texts.slice(0, 1), find, _index(functions[:20]))  # compiles
    for count in (20, 200, 2000, 20_000):
        strings = functions[:count]
        index, build = _timed(_index, strings)
        found, seconds = _timed(over_column, texts, find, index)
        automaton, their_build = _timed(_automaton, index)
        normal, normalising = _timed(lambda: ["".join(text.split()).encode().lower().decode() for text in plain])
        hits, searching = _timed(_searched, automaton, normal)
        assert hits == (found[:, WHOLE] == 1).tolist()
        row = [f"{len(strings):,}", f"{len(index.data) / 1e6:.2f}", f"{build:.2f}", f"{index.nbytes / 1e6:.1f}"]
        row += [f"{megabytes / seconds:.0f}", f"{their_build:.2f}", f"{megabytes / (normalising + searching):.1f}"]
        rows.append([*row, f"{megabytes / searching:.1f}"])
    names = ["strings", "normalised MB", "build s", "index MB", "MB/s"]
    names += ["pyahocorasick: build s", "MB/s", "MB/s of its search alone"]
    _print(f"Speed on {megabytes:.0f} MB, {len(texts):,} documents", names, rows)
    few = _first(texts, SLOW_SAMPLE)
    for count in (20, 2000):
        keep = _datatrove(functions[:count])
        _, seconds = _timed(lambda keep=keep: [keep(Document(text, "0")) for text in few.to_pylist()])
        print(f"\ndatatrove's NGramsDecontFilter, {count:,} strings: {few.nbytes / 1e6 / seconds:.2f} MB/s")


def false_drops(benchmarks: list[dict[str, str]], paths: Sequence[str]) -> None:
    """How many documents each pair of settings drops, and every hit once, with the strictest settings that find it."""
    settings = [(shortest, ngram) for shortest in SHORTEST for ngram in NGRAMS]
    sought = {setting: _stage(benchmarks, *setting).sought() for setting in settings}
    hits: dict[tuple[str, ...], list[tuple[int, int | None]]] = {}
    documents = size = 0
    for ids, texts in _documents(paths):
        documents, size = documents + len(texts), size + texts.nbytes
        for setting, (listed, strings) in sought.items():
            found = over_column(texts, find, strings)
            for row in np.flatnonzero(found[:, STRING] >= 0):
                text, kind = listed[found[row, STRING]], "whole" if found[row, WHOLE] else "part"
                place = (ids[row], str(found[row, LINE]))
                hits.setdefault((*place, text.problem, text.field, kind, str(found[row, LENGTH])), []).append(setting)
    dropped = {setting: sum(setting in found_by for found_by in hits.values()) for setting in settings}
    rows = []
    for shortest in SHORTEST:
        fate = sought[shortest, None].strings.fate
        left_out = f"{(fate != INDEXED).sum()} of {len(fate)}"
        rows.append([str(shortest), left_out, *(str(dropped[shortest, ngram]) for ngram in NGRAMS)])
    names = ["min_characters", "texts left out", *(f"ngram {ngram or 'off'}" for ngram in NGRAMS)]
    _print(f"Documents dropped of {documents:,}, {size / 1e6:.0f} MB", names, rows)
    rows = []
    for hit, found_by in sorted(hits.items()):
        lengths = [ngram for _, ngram in found_by]
        ngram = "any" if None in lengths else str(max(length or 0 for length in lengths))
        rows.append([*hit, str(max(shortest for shortest, _ in found_by)), ngram])
    names = ["document", "line", "problem", "field", "found", "characters", "min_characters up to", "ngram up to"]
    _print("Each of them", names, rows)


def recall(benchmarks: list[dict[str, str]], texts: pa.Array) -> None:
    """Share of the texts that are found when a copy of one is put into a document."""
    hosts = [text for text in _first(_shuffled(texts), 4_000_000).to_pylist() if 2000 < len(text) < 20_000]
    planted = _planted(_stage(benchmarks, GRAM, None).sought().texts)
    rows = []
    for ngram in NGRAMS:
        strings = _stage(benchmarks, 40, ngram).sought().strings
        row = ["off" if ngram is None else str(ngram)]
        for copies in planted.values():
            inside = [_inserted(hosts[number % len(hosts)], copy) for number, copy in enumerate(copies)]
            found = over_column(pa.array(inside, pa.string()), find, strings)
            row.append(f"{(found[:, STRING] >= 0).mean():.3f}")
        rows.append(row)
    _print("Share of planted copies that are found, min_characters 40", ["ngram", *planted], rows)


def _stage(benchmarks: list[dict[str, str]], shortest: int, ngram: int | None) -> Decontaminate:
    fields = {"benchmarks": benchmarks, "min_characters": shortest, "ngram": ngram}
    return Decontaminate.model_validate(fields)


def _print(title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table in Markdown."""
    print(f"\n### {title}\n")
    for row in (names, ["---"] * len(names), *rows):
        print(f"| {' | '.join(row)} |")


def _planted(texts: Sequence[BenchmarkText]) -> dict[str, list[str]]:
    """Copies of the texts as they come to stand in files: changed, or only a half of them."""
    long = [text.text for text in texts if len("".join(text.text.split())) >= 40]
    kinds = {
        "whole": [text.text for text in texts],
        "whole, of 40 characters or more": long,
        "in tabs and upper case": [text.replace("    ", "\t").upper() for text in long],
        "indented": [textwrap.indent(text, " " * 12) for text in long],
        "on one line": [" ".join(text.split()) for text in long],
        "names of one letter changed": [re.sub(r"\b([a-z])\b", r"\1_", text) for text in long],
    }
    for text in texts:
        middle = text.text[len(text.text) // 4 : len(text.text) * 3 // 4]
        kinds.setdefault(f"middle half of {text.field}", []).append(middle)
    return kinds


def _inserted(host: str, copy: str) -> str:
    lines = host.split("\n")
    middle = len(lines) // 2
    return "\n".join([*lines[:middle], copy, *lines[middle:]])


def _index(strings: Sequence[str]) -> SubstringIndex:
    """An index of strings that are a problem each, by the stage's defaults."""
    fields = Decontaminate.model_fields
    numbers = np.arange(len(strings))
    lengths = (fields["min_characters"].default, fields["ngram"].default)
    return build_index(strings, numbers, np.zeros_like(numbers), *lengths, fields["max_problems"].default)


def _automaton(index: SubstringIndex) -> Any:
    """pyahocorasick's automaton of the whole strings that the index holds."""
    automaton = ahocorasick.Automaton(ahocorasick.STORE_INTS)
    for string in np.flatnonzero(index.fate == INDEXED):
        whole = index.data[index.starts[string] : index.starts[string + 1]].tobytes().decode()
        automaton.add_word(whole, int(string))
    automaton.make_automaton()
    return automaton


def _searched(automaton: Any, texts: Sequence[str]) -> list[bool]:
    return [next(automaton.iter(text), None) is not None for text in texts]


def _datatrove(strings: Sequence[str]) -> Callable[[Document], Any]:
    """datatrove's filter over an index written as its indexer does, which itself cannot run without lighteval."""
    with tempfile.TemporaryDirectory() as folder:
        # Its default, xxhash, fails on texts with xxhash 4: "Strings must be encoded before hashing".
        judge = NGramsDecontFilter(folder, NGramsDecontConfig(hash_config=HashConfig(hash_fc="sha1")))
        hashes = set()
        for string in strings:
            words = judge.tokenizer.word_tokenize(simplify_text(string, judge.config.norm_config))
            hashes |= {judge.hash_func(" ".join(gram)) for gram in ngrams(words, judge.config.n_grams)}
        np.array(sorted(hashes), judge.config.hash_config.np_descr).tofile(f"{folder}/own.index.hashes")
        judge.load_index_hashes()
    return judge.filter


def _functions() -> list[str]:
    """Functions of 5 to 30 lines of Python's standard library and the installed packages, in random order."""
    found: dict[str, None] = {}
    for folder in (sysconfig.get_paths()["stdlib"], sysconfig.get_paths()["purelib"]):
        for path in sorted(Path(folder).rglob("*.py"))[::6]:
            try:
                text = path.read_text(encoding="utf-8")
                tree = ast.parse(text)
            except (SyntaxError, UnicodeDecodeError, ValueError):
                continue
            lines = text.split("\n")
            for node in tree.body:
                if isinstance(node, ast.FunctionDef) and 4 <= (node.end_lineno or 0) - node.lineno < 30:
                    found["\n".join(lines[node.lineno - 1 : node.end_lineno])] = None
    functions = list(found)
    random.Random(1).shuffle(functions)
    return functions


def _documents(paths: Sequence[str]) -> Iterator[tuple[list[str], pa.Array]]:
    """(ids, texts) batch by batch."""
    for path in map(Path, paths):
        if (path / "HEAD").is_file() or (path / ".git").exists():
            yield _repository(path)
            continue
        for file in sorted(path.rglob("*.parquet")) if path.is_dir() else [path]:
            parquet = pq.ParquetFile(file)
            columns = [name for name in ("id", "repo", "path", "text") if name in parquet.schema_arrow.names]
            for batch in parquet.iter_batches(4096, columns=columns):
                ids = batch.column("path" if "path" in columns else "id").to_pylist()
                repos = batch.column("repo").to_pylist() if "repo" in columns else [file.stem] * len(ids)
                yield [f"{repo}:{name}" for repo, name in zip(repos, ids, strict=True)], batch.column("text")


def _repository(folder: Path) -> tuple[list[str], pa.Array]:
    """The text files of HEAD that are UTF-8 without NUL and not LARGEST."""
    git = ["git", "-C", str(folder)]
    listed = subprocess.run([*git, "ls-tree", "-r", "-l", "-z", "HEAD"], check=True, capture_output=True).stdout
    entries = [entry.split("\t", 1) for entry in listed.decode(errors="replace").split("\0") if entry]
    wanted: dict[str, str] = {}  # blob -> path
    for about, path in entries:
        mode, kind, blob, listed_size = about.split()
        if kind == "blob" and mode != "120000" and listed_size.isdigit() and int(listed_size) <= LARGEST:
            wanted.setdefault(blob, path)
    names = "".join(f"{blob}\n" for blob in wanted).encode()
    data = subprocess.run([*git, "cat-file", "--batch"], input=names, check=True, capture_output=True).stdout
    ids, texts, at = [], [], 0
    for path in wanted.values():
        header = data.index(b"\n", at)
        size = int(data[at:header].split()[2])
        content = data[header + 1 : header + 1 + size]
        at = header + size + 2
        try:
            text = content.decode()
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            ids.append(f"{folder.parent.name if folder.name == 'repo' else folder.name}:{path}")
            texts.append(text)
    return ids, pa.array(texts, pa.string())


def _shuffled(texts: pa.Array) -> pa.Array:
    return texts.take(pa.array(np.random.default_rng(1).permutation(len(texts))))


def _first(texts: pa.Array, size: int) -> pa.Array:
    """The first texts, of about `size` bytes, as an array of their own."""
    sizes = np.cumsum(pc.binary_length(texts))
    return pa.concat_arrays([texts.slice(0, int(np.searchsorted(sizes, size)) + 1)])


def _timed(do: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """The result, and the CPU seconds it took."""
    began = time.process_time()
    return do(*arguments), time.process_time() - began


if __name__ == "__main__":
    main()
