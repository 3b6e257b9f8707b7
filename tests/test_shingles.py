"""Shingle kernels: against plain Python and datasketch, against theory, and on input that is made to break them."""

from __future__ import annotations

import re
import string
import subprocess
import sys
from itertools import pairwise

import datasketch
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stages.shingles import (
    MARKS,
    ShingleSets,
    Utf8,
    band_keys,
    content_hashes,
    estimates,
    jaccard,
    permutations,
    shingle_sets,
    signatures,
)

MASK = (1 << 64) - 1
WORDS = ["alpha", "beta", "gamma", "x", "y1", "_z", "größe", "変数", "42"]
PIECES = [*WORDS, " ", "\n", "\0", *string.punctuation]
TEXTS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=60).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=60).map(" ".join),
    st.text(max_size=80),
)


def tokens_of(text: str) -> list[bytes]:
    return re.findall(rb"[A-Za-z0-9_\x80-\xff]+|[" + re.escape(MARKS) + rb"]", text.encode())


def shingles_of(text: str, ngram: int = 5) -> set[tuple[bytes, ...]]:
    tokens = tokens_of(text)
    return {tuple(tokens[i : i + ngram]) for i in range(len(tokens) - ngram + 1)}


def mix64(value: int) -> int:
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        value = ((value ^ (value >> 33)) * factor) & MASK
    return value ^ (value >> 33)


def hash_of(shingle: tuple[bytes, ...]) -> int:
    rolling = 0
    for token in shingle:
        hashed = 0xCBF29CE484222325
        for byte in token:
            hashed = ((hashed ^ byte) * 0x100000001B3) & MASK
        rolling = (rolling * 0x9E3779B97F4A7C15 + mix64(hashed)) & MASK
    return mix64(rolling) or 1


def hashes_of(text: str, ngram: int = 5) -> list[int]:
    return sorted({hash_of(shingle) for shingle in shingles_of(text, ngram)})


def utf8(texts: list[str]) -> Utf8:
    return Utf8.of(pa.chunked_array([pa.array(texts, pa.string())]))


def packed(sets: list[set[int]]) -> ShingleSets:
    hashes = np.array([value for one in sets for value in sorted(one)], np.uint64)
    return ShingleSets(np.cumsum([0, *map(len, sets)]), hashes)


def row(sets: ShingleSets, document: int) -> list[int]:
    return sets.hashes[sets.starts[document] : sets.starts[document + 1]].tolist()


# --- against plain Python and datasketch


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(TEXTS, max_size=6), ngram=st.integers(1, 6))
def test_kernels_agree_with_plain_python_and_datasketch(texts: list[str], ngram: int) -> None:
    text = Utf8.of(pa.chunked_array([pa.array(["skipped", *texts], pa.string()).slice(1)]))
    maker = datasketch.MinHash(256, seed=42, scheme="affine32", hashfunc=lambda hashed: hashed & 0xFFFFFFFF)
    signed, sets = signatures(text, ngram, *permutations(256, 42)), shingle_sets(text, ngram)
    expected = [hashes_of(each, ngram) for each in texts]
    assert [row(sets, document) for document in range(len(texts))] == expected
    assert signed.shingles.tolist() == [len(hashes) for hashes in expected]
    for values, hashes in zip(signed.minhash, expected, strict=True):
        minhash = maker.copy()
        minhash.clear()
        minhash.update_batch(hashes)
        assert values.dtype == minhash.hashvalues.dtype
        assert values.tolist() == minhash.hashvalues.tolist()
    equal_keys = (signed.set_key[:, None] == signed.set_key[None]).all(axis=2)
    assert equal_keys.tolist() == [[one == other for other in expected] for one in expected]


@pytest.mark.parametrize(("count", "seed"), [(1, 0), (128, 1), (256, 42), (250, 2**32 - 1)])
def test_permutations_are_those_of_datasketch(count: int, seed: int) -> None:
    for ours, theirs in zip(
        permutations(count, seed), datasketch.MinHash(count, seed, scheme="affine32").permutations, strict=True
    ):
        assert ours.dtype == theirs.dtype
        assert ours.tolist() == theirs.tolist()


def test_signing_does_not_import_datasketch() -> None:
    script = "import sys, stages.shingles as s; s.permutations(256, 42); sys.exit('datasketch' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


