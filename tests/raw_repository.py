"""A bare repository, made object by object and without git, so that it may hold what git would not write."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import NamedTuple

AUTHOR = b"A. Author <author@example.com> 1700000000 +0000"
FILE, FOLDER, LINK, MODULE = b"100644", b"40000", b"120000", b"160000"
KINDS = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
REF_DELTA = 7


class Planted(NamedTuple):
    """A valid file, and what becomes of it: a text, or a reason; neither where that is the decoder's to say."""

    content: bytes
    text: str | None = None
    reason: str | None = None


class Entry(NamedTuple):
    mode: bytes
    name: bytes
    oid: str


@dataclass
class Malformed:
    """A repository while it is made, and what is known of it afterwards."""

    path: Path
    seed: int
    random: Random
    canary: Path  # a file that appears where anything in the repository is executed
    ref: str | None = None  # what the list asks for
    algorithm: str = "sha1"
    harmless: bool = True
    mutations: list[str] = field(default_factory=list)
    planted: dict[bytes, Planted] = field(default_factory=dict)
    objects: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)  # of the root
    root: str = ""
    body: bytes = b""  # of the commit
    head: str = ""

    def add(self, kind: str, body: bytes) -> str:
        """Add an object; returns its id."""
        oid = hashlib.new(self.algorithm, b"%s %d\0" % (kind.encode(), len(body)) + body).hexdigest()
        self.objects[oid] = (kind, body)
        return oid

    def add_tree(self, entries: Iterable[Entry]) -> str:
        return self.add(
            "tree", b"".join(b"%s %s\0%s" % (mode, name, bytes.fromhex(oid)) for mode, name, oid in entries)
        )

    def plant(self, name: bytes, planted: Planted) -> None:
        """Add a file to the root."""
        self.planted[name] = planted
        self.entries.append(Entry(FILE, name, self.add("blob", planted.content)))

    def noise(self, limit: int = 200) -> bytes:
        return self.random.randbytes(self.random.randrange(1, limit))

    def write(self, name: str, data: bytes) -> None:
        """Write a file of the repository."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def any_object(self) -> str:
        """The id of one of the objects, half the time of one that every reader needs."""
        needed = [oid for oid in (self.head, self.root) if oid in self.objects]
        return self.random.choice(needed if needed and self.random.random() < 0.5 else list(self.objects))

    def any_blob(self) -> str:
        """The id of a file's blob."""
        return self.random.choice([e.oid for e in self.entries if self.objects.get(e.oid, ("",))[0] == "blob"])

    def write_loose(self, oid: str) -> Path:
        """Write an object as a file of its own, which is returned."""
        kind, body = self.objects[oid]
        self.write(loose(oid), zlib.compress(b"%s %d\0" % (kind.encode(), len(body)) + body, 1))
        return self.path / loose(oid)


def loose(oid: str) -> str:
    return f"objects/{oid[:2]}/{oid[2:]}"


def write_pack(made: Malformed, more: Iterable[tuple[str, bytes]] = (), count: int | None = None) -> None:
    """Write one pack and its index; `more` are raw pack entries, with the ids that the index gives them."""
    stored = [
        (oid, entry_header(KINDS[kind], len(body)) + zlib.compress(body, 1))
        for oid, (kind, body) in made.objects.items()
    ]
    stored += more
    pieces = [struct.pack(">4sII", b"PACK", 2, len(stored) if count is None else count)]
    at, index = 12, []
    for oid, raw in stored:
        index.append((bytes.fromhex(oid), zlib.crc32(raw), at))
        pieces.append(raw)
        at += len(raw)
    pack = b"".join(pieces)
    trailer = hashlib.new(made.algorithm, pack).digest()
    index.sort()
    counts = Counter(oid[0] for oid, _, _ in index)
    idx = b"\xfftOc" + struct.pack(">I256I", 2, *accumulate(counts[byte] for byte in range(256)))
    idx += b"".join(oid for oid, _, _ in index)
    idx += b"".join(struct.pack(">I", crc) for _, crc, _ in index)
    idx += b"".join(struct.pack(">I", offset) for _, _, offset in index) + trailer
    for old in (made.path / "objects/pack").glob("pack-*"):
        old.unlink()
    name = f"objects/pack/pack-{trailer.hex()}"
    made.write(f"{name}.pack", pack + trailer)
    made.write(f"{name}.idx", idx + hashlib.new(made.algorithm, idx).digest())


def entry_header(kind: int, size: int) -> bytes:
    """A pack entry's type and size."""
    first, size = kind << 4 | size & 15, size >> 4
    found = []
    while size:
        found.append(first | 0x80)
        first, size = size & 0x7F, size >> 7
    return bytes([*found, first])


def varint(number: int) -> bytes:
    """A size as a delta spells it."""
    found = []
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def write_deltas(made: Malformed, deltas: Mapping[str, tuple[str, bytes]]) -> None:
    """Write the pack with these objects as deltas: id -> id of the base, patch."""
    whole = dict(made.objects)
    made.objects = {oid: stored for oid, stored in whole.items() if oid not in deltas}
    write_pack(
        made,
        [
            (oid, entry_header(REF_DELTA, len(patch)) + bytes.fromhex(base) + zlib.compress(patch))
            for oid, (base, patch) in deltas.items()
        ],
    )
    made.objects = whole
