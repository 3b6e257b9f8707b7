"""What deduplication is judged by: the exact all-pairs join against comparing all, StarCoder's shingles and rule."""

from __future__ import annotations

import re
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.all_pairs import all_pairs, brute_force
from benchmarks.starcoder_deduplication import starcoder_clusters, starcoder_sets
from tests.test_shingles import packed


def similar(sets: list[set[int]], floor: float) -> set[tuple[int, int, float]]:
    """Every pair of sets at least so similar, in plain Python."""
    numbered = [(number, one) for number, one in enumerate(sets) if one]
    found = {(i, j, len(one & two) / len(one | two)) for (i, one), (j, two) in combinations(numbered, 2)}
    return {pair for pair in found if pair[2] >= floor}


FLOOR = st.sampled_from([0.1, 0.3, 0.5, 2 / 3, 0.7, 0.9, 1.0])


@settings(max_examples=150, deadline=None)
@given(sets=st.lists(st.sets(st.integers(0, 14)), max_size=12), floor=FLOOR)
def test_the_join_finds_what_comparing_all_finds(sets: list[set[int]], floor: float) -> None:
    expected = similar(sets, floor)
    assert all_pairs(packed(sets), floor).documents() == expected
    assert brute_force(packed(sets), floor) == expected


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), floor=FLOOR)
def test_the_join_finds_edited_copies_of_any_size(seed: int, floor: float) -> None:
    generator = np.random.default_rng(seed)
    sets = []
    for _ in range(8):
        original = generator.choice(2**62, generator.integers(1, 200), replace=True)
        header = generator.choice(50, generator.integers(0, 30))  # elements that unlike sets share
        for _ in range(generator.integers(1, 8)):
            share = generator.uniform(0.4, 1)
            kept = original[generator.random(len(original)) < share]
            sets.append(
                {*kept.tolist(), *header.tolist(), *generator.choice(2**62, generator.integers(0, 20)).tolist()}
            )
    assert all_pairs(packed(sets), floor).documents() == similar(sets, floor)


def test_copies_are_one_group_and_empty_sets_none() -> None:
    pairs = all_pairs(packed([{1, 2, 3}, set(), {1, 2}, {3, 2, 1}, set()]), 0.5)
    assert pairs.group.tolist() == [1, -1, 0, 1, -1]
    assert (pairs.first.tolist(), pairs.size.tolist()) == ([2, 0], [1, 2])
    assert (pairs.left.tolist(), pairs.right.tolist()) == ([0], [1])
    assert pairs.similarity == pytest.approx([2 / 3])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.sampled_from("ab_1 \n(é変"), max_size=30), max_size=4))
def test_starcoder_counts_the_empty_strings_between_separators(texts: list[str]) -> None:
    sets = starcoder_sets(texts)
    hashed = [set(sets.hashes[start:stop].tolist()) for start, stop in pairwise(sets.starts)]
    tokens = [re.split("[^A-Za-z_0-9]", text) for text in texts]
    expected = [{" ".join(own[i : i + 5]) for i in range(len(own) - 4)} for own in tokens]
    assert [len(one) for one in hashed] == [len(one) for one in expected]
    assert [[len(one & two) for one in hashed] for two in hashed] == [
        [len(one & two) for one in expected] for two in expected
    ]


def test_starcoder_drops_chains_and_all_short_files() -> None:
    words = [f"w{number}" for number in range(420)]
    chain = [" ".join(words[start : start + 300]) for start in range(0, 121, 10)]
    texts = ["unlike anything else in here or there", *chain, "a b", "c"]
    assert starcoder_clusters(starcoder_sets(texts)).tolist() == [0, *(1 for _ in chain), 14, 14]
