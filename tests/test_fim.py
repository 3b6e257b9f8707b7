"""Fill-in-the-middle: prefix, middle and suffix rebuild the text, at the rates asked for, and nothing else moves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.tokenizer import SPECIAL_TOKENS, Coder, train
from training.fim import fim
from training.loader import Document, with_fim

END, PREFIX, MIDDLE, SUFFIX = 0, 1, 2, 3
TEXT = "x = 1\ny = 2\n" * 20


@pytest.fixture(scope="module")
def coder() -> Coder:
    return Coder(train(["def f(x):\n    return x + 1\n" * 3], 300).to_str().encode())


def parts(ids: list[int], coder: Coder) -> tuple[str, str, str, bool]:
    """Prefix, middle and suffix of rearranged ids, and whether they stood as SPM."""
    assert [ids.count(sentinel) for sentinel in (PREFIX, MIDDLE, SUFFIX)] == [1, 1, 1]
    assert ids[0] == PREFIX
    suffix, middle = ids.index(SUFFIX), ids.index(MIDDLE)
    assert suffix < middle
    pieces = [coder.decode(part) for part in (ids[1:suffix], ids[middle + 1 :], ids[suffix + 1 : middle])]
    return pieces[0], pieces[1], pieces[2], suffix == 1


@given(st.text(min_size=1), st.integers(0, 2**32))
def test_psm_rebuilds_the_text(coder: Coder, text: str, seed: int) -> None:
    ids = fim(text, np.random.default_rng(seed), coder.encode, coder.special, spm_rate=0)
    prefix, middle, suffix, _ = parts(ids, coder)
    assert prefix + middle + suffix == text


@given(st.text(min_size=1), st.integers(0, 2**32))
def test_spm_rebuilds_the_text(coder: Coder, text: str, seed: int) -> None:
    ids = fim(text, np.random.default_rng(seed), coder.encode, coder.special, spm_rate=1)
    before, joined, suffix, is_spm = parts(ids, coder)
    assert (before, is_spm) == ("", True)
    assert joined + suffix == text


def test_spm_encodes_prefix_and_middle_apart(coder: Coder) -> None:
    """The same cut gives the same pieces either way: SPM is PSM's pieces in another order."""
    for seed in range(50):
        psm = fim("def f(x): return x", np.random.default_rng(seed), coder.encode, coder.special, spm_rate=0)
        spm = fim("def f(x): return x", np.random.default_rng(seed), coder.encode, coder.special, spm_rate=1)
        assert sorted(psm) == sorted(spm)


def test_cuts_are_uniform_over_characters(coder: Coder) -> None:
    text = "".join(chr(0x4E00 + n) for n in range(10))  # three bytes each: a cut inside one would not decode
    lengths = np.zeros(3)
    for seed in range(1500):
        prefix, middle, suffix, _ = parts(fim(text, np.random.default_rng(seed), coder.encode, coder.special, 0), coder)
        assert "\ufffd" not in prefix + middle + suffix
        lengths += [len(prefix), len(middle), len(suffix)]
    assert lengths / 1500 == pytest.approx([10 / 3, 10 / 3, 10 / 3], abs=0.4)


def drawn(coder: Coder, rate: float, spm_rate: float, count: int = 1200) -> Iterator[tuple[Document, list[int]]]:
    header = [18, *coder.encode("octo/cat"), *coder.encode("\n")]
    tokens = np.array([*header, *coder.encode(TEXT), END], np.uint16)
    document = Document("id", tokens, len(header))
    for seed in range(count):
        yield document, with_fim(document, coder, np.random.default_rng(seed), rate, spm_rate).tolist()


def test_rates_are_those_asked_for_and_the_header_stays(coder: Coder) -> None:
    moved = as_spm = 0
    for document, ids in drawn(coder, 0.5, 0.5):
        assert ids[: document.text_start] == document.tokens[: document.text_start].tolist()
        assert ids[-1] == END
        if PREFIX in ids:
            moved += 1
            prefix, middle, suffix, is_spm = parts(ids[document.text_start : -1], coder)
            as_spm += is_spm
            assert "".join((prefix, middle, suffix)) == TEXT
        else:
            assert ids == document.tokens.tolist()
    assert moved == pytest.approx(600, abs=60)
    assert as_spm == pytest.approx(300, abs=60)


def test_rate_zero_changes_nothing_and_rate_one_everything(coder: Coder) -> None:
    assert all(ids == document.tokens.tolist() for document, ids in drawn(coder, 0, 0.5, 100))
    assert all(PREFIX in ids for _, ids in drawn(coder, 1, 0.5, 100))


def test_an_empty_text_stays(coder: Coder) -> None:
    document = Document("id", np.array([18, 30, 31, END], np.uint16), 3)
    assert with_fim(document, coder, np.random.default_rng(0), 1.0, 0.5).tolist() == [18, 30, 31, END]


def test_sentinels_are_starcoders() -> None:
    assert SPECIAL_TOKENS[1:4] == ("<fim_prefix>", "<fim_middle>", "<fim_suffix>")
