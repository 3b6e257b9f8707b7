"""The residual scan finds whatever is put back into a run by hand, and nothing else."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import opt_out.residual as residual
from opt_out.residual import Unreadable, scan
from tests.s3 import s3_server
from tests.small_run import document_id, small_run

GONE, KEPT, BLOB = "9f" * 16, "1a" * 16, "ab" * 20
FILTER = "03-filter-0123456789ab"
SHARD, EDGES = f"{FILTER}/documents/00000.parquet", f"{FILTER}/side/edge/00000.parquet"
DECISIONS = f"{FILTER}/decisions/00000.parquet"
DATASET = "dataset/data/00000.parquet"
SOUGHT = {
    "ids": [GONE],
    "owners": ["acme"],
    "repositories": ["Shy/Widgets"],
    "paths": [["big/tree", "src/[^/]*\\.py"]],
    "blobs": [BLOB],
}


def document(**values: str) -> dict[str, str]:
    return {"id": KEPT, "repo": "acme-corp/tool", "path": "acme/widgets.py", "blob": "b" * 40, "text": "x"} | values


def decision(**values: str) -> dict[str, str]:
    detail = json.dumps({"canonical": KEPT, "canonical_path": "acme/a.py", "canonical_repo": "acme-corp/tool"})
    row = {"id": "2b" * 16, "repo": "other/tool", "path": "a.py", "reason": "exact_duplicate", "detail": detail}
    return row | values


def edge(**values: str) -> dict[str, str]:
    return {"id": "2b" * 16, "canonical": KEPT, "canonical_repo": "acme-corp/tool", "canonical_path": "a.py"} | values


def write(run: Path, path: str, rows: list[dict[str, str]], **options: Any) -> None:
    (run / path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), run / path, **options)


def write_text(run: Path, path: str, text: str) -> None:
    (run / path).parent.mkdir(parents=True, exist_ok=True)
    (run / path).write_text(text)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run from which everything of SOUGHT is gone."""
    folder = tmp_path / "run"
    opted_out = decision(id="https://github.com/acme/x", repo="acme/x", path="", reason="opted_out")
    opted_out["detail"] = '{"selector":"shy/widgets"}'
    write(folder, "00-repositories-0123456789ab/documents/00000.parquet", [{"id": GONE, "repo": "acme/x"}])
    write(folder, "01-intake-0123456789ab/decisions/00000.parquet", [opted_out])
    write(folder, SHARD, [document()])
    write(folder, DECISIONS, [decision()])
    write(folder, EDGES, [edge()])
    write(folder, f"{FILTER}/dropped/00000.parquet", [{"id": "https://github.com/acme/x", "stage": "opt_out"}])
    write(folder, DATASET, [document()])
    write_text(folder, f"{FILTER}/receipts/00000.json", json.dumps({"path": SHARD, "names": "acme-corp/widgets"}))
    write_text(folder, "dataset/receipt.json", json.dumps({"data/00000.parquet": KEPT}))
    write_text(folder, "recipe.yaml", f"opt_out: [acme/x, {GONE}]")
    write_text(folder, ".lock", "acme/x")
    write_text(folder, "checkpoints/tiny/model.safetensors", f"{GONE} acme/x")
    write_text(folder, "report/index.html", "<li>acme/x: its owner opted out")
    return folder


def findings(run: Path | str, **sought: Any) -> list[tuple[Any, ...]]:
    found = scan({"runs": [str(run)]} | SOUGHT | sought)["findings"]
    return [tuple(finding[key] for key in ("file", "row", "column", "what")) for finding in found]


def program(request: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "opt_out.residual"],
        input=request if isinstance(request, str) else json.dumps(request),
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent.parent,
    )


