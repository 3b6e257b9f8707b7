"""What an interrupted removal needs to go on: everything that cannot be found any more once files are rewritten.

It stands in the run's folder `.opt-out/` from before the first file changes until the last one has, and holds ids only
that long. Whoever finds one finishes it first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from opt_out.evidence import Evidence
from opt_out.removal import Removal
from opt_out.selectors import Selector, Selectors
from opt_out.trace import Place
from pipeline.storage import Storage

FOLDER = ".opt-out"
PLAN, REMOVED = f"{FOLDER}/plan.json", f"{FOLDER}/removed.parquet"


@dataclass
class Plan:
    """One removal from one run."""

    head: Mapping[str, Any]  # of the ledger, that the run honours afterwards
    requests: dict[str, dict[str, Any]]  # id -> what is known of it before: time, documents, copies
    selectors: list[list[Any]]  # of all requests: target, value, kinds
    places: list[Place]
    figures: dict[str, list[dict[str, Any]]]  # receipt -> its stages' figures afterwards
    stale: list[str]  # receipts, and prepared.json, that did not hold before and must not hold afterwards
    merkle_root: str | None  # of the dataset before
    opted_out: dict[str, list[list[str]]]  # the intake's shard -> id, name and selector of repositories that go
    reset: dict[str, list[str]]  # folder of a pass that is to prepare again -> its temporary tables
    files: list[list[str]]  # repository and path of removed documents whose repositories stay
    copies_searched: bool  # False where texts were discarded
    again: list[str] = field(default_factory=list)  # shards judged again from pass `again_from` on
    again_from: int = 0
    ids: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))

    @property
    def removal(self) -> Removal:
        """What goes, for all requests together."""
        wanted = [Selector(target, value, frozenset(kinds)) for target, value, kinds in self.selectors]
        return Removal(Selectors.of(wanted), self.ids, Evidence.of((repo, path) for repo, path in self.files))

    def save(self, store: Storage, edges: Mapping[str, pa.Table]) -> None:
        """Write it, with the edge tables that replace the present ones; plan.json last."""
        for shard, table in edges.items():
            store.write_table(edge_file(shard), table)
        store.write_table(REMOVED, pa.table({"id": self.ids}))
        plain = {name: value for name, value in asdict(self).items() if name != "ids"}
        store.write_json(PLAN, plain)

    @classmethod
    def load(cls, store: Storage) -> Plan | None:
        """What an interrupted removal left; None where there is none. One that was not yet whole changed nothing."""
        plain = store.read_record(PLAN)
        if plain is None:
            return None
        plain["places"] = [Place(**place) for place in plain["places"]]
        return cls(**plain, ids=store.read_table(REMOVED)["id"].combine_chunks())


def edge_file(shard: str) -> str:
    """Where a shard's new edges wait."""
    return f"{FOLDER}/edge/{shard}.parquet"
