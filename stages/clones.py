"""Clones one commit of a repository, to be listed and read, and removes the clone at once.

A clone is bare, one commit deep, and made in a folder of its own within the budget of disk. Blobs over the limit are
left on the server (partial clone), and stay there: a clone does not know where it came from.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import RunFailed
from stages.disk_budget import CloneFolder, DiskBudget, NoRoom
from stages.git import CONFIG, Git
from stages.git_errors import GitError, sentence

STANDALONE = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
PATH_BYTES = 256  # a file's path may take, on the average of a tree of many files

_SHA1 = re.compile(r"[0-9a-f]{40}")


class Entry(NamedTuple):
    """A file of a tree."""

    mode: str
    oid: str
    path: bytes


@dataclass(frozen=True)
class Clone:
    """A bare clone of one commit, and what may be read from it."""

    folder: Path
    commit: str
    filtered: bool  # the server left out blobs over the limit, so that a missing blob is a large one
    size: int  # bytes on disk
    git: Git

    def entries(self, limit: int) -> list[Entry]:
        """All files of the commit's tree, in order. GitError `too_many_files` over `limit`: a tree may be a bomb."""
        listing, files, size = [], 0, 0
        with self.git.output(self.folder, ["ls-tree", "-r", "-z", "--full-tree", self.commit]) as output:
            while piece := output.read(1 << 20):
                listing.append(piece)
                files += piece.count(b"\0")
                size += len(piece)
                if files > limit:
                    raise GitError("too_many_files", f"its tree has more than {limit} files")
                if size > PATH_BYTES * max(limit, 10_000):
                    raise GitError("too_many_files", f"the paths of its tree take more than {size} bytes")
        entries = []
        for line in b"".join(listing).split(b"\0")[:-1]:
            head, _, path = line.partition(b"\t")
            mode, _, oid = head.decode().split(" ")
            entries.append(Entry(mode, oid, path))
        return entries

    def sizes(self, oids: Iterable[str]) -> dict[str, int | None]:
        """Bytes of each of `oids` that is here; None where it is no blob."""
        with self.git.output(self.folder, ["cat-file", "--batch-check", "--buffer"], oids) as output:
            printed = output.read()
        words = [line.split() for line in printed.decode().splitlines()]
        return {oid: int(rest[0]) if kind == "blob" else None for oid, kind, *rest in words if rest}

    def blobs(self, oids: list[str]) -> Iterator[bytes | None]:
        """Content of each of `oids`, in order; None where there is no such blob here."""
        left = len(oids)
        with self.git.output(self.folder, ["cat-file", "--batch", "--buffer"], oids) as output:
            for header in iter(output.readline, b""):
                if not header.endswith(b"\n"):
                    break  # git died, and says so when it is waited for
                _, kind, *rest = header.split()
                content = output.read(int(rest[0])) if rest else b""
                if rest and output.read(1) != b"\n":
                    break
                left -= 1
                yield content if kind == b"blob" else None
        if left:
            raise GitError("repository_corrupt", f"git gave {len(oids) - left} of its {len(oids)} blobs")


@contextmanager
def cloned(url: str, ref: str | None, max_bytes: int, git: Git, budget: DiskBudget) -> Iterator[Clone]:
    """A clone of the commit that `ref` (branch, tag or 40 hex digits; None is HEAD) names now, blobs up to `max_bytes`.

    It is removed at the end. Waits while there is no room for it. Raises GitError, Stopped, and RunFailed where the
    disk is full or cannot be written.
    """
    since, size = time.time_ns(), 0
    clone = None
    with ExitStack() as stack:
        while clone is None:
            try:
                folder = stack.enter_context(budget.folder(since, size))
                clone = _clone(folder, url, ref, max_bytes, git, budget)
            except NoRoom as error:
                size = error.size
                stack.close()  # removes what was cloned; another try waits for that much room
            except OSError as error:
                raise RunFailed(
                    f"cannot clone into '{budget.scratch}' ({error.strerror}); mend it and run again."
                ) from None
        yield clone


def _clone(folder: CloneFolder, url: str, ref: str | None, max_bytes: int, git: Git, budget: DiskBudget) -> Clone:
    (folder.path / "gitconfig").write_text(CONFIG)
    git.run(folder.path, ["init", "--quiet", "--bare", "--template="])
    named = _resolve(folder.path, url, ref, git)
    options = ["--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"]
    options.append(f"--filter=blob:limit={max_bytes + 1}")  # the filter leaves out blobs of its size and more
    try:
        _, errors = git.run(folder.path, ["fetch", *options, "--", url, named], url, check=lambda: budget.check(folder))
        # Forget the server, or git would fetch what the filter left out as soon as somebody asks for it.
        (folder.path / "config").write_text(STANDALONE)
        commit = _commit(folder.path, named, git)
    except GitError as error:
        if error.reason == "ref_not_found" and named != ref:  # the server has just named it
            raise GitError("repository_corrupt", str(error)) from None
        raise
    size = budget.complete(folder)
    filtered = "filtering not recognized" not in errors
    return Clone(folder.path, commit, filtered, size, git)


def _resolve(folder: Path, url: str, ref: str | None, git: Git) -> str:
    """The object a ref names on the server: a branch before a tag of the same name, as in `git clone --branch`."""
    if ref and _SHA1.fullmatch(ref):
        return ref
    names = ["HEAD"] if ref is None else [f"refs/heads/{ref}", f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", ref]
    output, errors = git.run(folder, ["ls-remote", "--quiet", "--", url, *names], url)
    found = {
        name: oid for oid, _, name in (line.partition("\t") for line in output.decode(errors="replace").splitlines())
    }
    for name in names:
        if name in found:
            if not _SHA1.fullmatch(found[name]):
                raise GitError("repository_sha256", "its object ids are SHA-256")
            return found[name]
    if "valid object" in errors or "broken ref" in errors:
        raise GitError("repository_corrupt", sentence(errors, folder))
    if ref is None:
        raise GitError("repository_empty", "its default branch has no commit")
    raise GitError("ref_not_found", f"it has no branch, tag or commit '{ref}'")


def _commit(folder: Path, oid: str, git: Git) -> str:
    try:
        printed, _ = git.run(folder, ["rev-parse", "--quiet", "--verify", f"{oid}^{{commit}}"])
    except GitError as error:
        if error.transient:
            raise
        raise GitError("ref_not_found", f"'{oid}' is no commit") from None
    return printed.decode().strip()