PAIRS = st.tuples(st.sets(st.integers(1, 12)), st.sets(st.integers(1, 12)))


@settings(max_examples=150, deadline=None)
@example(pairs=[({1, 2, 3, 4, 5, 6, 7}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})], floor=0.7)
@example(pairs=[(set(), set()), ({1}, set())], floor=0.0)
@given(pairs=st.lists(PAIRS, max_size=5), floor=st.one_of(st.sampled_from([0.0, 0.5, 0.7, 1.0]), st.floats(0, 1)))
def test_jaccard_is_exact_from_the_floor_on(pairs: list[tuple[set[int], set[int]]], floor: float) -> None:
    left, right, rows = packed([one for one, _ in pairs]), packed([other for _, other in pairs]), np.arange(len(pairs))
    exact = [len(one & other) / len(one | other) if one | other else 0.0 for one, other in pairs]
    assert jaccard(left, rows, right, rows).tolist() == exact
    assert jaccard(left, rows, right, rows, floor).tolist() == [each if each >= floor else -1.0 for each in exact]


@pytest.mark.parametrize("floor", [0.1, 0.3, 0.7, 0.9, 1.0])
def test_every_similarity_of_small_sets_is_found_at_its_own_floor(floor: float) -> None:
    sizes = [(shared, mine, other) for shared in range(13) for mine in range(13) for other in range(13)]
    pairs = [
        ({*range(1, 1 + shared), *range(100, 100 + mine)}, {*range(1, 1 + shared), *range(50, 50 + other)})
        for shared, mine, other in sizes
    ]
    left, right, rows = packed([one for one, _ in pairs]), packed([other for _, other in pairs]), np.arange(len(pairs))
    exact = jaccard(left, rows, right, rows)
    assert jaccard(left, rows, right, rows, floor).tolist() == np.where(exact >= floor, exact, -1.0).tolist()
    for value in np.unique(exact):
        assert (jaccard(left, rows, right, rows, float(value)) >= 0).tolist() == (exact >= value).tolist()


def test_a_merge_that_ends_early_loses_no_pair_of_large_sets() -> None:
    generator = np.random.default_rng(3)
    pairs = []
    for size in generator.integers(100, 1500, 1500).tolist():
        hashes = generator.integers(1, 1 << 63, 2 * size, dtype=np.uint64).tolist()
        shared = int(size * generator.uniform(0.6, 0.95))
        pairs.append((set(hashes[:size]), set(hashes[size - shared : 2 * size - shared])))
    left, right, rows = packed([one for one, _ in pairs]), packed([other for _, other in pairs]), np.arange(len(pairs))
    exact = jaccard(left, rows, right, rows)
    assert 300 < (exact >= 0.7).sum() < 1200
    assert jaccard(left, rows, right, rows, 0.7).tolist() == np.where(exact >= 0.7, exact, -1.0).tolist()


def test_band_keys_are_equal_where_all_values_of_the_band_are() -> None:
    generator = np.random.default_rng(1)
    minhash = generator.integers(0, 2, (60, 12)).astype(np.uint32)
    keys = band_keys(minhash, 3, 4)
    for band in range(3):
        values = [tuple(values) for values in minhash[:, band * 4 : band * 4 + 4].tolist()]
        assert len(set(keys[:, band].tolist())) == len(set(values)) > 1
        assert len(set(zip(keys[:, band].tolist(), values, strict=True))) == len(set(values))


def test_content_hashes_read_columns_in_pieces_and_nulls() -> None:
    column = pa.chunked_array([["a", None], [], ["a", ""]], pa.string())
    a, null, again, empty = content_hashes(Utf8.of(column)).tolist()
    assert (a, null) == (again, empty)
    assert len(content_hashes(Utf8.of(pa.chunked_array([], pa.string())))) == 0


# --- against theory


