"""New repositories against the published documents of another run, and who comes back when one of these is removed."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from opt_out.stage import OptOut
from pipeline.errors import UsageError
from pipeline.fingerprint import digest_bytes, digest_content
from pipeline.inline import InlineExecutor
from pipeline.recipe import load_recipe
from pipeline.run import execute
from pipeline.side import Worker
from pipeline.stage import Stage
from pipeline.state import Run
from stages.deduplicate import Deduplicate
from stages.near_duplicates import buckets
from stages.publish import publish
from tests.small_run import Count, Quiet, Read, document_id

CATALOG: Mapping[str, type[Stage]] = {"read": Read, "deduplicate": Deduplicate, "opt_out": OptOut, "count": Count}


def text(seed: int, end: str = "") -> str:
    return " ".join(f"w{number}" for number in random.Random(seed).choices(range(10_000), k=200)) + end


OLD = {"acme/tool:a.py": text(1), "acme/tool:b.py": text(2), "zoo/lion:c.py": text(3), "zoo/lion:s.py": "x = 1"}


def run(
    folder: Path,
    name: str,
    files: Mapping[str, str],
    intake: str = "nobody-at-all",
    gate: str = "nobody-at-all",
    discard: bool = False,
    **fields: Any,
) -> Run:
    """Complete the run `name` of these files ("owner/name:path" -> text), opted out before or after deduplication."""
    repos = sorted({key.partition(":")[0] for key in files})
    (folder / f"{name}.txt").write_text("\n".join(repos) + "\n")
    (folder / f"{name}-intake.txt").write_text(intake + "\n")
    (folder / f"{name}-gate.txt").write_text(gate + "\n")
    passes = {
        "intake": [{"opt_out": {"requests": f"{name}-intake.txt"}}],
        "acquire": [{"read": {"files": dict(files)}}],
        "deduplicate": [
            {"deduplicate": {key: str(value) if isinstance(value, Path) else value for key, value in fields.items()}},
            {"opt_out": {"as": "gate", "requests": f"{name}-gate.txt"}},
        ],
        "tokenize": ["count"],
    }
    (folder / f"{name}.yaml").write_text(
        yaml.safe_dump({"name": name, "repositories": f"{name}.txt", "passes": passes}, sort_keys=False)
    )
    return execute(
        load_recipe(str(folder / f"{name}.yaml"), CATALOG), str(folder / name),
        lambda: nullcontext(InlineExecutor()), Quiet(), publish, discard_intermediate=discard,
    )  # fmt: skip


def published(folder: Path, name: str) -> set[str]:
    """repo:path of the documents of a run's dataset."""
    rows = [
        row
        for file in (folder / name / "dataset" / "data").glob("*.parquet")
        for row in pq.read_table(file, columns=["repo", "path"]).to_pylist()
    ]
    return {f"{row['repo']}:{row['path']}" for row in rows}


def remove(pattern: str, this: Run) -> None:
    """Remove files of a run."""
    for file in Path(this.store.root).glob(pattern):
        file.unlink()


def decisions(this: Run) -> dict[str, dict[str, Any]]:
    """repo:path of dropped documents -> reason, explanation and detail."""
    found = {}
    for part in this.passes:
        for receipt in part.receipts.values():
            for row in this.store.read_table(receipt["decisions"]["path"]).to_pylist():
                told = {"reason": row["reason"], "told": part.explain(row), **json.loads(row["detail"])}
                found[f"{row['repo']}:{row['path']}"] = told
    return found


def test_new_documents_are_judged_against_the_published_ones_which_stay(tmp_path: Path) -> None:
    run(tmp_path, "old", OLD)
    before = {path: path.read_bytes() for path in (tmp_path / "old").rglob("*") if path.is_file()}
    new = {
        "aaa/fork:copy.py": OLD["acme/tool:a.py"],  # would be ranked before the published ones by its id
        "aaa/fork:near.py": OLD["acme/tool:b.py"] + " and more",
        "aaa/fork:short.py": "x = 1",
        "aaa/fork:own.py": text(9),
        "bbb/fork:own.py": text(9, " end"),
    }
    this = run(tmp_path, "new", new, base=tmp_path / "old")
    # Of the two that resemble each other the one with the smaller id stays, as ever.
    own = min(("aaa/fork", "bbb/fork"), key=lambda repo: document_id(repo, "own.py"))
    assert published(tmp_path, "new") == {f"{own}:own.py"}
    found = decisions(this)
    assert found["aaa/fork:copy.py"] == {
        "reason": "exact_duplicate",
        "canonical": document_id("acme/tool", "a.py"),
        "canonical_repo": "acme/tool",
        "canonical_path": "a.py",
        "jaccard": 1.0,
        "told": "it is the same as a.py in acme/tool",
    }
    assert found["aaa/fork:near.py"]["reason"] == "near_duplicate"
    assert found["aaa/fork:near.py"]["canonical_path"] == "b.py"
    assert found["aaa/fork:short.py"]["canonical_path"] == "s.py"
    assert {path: path.read_bytes() for path in (tmp_path / "old").rglob("*") if path.is_file()} == before


def test_texts_of_the_base_are_read_only_where_an_edge_must_be_verified(tmp_path: Path) -> None:
    run(tmp_path, "old", OLD)
    for file in (tmp_path / "old").glob("02-acquire-*/documents/*.parquet"):
        file.write_bytes(b"unreadable")
    run(tmp_path, "new", {"aaa/fork:own.py": text(9), "aaa/fork:short.py": "y = 2"}, base=tmp_path / "old")
    assert published(tmp_path, "new") == {"aaa/fork:own.py", "aaa/fork:short.py"}


