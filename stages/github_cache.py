"""What a host answered before, so that asking again costs nothing where nothing changed: ETags, and the fields we use.

It is kept in the run's cache as numbered files of some thousands of answers, the last of which is written again as it
fills: a killed preparation loses few answers, and no file is large. Later answers count.
"""

from __future__ import annotations

import json
from threading import Lock
from typing import Any, NamedTuple

from pipeline.side import Side

ANSWERS_A_FILE = 2000
ANSWERS_A_WRITE = 100


class Kept(NamedTuple):
    """An answer: its ETag, and what we use of it."""

    etag: str
    fields: dict[str, Any]


class AnswerCache:
    """Answers by repository, for all threads. A context manager; leaving it writes what is not yet written."""

    def __init__(self, side: Side, name: str) -> None:
        """Read the files of the cache that begin with `name`; a damaged one counts as empty."""
        self._side, self._name, self._lock = side, name, Lock()
        self._answers: dict[str, str] = {}  # as JSON, which takes a third of the memory
        self._file: dict[str, str] = {}  # what stands in the last file
        self._number = self._unwritten = 0
        while (data := side.kept(self._path())) is not None:
            self._file = _parse(data)
            self._answers |= self._file
            self._number += 1
        if self._number:
            self._number -= 1  # the last one is filled up

    def __enter__(self) -> AnswerCache:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._write()

    def get(self, repository: str) -> Kept | None:
        answer = self._answers.get(repository)
        return None if answer is None else Kept(*json.loads(answer))

    def add(self, repository: str, kept: Kept) -> None:
        """Add an answer, and write now and then."""
        with self._lock:
            if len(self._file) >= ANSWERS_A_FILE:
                self._write()
                self._number, self._file = self._number + 1, {}
            self._answers[repository] = self._file[repository] = _dump(kept)
            self._unwritten += 1
            if self._unwritten >= ANSWERS_A_WRITE:
                self._write()

    def _write(self) -> None:
        if self._unwritten:
            entries = (f"{json.dumps(repository)}: {answer}" for repository, answer in self._file.items())
            self._side.keep(self._path(), ("{" + ",\n".join(entries) + "}\n").encode())
            self._unwritten = 0

    def _path(self) -> str:
        return f"{self._name}-{self._number:05d}.json"


def _dump(kept: Kept) -> str:
    return json.dumps(kept, ensure_ascii=False)


def _parse(data: bytes) -> dict[str, str]:
    try:
        return {repository: _dump(Kept(*kept)) for repository, kept in json.loads(data).items()}
    except (ValueError, TypeError, AttributeError):
        return {}
