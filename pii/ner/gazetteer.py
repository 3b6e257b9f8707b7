"""Which words are given names, family names, and ordinary words of code: what the candidate scan looks words up in.

Kept as sorted 32-bit hashes, so that a word costs four bytes whatever its length; a false match has a chance of 4e-5.
The names are Faker's, Mimesis' and those of the United States' census of 1990 (the package `names`); the ordinary words
those that many files of the installed packages hold. Made by `python -m pii.ner.gazetteer`, with both packages on the
path; nothing else needs them.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Set
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from pii.ner.words import words

GIVEN, FAMILY, ORDINARY = 1, 2, 4
RARE = 8  # a given name of the longer lists alone, or one that is more often something else (Trinity, German)
FILE = "gazetteer.npz"
BASIS, PRIME = 2166136261, 16777619  # FNV-1a
SLOTS = 1 << 18  # of the table: three fifths are taken
_ORDINARY_FILES = 3  # so many files, of two packages, hold an ordinary word
_SHARED_FILES = 30  # ... one that is a name too
_CENSUS = 20_000  # of the census' family names, the most frequent
_AS_WRITTEN = frozenset({"zh", "ja", "ko", "ar", "fa", "he", "ta", "mr", "or", "ne", "si", "mk"})  # not in ASCII too
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


@cache
def wide_table() -> tuple[np.ndarray, np.ndarray]:
    """As table(), rare given names being given names: for what only looks for places to read."""
    keys, values = table()
    return keys, values | (values & RARE != 0)


def bits_of(word: str) -> int:
    """GIVEN, FAMILY, ORDINARY and RARE of one word; 0 for a word that is none of these."""
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
    things = frozenset(words("no_given"))
    given, family = _common(1), _common(2)
    lower, ordinary = _words_of_code(given | family)
    bits: Counter[str] = Counter()
    for name in given:
        bits[name] |= RARE if name in things else GIVEN
    for name in family:
        bits[name] |= FAMILY
    for bit, names in ((RARE, _long_list("names", "dist.*.first")), (FAMILY, _long_list("surnames", "dist.all.last"))):
        for name in names:
            if name in given or name in family or not (lower[name] or name in ordinary or name in things):
                bits[name] |= 0 if bits[name] & (bit | GIVEN) else bit
    for word in ordinary:
        bits[word] |= ORDINARY
    by_hash: dict[int, int] = {}
    for word, value in bits.items():
        by_hash[hash_of(word)] = by_hash.get(hash_of(word), 0) | value
    hashes = np.array(sorted(by_hash), dtype=np.uint32)
    np.savez_compressed(path, hashes=hashes, bits=np.array([by_hash[int(key)] for key in hashes], dtype=np.uint8))
    return len(hashes)


def _common(which: int) -> set[str]:
    """The single words of Faker's given (1) or family (2) names of the locales that names are drawn from."""
    from pii.ner.names import common_locales

    found: set[str] = set()
    for pool in common_locales():
        eastern = pool.locale in ("zh_CN", "ja_JP", "ko_KR")
        if which == 2 and not eastern and not any(name[0] < "\u0250" for name in pool.family):
            continue  # a name in another script is found by its given name
        if which == 2 and eastern:
            found.update(pool.family)
            continue
        found |= _parts(pool[which], spelled_out=pool.locale[:2] not in _AS_WRITTEN)
    return found


def _long_list(field: str, census: str) -> set[str]:
    """The single words of the names in Latin letters of Faker's other locales, of Mimesis and of the census."""
    from pii.ner.names import locales

    names = [name for pool in locales().values() for name in (pool.given if field == "names" else pool.family)]
    for path in sorted(_folder("mimesis").glob("datasets/*/person.json")):
        listed = json.loads(path.read_text(encoding="utf-8")).get(field, [])
        names += [name for some in listed.values() for name in some] if isinstance(listed, dict) else listed
    for path in sorted(_folder("names").glob(census)):
        names += [line.split()[0].capitalize() for line in path.read_text().splitlines()[:_CENSUS]]
    return {name for name in _parts(names, spelled_out=True) if all(letter < "\u0250" for letter in name)}


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"the package {package} is needed to make the gazetteer: pip install --target DIR {package}")
    return Path(spec.origin).parent


def _parts(names: Iterable[str], *, spelled_out: bool) -> set[str]:
    """The words of names, of three letters or more (two where not Latin); `spelled_out` also in ASCII letters."""
    from pii.ner.names import plain

    found = set()
    for name in names:
        for part in re.split(r"[ \-'’.]", name):
            if len(part) > 2 or not part.isascii():
                spelled = part[:1] + part[1:].lower() if part.isascii() else part
                found.add(spelled.lower() if spelled.isascii() else spelled)
                if spelled_out:
                    found.add(plain(part))
    return {name for name in found if len(name) > 2 or (name and not name.isascii())}


def _words_of_code(names: Set[str]) -> tuple[Counter[str], set[str]]:
    """How many files of the installed packages hold a word in lower case; and the ordinary words: those that stand in
    lower case, or as a sentence's first word, in many files."""
    from pii.ner.carriers import readable

    lower: Counter[str] = Counter()
    title: Counter[str] = Counter()
    packages: dict[str, set[str]] = defaultdict(set)
    for package, text in readable(150):
        found = set(_WORD.findall(text))
        lower.update({word for word in found if word[0].islower()})
        title.update({word.lower() for word in found if word[0].isupper()})
        for word in found:
            packages[word].add(package)
    ordinary = {
        word
        for word, count in lower.items()
        if count >= (_SHARED_FILES if word in names else _ORDINARY_FILES if len(word) > 4 else 2 * _ORDINARY_FILES)
        and len(packages[word]) > 1
    }
    ordinary |= {word for word, count in title.items() if count >= 12 and word not in names}
    return lower, ordinary


if __name__ == "__main__":
    target = Path(__file__).parent / FILE
    print(f"{build(target)} words, {target.stat().st_size} bytes", file=sys.stderr)
