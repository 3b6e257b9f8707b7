"""Documents with equal shingle sets are judged as one: the best ranked leads, the others follow its verdict.

Sets are found equal by a 128-bit key. A document without shingles is equal to those of the same content only.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.shuffle import Shuffle, arrays_of
from pipeline.side import Corpus, Side
from stages.near_duplicates.documents import Documents, halves, hash_range, locations, partitions
from stages.near_duplicates.ranking import read_ranks

RECORD_BYTES = 100  # in memory, while they are sorted
BUDGET = 256 << 20

SETS = pa.schema([(name, pa.uint64()) for name in ("high", "low", "rank", "location")])
FOLLOWERS = pa.schema([(name, pa.uint64()) for name in ("follower", "leader")])  # locations


class EqualSets(NamedTuple):
    """Who follows whom, twice: a partition a group of the followers, and a partition a group of the leaders."""

    by_follower: Shuffle
    by_leader: Shuffle


def collapse(corpus: Corpus, documents: Documents, ranks: Shuffle) -> EqualSets:
    """Find the documents with equal sets."""
    sets = Shuffle("sets", SETS, partitions(documents.count * RECORD_BYTES, BUDGET, corpus.workers))
    groups = len(documents.all_groups)
    equal = EqualSets(Shuffle("followers", FOLLOWERS, groups), Shuffle("leaders", FOLLOWERS, groups))
    corpus.map(partial(_send_sets, documents=documents, ranks=ranks, sets=sets), documents.all_groups)
    corpus.map(partial(_find_equal, documents=documents, sets=sets, equal=equal), range(sets.partitions))
    sets.remove(corpus.side)
    return equal


def _send_sets(group: int, corpus: Corpus, side: Side, *, documents: Documents, ranks: Shuffle, sets: Shuffle) -> None:
    parts: list[dict[str, np.ndarray]] = []
    for number, rank in read_ranks(side, documents, ranks, group).items():
        compared = documents.compared(side, number)
        table = documents.signature(side, number, ["content", "set_key"])
        some = table["set_key"].is_valid().to_numpy()
        key = np.where(some[:, None], halves(table["set_key"]), halves(table["content"]))
        columns = {"high": key[:, 0], "low": key[:, 1], "rank": rank, "location": locations(number, len(rank))}
        parts.append({name: values[compared] for name, values in columns.items()})
    columns = {name: np.concatenate([part[name] for part in parts]) for name in SETS.names}
    sets.write(side, f"{group:06d}", columns, hash_range(columns["high"], sets.partitions))


def _find_equal(
    number: int, corpus: Corpus, side: Side, *, documents: Documents, sets: Shuffle, equal: EqualSets
) -> None:
    high, low, rank, location = arrays_of(sets.read(side, number))
    order = np.lexsort((rank, low, high))
    high, low, location = high[order], low[order], location[order]
    leads = np.ones(len(order), bool)
    leads[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    leader = location[np.maximum.accumulate(np.where(leads, np.arange(len(order)), 0))]
    columns = {"follower": location[~leads], "leader": leader[~leads]}
    equal.by_follower.write(side, f"{number:06d}", columns, documents.group_of(columns["follower"]))
    equal.by_leader.write(side, f"{number:06d}", columns, documents.group_of(columns["leader"]))
