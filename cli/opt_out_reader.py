"""Reads a few files of a repository's default branch from the host: the reader that proof of authority needs.

One commit without its blobs is fetched, then only the blobs that are asked for: a large repository costs no more than
its trees.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from opt_out.authority import Published, Unreadable
from stages.git import CONFIG, Git
from stages.git_errors import GitError

LARGEST = 1 << 20  # bytes of a file in which a token is looked for
# A host sends readers of a moved repository on to its new owner, who need not be the old one.
NO_REDIRECTS = "[http]\n\tfollowRedirects = false\n"
_SHA1 = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HostReader:
    """Reads repositories below `host`, such as https://github.com."""

    host: str
    git: Git

    def __call__(self, repository: str, paths: Sequence[str]) -> Published:
        """Those of `paths` that stand in `repository`. Raises Unreadable where the host does not give it."""
        url = f"{self.host.rstrip('/')}/{repository}.git"
        try:
            with TemporaryDirectory(prefix="opt-out-") as folder:
                return self._read(Path(folder), url, paths)
        except GitError as error:
            raise Unreadable(str(error)) from None

    def _read(self, folder: Path, url: str, paths: Sequence[str]) -> Published:
        (folder / "gitconfig").write_text(CONFIG + NO_REDIRECTS)
        self.git.run(folder, ["init", "--quiet", "--bare", "--template="])
        output, _ = self.git.run(folder, ["ls-remote", "--quiet", "--", url, "HEAD"], url)
        commit = output.decode(errors="replace").partition("\t")[0]
        if not _SHA1.fullmatch(commit):
            raise Unreadable("its default branch has no commit")
        self._fetch(folder, url, [commit])
        listing, _ = self.git.run(folder, ["ls-tree", "-z", "-l", "--full-tree", commit, "--", *paths])
        entries = [line.partition(b"\t") for line in listing.split(b"\0")[:-1]]
        blobs: dict[str, tuple[str, str]] = {}
        for head, _, path in entries:
            mode, kind, oid, _ = head.decode().split()
            if kind == "blob":
                blobs[path.decode(errors="replace")] = (mode, oid)
        if blobs:
            self._fetch(folder, url, sorted({oid for _, oid in blobs.values()}))
        return Published(commit, {path: (mode, self._content(folder, oid)) for path, (mode, oid) in blobs.items()})

    def _fetch(self, folder: Path, url: str, oids: Sequence[str]) -> None:
        options = ["--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"]
        self.git.run(folder, ["fetch", *options, "--filter=blob:none", "--", url, *oids], url)

    def _content(self, folder: Path, oid: str) -> bytes:
        with self.git.output(folder, ["cat-file", "blob", oid]) as output:
            content = output.read(LARGEST)
            while output.read(1 << 20):  # to its end; what is beyond is not looked at
                pass
        return content
