"""Mutations of trees and commits: odd and bad names, modes and links, wrong objects, bombs."""

from __future__ import annotations

from tests.raw_repository import AUTHOR, FILE, FOLDER, LINK, MODULE, Entry, Malformed, Planted


def odd_names(made: Malformed) -> None:
    names = [
        b"new\nline", b"tab\t", b"quo\"te'", b"-rf", b"--upload-pack=x", b"\xff.py", b"\x80\xfe", b"n" * 4000,
        b":(glob)*", b"a b ", b"back\\slash", b"..x", b"%41", b"CON", b"\x01\x7f", "日本\u202e.py".encode(),
        b"$(touch x)", b"*", b"{}",
    ]  # fmt: skip
    for name in made.random.sample(names, 5):
        made.plant(name, Planted(b"odd " + name.hex().encode(), f"odd {name.hex()}"))


def unsorted_names(made: Malformed) -> None:
    made.random.shuffle(made.entries)


def duplicate_names(made: Malformed) -> None:
    first = next(entry for entry in made.entries if entry.mode == FILE)
    made.entries.append(first._replace(oid=made.add("blob", b"second")))


def links_and_modules(made: Malformed) -> None:
    for name, target in (
        (b"abs", b"/etc/passwd"),
        (b"loop", b"loop"),
        (b"out", b"../../.."),
        (b"nul", b"a\0b"),
        (b"e", b""),
    ):
        made.entries.append(Entry(LINK, name, made.add("blob", target)))
    made.entries.append(Entry(MODULE, b"module", made.random.randbytes(len(made.add("blob", b"")) // 2).hex()))
    url = b"ext::sh -c touch% " + bytes(made.canary)
    modules = b'[submodule "../../x"]\n\tpath = module\n\turl = %s\n\tupdate = !touch %s\n' % (url, bytes(made.canary))
    made.plant(b".gitmodules", Planted(modules, modules.decode()))
    attributes = b"* filter=x diff=x export-subst text=auto eol=crlf working-tree-encoding=UTF-16 ident\n"
    made.plant(b".gitattributes", Planted(attributes, attributes.decode()))


def bad_names(made: Malformed) -> None:
    names = [
        b"", b".", b"..", b".git", b".GIT", b"/", b"/etc/passwd", b"../../up", b"a/b", b"folder/deep", b"a//b",
        b".git/hooks/x",
    ]  # fmt: skip
    for name in made.random.sample(names, 2):
        made.entries.append(Entry(made.random.choice((FILE, LINK, FOLDER)), name, made.random.choice(made.entries).oid))


def nul_in_name(made: Malformed) -> None:
    made.entries.append(made.entries[0]._replace(name=b"nul\0name"))


def weird_modes(made: Malformed) -> None:
    modes = [
        b"0", b"777777", b"040000", b"100664", b"100000", b"", b"abc", b"-1", b"10064400000000000000000", b"160000",
        b"120000", b"\xff",
    ]  # fmt: skip
    for number, mode in enumerate(made.random.sample(modes, 2)):
        made.entries.append(Entry(mode, b"mode%d" % number, made.random.choice(made.entries).oid))


def blob_as_tree(made: Malformed) -> None:
    made.entries.append(Entry(FOLDER, b"blob", made.add("blob", made.noise())))


def tree_as_blob(made: Malformed) -> None:
    made.entries.append(Entry(FILE, b"tree", made.add_tree(made.entries[:1])))


def commit_as_entry(made: Malformed) -> None:
    commit = made.add("commit", b"tree %s\n\n" % made.add_tree([]).encode())
    made.entries.append(Entry(made.random.choice((FILE, FOLDER, LINK)), b"commit", commit))


def missing_entry(made: Malformed) -> None:
    length = len(made.entries[0].oid) // 2
    made.entries.append(
        Entry(made.random.choice((FILE, FOLDER, LINK)), b"missing", made.random.randbytes(length).hex())
    )


def cut_tree(made: Malformed) -> None:
    whole = made.objects[made.add_tree(made.entries)][1]
    cut = made.add("tree", whole[: made.random.randrange(len(whole))])
    made.entries.append(Entry(FOLDER, b"cut", cut))


def garbage_tree(made: Malformed) -> None:
    made.entries.append(Entry(FOLDER, b"garbage", made.add("tree", made.noise())))


def nested_trees(made: Malformed) -> None:
    tree = made.add_tree([Entry(FILE, b"f", made.add("blob", b"deep\n"))])
    for _ in range(made.random.choice((50, 500, 3000, 10_000))):
        tree = made.add_tree([Entry(FOLDER, b"d", tree)])
    made.entries.append(Entry(FOLDER, b"nested", tree))


def tree_bomb(made: Malformed) -> None:
    entry = Entry(FILE, b"f", made.add("blob", b"bomb\n"))
    for _ in range(9):
        entry = Entry(FOLDER, b"f", made.add_tree(entry._replace(name=b"f%d" % n) for n in range(10)))
    made.entries.append(entry)


def long_paths(made: Malformed) -> None:
    """Paths that take gigabytes together, of few files."""
    entry = Entry(FILE, b"f", made.add("blob", b"long\n"))
    for level in range(8):
        name = b"n" * 4000
        entry = Entry(
            FOLDER, name, made.add_tree(entry._replace(name=name + b"%d" % n) for n in range(4 if level < 6 else 1))
        )
    made.entries.append(entry)


def zeros_as_tree(made: Malformed) -> None:
    made.entries.append(Entry(FOLDER, b"zeros", made.add("tree", bytes(8 << 20))))


def odd_people(made: Malformed) -> None:
    choices = [
        b"", b"<<>> -1 +9999999", b"\xff\xfe <> 99999999999999999999 x", b"A" * 10_000, b"a\r",
    ]  # fmt: skip
    person = made.random.choice(choices)
    made.body = made.body.replace(AUTHOR, person)


def odd_encoding(made: Malformed) -> None:
    made.body = made.body.replace(
        b"\n\nfiles", b"\nencoding %s\ngpgsig x\n y\n\n" % made.random.choice((b"klingon", b"UTF-16", b"\xff"))
    )


def long_message(made: Malformed) -> None:
    made.body += made.random.choice((b"m" * 2_000_000, b"\0\0", b"\n" * 10_000, bytes(range(256)) * 50))


def missing_parent(made: Malformed) -> None:
    made.body = made.body.replace(
        b"\nauthor", b"\nparent %s\nauthor" % made.random.randbytes(len(made.root) // 2).hex().encode(), 1
    )


def no_people(made: Malformed) -> None:
    made.body = b"tree %s\n" % made.root.encode() + made.random.choice((b"", b"\n", b"\n\nfiles"))


def other_tree(made: Malformed) -> None:
    blob = made.add("blob", made.noise())
    choices = [
        b"", b"0" * len(made.root), b"zz" * 20, made.root[:20].encode(), blob.encode(), b"1" * len(made.root),
    ]  # fmt: skip
    other = made.random.choice(choices)
    made.body = made.body.replace(made.root.encode(), other)


def garbage_commit(made: Malformed) -> None:
    choices = [
        b"", b"\n", made.noise(), b"tree " + made.noise(), made.body[: made.random.randrange(len(made.body))],
    ]  # fmt: skip
    made.body = made.random.choice(choices)


def odd_parents(made: Malformed) -> None:
    choices = [
        [b"x"], [made.root.encode()], [b"0" * len(made.root)] * 3000, [made.add("blob", b"p").encode()],
    ]  # fmt: skip
    parents = made.random.choice(choices)
    made.body = made.body.replace(b"\nauthor", b"".join(b"\nparent %s" % parent for parent in parents) + b"\nauthor", 1)


def two_trees(made: Malformed) -> None:
    made.body = b"tree %s\n" % made.add_tree(made.entries[:1]).encode() + made.body


TREES = (
    odd_names, links_and_modules, bad_names, nul_in_name, weird_modes, blob_as_tree, tree_as_blob, commit_as_entry,
    missing_entry, cut_tree, garbage_tree, nested_trees, tree_bomb, long_paths, zeros_as_tree, unsorted_names,
    duplicate_names,
)  # fmt: skip
COMMITS = (
    odd_people, odd_encoding, long_message, missing_parent, no_people, other_tree, garbage_commit, odd_parents,
    two_trees,
)  # fmt: skip
