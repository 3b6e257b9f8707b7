"""Acquire on real repositories: every file of every commit becomes one document or one decision, whatever it is."""

from __future__ import annotations

import json
import random
import shutil
import sys
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import schema
from pipeline.fingerprint import stage_identity
from pipeline.inline import InlineExecutor
from pipeline.law import judge
from pipeline.side import Corpus, Side, Worker
from pipeline.stage import Outcome
from pipeline.storage import Storage, parquet_bytes
from stages.acquire import Acquire
from stages.clones import cloned
from stages.disk_budget import DiskBudget
from stages.git import Git
from stages.git_errors import GitError
from stages.plan import document_id, path_texts
from tests.gitrepos import commit_files, commit_of, commit_tree, empty_repository, git, served, write_blob
from tests.killed_run import run_whole

RunStage = Callable[[Acquire, Sequence[pa.Table]], list[Outcome]]
CorpusOf = Callable[[Sequence[pa.Table]], Corpus]


def listed(*repositories: Path | str, refs: Mapping[int, str] | None = None) -> pa.Table:
    """A repository list of folders and URLs."""
    rows = []
    for place, each in enumerate(repositories):
        url = each if isinstance(each, str) else each.as_uri()
        repo = "/".join(url.removesuffix(".git").split("/")[-2:])
        rows.append({"id": url, "repo": repo, "url": url, "ref": (refs or {}).get(place)})
    return pa.Table.from_pylist(rows, schema=schema.REPOSITORY)


