"""A run over texts with planted values of every entity, redacted by the real stage: for tests of the audit."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from pipeline.inline import InlineExecutor
from pipeline.recipe import load_recipe
from pipeline.run import execute
from pipeline.state import Run
from stages.catalog import CATALOG
from stages.publish import publish
from tests.small_run import COMMIT, Quiet

KEY = "gh" + "p_" + "zB4kW9tQ2mXc7LrV1nYd5HsJ8fGa3PeU6oKi"
PASSWORD = "hunter2-Zx9q"
USERNAME = "zebquarter77"
NAME = "Zebulon Quartermain"
OTHER_NAME = "Philippa Ravensbourne"
PLANTED = {
    "NAME": (NAME, OTHER_NAME),
    "EMAIL": ("zeb.quartermain@northwind-orchards.com", "иван.редкий@почта.рф"),
    "IP_ADDRESS": ("93.184.216.77", "2a00:1450:4001:81b::200e"),
    "USERNAME": (USERNAME,),
    "PASSWORD": (PASSWORD,),
    "KEY": (KEY,),
}
VALUES = [value for values in PLANTED.values() for value in values]
PRIVATE = "10.20.30.40"  # found, and left by policy
MISSED = "+49 30 5550 1234"  # nothing that any recognizer knows


def texts() -> dict[str, str]:
    """ "owner/name:path" -> text."""
    mail, cyrillic = PLANTED["EMAIL"]
    first, second = PLANTED["IP_ADDRESS"]
    found = {
        "acme/tool:main.py": f"# written by {NAME}, 2012\n# ask {mail}\nhost = '{first}'\nnear = '{PRIVATE}'\n",
        "acme/tool:emoji.py": f"x = '👩‍💻 é' # {mail} {cyrillic}\n# thanks to {OTHER_NAME} and {NAME}!\n",
        "acme/tool:conf.yaml": f"url: postgres://app:{PASSWORD}@db.northwind-orchards.com/x\ntoken: {KEY}\n",
        "acme/tool:notes.md": f"Thanks to our friend, contact {MISSED}.\n\n{'wide ' * 300}\nhome: /home/{USERNAME}/x\n",
        "other/lib:a.c": f'/* {mail} */\nconst char *peer = "{second}";\nint main(void) {{ return 0; }}\n',
    }
    generator = random.Random(5)
    for number in range(40):
        lines = [f"value_{generator.randrange(10**6)} = {generator.randrange(10**6)}" for _ in range(20)]
        lines[generator.randrange(20)] = f"# user{number}@company-{number % 7}-orchards.com wrote this at {first}"
        found[f"many/repo{number % 8}:f{number}.py"] = "\n".join(lines) + "\n"
    return found


def executed(
    folder: Path,
    given: Mapping[str, str] | None = None,
    *,
    passes: Mapping[str, Any] | None = None,
    redact: Mapping[str, Any] | None = None,
    with_key: bool = True,
    **options: Any,
) -> Run:
    """The run in folder/run over these texts."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"repo": key.partition(":")[0], "commit": COMMIT, "path": key.partition(":")[2], "text": text, "license": "MIT"}
        for key, text in (texts() if given is None else given).items()
    ]
    endings = {"py": "python", "yaml": "yaml", "md": "markdown", "c": "c"}
    for row in rows:
        row["language"] = endings.get(row["path"].rpartition(".")[2], "text")
    pq.write_table(pa.Table.from_pylist(rows), folder / "texts.parquet")
    (folder / "hmac.key").write_bytes(b"0123456789abcdef0123456789abcdef")
    (folder / "names.yaml").write_text(yaml.safe_dump({"recognizers": _recognizers()}))
    columns = {name: name for name in ("repo", "commit", "path", "text", "license", "language")}
    stage: dict[str, Any] = {
        "recognizer_files": [str(folder / "names.yaml")],
        "ner": {"enabled": False},
        **({"hmac_key": str(folder / "hmac.key")} if with_key else {}),
        **(redact or {}),
    }
    default = {
        "acquire": [{"acquire_dataset": {"path": str(folder / "texts.parquet"), "columns": columns}}],
        "redact": [{"redact": stage}],
        "sample": [{"sample": {"seed": 0}}],
    }
    listed = {name: stages for name, stages in {**default, **(passes or {})}.items() if stages}
    recipe = {"name": "audited", "passes": listed}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    loaded = load_recipe(str(folder / "recipe.yaml"), CATALOG)
    return execute(loaded, str(folder / "run"), lambda: nullcontext(InlineExecutor()), Quiet(), publish, **options)


def _recognizers() -> list[dict[str, Any]]:
    """Recognizers, as Presidio writes them, that know the planted names alone; so no model is needed."""
    known = {"PERSON": ("planted_names", f"{NAME}|{OTHER_NAME}", 0.7), "USERNAME": ("planted_accounts", USERNAME, 0.6)}
    return [
        {
            "name": name,
            "supported_entity": entity,
            "supported_language": "en",
            "patterns": [{"name": "planted", "regex": regex, "score": score}],
        }
        for entity, (name, regex, score) in known.items()
    ]
