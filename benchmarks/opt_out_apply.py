"""What taking one repository out of a large dataset costs: `python -m benchmarks.opt_out_apply RUN --shards 550`.

RUN is a complete run (such as runs/demo). It is made larger first: every shard of the large one holds all documents of
RUN under owners of its own, in every pass, with edges and signatures; so the tables, their encodings and their sizes
are real. Then one owner's repository is removed as `quarry opt-out apply` does, inline on one core, and beside it the
whole dataset is read and written once, which is what a full rewrite takes at the least. Bytes are those of files.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cli.erasers import RunErasers
from opt_out.honour import honour
from opt_out.ledger import Ledger
from opt_out.selectors import parse_selector
from opt_out.trace import sha256
from pipeline.fingerprint import digest_bytes
from pipeline.inline import InlineExecutor
from pipeline.layout import PassFolder, Receipt
from pipeline.manifest import merge_stages, restated
from pipeline.state import digest_of
from pipeline.storage import Storage

IDS, OWNERS = ("id", "canonical"), ("repo", "canonical_repo")
SIGNED = ("content", "set_key", "minhash")


def enlarge(source: Storage, target: Storage, shards: int) -> None:
    """A complete run of `shards` shards, each of which holds all documents of the run in `source`."""
    shutil.copytree(source.root, target.root, ignore=shutil.ignore_patterns("report", "checkpoints"))
    run = RunErasers().load(target.root)
    before: dict[str, str] = {}
    for number, this in enumerate(run.passes[1:], 1):
        receipts = [this.receipts[shard] for shard in sorted(this.receipts)]
        whole = {
            what: _all(target, [receipt[what]["path"] for receipt in receipts]) for what in ("documents", "decisions")
        }
        side = {
            name: _all(target, [f"{this.folder.path}/side/{name}/{r['shard']}.parquet" for r in receipts])
            for name in ("plan", "licenses", "edge", "signature")
            if target.exists(f"{this.folder.path}/side/{name}")
        }
        for receipt in receipts:
            _remove_shard(this.folder, receipt, side)
        written: dict[str, str] = {}
        plans: dict[str, str] = {}
        for copy in range(shards):
            shard, receipt = f"{copy:05d}", {key: value for key, value in receipts[0].items() if key != "dropped"}
            for name, table in side.items():
                data = target.write_table(f"{this.folder.path}/side/{name}/{shard}.parquet", _owned(table, copy))
                plans[shard] = digest_bytes(data) if name == "plan" else plans.get(shard, "")
            last = number == len(run.passes) - 1
            paths = {
                "documents": f"dataset/data/{shard}.parquet" if last else this.folder.documents(shard),
                "decisions": this.folder.decisions(shard),
            }
            for what, path in paths.items():
                data = target.write_table(path, _owned(whole[what], copy))
                receipt[what] = {
                    "path": path,
                    "rows": whole[what].num_rows,
                    "bytes": len(data),
                    "digest": digest_bytes(data),
                    "sha256": sha256(data),
                }
            receipt |= {"shard": shard, "input": plans[shard] if "plan" in side else before[shard]}
            receipt["stages"] = merge_stages(receipts)
            receipt |= {"corpus": receipt["corpus"] and digest_of(before)}
            written[shard] = receipt["documents"]["digest"]
            this.folder.write_receipt(receipt)
        if this.prepared:
            planned = plans if "plan" in side else None
            corpus = this.prepared["corpus"] if number == 1 else digest_of(before)
            this.folder.write_prepared({**this.prepared, "corpus": corpus, "shards": planned})
        before = written
    target.remove("dataset/receipt.json")
    RunErasers().renew(RunErasers().load(target.root))
    run = RunErasers().load(target.root)
    assert not any(run.todo()), [this.part.name for this, todo in zip(run.passes, run.todo(), strict=True) if todo]
    target.write_json("manifest.json", restated(target.read_json("manifest.json"), run))


def _all(store: Storage, paths: list[str]) -> pa.Table:
    return pa.concat_tables([store.read_table(path) for path in paths]).combine_chunks()


def _remove_shard(folder: PassFolder, receipt: Receipt, side: dict[str, pa.Table]) -> None:
    shard = receipt["shard"]
    files = [receipt[what]["path"] for what in ("documents", "decisions", "dropped") if what in receipt]
    for path in (*files, f"{folder.path}/receipts/{shard}.json"):
        folder.store.remove(path)
    for name in side:
        folder.store.remove(f"{folder.path}/side/{name}/{shard}.parquet")


def _owned(table: pa.Table, copy: int) -> pa.Table:
    """The table with documents, owners and signatures that are this copy's alone."""
    for at, name in enumerate(table.column_names):
        column = table[name]
        if name in SIGNED and not pa.types.is_string(
            column.type
        ):  # or every document would be a copy of one in every other shard
            table = table.set_column(at, table.schema.field(at), _other(column.combine_chunks(), copy))
        elif name in IDS:
            document = pc.equal(pc.utf8_length(column), 32)
            changed = pc.binary_join_element_wise(pc.utf8_slice_codeunits(column, 0, 26), f"{copy:06x}", "")
            table = table.set_column(at, table.schema.field(at), pc.if_else(document, changed, column))
        elif name in OWNERS:
            table = table.set_column(
                at, table.schema.field(at), pc.replace_substring(column, "/", f"-{copy}/", max_replacements=1)
            )
    return table


