"""Git's plumbing as acquire needs it: resolve a ref, clone one commit, list its tree, read its blobs.

The real `git` runs, never a shell, and nobody's configuration but ours. A clone is bare, one commit deep, and made in a
temporary folder that is renamed when complete, so that whatever is there can be used again. Blobs over the limit are
left on the server (partial clone), and stay there: a clone does not know where it came from.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from threading import Event, Timer
from typing import IO, NamedTuple

from pipeline.errors import UsageError

# Read by every git that is started, by the server's side of a file:// URL too. `safe.directory`: repositories on this
# machine may belong to others; nothing in them is executed. The other settings keep a clone to one pack and one core.
CONFIG = """\
[safe]
	directory = *
[core]
	hooksPath = /dev/null
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
[fetch]
	unpackLimit = 1
[pack]
	threads = 1
	window = 0
[gc]
	auto = 0
[maintenance]
	auto = false
[http]
	lowSpeedLimit = 1000
	lowSpeedTime = 60
"""
STANDALONE = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
PROTOCOLS = "file:http:https:ssh:git"

_SHA1 = re.compile(r"[0-9a-f]{40}")
_FULL = re.compile(r"No space left on device|Disk quota exceeded")
# What git and the hosts say, by the reason it stands for; the first that matches counts.
_SYMPTOMS = (
    ("ref_not_found", r"not our ref|[Cc]ouldn't find remote ref|unadvertised object"),
    (
        "repository_unreachable",
        r"error: (?:5\d\d|429|408)|[Tt]imed out|[Cc]ould ?n[o']t resolve|Connection (?:refused|reset)",
    ),
    (
        "repository_gone",
        r"[Rr]epository .*not found|could not be found|does not appear to be a git repository|no longer exists"
        r"|could not read (?:Username|Password)|Authentication failed|Permission denied|[Aa]ccess denied"
        r"|error: 4\d\d|not exported|unavailable due to",
    ),
    (
        "repository_corrupt",
        r"corrupt|bad object|missing (?:blob|tree|commit)|(?:could not|unable to|failed to) (?:read|parse|unpack)"
        r"|did not send all necessary objects|inflate|unresolved delta|not point to a valid object|broken ref",
    ),
)


class GitError(Exception):
    """Git could not do it. `reason` is one of acquire's reasons; the text holds no credentials."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    @property
    def transient(self) -> bool:
        """Whether another try, later, may well succeed."""
        return self.reason == "repository_unreachable"


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

    @property
    def filtered(self) -> bool:
        """Whether the server left out blobs over the limit, so that a missing blob is a large one."""
        return (self.folder / "filtered").exists()

    def entries(self, limit: int, timeout: float) -> list[Entry]:
        """All files of the commit's tree, in order. GitError `too_many_files` over `limit`: a tree may be a bomb."""
        arguments = ["ls-tree", "-r", "-z", "--full-tree", self.commit]
        listing, files = [], 0
        with _git(self.folder, arguments, timeout) as output:
            while piece := output.read(1 << 20):
                listing.append(piece)
                files += piece.count(b"\0")
                if files > limit:
                    raise GitError("too_many_files", f"its tree has more than {limit} files")
        entries = []
        for line in b"".join(listing).split(b"\0")[:-1]:
            head, _, path = line.partition(b"\t")
            mode, _, oid = head.decode().split(" ")
            entries.append(Entry(mode, oid, path))
        return entries

    def sizes(self, oids: Iterable[str], timeout: float) -> dict[str, int | None]:
        """Bytes of each of `oids` that is here; None where it is no blob."""
        with _git(self.folder, ["cat-file", "--batch-check", "--buffer"], timeout, oids) as output:
            words = [line.split() for line in output.read().decode().splitlines()]
        return {oid: int(rest[0]) if kind == "blob" else None for oid, kind, *rest in words if rest}

    def blobs(self, oids: Iterable[str], timeout: float) -> Iterator[bytes | None]:
        """Content of each of `oids`, in order; None where there is no such blob here."""
        with _git(self.folder, ["cat-file", "--batch", "--buffer"], timeout, oids) as output:
            for header in iter(output.readline, b""):
                _, kind, *rest = header.split()
                content = output.read(int(rest[0])) if rest else b""
                if rest and output.read(1) != b"\n":
                    break  # git died, and says so when it is waited for
                yield content if kind == b"blob" else None


