"""What a run would take: volume and time of the passes to do, from what an earlier run measured.

Everything scales with the number of repositories, so the estimate is as good as the earlier run is like this one.
Without an earlier run, or for a stage it did not have, nothing is made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import UsageError
from pipeline.state import PassRun, Run
from pipeline.storage import Storage
from reports.words import duration, size

CLONES = "side/clones.parquet"  # what acquire wrote of each clone: files, bytes, seconds


@dataclass(frozen=True)
class Rates:
    """What an earlier run took."""

    source: str
    repositories: int
    stages: Mapping[str, tuple[float, float]]  # seconds of preparing (by the clock), of applying (summed over workers)
    disk: Mapping[str, int]  # pass -> bytes of its documents
    clone_bytes: int


@dataclass(frozen=True)
class PassPlan:
    """What is to be done of a pass; None where no earlier run tells."""

    name: str
    folder: str
    to_do: bool
    shards_done: int
    seconds: float | None
    disk_bytes: int | None


@dataclass(frozen=True)
class Plan:
    """What `quarry run` would do; sums leave out what is not known."""

    repositories: int
    rates: Rates | None
    workers: int
    clone_bytes: int | None
    passes: list[PassPlan]

    @property
    def seconds(self) -> float | None:
        return sum(part.seconds or 0 for part in self.passes) if self.rates else None

    @property
    def disk_bytes(self) -> int | None:
        return sum(part.disk_bytes or 0 for part in self.passes) if self.rates else None

    @property
    def unknown(self) -> list[str]:
        """Passes of which the earlier run tells nothing."""
        return [part.name for part in self.passes if part.to_do and self.rates and part.seconds is None]


def read_rates(root: str, *, needed: bool = False) -> Rates | None:
    """The rates of the complete run in `root`; where there is none, None, or UsageError if it is `needed`."""
    store = Storage(root)
    manifest = store.read_record("manifest.json", "repositories", "passes")
    if manifest is None:
        if needed:
            raise UsageError(f"--rates: '{root}' holds no complete run to take rates from; name another.")
        return None
    stages, disk, clone_bytes = {}, {}, 0
    for part in manifest["passes"]:
        disk[part["name"]] = part.get("bytes", 0)
        for place, stage in enumerate(part["stages"]):
            stages[stage["stage"]] = (0.0 if place else part["prepare_seconds"], stage["seconds"])
        if store.exists(f"{part['folder']}/{CLONES}"):
            clone_bytes += sum(store.read_table(f"{part['folder']}/{CLONES}", ["bytes"])["bytes"].to_pylist())
    return Rates(root, manifest["repositories"], stages, disk, clone_bytes)


def plan(run: Run, rates: Rates | None, workers: int) -> Plan:
    """What is to be done of `run` on `workers`, as far as that is known before its passes ran."""
    count = run.repositories.num_rows
    scale = count / rates.repositories if rates and rates.repositories else 1.0
    todo = run.todo()
    passes = [_pass_plan(run, number, wanted, rates, scale, workers) for number, wanted in enumerate(todo)]
    clones = any(wanted for wanted, this in zip(todo, run.passes, strict=True) if _clones(this))
    clone_bytes = round(rates.clone_bytes * scale) if rates else None
    return Plan(count, rates, workers, clone_bytes if clones else 0, passes)


def _clones(this: PassRun) -> bool:
    return any(named.kind == "acquire" for named in this.part.stages)


def _pass_plan(run: Run, number: int, wanted: bool, rates: Rates | None, scale: float, workers: int) -> PassPlan:
    this, inputs = run.passes[number], run.inputs(number)
    done, expected = len(this.valid(inputs)), len(this.expected(inputs))
    seconds: float | None = None if wanted else 0.0
    disk: int | None = None if wanted else 0
    if wanted and rates and all(named.name in rates.stages for named in this.part.stages):
        left = 1 - done / expected if expected and this.is_prepared(inputs) else 1.0
        prepare, apply = (sum(rates.stages[named.name][n] for named in this.part.stages) for n in (0, 1))
        seconds = scale * ((0 if this.is_prepared(inputs) else prepare) + left * apply / workers)
        disk = round(scale * left * rates.disk.get(this.part.name, 0))
    return PassPlan(this.part.name, this.folder.path, wanted, len(this.receipts), seconds, disk)


def plan_json(found: Plan) -> dict[str, Any]:
    """The plan as plain data."""
    return {
        "repositories": found.repositories,
        "rates_from": found.rates.source if found.rates else None,
        "workers": found.workers,
        "clone_bytes": found.clone_bytes,
        "disk_bytes": found.disk_bytes,
        "seconds": found.seconds,
        "passes": [
            {
                "pass": part.name,
                "folder": part.folder,
                "to_do": part.to_do,
                "shards_done": part.shards_done,
                "seconds": part.seconds,
                "disk_bytes": part.disk_bytes,
            }
            for part in found.passes
        ],
    }


def plan_text(found: Plan) -> str:
    """The plan as lines for a terminal."""
    lines = [f"{found.repositories:,} repositories; nothing was done. Passes:"]
    for part in found.passes:
        state = f"would run ({part.shards_done} shards done)" if part.to_do else f"done ({part.shards_done} shards)"
        cost = ""
        if part.to_do and part.seconds is not None:
            cost = f", about {duration(part.seconds)} and {size(part.disk_bytes or 0)}"
        lines.append(f"  {part.folder:<40} {state}{cost}")
    if found.rates is None:
        lines.append("Time and volume are not known: no run is complete here; give --rates DIR of one that is.")
    elif any(part.to_do for part in found.passes):
        lines.append(
            f"About {duration(found.seconds or 0)} on {found.workers} workers, {size(found.clone_bytes or 0)} of "
            f"clones (deleted as they are read) and {size(found.disk_bytes or 0)} of files that stay, as "
            f"'{found.rates.source}' took for {found.rates.repositories:,} repositories."
        )
    if found.unknown:
        lines.append(f"Not counted, as that run did not have all of their stages: {', '.join(found.unknown)}.")
    return "\n".join(lines)
