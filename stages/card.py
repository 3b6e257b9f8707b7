"""The dataset's papers: the card with Hub front matter, and ATTRIBUTION.md, both counted from the published shards."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import yaml

from pipeline.manifest import merge_stages
from pipeline.state import Run

SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
)


def dataset_card(run: Run) -> str:
    """README.md of the dataset, Markdown with YAML front matter as the Hub reads it."""
    total = _count(run, [])[0]
    front_matter = {
        "pretty_name": run.recipe.name,
        "license": "other",
        "license_name": "mixed-see-attribution",
        "license_link": "ATTRIBUTION.md",
        "language": ["code"],
        "task_categories": ["text-generation"],
        "size_categories": [_size_category(total["documents"])],
        "configs": [{"config_name": "default", "data_files": "data/*.parquet"}],
    }
    return f"""---
{yaml.safe_dump(front_matter, sort_keys=False, allow_unicode=True)}---

# {run.recipe.name}

{total["documents"]:,} source files, {total["tokens"]:,} tokens, one row a file, made by Quarry from
{run.repositories.num_rows:,} listed repositories. Every row names its repository, commit, path, git blob and licence.

## Columns

{_table(["column", "type", "meaning"], [[f"`{f.name}`", str(f.type), _meaning(f)] for f in _schema(run)])}

Tokens before `text_start` are the template's header (`<reponame>`, `<filename>`, `<gh_stars>`); those from it to the
last, which is `<|endoftext|>`, decode with `tokenizer.json` to the file's text after redaction, byte for byte. Files
are not packed and fill-in-the-middle is not applied: both happen when the shards are loaded.

## Languages

{_counted(run, "language")}

## Licences

{_counted(run, "license")}

Licences are judged per repository, by its licence files at the root; files under another licence inside a repository
are not told apart yet. Terms of the licences apply to the files: see ATTRIBUTION.md.

## Splits

{_counted(run, "split")}

`split` goes by repository: no repository is in both.

## How it was made

Each stage's documents in and out, from the run's receipts:

{_table(["pass", "stage", "documents in", "documents out", "dropped because"], _process(run))}

Personal data: e-mail addresses, public IP addresses and secrets of well-known formats are replaced by placeholders;
names, usernames and secrets of unknown formats are not found yet and may be left.

## Opt-out and removal

Repositories of owners on the opt-out list are not cloned, and are checked again before tokenization. Whoever finds code
of theirs here can ask the publisher of this dataset to take it out: the publisher adds the owner or repository to the
list and runs the recipe again. Whoever uses the dataset should move to the newest version.

## Known limits

Code is as its authors left it: with bugs, with vulnerabilities, with comments that may offend. Licence detection can be
wrong. Near-copies under {_threshold(run)} Jaccard similarity remain.
"""


def attribution(run: Run) -> str:
    """ATTRIBUTION.md: every repository in the dataset with its commit, licence and number of files."""
    rows = [
        [row["repo"], f"`{row['commit']}`", row["license"] or "none", f"{row['documents']:,}"]
        for row in _count(run, ["repo", "commit", "license"])
    ]
    return (
        "# Attribution\n\nThe files of this dataset come from these repositories, under the licences named.\n\n"
        f"{_table(['repository', 'commit', 'licence', 'files'], rows)}\n"
    )


def _count(run: Run, keys: list[str]) -> list[dict[str, Any]]:
    """Documents and tokens of the published shards by `keys`, sorted by them; one row without keys."""
    parts = [_schema(run).empty_table().select([*keys, "n_tokens"])]
    for name in run.store.names("dataset/data"):
        parts.append(run.store.read_table(f"dataset/data/{name}", [*keys, "n_tokens"]))
    grouped = pa.concat_tables(parts).group_by(keys).aggregate([("n_tokens", "count"), ("n_tokens", "sum")])
    rows = [
        {key: row[key] for key in keys} | {"documents": row["n_tokens_count"], "tokens": row["n_tokens_sum"] or 0}
        for row in grouped.to_pylist()
    ]
    return sorted(rows, key=lambda row: [str(row[key]) for key in keys])


def _counted(run: Run, key: str) -> str:
    rows = sorted(_count(run, [key]), key=lambda row: (-row["tokens"], str(row[key])))
    return _table(
        [key, "files", "tokens"], [[row[key] or "none", f"{row['documents']:,}", f"{row['tokens']:,}"] for row in rows]
    )


def _process(run: Run) -> list[list[str]]:
    rows = []
    for this in run.passes:
        for stage in merge_stages(this.receipts.values()):
            drops = sorted(stage["decisions"].get("drop", {}).items(), key=lambda item: (-item[1], item[0]))
            reasons = ", ".join(f"{reason} ({count:,})" for reason, count in drops)
            documents = [f"{stage['documents_in']:,}", f"{stage['documents_out']:,}"]
            rows.append([this.part.name, stage["stage"], *documents, reasons])
    return rows


def _threshold(run: Run) -> str:
    fields = [
        named.stage.model_dump() for this in run.passes for named in this.part.stages if named.kind == "deduplicate"
    ]
    return f"{fields[-1]['threshold']}" if fields else "any"


def _schema(run: Run) -> pa.Schema:
    first = next(iter(run.store.names("dataset/data")), None)
    gives: pa.Schema = run.passes[-1].part.stages[-1].stage.gives
    return gives if first is None else run.store.read_schema(f"dataset/data/{first}")


def _meaning(column: pa.Field) -> str:
    return (column.metadata or {}).get(b"meaning", b"").decode()


def _size_category(documents: int) -> str:
    return next((name for limit, name in SIZES if documents < limit), "n>1B")


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines
    )
