"""Memory that a worker's task needed is given back to the system after it, so that it does not add to the next one's.

Arrow's own allocator and the C library keep what was freed, each thread for itself. With their pieces strewn over it, a
worker's size would grow with the number of its tasks, and so with the corpus.
"""

from __future__ import annotations

import ctypes

import pyarrow as pa


def share_one_allocator() -> None:
    """Let Arrow take its memory from the C library from now on, in this process."""
    pa.set_memory_pool(pa.system_memory_pool())


def give_back() -> None:
    """Return to the system what is free, where the GNU C library is the allocator; some milliseconds."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
