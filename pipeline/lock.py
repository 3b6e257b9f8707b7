"""The lock of a run: whoever works on it holds it, and a holder that died does not keep it.

On a local disk the operating system keeps the lock. On S3 it is the object `.lock`, written on the condition that there
is none, and written again every few seconds while its holder works: one that has grown old may be taken over, on the
condition that it still is the one that was seen. Stores that do not honour conditions, and other file systems behind a
URL, get a lock among the processes of one machine only.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import socket
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import QuarryError, RunFailed, UsageError
from pipeline.s3 import Held, S3Files, Unsupported
from pipeline.storage import Storage

LOCK = ".lock"
BEAT = 10.0  # seconds between two writes of a holder
FREE_AFTER = 60.0  # seconds without one after which its lock may be taken


@contextmanager
def locked(store: Storage) -> Iterator[None]:
    """Hold the run for this process; UsageError where another process holds it. A killed holder's lock becomes free.

    Raises RunFailed where the lock was lost: this process stood still so long that another took it over.
    """
    if isinstance(store.files, S3Files):
        lease = _Lease(store.files)
        if lease.acquire():
            with lease.kept():
                yield
            return
    with _locked_file(store):
        yield


@contextmanager
def _locked_file(store: Storage) -> Iterator[None]:
    path = store.full(LOCK)
    if not store.local:
        run = hashlib.blake2b(store.root.encode(), digest_size=8).hexdigest()
        path = os.path.join(tempfile.gettempdir(), f"quarry-{run}.lock")
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise UsageError(f"cannot write to '{store.root}' ({error.strerror}); choose another --out.") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise UsageError(
            f"another process is working on '{store.root}'; wait for it, or choose another --out."
        ) from None
    try:
        yield
    finally:
        os.close(handle)


class _Lease:
    """The object `.lock` of a run on S3, held by this process."""

    def __init__(self, files: S3Files) -> None:
        self._files = files
        self._mine = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "machine": _machine(),
            "token": uuid.uuid4().hex,
        }
        self._data = json.dumps(self._mine, sort_keys=True).encode()
        self._tag = ""
        self._lost = threading.Event()

    def acquire(self) -> bool:
        """Take the lock; False where the store knows no conditions. UsageError where another process holds it."""
        for _ in range(3):  # a lock that is released or taken while we look at it is looked at again
            try:
                tag = self._files.create(LOCK, self._data)
            except Unsupported:
                return False
            if tag is None and (held := self._files.held(LOCK)) is not None:
                tag = held.tag if self._is_mine(held) else self._take_over(held)
            if tag is not None:
                self._tag = tag
                return self._is_exclusive()
        raise UsageError(f"other processes are taking the lock of '{self._files.root}'; wait, then run again.")

    def _take_over(self, held: Held) -> str | None:
        holder, remaining = _holder(held), FREE_AFTER - held.age
        if remaining > 0 and not _is_dead(holder):
            raise UsageError(
                f"another process ({holder.get('host', 'unknown host')}, pid {holder.get('pid', 'unknown')}) is "
                f"working on '{self._files.root}'; wait for it, or choose another --out (if it is dead, its lock is "
                f"free in {remaining:.0f} s)."
            )
        return self._files.replace(LOCK, self._data, held.tag)

    def _is_exclusive(self) -> bool:
        """Whether the store refuses a second lock, as it must for this one to mean anything."""
        if self._files.create(LOCK, self._data) is None:
            return True
        self._files.remove(LOCK)
        return False

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Write the lock again and again until the end; then remove it."""
        main = threading.current_thread() is threading.main_thread()
        ended = threading.Event()
        heart = threading.Thread(target=self._beat, args=(ended, main), name="quarry-lock", daemon=True)
        heart.start()
        try:
            yield
        except KeyboardInterrupt:
            self._check()
            raise
        finally:
            ended.set()
            heart.join(timeout=BEAT)
            if not self._lost.is_set():
                self._files.release(LOCK, self._tag)
        self._check()

    def _beat(self, ended: threading.Event, interrupts: bool) -> None:
        while not ended.wait(BEAT):
            try:
                tag = self._files.replace(LOCK, self._data, self._tag)
                if tag is None:  # it may be ours: written, and the answer got lost
                    held = self._files.held(LOCK)
                    tag = held.tag if held is not None and self._is_mine(held) else None
            except (QuarryError, OSError):
                continue  # the store is away; the work will notice by itself
            if tag is None:
                self._lost.set()
                if interrupts and not ended.is_set():
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                return
            self._tag = tag

    def _check(self) -> None:
        if self._lost.is_set():
            raise RunFailed(
                f"another process has taken over '{self._files.root}', as this one did not show a sign of life for "
                f"{FREE_AFTER:.0f} s; wait for it, then run again."
            ) from None

    def _is_mine(self, held: Held) -> bool:
        return _holder(held).get("token") == self._mine["token"]


def _holder(held: Held) -> dict[str, Any]:
    try:
        found = json.loads(held.data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_dead(holder: dict[str, Any]) -> bool:
    """Whether the holder was a process of this machine, and is gone."""
    machine, pid = _machine(), holder.get("pid")
    if machine is None or holder.get("machine") != machine or not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _machine() -> str | None:
    """What two processes share that see each other by their pid: one boot of one machine, one container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return None
