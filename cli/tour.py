"""The end of `make demo`: what happened to the planted cases, and where to look. `python -m cli.tour RUN`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pipeline.errors import QuarryError
from pipeline.state import load_run
from reports.figures import read_figures
from reports.why import Answer, why
from reports.why_repository import RepositoryAnswer
from stages.catalog import CATALOG

PLANTED = (
    "acme/gpl-tool",
    "acme/no-license",
    "forker/click",
    "acme/pii",
    "acme/oddities",
    "acme/puzzles",
    "optedout/secret-sauce",
)


def main(directory: str) -> None:
    """Print the tour of a finished demo run."""
    run = load_run(directory, CATALOG)
    figures = read_figures(run)
    print(f"\n{run.recipe.name}: {run.repositories.num_rows} repositories, {figures.documents_in:,} files found;")
    print(f"{figures.documents:,} documents, {figures.tokens or 0:,} tokens in the dataset.")
    print("\nWhat became of the planted cases:")
    for repo in PLANTED:
        print("\n".join(_lines(why(run, repo))))
    curves = sorted(Path(directory).glob("checkpoints/*/loss.jsonl"))
    if curves:
        records = [json.loads(line) for line in curves[-1].read_text().splitlines()]
        print(
            f"\nThe model's loss fell from {records[0]['loss']:.2f} to {records[-1]['loss']:.2f} "
            f"in {records[-1]['step']} steps."
        )
    print("\nLook at:")
    for path in ("report/index.html", "dataset/README.md", "dataset/ATTRIBUTION.md"):
        print(f"  {directory}/{path}")
    for curve in curves:
        print(f"  {curve.with_suffix('.png')}")
    print(f"Ask: .venv/bin/quarry why {directory} forker/click:click/core.py")


def _lines(answer: Answer) -> list[str]:
    """A repository in a few lines: the verdict, and the weightiest reasons."""
    if not isinstance(answer, RepositoryAnswer):
        raise TypeError("the planted cases are repositories")
    lines = [f"  {answer.repo}: {answer.verdict}"] + [f"      {sentence}" for sentence in answer.decisions]
    for dropped in sorted(answer.dropped, key=lambda group: -group.count)[:2]:
        lines.append(f"      {dropped.count} dropped by {dropped.stage}: {dropped.examples[0]['sentence']}")
    if answer.redactions:
        lines.append(f"      redacted: {', '.join(f'{count} {entity}' for entity, count in answer.redactions.items())}")
    return lines


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except QuarryError as error:
        sys.exit(f"quarry: {error}")
