"""Which words are given names, family names, and ordinary words of code: what the candidate scan looks words up in.

Kept as sorted 32-bit hashes, so that a word costs four bytes whatever its length; a false match has a chance of 1e-5.
The names are Faker's, the ordinary words those that many files of the installed packages hold. Made by
`python -m pii.ner.gazetteer`.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

GIVEN, FAMILY, ORDINARY = 1, 2, 4
FILE = "gazetteer.npz"
BASIS, PRIME = 2166136261, 16777619  # FNV-1a
SLOTS = 1 << 17  # of the table: three times the words and more
_ORDINARY_FILES = 6  # so many files hold an ordinary word
_WORD = re.compile(r"(?<![A-Za-z0-9_])(?:[a-z]{2,20}|[A-Z][a-z]{1,20})(?![A-Za-z0-9_])")


def hash_of(word: str) -> int:
    """FNV-1a of the word's UTF-8 bytes, ASCII letters in lower case."""
    value = BASIS
    for byte in word.encode():
        value = ((value ^ (byte | 32 if 65 <= byte <= 90 else byte)) * PRIME) & 0xFFFFFFFF
    return value


@cache
def table() -> tuple[np.ndarray, np.ndarray]:
    """(uint32 hashes, uint8 bits) in SLOTS slots by linear probing from `hash % SLOTS`; bits 0 is an empty slot."""
    with (files("pii.ner") / FILE).open("rb") as file, np.load(file) as stored:
        return slots(stored["hashes"], stored["bits"], SLOTS)


def bits_of(word: str) -> int:
    """GIVEN, FAMILY and ORDINARY of one word; 0 for a word that is none of these."""
    keys, values = table()
    key = hash_of(word)
    slot = key % SLOTS
    while values[slot] and keys[slot] != key:
        slot = (slot + 1) % SLOTS
    return int(values[slot])


def slots(hashes: np.ndarray, bits: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """An open addressing table of `size` slots, a power of two."""
    keys, values = np.zeros(size, dtype=np.uint32), np.zeros(size, dtype=np.uint8)
    for key, value in zip(hashes.tolist(), bits.tolist(), strict=True):
        slot = key % size
        while values[slot]:
            slot = (slot + 1) % size
        keys[slot], values[slot] = key, value
    return keys, values


def build(path: Path) -> int:
    """Writes the gazetteer and returns its number of words."""
    bits: Counter[str] = Counter()
    for bit, names in ((GIVEN, _names(0)), (FAMILY, _names(1))):
        for name in names:
            bits[name] |= bit
    for word in _ordinary():
        bits[word] |= ORDINARY
    by_hash: dict[int, int] = {}
    for word, value in bits.items():
        by_hash[hash_of(word)] = by_hash.get(hash_of(word), 0) | value
    hashes = np.array(sorted(by_hash), dtype=np.uint32)
    np.savez_compressed(path, hashes=hashes, bits=np.array([by_hash[int(key)] for key in hashes], dtype=np.uint8))
    return len(hashes)


def _names(which: int) -> set[str]:
    """The single words of all given (0) or family (1) names, of three letters or more (two where not Latin)."""
    from pii.ner.names import common_locales, plain

    found = set()
    for pool in common_locales():
        if which and not any(name[0] < "\u0250" for name in pool.family):
            continue  # a name in another script is found by its given name
        for name in pool[1 + which]:
            for part in re.split(r"[ \-'’.]", name):
                if len(part) > 2 or not part.isascii():
                    spelled = part[:1] + part[1:].lower() if part.isascii() else part
                    found.add(spelled.lower() if spelled.isascii() else spelled)
                    if pool.locale[:2] not in ("zh", "ja", "ko", "ar", "fa", "he"):
                        found.add(plain(part))
    return {name for name in found if len(name) > 2 or not name.isascii()}


def _ordinary() -> list[str]:
    """Words that stand, in lower case or as a sentence's first word, in many files of the installed packages."""
    from pii.ner.carriers import readable

    lower: Counter[str] = Counter()
    title: Counter[str] = Counter()
    for _, text in readable(150):
        words = set(_WORD.findall(text))
        lower.update({word for word in words if word[0].islower()})
        title.update({word.lower() for word in words if word[0].isupper()})
    names = _names(0) | _names(1)
    ordinary = {word for word, count in lower.items() if count >= _ORDINARY_FILES * (5 if word in names else 1)}
    return sorted(
        ordinary | {word for word, count in title.items() if count >= 2 * _ORDINARY_FILES and word not in names}
    )


if __name__ == "__main__":
    target = Path(__file__).parent / FILE
    print(f"{build(target)} words, {target.stat().st_size} bytes", file=sys.stderr)
