"""Opt-out on a store behind a URL: a removal and its certificate are those of the run on a local disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from opt_out.keys import make_key
from tests.command import quarry
from tests.opt_out_run import ask, build, complete
from tests.s3 import S3, s3_server
from tests.test_opt_out_apply import apply


@pytest.fixture
def s3() -> Iterator[S3]:
    with s3_server() as store, pytest.MonkeyPatch.context() as patch:
        for name, value in store.environment.items():
            patch.setenv(name, value)
        fsspec.filesystem("s3").mkdir("runs")
        yield store


def test_a_removal_on_s3_gives_the_bytes_of_the_local_one(s3: S3, tmp_path: Path) -> None:
    folder = build(tmp_path)
    local, url = complete(folder), "s3://runs/one"
    assert quarry("run", folder / "recipe.yaml", "--out", url, "--inline").exit_code == 0
    ask(folder, "acme/widgets")
    with s3.failing(0.02, ["500", "503", "dropped"], seed=3):
        done = quarry("opt-out", "apply", url, "--ledger", folder / "ledger.sqlite", "--inline")
        assert done.exit_code == 0, done.output
    apply(folder)
    files = fsspec.filesystem("s3")
    held = {path.removeprefix("runs/one/"): files.cat_file(path) for path in files.find("runs/one") if "/data/" in path}
    assert held == {str(p.relative_to(local)): p.read_bytes() for p in local.glob("dataset/data/*.parquet")}

    make_key(str(folder / "key"), str(folder / "pub"))
    ledger = ("--ledger", folder / "ledger.sqlite", "--key", folder / "key", "--out", folder)
    certified = quarry("opt-out", "certify", "R000001", url, *ledger)
    assert certified.exit_code == 0, certified.output
    told = quarry("opt-out", "certify", "--check", folder / "R000001.json", url, "--public", folder / "pub", "--json")
    assert json.loads(told.stdout)["unchanged"] == [True]
