"""Whatever is asked for, a removal leaves nothing of it in any file and every other row as it was."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opt_out.selectors import Selectors, parse_selector
from tests.command import quarry
from tests.opt_out_run import ask, build, complete, copied

Table = list[dict[str, Any]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = build(tmp_path_factory.mktemp("property"))
    run = complete(folder)
    assert quarry("report", run).exit_code == 0
    (run / "cache").mkdir()
    names = [row["repo"] for row in documents(run)]
    answers = ",\n".join(f'"github.com/{name}": ["etag", {{"full_name": "{name}"}}]' for name in dict.fromkeys(names))
    (run / "cache" / "github-00000.json").write_text("{" + answers + "}\n")
    return folder


def documents(run: Path) -> Table:
    """What was read, in the order of ids."""
    tables = [pq.read_table(file) for file in sorted(run.glob("02-*/documents/*.parquet"))]
    rows: Table = pa.concat_tables(tables).to_pylist()
    return sorted(rows, key=lambda row: str(row["id"]))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nothing_is_left_of_it_and_all_else_is_as_it_was(made: Path, data: st.DataObject) -> None:
    rows = documents(made / "run")
    repos = sorted({row["repo"] for row in rows})
    one = st.one_of(
        st.sampled_from(repos),
        st.sampled_from([repo.split("/")[0] for repo in repos]),
        st.sampled_from([f"{row['repo']}:{row['path']}" for row in rows]),
        st.sampled_from([f"{row['repo']}:{row['path'].split('/')[0]}/**/*.py" for row in rows if "/" in row["path"]]),
        st.sampled_from([f"swh:1:cnt:{row['blob']}" for row in rows]),
    )
    selectors = data.draw(st.lists(one, min_size=1, max_size=4, unique=True))
    with tempfile.TemporaryDirectory() as scratch:
        folder = copied(made, Path(scratch) / "copy")
        complete(folder)
        before = tables(folder / "run")
        ask(folder, *selectors)
        done = quarry("opt-out", "apply", folder / "run", "--ledger", folder / "ledger.sqlite", "--inline")
        assert done.exit_code == 0, done.output
        check(folder / "run", rows, before, selectors)


def check(run: Path, rows: Table, before: dict[str, Table], selectors: list[str]) -> None:
    wanted = Selectors.of(parse_selector(selector, "test") for selector in selectors)
    covered = wanted.covers(pa.Table.from_pylist(rows)).to_pylist()
    gone = [row for row, by in zip(rows, covered, strict=True) if by]
    ids = {row["id"] for row in gone}
    staying = {row["path"] for row in rows if row["id"] not in ids}
    texts = {row["text"] for row in rows if row["id"] not in ids}
    after = tables(run)
    for name, table in after.items():
        for row in table:
            for column, value in row.items():
                assert not (isinstance(value, str) and any(one in value for one in ids)), (name, column, value)
                assert column != "path" or value in staying | {"", None}, (name, value)
                assert column != "text" or value in texts, name
        if name.startswith(("02-", "03-")):  # a later pass may judge copies again
            assert table == [row for row in before[name] if row["id"] not in ids and kept(row, wanted)], name
    for file in run.rglob("*"):
        if file.is_file() and file.suffix != ".parquet":
            content = file.read_bytes()
            assert not any(one.encode() in content for one in ids), file
    for repo in {row["repo"] for row in rows} - {row["repo"] for row in rows if row["id"] not in ids}:
        assert repo.encode() not in b"".join(path.read_bytes() for path in (run / "cache").iterdir())


def kept(row: dict[str, Any], wanted: Selectors) -> bool:
    """Whether a row about a whole repository stays."""
    whole = pa.table({"repo": [row.get("repo")]}, schema=pa.schema([("repo", pa.string())]))
    return bool(row.get("path")) or "repo" not in row or not wanted.repositories().covers(whole).is_valid()[0].as_py()


def tables(run: Path) -> dict[str, Table]:
    """Every table of a run with an id, by its path, but for the list of repositories."""
    found = {}
    for file in sorted(run.rglob("*.parquet")):
        table = pq.read_table(file)
        if "id" in table.column_names and not str(file.relative_to(run)).startswith("00-"):
            heavy = [name for name in ("minhash", "input_ids") if name in table.column_names]
            found[str(file.relative_to(run))] = table.drop_columns(heavy).to_pylist()
    return found
