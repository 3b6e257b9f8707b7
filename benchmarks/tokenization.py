"""How punctuation should count in a shingle, by measurement: `python -m benchmarks.tokenization PARQUET ...`.

The files hold documents with columns `language` and `text`; equal texts are judged once. Prints Markdown: how each way
to cut tokens takes copies that were only reformatted or whose operators were changed, which pairs of documents it
calls near (judged by the longest common subsequence of tokens that is no shingle's), and what it costs.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Sequence

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stages.shingles import ShingleSets, Utf8, band_keys, estimates, jaccard, permutations

NGRAM, THRESHOLD, LITTLE = 5, 0.7, 0.5
REFORMATTED, JUDGED, LONGEST = 3_000, 6_000, 6_000  # documents, pairs, tokens of a judged document
SKIP, WORD, MARK, MARKS, CUT, JOIN = range(6)  # what a byte does: see `_tokens`
MARK_BYTES = bytes(byte for byte in range(33, 127) if not chr(byte).isalnum() and byte != 95)


def _kinds(**given: bytes) -> np.ndarray:
    """What each byte does: letters, digits, _ and non-ASCII bytes are words, all else is skipped unless it is given."""
    words = [WORD if chr(byte).isalnum() or byte == 95 or byte > 127 else SKIP for byte in range(256)]
    for name, members in given.items():
        for byte in members:
            words[byte] = globals()[name]
    return np.array(words, np.uint8)


WAYS = {
    "words": _kinds(),
    "StarCoder: split, empties count": _kinds(
        CUT=bytes(byte for byte in range(256) if byte > 191 or (byte < 128 and not (chr(byte).isalnum() or byte == 95))),
        SKIP=bytes(range(128, 192)),
    ),
    "words, each mark": _kinds(MARK=MARK_BYTES),
    "words, runs of marks": _kinds(MARKS=MARK_BYTES),
    "words, runs of operators": _kinds(MARKS=b"!$%&*+-/<=>?@^|~"),
    "words, each mark but , ; quotes, comment marks": _kinds(MARK=b"!$%&()+.:<=>?@[]^{|}~"),
    "words, each bracket . =": _kinds(MARK=b"().=[]{}"),
    "words, each bracket": _kinds(MARK=b"()[]{}"),
}


@numba.njit(nogil=True, cache=True)
def _mix(value: np.uint64) -> np.uint64:
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@numba.njit(nogil=True, cache=True)
def _tokens(text: np.ndarray, kinds: np.ndarray, out: np.ndarray) -> int:
    """Hashes of the text's tokens; how many there are.

    SKIP ends a token, WORD and MARKS lengthen one of their kind, MARK is one, CUT ends one even if it is empty, and
    JOIN ends a word and belongs to the next.
    """
    start = np.uint64(0xCBF29CE484222325)
    count, token, last = 0, start, SKIP
    for byte in text:
        kind = kinds[byte]
        if (last in (WORD, MARK, MARKS) and (kind != last or kind == MARK)) or kind == CUT:
            out[count] = _mix(token)
            count += 1
            token = start
        if kind not in (SKIP, CUT):
            token = (token ^ np.uint64(byte)) * np.uint64(0x100000001B3)
        if kind != SKIP or last != JOIN:
            last = kind if kind != CUT else SKIP
    if last in (WORD, MARK, MARKS):
        out[count] = _mix(token)
        count += 1
    return count


@numba.njit(nogil=True, cache=True)
def _sets(text: Utf8, kinds: np.ndarray) -> ShingleSets:
    """Shingle sets of all documents, in blocks so that memory is what the sets need."""
    count = len(text.offsets) - 1
    starts, blocks = np.zeros(count + 1, np.int64), []
    for document in range(count):
        own = text.data[text.offsets[document] : text.offsets[document + 1]]
        tokens = np.zeros(len(own) + 1, np.uint64)
        size = _tokens(own, kinds, tokens) - NGRAM + 1
        shingles = np.zeros(max(0, size), np.uint64)
        for at in range(size):
            for token in tokens[at : at + NGRAM]:
                shingles[at] = shingles[at] * np.uint64(0x9E3779B97F4A7C15) + token
            shingles[at] = _mix(shingles[at])
        found = np.unique(shingles)
        starts[document + 1] = starts[document] + len(found)
        blocks.append(found)
    hashes = np.zeros(starts[count], np.uint64)
    for document in range(count):
        hashes[starts[document] : starts[document + 1]] = blocks[document]
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


def _swap(text: str, pairs: Sequence[str]) -> str:
    return text.translate(str.maketrans(dict(pair for one, two in pairs for pair in ((one, two), (two, one)))))


def _all_style(text: str) -> str:
    text = _rewrap_comments(_trailing_commas(_without_semicolons(_swap(text, ["'\""]))))
    return _white_space(re.sub(r"\{\s*([^{};\n]*)\s*\}", r"\1", text))


def _trailing_commas(text: str) -> str:
    return re.sub(r"([\w'\")\]}])(\s*\n\s*[)\]}])", r"\1,\2", text)


def _formatted(text: str) -> str:
    """What ruff makes of a Python file with other settings than its defaults; the text itself where it fails."""
    settings = ["line-length=60", "format.quote-style='single'", "format.indent-style='tab'"]
    options = [part for setting in settings for part in ("--config", setting)]
    command = [sys.executable, "-m", "ruff", "format", "--isolated", *options, "-"]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    return done.stdout.decode() if done.returncode == 0 else text


STYLES: dict[str, tuple[Callable[[str], str], set[str]]] = {
    "white space": (_white_space, set()),
    "quotes": (lambda text: _swap(text, ["'\""]), set()),
    "semicolons": (_without_semicolons, set()),
    "trailing commas": (_trailing_commas, set()),
    "comments re-wrapped": (_rewrap_comments, set()),
    "all of these": (_all_style, set()),
    "ruff format (Python)": (_formatted, {"python"}),
    "operators changed": (lambda text: _swap(text, ["+-", "<>", "&|", "*/", "!="]), {"c", "java", "javascript", "rust"}),
}


def styles(documents: pa.Table) -> None:
    """For each style and way: the share of changed copies that are still near."""
    rows = []
    for name, (change, languages) in STYLES.items():
        chosen = documents.filter(pc.is_in(documents["language"], pa.array(sorted(languages)))) if languages else documents
        texts = [text for text in _sample(chosen["text"].to_pylist(), REFORMATTED if name[0] != "r" else 300)]
        texts = [text for text in texts if len(re.findall(r"\w+", text)) >= 2 * NGRAM]
        pairs = [(text, copy) for text in texts if (copy := change(text)) != text]
        before, after = _utf8([one for one, _ in pairs]), _utf8([two for _, two in pairs])
        every = np.arange(len(pairs))
        values = [jaccard(_sets(before, kinds), every, _sets(after, kinds), every) for kinds in WAYS.values()]
        rows.append([name, f"{len(pairs):,}", *(f"{np.mean(value >= THRESHOLD):.1%}" for value in values)])
    _print("Copies that are still near (Jaccard >= 0.7)", ["change", "files", *WAYS], rows)


# --- pairs of documents


def pairs(documents: pa.Table) -> None:
    """For each way: what it calls near, and how the longest common subsequence judges that."""
    texts = documents["text"].to_pylist()
    text = Utf8.of(documents["text"])
    sets: dict[str, ShingleSets] = {}
    seconds: dict[str, float] = {}
    near: dict[str, np.ndarray] = {}
    for name, kinds in WAYS.items():
        _sets(_utf8(["a b c d e f"]), kinds)
        began = time.process_time()
        sets[name] = _sets(text, kinds)
        seconds[name] = time.process_time() - began
        near[name] = _near(sets[name])
    found = np.unique(np.concatenate(list(near.values())), axis=0)
    values = {name: jaccard(each, found[:, 0], each, found[:, 1]) for name, each in sets.items()}
    for name in WAYS:
        print(name, (values[name] >= THRESHOLD).sum(), flush=True)
    bodies = [_body(one) for one in texts]
    tokens = [_ids(one) for one in texts]
    codes = [_ids(one) for one in bodies]
    fits = np.array([len(one) <= LONGEST for one in tokens])
    band = np.max(list(values.values()), axis=0) >= 0.6
    judged = _spread(found[band & fits[found].all(axis=1)], JUDGED)
    place = {tuple(pair): row for row, pair in enumerate(found.tolist())}
    rows = np.array([place[tuple(pair)] for pair in judged.tolist()])
    whole = np.array([_common(tokens[a], tokens[b]) for a, b in judged])
    code = np.array([_common(codes[a], codes[b]) for a, b in judged])
    wordids = [_ids(one, r"\w+") for one in texts]
    codewords = [_ids(one, r"\w+") for one in bodies]
    lines = [_ids(one, r"\S[^\n]*") for one in texts]
    whole_words = np.array([_common(wordids[a], wordids[b]) for a, b in judged])
    code_words = np.array([_common(codewords[a], codewords[b]) for a, b in judged])
    whole_lines = np.array([_common(lines[a], lines[b]) for a, b in judged])
    np.savez("/tmp/tok/pairs.npz", judged=judged, whole=whole, code=code, whole_words=whole_words, code_words=code_words, whole_lines=whole_lines, **{f"v{i}": values[n][rows] for i, n in enumerate(WAYS)})
    table = []
    for name in WAYS:
        value = values[name][rows]
        yes = value >= THRESHOLD
        mean = np.mean([other[rows] for other in values.values()], axis=0)
        middle = (mean >= 0.55) & (mean < 0.85)
        sizes = np.diff(sets[name].starts)
        table.append(
            [
                name,
                f"{(values[name] >= THRESHOLD).sum():,}",
                f"{(yes & (code < LITTLE)).sum()}",
                f"{(yes & (whole < 0.8)).sum()}",
                f"{(~yes & (whole >= 0.9)).sum()}",
                f"{(yes & (code_words < LITTLE)).sum()}",
                f"{(yes & (whole_words < 0.8)).sum()}",
                f"{(~yes & (whole_words >= 0.9)).sum()}",
                *(f"{_spearman(value[middle], judge[middle]):.3f}" for judge in (whole, whole_words, whole_lines)),
                f"{np.mean(sizes == 0):.1%}",
                f"{sizes.sum() / len(text.data):.3f}",
                f"{len(text.data) / 1e6 / seconds[name]:.0f}",
            ]
        )
    heads = ["way", "near pairs", f"of them code alike < {LITTLE}", "whole < 0.8", "not near, whole >= 0.9", "wcode", "w<.8", "w>.9"]
    heads += ["rank t", "rank w", "rank l", "documents without shingles", "shingles a byte", "MB/s"]
    _print(f"Pairs among {len(texts):,} documents; {len(rows):,} judged, {middle.sum():,} of them in 0.6-0.8", heads, table)


def _near(sets: ShingleSets) -> np.ndarray:
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


def _body(text: str) -> str:
    """The text after its leading comments; the text itself if that is all."""
    comment = r'/\*.*?\*/|\(\*.*?\*\)|<!--.*?-->|\{-.*?-\}|""".*?"""|(?:#|//|--|;|%|!)[^\n]*'
    rest = re.sub(rf"\A(?:\s*(?:{comment}))+", "", text, flags=re.DOTALL)
    return rest if rest.strip() else text


def _ids(text: str, pattern=r"\w+|[^\w\s]") -> np.ndarray:
    """Numbers of the words and marks of a text."""
    return np.array([hash(token) for token in re.findall(pattern, text)], np.int64)


def _spread(found: np.ndarray, count: int) -> np.ndarray:
    """At most `count` pairs, a document in at most three of them."""
    used: dict[int, int] = {}
    chosen = []
    for one, two in _sample(found.tolist(), len(found)):
        if max(used.get(one, 0), used.get(two, 0)) < 3:
            used[one], used[two] = used.get(one, 0) + 1, used.get(two, 0) + 1
            chosen.append((one, two))
    return np.array(chosen[:count], np.int64).reshape(-1, 2)


def _spearman(one: np.ndarray, other: np.ndarray) -> float:
    ranks = [np.argsort(np.argsort(values, kind="stable")) for values in (one, other)]
    return float(np.corrcoef(*ranks)[0, 1])


def _sample(items, count):
    listed = list(items)
    return random.Random(1).sample(listed, min(count, len(listed)))


def _print(title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print(f"\n{title}:\n\n| {' | '.join(names)} |\n|{' --- |' * len(names)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("documents", nargs="+", metavar="PARQUET")
    table = pa.concat_tables([pq.read_table(path, columns=["language", "text"]) for path in parser.parse_args().documents])
    first = np.unique(table["text"].to_numpy(zero_copy_only=False).astype(str), return_index=True)[1] if False else None
    seen: dict[str, int] = {}
    for row, text in enumerate(table["text"].to_pylist()):
        seen.setdefault(text, row)
    table = table.take(pa.array(sorted(seen.values())))
    styles(table)
    pairs(table)


if __name__ == "__main__":
    main()
