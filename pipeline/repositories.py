"""Reads the repository list: one repository a line, as people write them, made canonical.

    owner/name                      on github.com
    https://host/path  ssh://...    any git URL: http, https, ssh, git, file, or git@host:owner/name
    ./folder  /folder               a repository on this machine, relative to the list's folder
    ...@ref                         a branch, tag or 40-digit commit; the default branch without it
    # comment                       a whole line, or after white space

A URL with credentials is refused, so that none reaches a file; messages quote a line only where it cannot hold any.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from pipeline import schema
from pipeline.errors import UsageError
from pipeline.storage import read_file

ALLOWED = "owner/name, a git URL (https, http, ssh, git, file, or git@host:owner/name) or a folder, with @ref behind it"
SCHEMES = ("https", "http", "ssh", "git", "file")
HOSTS = ("github.com", "gitlab.com", "bitbucket.org", "codeberg.org")  # these have owner/name, and may go without https

_GITHUB = re.compile(r"(?P<path>[A-Za-z0-9](?:[A-Za-z0-9_-])*/[A-Za-z0-9._-]+)(?:@(?P<ref>.*))?")
_SCP = re.compile(r"(?P<user>[\w.+-]+)@(?P<host>[A-Za-z0-9.-]+):(?P<path>[^@\s?#]+?)(?:@(?P<ref>.*))?")
_BAD_REF = re.compile(r"^[-/]|^@$|[\x00-\x20\x7f~^:?*\[\\]|\.\.|//|@\{|/$|\.$|\.lock$|^$")
_PLAIN = re.compile(r"[\w./~+-]+")  # holds no credentials: neither user@ nor ?token=


class RepositoryList(NamedTuple):
    """The list as read: schema.REPOSITORY in the order of the lines, and what the reader should tell the user."""

    table: pa.Table
    warnings: list[str]


class _Repository(NamedTuple):
    id: str
    repo: str
    url: str
    ref: str | None


class _Malformed(Exception):
    """What is wrong with a line, as the end of a sentence."""


def read_repositories(path: str) -> RepositoryList:
    """Read the list at `path`, a local path or fsspec URL. Raises UsageError, naming file and line."""
    try:
        text = read_file(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: the repository list is not UTF-8 (byte {error.start}); save it as UTF-8.") from None
    except (OSError, ValueError, ImportError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise UsageError(f"cannot read the repository list '{path}' ({reason}).") from None
    return parse_repositories(text, path, os.path.dirname(path) if "://" not in path else "/")


def parse_repositories(text: str, source: str, folder: str) -> RepositoryList:
    """Parse the lines of `text`; `source` names it in messages, `folder` is what local paths are relative to.

    Of lines that name one repository (equal id) the first stays, whatever their refs, with a warning naming both.
    """
    found: dict[str, tuple[int, _Repository]] = {}
    warnings = []
    for number, raw in enumerate(text.split("\n"), start=1):
        line = re.sub(r"(^|\s)#.*", "", raw).strip()
        if not line:
            continue
        try:
            repository = _parse(line, Path(folder or "."))
        except _Malformed as error:
            quoted = f"'{line}' " if _PLAIN.fullmatch(line) else "the entry "
            raise UsageError(f"{source}, line {number}: {quoted}{error}; a line is {ALLOWED}.") from None
        if _is_shadowed(line, repository, Path(folder or ".")):
            warnings.append(
                f"{source}, line {number}: '{line}' is read as github.com's; write ./ before it for the folder."
            )
        first, kept = found.setdefault(repository.id, (number, repository))
        if first != number:
            refs = "" if kept.ref == repository.ref else f" at {_at(kept)} and at {_at(repository)}"
            warnings.append(
                f"{source}: lines {first} and {number} name the same repository{refs}; line {first} counts."
            )
    if not found:
        raise UsageError(f"{source}: the list names no repository; write one a line: {ALLOWED}.")
    rows = [repository._asdict() for _, repository in found.values()]
    return RepositoryList(pa.Table.from_pylist(rows, schema=schema.REPOSITORY), warnings)


def _parse(line: str, folder: Path) -> _Repository:
    if line.split("/")[0].lower() in HOSTS:
        line = f"https://{line}"
    if "://" in line:
        scheme = line.split("://")[0].lower()
        if scheme not in SCHEMES:
            raise _Malformed("has a scheme git is not let to use")
        return _local_url(line[len("file://") :]) if scheme == "file" else _url(line)
    if match := _GITHUB.fullmatch(line):
        return _hosted("github.com", f"https://github.com/{_without_git(match['path'])}", match["path"], match["ref"])
    if match := _SCP.fullmatch(line):
        url = f"{match['user']}@{match['host']}:{match['path']}"
        return _hosted(match["host"].lower(), url, match["path"], match["ref"])
    path, ref = _split_existing(line, folder)
    if not (folder / path).is_dir():
        raise _Malformed("is neither a repository's name nor a folder that exists")
    return _file((folder / path).resolve(), ref)


def _url(line: str) -> _Repository:
    try:
        parts = urlsplit(line)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _Malformed("is no valid URL") from None
    if parts.password is not None or (parts.username is not None and parts.scheme != "ssh"):
        raise _Malformed("holds credentials, which are kept out of runs: put them into ~/.netrc, or use an ssh key")
    if host.removeprefix("www.") in HOSTS:
        host = host.removeprefix("www.")
    if not host or parts.query or parts.fragment:
        raise _Malformed("is no URL of a repository")
    path, at, ref = parts.path.partition("@")
    if any(part in (".", "..") for part in path.split("/")) or re.search(r"\s", path):
        raise _Malformed("is no URL of a repository")
    user = f"{parts.username}@" if parts.username else ""
    place = f"{host}:{port}" if port else host
    path = path.rstrip("/")
    if host in HOSTS and len(path.split("/")) != 3:
        raise _Malformed(f"is not {host}/owner/name (a branch is written @branch)")
    return _hosted(place, f"{parts.scheme}://{user}{place}{path}", path, ref if at else None)


def _hosted(host: str, url: str, path: str, ref: str | None) -> _Repository:
    parts = [part for part in _without_git(path).split("/") if part]
    if not parts:
        raise _Malformed("names no repository on its host")
    identity = "/".join([host, *parts]).lower()
    return _Repository(identity, "/".join([host, *parts][-2:]), url, _checked(ref))


def _local_url(path: str) -> _Repository:
    """A file:// URL; where the folder is not there its clone will say so, as with any other URL."""
    if path.startswith("localhost/"):
        path = path.removeprefix("localhost")
    if not path.startswith("/"):
        raise _Malformed("is no file:///absolute/path")
    place, ref = _split_existing(unquote(path), Path("/"))
    return _file(Path(os.path.normpath(place)), ref)


