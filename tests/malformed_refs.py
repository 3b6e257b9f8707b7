"""Mutations of HEAD, refs, tags, and of the files beside them: configuration, alternates, shallow, grafts."""

from __future__ import annotations

import os

from tests.raw_repository import AUTHOR, Malformed, loose


def detached_head(made: Malformed) -> None:
    made.write("HEAD", made.head.encode() + b"\n")


def option_like_refs(made: Malformed) -> None:
    names = [
        f"--upload-pack=touch${{IFS}}{made.canary.name}", "-x", "--help", "$(touch x)", ";touch x", "'", '"',
        "x" * 200, "\u202eé",
    ]  # fmt: skip
    for name in names:
        made.write(f"refs/heads/{name}", made.head.encode() + b"\n")
    made.write("HEAD", f"ref: refs/heads/{made.random.choice(['-x', '--help', 'é' + 'x' * 100])}\n".encode())
    made.write("refs/heads/é" + "x" * 100, made.head.encode() + b"\n")
    made.ref = made.random.choice((None, "-x", "--help", names[0]))


def nested_tags(made: Malformed) -> None:
    oid, kind = made.head, "commit"
    for level in range(made.random.choice((1, 3, 50))):
        body = b"object %s\ntype %s\ntag t%d\ntagger %s\n\nm\n" % (oid.encode(), kind.encode(), level, AUTHOR)
        oid, kind = made.add("tag", body), "tag"
        made.write_loose(oid)
    made.write("refs/tags/t", oid.encode() + b"\n")
    made.ref = made.random.choice(("t", "refs/tags/t"))


def many_refs(made: Malformed) -> None:
    oid = made.head.encode()
    made.write(
        "packed-refs",
        b"# pack-refs with: peeled fully-peeled sorted \n"
        + b"".join(b"%s refs/heads/b%05d\n" % (oid, n) for n in range(20_000)),
    )


def odd_head(made: Malformed) -> None:
    blob = made.any_blob().encode()
    heads = [
        b"", b"\n", b"garbage", b"ref: refs/heads/nowhere\n", b"ref: HEAD\n", b"ref: refs/heads/../../HEAD\n",
        b"ref: /etc/passwd\n", b"ref: refs/tags/none\n", blob, made.root.encode(), b"0" * len(made.head),
        b"1" * len(made.head), made.head[:12].encode(), b"ref: " + b"x" * 100_000, b"\0" * 100, b"\xff\xfe",
        b"ref: refs/heads/main.lock\n", b"ref: refs/heads/ma\0in\n", b"ref:\n", b"ref: refs/remotes/origin/HEAD\n",
        b"ref: refs/heads/$(touch x)\n",
    ]  # fmt: skip
    how = made.random.randrange(len(heads) + 3)
    made.path.joinpath("HEAD").unlink()
    if how < len(heads):
        made.write("HEAD", heads[how])
    elif how == len(heads):
        (made.path / "HEAD").mkdir()
    elif how == len(heads) + 1:
        (made.path / "HEAD").symlink_to("refs/heads/main" if made.random.random() < 0.5 else "HEAD")


def broken_refs(made: Malformed) -> None:
    bad = [
        b"", b"garbage\n", b"0" * len(made.head) + b"\n", b"1" * len(made.head) + b"\n", b"ref: refs/heads/main\n",
        b"ref: refs/heads/other\n", made.any_blob().encode() + b"\n", made.root.encode(), b"\0" * 41, b"ref: \n",
    ]  # fmt: skip
    made.write(made.random.choice(("refs/heads/main", "refs/heads/other", "refs/tags/x")), made.random.choice(bad))
    made.write("refs/heads/other2", b"ref: refs/heads/other\n")
    made.write("refs/heads/other", b"ref: refs/heads/other2\n")
    made.write("refs/heads/two/../bad..name", made.random.choice(bad))
    made.ref = made.random.choice((made.ref, "other", "other2", "x", "bad..name"))


def packed_refs(made: Malformed) -> None:
    (made.path / "refs/heads/main").unlink()
    line = b"%s refs/heads/main\n" % made.head.encode()
    choices = [
        line[:-1], line.replace(b"\n", b"\r\n"), line + b"^" + made.root.encode(), b"^" + line, line * 2,
        b"garbage\n" + line, line.upper(), b"\0" + line, made.noise(4000),
        b"# pack-refs with: sorted \n" + line.replace(b"main", b"z") + line, b"x" * 100_000,
    ]  # fmt: skip
    made.write("packed-refs", made.random.choice(choices))


