"""Fetches contents from an archive that keeps each under its id, gzipped, as Software Heritage does on S3.

There the id is the content's SHA-1, which is checked, so that what was fetched is what the dataset names. fsspec reads
many objects at once and its file systems repeat failed requests; what still fails is tried again here after a pause,
and then raised: a content that cannot be read now is never taken for one that is gone.
"""

from __future__ import annotations

import hashlib
import itertools
import time
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import fsspec
from botocore.session import get_session

from pipeline.errors import RunFailed, UsageError

AT_A_TIME = 256  # contents held in memory, gzipped and not
_GZIP = 16 + zlib.MAX_WBITS


class Content(NamedTuple):
    """A content; or the reason why there is none, with what it tells."""

    data: bytes | None
    reason: str | None = None
    detail: dict[str, Any] = {}


def open_store(url: str) -> tuple[Any, str]:
    """The fsspec file system of `url`, and the path in it. S3 is read anonymously where there are no credentials.

    Raises UsageError where there is no such file system.
    """
    anonymous = url.startswith("s3://") and get_session().get_credentials() is None
    try:
        return fsspec.core.url_to_fs(url, **({"anon": True} if anonymous else {}))
    except (ImportError, ValueError) as error:
        raise UsageError(f"'{url}' cannot be read ({str(error).splitlines()[0].rstrip('.')}).") from None


def fetch(store: str, ids: Sequence[str], max_bytes: int, at_once: int, retries: int) -> Iterator[Content]:
    """The contents `ids` of the archive at `store`, in their order.

    Reasons: missing_object, corrupt_object, too_large (for more than `max_bytes`). Raises ConnectionError where
    something cannot be read after `retries` repetitions, RunFailed where the archive refuses to be read.
    """
    fs, base = open_store(store)
    # What is larger gzipped than this is larger than max_bytes unpacked: gzip adds little to what it cannot shorten.
    limit = max_bytes + max_bytes // 256 + 1024
    for start in range(0, len(ids), AT_A_TIME):
        some = ids[start : start + AT_A_TIME]
        packed = _read(fs, base, store, some, limit, at_once, retries)
        yield from (_unpacked(id, data, max_bytes) for id, data in zip(some, packed, strict=True))


def _read(
    fs: Any, base: str, store: str, ids: Sequence[str], limit: int, at_once: int, retries: int
) -> list[bytes | None]:
    """The first `limit` bytes of each object, None where there is none."""
    found: list[bytes | None] = [None] * len(ids)
    waiting = list(range(len(ids)))
    for attempt in itertools.count():
        paths = [f"{base}/{ids[place]}" for place in waiting]
        # Only file systems that wait for a network know of a batch size.
        batch = {"batch_size": at_once} if fs.async_impl else {}
        answers = fs.cat_ranges(paths, [0] * len(paths), [limit] * len(paths), on_error="return", **batch)
        failed: list[int] = []
        error: Exception | None = None
        for place, answer in zip(waiting, answers, strict=True):
            if isinstance(answer, PermissionError):
                raise RunFailed(f"'{store}' refuses to be read ({answer}); give credentials, or name another archive.")
            if isinstance(answer, FileNotFoundError):
                continue
            if isinstance(answer, Exception):
                failed.append(place)
                error = answer
            else:
                found[place] = bytes(answer)
        if not failed:
            return found
        if attempt == retries:
            raise ConnectionError(f"{len(failed)} contents of '{store}' cannot be read now: {error}") from error
        waiting = failed
        time.sleep(2**attempt)
    raise AssertionError("unreachable")


def _unpacked(id: str, packed: bytes | None, max_bytes: int) -> Content:
    if packed is None:
        return Content(None, "missing_object", {"blob_id": id})
    unpacking = zlib.decompressobj(_GZIP)
    try:
        data = unpacking.decompress(packed, max_bytes + 1)
    except zlib.error:
        return Content(None, "corrupt_object", {"blob_id": id})
    if len(data) > max_bytes:
        return Content(None, "too_large", {"limit": max_bytes})
    if not unpacking.eof or hashlib.sha1(data, usedforsecurity=False).hexdigest() != id:
        return Content(None, "corrupt_object", {"blob_id": id})
    return Content(data)