def _file(path: Path, ref: str | None) -> _Repository:
    if str(path) != str(path).strip() or path == Path("/"):
        raise _Malformed("is no folder of a repository (write no blank before the @)")
    parts = ["localhost", *_without_git(str(path).removesuffix("/.git")).split("/")[1:]]
    return _Repository(path.as_uri(), "/".join(parts[-2:]), path.as_uri(), _checked(ref))


def _split_existing(line: str, folder: Path) -> tuple[str, str | None]:
    """Path and ref; an @ belongs to the path where such a folder exists."""
    for at in [len(line), *(match.start() for match in reversed(list(re.finditer("@", line))))]:
        if at and (folder / line[:at]).is_dir():
            return line[:at], line[at + 1 :] if at < len(line) else None
    path, at_sign, ref = line.partition("@")
    return path, ref if at_sign else None


def _checked(ref: str | None) -> str | None:
    if ref is not None and _BAD_REF.search(ref):
        raise _Malformed("has no valid branch, tag or commit behind the @")
    return ref


def _is_shadowed(line: str, repository: _Repository, folder: Path) -> bool:
    return repository.id.startswith("github.com/") and "://" not in line and (folder / repository.repo).is_dir()


def _without_git(path: str) -> str:
    return path.rstrip("/").removesuffix(".git")


def _at(repository: _Repository) -> str:
    return repository.ref or "the default branch"
