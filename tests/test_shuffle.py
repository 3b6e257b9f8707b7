"""A shuffle hands every record to its partition, once, whatever wrote it and whatever a killed task left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.shuffle import Parts, Shuffle, arrays_of, remove_all
from pipeline.side import Side, Worker
from pipeline.storage import TEMPORARY, Storage

RECORDS = pa.schema([("number", pa.uint64()), ("text", pa.large_string())])
SOURCES = st.dictionaries(st.integers(0, 12), st.lists(st.integers(0, 6), max_size=12), max_size=6)


def records(source: int, count: int) -> dict[str, Any]:
    """Columns of records that no other source has."""
    numbers = np.arange(count, dtype=np.uint64) + np.uint64((1 << 63) + 1000 * source)
    return {"number": numbers, "text": pa.array([f"{source}:{place} ü" for place in range(count)], pa.large_string())}


@settings(max_examples=60, deadline=None)
@given(sources=SOURCES, data=st.data())
def test_every_record_reaches_its_partition_once(
    tmp_path_factory: pytest.TempPathFactory, sources: dict[int, list[int]], data: st.DataObject
) -> None:
    """In the order of the sources, although these are written in any order, and some of them twice."""
    root = tmp_path_factory.mktemp("run")
    side, shuffle = Side(Storage(root), "pass/side", root, Worker()), Shuffle("some", RECORDS, 7)
    again = data.draw(st.lists(st.sampled_from(sorted(sources)), max_size=3)) if sources else []
    for source in [*data.draw(st.permutations(sorted(sources))), *again]:
        shuffle.write(side, f"{source:06d}", records(source, len(sources[source])), np.array(sources[source], int))
    for partition in range(7):
        table = shuffle.read(side, partition)
        expected = [
            (source, place)
            for source in sorted(sources)
            for place, chosen in enumerate(sources[source])
            if chosen == partition
        ]
        assert table.schema == RECORDS
        assert table["text"].to_pylist() == [f"{source}:{place} ü" for source, place in expected]
        assert table["number"].to_pylist() == [(1 << 63) + 1000 * source + place for source, place in expected]


def test_what_a_killed_task_was_writing_is_not_read(side: Side) -> None:
    shuffle = Shuffle("some", RECORDS, 2)
    shuffle.write(side, "000000", records(0, 3), np.array([1, 0, 1]))
    folder = Path(side.store.root) / side.folder / "shuffle" / "some"
    whole = (folder / "000000").read_bytes()
    for number, left in enumerate((b"", whole[:40], whole)):
        (folder / f"{number:06d}{TEMPORARY}abc").write_bytes(left)
    assert shuffle.read(side, 1)["text"].to_pylist() == ["0:0 ü", "0:2 ü"]


def test_parts_hold_what_was_written_last_and_all_is_removed(side: Side) -> None:
    parts, shuffle = Parts("kept", RECORDS), Shuffle("some", RECORDS, 1)
    assert [len(column) for column in arrays_of(parts.read(side, 4))] == [0, 0]
    for count in (3, 2):
        parts.write(side, 4, records(4, count))
    assert parts.read(side, 4)["text"].to_pylist() == ["4:0 ü", "4:1 ü"]
    shuffle.write(side, "000000", records(0, 2), np.zeros(2, np.int64))
    parts.remove(side)
    assert parts.read(side, 4).num_rows == 0
    assert shuffle.read(side, 0).num_rows == 2
    remove_all(side)
    assert shuffle.read(side, 0).num_rows == 0
    assert not side.store.exists(f"{side.folder}/shuffle")
