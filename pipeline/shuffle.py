"""Records on their way from the tasks of one map to those of the next, through files of the pass.

A shuffle's writing tasks leave Arrow files with one record batch a partition, so that a reader fetches just its piece
of each. No record passes through the driver, and all that a worker must hold is one partition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.side import Side
from pipeline.storage import TEMPORARY

FOLDER = "shuffle"


@dataclass(frozen=True)
class Shuffle:
    """Records of one schema that many tasks write, and that are read partition by partition."""

    name: str
    schema: pa.Schema
    partitions: int

    def write(self, side: Side, source: str, columns: Mapping[str, Any], partition: np.ndarray) -> None:
        """Write records, given as equally long columns, each to its partition.

        `source` is unique to the call, and the same when the task is run again, as it is when its worker was lost.
        """
        if len(partition) == 0:
            return
        table, order = table_of(columns, self.schema), None
        if (np.diff(partition) < 0).any():
            order = np.argsort(partition, kind="stable")
            partition = partition[order]
        bounds = np.searchsorted(partition, np.arange(self.partitions + 1)).tolist()
        pieces = (  # one after the other, since all of them would be the records once more
            table.slice(start, stop - start) if order is None else table.take(pa.array(order[start:stop]))
            for start, stop in pairwise(bounds)
        )
        _write(side, f"{self.name}/{source}", self.schema, pieces)

    def read(self, side: Side, partition: int) -> pa.Table:
        """All records of a partition, in the order of their sources' names."""
        return pa.concat_tables([self.schema.empty_table(), *self.pieces(side, partition)]).combine_chunks()

    def pieces(self, side: Side, partition: int) -> Iterator[pa.Table]:
        """The records of a partition, those of one source after the other."""
        for source in side.store.names(f"{side.folder}/{FOLDER}/{self.name}"):
            if TEMPORARY not in source:  # half of one, which a killed task may have left
                yield _read(side, f"{self.name}/{source}", partition)

    def remove(self, side: Side) -> None:
        """Delete the records, once they have been read."""
        side.store.remove(f"{side.folder}/{FOLDER}/{self.name}")


@dataclass(frozen=True)
class Parts:
    """Records of one schema that the task of a partition keeps for a later task of the same partition."""

    name: str
    schema: pa.Schema

    def write(self, side: Side, partition: int, columns: Mapping[str, Any]) -> None:
        """Put records in place of what the partition held."""
        _write(side, f"{self.name}/{partition}.arrow", self.schema, [table_of(columns, self.schema)])

    def read(self, side: Side, partition: int) -> pa.Table:
        """The partition's records; none where nothing was written."""
        try:
            return _read(side, f"{self.name}/{partition}.arrow", 0).combine_chunks()
        except FileNotFoundError:
            return self.schema.empty_table()

    def remove(self, side: Side) -> None:
        """Delete the records of all partitions."""
        side.store.remove(f"{side.folder}/{FOLDER}/{self.name}")


def table_of(columns: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    """The columns of `schema` as a table, from arrays of numpy or Arrow."""
    return pa.table(
        [pa.array(columns[name]) if isinstance(columns[name], np.ndarray) else columns[name] for name in schema.names],
        schema=schema,
    )


def arrays_of(table: pa.Table, *names: str) -> list[np.ndarray]:
    """Columns without nulls, in one piece, as arrays of numpy."""
    return [table[name].combine_chunks().to_numpy(zero_copy_only=False) for name in names or table.column_names]


def remove_all(side: Side) -> None:
    """Delete everything that was shuffled among the side inputs."""
    side.store.remove(f"{side.folder}/{FOLDER}")


def _write(side: Side, path: str, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        for table in tables:
            (batch,) = table.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], schema=schema)]
            writer.write_batch(batch)
    side.store.write_bytes(f"{side.folder}/{FOLDER}/{path}", memoryview(sink.getvalue()), synced=False)


def _read(side: Side, path: str, number: int) -> pa.Table:
    with side.store.open(f"{side.folder}/{FOLDER}/{path}") as file:
        return pa.Table.from_batches([pa.ipc.open_file(file).get_batch(number)])
