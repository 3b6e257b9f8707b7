"""Redaction against the library people use, on the same files in one run: `python -m benchmarks.peers`.

The files are the installed packages' Python sources. Both run in turn, ROUNDS times, on one core; what is printed are
medians of MB/s and the median of the ratios. MB are 10^6 bytes of text. Deduplication: benchmarks.deduplicate_speed.
"""

from __future__ import annotations

import statistics
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import tldextract
from presidio_analyzer.predefined_recognizers import EmailRecognizer

from pii.redact import Redactor

ROUNDS = 5


def main() -> None:
    """Print one line."""
    texts = _sources(3_000_000)
    setattr(tldextract, "extract", tldextract.TLDExtract(suffix_list_urls=()))  # noqa: B010  # Presidio's recognizer would ask the network
    redactor, recognizer = Redactor(), EmailRecognizer()
    recognizer.load()
    _compare(
        "Redaction: all our recognizers on candidate windows against Presidio's e-mail recognizer alone on whole texts",
        texts,
        lambda sample: redactor.redact_column(pa.array(sample, pa.string()), [None] * len(sample)),
        lambda sample: [recognizer.analyze(text, ["EMAIL_ADDRESS"], None) for text in sample],
    )


def _sources(size: int) -> list[str]:
    """Installed Python files of at most 100 kB, every twentieth, `size` bytes in all."""
    found: list[str] = []
    for path in sorted(Path(sysconfig.get_paths()["purelib"]).rglob("*.py"))[::20]:
        if sum(map(len, found)) < size and 0 < path.stat().st_size < 100_000:
            found.append(path.read_text(encoding="utf-8", errors="replace"))
    return found


def _compare(
    name: str, texts: list[str], ours: Callable[[list[str]], object], theirs: Callable[[list[str]], object]
) -> None:
    ours(texts[:2])  # compiled, and models loaded
    theirs(texts[:2])
    size = sum(len(text.encode()) for text in texts) / 1e6
    pairs = [(_seconds(ours, texts), _seconds(theirs, texts)) for _ in range(ROUNDS)]
    ratios = sorted(slow / fast for fast, slow in pairs)
    print(
        f"{name}, {size:.1f} MB: {size / statistics.median(f for f, _ in pairs):.1f} MB/s against "
        f"{size / statistics.median(s for _, s in pairs):.2f} MB/s, {statistics.median(ratios):.0f} times "
        f"({ratios[0]:.0f}-{ratios[-1]:.0f})"
    )


def _seconds(work: Callable[[list[str]], object], texts: list[str]) -> float:
    began = time.perf_counter()
    work(texts)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
