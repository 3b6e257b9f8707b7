"""An existing dataset as the source of a run: columns, presets, contents from an archive, and what is broken in it."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from s3fs import S3FileSystem

from pipeline import schema
from pipeline.errors import RunFailed, UsageError
from pipeline.inline import InlineExecutor
from pipeline.law import judge
from pipeline.recipe import load_recipe
from pipeline.run import execute
from pipeline.side import Corpus, Side, Worker
from pipeline.stage import Outcome, Stage
from pipeline.state import Run
from stages.acquire_dataset import AcquireDataset
from stages.dataset_columns import git_blob
from stages.plan import document_id
from stages.spdx import Spdx
from tests.s3 import S3, s3_server
from tests.toy import Forbid, Quiet

NO_SHARD = pa.table({})
CREATED = datetime(2011, 1, 26, 19, 1, 12, tzinfo=UTC)
Run_ = Callable[[Stage, Sequence[pa.Table]], list[Outcome]]


def the_stack_v1(count: int, text: str = "print({n})\n") -> list[dict[str, Any]]:
    """Rows with the columns of bigcode/the-stack that matter, and one that does not."""
    return [
        {
            "hexsha": git_blob(text.format(n=n).encode()),
            "size": len(text.format(n=n)),
            "ext": "cs",
            "lang": "C#",
            "max_stars_repo_path": f"src/{n}.cs",
            "max_stars_repo_name": "Acme/Toy",
            "max_stars_repo_head_hexsha": "c" * 40,
            "max_stars_repo_licenses": ["MIT", "Apache-2.0"],
            "max_stars_count": 7 if n else None,
            "content": text.format(n=n),
        }
        for n in range(count)
    ]


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=100)
    return path


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def kept(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    return pa.concat_tables([outcome.kept for outcome in outcomes]).to_pylist()


def dropped(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """Path -> reason of every drop."""
    decisions = pa.concat_tables([outcome.decisions for outcome in outcomes]).to_pylist()
    return {decision["path"]: decision["reason"] for decision in decisions}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """An S3 store that everything reads from while the test runs."""
    with s3_server() as server:
        for name, value in {**server.environment, "AWS_MAX_ATTEMPTS": "1"}.items():
            monkeypatch.setenv(name, value)
        S3FileSystem.clear_instance_cache()
        yield server


def test_the_stack_v1_becomes_documents(run_stage: Run_, tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "data/c-sharp/train-0.parquet", the_stack_v1(3))
    first, second, _ = kept(run_stage(AcquireDataset(path=str(path), preset="the_stack_v1"), [NO_SHARD]))
    assert second == {
        "id": document_id("Acme/Toy", "c" * 40, "src/1.cs"),
        "kind": "code",
        "repo": "Acme/Toy",
        "commit": "c" * 40,
        "path": "src/1.cs",
        "language": "c-sharp",
        "blob": git_blob(b"print(1)\n"),
        "size": 9,
        "encoding": "utf-8",
        "license": "MIT AND Apache-2.0",
        "license_type": "permissive",
        "stars": 7,
        "fork": None,
        "created": None,
        "text": "print(1)\n",
    }
    assert first["stars"] is None


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_json_lines_give_the_same_documents_as_parquet(name: str, run_stage: Run_, tmp_path: Path) -> None:
    rows = the_stack_v1(1200, "naïve {n}\n")
    parquet = AcquireDataset(path=str(write_parquet(tmp_path / "rows.parquet", rows)), preset="the_stack_v1")
    lines = AcquireDataset(format="jsonl", path=str(write_lines(tmp_path / name, rows)), preset="the_stack_v1")
    expected = kept(run_stage(parquet, [NO_SHARD]))
    assert len(expected) == 1200
    assert kept(run_stage(lines, [NO_SHARD])) == expected


def test_a_folder_that_load_dataset_loads_gives_the_same_documents(run_stage: Run_, side: Side, tmp_path: Path) -> None:
    rows = the_stack_v1(700)
    for half, part in enumerate((rows[:400], rows[400:])):
        write_parquet(tmp_path / f"hub/train-{half}.parquet", part)
    hub = AcquireDataset(format="huggingface", path=str(tmp_path / "hub"), preset="the_stack_v1")
    folder = AcquireDataset(path=str(tmp_path / "hub"), preset="the_stack_v1")
    expected = kept(run_stage(folder, [NO_SHARD]))
    side.store.remove(side.folder)
    assert len(expected) == 700
    assert kept(run_stage(hub, [NO_SHARD])) == expected
    gone = AcquireDataset(format="huggingface", path=str(tmp_path / "gone"), preset="the_stack_v1")
    with pytest.raises(UsageError, match=r"gone' cannot be loaded"):
        run_stage(gone, [NO_SHARD])


def test_what_a_dataset_does_not_say_follows_from_the_row(run_stage: Run_, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"content": "a = 1\n"}, {"content": ""}, {"content": None}]
    path = write_parquet(tmp_path / "part.parquet", rows)
    constants: dict[str, str | int | bool] = {"repo": "acme/books", "language": "Python", "fork": False}
    stage = AcquireDataset(path=str(path), columns={"text": "content"}, constants=constants)
    outcomes = run_stage(stage, [NO_SHARD])
    first, empty = kept(outcomes)
    assert (first["repo"], first["commit"], first["path"]) == ("acme/books", None, "part.parquet:0")
    assert (first["language"], first["license"], first["license_type"]) == ("python", None, "unknown")
    assert (first["blob"], first["size"], first["fork"]) == (git_blob(b"a = 1\n"), 6, False)
    assert (empty["text"], empty["blob"]) == ("", git_blob(b""))
    assert dropped(outcomes) == {"part.parquet:2": "no_content"}


def test_text_that_is_none_or_too_much_is_dropped_with_its_reason(run_stage: Run_, tmp_path: Path) -> None:
    rows = [{"path": "ok", "content": "x"}, {"path": "nul", "content": "a\0b"}, {"path": "long", "content": "x" * 11}]
    stage = AcquireDataset(
        path=str(write_parquet(tmp_path / "a.parquet", rows)), columns={"path": "path", "text": "content"}, max_bytes=10
    )
    outcomes = run_stage(stage, [NO_SHARD])
    assert [row["path"] for row in kept(outcomes)] == ["ok"]
    assert dropped(outcomes) == {"nul": "binary", "long": "too_large"}
    (told,) = [d for d in outcomes[0].decisions.to_pylist() if d["path"] == "long"]
    assert stage.explain(told) == "it is larger than the 10 bytes allowed"


def test_of_rows_with_one_id_the_first_stays_and_the_others_are_dropped_by_their_place(
    run_stage: Run_, tmp_path: Path
) -> None:
    rows = the_stack_v1(4)
    write_parquet(tmp_path / "d/a.parquet", [rows[0], rows[1], rows[0]])
    write_parquet(tmp_path / "d/b.parquet", [rows[1], rows[3]])
    stage = AcquireDataset(path=str(tmp_path / "d"), preset="the_stack_v1", shard_bytes=20)
    outcomes = run_stage(stage, [NO_SHARD])
    assert len(outcomes) > 1
    assert [row["path"] for row in kept(outcomes)] == ["src/0.cs", "src/1.cs", "src/3.cs"]
    decisions = pa.concat_tables([outcome.decisions for outcome in outcomes]).to_pylist()
    assert [json.loads(d["detail"])["place"] for d in decisions] == ["a.parquet:2", "b.parquet:0"]
    ids = [row["id"] for row in kept(outcomes)] + [d["id"] for d in decisions]
    assert len(set(ids)) == 5


def test_shards_are_cut_by_bytes_in_the_order_of_the_rows(run_stage: Run_, side: Side, tmp_path: Path) -> None:
    write_parquet(tmp_path / "d/a.parquet", the_stack_v1(300))
    stage = AcquireDataset(path=str(tmp_path / "d"), preset="the_stack_v1", shard_bytes=1000)
    outcomes = run_stage(stage, [NO_SHARD])
    sizes = [sum(outcome.kept["size"].to_pylist()) for outcome in outcomes]
    assert all(900 < size <= 1000 for size in sizes[:-1])
    assert [row["path"] for row in kept(outcomes)] == [f"src/{n}.cs" for n in range(300)]
    (file,) = side.get("files").to_pylist()
    assert (file["name"], file["size"]) == ("a.parquet", (tmp_path / "d/a.parquet").stat().st_size)


def test_a_dataset_on_s3_gives_the_documents_of_the_same_files_here(run_stage: Run_, tmp_path: Path, store: S3) -> None:
    s3 = store.client()
    s3.create_bucket(Bucket="data")
    for name in ("a", "b"):
        rows = the_stack_v1(40, name + " {n}")
        for row in rows:
            row["max_stars_repo_name"] = name
        s3.upload_file(str(write_parquet(tmp_path / f"d/{name}.parquet", rows)), "data", f"stack/{name}.parquet")
    here = kept(run_stage(AcquireDataset(path=str(tmp_path / "d"), preset="the_stack_v1"), [NO_SHARD]))
    for path in ("s3://data/stack", "s3://data/stack/*.parquet"):
        assert kept(run_stage(AcquireDataset(path=path, preset="the_stack_v1"), [NO_SHARD])) == here
    with pytest.raises(UsageError, match=r"'s3://data/nothing' holds no parquet files"):
        run_stage(AcquireDataset(path="s3://data/nothing", preset="the_stack_v1"), [NO_SHARD])


class Backwards(InlineExecutor):
    """Takes the last item first, as busy workers may."""

    def map(self, task: Any, items: Any, **options: Any) -> Iterator[tuple[int, Any]]:
        for index, item in reversed(list(enumerate(items))):
            yield index, task(item, Worker())


def test_the_order_in_which_files_are_read_changes_no_byte(side: Side, tmp_path: Path) -> None:
    rows = the_stack_v1(300)
    for part in range(5):
        write_parquet(tmp_path / f"d/{part}.parquet", rows[part * 60 : part * 60 + 63])
    stage = AcquireDataset(path=str(tmp_path / "d"), preset="the_stack_v1", shard_bytes=400)
    tables: list[dict[str, bytes]] = []
    for executor in (InlineExecutor(), Backwards()):
        stage.prepare(Corpus(side.store, {}, side, executor), side)
        names = side.store.names(f"{side.folder}/rows")
        tables.append({name: side.store.read_bytes(f"{side.folder}/rows/{name}") for name in names})
        side.store.remove(side.folder)
    assert len(tables[0]) > 5
    assert tables[0] == tables[1]


def sha1(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


def the_stack_v2(contents: Mapping[str, bytes], **changed: Any) -> list[dict[str, Any]]:
    """Rows with the columns of bigcode/the-stack-v2 that matter."""
    return [
        {
            "blob_id": sha1(data),
            "path": path,
            "content_id": git_blob(data),
            "detected_licenses": [],
            "repo_name": "acme/toy",
            "revision_id": "d" * 40,
            "star_events_count": 3,
            "gha_created_at": None if path == "latin" else datetime(2011, 1, 26, 19, 1, 12, 345678),
            "src_encoding": "ISO-8859-1" if path == "latin" else "UTF-8",
            "language": "Python",
            "length_bytes": len(data),
        }
        | changed
        for path, data in contents.items()
    ]


def test_the_stack_v2_fetches_contents_and_tells_why_one_is_not_there(
    run_stage: Run_, side: Side, tmp_path: Path, store: S3
) -> None:
    contents = {
        "plain": "naïve\n".encode(),
        "again": "naïve\n".encode(),
        "latin": "na\xefve\n".encode("latin-1"),
        "missing": b"missing",
        "torn": b"torn" * 50,
        "swapped": b"swapped",
        "nul": b"a\0b",
        "announced": b"x" * 2000,
        "lying": b"y" * 2000,
    }
    s3 = store.client()
    s3.create_bucket(Bucket="heritage")
    for path, data in contents.items():
        packed = gzip.compress(b"other" if path == "swapped" else data)
        if path != "missing":
            body = packed[:-12] if path == "torn" else packed
            s3.put_object(Bucket="heritage", Key=f"content/{sha1(data)}", Body=body)
    rows = the_stack_v2(contents)
    rows[-1]["length_bytes"] = 5
    stage = AcquireDataset(
        path=str(write_parquet(tmp_path / "ids.parquet", rows)),
        preset="the_stack_v2",
        blobs="s3://heritage/content",
        max_bytes=1000,
        at_once=4,
    )
    outcomes = run_stage(stage, [NO_SHARD])
    created = {row["path"]: row["created"] for row in kept(outcomes)}
    assert created == {"plain": CREATED, "again": CREATED, "latin": None}
    texts = {row["path"]: (row["text"], row["encoding"], row["blob"], row["size"]) for row in kept(outcomes)}
    assert texts == {
        "plain": ("naïve\n", "utf-8", git_blob(contents["plain"]), 7),
        "again": ("naïve\n", "utf-8", git_blob(contents["plain"]), 7),
        "latin": ("naïve\n", "ISO-8859-1", git_blob(contents["latin"]), 6),
    }
    assert dropped(outcomes) == {
        "missing": "missing_object",
        "torn": "corrupt_object",
        "swapped": "corrupt_object",
        "nul": "binary",
        "announced": "too_large",
        "lying": "too_large",
    }
    assert {row["license_type"] for row in kept(outcomes)} == {"no_license"}
    table = side.get_shard("rows", shard="00000-00000")
    judge(stage, "acquire_dataset", table, side.for_shard("00000-00000"))  # the law holds


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (CREATED.replace(tzinfo=None), CREATED),
        (CREATED.replace(microsecond=999_999), CREATED),
        (CREATED.astimezone(timezone(timedelta(hours=-8))), CREATED),
        (date(2011, 1, 26), datetime(2011, 1, 26, tzinfo=UTC)),
        ("2011-01-26T19:01:12Z", CREATED),
        ("2011-01-26 21:01:12.5+02:00", CREATED),
        ("2011-01-26 19:01:12", CREATED),
        ("2011-01-26", datetime(2011, 1, 26, tzinfo=UTC)),
        (None, None),
    ],
)
def test_a_time_is_read_from_times_and_from_text(given: Any, read: Any, run_stage: Run_, tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [{"text": "x", "at": given}])
    stage = AcquireDataset(path=str(path), columns={"text": "text", "created": "at"})
    assert [row["created"] for row in kept(run_stage(stage, [NO_SHARD]))] == [read]


@pytest.mark.parametrize("given", [1296068472, "lately", True])
def test_what_is_no_time_stops_the_run(given: Any, run_stage: Run_, tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [{"text": "x", "at": given}])
    with pytest.raises(RunFailed, match=r"the documents' 'created' holds \w+, which is no timestamp\[ms, tz=UTC\]"):
        run_stage(AcquireDataset(path=str(path), columns={"text": "text", "created": "at"}), [NO_SHARD])


def test_requests_that_fail_are_repeated_until_each_content_is_there(
    run_stage: Run_, tmp_path: Path, store: S3
) -> None:
    contents = {f"{n}.py": b"x = %d" % n for n in range(40)}
    s3 = store.client()
    s3.create_bucket(Bucket="heritage")
    for data in contents.values():
        s3.put_object(Bucket="heritage", Key=f"content/{sha1(data)}", Body=gzip.compress(data))
    path = str(write_parquet(tmp_path / "ids.parquet", the_stack_v2(contents)))
    stage = AcquireDataset(path=path, preset="the_stack_v2", blobs="s3://heritage/content", at_once=8)
    with store.failing(0.3) as faults:
        outcomes = run_stage(stage, [NO_SHARD])
    assert [row["text"].encode() for row in kept(outcomes)] == list(contents.values())
    assert faults.total() > 3


def test_an_archive_that_cannot_be_read_loses_nothing(run_stage: Run_, tmp_path: Path, store: S3) -> None:
    rows = the_stack_v2({"a": b"a"})
    path = str(write_parquet(tmp_path / "ids.parquet", rows))
    s3 = store.client()
    s3.create_bucket(Bucket="heritage")
    stage = AcquireDataset(path=path, preset="the_stack_v2", blobs="s3://heritage/content", retries=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        S3FileSystem.clear_instance_cache()
        with pytest.raises(UsageError, match=r"'s3://data/stack' cannot be listed \(.*\)\.$"):
            run_stage(AcquireDataset(path="s3://data/stack", preset="the_stack_v2"), [NO_SHARD])
        with pytest.raises(ConnectionError, match="1 contents of 's3://heritage/content' cannot be read now"):
            run_stage(stage, [NO_SHARD])
    S3FileSystem.clear_instance_cache()
    s3.put_object(Bucket="heritage", Key=f"content/{sha1(b'a')}", Body=gzip.compress(b"a"))
    assert [row["text"] for row in kept(run_stage(stage, [NO_SHARD]))] == ["a"]


def test_a_broken_file_stops_the_run_and_is_named(run_stage: Run_, tmp_path: Path) -> None:
    torn = write_parquet(tmp_path / "d/a.parquet", the_stack_v1(1000))
    data = torn.read_bytes()
    torn.write_bytes(data[: len(data) // 2])
    with pytest.raises(RunFailed, match=r"a\.parquet' is damaged \(.*\); put a whole one in its place and run again"):
        run_stage(AcquireDataset(path=str(tmp_path / "d"), preset="the_stack_v1"), [NO_SHARD])
    torn.write_bytes(data[:100] + bytes(200) + data[300:])
    with pytest.raises(RunFailed, match=r"a\.parquet' is damaged"):
        run_stage(AcquireDataset(path=str(tmp_path / "d"), preset="the_stack_v1"), [NO_SHARD])


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.jsonl", b'{"t": "x"}\n{"t": "y', "line 2 is no JSON"),
        ("a.jsonl", b'{"t": "x"}\n["t"]\n', "line 2 is no JSON object"),
        ("a.jsonl", b'{"t": "\xff"}\n', "line 1 is no JSON"),
        ("a.jsonl.gz", gzip.compress(b'{"t": "x"}\n' * 1000)[:-20], "is damaged"),
    ],
)
def test_broken_json_lines_stop_the_run(name: str, data: bytes, said: str, run_stage: Run_, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    stage = AcquireDataset(format="jsonl", path=str(tmp_path / name), columns={"text": "t"})
    with pytest.raises(RunFailed, match=said) as caught:
        run_stage(stage, [NO_SHARD])
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_column_that_is_not_there_is_one_sentence_with_the_nearest(run_stage: Run_, tmp_path: Path) -> None:
    path = str(write_parquet(tmp_path / "a.parquet", [{"contents": "x", "stars": "many"}]))
    sentence = r"a\.parquet' has no column 'content' for the documents' 'text' \(did you mean 'contents'\?\)"
    with pytest.raises(UsageError, match=sentence):
        run_stage(AcquireDataset(path=path, columns={"text": "content"}), [NO_SHARD])
    with pytest.raises(RunFailed, match="the documents' 'stars' holds string, which is no int64"):
        run_stage(AcquireDataset(path=path, columns={"text": "contents", "stars": "stars"}), [NO_SHARD])
    lines = str(write_lines(tmp_path / "a.jsonl", [{"contents": "x"}]))
    with pytest.raises(UsageError, match=r"did you mean 'contents'"):
        run_stage(AcquireDataset(format="jsonl", path=lines, columns={"text": "content"}), [NO_SHARD])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"path": "data"}, "write it absolute, or as a URL"),
        ({"columns": {"txt": "content"}}, "'txt' is no column of a document; the nearest is 'text'"),
        ({"columns": {"repo": "repo"}}, "nothing says where the text is; map 'text' or 'blob_id', or name a preset"),
        ({"preset": "starcoderdata", "columns": {"text": None}}, "nothing says where the text is"),
        ({"preset": "starcoderdata", "constants": {"lang": "python"}}, "the nearest is 'language'"),
        ({"preset": "starcoderdata", "options": {"split": "train"}}, "only 'format: huggingface' has options"),
    ],
)
def test_each_mistake_in_the_fields_is_told(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(said)):
        AcquireDataset.model_validate({"path": "/data"} | fields)


@pytest.mark.parametrize(
    ("named", "expression", "kind"),
    [
        ([], None, "no_license"),
        (["MIT", "MIT"], "MIT", "permissive"),
        (["MIT", "GPL-3.0"], "MIT AND GPL-3.0", "copyleft"),
        (["MIT OR GPL-2.0-only"], "MIT OR GPL-2.0-only", "permissive"),
        (["MIT OR GPL-2.0-only", "ISC"], "(MIT OR GPL-2.0-only) AND ISC", "permissive"),
        (["LGPL-2.1-only"], "LGPL-2.1-only", "weak_copyleft"),
        (["CC-BY-NC-4.0", "MIT"], "CC-BY-NC-4.0 AND MIT", "non_free"),
        (["MIT", "my own"], "MIT AND my own", "unknown"),
        (["MIT AND"], "MIT AND", "unknown"),
    ],
)
def test_named_licences_are_typed_as_scancode_types_them(named: list[str], expression: str | None, kind: str) -> None:
    assert Spdx().judge(named) == (expression, kind)


RECIPE = """
name: dataset
passes:
  acquire: [{{acquire_dataset: {{path: {path}, preset: the_stack_v1, shard_bytes: 200}}}}]
  filter: [{{forbid: {{word: "3"}}}}]
