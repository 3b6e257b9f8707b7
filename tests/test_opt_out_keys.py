"""Keys are never overwritten nor readable by others, vouch for their successors, and are trusted no more once lost."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from opt_out.keys import load_private, load_public, lose_key, make_key, rotate_key
from pipeline.errors import UsageError

DATA = b"the head of a ledger"


class Files(NamedTuple):
    private: str
    public: str
    next: str


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(*(str(tmp_path / name) for name in ("operator.pem", "operator.pub", "next.pem")))


def test_what_a_key_signs_is_verified_with_the_public_file_alone(files: Files) -> None:
    name = make_key(files.private, files.public)
    key, public = load_private(files.private), load_public(files.public)
    signature = key.sign(DATA)
    assert key.id == name
    assert signature == key.sign(DATA)  # a certificate can be made again to the byte
    assert public.verify(name, DATA, signature)
    assert not public.verify(name, DATA + b"!", signature)
    assert not public.verify(name, DATA, signature[:-1] + bytes([signature[-1] ^ 1]))
    assert not public.verify("0" * 32, DATA, signature)
    assert not public.verify(name, DATA, b"")


def test_a_private_key_is_its_owners_alone(files: Files) -> None:
    make_key(files.private, files.public)
    assert stat.S_IMODE(os.stat(files.private).st_mode) == 0o600
    assert "PRIVATE" not in Path(files.public).read_text()
    os.chmod(files.private, 0o640)
    with pytest.raises(UsageError, match="others may read the private key"):
        load_private(files.private)


def test_no_key_is_overwritten(files: Files) -> None:
    make_key(files.private, files.public)
    before = Path(files.private).read_bytes(), Path(files.public).read_bytes()
    with pytest.raises(UsageError, match="has the present key"):
        make_key(files.next, files.public)
    with pytest.raises(UsageError, match="never overwritten"):
        make_key(files.private, files.public + "2")
    with pytest.raises(UsageError, match="never overwritten"):
        rotate_key(files.private, files.private, files.public)
    assert before == (Path(files.private).read_bytes(), Path(files.public).read_bytes())


def test_a_rotated_key_vouches_for_the_next_and_what_it_signed_still_holds(files: Files) -> None:
    first = make_key(files.private, files.public)
    signed = load_private(files.private).sign(DATA)
    old, new = rotate_key(files.private, files.next, files.public)
    public = load_public(files.public)
    assert (old, public.present and public.present.id) == (first, new)
    assert public.keys[first].retired
    assert public.verify(first, DATA, signed)
    assert public.verify(new, DATA, load_private(files.next).sign(DATA))
    with pytest.raises(UsageError, match="not the present key"):
        rotate_key(files.private, files.private + "3", files.public)


def test_a_lost_key_is_trusted_no_more_and_another_can_be_made(files: Files) -> None:
    first = make_key(files.private, files.public)
    signed = load_private(files.private).sign(DATA)
    lose_key(first, files.public, "the laptop was stolen")
    public = load_public(files.public)
    assert not public.verify(first, DATA, signed)
    assert public.present is None
    assert public.keys[first].because == "the laptop was stolen"
    second = make_key(files.next, files.public)
    public = load_public(files.public)
    assert public.lost == {first}
    assert public.verify(second, DATA, load_private(files.next).sign(DATA))
    for name, why in ((first, "already"), ("0" * 32, "has no key")):
        with pytest.raises(UsageError, match=why):
            lose_key(name, files.public, "again")


@pytest.mark.parametrize("what", ["signature", "public", "id", "signed_by", "dropped"])
def test_a_forged_public_file_is_refused(files: Files, what: str) -> None:
    make_key(files.private, files.public)
    rotate_key(files.private, files.next, files.public)
    stranger = Path(files.public).parent / "stranger.pub"
    make_key(files.private + ".stranger", str(stranger))
    content, theirs = json.loads(Path(files.public).read_text()), json.loads(stranger.read_text())["keys"][0]
    last = content["keys"][-1]
    if what == "signature":
        last["signature"] = "00" * 64
    elif what == "public":
        last["public"] = theirs["public"]
    elif what == "id":
        last["id"] = theirs["id"]
    elif what == "signed_by":
        last |= {**theirs}  # a stranger's key, with nobody to vouch for it
    else:
        del content["keys"][0]
    Path(files.public).write_text(json.dumps(content))
    with pytest.raises(UsageError, match="are not the operator's") as error:
        load_public(files.public)
    assert "\n" not in str(error.value)


def test_files_that_are_no_keys_are_told_in_a_sentence(files: Files, tmp_path: Path) -> None:
    for load, wanted in ((load_private, "cannot read the key"), (load_public, "cannot read the public keys")):
        with pytest.raises(UsageError, match=wanted):
            load(str(tmp_path / "none"))
    odd = tmp_path / "odd"
    for data in (b"", b"hello", b"[]", b'{"format": 1, "keys": [{}]}', b"\xff\xfe", b"{}"):
        odd.write_bytes(data)
        with pytest.raises(UsageError, match="no private key"):
            load_private(str(odd))
        with pytest.raises(UsageError, match="no file of public keys"):
            load_public(str(odd))
    odd.write_text('{"format": 2, "keys": []}')
    with pytest.raises(UsageError, match="newer Quarry"):
        load_public(str(odd))
    other = generate_private_key(SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    odd.write_bytes(other)
    with pytest.raises(UsageError, match="no Ed25519 key"):
        load_private(str(odd))


def test_two_operators_who_rotate_at_once_leave_one_present_key(files: Files) -> None:
    make_key(files.private, files.public)
    code = (
        "import sys; from opt_out.keys import rotate_key; from pipeline.errors import UsageError\n"
        "try: rotate_key(*sys.argv[1:])\nexcept UsageError as error: sys.exit(2)"
    )
    racers = [
        subprocess.Popen([sys.executable, "-c", code, files.private, f"{files.next}{n}", files.public])
        for n in range(4)
    ]
    codes = [racer.wait() for racer in racers]
    public = load_public(files.public)
    assert set(codes) <= {0, 2}
    assert codes.count(0) == 1
    assert len([key for key in public.keys.values() if not key.retired]) == 1
    assert len(public.keys) == 1 + codes.count(0)