def odd_tags(made: Malformed) -> None:
    bodies = [
        b"object %s\ntype tree\ntag t\n\n" % made.root.encode(),
        b"object %s\ntype blob\ntag t\n\n" % made.head.encode(), b"",
        b"object %s\ntype commit\ntag t\n\n" % (b"1" * len(made.head)), made.noise(), b"object x\n",
        b"object %s\n" % made.head.encode(), b"object %s\ntype blob\ntag t\n\n" % made.any_blob().encode(),
        b"object %s\ntype \xff\ntag\n" % made.head.encode(),
    ]  # fmt: skip
    body = made.random.choice(bodies)
    oid = made.add("tag", body)
    made.write_loose(oid)
    made.write("refs/tags/t", oid.encode() + b"\n")
    if made.random.random() < 0.3:
        made.write("HEAD", oid.encode())
    made.ref = made.random.choice(("t", oid if made.algorithm == "sha1" else "t", made.ref))


def odd_wishes(made: Malformed) -> None:
    """A list asks for what it should not; the reader of lists refuses some of these."""
    wishes = [
        made.root, made.any_blob(), "0" * 40, "1" * 40, "HEAD", "refs/heads/*", "*", "main~1", "main^{tree}", "@{-1}",
        "", "x" * 5000, "é\n", f"--upload-pack=touch {made.canary}", f"--exec=touch {made.canary}", "refs/heads",
        "[m]ain", "?", "main\0",
    ]  # fmt: skip
    made.ref = made.random.choice(wishes[:-1])


def hostile_config(made: Malformed) -> None:
    """Everything in git's configuration that names a program."""
    run = f"touch {made.canary}"
    made.write("more", f'[core]\n\tfsmonitor = "{run}"\n[alias]\n\tls-tree = "!{run}"\n'.encode())
    made.path.joinpath("config").write_text(
        f"""[core]
	repositoryformatversion = 0
	bare = true
	fsmonitor = "{run}"
	sshCommand = "{run}"
	gitProxy = "{run}"
	editor = "{run}"
	pager = "{run}"
	askPass = "{run}"
	alternateRefsCommand = "{run}"
	hooksPath = hooks
	attributesFile = more
[uploadpack]
	packObjectsHook = "{run}"
	allowFilter = false
[include]
	path = more
	path = /dev/null
[includeIf "gitdir:/"]
	path = {made.path}/more
[alias]
	cat-file = "!{run}"
	upload-pack = "!{run}"
	pack-objects = "!{run}"
[credential]
	helper = "!{run}"
[diff]
	external = "{run}"
[filter "x"]
	clean = "{run}"
	smudge = "{run}"
	process = "{run}"
[gpg]
	program = "{run}"
[trace2]
	eventTarget = {made.canary}
[huge]
	value = {"x" * 100_000}
"""
    )
    for hook in (
        "post-checkout",
        "pre-receive",
        "post-update",
        "reference-transaction",
        "fsmonitor-watchman",
        "pre-auto-gc",
    ):
        made.write(f"hooks/{hook}", f"#!/bin/sh\n{run}\n".encode())
        made.path.joinpath("hooks", hook).chmod(0o755)


def promisor(made: Malformed) -> None:
    """A repository that says that what it lacks is to be fetched by a program."""
    run = f"touch {made.canary}; false"
    made.write("config", f"""[core]
	repositoryformatversion = 1
	bare = true
[extensions]
	partialClone = origin
[remote "origin"]
	url = {made.random.choice((str(made.path), f"ext::sh -c touch% {made.canary}", "ssh://-oProxyCommand=x/y"))}
	uploadpack = "{run}"
	vcs = ext
	promisor = true
	proxy = x
""".encode())  # fmt: skip
    file = made.path / loose(made.any_object())
    file.unlink(missing_ok=True)


