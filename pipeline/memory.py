"""Memory that a worker's task needed is given back to the system after it, so that it does not add to the next one's.

Arrow's own allocator and the C library keep what was freed, each thread for itself. With their pieces strewn over it, a
worker's size would grow with the number of its tasks, and so with the corpus.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

# The GNU C library's: blocks of 2 MiB and more are mapped on their own, in huge pages where the system grants them, and
# leave with their owner. By itself the library raises that limit to 32 MiB as it goes, so that its heap is strewn with
# large holes; and without huge pages, mapping afresh costs more than it spares.
TUNABLES = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=2097152:glibc.malloc.trim_threshold=67108864"


@contextmanager
def large_blocks_apart() -> Iterator[None]:
    """Let processes that are started meanwhile, and theirs, take large blocks of memory from the system one by one.

    Only a process that starts can be told so, by its environment. What the user set there counts more.
    """
    before = os.environ.get("GLIBC_TUNABLES")
    os.environ["GLIBC_TUNABLES"] = f"{TUNABLES}:{before}" if before else TUNABLES
    try:
        yield
    finally:
        if before is None:
            del os.environ["GLIBC_TUNABLES"]
        else:
            os.environ["GLIBC_TUNABLES"] = before


def share_one_allocator() -> None:
    """Let Arrow take its memory from the C library from now on, in this process."""
    pa.set_memory_pool(pa.system_memory_pool())


def give_back() -> None:
    """Return to the system what is free, where the GNU C library is the allocator; some milliseconds."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
