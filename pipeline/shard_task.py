"""What a worker does with a shard of a pass: read it, run the stages, write what they made of it, then the receipt."""

from __future__ import annotations

import errno
import hashlib
import resource
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.decisions import NO_DECISIONS
from pipeline.errors import RunFailed
from pipeline.fingerprint import digest_bytes
from pipeline.law import judge
from pipeline.layout import PassFolder, Receipt
from pipeline.side import Worker
from pipeline.stage import Stage
from pipeline.storage import row_bytes

ATTEMPTS = 3
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True)
class ShardTask:
    """Called with a shard's name on a worker; holds plain data only, the stages are rebuilt there."""

    folder: PassFolder
    name: str
    fingerprint: str
    stages: tuple[tuple[str, type[Stage], dict[str, Any]], ...]  # name in the recipe, class, fields
    source: str | None  # the side table it reads; None for the upstream documents
    inputs: dict[str, str]  # shard -> upstream documents
    digests: dict[str, str]  # shard -> digest of what it is made from
    corpus: str | None  # digest of the corpus that the side input was prepared from; None without one
    ledger: Mapping[str, Any] | None = None  # head of the opt-out ledger that the shard honours; None without one

    def __call__(self, shard: str, worker: Worker) -> Receipt:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._run(shard, worker)
            except OSError as error:
                if error.errno in FULL:
                    raise RunFailed(
                        f"pass '{self.name}', shard {shard}: no space left to write ({error.strerror}); "
                        "free some and run again, finished shards stay."
                    ) from None
                if attempt == ATTEMPTS:
                    raise RunFailed(f"pass '{self.name}', shard {shard}: {error} ({ATTEMPTS} attempts).") from error
                time.sleep(0.2 * attempt)
        raise AssertionError("unreachable")

    def _run(self, shard: str, worker: Worker) -> Receipt:
        side = self.folder.side(worker, shard)
        stages = side.load(
            "stages", lambda: [(name, kind.model_validate(fields)) for name, kind, fields in self.stages]
        )
        table = side.get_shard(self.source) if self.source else self.folder.store.read_table(self.inputs[shard])
        decisions, dropped, measures = [NO_DECISIONS], [schema.DROPPED.empty_table()], []
        for name, stage in stages:
            before, began = table, time.perf_counter()
            table, decided = judge(stage, name, table, side)
            decisions.append(decided)
            dropped.append(_dropped(name, before, decided))
            measures.append(_measure(name, before, table, decided, time.perf_counter() - began))
        return self._write(shard, table, pa.concat_tables(decisions), pa.concat_tables(dropped), measures)

    def _write(
        self, shard: str, kept: pa.Table, decisions: pa.Table, dropped: pa.Table, measures: list[dict[str, Any]]
    ) -> Receipt:
        store = self.folder.store
        receipt: Receipt = {"pass": self.name, "shard": shard, "fingerprint": self.fingerprint}
        receipt |= {"input": self.digests[shard], "corpus": self.corpus, "ledger": self.ledger}
        for what, path, table in (
            ("documents", self.folder.documents(shard), kept),
            ("decisions", self.folder.decisions(shard), decisions),
            ("dropped", self.folder.dropped(shard), dropped),
        ):
            data = store.write_table(path, table.combine_chunks())
            receipt[what] = {
                "path": path,
                "rows": table.num_rows,
                "bytes": len(data),
                "digest": digest_bytes(data),
                "sha256": hashlib.sha256(data).hexdigest(),  # which whoever checks a certificate can compute
            }
        receipt["stages"] = measures
        receipt["peak_memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        self.folder.write_receipt(receipt)
        return receipt


def _dropped(stage: str, before: pa.Table, decisions: pa.Table) -> pa.Table:
    """What one stage dropped, as schema.DROPPED."""
    ids = decisions.filter(pc.equal(decisions["action"], "drop"))["id"]
    rows = before.take(pc.index_in(ids, value_set=before["id"].combine_chunks()))
    language = rows["language"] if "language" in rows.column_names else pa.nulls(rows.num_rows, pa.string())
    columns = [rows["id"], pa.array([stage] * rows.num_rows, pa.string()), language, pa.array(row_weights(rows))]
    return pa.table(columns, schema=schema.DROPPED)


def _measure(name: str, before: pa.Table, after: pa.Table, decisions: pa.Table, seconds: float) -> dict[str, Any]:
    """One stage's figures for the receipt: documents and bytes in and out, by language too, and decisions by reason."""
    actions = Counter(zip(decisions["action"].to_pylist(), decisions["reason"].to_pylist(), strict=True))
    counted: dict[str, dict[str, int]] = {}
    for (action, reason), count in sorted(actions.items()):
        counted.setdefault(action, {})[reason] = count
    return {
        "stage": name,
        "seconds": round(seconds, 6),
        "documents_in": before.num_rows,
        "documents_out": after.num_rows,
        "bytes_in": int(row_weights(before).sum()),
        "bytes_out": int(row_weights(after).sum()),
        "decisions": counted,
        "languages_in": _languages(before),
        "languages_out": _languages(after),
    }


def row_weights(table: pa.Table) -> np.ndarray:
    """Bytes a row stands for: its text's, its blob's where the text is not read yet, its tokens'."""
    for column in ("text", "input_ids"):
        if column in table.column_names:
            return row_bytes(table.column(column))
    if "size" in table.column_names:
        return table.column("size").fill_null(0).to_numpy()
    return np.zeros(table.num_rows, dtype=np.int64)


def _languages(table: pa.Table) -> dict[str, list[int]]:
    """Language -> [documents, bytes]; empty before a language is known."""
    if "language" not in table.column_names or table.num_rows == 0 or table["language"].null_count == table.num_rows:
        return {}
    rows = pa.table({"language": table["language"], "bytes": pa.array(row_weights(table))})
    grouped = rows.group_by("language").aggregate([("bytes", "count"), ("bytes", "sum")])
    grouped = grouped.take(pc.sort_indices(grouped["language"])).to_pydict()
    return {
        str(language): [documents, size]
        for language, documents, size in zip(
            grouped["language"], grouped["bytes_count"], grouped["bytes_sum"], strict=True
        )
    }
