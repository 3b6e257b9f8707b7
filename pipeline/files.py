"""The files below one root, as bytes: what a Storage stands on. Here those of a local disk, elsewhere see remote.py.

A file is written under a temporary name, synced and renamed, so that a reader never sees half of one.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from typing import BinaryIO, Protocol

Buffer = bytes | memoryview

TEMPORARY = ".tmp-"  # part of the name of every file that is still being written


class Files(Protocol):
    """Every path is relative to the root, with forward slashes; what is not there raises FileNotFoundError."""

    root: str

    def full(self, path: str) -> str:
        """The path as `open` or fsspec knows it."""
        ...

    def read(self, path: str) -> bytes: ...

    def open(self, path: str) -> BinaryIO:
        """The file for random access; what is not read is not fetched."""
        ...

    def write(self, path: str, data: Buffer, synced: bool = True) -> None:
        """`synced`: the file outlives a power failure; what is written anew after one needs no such care."""
        ...

    def upload(self, source: str, path: str) -> None:
        """Write the content of a local file, of any size."""
        ...

    def exists(self, path: str) -> bool:
        """Whether there is such a file or folder."""
        ...

    def size(self, path: str) -> int | None:
        """Bytes of a file; None where there is none."""
        ...

    def sizes(self, path: str) -> dict[str, int | None]:
        """What is right below a folder: name -> bytes of a file, None for a folder; nothing where it is not there."""
        ...

    def move(self, source: str, target: str) -> None: ...

    def remove(self, path: str) -> None:
        """Remove a file, or a folder with all below it; nothing happens where there is none."""
        ...

    def remove_unfinished(self, path: str) -> None:
        """Remove what a killed process was still writing below a folder."""
        ...


class LocalFiles:
    """Files on a disk of this machine."""

    def __init__(self, root: str) -> None:
        self.root = root

    def full(self, path: str) -> str:
        return f"{self.root}/{path}" if path else self.root

    def read(self, path: str) -> bytes:
        with open(self.full(path), "rb") as file:
            return file.read()

    def open(self, path: str) -> BinaryIO:
        return open(self.full(path), "rb")

    def write(self, path: str, data: Buffer, synced: bool = True) -> None:
        self._write(path, lambda file: file.write(data), synced)

    def upload(self, source: str, path: str) -> None:
        with open(source, "rb") as file:
            self._write(path, lambda target: shutil.copyfileobj(file, target, 1 << 20), synced=True)

    def _write(self, path: str, fill: Callable[[BinaryIO], object], synced: bool) -> None:
        target = self.full(path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        temporary = f"{target}{TEMPORARY}{uuid.uuid4().hex}"
        try:
            with open(temporary, "wb") as file:
                fill(file)
                if synced:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            if os.path.exists(temporary):
                os.unlink(temporary)
            raise

    def exists(self, path: str) -> bool:
        return os.path.exists(self.full(path))

    def size(self, path: str) -> int | None:
        try:
            return os.path.getsize(self.full(path))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def sizes(self, path: str) -> dict[str, int | None]:
        try:
            with os.scandir(self.full(path)) as found:
                return {entry.name: None if entry.is_dir() else entry.stat().st_size for entry in found}
        except (FileNotFoundError, NotADirectoryError):
            return {}

    def move(self, source: str, target: str) -> None:
        os.makedirs(os.path.dirname(self.full(target)), exist_ok=True)
        os.replace(self.full(source), self.full(target))

    def remove(self, path: str) -> None:
        full = self.full(path)
        if os.path.isdir(full) and not os.path.islink(full):
            shutil.rmtree(full)
        elif os.path.lexists(full):
            os.unlink(full)

    def remove_unfinished(self, path: str) -> None:
        for folder, _, files in os.walk(self.full(path)):
            for name in files:
                if TEMPORARY in name:
                    os.unlink(os.path.join(folder, name))
