"""What people deduplicate with: datasketch, datatrove and rensa, each as its documentation has it or faster.

Peers get every favour that changes no result: texts as Python strings, shingles in the order of the text (a set's are
scattered over the memory), no executor around datatrove's blocks. All have 256 permutations; where a peer has bands
they are 32 of 8 rows: datatrove's rows, and a number that rensa takes. A stage writes what it keeps to out/kept.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasketch import MinHash
from datatrove.pipeline.dedup import minhash as datatrove
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers import ParquetWriter

from pipeline.storage import Storage
from stages.shingles import MARKS

EXTRAS = ("rensa", "xxhash")  # what Quarry itself does not need, so imported only where it is used
PERMUTATIONS, NGRAM, SEED = 256, 5, 42
BANDS, ROWS = 32, 8
TOKEN = re.compile(rb"[A-Za-z0-9_\x80-\xff]+|[" + re.escape(MARKS) + rb"]")  # stages.shingles' tokens


def shingles(text: str) -> list[bytes]:
    """The text's shingles as stages.shingles has them, repeats included: the fastest of the ways in plain Python."""
    tokens = TOKEN.findall(text.encode())
    return list(map(b" ".join, zip(*(tokens[at:] for at in range(NGRAM)), strict=False)))


def read_texts(documents: Path) -> Iterator[str]:
    """The texts of a folder of Parquet files, as Python strings."""
    for path in sorted(documents.iterdir()):
        yield from pq.read_table(path, columns=["text"])["text"].to_pylist()


# --- datasketch


def datasketch_signers() -> dict[str, dict[str, Callable[[Iterable[str]], list[MinHash]]]]:
    """Hash function -> name of each way to use it -> the signatures of texts: two schemes, two calls."""
    import xxhash

    hashes: dict[str, dict[str, Callable[[bytes], int] | None]] = {
        "its SHA-1": {"affine32": None, "affine64": None},
        "xxHash": {"affine32": xxhash.xxh32_intdigest, "affine64": xxhash.xxh64_intdigest},
    }
    return {
        name: {
            f"{scheme}, {call.__name__.strip('_')}": partial(call, scheme=scheme, hashfunc=hashfunc)
            for (scheme, hashfunc), call in product(schemes.items(), (_bulk, _update_batch))
        }
        for name, schemes in hashes.items()
    }


def _bulk(texts: Iterable[str], **options: Any) -> list[MinHash]:
    return MinHash.bulk(map(dict.fromkeys, map(shingles, texts)), num_perm=PERMUTATIONS, seed=SEED, **options)


def _update_batch(texts: Iterable[str], **options: Any) -> list[MinHash]:
    permutations = MinHash(PERMUTATIONS, SEED, **options).permutations
    made = []
    for text in texts:
        minhash = MinHash(PERMUTATIONS, SEED, permutations=permutations, **options)
        minhash.update_batch(dict.fromkeys(shingles(text)))
        made.append(minhash)
    return made


# --- datatrove


def datatrove_block(out: Path) -> datatrove.MinhashDedupSignature:
    """datatrove's first block: its default but for the number of permutations."""
    import xxhash

    block = datatrove.MinhashDedupSignature(str(out), _datatrove_config())
    # It gives str to xxHash, which takes bytes only since its release 4; the digests are those of release 3.
    block._hash_func = lambda shingle: xxhash.xxh64_intdigest(shingle.encode())
    return block


def datatrove_signatures(texts: Iterable[str], block: datatrove.MinhashDedupSignature) -> list[list[list[int]]]:
    """What datatrove's first block works out of each text with a shingle, without writing it."""
    return [block.get_signature(hashes) for hashes in map(block.get_shingles, texts) if hashes.size]


def datatrove_texts(documents: Path) -> Iterator[str]:
    """The texts of a folder of Parquet files, as datatrove reads them."""
    return (document.text for document in ParquetReader(str(documents), read_metadata=False).run())


def datatrove_stage(documents: Path, out: Path) -> None:
    """datatrove's four blocks, the tasks of each one after the other; the filter reads and writes Parquet."""
    config, tasks = _datatrove_config(), len(list(documents.iterdir()))
    first = datatrove_block(out / "signatures")
    for rank in range(tasks):
        first.run(ParquetReader(str(documents), read_metadata=False).run(None, rank, tasks), rank, tasks)
    for rank in range(BANDS):
        datatrove.MinhashDedupBuckets(f"{out}/signatures", f"{out}/pairs", config=config).run(None, rank, BANDS)
    datatrove.MinhashDedupCluster(f"{out}/pairs", f"{out}/remove", config).run(None, 0, 1)
    for rank in range(tasks):
        read = ParquetReader(str(documents)).run(None, rank, tasks)
        kept = datatrove.MinhashDedupFilter(f"{out}/remove").run(read, rank, tasks)
        deque(ParquetWriter(f"{out}/kept").run(kept, rank, tasks), maxlen=0)


def _datatrove_config() -> datatrove.MinhashConfig:
    return datatrove.MinhashConfig(num_buckets=BANDS, hashes_per_bucket=ROWS)


# --- rensa


def rensa_stage(documents: Path, out: Path, gather: Callable[[list[bytes]], Collection[bytes]] = set) -> None:
    """rensa, nothing verified: a document stays unless a band of it is that of one before it that stayed.

    It takes all shingles either way: gathered to a set, or with repeats (`list`), which give the same signature.
    """
    from rensa import RMinHash, RMinHashLSH

    index, inserted = RMinHashLSH(threshold=0.7, num_perm=PERMUTATIONS, num_bands=BANDS), 0
    store = Storage(out)  # what stays is written as our side writes it
    for path in sorted(documents.iterdir()):
        table = pq.read_table(path)
        sets = [gather(shingles(text)) for text in table["text"].to_pylist()]
        kept = []
        for some, minhash in zip(sets, RMinHash.from_token_sets(sets, PERMUTATIONS, SEED), strict=True):
            kept.append(not some or not index.query(minhash))
            if some and kept[-1]:
                index.insert(inserted, minhash)
                inserted += 1
        store.write_table(f"kept/{path.name}", table.filter(pa.array(kept, pa.bool_())))
