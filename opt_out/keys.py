"""The operator's keys (Ed25519): the private one signs heads of the ledger and certificates, the public ones verify.

A private key is a PEM file that only its owner may read. The public file is published apart from ledger and data; it is
JSON that holds every key there ever was, in PEM too, with what became of it. A key that succeeds another is signed by
it, so that who knows the first key can trust the last. A lost key is trusted no more, whatever it signed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pipeline.errors import RunFailed, UsageError
from pipeline.storage import read_file

FORMAT = 1


@dataclass(frozen=True)
class PublicKey:
    """One entry of the public file; times are ISO, UTC."""

    id: str  # 32 hex digits of the SHA-256 of the key's 32 bytes
    public: str  # PEM
    since: str
    retired: str | None = None  # since when another one signs
    lost: str | None = None  # since when nothing that it signed is trusted
    because: str = ""  # why it is lost
    signed_by: str | None = None  # the key before it, which vouches for it; None for a first one, and after a loss
    signature: str | None = None  # of that key, hex


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


@dataclass(frozen=True)
class PublicKeys:
    """The operator's keys, by their ids, in the order in which they were made."""

    keys: Mapping[str, PublicKey]

    @property
    def present(self) -> PublicKey | None:
        """The key that signs now."""
        return next((key for key in self.keys.values() if not key.retired and not key.lost), None)

    @property
    def lost(self) -> frozenset[str]:
        """Ids of the keys that are trusted no more."""
        return frozenset(key.id for key in self.keys.values() if key.lost)

    def knows(self, key_id: str) -> bool:
        return key_id in self.keys

    def verify(self, key_id: str, data: bytes, signature: bytes) -> bool:
        """Whether a key that is trusted signed exactly `data`; one that was retired is, one that was lost is not."""
        return key_id not in self.lost and self.matches(key_id, data, signature)

    def matches(self, key_id: str, data: bytes, signature: bytes) -> bool:
        """The same for any key of the file, also a lost one."""
        return key_id in self.keys and _verifies(self.keys[key_id].public, data, signature)


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
        entry = replace(entry, signature=old.sign(_succession(entry)).hex())
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


def load_public(path: str) -> PublicKeys:
    """The public file at a path or URL. UsageError where it cannot be read, or a successor was not signed."""
    try:
        content = json.loads(read_file(path))
        if content["format"] > FORMAT:
            raise UsageError(f"the public keys '{path}' are of a newer Quarry (format {content['format']}); update it.")
        keys = PublicKeys({one["id"]: PublicKey(**one) for one in content["keys"]})
        problem = _problem(keys)
    except (OSError, RunFailed) as error:
        raise UsageError(
            f"cannot read the public keys '{path}' ({getattr(error, 'strerror', None) or error})."
        ) from None
    except (ValueError, TypeError, KeyError):
        raise UsageError(f"'{path}' is no file of public keys; name the one of 'key make'.") from None
    if problem:
        raise UsageError(f"the public keys '{path}' are not the operator's: {problem}.")
    return keys


def _problem(keys: PublicKeys) -> str | None:
    """Why the keys do not vouch for each other; None where they do."""
    before: PublicKey | None = None
    for key in keys.keys.values():
        if _identity(_public(key.public)) != key.id:
            return f"the key {key.id} has another id than it says"
        if key.signed_by is None:
            if before is not None and not before.lost:
                return f"the key {key.id} is not signed by the one before it, which is not lost"
        elif before is None or key.signed_by != before.id or not key.signature:
            return f"the key {key.id} does not follow the key {key.signed_by}"
        elif not _verifies(before.public, _succession(key), bytes.fromhex(key.signature)):
            return f"the key {key.id} was not signed by the key {key.signed_by}"
        before = key
    return None


def _succession(key: PublicKey) -> bytes:
    """What a key signs of its successor."""
    return f"quarry opt-out key, successor\n{key.signed_by}\n{key.id}\n{key.since}\n{key.public}".encode()


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
    return PrivateKey(_identity(key.public_key()), key)


def _public(pem: str) -> Ed25519PublicKey:
    key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("no Ed25519 key")
    return key


def _identity(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:32]


def _verifies(pem: str, data: bytes, signature: bytes) -> bool:
    try:
        _public(pem).verify(signature, data)
    except InvalidSignature:
        return False
    return True


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