def _other(values: pa.Array, copy: int) -> pa.Array:
    """Hashes of 16 bytes, or lists of MinHash values, as of another content for each copy; equal ones stay equal."""
    if pa.types.is_list(values.type):
        changed = np.asarray(values.values) ^ np.uint32(copy * 0x9E3779B1 % (1 << 32))
        return pa.ListArray.from_arrays(values.offsets, pa.array(changed), mask=values.is_null())
    whole = values.fill_null(bytes(16))
    words = np.frombuffer(b"".join(whole.to_pylist()), np.uint64) ^ np.uint64(copy * 0x9E3779B97F4A7C15 % (1 << 64))
    hashes = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(values), [None, pa.py_buffer(words.tobytes())])
    return pc.if_else(values.is_valid(), hashes, None)


@contextmanager
def counted(totals: dict[str, int]) -> Iterator[None]:
    """Count the bytes that storages write and read."""
    write, read = Storage.write_bytes, Storage.read_bytes

    def writing(self: Storage, path: str, data: bytes, **options: bool) -> None:
        totals["written"] = totals.get("written", 0) + len(data)
        write(self, path, data, **options)

    def reading(self: Storage, path: str) -> bytes:
        data = read(self, path)
        totals["read"] = totals.get("read", 0) + len(data)
        return data

    Storage.write_bytes, Storage.read_bytes = writing, reading  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        Storage.write_bytes, Storage.read_bytes = write, read  # type: ignore[method-assign]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a complete run")
    parser.add_argument("--shards", type=int, default=550)
    parser.add_argument("--folder", default="/tmp/opt-out-benchmark", help="where the large run is made")
    options = parser.parse_args()
    folder = Path(options.folder)
    store = Storage(str(folder / "run"))
    if not folder.exists():
        folder.mkdir()
        enlarge(Storage(options.run), store, options.shards)
    ledger = str(folder / "ledger.sqlite")
    repos = store.read_table("dataset/data/00000.parquet", ["repo"])["repo"].value_counts().to_pylist()
    repo = sorted(repos, key=lambda one: one["counts"])[len(repos) // 2]["values"]
    sizes = store.sizes("dataset/data")
    print(json.dumps({"dataset_bytes": sum(size or 0 for size in sizes.values()), "shards": len(sizes), "repo": repo}))
    Path(ledger).unlink(missing_ok=True)
    store.remove("honoured.json")  # of the ledger before
    with Ledger.create(ledger) as opened:
        request = opened.receive([parse_selector(repo, "benchmark")], source="benchmark", person=None)
        opened.record("verified", request.id, {"how": "operator", "because": "a benchmark"})
        totals: dict[str, int] = {}
        began = time.perf_counter()
        with counted(totals):
            done = honour(opened, [store.root], [opened.request(request.id)], RunErasers(), InlineExecutor())
        seconds = time.perf_counter() - began
    record = done[request.id][0]
    rewritten = sum(store.size(one["file"]) or 0 for one in record["shards"])
    print(
        json.dumps(
            {
                "apply_seconds": round(seconds, 2),
                **totals,
                "files": len(record["shards"]),
                "bytes_of_rewritten_tables": rewritten,
                "found": record["found"],
            }
        )
    )
    began = time.perf_counter()
    for name in sizes:
        store.write_table(".scratch/whole.parquet", store.read_table(f"dataset/data/{name}"))
    print(json.dumps({"full_rewrite_of_the_dataset_seconds": round(time.perf_counter() - began, 2)}))
    store.remove(".scratch")


if __name__ == "__main__":
    main()