def odd_config(made: Malformed) -> None:
    head = b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
    choices = [
        b"", b"garbage", b"[core", made.noise(), b"[core]\n\trepositoryformatversion = 99\n",
        head + b"[include]\n\tpath = config\n", head + b"\tworktree = /\n",
        head.replace(b"0", b"1") + b"[extensions]\n\tunknown = true\n", b"[core]\n\tbare = maybe\n",
        head + b"[extensions]\n\tobjectformat = sha256\n",
        head.replace(b"0", b"1") + b"[extensions]\n\tobjectformat = sha256\n",
        head + b"[transfer]\n\thideRefs = HEAD\n\thideRefs = refs/\n", head + b"[core]\n\tcompression = 77\n",
        b"\0" + head, head + b"[pack]\n\tpackSizeLimit = 1\n\twindowMemory = 1\n\tthreads = 100000\n",
        head + b"[core]\n\tbigFileThreshold = 1\n",
        head + b"[core]\n\tpackedGitLimit = 1\n\tdeltaBaseCacheLimit = 99999999999999999999\n",
        head.replace(b"true", b"false"), head + b"[uploadpack]\n\tkeepAlive = 0\n\thideRefs = refs/heads/main\n",
        head + b"[protocol]\n\tallow = never\n\tversion = 0\n",
    ]  # fmt: skip
    made.write("config", made.random.choice(choices))


def no_alternates(made: Malformed) -> None:
    lines = [
        b"/nowhere/objects\n", bytes(made.path) + b"/objects\n", b"../objects\n", b"# comment\n", b"\n",
        b'"quoted\\\n',
    ]  # fmt: skip
    made.write("objects/info/alternates", b"".join(made.random.sample(lines, 3)))
    made.write("objects/info/http-alternates", b"http://127.0.0.1:9/\n")


def odd_alternates(made: Malformed) -> None:
    choices = [
        b"\0" * 50, b"/\n" * 2000, made.noise(4000), b"x" * 100_000, b"/dev/zero\n",
    ]  # fmt: skip
    made.write("objects/info/alternates", made.random.choice(choices))


def shallow_head(made: Malformed) -> None:
    made.write("shallow", made.head.encode() + b"\n")


def odd_shallow(made: Malformed) -> None:
    choices = [
        b"garbage\n", b"1" * len(made.head) + b"\n", made.root.encode() + b"\n", b"\0" * 41, b"\n",
    ]  # fmt: skip
    made.write("shallow", made.random.choice(choices))


def replaced(made: Malformed) -> None:
    """Refs that say that other objects stand for the commit and for a file."""
    commit = b"tree %s\nauthor %s\ncommitter %s\n\nother\n" % (made.root.encode(), AUTHOR, AUTHOR)
    for old, kind, body in ((made.head, "commit", commit), (made.any_blob(), "blob", b"replaced\n")):
        oid = made.add(kind, body)
        made.write_loose(oid)
        made.write(f"refs/replace/{old}", oid.encode() + b"\n")


def odd_grafts(made: Malformed) -> None:
    choices = [
        made.head.encode() + b" " + made.head.encode(), b"garbage", made.head.encode() + b" x", b"\0" * 90,
    ]  # fmt: skip
    made.write("info/grafts", made.random.choice(choices))


def strangers(made: Malformed) -> None:
    """Files that git does not look for."""
    for name in (
        "objects/zz/xx",
        "objects/00/garbage",
        "objects/pack/tmp_pack_x",
        "objects/info/packs",
        "refs/heads.lock",
        "gitdir",
        "x.lock",
    ):
        made.write(name, made.noise())


def odd_graph(made: Malformed) -> None:
    choices = [
        b"", b"CGPH\x01\x01\x00\x00" + bytes(100), made.noise(2000), b"CGPH" + made.noise(),
    ]  # fmt: skip
    made.write("objects/info/commit-graph", made.random.choice(choices))


def other_folder(made: Malformed) -> None:
    """Folders that are somewhere else, or no folders."""
    how = made.random.randrange(5)
    if how == 0:
        made.write("commondir", b"/\n")
    elif how == 1:
        made.write("commondir", b".\n")
    elif how == 2:
        os.rename(made.path / "objects", made.path / "moved")
        (made.path / "objects").symlink_to("moved" if made.random.random() < 0.5 else "objects")
    elif how == 3:
        os.rename(made.path / "refs", made.path / "moved")
        made.write("refs", b"")
    else:
        made.write("worktrees/x/gitdir", b"/\n")


def sha256_repository(made: Malformed) -> None:
    made.write(
        "config", b"[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n"
    )


REFS = (
    detached_head, option_like_refs, nested_tags, many_refs, odd_head, broken_refs, packed_refs, odd_tags, odd_wishes,
)  # fmt: skip
FILES = (
    sha256_repository, hostile_config, promisor, odd_config, no_alternates, odd_alternates, shallow_head, odd_shallow,
    replaced, odd_grafts, strangers, odd_graph, other_folder,
)  # fmt: skip
