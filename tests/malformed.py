"""Bare repositories with bad content, from a seed: valid files, and mutations that damage them on some level.

Mutations in HARMLESS leave all files readable, and acquire has to find them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random

from tests.malformed_objects import LOOSE, PACKS
from tests.malformed_refs import (
    FILES,
    REFS,
    detached_head,
    hostile_config,
    many_refs,
    nested_tags,
    no_alternates,
    replaced,
    sha256_repository,
    shallow_head,
    strangers,
)
from tests.malformed_trees import (
    COMMITS,
    TREES,
    duplicate_names,
    links_and_modules,
    long_message,
    odd_encoding,
    odd_names,
    odd_people,
    unsorted_names,
)
from tests.raw_repository import AUTHOR, FILE, FOLDER, Entry, Malformed, Planted, write_pack

LIMIT = 1 << 20  # bytes of a file that acquire reads, its default
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 12345\n"

Mutation = Callable[[Malformed], None]

HARMLESS = (
    odd_names, unsorted_names, duplicate_names, links_and_modules, odd_people, odd_encoding, long_message,
    detached_head, nested_tags, many_refs, hostile_config, no_alternates, shallow_head, replaced, strangers,
)  # fmt: skip
ALL = (*TREES, *COMMITS, *LOOSE, *PACKS, *REFS, *FILES)


def malformed(path: Path, seed: int, canary: Path, mutations: Iterable[Mutation] | None = None) -> Malformed:
    """Make the repository of `seed` in the folder `path`; `mutations` stand for those that it would choose."""
    random = Random(seed)
    made = Malformed(path, seed, random, canary)
    chosen = random.sample(ALL, random.choice((1, 1, 2, 3))) if mutations is None else list(mutations)
    made.mutations = [each.__name__ for each in chosen]
    made.harmless = all(each in HARMLESS for each in chosen)
    if sha256_repository in chosen:
        made.algorithm = "sha256"
    _plant(made)
    for mutate in (each for each in TREES if each in chosen):
        mutate(made)
    if unsorted_names not in chosen:  # stable, so that of two entries of one name the first stays it
        made.entries.sort(key=lambda entry: entry.name + (b"/" if entry.mode == FOLDER else b""))
    made.root = made.add_tree(made.entries)
    made.body = b"tree %s\nauthor %s\ncommitter %s\n\nfiles\n" % (made.root.encode(), AUTHOR, AUTHOR)
    for mutate in (each for each in COMMITS if each in chosen):
        mutate(made)
    made.head = made.add("commit", made.body)
    made.write("HEAD", b"ref: refs/heads/main\n")
    made.write("config", b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
    made.write("refs/heads/main", made.head.encode() + b"\n")
    made.write("objects/info/empty", b"")
    made.ref = random.choice((None, None, None, "main", "refs/heads/main", made.head))
    if len(made.objects) > 1000 or set(chosen) & set(PACKS) or random.random() < 0.5:
        write_pack(made)
    else:
        for oid in made.objects:
            made.write_loose(oid)
    for mutate in (each for level in (LOOSE, PACKS, REFS, FILES) for each in level if each in chosen):
        mutate(made)
    return made


def contents(random: Random) -> list[Planted]:
    """Files that occur, however odd."""
    text = "".join(random.choices("abc xyz_{}()\n\té→𝄞", k=random.randrange(1, 400)))
    hexadecimal = random.randbytes(32).hex().encode()
    pointer = POINTER % hexadecimal
    return [
        *(Planted(text.encode(), text) for _ in range(6)),
        Planted(b"", ""),
        Planted(b"a\r\nb\r\n\r" + text.encode(), "a\r\nb\r\n\r" + text),
        Planted(b"\xef\xbb\xbf" + text.encode(), text),
        Planted(text.encode("utf-16"), text),
        Planted(text.encode("utf-8") + b"\0", reason="binary"),
        Planted(b"\0" * random.randrange(1, 5000), reason="binary"),
        Planted("# d\u00e9j\u00e0 vu, for\u00eat, o\u00f9 est l'\u00e9t\u00e9\n".encode("latin-1")),
        Planted(b"lone \xed\xa0\x80 surrogate"),
        Planted(random.randbytes(random.randrange(1, 3000))),
        Planted(b"\xff\xfe\x00\xd8"),
        Planted(b"x" * 300_000, "x" * 300_000),
        Planted(pointer, reason="lfs_pointer"),
        Planted(pointer.replace(b"\n", b"\r\n"), reason="lfs_pointer"),
        *(
            Planted(near, near.decode())
            for near in (pointer.replace(b"v1", b"v2"), pointer[:60], b" " + pointer, pointer + b"x" * 2000)
        ),
        Planted(b"y" * (LIMIT - 1), "y" * (LIMIT - 1)),
        Planted(b"y" * LIMIT, "y" * LIMIT),
        Planted(b"y" * (LIMIT + 1), reason="too_large"),
    ]


def _plant(made: Malformed) -> None:
    files = made.random.sample(contents(made.random), made.random.randrange(1, 7))
    for number, planted in enumerate(files):
        made.plant(b"f%02d.txt" % number, planted)
    inner = Planted(b"inner %d\n" % made.seed, f"inner {made.seed}\n")
    folder = made.add_tree([Entry(FILE, b"inner.py", made.add("blob", inner.content))])
    made.entries.append(Entry(FOLDER, b"folder", made.add_tree([Entry(FOLDER, b"deep", folder)])))
    made.planted[b"folder/deep/inner.py"] = inner
