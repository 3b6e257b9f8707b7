"""Files behind an fsspec URL. What fails and may pass is tried again, for a bounded time; what cannot pass is told.

A file is one object, written whole or not at all. Nothing is renamed: a move is a copy, then a removal, and may be
killed between the two. Listings are never cached, as two machines may work on one run.
"""

from __future__ import annotations

import errno
import io
import os
import random
import time
from collections.abc import Callable
from typing import Any, BinaryIO, NoReturn, TypeVar, cast

import fsspec

from pipeline.errors import RunFailed, UsageError
from pipeline.files import Buffer

PATIENCE = 60.0  # seconds a failing operation is tried again, once the store has answered at all
FIRST_PATIENCE = 5.0  # and before: then it is the address that is wrong
LONGEST_WAIT = 5.0
WHOLE = 4 << 20  # bytes; a file up to this size is fetched as a whole, a larger one range by range

T = TypeVar("T")


class Passing(Exception):
    """A failure that may pass; its text is the end of a sentence about the store."""


class RemoteFiles:
    """Files of any fsspec file system that is not this machine's disk; see pipeline.files.Files."""

    def __init__(self, root: str, **options: Any) -> None:
        self.root = root
        self.fs, _ = fsspec.core.url_to_fs(root, use_listings_cache=False, **options)
        self.reached = False  # whether the store has answered

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.root,), {"reached": self.reached}  # another process makes connections of its own

    def full(self, path: str) -> str:
        return f"{self.root}/{path}" if path else self.root

    def read(self, path: str) -> bytes:
        data: bytes = self.again(self.fs.cat_file, self.full(path))
        return data

    def read_range(self, path: str, start: int, stop: int) -> bytes:
        """Bytes `start` to `stop` of a file, by one request."""
        data: bytes = self.again(self.fs.cat_file, self.full(path), start=start, end=stop)
        return data

    def open(self, path: str) -> BinaryIO:
        size = self.size(path)
        if size is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.full(path))
        if size <= WHOLE:
            return io.BytesIO(self.read(path))
        return ranged(self, path, size)

    def write(self, path: str, data: Buffer, synced: bool = True) -> None:
        self.again(self.fs.pipe_file, self.full(path), bytes(data))

    def upload(self, source: str, path: str) -> None:
        self.again(self.fs.put_file, source, self.full(path))

    def exists(self, path: str) -> bool:
        found: bool = self.again(self.fs.exists, self.full(path))
        return found

    def size(self, path: str) -> int | None:
        try:
            return int(self.again(self.fs.size, self.full(path)))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def sizes(self, path: str) -> dict[str, int | None]:
        try:
            found = self.again(self.fs.ls, self.full(path), detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        return {
            entry["name"].rstrip("/").rsplit("/", 1)[-1]: None if entry["type"] == "directory" else entry["size"]
            for entry in found
        }

    def move(self, source: str, target: str) -> None:
        self.again(self.fs.cp_file, self.full(source), self.full(target))
        self.remove(source)

    def remove(self, path: str) -> None:
        if self.exists(path):
            self.again(self.fs.rm, self.full(path), recursive=True)

    def remove_unfinished(self, path: str) -> None:
        """Nothing: an object appears when it is whole."""

    def again(self, call: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """What `call` returns, tried until it does while its failure may pass.

        Raises FileNotFoundError as it comes; UsageError where the store will never do it, or has never answered;
        RunFailed where it stopped answering.
        """
        began, wait = time.monotonic(), 0.1
        while True:
            try:
                result = call(*arguments, **options)
                self.reached = True
                return result
            except Exception as error:
                try:
                    self.judge(error)
                except Passing as passing:
                    spent = time.monotonic() - began
                    if spent + wait > (PATIENCE if self.reached else FIRST_PATIENCE):
                        self._give_up(str(passing), spent)
            time.sleep(wait * random.uniform(0.5, 1.0))
            wait = min(2 * wait, LONGEST_WAIT)

    def judge(self, error: Exception) -> NoReturn:
        """Raise Passing, or UsageError with one sentence, or the error as it is."""
        if isinstance(error, PermissionError):
            raise UsageError(f"'{self.root}': the store refuses access; check credentials and permissions.") from None
        if isinstance(error, (ConnectionError, TimeoutError)):
            raise Passing(f"cannot be reached ({type(error).__name__})") from error
        if isinstance(error, FileNotFoundError):
            self.reached = True
        raise error

    def _give_up(self, what: str, seconds: float) -> NoReturn:
        if self.reached:
            raise RunFailed(
                f"the store of '{self.root}' {what}, for {seconds:.0f} s now; run again when it is back, finished "
                "shards stay."
            ) from None
        raise UsageError(f"the store of '{self.root}' {what}; check its address and the network.") from None


def ranged(files: RemoteFiles, path: str, size: int, tail: bytes = b"") -> BinaryIO:
    """A file of `size` bytes for random access: a read fetches just its bytes, and nothing of the known `tail`."""
    return cast(BinaryIO, _RangedFile(files, path, size, tail))


class _RangedFile(io.RawIOBase):
    def __init__(self, files: RemoteFiles, path: str, size: int, tail: bytes) -> None:
        self._files, self._path, self._size, self._tail = files, path, size, tail
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        start, stop = self._at, self._size
        if size is not None and size >= 0:
            stop = min(start + size, self._size)
        if stop <= start:
            return b""
        known_from = self._size - len(self._tail)
        if start >= known_from:
            data = self._tail[start - known_from : stop - known_from]
        else:
            data = self._files.read_range(self._path, start, stop)
        self._at = start + len(data)
        return data
