"""Measures a ledger of opt-out requests: writing, loading, look-ups, memory, verification.

A ledger of 100,000 requests (80 % single repositories, 15 % whole accounts, 5 % paths; each with 200 bytes of who
asked) is written in one import, then 200 single requests are timed, each synced to the disk. A new process opens the
file, loads its selectors, and looks up a shard of 10,000 repositories, and one alone; times are medians of 5, memory is
the peak of that process (VmHWM) with what it held after its imports. `verify` reads everything, `erase` writes the file
anew. Run it by `python -m benchmarks.opt_out_ledger [REQUESTS]`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from statistics import median

import pyarrow as pa

from opt_out.ledger import Incoming, Ledger
from opt_out.selectors import Selector, Selectors

COUNT = 100_000
SHARD = 10_000
SINGLE = 200


def main() -> None:
    """Print one line a figure."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    if len(sys.argv) > 2:
        _measure_reading(sys.argv[2])
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "ledger.sqlite")
        with Ledger.create(path) as ledger:
            spent = _timed(lambda: ledger.receive_many(_requests(count)))
            print(f"import of {count:,} requests: {spent:.1f} s, {count / spent:,.0f} a second")
            spent = _timed(lambda: _one_by_one(ledger))
            print(f"one at a time, each synced: {SINGLE / spent:,.0f} a second")
        print(f"size of the file: {os.path.getsize(path) / count:,.0f} bytes a request")
        subprocess.run([sys.executable, "-m", "benchmarks.opt_out_ledger", str(count), path], check=True)
        with Ledger.open(path) as ledger:
            print(f"verify: {_timed(ledger.verify):.1f} s, problems: {len(ledger.verify())}")
            print(f"erase one person: {_timed(lambda: ledger.erase_person('R000001')):.1f} s")


def _measure_reading(path: str) -> None:
    before = _peak_mb()
    with Ledger.open(path, readonly=True) as ledger:
        loads = [_timed(ledger.selectors) for _ in range(5)]
        selectors = ledger.selectors()
    print(f"load: {median(loads):.2f} s (the first {loads[0]:.2f} s)")
    table = pa.table({"repo": [f"Account{n}/project-{n % 7}" for n in range(0, SHARD * 11, 11)]})
    spent = median(_timed(lambda: selectors.covers(table)) for _ in range(5))
    print(f"look-up in a shard of {SHARD:,} repositories: {spent / SHARD * 1e6:.2f} µs a repository")
    spent = median(_timed(lambda: _look_up_one(selectors, table)) for _ in range(5))
    print(f"look-up of one repository alone: {spent * 1e6:.0f} µs")
    print(f"memory: {_peak_mb():.0f} MB at most, of which {before:.0f} MB are Python and its libraries")


def _look_up_one(selectors: Selectors, table: pa.Table) -> None:
    selectors.covers(table.slice(77, 1))


def _one_by_one(ledger: Ledger) -> None:
    for number in range(SINGLE):
        ledger.receive([Selector("owner", f"single{number}")], source=f"single#{number}", person=None)


def _requests(count: int) -> Iterator[Incoming]:
    for number in range(count):
        account, name = f"account{number}", f"account{number}/project-{number % 7}"
        selector = Selector("repository", name)
        if number % 20 < 3:
            selector = Selector("owner", account)
        elif number % 20 == 3:
            selector = Selector("path", f"{name}:src/**/*.py")
        yield Incoming(
            [selector], f"bigcode-project/opt-out-v2#{number}", {"text": "x" * 200}, verified={"how": "author"}
        )


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _peak_mb() -> float:
    with open("/proc/self/status") as file:
        return int(next(line for line in file if line.startswith("VmHWM")).split()[1]) / 1024


if __name__ == "__main__":
    main()