def test_a_clean_run_has_nothing(run: Path) -> None:
    answer = program({"runs": [str(run)]} | SOUGHT)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    found = json.loads(answer.stdout)
    # Neither the list as it was given, nor recipe, lock and weights.
    read = [SHARD, DECISIONS, EDGES, DATASET, f"{FILTER}/dropped/00000.parquet", "report/index.html"]
    read += ["01-intake-0123456789ab/decisions/00000.parquet", "dataset/receipt.json", f"{FILTER}/receipts/00000.json"]
    assert found == {
        "files": 9, "rows": 6, "bytes": sum((run / path).stat().st_size for path in read),
        "findings": [], "more": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "rows", "row", "column", "what"),
    [
        (SHARD, [document(), document(id=GONE)], 1, "id", "id"),
        (SHARD, [document(), document(id=GONE.upper())], 1, "id", "id"),
        (SHARD, [document(repo="AcMe/any")], 0, "repo", "owner"),
        (SHARD, [document(), document(repo="shy/WIDGETS")], 1, "repo", "repository"),
        (SHARD, [document(renamed_from="acme/old")], 0, "renamed_from", "owner"),
        (SHARD, [document(repo="big/tree", path="src/a.py")], 0, "path", "path"),
        (SHARD, [document(blob=BLOB)], 0, "blob", "content"),
        (DATASET, [document(id=GONE)], 0, "id", "id"),
        (".opt-out/edges.parquet", [{"id": GONE}], 0, "id", "id"),
        ("03-filter-ffffffffffff/documents/00000.parquet", [document(id=GONE)], 0, "id", "id"),
        (EDGES, [edge(), edge(), edge(canonical=GONE)], 2, "canonical", "id"),
        (EDGES, [edge(canonical_repo="shy/widgets")], 0, "canonical_repo", "repository"),
        (EDGES, [edge(canonical_repo="Big/Tree", canonical_path="src/a.py")], 0, "canonical_path", "path"),
        (DECISIONS, [decision(), decision(detail=f'{{"canonical":"{GONE}"}}')], 1, "detail", "id"),
        (DECISIONS, [decision(detail='{"canonical_repo": "Shy/Widgets"}')], 0, "detail", "repository"),
        (DECISIONS, [decision(detail='{"canonical_repo":"acme\\/a"}')], 0, "detail", "owner"),
        # Only the decision about a whole repository may name it.
        (DECISIONS, [decision(repo="acme/x", reason="opted_out", path="a.py")], 0, "repo", "owner"),
        (DECISIONS, [decision(repo="acme/x", reason="gone", path="")], 0, "repo", "owner"),
        (DECISIONS, [decision(id=GONE, reason="opted_out", path="")], 0, "id", "id"),
    ],
)
def test_a_row_put_back_is_found(
    run: Path, path: str, rows: list[dict[str, str]], row: int, column: str, what: str
) -> None:
    write(run, path, rows)
    assert findings(run) == [(path, row, column, what)]


@pytest.mark.parametrize(
    ("path", "text", "what"),
    [
        (f"{FILTER}/receipts/00000.json", json.dumps({"a": [1, {"id": GONE}]}), "id"),
        ("report/audit.html", f'<tr data-id="{GONE.upper()}"><td>main.py', "id"),
        ("cache/github-00000.json", json.dumps({"https://github.com/acme/x.git": "[]"}), "owner"),
        ("cache/github-00000.json", '{"https:\\/\\/github.com\\/Shy\\/Widgets.git": 1}', "repository"),
        ("dataset/ATTRIBUTION.md", "| shy/widgets | MIT | 3 |", "repository"),
        ("dataset/README.md", "Thanks to shy/widgets.\n", "repository"),
        ("dataset/croissant.json", json.dumps("first line\nacme/x"), "owner"),
        (".scratch/part.arrow", f"\0\1\2{GONE}\3", "id"),
        ("manifest.json", "https://example.org/?repo=shy%2Fwidgets&page=1", "repository"),
        ("manifest.json", "data/acme/x", "owner"),
    ],
)
def test_a_text_put_back_is_found(run: Path, path: str, text: str, what: str) -> None:
    write_text(run, path, text)
    assert findings(run) == [(path, None, None, what)]


