"""Fill-in-the-middle: a text is cut into prefix, middle and suffix, and the middle moves to the end.

Cuts fall between characters, so that a model learns to complete inside a token, and never inside a character. They are
made in a whole document before packing; the reference cuts packed samples, which splits documents at window edges and
takes the template's header apart. Source: Bavarian et al. 2022; Megatron-LM (bigcode), megatron/data/gpt_dataset.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

PREFIX, MIDDLE, SUFFIX = "<fim_prefix>", "<fim_middle>", "<fim_suffix>"


def fim(
    text: str,
    rng: np.random.Generator,
    encode: Callable[[str], list[int]],
    special: Mapping[str, int],
    spm_rate: float = 0.5,
) -> list[int]:
    """Token ids of `text` cut at two places drawn uniformly, P, M and S encoded apart.

    PSM is `<fim_prefix>P<fim_suffix>S<fim_middle>M`; with probability `spm_rate` it is SPM, the paper's variant 2,
    `<fim_prefix><fim_suffix>S<fim_middle>PM`.
    """
    first, second = np.sort(rng.integers(0, len(text) + 1, size=2)).tolist()
    prefix, middle, suffix = encode(text[:first]), encode(text[first:second]), encode(text[second:])
    if rng.random() < spm_rate:
        return [special[PREFIX], special[SUFFIX], *suffix, special[MIDDLE], *prefix, *middle]
    return [special[PREFIX], *prefix, special[SUFFIX], *suffix, special[MIDDLE], *middle]