def clone(url: str, ref: str | None, parent: Path, max_bytes: int, timeout: float) -> Clone:
    """Clone the commit that `ref` (branch, tag or 40 hex digits; None is HEAD) names now, blobs up to `max_bytes`.

    A clone of that commit that is already there, below `parent`, is used. Each git command may take `timeout` seconds.
    Raises GitError, and OSError where the disk is full.
    """
    if ref and (found := find_clone(url, ref, parent, max_bytes)):
        return found
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / f".tmp-{uuid.uuid4().hex}"
    folder.mkdir()
    try:
        (folder / "gitconfig").write_text(CONFIG)
        _run(folder, ["init", "--quiet", "--bare", "--template="], timeout)
        commit = _resolve(folder, url, ref, timeout)
        if found := find_clone(url, commit, parent, max_bytes):
            return found
        try:
            commit = _fetch(folder, url, commit, max_bytes, timeout)
        except GitError as error:
            if error.reason == "ref_not_found" and commit != ref:  # the server has just named it
                raise GitError("repository_corrupt", str(error)) from None
            raise
        target = _folder(url, commit, parent, max_bytes)
        try:
            folder.rename(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            # Another worker was faster.
        return Clone(target, commit)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_clone(url: str, commit: str, parent: Path, max_bytes: int) -> Clone | None:
    """The clone of a commit that was made before, if it is there."""
    folder = _folder(url, commit, parent, max_bytes)
    return Clone(folder, commit) if folder.is_dir() else None


def remove_clone(cloned: Clone) -> None:
    """Remove a clone that turned out to be damaged."""
    shutil.rmtree(cloned.folder, ignore_errors=True)


def _folder(url: str, commit: str, parent: Path, max_bytes: int) -> Path:
    key = f"{url}\0{commit}\0{max_bytes}".encode()
    return parent / hashlib.blake2b(key, digest_size=16).hexdigest()


def _resolve(folder: Path, url: str, ref: str | None, timeout: float) -> str:
    """The object a ref names on the server: a branch before a tag of the same name, as in `git clone --branch`."""
    if ref and _SHA1.fullmatch(ref):
        return ref
    names = ["HEAD"] if ref is None else [f"refs/heads/{ref}", f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", ref]
    output, errors = _run(folder, ["ls-remote", "--quiet", "--", url, *names], timeout)
    found = {
        name: oid for oid, _, name in (line.partition("\t") for line in output.decode(errors="replace").splitlines())
    }
    for name in names:
        if name in found:
            if not _SHA1.fullmatch(found[name]):
                raise GitError("repository_sha256", "its object ids are SHA-256")
            return found[name]
    if "valid object" in errors or "broken ref" in errors:
        raise GitError("repository_corrupt", _sentence(errors, folder))
    if ref is None:
        raise GitError("repository_empty", "its default branch has no commit")
    raise GitError("ref_not_found", f"it has no branch, tag or commit '{ref}'")


def _fetch(folder: Path, url: str, oid: str, max_bytes: int, timeout: float) -> str:
    """Fetch one commit without its parents, and without blobs over `max_bytes`; returns its id."""
    options = ["--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"]
    # The filter leaves out blobs of its size and more.
    _, errors = _run(folder, ["fetch", *options, f"--filter=blob:limit={max_bytes + 1}", "--", url, oid], timeout)
    if "filtering not recognized" not in errors:
        (folder / "filtered").touch()
    # Forget the server, or git would fetch what the filter left out as soon as somebody asks for it.
    (folder / "config").write_text(STANDALONE)
    try:
        commit, _ = _run(folder, ["rev-parse", "--quiet", "--verify", f"{oid}^{{commit}}"], timeout)
    except GitError:
        raise GitError("ref_not_found", f"'{oid}' is no commit") from None
    return commit.decode().strip()


def _run(folder: Path, arguments: list[str], timeout: float) -> tuple[bytes, str]:
    """What a git command prints, and what it says on the side."""
    errors: list[str] = []
    with _git(folder, arguments, timeout, errors=errors) as output:
        printed = output.read()
    return printed, errors[0]


@contextmanager
def _git(
    folder: Path, arguments: list[str], timeout: float, lines: Iterable[str] = (), errors: list[str] | None = None
) -> Iterator[IO[bytes]]:
    """Run git in the bare repository `folder` with `lines` as its input; gives its output, to be read to the end.

    Raises GitError when it fails or has not ended after `timeout` seconds; it and its children are killed then.
    """
    with TemporaryFile() as stdin, TemporaryFile() as stderr:
        stdin.writelines(f"{line}\n".encode() for line in lines)
        stdin.seek(0)
        try:
            process = subprocess.Popen(
                ["git", *arguments],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=folder,
                env=_environment(folder),
                start_new_session=True,
            )
        except FileNotFoundError:
            raise UsageError("git is not installed on this machine; install it and run again.") from None
        late = Event()

        def stop() -> None:
            late.set()
            _kill(process)

        timer = Timer(timeout, stop)
        timer.daemon = True
        timer.start()
        assert process.stdout is not None
        try:
            with process.stdout:
                yield process.stdout
            process.wait()
        finally:
            timer.cancel()
            _kill(process)
            process.wait()
        stderr.seek(0)
        said = stderr.read(1 << 16).decode(errors="replace")
        if errors is not None:
            errors.append(said)
        if process.returncode:
            raise _failure(arguments, said, late.is_set(), timeout, folder)


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def _environment(folder: Path) -> dict[str, str]:
    """The user's environment (HOME with ~/.netrc, ssh's agent, proxies) without git's own variables, and with ours."""
    kept = ("GIT_SSL_", "GIT_SSH", "GIT_PROXY_")
    given = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name.startswith(kept)}
    return (
        {"GIT_SSH_COMMAND": "ssh -oBatchMode=yes"}
        | given
        | {
            "GIT_DIR": str(folder),
            "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ALLOW_PROTOCOL": PROTOCOLS,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "",  # empty: no askpass program at all
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "LC_ALL": "C",
        }
    )


def _failure(arguments: list[str], said: str, late: bool, timeout: float, folder: Path) -> Exception:
    if _FULL.search(said):
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if late:
        return GitError("repository_unreachable", f"git {arguments[0]} had not ended after {timeout:g} seconds")
    remote = arguments[0] in ("ls-remote", "fetch") and not any(word.startswith("file://") for word in arguments)
    reason = next(
        (reason for reason, symptom in _SYMPTOMS if re.search(symptom, said)),
        "repository_unreachable" if remote else "repository_corrupt",
    )
    return GitError(reason, _sentence(said, folder))


def _sentence(said: str, folder: Path) -> str:
    """The first thing git found fatal, without our temporary folder and whatever stands before an @ in a URL."""
    lines = said.replace(f"{folder}/", "").splitlines()
    line = next((line for line in lines if line.startswith("fatal: ")), lines[0] if lines else "git gave no reason")
    return re.sub(r"//[^/\s]*@", "//", line.removeprefix("fatal: "))[:200]
