"""How badly a string tokenizes: random characters fall into short BPE tokens, words and identifiers into long ones.

Shannon entropy only counts how often each character comes, so it takes `getElementsByTagName` for as random as a key of
that length. A byte-pair encoding learned from source code knows which characters follow one another there (the idea is
Betterleaks'; docs/decisions/secrets.md compares both). rarity.txt holds the merges, learned from the Python standard
library and permissively licensed packages installed beside Quarry:

    python -m pii.rarity pii/rarity.txt
"""

from __future__ import annotations

import json
import math
import re
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

MERGES = "rarity.txt"
ALPHABET = [chr(code) for code in range(0x21, 0x7F)]
VOCABULARY = 20_000
LONGEST = 256  # characters that are looked at: more say nothing new
# Their licences are MIT, BSD or Apache-2.0.
PACKAGES = ("aiohttp", "botocore", "datasets", "jinja2", "networkx", "numpy", "pandas", "ray", "spacy", "torch")
SUFFIXES = (".py", ".pyi", ".h", ".js", ".html", ".md", ".txt")
LONGEST_FILE = 300_000


class Rarity:
    """Counts the tokens of strings. Built once, in some 20 ms; then about 100,000 strings a second."""

    def __init__(self) -> None:
        lines = Path(__file__).with_name(MERGES).read_text().splitlines()
        merges = [(left, right) for left, _, right in (line.partition(" ") for line in lines)]
        tokens = [*ALPHABET, *("".join(pair) for pair in merges)]
        vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
        self.tokenizer = Tokenizer(models.BPE(vocabulary, merges, cache_capacity=0))

    def tokens(self, value: str) -> int:
        """How many tokens the first LONGEST characters of `value` make; only ASCII characters count."""
        return len(self.tokenizer.encode(value[:LONGEST], add_special_tokens=False).ids)

    def longest_word(self, value: str) -> int:
        """The length of the longest token of letters alone: five and more hardly ever come about by chance."""
        tokens = self.tokenizer.encode(value[:LONGEST], add_special_tokens=False).tokens
        return max((len(token) for token in tokens if token.isalpha()), default=0)

    def characters_per_token(self, value: str) -> float:
        """About 1.4 for random letters and digits, 1.7 for hexadecimal digits, 3 and more for words and identifiers."""
        return min(len(value), LONGEST) / max(1, self.tokens(value))


def entropy(value: str) -> float:
    """Shannon's entropy of the characters of `value`, in bits a character: what other scanners judge by."""
    return -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values())


def _texts() -> Iterator[str]:
    """The words of the standard library's and the packages' text files, in a fixed order, a file at a time."""
    library, site = Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib"))
    roots = [library, *(site / name for name in PACKAGES)]
    for root in roots:
        for path in sorted(root.rglob("*")):
            inside = "site-packages" not in path.relative_to(root).parts
            if inside and path.suffix in SUFFIXES and path.is_file() and path.stat().st_size < LONGEST_FILE:
                yield path.read_text("utf-8", errors="ignore")


def build() -> str:
    """Merges, one a line, most frequent pair first. Digits are not merged: numbers of code are no words."""
    counts: Counter[str] = Counter()
    for text in _texts():
        counts.update(re.findall(r"[A-Za-z]{2,40}|[!-/:-@\[-`{-~]{2,8}", text))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        initial_alphabet=ALPHABET,
        limit_alphabet=len(ALPHABET),
        min_frequency=20,
        special_tokens=[],
        show_progress=False,
    )
    # A word that comes a thousand times is one word known well, not a thousand.
    words = (" ".join([word] * (1 + int(4 * math.log(count)))) for word, count in sorted(counts.items()) if count > 3)
    tokenizer.train_from_iterator(words, trainer)
    return "".join(f"{left} {right}\n" for left, right in json.loads(tokenizer.to_str())["model"]["merges"])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(build())
