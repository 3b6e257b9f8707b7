"""Keeps the clones of one machine within the disk they may take, whichever process or thread makes them.

Each clone has a folder below `scratch`, locked as long as somebody works on it: what is not locked belongs to a process
that died, and is removed. While git writes it is named .tmp-TIME-PROCESS-UUID, so that all agree on who is younger:
when all together take too much, the youngest give way. Who makes a folder, or removes another's, locks `scratch` too.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from stages.git import Stopped
from stages.git_errors import GitError

TEMPORARY = ".tmp-"
WAIT_S = 0.1
RESERVED = "reserved"  # a file with the size its clone is known to reach, and nothing in it: it takes no disk


class TooLarge(GitError):
    """A clone takes more than `limit` bytes."""

    def __init__(self, limit: int, transient: bool) -> None:
        super().__init__("repository_too_large", f"its clone takes more than {limit} bytes", transient)
        self.limit = limit

    @property
    def detail(self) -> dict[str, Any]:
        return {"limit": self.limit, "transient": self.transient}


class NoRoom(Exception):
    """All clones together take too much, and this one, which had reached `size` bytes, gives way to older ones."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size


@dataclass
class CloneFolder:
    """A folder that a clone is made in."""

    path: Path
    lock: int  # the open folder, locked


@dataclass(frozen=True)
class DiskBudget:
    """What clones below `scratch` may take: `one` bytes each, `together` bytes (None: no limit) all of them."""

    scratch: Path
    one: int
    together: int | None
    stopping: Event

    @contextmanager
    def folder(self, since: int, size: int) -> Iterator[CloneFolder]:
        """A new folder for a clone, as soon as there is room for it; removed afterwards.

        `since` is when it was asked for first (time_ns), `size` what it is known to reach. Raises Stopped.
        """
        while (clone := self._admitted(since, size)) is None:
            if self.stopping.wait(WAIT_S):
                raise Stopped
        try:
            yield clone
        finally:
            shutil.rmtree(clone.path, ignore_errors=True)
            os.close(clone.lock)

    def check(self, clone: CloneFolder) -> None:
        """To be called while `clone` is made: raises TooLarge or NoRoom where it has to stop."""
        size = self._checked_size(clone)
        if self.together is not None and self._taken(clone.path.name) > self.together:
            with self._locked():
                self._remove_dead()
            if self._taken(clone.path.name) > self.together:
                raise NoRoom(size)

    def complete(self, clone: CloneFolder) -> int:
        """To be called when `clone` is made, and will not give way any more: its bytes. Raises TooLarge."""
        size = self._checked_size(clone)
        with self._locked():
            clone.path = clone.path.rename(clone.path.with_name(clone.path.name.removeprefix(TEMPORARY)))
            (clone.path / RESERVED).unlink()
        return size

    def _checked_size(self, clone: CloneFolder) -> int:
        size, limit = _written(clone.path), min(self.one, self.together or self.one)
        if size > limit:
            raise TooLarge(limit, transient=limit < self.one)
        return size

    def _admitted(self, since: int, size: int) -> CloneFolder | None:
        with self._locked():
            self._remove_dead()
            if self.together is not None and (taken := self._taken()) and taken + size >= self.together:
                return None
            path = self.scratch / f"{TEMPORARY}{since}-{os.getpid()}-{uuid.uuid4().hex}"
            path.mkdir()
            lock = _lock(path)
            assert lock is not None  # nobody else looks at it while we hold the lock of scratch
            with (path / RESERVED).open("wb") as file:
                file.truncate(size)
            return CloneFolder(path, lock)

    def _taken(self, youngest: str | None = None) -> int:
        """Bytes of all clones, but those being made that are younger than the folder of this name."""
        folders = [
            self.scratch / name
            for name in os.listdir(self.scratch)
            if youngest is None or name <= youngest or not name.startswith(TEMPORARY)
        ]
        return sum(max(_written(folder), _bytes(folder / RESERVED)) for folder in folders)

    def _remove_dead(self) -> None:
        for folder in self.scratch.iterdir():
            with suppress(FileNotFoundError):
                if (lock := _lock(folder)) is not None:
                    shutil.rmtree(folder, ignore_errors=True)
                    os.close(lock)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.scratch.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.scratch, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _lock(folder: Path) -> int | None:
    """The folder, open and locked until it is closed or this process ends; None where somebody else has locked it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _written(folder: Path) -> int:
    """Bytes of the packs in a clone; git writes next to nothing else."""
    pack = folder / "objects/pack"
    with suppress(FileNotFoundError):
        return sum(_bytes(pack / name) for name in os.listdir(pack))
    return 0


def _bytes(file: Path) -> int:
    with suppress(FileNotFoundError):
        return file.stat().st_size
    return 0
