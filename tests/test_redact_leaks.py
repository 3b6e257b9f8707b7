"""No file of a run but the documents before redaction holds a value that was planted, whatever its entity and form.

A run by the installed stages over two small repositories, with values of all entities in the forms they have in code:
in files that are kept, that are dropped as copies, and that are rejected; then every file of the run is searched, and
what the commands print about it.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer
from typer.testing import CliRunner

from cli.main import app
from pii.options import NerOptions
from tests.gitrepos import commit_files

# Written in halves, so that no scanner takes them for secrets of this repository.
PLANTED = {
    "EMAIL": ["maria.lindqvist" + "@northwind-orchards.com", "m.gonzalez" + "@orchard-mail.net"],
    "IP_ADDRESS": ["93.184." + "217.48", "2a00:1450:4001:" + "81b::200e"],
    "KEY": [
        "gh" + "p_" + "zB4kW9tQ2mXc7LrV1nYd5HsJ8fGa3PeU6oKi",
        "AK" + "IA" + "Q7WXN5ZTKMRB3LVY",
        "MIIcW9tQ2mXc7LrV1nYd5HsJ8fGa3PeU6oKiZb4k",
    ],
    "PASSWORD": ["gr4nit-" + "Harbour-92", "Zq8!" + "vorlage_Tuer", "t1dewater" + "Kiln55"],
    "USERNAME": ["gonzalezm" + "84", "lindqvist" + "-jonas"],
    "NAME": ["Theodora " + "Lindqvist", "Ignacio " + "Villanueva"],
}
HEAD = """# Author: {NAME[0]} <{EMAIL[0]}>
# Signed-off-by: {NAME[1]} <{EMAIL[1]}>
# TODO({USERNAME[0]}): ask https://github.com/{USERNAME[1]} why
"""
CONFIG = """
HOST, OTHER = "{IP_ADDRESS[0]}", "{IP_ADDRESS[1]}"
TOKEN = "{KEY[0]}"
aws_access_key_id = "{KEY[1]}"
PEM = \"\"\"-----BEGIN {PRIVATE}-----
{KEY[2]}
{KEY[2]}
-----END {PRIVATE}-----\"\"\"
DATABASE = "postgres://{USERNAME[0]}:{PASSWORD[0]}@db.northwind-orchards.com:5432/shop"
password = "{PASSWORD[1]}"
login(user="{USERNAME[0]}", password="{PASSWORD[2]}")
"""
RECIPE = """
name: leaks
repositories: {folder}/list.txt
passes:
  acquire: [{{acquire: {{shard_bytes: 4000}}}}]
  filter: [select, quality]
  deduplicate:
    - deduplicate
    - redact: {{hmac_key: {folder}/key}}
  tokenize: [{{tokenize: {{vocabulary: 600}}}}]
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("leaks")
    body = "\n".join(f"def function_{n}(argument):\n    return argument + {n}\n" for n in range(40))
    private = "PRIVATE" + " KEY"
    head, config = HEAD.format(**PLANTED), CONFIG.format(PRIVATE=private, **PLANTED)
    other = body.replace("argument", "quantity")
    files = {
        "kept.py": head + config + body,
        "config.yaml": "".join(f"section_{n}:\n  size: {n}\n" for n in range(30))
        + f"password: {PLANTED['PASSWORD'][1]}\nhost: {PLANTED['IP_ADDRESS'][0]}\nowner: {PLANTED['EMAIL'][0]}\n",
        "rejected.py": head + config + 'x = "' + "y" * 3000 + '"\n',
    }
    copied = {"copy.py": head + config + body + "\nx = 1\n", "other.py": config + other}
    commit_files(folder / "acme/one.git", {name: text.encode() for name, text in files.items()})
    commit_files(folder / "acme/two.git", {name: text.encode() for name, text in copied.items()})
    (folder / "list.txt").write_text(f"file://{folder}/acme/one.git\nfile://{folder}/acme/two.git\n")
    (folder / "key").write_bytes(b"k" * 32)
    (folder / "recipe.yaml").write_text(RECIPE.format(folder=folder))
    done = CliRunner().invoke(app, ["run", str(folder / "recipe.yaml"), "--out", str(folder / "run"), "--inline"])
    assert done.exit_code == 0, done.output
    assert not in_text(done.output)
    return folder / "run"


def in_text(text: str) -> list[str]:
    """Which of the planted values `text` holds; names only where the model that finds them is on."""
    values = [value for entity, its in PLANTED.items() for value in its if entity != "NAME" or NerOptions().enabled]
    return [value for value in values if value in text]


def redactions(run: Path) -> list[dict[str, Any]]:
    return [
        row
        for path in run.glob("*-deduplicate-*/decisions/*.parquet")
        for row in pq.read_table(path).to_pylist()
        if row["stage"] == "redact"
    ]


def test_no_file_but_raw_documents_holds_a_planted_value(run: Path) -> None:
    assert CliRunner().invoke(app, ["report", str(run)]).exit_code == 0
    raw = {path for name in ("acquire", "filter") for path in run.glob(f"*-{name}-*/documents")}
    searched = 0
    for path in sorted(run.rglob("*")):
        if path.is_file() and path.parent not in raw:
            assert not in_text(readable(path)), path
            searched += 1
    assert searched > 20


def test_every_entity_was_planted_found_and_replaced(run: Path) -> None:
    texts = {
        row["id"]: row["text"]
        for path in run.glob("*-filter-*/documents/*.parquet")
        for row in pq.read_table(path, columns=["id", "text"]).to_pylist()
    }
    found = redactions(run)
    replaced = {texts[row["id"]][row["start"] : row["end"]] for row in found if row["action"] == "redact"}
    for entity, values in PLANTED.items():
        if entity != "NAME" or NerOptions().enabled:
            missed = [value for value in values if not any(value in one for one in replaced)]
            assert not missed, entity
    assert all(row["value_hmac"] and len(row["value_hmac"]) == 64 for row in found)
    assert len({row["value_hmac"] for row in found}) < len(found)  # equal values can be told


def test_what_the_commands_print_holds_none(run: Path) -> None:
    rows = pq.read_table(next(iter(sorted(run.glob("*-acquire-*/documents/*.parquet")))))
    targets = ["acme/one", "acme/two", "acme/one:kept.py", "acme/two:copy.py", "acme/one:rejected.py"]
    for command in [["why", str(run), target] for target in targets]:
        for extra in ([], ["--json"]):
            done = CliRunner().invoke(app, [*command, *extra])
            assert done.exit_code == 0, done.output
            assert not in_text(done.output), command
    text = rows.column("text")[0].as_py()
    done = CliRunner().invoke(app, ["trace", str(run), "-", "--near", "--excerpts", "--copies"], input=text)
    assert not in_text(done.output)


def test_the_decisions_say_what_was_left_and_why(run: Path) -> None:
    actions = Counter((row["action"], row["reason"].startswith("left_")) for row in redactions(run))
    assert actions.keys() <= {("redact", False), ("note", True)}


def readable(path: Path) -> str:
    """Everything a file says: the cells of a Parquet file (tokens decoded), the text of any other."""
    if path.suffix != ".parquet":
        return path.read_bytes().decode("utf-8", "replace")
    table = pq.read_table(path)
    if "input_ids" in table.column_names:
        tokenizer = Tokenizer.from_file(str(path.parent.parent / "tokenizer.json"))
        return "\n".join(tokenizer.decode(ids, skip_special_tokens=False) for ids in table["input_ids"].to_pylist())
    return json.dumps(table.to_pylist(), ensure_ascii=False, default=str)
