"""Mutations of the object store: damaged loose objects, packs and indexes, and deltas that never end."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from tests.raw_repository import Malformed, loose, varint, write_deltas, write_pack


def _loose_file(made: Malformed) -> Path:
    return made.write_loose(made.any_object())


def cut_object(made: Malformed) -> None:
    file = _loose_file(made)
    file.write_bytes(file.read_bytes()[: made.random.randrange(max(1, file.stat().st_size))])


def garbled_object(made: Malformed) -> None:
    file = _loose_file(made)
    data = bytearray(file.read_bytes())
    for _ in range(made.random.randrange(1, 4)):
        data[made.random.randrange(len(data))] ^= 1 << made.random.randrange(8)
    file.write_bytes(data)


def other_object(made: Malformed) -> None:
    """Content that does not have the id it stands under."""
    oid = made.any_object()
    other = made.random.choice((b"blob 5\0wrong", b"tree 0\0", b"commit 0\0", b"tag 3\0tag"))
    made.write(loose(oid), zlib.compress(other))


def wrong_header(made: Malformed) -> None:
    oid = made.any_object()
    kind, body = made.objects[oid]
    size = len(body)
    heads = [
        b"blub %d" % size, b"tree %d" % size, b"blob %d" % (size + 1), b"blob %d" % max(0, size - 1), b"blob -1",
        b"%d" % size, b"blob 99999999999999999999", b"blob", b"", b"b" * 9000, kind.encode() + b" 0%d" % size,
        kind.encode() + b"  %d" % size,
    ]  # fmt: skip
    made.write(loose(oid), zlib.compress(made.random.choice(heads) + b"\0" + body))


def zlib_bomb(made: Malformed) -> None:
    oid = made.any_object()
    size = made.random.choice((1 << 20, 64 << 20))
    claimed = made.random.choice((10, size, 1 << 40))
    squeeze = zlib.compressobj(9)
    data = squeeze.compress(b"%s %d\0" % (made.objects[oid][0].encode(), claimed))
    data += b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(size >> 20)) + squeeze.flush()
    made.write(loose(oid), data)


def odd_object_file(made: Malformed) -> None:
    file = _loose_file(made)
    file.unlink()
    how = made.random.randrange(4)
    if how == 0:
        file.mkdir()
    elif how == 1:
        file.symlink_to(file)
    elif how == 2:
        file.write_bytes(b"")


def trailing_object(made: Malformed) -> None:
    file = _loose_file(made)
    file.write_bytes(file.read_bytes() + made.noise())


def _pack(made: Malformed, ending: str = ".pack") -> Path:
    (file,) = (made.path / "objects/pack").glob(f"*{ending}")
    return file


def cut_pack(made: Malformed) -> None:
    file = _pack(made)
    file.write_bytes(file.read_bytes()[: made.random.randrange(file.stat().st_size)])


def flipped_pack(made: Malformed) -> None:
    file = _pack(made)
    data = bytearray(file.read_bytes())
    for _ in range(made.random.randrange(1, 4)):
        data[made.random.randrange(len(data))] ^= 1 << made.random.randrange(8)
    file.write_bytes(data)


def flipped_index(made: Malformed) -> None:
    file = _pack(made, ".idx")
    data = bytearray(file.read_bytes())
    for _ in range(made.random.randrange(1, 4)):
        data[made.random.randrange(8, len(data))] ^= 1 << made.random.randrange(8)
    file.write_bytes(data)


def garbage_index(made: Malformed) -> None:
    file = _pack(made, ".idx")
    choices = [
        b"", made.noise(4000), file.read_bytes()[:1100], file.read_bytes()[: file.stat().st_size // 2],
    ]  # fmt: skip
    file.write_bytes(made.random.choice(choices))


def lost_half(made: Malformed) -> None:
    _pack(made, made.random.choice((".idx", ".pack"))).unlink()


def wrong_count(made: Malformed) -> None:
    write_pack(made, count=made.random.choice((0, 1, 2**31, 2**32 - 1)))


def odd_deltas(made: Malformed) -> None:
    """A file is a delta on nothing, on an object of another kind, or one that does not add up."""
    blob = made.any_blob()
    size = len(made.objects[blob][1])
    broken = made.random.choice((b"\x00", b"\x90\xff", b"\x01", b"\xff" * 8, b"", bytes([5]) + b"hello"))
    base = made.random.choice((made.root, "34" * (len(blob) // 2), made.add("blob", b"base")))
    write_deltas(made, {blob: (base, varint(size) + varint(size) + broken)})


def delta_cycle(made: Malformed) -> None:
    """Two files are deltas on each other. Git reads such a pack on a disk for ever; a server cannot send it."""
    first = made.any_blob()
    second = made.add("blob", b"second\n")
    patch = varint(5) + varint(5) + b"\x90\x05"
    write_deltas(made, {first: (second, patch), second: (first, patch)})


def delta_bomb(made: Malformed) -> None:
    """A few hundred bytes that are deltas upon deltas, 64 times larger each."""
    blob = made.any_blob()
    base, size, deltas = made.add("blob", b"b" * 1024), 1024, {}
    for level in range(3):
        copy = b"\xb0" + struct.pack("<H", size) if size < 0x10000 else b"\xf0" + struct.pack("<I", size)[:3]
        oid = blob if level == 2 else f"{level + 5:02x}" * (len(blob) // 2)
        deltas[oid] = (base, varint(size) + varint(size * 64) + copy * 64)
        base, size = oid, size * 64
    write_deltas(made, deltas)


def companions(made: Malformed) -> None:
    """Files that make reading faster, and hold garbage."""
    for ending in made.random.sample((".keep", ".rev", ".bitmap", ".promisor", ".mtimes"), 2):
        _pack(made).with_suffix(ending).write_bytes(made.noise(2000))
    made.write(
        "objects/pack/multi-pack-index",
        made.random.choice((b"", made.noise(2000), b"MIDX\x01\x01\x00\x00" + bytes(60))),
    )


LOOSE = (
    cut_object, garbled_object, other_object, wrong_header, zlib_bomb, odd_object_file, trailing_object,
)  # fmt: skip
PACKS = (
    cut_pack, flipped_pack, flipped_index, garbage_index, lost_half, wrong_count, odd_deltas, delta_bomb, companions,
)  # fmt: skip
