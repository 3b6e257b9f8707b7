"""The whole main job on real local git repositories: equal bytes, recovery, planted cases, and what others read."""

from __future__ import annotations

import json
import os
import random
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import datasets
import duckdb
import mlcroissant
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from pipeline.errors import RunFailed
from pipeline.state import load_run
from recipes.demo_repositories import build
from stages.catalog import CATALOG
from tests.command import QUARRY, quarry
from tests.gitrepos import commit_files, served
from tests.killed_run import count_writes, killed_runs, run_whole
from tests.test_run import contents, state

PACKAGES = ["requests", "click", "Jinja2", "MarkupSafe", "humanize", "certifi", "wasabi"]
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Repositories of a few packages and the planted cases, and a recipe like the demo's with a dozen shards."""
    made: Path = tmp_path_factory.mktemp("pipeline")
    build(made / "input", PACKAGES)
    recipe = (ROOT / "recipes/demo.yaml").read_text().replace("../runs/demo-input/", "input/")
    recipe = recipe.replace("2_000_000", "100_000").replace("8192", "1000")
    (made / "recipe.yaml").write_text(recipe)
    return made


def own_process(*arguments: object, seed: int) -> subprocess.CompletedProcess[str]:
    """The `quarry` command as a user calls it, with another order of sets."""
    environment = os.environ | {"PYTHONHASHSEED": str(seed)}
    return subprocess.run([*QUARRY, *map(str, arguments)], capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def runs(folder: Path) -> dict[str, Path]:
    """Complete runs of the command, inline and with one worker; side by side, as each takes one core."""

    def complete(name: str, seed: int, *how: object) -> None:
        done = own_process("run", folder / "recipe.yaml", "--out", folder / name, "--json", *how, seed=seed)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["applied"] > 12

    with ThreadPoolExecutor() as pool:
        tasks = [pool.submit(complete, "inline", 1, "--inline"), pool.submit(complete, "one", 2, "--workers", 1)]
        for task in tasks:
            task.result()
    return {name: folder / name for name in ("inline", "one")}


@pytest.fixture(scope="module")
def run(runs: dict[str, Path]) -> Path:
    """The run that was made inline."""
    return runs["inline"]


def decisions(run: Path, stage: str | None = None) -> list[dict[str, Any]]:
    tables = [pq.read_table(path) for path in sorted(run.glob("*/decisions/*.parquet"))]
    rows: list[dict[str, Any]] = pa.concat_tables(tables).to_pylist()
    return [row for row in rows if stage in (None, row["stage"])]


def tokens(run: Path) -> pa.Table:
    return pa.concat_tables([pq.read_table(path) for path in sorted((run / "dataset/data").glob("*.parquet"))])


def data_of(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((run / "dataset/data").iterdir())}


def assert_same(out: Path, run: Path) -> None:
    """Two runs hold the same bytes."""
    assert len(data_of(run)) >= 12
    assert data_of(out) == data_of(run)
    assert contents(out) == contents(run)


def test_a_worker_gives_the_same_bytes_as_inline(runs: dict[str, Path]) -> None:
    assert_same(runs["one"], runs["inline"])


@pytest.mark.parametrize(("workers", "seed"), [(2, 3), (5, 4)])
def test_any_number_of_workers_gives_the_same_bytes(workers: int, seed: int, folder: Path, run: Path) -> None:
    out = folder / f"workers{workers}"
    done = own_process("run", folder / "recipe.yaml", "--out", out, "--workers", workers, seed=seed)
    assert done.returncode == 0, done.stderr
    assert_same(out, run)


def test_a_second_run_a_report_and_why_touch_nothing_of_a_finished_run(folder: Path, run: Path) -> None:
    assert quarry("report", run).exit_code == 0
    before = state(run)
    again = quarry("run", folder / "recipe.yaml", "--out", run, "--json")
    assert (json.loads(again.stdout)["applied"], json.loads(again.stdout)["prepared"]) == (0, 0)
    assert quarry("report", run).exit_code == 0
    assert quarry("why", run, "acme/gpl-tool").exit_code == 0
    assert quarry("status", run).exit_code == 0
    assert state(run) == before


def test_what_was_planted_came_out_as_it_should(run: Path) -> None:
    kept = set(tokens(run)["repo"].to_pylist())
    assert "pallets/click" in kept
    assert not kept & {"acme/gpl-tool", "acme/no-license", "optedout/secret-sauce", "pallets/markupsafe"}
    dropped = {(row["stage"], row["reason"], row["repo"]) for row in decisions(run) if row["action"] == "drop"}
    assert ("license", "copyleft", "acme/gpl-tool") in dropped
    assert ("license", "no_license", "acme/no-license") in dropped
    assert ("opt_out", "opted_out", "optedout/secret-sauce") in dropped
    assert ("opt_out", "opted_out", "pallets/markupsafe") in dropped
    assert ("natural_language", "natural_language", "acme/puzzles") in dropped
    (copy,) = decisions(run, "decontaminate")
    assert (copy["repo"], copy["path"], json.loads(copy["detail"])["problem"]) == ("acme/puzzles", "rain.py", "demo/0")
    # Of a file and its copy the one with the smaller id stays.
    both = {"pallets/click", "forker/click"}
    told = [(row, json.loads(row["detail"])) for row in decisions(run, "deduplicate")]
    copies = [(row, detail) for row, detail in told if {row["repo"], detail["canonical_repo"]} == both]
    assert len(copies) >= 15
    for _, detail in copies:
        assert detail["jaccard"] >= 0.7
        assert detail["canonical"] in set(tokens(run)["id"].to_pylist())
    assert {row["reason"] for row, _ in copies} == {"exact_duplicate", "near_duplicate"}


def test_what_opted_out_was_not_even_cloned(run: Path) -> None:
    (plan,) = run.glob("02-acquire-*/side/plan")
    planned = {repo for path in plan.iterdir() for repo in pq.read_table(path, columns=["repo"])["repo"].to_pylist()}
    assert "acme/gpl-tool" in planned
    assert not {repo for repo in planned if repo.startswith("optedout/") or repo == "pallets/markupsafe"}


def test_planted_personal_data_stand_nowhere_but_in_documents_before_redaction(run: Path) -> None:
    found = [row for row in decisions(run, "redact") if row["action"] == "redact"]  # the others are left, by policy
    assert {"EMAIL", "IP_ADDRESS", "KEY"} <= {row["entity"] for row in found if row["repo"] == "acme/pii"}
    values = _planted_values(run, [row for row in found if row["repo"] == "acme/pii"])
    assert len(values) >= 5
    assert quarry("report", run).exit_code == 0
    raw = [path for name in ("02-acquire", "03-filter") for path in run.glob(f"{name}-*/documents")]
    for path in sorted(run.rglob("*")):
        if path.is_file() and path.parent not in raw:
            text = _readable(path)
            assert not [value for value in values if value in text], path


def _planted_values(run: Path, redactions: list[dict[str, Any]]) -> set[str]:
    """What was redacted, read from where it may still stand: the documents the redacting pass was given."""
    texts = {
        row["id"]: row["text"]
        for path in run.glob("03-filter-*/documents/*.parquet")
        for row in pq.read_table(path, columns=["id", "text"]).to_pylist()
    }
    return {texts[row["id"]][row["start"] : row["end"]] for row in redactions}


def _readable(path: Path) -> str:
    """Everything a file says: the cells of a Parquet file (tokens decoded), the text of any other."""
    if path.suffix != ".parquet":
        return path.read_bytes().decode("utf-8", "replace")
    table = pq.read_table(path)
    if "input_ids" in table.column_names:
        tokenizer = Tokenizer.from_file(str(path.parent.parent / "tokenizer.json"))
        return "\n".join(tokenizer.decode(ids, skip_special_tokens=False) for ids in table["input_ids"].to_pylist())
    return json.dumps(table.to_pylist(), ensure_ascii=False, default=str)


def test_every_document_decodes_to_its_text_byte_for_byte(run: Path) -> None:
    (documents,) = run.glob("04-deduplicate-*/documents")
    texts = {
        row["id"]: row["text"]
        for path in documents.iterdir()
        for row in pq.read_table(path, columns=["id", "text"]).to_pylist()
    }
    tokenizer = Tokenizer.from_file(str(run / "dataset/tokenizer.json"))
    rows = tokens(run).to_pylist()
    assert {row["id"] for row in rows} == texts.keys()
    assert len(rows) > 90
    for row in rows:
        ids = row["input_ids"]
        assert len(ids) == row["n_tokens"]
        assert ids[-1] == tokenizer.token_to_id("<|endoftext|>")
        assert tokenizer.decode(ids[row["text_start"] : -1], skip_special_tokens=False) == texts[row["id"]]
        header = tokenizer.decode(ids[: row["text_start"]], skip_special_tokens=False)
        assert header == "" or header.startswith(("<reponame>", "<filename>", "<gh_stars>"))


def test_pyarrow_datasets_and_duckdb_read_the_dataset(run: Path, tmp_path: Path) -> None:
    count = tokens(run).num_rows
    loaded = datasets.load_dataset(str(run / "dataset"), split="train", cache_dir=str(tmp_path))
    assert loaded.num_rows == count
    assert set(loaded[0]) == set(tokens(run).column_names)
    query = f"select count(*), sum(n_tokens), sum(len(input_ids)) from '{run}/dataset/data/*.parquet'"
    with duckdb.connect() as connection:
        assert connection.execute(query).fetchone()[0] == count
        rows, total, listed = connection.execute(query).fetchone()
    assert total == listed
    assert json.loads((run / "dataset/receipt.json").read_text())["documents"] == rows


def test_the_papers_of_the_dataset_tell_the_truth(run: Path) -> None:
    card = (run / "dataset/README.md").read_text()
    table = tokens(run)
    assert f"{table.num_rows:,} source files, {sum(table['n_tokens'].to_pylist()):,} tokens" in card
    attribution = (run / "dataset/ATTRIBUTION.md").read_text()
    for repo, commit in set(zip(table["repo"].to_pylist(), table["commit"].to_pylist(), strict=True)):
        assert f"| {repo} | `{commit}` |" in attribution


@pytest.mark.filterwarnings("ignore")  # mlcroissant's own use of pandas and rdflib
def test_croissant_is_valid_and_loads_the_documents(run: Path) -> None:
    dataset = mlcroissant.Dataset(run / "dataset/croissant.json")
    assert not dataset.metadata.ctx.issues.errors
    table = tokens(run).select(["repo", "path", "n_tokens"])
    rows = {
        (row["documents/repo"].decode(), row["documents/path"].decode()): row for row in dataset.records("documents")
    }
    assert len(rows) == table.num_rows
    for row in table.to_pylist():
        found = rows[row["repo"], row["path"]]
        assert found["documents/n_tokens"] == row["n_tokens"] == len(found["documents/input_ids"])


def test_another_configuration_replaces_the_dataset_and_leaves_no_stale_shard(folder: Path, run: Path) -> None:
    out = folder / "changed"
    recipe = folder / "plain.yaml"
    recipe.write_text(PLAIN.format(input=_two_repositories(folder)))
    run_whole(recipe, out)
    first = data_of(out)
    assert len(first) > 1
    ids = set(tokens(out)["id"].to_pylist())
    recipe.write_text(recipe.read_text().replace("shard_bytes: 3000", "shard_bytes: 1000000"))
    run_whole(recipe, out)
    assert data_of(out).keys() == {"00000.parquet"}
    recipe.write_text(recipe.read_text().replace("vocabulary: 600", "vocabulary: 300"))
    run_whole(recipe, out)
    assert set(tokens(out)["id"].to_pylist()) == ids
    assert max(tokens(out)["input_ids"].combine_chunks().flatten().to_pylist()) < 300
    recipe.write_text(PLAIN.format(input=_two_repositories(folder)))
    run_whole(recipe, out)
    assert data_of(out) == first


PLAIN = """
name: plain
repositories: {input}
passes:
  acquire: [{{acquire: {{shard_bytes: 3000}}}}]
  filter: [select, quality]
  deduplicate: [deduplicate, redact]
  tokenize: [{{tokenize: {{vocabulary: 600}}}}]
"""


def _two_repositories(folder: Path) -> Path:
    """A list of two small repositories with a near-copy and an e-mail address between them."""
    code = "\n".join(f"def function_{n}(argument):\n    return argument + {n}\n" for n in range(40))
    mail = "# ask " + "jane.doe" + "@" + "northwind-orchards.com\n"
    other = "\n".join(f"class Case{n}:\n    value = '{n * n}'\n    name = 'case {n}'\n" for n in range(40))
    commit_files(folder / "two/acme/one.git", {"a.py": code.encode(), "b.py": (other + mail).encode()})
    commit_files(folder / "two/acme/two.git", {"copy.py": (code + mail).encode(), "c.py": other[:700].encode()})
    listed = folder / "two/list.txt"
    listed.write_text(f"file://{folder}/two/acme/one.git\nfile://{folder}/two/acme/two.git\n")
    return listed


def test_kill_9_of_the_driver_at_ten_points_then_rerun_gives_the_undisturbed_run(tmp_path: Path) -> None:
    recipe = tmp_path / "plain.yaml"
    recipe.write_text(PLAIN.format(input=_two_repositories(tmp_path)))
    written = count_writes(run_whole, recipe, tmp_path / "whole")
    assert len(decisions(tmp_path / "whole", "deduplicate")) == 1
    named = {
        "between data and receipt": next(n for n, p in enumerate(written, 1) if "/receipts/" in p),
        "inside prepare": next(n for n, p in enumerate(written, 1) if "deduplicate" in p and "/side/" in p),
        "in publish, moving": next(n for n, p in enumerate(written, 1) if p.startswith("dataset/data/")) + 1,
        "in publish, papers": written.index("dataset/README.md") + 1,
        "before the manifest": written.index("manifest.json") + 1,
    }
    others = random.Random(5).sample(sorted(set(range(2, len(written))) - set(named.values())), 5)
    whole = contents(tmp_path / "whole") | data_of(tmp_path / "whole")
    for die_at, out in killed_runs(run_whole, recipe, tmp_path, [*named.values(), *others]):
        run_whole(recipe, out)
        assert contents(out) | data_of(out) == whole, f"killed at write {die_at}: {written[die_at - 1]}"
        assert not list(out.rglob("*.tmp-*"))
        assert {p.name for p in (out / "dataset").iterdir()} == {p.name for p in (tmp_path / "whole/dataset").iterdir()}


def test_a_repository_that_could_not_be_reached_is_tried_again_by_the_next_run(tmp_path: Path) -> None:
    commit_files(tmp_path / "remotes/one", {"one.py": b"print('one')\n" * 20})
    commit_files(tmp_path / "remotes/two", {"two.py": b"print('two')\n" * 20})
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("name: retry\nrepositories: list.txt\npasses:\n  acquire: [{acquire: {retries: 0}}]\n")
    answers = {"two": 503}
    with served(tmp_path / "remotes", answers) as url:
        (tmp_path / "list.txt").write_text(f"{url}/one\n{url}/two\n")
        run_whole(recipe, tmp_path / "run")
        (failed,) = decisions(tmp_path / "run")
        assert (failed["reason"], json.loads(failed["detail"])["transient"]) == ("repository_unreachable", True)
        commit_files(tmp_path / "remotes/one", {"later.py": b"print('later')\n"})
        answers.clear()
        run_whole(recipe, tmp_path / "run")
    run = load_run(str(tmp_path / "run"), CATALOG)
    (receipt,) = run.passes[0].receipts.values()
    kept = run.store.read_table(receipt["documents"]["path"])
    assert kept["path"].to_pylist() == ["one.py", "two.py"]  # and no later state of the repository that was there
    assert decisions(tmp_path / "run") == []
    before = state(tmp_path / "run")
    run_whole(recipe, tmp_path / "run")
    assert state(tmp_path / "run") == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"recipe": "name: [x"}, "this is not valid YAML"),
        (
            {"arguments": ["--set", "license.keeep=[permissive]"]},
            "stage 'license' has no field 'keeep'; did you mean 'keep'?",
        ),
        ({"arguments": ["--set", "quality.nothing=1"]}, "stage 'quality' has no field 'nothing'"),
        ({"arguments": ["--set", "acquire.shard_bytes=many"]}, "stage 'acquire', field 'shard_bytes': 'many'"),
        ({"arguments": ["--set", "repositories=gone.txt"]}, "cannot read the repository list"),
        ({"arguments": ["--set", "repositories={empty}"]}, "names no repository"),
        ({"arguments": ["--set", "gate.requests=gone.txt"]}, "field 'requests': there is no file"),
        ({"arguments": ["--ray", "127.0.0.1:9"]}, "there is no Ray cluster at '127.0.0.1:9'"),
        ({"arguments": ["--inline", "--workers", "2"]}, "--inline works in this process"),
        ({"recipe": None}, "cannot read recipe"),
    ],
)
def test_what_a_user_gets_wrong_is_one_sentence_and_exit_code_2(
    change: dict[str, Any], said: str, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.txt").write_text("# nothing\n")
    recipe = folder / "recipe.yaml"
    if "recipe" in change:
        recipe = tmp_path / "recipe.yaml"
        if change["recipe"]:
            recipe.write_text(change["recipe"])
    arguments = [text.format(empty=tmp_path / "empty.txt") for text in change.get("arguments", [])]
    done = quarry("run", recipe, "--out", tmp_path / "out", *arguments)
    assert done.exit_code == 2, done.stderr
    *notes, sentence = done.stderr.splitlines()
    assert said in sentence
    assert all(note.startswith("note: ") for note in notes)


def test_plan_says_what_would_run_and_does_nothing(folder: Path, run: Path, tmp_path: Path) -> None:
    planned = quarry("run", folder / "recipe.yaml", "--out", tmp_path / "out", "--plan", "--json")
    assert [row["to_do"] for row in json.loads(planned.stdout)["passes"]] == [True] * 5
    assert not (tmp_path / "out").exists()
    changed = quarry(
        "run", folder / "recipe.yaml", "--out", run, "--plan", "--json", "--set", "deduplicate.threshold=0.8"
    )
    assert [row["to_do"] for row in json.loads(changed.stdout)["passes"]] == [False, False, False, True, True]


def test_plan_takes_time_and_volume_from_an_earlier_run(folder: Path, run: Path, tmp_path: Path) -> None:
    def planned(*arguments: object) -> Any:
        return json.loads(quarry("run", folder / "recipe.yaml", "--plan", "--json", *arguments).stdout)

    unknown = planned("--out", tmp_path / "out")
    assert (unknown["rates_from"], unknown["seconds"], unknown["clone_bytes"]) == (None, None, None)
    same = planned("--out", tmp_path / "out", "--rates", run, "--workers", 1)
    lines = (folder / "input/repositories.txt").read_text().splitlines()
    listed = [line for line in lines if line and not line.startswith("#")]
    stored = sum(path.stat().st_size for path in run.glob("*/documents/*.parquet") if "repositories" not in str(path))
    stored += sum(path.stat().st_size for path in run.glob("dataset/data/*.parquet"))
    assert same["disk_bytes"] == stored
    assert same["clone_bytes"] > 0 < same["seconds"]
    (tmp_path / "half.txt").write_text("\n".join(listed[1::2]))
    half = planned("--out", tmp_path / "out", "--rates", run, "--set", f"repositories={tmp_path}/half.txt")
    share = half["repositories"] / same["repositories"]
    assert half["clone_bytes"] == pytest.approx(share * same["clone_bytes"], abs=1)
    assert half["seconds"] < same["seconds"]
    done = planned("--out", run)
    assert (done["seconds"], done["disk_bytes"], done["clone_bytes"]) == (0, 0, 0)
    nowhere = quarry("run", folder / "recipe.yaml", "--out", tmp_path / "out", "--plan", "--rates", tmp_path)
    assert nowhere.exit_code == 2
    assert "holds no complete run to take rates from" in nowhere.stderr


def test_damaged_files_of_a_run_are_made_again_or_named(tmp_path: Path) -> None:
    recipe, out = tmp_path / "plain.yaml", tmp_path / "run"
    recipe.write_text(PLAIN.format(input=_two_repositories(tmp_path)))
    run_whole(recipe, out)
    whole = contents(out) | data_of(out)
    for pattern in ("02-*/receipts/00000.json", "*/prepared.json", "manifest.json", "dataset/receipt.json"):
        for damage in ("", "{}", '{"documents": ', "[]"):
            for path in out.glob(pattern):
                path.write_text(damage)
            run_whole(recipe, out)
            assert contents(out) | data_of(out) == whole, (pattern, damage)
            json.loads((out / "manifest.json").read_text())
    for pattern in ("03-*/decisions/00000.parquet", "dataset/data/00001.parquet", "dataset/README.md"):
        for path in out.glob(pattern):
            path.unlink()
        run_whole(recipe, out)
        assert contents(out) | data_of(out) == whole, pattern
        assert (out / "dataset/README.md").exists()
    (damaged,) = out.glob("01-*/documents/00000.parquet")
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    recipe.write_text(recipe.read_text().replace("quality]", "{quality: {drop_xml: false}}]"))
    with pytest.raises(RunFailed, match=r"00000.parquet' is damaged .*; remove it and run again"):
        run_whole(recipe, out)
    damaged.unlink()
    run_whole(recipe, out)
    assert data_of(out) == {name: data for name, data in whole.items() if "/" not in name}
