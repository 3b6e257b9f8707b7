"""Looks at what happens while a test runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread


@contextmanager
def watched(look: Callable[[], None]) -> Iterator[None]:
    """Call `look` a hundred times a second."""
    ended = Event()

    def watch() -> None:
        while not ended.wait(0.01):
            look()

    thread = Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def files(folder: Path) -> Iterator[str]:
    """Files below `folder`, of which some may be gone meanwhile."""
    for path, _, names in os.walk(folder):
        yield from (f"{path}/{name}" for name in names)
