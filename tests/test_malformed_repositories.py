"""Acquire over malformed repositories: each is accounted for, nothing is executed, and no text but the planted one."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fuzz import STAGE, Fate, acquire, fuzz, wrongs
from tests.malformed import ALL, HARMLESS, Mutation, malformed
from tests.malformed_objects import delta_cycle


def assert_right(fates: Iterable[Fate]) -> None:
    wrong = [(fate.made.seed, fate.made.mutations, *wrongs(fate)) for fate in fates if wrongs(fate)]
    assert wrong == []


def acquired(folder: Path, mutations: Sequence[Sequence[Mutation]]) -> list[Fate]:
    """One repository with each of the given mutations, all in one run."""
    made = [malformed(folder / f"o/{n}.git", n, folder / "canary", each) for n, each in enumerate(mutations)]
    return acquire(made, folder, [each.path.as_uri() for each in made])


@pytest.mark.parametrize("first", [0, 50])
def test_any_damage_gives_documents_or_decisions(first: int, tmp_path: Path) -> None:
    fates = fuzz(range(first, first + 50), tmp_path)
    assert_right(fates)
    assert len({fate.word for fate in fates}) >= 4


def test_any_damage_behind_a_server_gives_documents_or_decisions(tmp_path: Path) -> None:
    assert_right(fuzz(range(100, 112), tmp_path, http=True))


def test_every_mutation_alone_gives_documents_or_decisions(tmp_path: Path) -> None:
    fates = acquired(tmp_path, [[mutation] for mutation in ALL])
    assert_right(fates)
    words = {fate.made.mutations[0]: fate.word for fate in fates}
    assert {name: word for name, word in words.items() if name in WORDS} == WORDS


WORDS = {
    "sha256_repository": "repository_sha256",
    "tree_bomb": "too_many_files",
    "long_paths": "too_many_files",
    "garbage_tree": "repository_corrupt",
    **{mutation.__name__: "documents" for mutation in HARMLESS},
}


@settings(max_examples=12, deadline=None)
@given(st.sets(st.sampled_from(ALL), min_size=2, max_size=5), st.integers(0, 1 << 32))
def test_any_mutations_together_give_documents_or_decisions(mutations: set[Mutation], seed: int) -> None:
    with TemporaryDirectory() as folder:
        ordered = [mutation for mutation in ALL if mutation in mutations]
        made = malformed(Path(folder) / "o/n.git", seed, Path(folder) / "canary", ordered)
        assert_right(acquire([made], Path(folder), [made.path.as_uri()]))


def test_a_pack_that_git_reads_for_ever_ends_with_the_time_allowed(tmp_path: Path) -> None:
    made = malformed(tmp_path / "o/n.git", 1, tmp_path / "canary", [])
    shutil.rmtree(made.path / "objects")
    delta_cycle(made)
    began = time.monotonic()
    (fate,) = acquire([made], tmp_path, [made.path.as_uri()], STAGE.model_copy(update={"timeout_s": 1.5}))
    assert fate.word == "repository_unreachable"
    assert "had not ended after 1.5 seconds" in fate.decisions[0]["detail"]
    assert time.monotonic() - began < 15
