"""How punctuation should count in a shingle, by measurement: `python -m benchmarks.tokenization PARQUET ...`.

The files hold documents with columns `language` and `text`; equal texts are judged once. Prints Markdown: which share
of reformatted copies each way to cut tokens still calls near; which pairs of documents it calls near, judged by what
knows no shingles, the longest common subsequence of tokens; and what it costs. Near is a Jaccard similarity of 0.7.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stages.shingles import MARKS, ShingleSets, Utf8, band_keys, estimates, jaccard, mix64, permutations

THRESHOLD = 0.7
REFORMATTED, FORMATTED, JUDGED = 2_000, 200, 2_500  # documents, documents that a process is started for, pairs
LONGEST = 5_000  # tokens of a document that is judged
PAIRS = 3  # of a document that are judged
SKIP, CUT, WORD, RUN, MARK = range(5)  # what a byte does: see `_tokens`
ALL_MARKS = bytes(byte for byte in range(33, 127) if not chr(byte).isalnum() and byte != ord("_"))
STARCODER = bytes(byte for byte in range(128) if not chr(byte).isalnum() and byte != ord("_")) + bytes(range(192, 256))


def _kinds(*given: tuple[int, bytes]) -> np.ndarray:
    """What each byte does: letters, digits, _ and non-ASCII bytes are words, all else is skipped unless it is given."""
    kinds = np.array([WORD if byte > 127 or chr(byte).isalnum() or byte == ord("_") else SKIP for byte in range(256)])
    for kind, members in given:
        kinds[list(members)] = kind
    return kinds


WAYS: dict[str, tuple[np.ndarray, int]] = {  # what bytes do, tokens a shingle
    "words": (_kinds(), 5),
    "words, 3-grams": (_kinds(), 3),
    "StarCoder's": (_kinds((CUT, STARCODER), (SKIP, bytes(range(128, 192)))), 5),
    "+ each mark": (_kinds((MARK, ALL_MARKS)), 5),
    "+ runs of marks": (_kinds((RUN, ALL_MARKS)), 5),
    "+ runs of operators": (_kinds((RUN, b"!$%&*+-/<=>?@^|~")), 5),
    "+ brackets": (_kinds((MARK, b"()[]{}")), 5),
    "+ MARKS": (_kinds((MARK, MARKS)), 5),
}


@numba.njit(nogil=True, cache=True)
def _tokens(text: np.ndarray, kinds: np.ndarray, out: np.ndarray) -> int:
    """Hashes of the text's tokens; how many there are.

    SKIP ends a token, CUT ends one even if it is empty, WORD and RUN lengthen one of their kind, MARK is one.
    """
    start = np.uint64(0xCBF29CE484222325)
    count, token, last = 0, start, SKIP
    for byte in text:
        kind = kinds[byte]
        if kind == CUT or (last >= WORD and (kind != last or kind == MARK)):
            out[count] = mix64(token)
            count += 1
            token = start
        if kind >= WORD:
            token = (token ^ np.uint64(byte)) * np.uint64(0x100000001B3)
        last = kind
    if last >= CUT:
        out[count] = mix64(token)
        count += 1
    return count


@numba.njit(nogil=True, cache=True)
def _sets(text: Utf8, kinds: np.ndarray, ngram: int) -> ShingleSets:
    """Shingle sets of all documents."""
    count = len(text.offsets) - 1
    starts, sets = np.zeros(count + 1, np.int64), []
    for document in range(count):
        own = text.data[text.offsets[document] : text.offsets[document + 1]]
        tokens = np.zeros(len(own) + 1, np.uint64)
        size = _tokens(own, kinds, tokens) - ngram + 1
        shingles = np.zeros(max(0, size), np.uint64)
        for at in range(size):
            for token in tokens[at : at + ngram]:
                shingles[at] = shingles[at] * np.uint64(0x9E3779B97F4A7C15) + token
            shingles[at] = mix64(shingles[at])
        sets.append(np.unique(shingles))
        starts[document + 1] = starts[document] + len(sets[document])
    hashes = np.zeros(starts[count], np.uint64)
    for document in range(count):
        hashes[starts[document] : starts[document + 1]] = sets[document]
    return ShingleSets(starts, hashes)


@numba.njit(nogil=True, cache=True)
def _minhash(sets: ShingleSets, multipliers: np.ndarray, addends: np.ndarray) -> np.ndarray:
    rows = np.full((len(sets.starts) - 1, len(multipliers)), np.uint32(0xFFFFFFFF), np.uint32)
    for document in range(len(rows)):
        for value in sets.hashes[sets.starts[document] : sets.starts[document + 1]]:
            for k in range(len(multipliers)):
                rows[document, k] = min(rows[document, k], np.uint32(np.uint32(value) * multipliers[k] + addends[k]))
    return rows


@numba.njit(nogil=True, cache=True)
def _common(one: np.ndarray, other: np.ndarray) -> float:
    """2 * longest common subsequence / (tokens of both)."""
    row = np.zeros(len(other) + 1, np.int32)
    for token in one:
        diagonal = np.int32(0)
        for at in range(len(other)):
            above = row[at + 1]
            row[at + 1] = diagonal + 1 if token == other[at] else max(above, row[at])
            diagonal = above
    return 2 * row[len(other)] / max(1, len(one) + len(other))


def _utf8(texts: Sequence[str]) -> Utf8:
    return Utf8.of(pa.chunked_array([pa.array(texts, pa.large_string())]))


# --- reformatted copies


def _rewrap_comments(text: str) -> str:
    """Comment lines that follow each other with the same mark, filled anew to 60 columns."""
    found: list[str] = []
    block: list[str] = []
    head = ""
    for line in [*text.split("\n"), None]:
        match = re.match(r"(\s*(?://+|#+|\*|--)\s+)(.*)", line) if line is not None else None
        if block and (not match or match[1] != head):
            found += textwrap.wrap(" ".join(block), 60, initial_indent=head, subsequent_indent=head) or [head]
            block = []
        if match:
            head = match[1]
            block.append(match[2])
        elif line is not None:
            found.append(line)
    return "\n".join(found)


def _white_space(text: str) -> str:
    """Half the indent, a new line after each comma and before each opening brace, carriage returns."""
    text = re.sub(r"(?m)^ +", lambda match: match[0][: len(match[0]) // 2], text)
    return re.sub(r"\s*\{", "\n{", re.sub(r",\s*", ",\n    ", text)).replace("\n", " \r\n")


def _without_semicolons(text: str) -> str:
    return re.sub(r"(?m);[ \t]*$", "", text)


def _swap(text: str, ones: str, others: str) -> str:
    return text.translate(str.maketrans(ones + others, others + ones))


def _trailing_commas(text: str) -> str:
    return re.sub(r"([\w'\")\]}])(\s*\n\s*[)\]}])", r"\1,\2", text)


def _all_but_braces(text: str) -> str:
    return _white_space(_rewrap_comments(_trailing_commas(_without_semicolons(_swap(text, "'", '"')))))


def _single_braces(text: str) -> str:
    return re.sub(r"\{\s*([^{};\n]*;)\s*\}", r"\1", text)


def _formatted(text: str) -> str:
    """What ruff makes of a Python file with other settings than its defaults; the text itself where it fails."""
    settings = ["line-length=60", "format.quote-style='single'", "format.indent-style='tab'"]
    options = [part for setting in settings for part in ("--config", setting)]
    command = [sys.executable, "-m", "ruff", "format", "--isolated", *options, "-"]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    return done.stdout.decode() if done.returncode == 0 else text


CURLY = ["c", "c++", "c-sharp", "java", "javascript", "typescript", "rust", "go", "swift", "kotlin", "dart", "solidity"]
STYLES: dict[str, tuple[Callable[[str], str], list[str] | None]] = {  # the change, languages it is made in
    "white space": (_white_space, None),
    "quotes": (lambda text: _swap(text, "'", '"'), None),
    "semicolons": (_without_semicolons, CURLY),
    "trailing commas": (_trailing_commas, CURLY),
    "comments re-wrapped": (_rewrap_comments, None),
    "all of these": (_all_but_braces, CURLY),
    "no braces around one statement": (_single_braces, CURLY),
    "ruff format": (_formatted, ["python"]),
    "other operators": (lambda text: _swap(text, "+<&*!", "->|/="), CURLY),
}


def styles(documents: pa.Table) -> None:
    """For each style and way: the share of changed copies that are still near."""
    rows = []
    for name, (change, languages) in STYLES.items():
        chosen = (
            documents if languages is None else documents.filter(pc.is_in(documents["language"], pa.array(languages)))
        )
        count = FORMATTED if change is _formatted else REFORMATTED
        texts = [text for text in _sample(chosen["text"].to_pylist(), count) if len(re.findall(r"\w+", text)) >= 10]
        pairs = [(text, copy) for text in texts if (copy := change(text)) != text]
        if not pairs:
            continue
        before, after, every = _utf8([one for one, _ in pairs]), _utf8([two for _, two in pairs]), np.arange(len(pairs))
        near = [
            jaccard(_sets(before, *way), every, _sets(after, *way), every, THRESHOLD) >= THRESHOLD
            for way in WAYS.values()
        ]
        rows.append([name, f"{len(pairs):,}", *(f"{each.mean():.1%}" for each in near)])
    _print("Changed copies that are still near", ["change", "files", *WAYS], rows)


# --- pairs of documents


def pairs(documents: pa.Table) -> None:
    """For each way: what it calls near, and how longest common subsequences judge that."""
    text = Utf8.of(documents["text"])
    sets, seconds, close = {}, {}, []
    for name, way in WAYS.items():
        began = time.process_time()
        sets[name] = _sets(text, *way)
        seconds[name] = time.process_time() - began
        close.append(_close(sets[name]))
    found = np.unique(np.concatenate(close), axis=0)
    found = _spread(found, np.fromiter(map(len, map(_ALL.findall, documents["text"].to_pylist())), np.int64))
    values = {name: jaccard(each, found[:, 0], each, found[:, 1]) for name, each in sets.items()}
    texts = {row: documents["text"][row].as_py() for row in np.unique(found).tolist()}
    code = _judge({row: _body(one) for row, one in texts.items()}, found, _ALL)
    code_words = _judge({row: _body(one) for row, one in texts.items()}, found, _WORDS)
    whole, words, lines = (_judge(texts, found, pattern) for pattern in (_ALL, _WORDS, _LINES))
    mean = np.mean(list(values.values()), axis=0)
    middle = (mean >= 0.55) & (mean < 0.85)
    rows = []
    for (name, value), both in zip(values.items(), close, strict=True):
        near = value >= THRESHOLD
        everywhere = jaccard(sets[name], both[:, 0], sets[name], both[:, 1]) >= THRESHOLD
        sizes = np.diff(sets[name].starts)
        rows.append(
            [
                name,
                f"{everywhere.sum():,}",
                f"{near.sum():,}",
                f"{(near & (code < 0.5)).sum()} / {(near & (code_words < 0.5)).sum()}",
                f"{(near & (whole < 0.8)).sum()} / {(near & (words < 0.8)).sum()}",
                f"{(~near & (whole >= 0.9)).sum()} / {(~near & (words >= 0.9)).sum()}",
                " / ".join(f"{_rank_correlation(value[middle], judge[middle]):.2f}" for judge in (whole, words, lines)),
                f"{(sizes == 0).mean():.1%}",
                f"{sizes.sum() / len(text.data):.3f}",
                f"{len(text.data) / 1e6 / seconds[name]:.0f}",
            ]
        )
    names = ["way", "near pairs", "judged", "code < 0.5", "all < 0.8", "not near, all >= 0.9", "rank correlation"]
    names += ["no shingles", "shingles a byte", "MB/s"]
    title = (
        f"{len(documents):,} documents, {len(text.data) / 1e6:.0f} MB; {len(found):,} pairs judged by tokens / words"
    )
    _print(f"{title} (/ lines), rank correlation over {middle.sum():,} of them", names, rows)


def _close(sets: ShingleSets) -> np.ndarray:
    """Pairs (i < j) with a Jaccard similarity of at least 0.6, found with a chance of 0.9999."""
    minhash = _minhash(sets, *permutations(256, 1))
    some = np.diff(sets.starts) > 0
    keys = band_keys(minhash, 64, 4)
    found = []
    for band in range(64):
        order = np.argsort(keys[:, band], kind="stable")
        order = order[some[order]]
        for step in range(1, 200):  # a bucket's documents are neighbours
            same = np.flatnonzero(keys[order[:-step], band] == keys[order[step:], band])
            if not len(same):
                break
            two = np.sort(np.stack([order[same], order[same + step]], axis=1), axis=1)
            two = two[estimates(minhash, two[:, 0], minhash, two[:, 1]) >= 0.5]
            found.append(two[:, 0] << 32 | two[:, 1])
        if band % 8 == 7:
            found = [np.unique(np.concatenate(found))]
    packed = np.unique(np.concatenate(found))
    two = np.stack([packed >> 32, packed & 0xFFFFFFFF], axis=1)
    return two[jaccard(sets, two[:, 0], sets, two[:, 1]) >= 0.6]


_ALL, _WORDS, _LINES = re.compile(r"\w+|[^\w\s]"), re.compile(r"\w+"), re.compile(r"\S[^\n]*")


def _judge(texts: dict[int, str], found: np.ndarray, pattern: re.Pattern[str]) -> np.ndarray:
    """Likeness of each pair: 2 * the longest common subsequence of what `pattern` matches / all matches of both."""
    numbers: dict[str, int] = {}
    tokens = {
        row: np.array([numbers.setdefault(token, len(numbers)) for token in pattern.findall(text)], np.int64)
        for row, text in texts.items()
    }
    return np.array([_common(tokens[one], tokens[other]) for one, other in found.tolist()])


def _body(text: str) -> str:
    """The text after its leading comments; the text itself if that is all."""
    comment = r'/\*.*?\*/|\(\*.*?\*\)|<!--.*?-->|\{-.*?-\}|""".*?"""|(?:#|//|--|;|%|!)[^\n]*'
    rest = re.sub(rf"\A(?:\s*(?:{comment}))+", "", text, flags=re.DOTALL)
    return rest if rest.strip() else text


def _spread(found: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """JUDGED pairs of documents that are not too long, each in few of them."""
    used: Counter[int] = Counter()
    chosen = []
    for one, other in _sample(found[(sizes[found] <= LONGEST).all(axis=1)].tolist(), len(found)):
        if max(used[one], used[other]) < PAIRS:
            used.update((one, other))
            chosen.append((one, other))
    return np.array(chosen[:JUDGED], np.int64).reshape(-1, 2)


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's."""
    ranks = np.stack([np.argsort(np.argsort(values, kind="stable")) for values in (one, other)])
    return float(np.asarray(np.corrcoef(ranks))[0, 1])


def _sample(items: Sequence[Any], count: int) -> list[Any]:
    return random.Random(1).sample(items, min(count, len(items)))


def _print(title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print(f"\n{title}:\n\n| {' | '.join(names)} |\n|{' --- |' * len(names)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("documents", nargs="+", metavar="PARQUET")
    paths = parser.parse_args().documents
    table = pa.concat_tables([pq.read_table(path, columns=["language", "text"]) for path in paths])
    rows = dict(reversed([(text, row) for row, text in enumerate(table["text"].to_pylist())]))
    table = table.take(pa.array(sorted(rows.values())))
    _sets(_utf8(["compiles"]), *WAYS["words"])
    styles(table)
    pairs(table)


if __name__ == "__main__":
    main()