def test_estimates_have_the_theoretical_error() -> None:
    # Pairs of sets of words (shingles of one token) with similarities all over, each with words of its own.
    generator, texts = np.random.default_rng(7), []
    for pair in range(1_500):
        shared, mine, other = generator.integers(1, 400, 3)
        words = [f"w{pair}_{number}" for number in range(shared + mine + other)]
        texts += [" ".join(words[: shared + mine]), " ".join(words[:shared] + words[shared + mine :])]
    text, left = utf8(texts), np.arange(0, len(texts), 2)
    sets, minhash = shingle_sets(text, 1), signatures(text, 1, *permutations(256, 42)).minhash
    exact = jaccard(sets, left, sets, left + 1)
    error = (estimates(minhash, left, minhash, left + 1) - exact) / np.sqrt(exact * (1 - exact) / 256)
    assert abs(error.mean()) < 3 / np.sqrt(len(error))  # unbiased
    assert 0.94 < error.std() < 1.06
    assert np.abs(error).max() < 5


def test_a_signature_is_found_by_datasketch_and_estimates_alike() -> None:
    words = [f"w{number}" for number in range(400)]
    text = utf8([" ".join(words), " ".join([*words[:390], "end"]), " ".join(reversed(words))])
    minhash, rows = signatures(text, 5, *permutations(256, 42)).minhash, np.arange(3)
    lean = [datasketch.LeanMinHash(seed=42, hashvalues=values, scheme="affine32") for values in minhash]
    index = datasketch.MinHashLSH(threshold=0.7, num_perm=256)
    for document in (0, 2):
        index.insert(document, lean[document])
    assert index.query(lean[1]) == [0]
    assert estimates(minhash, rows, minhash, rows[::-1].copy()).tolist() == [
        lean[one].jaccard(lean[2 - one]) for one in range(3)
    ]


# --- what counts


@pytest.mark.parametrize(
    "restyled",
    [
        "if (a) {\n\tcall('x', b)\n}  \r\n# like this one\n# or that",
        'if (a)\n{\n    call(\n        "x",\n        b,\n    );\n}\n// like this\n// one or that',
        "if(a){call(`x`,b);}/* like this one\n * or that */",
    ],
)
def test_style_is_no_difference(restyled: str) -> None:
    sets = shingle_sets(utf8(['if (a) { call("x", b); } // like this one or that', restyled]), 5)
    assert row(sets, 0) == row(sets, 1)


@pytest.mark.parametrize(
    "changed", ["a + b * (c2 < 4)", "a + b * (c < 5)", "a + b * (c > 4)", "a + b * c < 4", "ä + b"]
)
def test_numbers_names_and_operators_are_differences(changed: str) -> None:
    sets = shingle_sets(utf8(["a + b * (c < 4)", changed]), 3)
    assert row(sets, 0) != row(sets, 1)


# --- input that is made to break them

LONG = " ".join(f"v{number % 70_000}=f({number});" for number in range(330_000))


@pytest.mark.parametrize(
    "text",
    [
        LONG[:5_000_000],
        "x" * 1_000_000,
        "(" * 1_000_000,
        "\0" * 1_000 + "a\0b\0c\0d\0e\0f" * 100,
        string.punctuation * 500,
        "\ufeff\ufffd\x80\u0080\u07ff\u0800\uffff\U00010000\U0010ffff a b c d e",
        "a b c d e" * 5_000,
        "word",
        " \n",
        "",
    ],
    ids=["one line of 5 MB", "one token", "one mark", "nulls", "marks", "borders", "repeats", "word", "blank", "empty"],
)
def test_odd_texts_have_their_shingles_wherever_they_stand(text: str) -> None:
    texts = utf8(["a b c d e f", text, "", text])
    sets, signed = shingle_sets(texts, 5), signatures(texts, 5, *permutations(16, 1))
    hashes = row(sets, 1)
    assert row(sets, 0) == hashes_of("a b c d e f")
    assert hashes == row(sets, 3)
    assert all(one < other for one, other in pairwise(hashes))
    assert signed.shingles.tolist() == np.diff(sets.starts).tolist()
    assert signed.set_key[1].tolist() == signed.set_key[3].tolist()
    assert len(hashes) == len(shingles_of(text))
    if len(text) < 100_000:
        assert hashes == hashes_of(text)


def test_no_documents_have_no_signatures() -> None:
    text = Utf8.of(pa.chunked_array([], pa.string()))
    assert signatures(text, 5, *permutations(8, 1)).minhash.shape == (0, 8)
    assert shingle_sets(text, 5).starts.tolist() == [0]