"""


def _execute(folder: Path, path: Path, out: str = "run") -> Run:
    (folder / "recipe.yaml").write_text(RECIPE.format(path=path))
    recipe = load_recipe(str(folder / "recipe.yaml"), {"acquire_dataset": AcquireDataset, "forbid": Forbid})
    return execute(recipe, str(folder / out), lambda: nullcontext(InlineExecutor()), Quiet(), lambda run: False)


def test_a_recipe_without_repositories_runs_on_a_dataset_and_reads_it_once(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "d/a.parquet", the_stack_v1(100))
    run = _execute(tmp_path, path)
    rows = sum(receipt["documents"]["rows"] for receipt in run.passes[-1].receipts.values())
    assert rows == 81
    assert run.store.names(f"{run.passes[0].folder.path}/side") == ["files.parquet"]  # the texts stand nowhere twice
    path.unlink()
    again = _execute(tmp_path, path)
    assert (again.applied, again.prepared) == (0, 0)


def test_a_dataset_without_rows_makes_a_whole_run(tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    pq.write_table(pa.Table.from_pylist(the_stack_v1(1)).slice(0, 0), path)
    run = _execute(tmp_path, path)
    (receipt,) = run.passes[-1].receipts.values()
    documents = run.store.read_table(receipt["documents"]["path"])
    assert documents.num_rows == 0
    assert documents.schema.equals(schema.DOCUMENT)