def documents(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    return pa.concat_tables([outcome.kept for outcome in outcomes]).to_pylist()


def decisions(outcomes: Sequence[Outcome]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Path (or repo, for a decision about a repository) -> reason and detail."""
    rows = pa.concat_tables([outcome.decisions for outcome in outcomes]).to_pylist()
    assert all(row["action"] == "drop" for row in rows)
    return {row["path"] or row["repo"]: (row["reason"], json.loads(row["detail"])) for row in rows}


def budget(side: Side, together: int | None = None) -> DiskBudget:
    return DiskBudget(side.scratch, 1 << 30, together, side.worker.stopping)


def planned(stage: Acquire, corpus: Corpus, side: Side) -> list[pa.Table]:
    stage.prepare(corpus, side)
    return [side.get_shard("plan", shard=name.split(".")[0]) for name in side.store.names(f"{side.folder}/plan")]


def test_every_kind_of_file_is_a_document_or_a_decision(tmp_path: Path, run_stage: RunStage) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 12345\n"
    french = "# déjà vu, forêt, où est l'été\n"
    files: dict[str | bytes, bytes] = {
        "a.py": b"print('hello')\n",
        "crlf.py": b"a\r\nb\r\n",
        "empty.py": b"",
        "nb/one.ipynb": b"{}",
        "run.sh": b"#!/bin/sh\n",
        "bom.cs": b"\xef\xbb\xbfclass A {}\n",
        "wide.txt": "é wide".encode("utf-16"),
        "latin.py": french.encode("cp1252"),
        "link": b"a.py",
        "module": b"1" * 40,
        "model.bin": pointer,
        "image.png": b"\x89PNG\r\n\x1a\n\0\0",
        "noise": bytes(range(1, 256)),
        "big.c": b"x" * 101_000,
        "just.c": b"y" * 100_000,
    }
    modes: dict[str | bytes, str] = {"link": "120000", "module": "160000", "run.sh": "100755"}
    path = commit_files(tmp_path / "own/repo.git", files, modes)
    outcomes = run_stage(Acquire(max_bytes=100_000), [listed(path)])

    found = {row["path"]: row for row in documents(outcomes)}
    assert list(found) == sorted(found)  # the tree's order
    assert {path: row["text"] for path, row in found.items()} == {
        "a.py": "print('hello')\n",
        "crlf.py": "a\r\nb\r\n",
        "empty.py": "",
        "nb/one.ipynb": "{}",
        "run.sh": "#!/bin/sh\n",
        "bom.cs": "class A {}\n",
        "wide.txt": "é wide",
        "latin.py": french,
        "just.c": "y" * 100_000,
    }
    assert {path: row["encoding"] for path, row in found.items() if row["encoding"] != "utf-8"} == {
        "bom.cs": "utf-8-sig",
        "wide.txt": "utf-16",
        "latin.py": "cp1252",
    }
    commit = commit_of(path)
    assert found["nb/one.ipynb"] == {
        "id": document_id("own/repo", commit, "nb/one.ipynb"),
        "kind": "notebook",
        "repo": "own/repo",
        "commit": commit,
        "path": "nb/one.ipynb",
        "language": None,
        "blob": git(path, "rev-parse", "HEAD:nb/one.ipynb"),
        "size": 2,
        "encoding": "utf-8",
        "license": None,
        "license_type": "unknown",
        "stars": None,
        "fork": None,
        "created": None,
        "text": "{}",
    }
    assert decisions(outcomes) == {
        "big.c": ("too_large", {"limit": 100_000}),
        "image.png": ("binary", {}),
        "link": ("symlink", {}),
        "model.bin": ("lfs_pointer", {"size": 12345}),
        "module": ("submodule", {"commit": "1" * 40}),
        "noise": ("undecodable", {}),
    }
    for row in pa.concat_tables([outcome.decisions for outcome in outcomes]).to_pylist():
        assert "unknown" not in Acquire().explain(row)


ODD = [
    b"new\nline.py", b"tab\there", b'quo"te\'.py', b"-rf", b"..hidden", b"%41.py", b"a b", b"File.py", b"file.py",
    b"dir/.gitmodules", "é/日本.py".encode(), b"\xff.py", b"d/\xe9%.py", b"\x80/\x81", b"x" * 3000,
    b"back\\slash", b"trailing.", b"\x01",
]  # fmt: skip


def test_odd_names_stay_distinct_and_exact(tmp_path: Path, run_stage: RunStage) -> None:
    path = commit_files(tmp_path / "o/odd.git", dict.fromkeys(ODD, b"text"))
    outcomes = run_stage(Acquire(), [listed(path)])
    valid = {name.decode() for name in ODD if name not in (b"\xff.py", b"d/\xe9%.py", b"\x80/\x81")}
    assert {row["path"] for row in documents(outcomes)} == valid | {"%FF.py", "d/%E9%25.py", "%80/%81"}
    assert decisions(outcomes) == {}


def test_escaped_paths_never_meet_another_path() -> None:
    paths = [b"%FF", b"\xff", b"%25FF", b"%2525FF", b"a/%", b"%25\xff"]
    assert path_texts(paths) == ["%FF", "%252525FF", "%25FF", "%2525FF", "a/%", "%2525%FF"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.binary(min_size=1, max_size=4), st.text("%25F", max_size=6).map(str.encode)), unique=True))
def test_path_texts_are_distinct_and_keep_valid_utf8(paths: list[bytes]) -> None:
    texts = path_texts(paths)
    assert len(set(texts)) == len(texts)
    for path, text in zip(paths, texts, strict=True):
        text.encode()
        try:
            assert text == path.decode()
        except UnicodeDecodeError:
            assert "%" in text


NAMES = st.binary(min_size=1, max_size=8).map(lambda name: name.replace(b"\0", b"0").replace(b"/", b"%"))


@settings(max_examples=12, deadline=None)
@given(st.dictionaries(NAMES, st.one_of(st.binary(max_size=30), st.text(max_size=20).map(str.encode)), max_size=6))
def test_any_names_and_bytes_give_one_document_or_decision_each(files: dict[bytes, bytes]) -> None:
    with TemporaryDirectory() as folder:
        path = empty_repository(Path(folder) / "o/n.git")
        commit_tree(path, [("100644", name, write_blob(path, files[name])) for name in sorted(files)])
        (Path(folder) / "scratch").mkdir()
        side = Side(Storage(f"{folder}/run"), "side", Path(folder) / "scratch", Worker())
        side.store.write_table("list.parquet", listed(path))
        corpus = Corpus(side.store, {"00000": "list.parquet"}, side, InlineExecutor())
        stage = Acquire()
        (plan,) = planned(stage, corpus, side)
        kept, decided = judge(stage, "acquire", plan, side.for_shard("00000"))  # holds it to the conservation law
        if not files:
            assert decided["reason"].to_pylist() == ["repository_empty"]
            return
        assert len(kept) + len(decided) == len(files)
        texts = dict(zip(path_texts(sorted(files)), [files[name] for name in sorted(files)], strict=True))
        for row in kept.to_pylist():
            if row["encoding"] == "utf-8":
                assert row["text"].encode() == texts[row["path"]]
        for row in decided.to_pylist():
            assert row["reason"] in ("binary", "undecodable")


def test_trees_no_git_would_write(tmp_path: Path, run_stage: RunStage) -> None:
    path = empty_repository(tmp_path / "o/n.git")
    blob = write_blob(path, b"text\n")
    inner = git(path, "hash-object", "-t", "tree", "-w", "--stdin")
    entries = [
        ("100664", b"group.py", blob), ("100644", b"..", blob), ("100644", b".git", blob), ("100644", b"twice", blob),
        ("100644", b"twice", write_blob(path, b"second\n")), ("100644", b"a/b", blob), ("100644", b"tree", inner),
    ]  # fmt: skip
    commit_tree(path, entries)
    outcomes = run_stage(Acquire(), [listed(path)])
    assert {row["path"]: row["text"] for row in documents(outcomes)} == dict.fromkeys(
        ["group.py", "..", ".git", "twice", "a/b"], "text\n"
    )
    assert decisions(outcomes) == {"tree": ("missing_object", {"blob": inner})}


def test_repositories_without_anything_are_decisions(tmp_path: Path, run_stage: RunStage) -> None:
    unborn = commit_files(tmp_path / "o/unborn.git", {"a": b"a"}, branch="side")
    no_files = commit_tree(tmp_path / "o/nofiles.git", [])
    notes = tmp_path / "o/folder"
    notes.mkdir()
    sha256 = tmp_path / "o/sha256.git"
    git(sha256, "init", "--quiet", "--bare", "--object-format=sha256", str(sha256))
    tree = git(sha256, "write-tree")
    git(sha256, "update-ref", "HEAD", git(sha256, "commit-tree", tree, stdin=b"m"))
    table = listed(empty_repository(tmp_path / "o/empty.git"), unborn, no_files, notes, tmp_path / "o/none", sha256)
    outcomes = run_stage(Acquire(), [table])
    assert documents(outcomes) == []
    assert {name: (reason, detail["transient"]) for name, (reason, detail) in decisions(outcomes).items()} == {
        "o/empty": ("repository_empty", False),
        "o/unborn": ("repository_empty", False),
        "o/nofiles": ("repository_empty", False),
        "o/folder": ("repository_gone", False),
        "o/none": ("repository_gone", False),
        "o/sha256": ("repository_sha256", False),
    }


def test_an_empty_list_gives_an_empty_plan(run_stage: RunStage) -> None:
    assert run_stage(Acquire(), [schema.REPOSITORY.empty_table()]) == []


def test_refs_are_branches_tags_or_commits(tmp_path: Path, run_stage: RunStage) -> None:
    path = commit_files(tmp_path / "o/n.git", {"f": b"first"})
    first = commit_of(path)
    git(path, "tag", "light")
    git(path, "-c", "user.name=A", "-c", "user.email=a@example.com", "tag", "-a", "-m", "m", "heavy")
    tag = git(path, "rev-parse", "heavy")
    commit_files(path, {"f": b"second"})
    commit_files(path, {"f": b"branch"}, branch="feature/x")
    commit_files(path, {"f": b"branch wins"}, branch="both")
    git(path, "tag", "both", first)
    refs = ["main", "light", "heavy", first, tag, "feature/x", "refs/heads/feature/x", "both", "nowhere", "4" * 40]
    texts = []
    for ref in refs:
        outcomes = run_stage(Acquire(), [listed(path, refs={0: ref})])
        found = documents(outcomes)
        assert all(row["commit"] in git(path, "rev-list", "--all") for row in found)
        texts.append(found[0]["text"] if found else decisions(outcomes)["o/n"][0])
    assert texts == [
        "second", "first", "first", "first", "first", "branch", "branch", "branch wins", "ref_not_found",
        "ref_not_found",
    ]  # fmt: skip


def test_damaged_object_stores_are_decisions(tmp_path: Path, run_stage: RunStage) -> None:
    lost = empty_repository(tmp_path / "o/lost.git")
    oid = write_blob(lost, b"gone soon")
    commit_tree(lost, [("100644", b"f", oid)])
    (lost / "objects" / oid[:2] / oid[2:]).unlink()
    garbage = empty_repository(tmp_path / "o/garbage.git")
    oid = write_blob(garbage, b"overwritten soon")
    commit_tree(garbage, [("100644", b"f", oid)])
    loose = garbage / "objects" / oid[:2] / oid[2:]
    loose.chmod(0o644)
    loose.write_bytes(b"garbage")
    cut = commit_files(tmp_path / "o/cut.git", {f"{n}.txt": bytes(str(n), "ascii") * 999 for n in range(50)})
    git(cut, "repack", "-adq")
    (pack,) = (cut / "objects/pack").glob("*.pack")
    pack.chmod(0o644)
    pack.write_bytes(pack.read_bytes()[:300])
    headless = commit_files(tmp_path / "o/headless.git", {"a": b"a"})
    (headless / "refs/heads/main").write_text("4" * 40 + "\n")
    fine = commit_files(tmp_path / "o/fine.git", {"a": b"a"})
    outcomes = run_stage(Acquire(), [listed(lost, garbage, cut, headless, fine)])
    assert [row["repo"] for row in documents(outcomes)] == ["o/fine"]
    assert {name: (reason, detail["transient"]) for name, (reason, detail) in decisions(outcomes).items()} == {
        f"o/{name}": ("repository_corrupt", False) for name in ("lost", "garbage", "cut", "headless")
    }


def test_the_plan_is_in_list_order_packed_by_bytes_and_the_same_for_any_workers(
    tmp_path: Path, corpus_of: CorpusOf, side: Side
) -> None:
    paths = [
        commit_files(tmp_path / f"o/{name}.git", {f"{n:02d}.txt": f"{name}{n}".encode() * 10 for n in range(9)})
        for name in ("c", "a", "b")
    ]
    stage = Acquire(shard_bytes=100)
    corpus = corpus_of([listed(paths[0], paths[1]), listed(paths[2])])
    plan = planned(stage, corpus, side)
    whole = pa.concat_tables(plan)
    assert whole["repo"].to_pylist() == ["o/c"] * 9 + ["o/a"] * 9 + ["o/b"] * 9
    assert [sum(table["size"].to_pylist()) for table in plan] == [100] * 5 + [40]
    assert side.store.names(side.folder) == ["clones.parquet", "content", "plan"]
    assert list(side.scratch.iterdir()) == []

    class Backwards(InlineExecutor):
        """Ends its tasks in another order, as several workers may."""

        def map(self, task: Any, items: Any, **options: Any) -> Any:
            for index, item in reversed(list(enumerate(items))):
                yield index, task(item, Worker())

    again = Side(side.store, "again/side", tmp_path / "other", Worker())
    assert pa.concat_tables(planned(stage, Corpus(corpus.store, corpus.paths, again, Backwards()), again)) == whole


def test_a_file_larger_than_a_shard_stands_alone(tmp_path: Path, corpus_of: CorpusOf, side: Side) -> None:
    path = commit_files(tmp_path / "o/n.git", {"a": b"a", "b": b"b" * 50, "c": b"c", "d": b"d"})
    plan = planned(Acquire(shard_bytes=10), corpus_of([listed(path)]), side)
    assert [table["path"].to_pylist() for table in plan] == [["a"], ["b"], ["c", "d"]]


def test_equal_blobs_in_two_repositories_are_two_documents_and_equal_commits_are_one(
    tmp_path: Path, run_stage: RunStage
) -> None:
    one = commit_files(tmp_path / "o/one.git", {"f": b"same", "copy": b"same"})
    two = commit_files(tmp_path / "o/two.git", {"f": b"same", "copy": b"same"})
    mirror = tmp_path / "mirror/o/one.git"
    shutil.copytree(one, mirror)
    outcomes = run_stage(Acquire(), [listed(one, two, mirror)])
    rows = documents(outcomes)
    assert [(row["repo"], row["path"], row["text"]) for row in rows] == [
        ("o/one", "copy", "same"),
        ("o/one", "f", "same"),
        ("o/two", "copy", "same"),
        ("o/two", "f", "same"),
    ]
    assert len({row["id"] for row in rows}) == 4
    assert decisions(outcomes) == {
        "o/one": ("same_commit", {"commit": commit_of(one), "first": one.as_uri(), "transient": False})
    }


def test_apply_downloads_the_planned_commit_again_and_never_another(
    tmp_path: Path, corpus_of: CorpusOf, side: Side
) -> None:
    path = commit_files(tmp_path / "o/n.git", {"f": b"planned", "g": b"too"})
    stage = Acquire(shard_bytes=7)
    plan = planned(stage, corpus_of([listed(path)]), side)
    before = [stage.apply(shard, side) for shard in plan]
    assert [outcome.kept["text"].to_pylist() for outcome in before] == [["planned"], ["too"]]
    commit_files(path, {"f": b"later"})
    side.store.remove(f"{side.folder}/content")  # as it is when the pass is complete
    shutil.rmtree(side.scratch)
    assert [stage.apply(shard, side) for shard in plan] == before

    shutil.rmtree(path)
    assert [stage.apply(shard, side) for shard in plan] == before  # it was read for the other shard too
    side.store.remove(f"{side.folder}/content")
    gone = stage.apply(plan[0], side)
    assert gone.kept.num_rows == 0
    assert gone.decisions["reason"].to_pylist() == ["repository_gone"]
    assert gone.decisions["path"].to_pylist() == ["f"]


def everything(side: Side, tables: Sequence[pa.Table]) -> dict[str, bytes]:
    """The plan and the parts as files, and the documents and decisions of each shard."""
    folders = [f"{side.folder}/{name}" for name in ("plan", "content")]
    files = {f"{f}/{name}": side.store.read_bytes(f"{f}/{name}") for f in folders for name in side.store.names(f)}
    made = [table for plan in tables for table in Acquire().apply(plan, side)]
    return files | {str(number): parquet_bytes(table.combine_chunks()) for number, table in enumerate(made)}


def test_any_number_of_downloads_gives_the_same_bytes(tmp_path: Path, corpus_of: CorpusOf, side: Side) -> None:
    paths = [
        commit_files(tmp_path / f"o/{name}.git", {f"{n:02d}.txt": f"{name}{n}".encode() * 10 for n in range(9)})
        for name in "gbafcde"
    ]
    corpus = corpus_of([listed(*paths[:4]), listed(*paths[4:])])
    first = everything(side, planned(Acquire(shard_bytes=100, downloads=1), corpus, side))
    assert len(first) > 30
    again = replace(side, store=Storage(tmp_path / "again"), scratch=tmp_path / "again-scratch")
    same = replace(corpus, side=again)
    assert everything(again, planned(Acquire(shard_bytes=100, downloads=8), same, again)) == first


def test_a_repository_larger_than_a_part_is_read_part_by_part(
    tmp_path: Path, corpus_of: CorpusOf, side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.plan.PART_BYTES", 250_000)
    files: dict[str | bytes, bytes] = {f"{n:02d}": bytes([65 + n % 26]) * (100_000 + n) for n in range(60)}
    files |= {"30": b"x" * 300_000, "7z": b"", "copy": files["00"]}
    corpus = corpus_of([listed(commit_files(tmp_path / "o/n.git", files))])
    tracemalloc.start()
    try:
        plan = planned(Acquire(), corpus, side)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    (outcome,) = [Acquire().apply(shard, side) for shard in plan]
    texts = dict(zip(outcome.kept["path"].to_pylist(), outcome.kept["text"].to_pylist(), strict=True))
    assert {path: text.encode() for path, text in texts.items()} == files
    parts = [side.get_shard("content", shard=name.split(".")[0]) for name in side.store.names("pass/side/content")]
    assert pa.concat_tables(parts)["oid"].to_pylist() == list(dict.fromkeys(plan[0]["blob"].to_pylist()))
    sizes = [sum(map(len, part["data"].to_pylist())) for part in parts]
    assert max(sizes) == 300_000
    assert sorted(sizes)[-2] <= 250_000


def test_a_completed_run_keeps_no_clone_and_no_part_and_makes_a_lost_shard_again(tmp_path: Path) -> None:
    for name in ("one", "two"):
        commit_files(tmp_path / f"o/{name}", {"a.py": name.encode() * 30, "b.py": name.encode() * 40})
    (tmp_path / "list.txt").write_text(f"{tmp_path.as_uri()}/o/one\n{tmp_path.as_uri()}/o/two\n")
    recipe, out = tmp_path / "recipe.yaml", tmp_path / "run"
    recipe.write_text("name: n\nrepositories: list.txt\npasses:\n  acquire: [{acquire: {shard_bytes: 250}}]\n")
    run_whole(recipe, out)
    (folder,) = out.glob("01-acquire-*")
    assert sorted(path.name for path in (folder / "side").iterdir()) == ["clones.parquet", "plan"]
    assert not (out / ".scratch").exists()
    clones = pq.read_table(folder / "side/clones.parquet").to_pylist()
    assert [(row["repo"], row["files"], row["bytes"] > 0) for row in clones] == [("o/one", 2, True), ("o/two", 2, True)]
    documents = {path: path.read_bytes() for path in (folder / "documents").iterdir()}
    assert len(documents) == 2
    for path in documents:
        path.unlink()
        run_whole(recipe, out)
        assert {path: path.read_bytes() for path in (folder / "documents").iterdir()} == documents
        assert not (folder / "side/content").exists()


def test_stars_fork_and_age_come_from_the_list_where_the_host_says_them(tmp_path: Path, run_stage: RunStage) -> None:
    names = ["own", "forked", "elsewhere"]
    table = listed(*(commit_files(tmp_path / f"o/{name}.git", {name: name.encode()}) for name in names))
    table = table.append_column("stars", pa.array([7, 0, None], pa.int64()))
    table = table.append_column("fork_of", pa.array([None, "o/own", None], pa.string()))
    born = datetime(2011, 1, 26, tzinfo=UTC)
    table = table.append_column("created", pa.array([born, None, None], schema.CREATED))
    rows = documents(run_stage(Acquire(), [table]))
    found = {row["path"]: (row["stars"], row["fork"], row["created"]) for row in rows}
    assert found == {"own": (7, False, born), "forked": (0, True, None), "elsewhere": (None, None, None)}


def test_a_clone_too_large_for_the_limit_or_for_this_machine_is_a_decision(
    tmp_path: Path, corpus_of: CorpusOf, side: Side
) -> None:
    noise = random.Random(5).randbytes
    large = commit_files(tmp_path / "o/large.git", {"f": noise(60_000)})
    small = commit_files(tmp_path / "o/small.git", {"f": noise(10_000)})
    corpus = corpus_of([listed(large, small)])
    for fields, transient in (({"max_clone_bytes": 40_000}, False), ({"disk_budget": 40_000}, True)):
        plan = pa.concat_tables(planned(Acquire(**fields), corpus, side)).to_pylist()  # type: ignore[arg-type]
        assert [(row["path"], row["reason"]) for row in plan] == [("", "repository_too_large"), ("f", None)]
        assert json.loads(plan[0]["detail"]) == {"limit": 40_000, "transient": transient}
    assert side.wants_retry()
    plan = pa.concat_tables(planned(Acquire(), corpus, side)).to_pylist()  # as the next run does, with more room
    assert [row["reason"] for row in plan] == [None, None]
    assert list(side.scratch.iterdir()) == []


SLOW_SSH = """\
import subprocess, sys, time
served = subprocess.Popen(["sh", "-c", sys.argv[-1]], stdout=subprocess.PIPE)
while piece := served.stdout.read1(4000):
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
    time.sleep(len(piece) / 200_000)
"""


def test_many_clones_at_once_stay_within_the_budget_of_disk(
    tmp_path: Path, corpus_of: CorpusOf, side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ssh.py").write_text(SLOW_SSH)
    monkeypatch.setenv("GIT_SSH_COMMAND", f"{sys.executable} {tmp_path}/ssh.py")
    noise = random.Random(5).randbytes
    paths = [commit_files(tmp_path / f"o/{n}.git", {"f": noise(240_000)}) for n in range(6)]
    corpus = corpus_of([listed(*(f"ssh://host{path}" for path in paths))])
    seen, ended = [], Event()

    def look() -> None:
        while not ended.wait(0.01):
            seen.append(sum(path.stat().st_size for path in side.scratch.glob("*/objects/pack/*") if path.exists()))

    watcher = Thread(target=look)
    watcher.start()
    try:
        plan = planned(Acquire(downloads=6, disk_budget=600_000), corpus, side)
    finally:
        ended.set()
        watcher.join()
    assert [row["reason"] for row in pa.concat_tables(plan).to_pylist()] == [None] * 6
    assert 300_000 < max(seen) < 950_000  # all six would take 1.4 MB; git is looked at ten times a second
    assert list(side.scratch.iterdir()) == []


def test_apply_raises_where_a_repository_cannot_be_read_now(tmp_path: Path, corpus_of: CorpusOf, side: Side) -> None:
    commit_files(tmp_path / "n.git", {"f": b"planned"})
    answers: dict[str, int] = {}
    with served(tmp_path, answers) as url:
        stage = Acquire(retries=0)
        (plan,) = planned(stage, corpus_of([listed(f"{url}/n.git")]), side)
        side.store.remove(f"{side.folder}/content")
        answers["n.git"] = 503
        with pytest.raises(OSError, match="cannot be read now"):
            stage.apply(plan, side)
        answers.clear()
        assert stage.apply(plan, side).kept["text"].to_pylist() == ["planned"]


def test_over_http_large_blobs_stay_on_the_server_and_failures_have_their_reason(
    tmp_path: Path, run_stage: RunStage, side: Side
) -> None:
    path = commit_files(tmp_path / "n.git", {"big": bytes(9000), "small": b"x"})
    git(path, "config", "uploadpack.allowFilter", "true")
    commit_files(tmp_path / "plain.git", {"big": b"z" * 9000, "small": b"y"})
    answers = {"missing.git": 404, "private.git": 401, "hidden.git": 403, "broken.git": 503, "limited.git": 429}
    with served(tmp_path, answers) as url:
        names = ["n.git", "plain.git", *answers, "none.git"]
        outcomes = run_stage(Acquire(max_bytes=1000, retries=0), [listed(*(f"{url}/{name}" for name in names))])
        big = git(path, "rev-parse", "HEAD:big")
        with cloned(f"{url}/n.git", None, 1000, Git(60, 60), budget(side)) as clone:
            assert clone.filtered
            assert list(clone.blobs([big])) == [None]  # and is not fetched when asked for
    assert [row["text"] for row in documents(outcomes)] == ["x", "y"]
    found = pa.concat_tables([outcome.decisions for outcome in outcomes]).to_pylist()
    assert [(row["path"], row["reason"], json.loads(row["detail"]).get("size")) for row in found[:2]] == [
        ("big", "too_large", None),
        ("big", "too_large", 9000),
    ]
    reasons = {row["repo"].split("/")[-1]: (row["reason"], json.loads(row["detail"])["transient"]) for row in found[2:]}
    assert reasons == {
        "missing": ("repository_gone", False),
        "private": ("repository_gone", False),
        "hidden": ("repository_gone", False),
        "broken": ("repository_unreachable", True),
        "limited": ("repository_unreachable", True),
        "none": ("repository_gone", False),
    }


def test_an_unreachable_host_is_transient_and_tried_again(tmp_path: Path, run_stage: RunStage) -> None:
    with served(tmp_path) as url:
        pass  # nobody listens there any more
    outcomes = run_stage(Acquire(retries=1), [listed(f"{url}/o/n")])
    reason, detail = decisions(outcomes)["o/n"]
    assert (reason, detail["transient"]) == ("repository_unreachable", True)


def test_a_time_out_ends_git_and_is_transient(tmp_path: Path, side: Side) -> None:
    path = commit_files(tmp_path / "o/n.git", {"f": b"x"})
    with (
        pytest.raises(GitError, match=r"had not ended after 0\.0001 seconds") as raised,
        cloned(path.as_uri(), None, 1000, Git(0.0001, 60), budget(side)),
    ):
        pass
    assert raised.value.transient
    assert list(side.scratch.iterdir()) == []


def test_a_tree_made_to_exhaust_memory_is_a_decision(tmp_path: Path, run_stage: RunStage) -> None:
    path = empty_repository(tmp_path / "o/bomb.git")
    mode, oid = "100644", write_blob(path, b"x")
    for _ in range(8):  # 10^8 files in 9 objects
        raw = b"".join(b"%s f%d\0%s" % (mode.encode(), n, bytes.fromhex(oid)) for n in range(10))
        mode, oid = "40000", git(path, "hash-object", "-t", "tree", "-w", "--stdin", stdin=raw)
    git(path, "update-ref", "HEAD", git(path, "commit-tree", oid, stdin=b"m"))
    outcomes = run_stage(Acquire(max_files=10_000), [listed(path)])
    assert decisions(outcomes)["o/bomb"][0] == "too_many_files"


def test_nobodys_git_configuration_counts(tmp_path: Path, run_stage: RunStage, monkeypatch: pytest.MonkeyPatch) -> None:
    path = commit_files(tmp_path / "o/n.git", {"f": b"x"})
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(f'[url "{tmp_path}/elsewhere"]\n\tinsteadOf = {path.as_uri()}\n')
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_TRACE", "1")
    assert [row["text"] for row in documents(run_stage(Acquire(), [listed(path)]))] == ["x"]


def test_settings_that_say_where_and_how_fast_do_not_count() -> None:
    placed = Acquire(timeout_s=5, stall_s=5, retries=0, downloads=1, disk_budget=5, token_file="/token")
    assert stage_identity("acquire", Acquire()) == stage_identity("acquire", placed)
    assert stage_identity("acquire", Acquire()) != stage_identity("acquire", Acquire(max_bytes=5))
