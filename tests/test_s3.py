"""Runs on S3 from end to end: equal bytes whatever fails, a lock that excludes and ends, and errors in one sentence."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from s3fs import S3FileSystem

from pipeline import lock, remote
from pipeline.errors import RunFailed, UsageError
from pipeline.executor import RayExecutor
from pipeline.inline import InlineExecutor
from pipeline.lock import locked
from pipeline.recipe import load_recipe
from pipeline.run import execute
from pipeline.s3 import TAIL, S3Files
from pipeline.state import Run
from pipeline.storage import Storage
from stages.catalog import CATALOG
from stages.publish import publish
from tests.command import quarry
from tests.gitrepos import commit_files
from tests.killed_run import die_at_request, forked
from tests.s3 import FAULTS, S3, SECRET, s3_server
from tests.test_run import contents
from tests.toy import Quiet, documents

RECIPE = """
name: plain
repositories: list.txt
passes:
  intake: [{opt_out: {requests: opted-out.txt}}]
  acquire: [{acquire: {shard_bytes: 3000}}]
  filter: [select, quality]
  deduplicate: [deduplicate, redact]
  tokenize: [{tokenize: {vocabulary: 600}}]
"""


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    """A store with an empty bucket `runs`, which clients of this process and its children find by AWS's settings."""
    with s3_server() as store, pytest.MonkeyPatch.context() as patch:
        for name, value in store.environment.items():
            patch.setenv(name, value)
        patch.setenv("AWS_MAX_ATTEMPTS", "1")  # the second layer of retries waits less
        client = store.client()
        client.create_bucket(Bucket="runs")
        client.close()
        yield store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe over three small repositories, one of which opted out."""
    made: Path = tmp_path_factory.mktemp("s3")
    code = "\n".join(f"def function_{n}(argument):\n    return argument + {n}\n" for n in range(40))
    mail = "# ask " + "jane.doe" + "@" + "northwind-orchards.com\n"
    other = "\n".join(f"class Case{n}:\n    value = '{n * n}'\n    name = 'case {n}'\n" for n in range(40))
    commit_files(made / "git/acme/one.git", {"a.py": code.encode(), "b.py": (other + mail).encode()})
    commit_files(made / "git/acme/two.git", {"copy.py": (code + mail).encode(), "c.py": other[:700].encode()})
    commit_files(made / "git/shy/secret.git", {"d.py": other.encode()})
    urls = [f"file://{made}/git/{name}.git\n" for name in ("acme/one", "acme/two", "shy/secret")]
    (made / "list.txt").write_text("".join(urls))
    (made / "opted-out.txt").write_text("shy\n")
    (made / "recipe.yaml").write_text(RECIPE)
    return made


def run(recipe: object, out: object, executor: Callable[[], Any] | None = None, listener: Quiet | None = None) -> Run:
    start = executor or (lambda: nullcontext(InlineExecutor()))
    return execute(load_recipe(str(recipe), CATALOG), str(out), start, listener or Quiet(), publish)


def content_of(files: dict[str, bytes]) -> dict[str, bytes]:
    """Documents, decisions, side inputs and the dataset, of the files of a run."""
    kinds = ("documents", "decisions", "side", "dataset")
    return {path: data for path, data in files.items() if any(kind in path.split("/") for kind in kinds)}


@pytest.fixture(scope="module")
def whole(folder: Path) -> dict[str, bytes]:
    """What the undisturbed run on a local disk holds."""
    run(folder / "recipe.yaml", folder / "local")
    paths = [path for path in sorted((folder / "local").rglob("*")) if path.is_file()]
    found = content_of({str(path.relative_to(folder / "local")): path.read_bytes() for path in paths})
    assert len([path for path in found if path.startswith("dataset/data/")]) > 1
    assert found.keys() > contents(folder / "local").keys()
    return found


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PATIENCE", 1.0)
    monkeypatch.setattr(remote, "FIRST_PATIENCE", 0.5)


@pytest.fixture(scope="module")
def finished(s3: S3, folder: Path, whole: dict[str, bytes]) -> str:
    """A run made while a tenth of all requests failed."""
    with s3.failing(0.1, seed=1) as faults:
        run(folder / "recipe.yaml", "s3://runs/faults")
        assert all(faults[kind] for kind in FAULTS), faults
    return "s3://runs/faults"


def held(s3: S3, out: str) -> dict[str, bytes]:
    """What a run on S3 holds, as another client sees it."""
    return content_of(s3.files("runs", out.removeprefix("s3://runs/") + "/"))


def sentence(result: Any) -> str:
    """The one sentence on standard error of a command that could not do what was asked."""
    assert result.exit_code == 2, result.output
    (said,) = result.stderr.splitlines()
    assert said.startswith("quarry: ")
    assert SECRET not in said
    return str(said)


def test_a_run_whose_requests_fail_equals_the_local_one(s3: S3, finished: str, whole: dict[str, bytes]) -> None:
    assert held(s3, finished) == whole
    assert not [path for path in s3.files("runs", "faults/") if "tmp" in path or path == ".lock"]


def test_a_second_run_writes_nothing_and_asks_little(s3: S3, folder: Path, finished: str) -> None:
    before = s3.files("runs", "faults/")
    s3.requests.clear()
    again = run(folder / "recipe.yaml", finished)
    assert (again.applied, again.prepared) == (0, 0)
    shards = sum(len(this.receipts) for this in again.passes)
    assert sum(s3.requests.values()) <= 75 + 2 * shards, s3.requests  # of files only receipts are read
    assert s3.files("runs", "faults/") == before


def test_status_why_report_and_clean_work_on_a_url(s3: S3, finished: str) -> None:
    status = json.loads(quarry("status", finished, "--json").stdout)
    assert status["complete"]
    told = [quarry("why", finished, document).stdout for document in ("acme/one:a.py", "acme/two:copy.py")]
    assert sum("near_duplicate" in text for text in told) == 1  # which of the two is dropped their ids decide
    assert f"report: {finished}/report/index.html" in quarry("report", finished).stdout
    assert b"acme/two" in s3.files("runs", "faults/report/")["index.html"]
    Storage(finished).write_bytes("02-old-0123456789ab/documents/00000.parquet", b"old")
    assert "removed 02-old-0123456789ab" in quarry("clean", finished).stdout
    assert not s3.files("runs", "faults/02-old-0123456789ab")


def test_two_ray_workers_and_inputs_on_s3_give_the_same_bytes(s3: S3, folder: Path, whole: dict[str, bytes]) -> None:
    inputs = Storage("s3://runs/input")
    for name in ("list.txt", "opted-out.txt"):
        inputs.write_bytes(name, (folder / name).read_bytes())
    first_passes = RECIPE[: RECIPE.index("  deduplicate:")]  # the others load what takes workers long
    inputs.write_bytes("recipe.yaml", first_passes.encode())
    run("s3://runs/input/recipe.yaml", "s3://runs/ray", lambda: RayExecutor(2))
    first = ("00-", "01-", "02-", "03-")
    assert held(s3, "s3://runs/ray") == {path: data for path, data in whole.items() if path.startswith(first)}


POINTS = {
    "between a shard's files and its receipt": (r"02-acquire.*/receipts/.*\.json", 2),
    "between copy and removal of a published shard": (r"^delete_object .*/documents/", 2),
}


def test_kill_9_of_the_driver_then_rerun_gives_the_undisturbed_run(
    s3: S3, folder: Path, whole: dict[str, bytes]
) -> None:
    recipe = str(folder / "recipe.yaml")
    processes = {}
    for number, point in enumerate(POINTS.values()):
        out = f"s3://runs/killed{number}"
        processes[out] = forked(die_at_request, recipe, out, *point, s3.environment)
    for out, process in processes.items():
        process.join()
        assert process.exitcode == -9
        run(recipe, out)  # at once: a dead holder of this machine does not keep the lock
        assert held(s3, out) == whole, out


class StoreGoes(Quiet):
    """The store stops answering when the pass `filter` starts."""

    def __init__(self, s3: S3) -> None:
        super().__init__()
        self.outage = s3.failing(1.0, ["dropped"])

    def pass_started(self, name: str, shards: int, done: int, workers: int) -> None:
        if name == "filter":
            self.outage.__enter__()


def test_an_outage_stops_a_run_in_bounded_time_and_the_next_one_completes_it(
    s3: S3, folder: Path, whole: dict[str, bytes], impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = StoreGoes(s3)
    began = time.monotonic()
    with pytest.raises(RunFailed, match=r"the store of 's3://runs/outage' cannot be reached .* run again when it is"):
        run(folder / "recipe.yaml", "s3://runs/outage", listener=listener)
    assert time.monotonic() - began < 30
    listener.outage.__exit__(None, None, None)
    monkeypatch.setattr(lock, "FREE_AFTER", 0.0)  # this very process, which is not dead, could not give its lock back
    assert run(folder / "recipe.yaml", "s3://runs/outage").passes[1].receipts
    assert held(s3, "s3://runs/outage") == whole


HOLDER = """
import sys, time
from pipeline.lock import locked
from pipeline.storage import Storage
with locked(Storage(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_processes_exclude_each_other_and_a_killed_one_is_found_dead(s3: S3, folder: Path) -> None:
    out = "s3://runs/locked"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, out], stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        said = sentence(quarry("run", folder / "recipe.yaml", "--out", out, "--inline"))
        assert re.search(rf"another process \(.*, pid {holder.pid}\) is working on '{out}'; .* free in \d+ s", said)
        holder.kill()
    with locked(Storage(out)):
        assert json.loads(s3.files("runs", "locked/")[".lock"])["pid"] == os.getpid()
    assert s3.files("runs", "locked/") == {}


def test_the_lock_of_a_silent_machine_becomes_free(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Storage("s3://runs/silent")
    store.write_json(".lock", {"host": "elsewhere", "pid": 1, "machine": "another", "token": "theirs"})
    with pytest.raises(UsageError, match=r"\(elsewhere, pid 1\) .* free in \d+ s"), locked(store):
        pass
    monkeypatch.setattr(lock, "FREE_AFTER", 1.0)
    time.sleep(2.1)  # the store tells whole seconds
    with locked(store):
        assert b"theirs" not in store.read_bytes(".lock")
    assert not store.exists(".lock")


def test_a_holder_keeps_its_lock_while_it_works_and_stops_when_it_lost_it(
    s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "BEAT", 0.05)
    store = Storage("s3://runs/beating")
    with locked(store):
        first = s3.requests["PUT"]
        time.sleep(0.5)
        assert s3.requests["PUT"] > first + 2
    began = time.monotonic()
    with pytest.raises(RunFailed, match=r"another process has taken over 's3://runs/beating'"):
        _work_while_another_takes_the_lock(store)
    assert time.monotonic() - began < 20
    assert store.read_json(".lock")["host"] == "elsewhere"


def test_a_store_without_conditional_writes_has_a_lock_for_this_machine(s3: S3) -> None:
    store = Storage("s3://runs/unconditional")
    with s3.failing(1.0, ["501"]), locked(store), pytest.raises(UsageError, match="another process is working on"):
        locked(store).__enter__()
    assert not store.exists(".lock")


def _work_while_another_takes_the_lock(store: Storage) -> None:
    with locked(store):
        store.write_json(".lock", {"host": "elsewhere", "pid": 1, "machine": "another", "token": "theirs"})
        time.sleep(30)


def test_a_lost_answer_does_not_lock_out_its_own_process(s3: S3) -> None:
    lost = 0
    for seed in range(4):
        with s3.failing(0.6, ["answer lost"], seed) as faults, locked(Storage(f"s3://runs/answers{seed}")):
            lost += faults.total()
    assert lost > 4


@pytest.mark.parametrize(
    ("out", "environment", "said"),
    [
        ("s3://nowhere/run", {}, "'s3://nowhere/run': there is no bucket 'nowhere'"),
        (f"s3://AKIDQUARRYTESTS:{SECRET}@runs/run", {}, "a URL holds credentials"),
        ("s3://runs/x", {"AWS_ENDPOINT_URL": "http://user:Zm9yLXRlc3Rz@127.0.0.1:9"}, "cannot be reached"),
        ("s3://runs/x", {"AWS_ENDPOINT_URL": "nonsense"}, "cannot be used"),
        ("s3://runs/x", {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "there are no credentials"),
        ("s3://runs/x", {"AWS_PROFILE": "gone"}, r"cannot be used (The config profile (gone) could not be found)"),
        ("s4://runs/x", {}, "cannot be used"),
    ],
)
def test_what_a_user_gets_wrong_about_a_store_is_one_sentence(
    s3: S3,
    folder: Path,
    impatient: None,
    monkeypatch: pytest.MonkeyPatch,
    out: str,
    environment: dict[str, str],
    said: str,
) -> None:
    S3FileSystem.clear_instance_cache()
    for name, value in environment.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    for command in (("status", out), ("run", folder / "recipe.yaml", "--out", out, "--inline")):
        told = sentence(quarry(*command))
        assert said in told
        assert "Zm9yLXRlc3Rz" not in told
    S3FileSystem.clear_instance_cache()


def test_a_refusing_store_is_one_sentence(s3: S3) -> None:
    with s3.failing(1.0, ["403"]):
        assert "the store refuses access (AccessDenied)" in sentence(quarry("status", "s3://runs/faults"))


def test_a_large_object_goes_in_parts_and_half_of_one_is_never_seen(s3: S3) -> None:
    store, data = Storage("s3://runs/large"), os.urandom(1 << 20) * 101
    with s3.failing(0.1, seed=2) as faults:
        store.write_bytes("folder/object", data)
        assert faults
    assert s3.requests["POST uploads"] >= 1
    assert store.sizes("folder") == {"object": len(data)}
    with store.open("folder/object") as file:
        file.seek(len(data) // 2)
        assert file.read(1000) == data[len(data) // 2 :][:1000]
        file.seek(-10, os.SEEK_END)
        assert file.read() == data[-10:]
    store.move("folder/object", "moved")
    assert store.read_bytes("moved") == data
    client = s3.client()
    upload = client.create_multipart_upload(Bucket="runs", Key="large/half")["UploadId"]
    client.upload_part(Bucket="runs", Key="large/half", UploadId=upload, PartNumber=1, Body=data[:1000])
    other = client.create_multipart_upload(Bucket="runs", Key="others/half")["UploadId"]
    assert store.names() == ["moved"]
    store.remove_unfinished()
    left = [upload["UploadId"] for upload in client.list_multipart_uploads(Bucket="runs").get("Uploads", ())]
    client.close()
    assert left == [other]


def test_few_columns_of_a_large_table_fetch_little_of_it(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Storage("s3://runs/table")
    table = documents([os.urandom(1 << 19).hex() for _ in range(16)])
    written = len(store.write_table("t.parquet", table))
    fetched: list[int] = []
    fetch = S3Files.read_range

    def read_range(files: S3Files, path: str, start: int, stop: int) -> bytes:
        fetched.append(stop - start)
        return fetch(files, path, start, stop)

    monkeypatch.setattr(S3Files, "read_range", read_range)
    assert store.read_table("t.parquet", ["id"]).equals(table.select(["id"]))
    assert written > 6 * TAIL
    assert sum(fetched) < TAIL
    assert store.read_schema("t.parquet").equals(table.schema)


def test_a_folder_is_removed_in_bulk_and_its_siblings_stay(s3: S3) -> None:
    store = Storage("s3://runs/bulk")
    store.each(lambda n: store.write_bytes(f"folder/{n:04d}", b""), range(40))
    store.write_bytes("folder-2/file", b"")
    s3.requests.clear()
    store.remove("folder")
    assert sum(s3.requests.values()) == 2
    assert store.names() == ["folder-2"]
    assert not store.exists("folder")
    assert store.exists("folder-2")
    with store.open("folder-2/file") as file:
        assert file.read() == b""


def test_a_model_trains_from_s3_and_leaves_its_checkpoint_there(s3: S3, finished: str) -> None:
    from training.train import train

    out: Any = f"{finished}/checkpoints/tiny"
    first = train(f"{finished}/dataset", out, steps=1, batch=1)
    files = s3.files("runs", "faults/checkpoints/tiny/")
    assert {"training.json", "loss.jsonl", "loss.png", "checkpoint/model.safetensors"} <= files.keys()
    assert len(files["checkpoint/model.safetensors"]) > 1000
    again = train(f"{finished}/dataset", out, steps=1, batch=1)
    assert (first.reused, again.reused) == (False, True)
    assert again.records == first.records
    with pytest.raises(UsageError, match="holds another training"):
        train(f"{finished}/dataset", out, steps=2, batch=1)
