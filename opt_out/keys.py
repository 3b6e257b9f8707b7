"""The operator's private keys (Ed25519), which sign heads of the ledger and certificates: made, rotated, lost.

A private key is a PEM file that only its owner may read, and is never overwritten. The public file changes with it, by
one operator at a time.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from opt_out.public_keys import FORMAT, PublicKey, identity, succession
from opt_out.public_keys import PublicKeys as PublicKeys
from opt_out.public_keys import load_public as load_public
from pipeline.errors import UsageError


@dataclass(frozen=True)
class PrivateKey:
    """A key that signs."""

    id: str
    _key: Ed25519PrivateKey

    def sign(self, data: bytes) -> bytes:
        """64 bytes; equal data give an equal signature."""
        return self._key.sign(data)

    @property
    def public(self) -> str:
        """The public half, PEM."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self._key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def make_key(private_path: str, public_path: str) -> str:
    """Make a key and the public file that tells of it; its id.

    Where the public file exists already, all its keys must be lost: the new key is added, with nobody to vouch for it.
    Raises UsageError where the private file exists, or a key is present: that one is rotated.
    """
    with _alone(public_path):
        known = load_public(public_path).keys if os.path.exists(public_path) else {}
        present = PublicKeys(known).present
        if present is not None:
            raise UsageError(f"'{public_path}' has the present key {present.id}; rotate it, or say that it is lost.")
        new = _make_private(private_path)
        _write_public(public_path, {**known, new.id: PublicKey(new.id, new.public, _now())})
        return new.id


def rotate_key(old_path: str, new_path: str, public_path: str) -> tuple[str, str]:
    """Make a key that succeeds the one at `old_path`, which signs it and is retired; the ids of both.

    Raises UsageError where the old one is not the present key of the public file, or the new file exists.
    """
    old = load_private(old_path)
    with _alone(public_path):
        known = load_public(public_path)
        if known.present is None or known.present.id != old.id:
            raise UsageError(f"'{old_path}' is not the present key of '{public_path}'; rotate with that one.")
        new, now = _make_private(new_path), _now()
        entry = PublicKey(new.id, new.public, now, signed_by=old.id)
        entry = replace(entry, signature=old.sign(succession(entry)).hex())
        _write_public(public_path, {**known.keys, old.id: replace(known.present, retired=now), new.id: entry})
        return old.id, new.id


def lose_key(key_id: str, public_path: str, because: str) -> None:
    """Record that somebody else may have the key, or nobody. UsageError where it is none of the file's."""
    with _alone(public_path):
        known = load_public(public_path)
        if not known.knows(key_id):
            raise UsageError(f"'{public_path}' has no key {key_id}; it has {', '.join(known.keys)}.")
        if key_id in known.lost:
            raise UsageError(f"the key {key_id} is recorded as lost in '{public_path}' already.")
        lost = replace(known.keys[key_id], lost=_now(), because=because)
        _write_public(public_path, {**known.keys, key_id: lost})


def load_private(path: str) -> PrivateKey:
    """UsageError where there is none, it is no Ed25519 key in PEM, or others may read it."""
    try:
        with open(path, "rb") as file:
            mode, data = os.fstat(file.fileno()).st_mode, file.read()
        key = serialization.load_pem_private_key(data, None)
    except OSError as error:
        raise UsageError(f"cannot read the key '{path}' ({error.strerror}).") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UsageError(f"'{path}' is no private key in PEM without a password; name the one of 'key make'.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"'{path}' is no Ed25519 key; name the one of 'key make'.")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(f"others may read the private key '{path}'; make it yours alone (chmod 600).")
    return _private(key)


def _make_private(path: str) -> PrivateKey:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"'{path}' exists already, and a key is never overwritten; name another file.") from None
    except OSError as error:
        raise UsageError(f"cannot write the key '{path}' ({error.strerror}).") from None
    with os.fdopen(number, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(number)
    return _private(key)


@contextmanager
def _alone(public_path: str) -> Iterator[None]:
    """Who changes the public file waits for others that do; the kernel frees the lock of one that was killed."""
    try:
        folder = os.open(os.path.dirname(public_path) or ".", os.O_RDONLY)
    except OSError as error:
        raise UsageError(f"cannot write the public keys '{public_path}' ({error.strerror}).") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _write_public(path: str, keys: Mapping[str, PublicKey]) -> None:
    """Replace the file at once, so that a reader sees the old one or the new one."""
    text = json.dumps({"format": FORMAT, "keys": [asdict(key) for key in keys.values()]}, indent=1) + "\n"
    try:
        with open(f"{path}.new", "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{path}.new", path)
    except OSError as error:
        raise UsageError(f"cannot write the public keys '{path}' ({error.strerror}).") from None


def _private(key: Ed25519PrivateKey) -> PrivateKey:
    return PrivateKey(identity(key.public_key()), key)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
