"""Redaction against Presidio's default analyzer, on the same files in one run: `python -m benchmarks.redaction`.

The files are those of installed packages, in the languages `redact` reads. Each system works in a process of its own,
on one core, ROUNDS times in turn; what is printed are medians of MB/s of processor time, the median of the ratios with
their spread, and the peak memory of each process. MB are 10^6 bytes of text. Presidio's default analyzer wants a spaCy
model, which is not installed with Quarry: `--spacy en_core_web_lg` names one that is; without, its own recognizers run
with no model behind, which is faster than its default.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

ROUNDS = 3
ENDINGS = (".py", ".js", ".c", ".h", ".cpp", ".md", ".rst", ".txt", ".json", ".yaml", ".yml", ".toml", ".css", ".sh")
OURS, PATTERNS, PRESIDIO = "redact", "redact, by pattern only", "Presidio's default analyzer"


def main() -> None:
    """Print a line a system, and the ratios to Presidio's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spacy", metavar="MODEL", help="an installed spaCy model for Presidio's default analyzer")
    parser.add_argument("--megabytes", type=float, default=20.0, help="of text that redact reads")
    parser.add_argument("--presidio-megabytes", type=float, default=1.0, help="of these that Presidio reads")
    parser.add_argument("--system", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.system:
        print(json.dumps(_measure(options.system, options.megabytes, options.spacy)))
        return
    results: dict[str, list[dict[str, float]]] = {OURS: [], PATTERNS: [], PRESIDIO: []}
    for _ in range(ROUNDS):
        for system, its in results.items():
            size = options.presidio_megabytes if system == PRESIDIO else options.megabytes
            its.append(_in_a_process(system, size, options.spacy))
    for system, its in results.items():
        speeds = [one["speed"] for one in its]
        ratios = sorted(one["speed"] / other["speed"] for one, other in zip(its, results[PRESIDIO], strict=True))
        peak, load = max(one["peak"] for one in its), statistics.median(one["load"] for one in its)
        print(
            f"{system}: {statistics.median(speeds):.2f} MB/s ({min(speeds):.2f}-{max(speeds):.2f}) on "
            f"{its[0]['size']:.1f} MB, {statistics.median(ratios):.0f} times Presidio's "
            f"({ratios[0]:.0f}-{ratios[-1]:.0f}), peak memory {peak:.0f} MB, ready after {load:.1f} s"
        )


def _in_a_process(system: str, size: float, model: str | None) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.redaction", "--system", system, "--megabytes", str(size)]
    done = subprocess.run(
        [*command, *(["--spacy", model] if model else [])], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{system} failed:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _measure(system: str, size: float, model: str | None) -> dict[str, float]:
    """Speed in MB/s of processor time, size in MB, peak memory in MB, seconds until it is ready, of this process."""
    texts = sources(int(size * 1e6))
    began = time.perf_counter()
    work = _presidio(model) if system == PRESIDIO else _redactor(system == OURS)
    work(texts[:20])  # compiled, and models loaded
    load = time.perf_counter() - began
    began = time.process_time()
    work(texts)
    seconds = time.process_time() - began
    total = sum(len(text.encode()) for text in texts) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"speed": total / seconds, "size": total, "peak": peak, "load": load}


def sources(size: int) -> list[str]:
    """Files of installed packages of at most 100 kB, taken evenly over all, about `size` bytes."""
    paths = [path for path in sorted(Path(sysconfig.get_paths()["purelib"]).rglob("*")) if path.suffix in ENDINGS]
    paths = [path for path in paths if path.is_file() and 0 < path.stat().st_size < 100_000]
    step = max(1, sum(path.stat().st_size for path in paths) // size)
    return [path.read_text(encoding="utf-8", errors="replace") for path in paths[::step]]


def _redactor(with_model: bool) -> Callable[[Sequence[str]], object]:
    import torch

    from pii.options import NerOptions
    from pii.redact import Redactor

    torch.set_num_threads(1)
    redactor = Redactor(ner=NerOptions(enabled=with_model))
    return lambda texts: redactor.redact_column(pa.array(texts, pa.string()), [None] * len(texts))


def _presidio(model: str | None) -> Callable[[Sequence[str]], object]:
    import tldextract
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NlpEngineProvider, NoOpNlpEngine

    offline = tldextract.TLDExtract(suffix_list_urls=())
    setattr(tldextract, "extract", offline)  # noqa: B010  # its recognizers would ask the network
    if model is None:
        recognizers = RecognizerRegistry()
        recognizers.load_predefined_recognizers()
        recognizers.remove_recognizer("SpacyRecognizer")
        engine = AnalyzerEngine(recognizers, NoOpNlpEngine([{"lang_code": "en", "model_name": "none"}]))
    else:
        configured = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": model}]}
        engine = AnalyzerEngine(nlp_engine=NlpEngineProvider(nlp_configuration=configured).create_engine())
    return lambda texts: [engine.analyze(text, "en") for text in texts]


if __name__ == "__main__":
    main()
