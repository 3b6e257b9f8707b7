"""Certificates: what they say is true, whoever changes a word is found out, and what is put back is found."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opt_out.certificate import signed_bytes
from opt_out.certificate_page import page
from opt_out.keys import load_private, lose_key, make_key, rotate_key
from tests.command import quarry
from tests.opt_out_run import ask, build, complete, copied
from tests.test_opt_out_apply import apply


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run from which one repository was removed, and the certificate of it."""
    folder = build(tmp_path_factory.mktemp("certificate"))
    run = complete(folder)
    shutil.copytree(run, folder / "before")
    make_key(str(folder / "operator.key"), str(folder / "operator.pub"))
    ask(folder, "acme/widgets")
    assert quarry("report", run).exit_code == 0
    apply(folder)
    assert certify(folder).exit_code == 0
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return copied(made, tmp_path / "copy")


def certify(folder: Path, out: str = "out") -> Any:
    run, ledger, key = folder / "run", folder / "ledger.sqlite", folder / "operator.key"
    return quarry("opt-out", "certify", "R000001", run, "--ledger", ledger, "--key", key, "--out", folder / out)


def check(folder: Path, *directories: Path, certificate: str = "out/R000001.json") -> Any:
    public = folder / "operator.pub"
    return quarry("opt-out", "certify", "--check", folder / certificate, *directories, "--public", public)


def test_a_certificate_is_checked_with_nothing_but_the_public_key(folder: Path) -> None:
    (folder / "ledger.sqlite").unlink()
    (folder / "operator.key").unlink()
    told = check(folder, folder / "run")
    assert told.exit_code == 0, told.output
    assert "byte for byte" in told.stdout
    alone = check(folder, folder / "run" / "dataset")  # as who downloaded the dataset has it
    assert alone.exit_code == 0, alone.output
    assert "byte for byte" in alone.stdout


def test_it_says_what_was_asked_and_found_and_removed(made: Path) -> None:
    certificate = json.loads((made / "out/R000001.json").read_text())
    assert certificate["asked"]["selectors"] == ["acme/widgets"]
    record = certificate["runs"][0]
    assert record["found"]["documents"] == len(record["ids"]) > 0
    held = pa.concat_tables([pq.read_table(path) for path in sorted((made / "before/dataset/data").iterdir())])
    shards = [one for one in record["shards"] if one["file"].startswith("dataset/")]
    rows = sum(row["repo"] == "acme/widgets" for row in held.to_pylist())
    assert sum(one["rows_removed"] for one in shards) == rows > 0
    for one in shards:
        assert one["before"] != one["after"]
    assert (
        record["merkle_root"]["before"] != record["merkle_root"]["after"] == certificate["datasets"][0]["merkle_root"]
    )
    assert certificate["residual"]["findings"] == []


def test_made_again_it_is_the_same_to_the_byte(made: Path) -> None:
    assert certify(made, out="again").exit_code == 0
    for name in ("R000001.json", "R000001.html"):
        assert (made / "again" / name).read_bytes() == (made / "out" / name).read_bytes()


@pytest.mark.parametrize("field", ["asked", "history", "runs", "residual", "datasets", "ledger", "request", "key"])
def test_a_changed_word_is_found_out(folder: Path, field: str) -> None:
    path = folder / "out/R000001.json"
    certificate = json.loads(path.read_text())
    value = certificate[field]
    changed = f"{value}0" if isinstance(value, str) else [value]
    path.write_text(json.dumps(certificate | {field: changed}))
    told = check(folder, folder / "run")
    assert (told.exit_code, told.output.count("\n")) == (2, 1)
    assert "forged" in told.output or "no key of the operator" in told.output


def test_another_key_a_lost_one_and_a_retired_one(folder: Path) -> None:
    make_key(str(folder / "other.key"), str(folder / "other.pub"))
    stranger = quarry("opt-out", "certify", "--check", folder / "out/R000001.json", "--public", folder / "other.pub")
    assert (stranger.exit_code, "no key of the operator" in stranger.output) == (2, True)
    old, _ = rotate_key(str(folder / "operator.key"), str(folder / "new.key"), str(folder / "operator.pub"))
    assert check(folder).exit_code == 0  # what a retired key signed stays valid
    lose_key(old, str(folder / "operator.pub"), "stolen")
    lost = check(folder)
    assert (lost.exit_code, "lost key" in lost.output) == (2, True)


def test_a_row_put_back_by_hand_is_found(folder: Path) -> None:
    shard = next(iter(sorted((folder / "run/dataset/data").iterdir())))
    old = pa.concat_tables([pq.read_table(path) for path in sorted((folder / "before/dataset/data").iterdir())])
    row = old.filter(pa.array([repo == "acme/widgets" for repo in old["repo"].to_pylist()])).slice(0, 1)
    pq.write_table(pa.concat_tables([pq.read_table(shard), row]), shard)
    told = check(folder, folder / "run")
    assert (told.exit_code, told.output.count("\n")) == (1, 1)
    assert f"dataset/data/{shard.name}" in told.output