def test_names_are_whole_names(run: Path) -> None:
    words = "acme-corp/x my-acme/x my.acme/x acme x/acme shy/widgets-extra shy/widgets2 ashy/widgets widgets"
    write_text(run, "dataset/README.md", words)
    names = ["acme-corp/widgets", "macme/widgets", "shy/widgets-extra", "ashy/widgets", "big/tree", "acm"]
    write(run, SHARD, [document(repo=name, path="docs/src/a.py") for name in names])
    write(run, EDGES, [edge(canonical_repo="big/tree", canonical_path="src/a.pyc", path="src/a.py")])
    write(run, DECISIONS, [decision(detail=f'{{"canonical_path":"acme/x.py","repo":"{name}"}}') for name in names])
    assert findings(run) == []


def test_folders_of_the_run_are_no_owners(run: Path) -> None:
    owners = ["data", "documents", "side", "dataset", FILTER]
    assert findings(run, owners=owners) == []
    write_text(run, "dataset/ATTRIBUTION.md", "| data/science | documents/widgets |")
    assert findings(run, owners=owners) == [("dataset/ATTRIBUTION.md", None, None, "owner")] * 2


def test_names_but_no_ids_may_stand_in_reports(run: Path) -> None:
    write_text(run, "report/index.html", f"acme/x shy/widgets {GONE}")
    assert findings(run) == [("report/index.html", None, None, "id")]


def test_only_the_dataset_is_searched_where_asked(run: Path) -> None:
    write(run, SHARD, [document(id=GONE)])
    assert findings(run, searched="dataset") == []
    write(run, DATASET, [document(id=GONE)])
    assert findings(run, searched="dataset") == [(DATASET, 0, "id", "id")]


def test_rows_count_across_row_groups_and_batches(run: Path) -> None:
    rows = [{"id": KEPT}] * 200_000
    write(run, SHARD, [*rows, {"id": GONE}], row_group_size=70_000)
    answer = program({"runs": [str(run)]} | SOUGHT)
    assert answer.returncode == 1
    found = json.loads(answer.stdout)
    place = {"run": str(run), "file": SHARD, "row": 200_000, "column": "id"}
    assert found["findings"] == [place | {"what": "id", "value": GONE}]


def test_findings_end_at_a_thousand(run: Path) -> None:
    write(run, SHARD, [{"id": GONE}] * 1000)
    found = scan({"runs": [str(run)]} | SOUGHT)
    assert (len(found["findings"]), found["more"]) == (1000, False)
    write(run, DATASET, [{"id": GONE}])
    found = scan({"runs": [str(run)]} | SOUGHT)
    assert (len(found["findings"]), found["more"]) == (1000, True)


@settings(deadline=None)
@given(start=st.integers(0, 50_000), name=st.sampled_from(["acme/x", "shy/widgets", GONE]))
@example(start=20_000, name="acme/x")
@example(start=19_998, name="acme/x")
def test_windows_hide_no_name_and_cut_none(start: int, name: str) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(residual, "CHUNK", 20_000)
        write_text(Path(folder), "long.txt", f"{' ' * start} {name} {' ' * 30_000}")
        assert len(findings(folder)) == 1
        write_text(Path(folder), "long.txt", f"{' ' * start} a-{name} shy/widgets-more {' ' * 30_000}")
        assert len(findings(folder)) == (name == GONE)  # which stays an id wherever it stands


@pytest.mark.parametrize("kept", [0, 3, 100, -1])
def test_a_truncated_table_is_no_clean_table(run: Path, kept: int) -> None:
    data = (run / SHARD).read_bytes()
    (run / SHARD).write_bytes(data[:kept])
    answer = program({"runs": [str(run)]} | SOUGHT)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith(f"'{run}/{SHARD}' cannot be read (")
    assert answer.stderr.count("\n") == 1


def test_damaged_pages_are_no_clean_table(run: Path) -> None:
    rows = [document(id=f"{n:032x}") for n in range(10_000)]
    write(run, SHARD, rows, compression="zstd")
    data = bytearray((run / SHARD).read_bytes())
    data[200:5000] = os.urandom(4800)
    (run / SHARD).write_bytes(data)
    with pytest.raises(Unreadable, match=r"00000\.parquet' cannot be read"):
        findings(run)


