"""The dataset's papers for people: the card with Hub front matter, and ATTRIBUTION.md."""

from __future__ import annotations

import json

import pyarrow as pa
import yaml

from pipeline.state import Run
from stages.facts import Facts

SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
)


def dataset_card(run: Run, facts: Facts) -> str:
    """README.md of the dataset, Markdown with YAML front matter as the Hub reads it."""
    about = run.recipe.about
    title = about.title or run.recipe.name
    front_matter = {
        "pretty_name": title,
        "license": "other",
        "license_name": "mixed-see-attribution",
        "license_link": "ATTRIBUTION.md",
        "language": ["code"],
        "tags": ["code", "tokenized"],
        "task_categories": ["text-generation"],
        "size_categories": [_size_category(facts.by()[0]["documents"])],
        "configs": [{"config_name": "default", "data_files": "data/*.parquet"}],
    }
    return f"""---
{yaml.safe_dump(front_matter, sort_keys=False, allow_unicode=True)}---

# {title}

{"".join(f"{paragraph}{chr(10)}{chr(10)}" for paragraph in (about.description,) if paragraph)}{facts.sentence}
Version {about.version}{f", published {about.published}" if about.published else ""}. Every row names its repository,
commit, path, git blob and licence. `croissant.json` says the same for programs.

## Columns

{_table(["column", "type", "meaning"], [[f"`{f.name}`", str(f.type), _meaning(f)] for f in facts.schema])}

Tokens before `text_start` are the template's header (`<reponame>`, `<filename>`, `<gh_stars>`); those from it to the
last, which is `<|endoftext|>`, decode with `tokenizer.json` to the file's text after redaction, byte for byte. Files
are not packed and fill-in-the-middle is not applied: both happen when the shards are loaded.

## Languages

{_counted(facts, "language")}

## Licences

{_counted(facts, "license")}

Terms of the licences apply to the files: see ATTRIBUTION.md.

## Splits

{_counted(facts, "split")}

`split` goes by repository: no repository is in both.

## How it was made

{facts.collection} Each stage's documents in and out, from the run's receipts:

{_process(facts)}

Settings of the stages; a file counts by the digest of its content:

{_settings(facts)}

## Personal data

{" ".join(facts.personal)}

## Opt-out and removal

{facts.removal}

## Known limits

{"".join(f"- {limit}{chr(10)}" for limit in facts.limits)}"""


def attribution(facts: Facts) -> str:
    """ATTRIBUTION.md: every repository in the dataset with its commit, licence and number of files."""
    rows = [
        [row["repo"], f"`{row['commit']}`", row["license"] or "none", f"{row['documents']:,}"]
        for row in facts.by("repo", "commit", "license")
    ]
    return (
        "# Attribution\n\nThe files of this dataset come from these repositories, under the licences named.\n\n"
        f"{_table(['repository', 'commit', 'licence', 'files'], rows)}\n"
    )


def _counted(facts: Facts, key: str) -> str:
    rows = [[row[key] or "none", f"{row['documents']:,}", f"{row['tokens']:,}"] for row in facts.largest(key)]
    return _table([key, "files", "tokens"], rows)


def _process(facts: Facts) -> str:
    rows = [
        [
            row["pass"],
            row["stage"],
            f"{row['in']:,}",
            f"{row['out']:,}",
            ", ".join(f"{reason} ({count:,})" for reason, count in row["drops"].items()),
        ]
        for row in facts.stages
    ]
    return _table(["pass", "stage", "documents in", "documents out", "dropped because"], rows)


def _settings(facts: Facts) -> str:
    rows = [[row["stage"], f"`{json.dumps(row['settings'], sort_keys=True)}`"] for row in facts.stages]
    return _table(["stage", "settings"], rows)


def _meaning(column: pa.Field) -> str:
    return (column.metadata or {}).get(b"meaning", b"").decode()


def _size_category(documents: int) -> str:
    return next((name for limit, name in SIZES if documents < limit), "n>1B")


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines
    )