def test_a_dataset_that_changed_since_is_told_apart(folder: Path) -> None:
    (folder / "run/dataset/README.md").write_text("another card\n")
    told = check(folder, folder / "run")
    assert told.exit_code == 0
    assert "is not byte for byte the dataset it names" in told.output
    assert "nothing of the request is in it" in told.output


def test_a_relative_path_is_the_callers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = next(iter(sorted((folder / "run/dataset/data").iterdir())))
    old = pa.concat_tables([pq.read_table(path) for path in sorted((folder / "before/dataset/data").iterdir())])
    row = old.filter(pa.array([repo == "acme/widgets" for repo in old["repo"].to_pylist()])).slice(0, 1)
    pq.write_table(pa.concat_tables([pq.read_table(shard), row]), shard)
    monkeypatch.chdir(folder)
    told = check(folder, Path("run"))
    assert (told.exit_code, "traces" in told.output) == (1, True)


def test_a_dataset_without_shards_proves_nothing(folder: Path) -> None:
    for shard in list((folder / "run/dataset/data").iterdir())[1:]:
        shard.unlink()
    assert "1 shards of" in check(folder, folder / "run").output
    shutil.rmtree(folder / "run/dataset/data")
    (folder / "run/dataset/data").mkdir()
    told = check(folder, folder / "run")
    assert (told.exit_code, "holds no shard" in told.output) == (2, True)


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_the_root_is_what_its_description_says(folder: Path) -> None:
    """Computed anew from the files, by the words of opt_out/merkle.py alone."""
    dataset = folder / "run/dataset"
    files = sorted(path for path in dataset.rglob("*") if path.is_file() and path.name != "receipt.json")
    named = sorted((str(path.relative_to(dataset)), path) for path in files)
    level = [sha(name.encode() + bytes([0]) + sha(path.read_bytes()).hex().encode()) for name, path in named]
    while len(level) > 1:
        pairs = list(zip_longest(level[::2], level[1::2]))
        level = [sha(one + other) if other else one for one, other in pairs]
    certificate = json.loads((folder / "out/R000001.json").read_text())
    assert certificate["datasets"][0]["merkle_root"] == level[0].hex()


def test_what_a_retired_key_signs_later_is_refused(folder: Path) -> None:
    rotate_key(str(folder / "operator.key"), str(folder / "new.key"), str(folder / "operator.pub"))
    certificate = json.loads((folder / "out/R000001.json").read_text())
    del certificate["signature"]
    certificate["history"][-1]["time"] = "2999-01-01T00:00:00Z"
    signature = load_private(str(folder / "operator.key")).sign(signed_bytes(certificate)).hex()
    (folder / "late.json").write_text(json.dumps(certificate | {"signature": signature}))
    told = check(folder, certificate="late.json")
    assert (told.exit_code, "retired" in told.output) == (2, True)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"format": 9}', "\x00", '{"format": 1, "request": "R1"}'])
def test_what_is_no_certificate_is_one_sentence(folder: Path, content: str) -> None:
    (folder / "bad.json").write_text(content)
    told = check(folder, certificate="bad.json")
    assert (told.exit_code, told.output.count("\n")) == (2, 1)


def test_what_was_not_honoured_is_not_certified(folder: Path) -> None:
    ask(folder, "acme/gadgets")
    told = quarry(
        *("opt-out", "certify", "R000002", folder / "run", "--ledger", folder / "ledger.sqlite"),
        *("--key", folder / "operator.key", "--out", folder / "out"),
    )
    assert (told.exit_code, told.output.count("\n")) == (2, 1)
    assert "apply" in told.output


@given(st.text(min_size=1, max_size=30))
def test_no_name_can_write_markup_into_the_page(name: str) -> None:
    hostile = f"<script>alert(1)</script>\u202e{name}"
    record = {
        "name": hostile,
        "found": {"documents": 1, "repositories": 1},
        "shards": [{"file": hostile, "rows_removed": 1, "before": "ab", "after": None}],
        "copies": [{"repo": hostile, "path": hostile, "jaccard": 0.9, "action": "left"}],
        "checkpoints": [{"folder": hostile, "dataset": hostile}],
        "merkle_root": {"before": "a", "after": None},
    }
    certificate = {
        "request": hostile,
        "asked": {"selectors": [hostile], "copies": True},
        "history": [{"event": hostile, "time": "t", "because": hostile}],
        "ledger": {"sequence": 1},
        "residual": {"files": 1, "rows": 1},
        "runs": [record],
        "datasets": [{"merkle_root": "b"}],
        "key": hostile,
        "signature": hostile,
    }
    written = page(certificate)
    assert "<script" not in written
    outside = re.sub("<bdi>[^<]*</bdi>|<title>[^<]*</title>", "", written)
    assert "\u202e" not in outside
    assert "alert" not in outside
