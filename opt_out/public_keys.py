"""The operator's public keys: whose signature to trust, told by one JSON file that is published apart from the data.

It holds every key there ever was, in PEM, with what became of it. A key that succeeds another is signed by it, so that
who knows the first key can trust the last. A lost key is trusted no more, whatever it signed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

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
        if identity(_public(key.public)) != key.id:
            return f"the key {key.id} has another id than it says"
        if key.signed_by is None:
            if before is not None and not before.lost:
                return f"the key {key.id} is not signed by the one before it, which is not lost"
        elif before is None or key.signed_by != before.id or not key.signature:
            return f"the key {key.id} does not follow the key {key.signed_by}"
        elif not _verifies(before.public, succession(key), bytes.fromhex(key.signature)):
            return f"the key {key.id} was not signed by the key {key.signed_by}"
        before = key
    return None


def succession(key: PublicKey) -> bytes:
    """What a key signs of its successor."""
    return f"quarry opt-out key, successor\n{key.signed_by}\n{key.id}\n{key.since}\n{key.public}".encode()


def _public(pem: str) -> Ed25519PublicKey:
    key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("no Ed25519 key")
    return key


def identity(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:32]


def _verifies(pem: str, data: bytes, signature: bytes) -> bool:
    try:
        _public(pem).verify(signature, data)
    except InvalidSignature:
        return False
    return True