@pytest.mark.parametrize(
    ("request_text", "says"),
    [
        ('{"runs": ["/nowhere/run"]}', "'/nowhere/run' holds no run"),
        ('{"runs": []}', "no runs"),
        ('{"runs": ["/nowhere"], "authors": ["a"]}', "'authors'"),
        ('{"runs": ["/nowhere"], "paths": [["a/b", "("]]}', "The pattern '('"),
        ('{"runs": ["nostore://x/y"]}', "'nostore://x/y' cannot be read"),
        ("{", "no JSON of the form expected"),
        ("[]", "no JSON of the form expected"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(request_text: str, says: str) -> None:
    answer = program(request_text)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert says in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_memory_is_bounded(tmp_path: Path) -> None:
    """Two million ids in one row group, a text of 60 MB; VmHWM, as ru_maxrss counts the parent that forked it."""
    ids = pa.array([f"{n:032x}" for n in range(2_000_000)])
    table = pa.table({"id": ids, "repo": pa.array(["big/tree"] * len(ids))})
    pq.write_table(table, tmp_path / "big.parquet", row_group_size=len(ids), use_dictionary=["repo"])
    line = (KEPT + " other/name ") * 1000
    with (tmp_path / "big.json").open("w") as file:
        file.writelines(line for _ in range(1400))
    code = (
        "import re, sys; from opt_out.residual import main; code = main();"
        "print(re.search('VmHWM:(.*) kB', open('/proc/self/status').read())[1], file=sys.stderr); sys.exit(code)"
    )
    request = json.dumps({"runs": [str(tmp_path)]} | SOUGHT | {"ids": [f"{1_999_999:032x}"]})
    answer = subprocess.run(
        [sys.executable, "-c", code], input=request, capture_output=True, text=True, cwd=Path(__file__).parent.parent
    )
    assert answer.returncode == 1, answer.stderr
    assert [finding["row"] for finding in json.loads(answer.stdout)["findings"]] == [1_999_999]
    assert int(answer.stderr) < 250 << 10  # kB; 77 MB of it are imports


def test_a_real_run_shows_what_it_holds(tmp_path: Path) -> None:
    small_run(tmp_path)
    run = tmp_path / "run"
    nothing = {"ids": [GONE], "owners": ["tool", "acm"], "repositories": ["acme/too"], "paths": [], "blobs": []}
    assert findings(run, **nothing) == []
    gone = document_id("acme/tool", "lib.py")
    found = findings(run, **nothing | {"ids": [gone]})
    folders = {re.sub(r"^[0-9]+-|-[0-9a-f]{12}$", "", file.split("/")[0]) for file, *_ in found}
    assert folders >= {"acquire", "filter", "unite", "dataset"}
    assert any(column == "detail" for _, _, column, _ in found)  # of what was dropped as its copy
    named = findings(run, **nothing | {"owners": ["ACME"]})
    assert ("dataset/ATTRIBUTION.md", None, None, "owner") in named


def test_runs_in_an_object_store_are_searched_alike(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(run, EDGES, [edge(canonical=GONE)])
    with s3_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        client = server.client()
        client.create_bucket(Bucket="lake")
        for path in (path for path in run.rglob("*") if path.is_file()):
            client.upload_file(str(path), "lake", f"runs/one/{path.relative_to(run)}")
        answer = program({"runs": ["s3://lake/runs/one"]} | SOUGHT)
        missing = program({"runs": ["s3://lake/runs/two"]} | SOUGHT)
    assert answer.returncode == 1, answer.stderr
    assert [(finding["file"], finding["row"]) for finding in json.loads(answer.stdout)["findings"]] == [(EDGES, 0)]
    assert (missing.returncode, missing.stderr) == (2, "'s3://lake/runs/two' holds no run: there is no file.\n")


def test_it_shares_nothing_with_what_removes() -> None:
    tree = ast.parse(Path(residual.__file__).read_text())
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert all(node.level == 0 for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    roots = {name.partition(".")[0] for name in imported}
    assert roots - sys.stdlib_module_names == {"pyarrow", "fsspec"}
    package = ast.parse(Path(residual.__file__).with_name("__init__.py").read_text())
    assert [type(node) for node in package.body] == [ast.Expr]  # its docstring
