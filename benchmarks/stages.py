"""Time, MB/s and peak memory of every stage on one core: `python -m benchmarks.stages REPOSITORIES [RECIPE]`.

The recipe is run with each stage in a pass of its own, pass after pass, each in a fresh process with `--inline`: so a
process's peak memory is its stage's, preparation included. Kernels are compiled before, by a run that is not counted.
MB are 10^6 bytes of text that came in (for acquire: of blobs; for tokenize: of text).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from pipeline.manifest import merge_stages
from pipeline.state import load_run
from stages.catalog import CATALOG


def measure(repositories: str, recipe: str = "recipes/demo.yaml") -> list[dict[str, Any]]:
    """One row a stage: name, documents and MB in, seconds (prepare, apply), MB/s, peak MB."""
    with tempfile.TemporaryDirectory() as folder:
        opt_out = Path(folder) / "opt-out.txt"
        opt_out.write_text("nobody-at-all\n")
        stages = _stages(recipe, str(opt_out))
        _run(stages, repositories, Path(folder), "warm", len(stages))
        rows = []
        for count in range(1, len(stages) + 1):
            peak = _run(stages, repositories, Path(folder), "run", count)
            this = load_run(f"{folder}/run", CATALOG).passes[-1]
            (stage,) = merge_stages(this.receipts.values())
            prepare = this.prepared["seconds"] if this.prepared else 0.0
            seconds = prepare + stage["seconds"]
            rows.append(
                {
                    "stage": stage["stage"],
                    "documents": stage["documents_in"],
                    "MB": stage["bytes_in"] / 1e6,
                    "prepare": prepare,
                    "apply": stage["seconds"],
                    "MB/s": stage["bytes_in"] / 1e6 / seconds,
                    "peak MB": peak / 1e6,
                }
            )
        return rows


def _stages(recipe: str, opt_out: str) -> list[dict[str, Any]]:
    """The recipe's stages as one-key mappings, opt-out lists replaced by an empty one."""
    stages = []
    for listed in yaml.safe_load(Path(recipe).read_text())["passes"].values():
        for item in listed:
            ((kind, fields),) = ({item: {}} if isinstance(item, str) else item).items()
            fields = dict(fields or {}) | ({"requests": opt_out} if kind == "opt_out" else {})
            stages.append({kind: fields})
    return stages


def _run(stages: list[dict[str, Any]], repositories: str, folder: Path, out: str, count: int) -> int:
    """Run the first `count` stages into folder/out; the process's peak memory in bytes."""
    passes = {f"p{number}": [stage] for number, stage in enumerate(stages[:count])}
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        yaml.safe_dump({"name": "bench", "repositories": os.path.abspath(repositories), "passes": passes})
    )
    command = [sys.executable, "-c", "from cli.main import main; main()", "run", str(recipe)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [*command, "--out", str(folder / out), "--inline"], env=environment, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the run failed with exit code {process.returncode}")
    return usage.ru_maxrss * 1024


def main() -> None:
    """Print the table as Markdown."""
    rows = measure(*sys.argv[1:3])
    print("| stage | documents | MB in | prepare s | apply s | MB/s | peak MB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        print(
            f"| {row['stage']} | {row['documents']:,} | {row['MB']:.1f} | {row['prepare']:.1f} | {row['apply']:.2f} "
            f"| {row['MB/s']:.1f} | {row['peak MB']:.0f} |"
        )
    costly = sorted(rows, key=lambda row: row["prepare"] + row["apply"], reverse=True)[:3]
    print(f"\nThe three that cost most: {', '.join(row['stage'] for row in costly)}.")


if __name__ == "__main__":
    main()