def test_a_base_without_the_texts_it_deduplicated_is_compared_as_it_was_published(tmp_path: Path) -> None:
    run(tmp_path, "old", OLD)
    for folder in (tmp_path / "old").glob("02-acquire-*/documents"):
        for file in folder.iterdir():
            file.unlink()
    this = run(tmp_path, "new", {"aaa/fork:near.py": OLD["acme/tool:b.py"] + " and more"}, base=tmp_path / "old")
    assert decisions(this)["aaa/fork:near.py"]["jaccard"] == pytest.approx(0.9899)


def test_a_document_that_leaves_the_base_brings_its_near_copy_back(tmp_path: Path) -> None:
    new = {"aaa/fork:one.py": OLD["acme/tool:a.py"] + " one", "bbb/fork:two.py": OLD["acme/tool:a.py"] + " two"}
    run(tmp_path, "old", OLD)
    run(tmp_path, "new", new, base=tmp_path / "old")
    assert published(tmp_path, "new") == set()
    run(tmp_path, "old", OLD, gate="acme/tool")
    this = run(tmp_path, "new", new, base=tmp_path / "old")
    # The best of the surviving copies is elected, and the other one cites it.
    (elected,) = published(tmp_path, "new")
    (other,) = new.keys() - {elected}
    assert f"{decisions(this)[other]['canonical_repo']}:{decisions(this)[other]['canonical_path']}" == elected
    # Nothing changed since: nothing is done.
    assert run(tmp_path, "new", new, base=tmp_path / "old").applied == 0


def test_a_request_that_covers_copies_keeps_them_out(tmp_path: Path) -> None:
    new = {"aaa/fork:one.py": OLD["acme/tool:a.py"] + " one", "bbb/fork:two.py": OLD["zoo/lion:c.py"] + " two"}
    run(tmp_path, "old", OLD, gate="acme/tool\nzoo/lion")
    (tmp_path / "copies.txt").write_text("acme/tool\n")
    this = run(tmp_path, "new", new, base=tmp_path / "old", copies_of=tmp_path / "copies.txt")
    assert published(tmp_path, "new") == {"bbb/fork:two.py"}
    (told,) = [row for row in decisions(this).values() if row["reason"] != "opted_out"]
    assert told["reason"] == "copy_of_opted_out"
    assert told["told"] == (
        "it is a copy of a document of acme/tool, whose owner asked for copies to be removed too "
        "(Jaccard similarity 0.9949)"
    )


def test_copies_of_removed_documents_cannot_be_found_without_their_texts(tmp_path: Path) -> None:
    remove("02-acquire-*/documents/*", run(tmp_path, "old", OLD, gate="acme/tool"))
    (tmp_path / "copies.txt").write_text("acme/tool\n")
    with pytest.raises(UsageError, match="has discarded what its pass 'deduplicate' read"):
        run(tmp_path, "new", OLD, base=tmp_path / "old", copies_of=tmp_path / "copies.txt")


def test_a_run_is_no_base_of_itself(tmp_path: Path) -> None:
    run(tmp_path, "old", OLD)
    with pytest.raises(UsageError, match="is this run itself"):
        run(tmp_path, "old", OLD, base=tmp_path / "old")
    assert published(tmp_path, "old") == OLD.keys()


def test_documents_of_the_base_alone_leave_no_comparison_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "LEADERS", (1, 1))
    relatives = {f"acme/tool:{seed}.py": f"{text(1)} {text(seed)}" for seed in range(2, 9)}
    run(tmp_path, "old", relatives, bands=128, rows=2)
    this = run(tmp_path, "new", {"aaa/fork:own.py": text(9)}, base=tmp_path / "old", bands=128, rows=2)
    counts = json.loads(this.passes[2].folder.side(Worker()).get_bytes("counts.json"))
    assert (counts["left_out"], counts["rounds"]) == (0, 1)


def test_a_list_is_read_from_a_server_that_refuses_what_it_does_not_have() -> None:
    """Whether a run stands at the address is not asked where there is a file."""

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/list.txt" else 403)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"acme\n")

        def log_message(self, format: str, *arguments: object) -> None:
            """The test's output is no server log."""

    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            found = digest_content(f"http://127.0.0.1:{server.server_port}/list.txt")
        finally:
            server.shutdown()
            thread.join()
    assert found == digest_bytes(b"acme\n")


def test_a_repository_that_is_opted_out_leaves_its_copies_to_the_next_run(tmp_path: Path) -> None:
    files = {"acme/tool:a.py": text(1), "aaa/fork:one.py": text(1, " one")}
    run(tmp_path, "plain", files)
    (first,) = published(tmp_path, "plain")
    (other,) = files.keys() - {first}
    run(tmp_path, "plain", files, intake=first.partition(":")[0])
    assert published(tmp_path, "plain") == {other}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda folder: run(folder, "old", OLD, ngram=7),
            "signatures of another kind .ngram 7, here 5.; set ngram alike",
        ),
        (lambda folder: run(folder, "old", OLD, seed=1), "signatures of another kind .seed 1, here 42."),
        (lambda folder: (folder / "old").mkdir(), "field 'base': the folder '.*' holds no run that was completed"),
        (lambda folder: None, "field 'base': there is no file"),
        (lambda folder: remove("03-deduplicate-*/side/signature/*", run(folder, "old", OLD)), "run it again"),
    ],
)
def test_a_base_that_cannot_serve_is_one_sentence(tmp_path: Path, make: Any, message: str) -> None:
    make(tmp_path)
    with pytest.raises(UsageError, match=message) as caught:
        run(tmp_path, "new", {"aaa/fork:own.py": text(9)}, base=tmp_path / "old")
    assert "\n" not in str(caught.value)
