"""StarCoder's document template: `<reponame>REPO<filename>PATH<gh_stars>STARS\\nCODE<|endoftext|>`.

Each of the three fields stands in a document by a draw of its own, so that the model learns to use what it is given
and to do without; the newline stands only where a field does.
Source: bigcode-dataset, preprocessing/add_content_with_meta.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stages import chance
from stages.tokenizer import Coder

FIELDS = ("<reponame>", "<filename>", "<gh_stars>")


def stars_bucket(stars: int | None) -> str:
    """The stars as the template writes them; an unknown count reads as none."""
    if not stars:
        return "0"
    for limit, bucket in ((10, "1-10"), (100, "10-100"), (1000, "100-1000")):
        if stars <= limit:
            return bucket
    return "1000+"


def chosen_fields(seed: int, ids: Sequence[str], probability: float) -> np.ndarray:
    """Which of FIELDS each document's header has: bool of shape (len(ids), 3)."""
    return chance.uniform(seed, "template", ids, len(FIELDS)) < probability


def header(coder: Coder, fields: np.ndarray, repo: str, path: str, stars: int | None) -> list[int]:
    """Token ids of a header with the chosen `fields`; none without a field."""
    ids: list[int] = []
    for token, value, chosen in zip(FIELDS, (repo, path, stars_bucket(stars)), fields, strict=True):
        if chosen:
            ids.append(coder.special[token])
            ids.extend(coder.encode(value))
    return ids + coder.encode("\n") if ids else ids
