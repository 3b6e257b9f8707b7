"""A run over texts given as such, deduplicated by the real stage: for tests of what reads signatures and edges."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from pipeline.inline import InlineExecutor
from pipeline.recipe import load_recipe
from pipeline.run import execute
from pipeline.stage import Stage
from pipeline.state import Run
from stages.acquire_dataset import AcquireDataset
from stages.deduplicate import Deduplicate
from stages.publish import publish
from tests.small_run import CATALOG as SMALL
from tests.small_run import COMMIT, SECRET, Quiet

CATALOG: dict[str, type[Stage]] = {**SMALL, "acquire_dataset": AcquireDataset, "deduplicate": Deduplicate}


def lines(seed: int, count: int = 60) -> list[str]:
    """Lines of words that no other seed has."""
    generator = random.Random(seed)
    return [" ".join(f"w{seed}x{generator.randrange(10_000)}" for _ in range(6)) for _ in range(count)]


def edited(seed: int, changed: int) -> str:
    """The text of `seed` with its last lines replaced."""
    text = lines(seed)
    return "\n".join(text[: len(text) - changed] + lines(seed + 1000, changed))


TEXTS = {
    "acme/tool:a.py": edited(1, 0),
    "acme/tool:b.py": edited(2, 0),
    "acme/tool:mail.py": f"# ask {SECRET}\n" + edited(3, 0),
    "acme/tool:short.py": "x = 1",
    "copier/tool:a.py": edited(1, 0),  # dropped as equal to acme's
    "copier/tool:a2.py": edited(1, 4),  # dropped as nearly equal
}


def executed(
    folder: Path,
    texts: Mapping[str, str] = TEXTS,
    unite: Sequence[Any] = ("deduplicate",),
    tokenize: bool = True,
    stop_at: str = "",
    **options: Any,
) -> Run:
    """A run over these texts ("owner/name:path" -> text): the stages `unite`, then redaction and tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"repo": key.partition(":")[0], "commit": COMMIT, "path": key.partition(":")[2], "text": text, "license": "MIT"}
        for key, text in texts.items()
    ]
    stars = [9 if row["repo"].startswith("acme/") else 0 for row in rows]
    pq.write_table(pa.Table.from_pylist(rows).append_column("stars", pa.array(stars)), folder / "texts.parquet")
    columns = {name: name for name in ("repo", "commit", "path", "text", "license", "stars")}
    passes: dict[str, Any] = {
        "acquire": [{"acquire_dataset": {"path": str(folder / "texts.parquet"), "columns": columns}}],
        "unite": [*unite, "hide"] if tokenize else [*unite],
    }
    if tokenize:
        passes["tokenize"] = ["count"]
    return continued(folder, passes, stop_at, **options)


def continued(folder: Path, passes: Mapping[str, Any], stop_at: str = "", **options: Any) -> Run:
    """The run in folder/run, of these passes."""
    (folder / "recipe.yaml").write_text(yaml.safe_dump({"name": "traced", "passes": passes}, sort_keys=False))
    recipe = load_recipe(str(folder / "recipe.yaml"), CATALOG)
    executor = nullcontext(InlineExecutor())
    return execute(recipe, str(folder / "run"), lambda: executor, Quiet(stop_at), publish, **options)
