"""Writes one file of a run again without what goes: a worker's task, which may be done twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from opt_out.removal import Removal
from opt_out.run_files import pass_of, shard_of
from opt_out.trace import sha256
from pipeline import schema
from pipeline.decisions import decide
from pipeline.fingerprint import digest_bytes
from pipeline.side import Worker
from pipeline.storage import Storage

OPTED_OUT = "opted_out"
Repositories = Sequence[Sequence[str]]  # id, repo, selector of each


class Written(NamedTuple):
    """A file as it is afterwards."""

    file: str
    rows: int
    bytes: int
    digest: str  # as receipts have it
    sha256: str


@dataclass(frozen=True)
class Intake:
    """The first pass, which keeps by name that a repository is opted out."""

    folder: str
    stage: str  # its opt-out stage
    repositories: Mapping[str, Repositories]  # by shard


@dataclass(frozen=True)
class Rewrite:
    """Called with a file on a worker; a file that holds nothing of what goes stays as it is."""

    store: Storage
    removal: Removal
    intake: Intake | None
    replaced: Mapping[str, str]  # file -> the file whose content it gets

    def __call__(self, file: str, worker: Worker) -> Written:
        source = self.replaced.get(file, file)
        before = self.store.read_bytes(file)
        table = self.store.read_table(source)
        after = self._decided(file, self.removal.without(table))
        data = before
        if source != file or not after.equals(table):
            data = self.store.write_table(file, after.combine_chunks())
        return Written(file, after.num_rows, len(data), digest_bytes(data), sha256(data))

    def _decided(self, file: str, table: pa.Table) -> pa.Table:
        """The table with what the intake says of opted-out repositories."""
        if self.intake is None or pass_of(file) != self.intake.folder:
            return table
        repositories = self.intake.repositories.get(shard_of(file), ())
        kind = file.split("/")[1]
        if not repositories or kind not in ("decisions", "dropped"):
            return table
        added = (
            _decisions(repositories, self.intake.stage)
            if kind == "decisions"
            else _dropped(repositories, self.intake.stage)
        )
        known = table.filter(pc.equal(table["stage"], self.intake.stage))["id"].combine_chunks()
        fresh = added.filter(pc.invert(pc.is_in(added["id"], value_set=known)))
        return pa.concat_tables([table, fresh]) if fresh.num_rows else table


def _decisions(repositories: Repositories, stage: str) -> pa.Table:
    ids, repos, selectors = zip(*repositories, strict=True)
    table = pa.table({"id": pa.array(ids, pa.string()), "repo": pa.array(repos, pa.string())})
    made = decide(table, range(len(ids)), "drop", OPTED_OUT, [{"selector": selector} for selector in selectors])
    at = schema.DECISION.get_field_index("stage")
    return made.set_column(at, schema.DECISION.field(at), pa.array([stage] * len(ids), pa.string()))


def _dropped(repositories: Repositories, stage: str) -> pa.Table:
    ids, _, _ = zip(*repositories, strict=True)
    columns = [
        pa.array(ids, pa.string()),
        pa.array([stage] * len(ids), pa.string()),
        pa.nulls(len(ids), pa.string()),
        pa.array([0] * len(ids), pa.int64()),
    ]
    return pa.table(columns, schema=schema.DROPPED)
