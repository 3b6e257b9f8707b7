"""The files a training leaves: what transformers loads, the losses, and what it all came from.

In a local folder they appear all at once; at a URL they are uploaded one by one, training.json last.

checkpoint/      config.json, model.safetensors, tokenizer.json, ...: for AutoModelForCausalLM and AutoTokenizer
loss.jsonl       a record a line: step, tokens, loss, lr, tokens_per_s, and validation_loss where it was measured
loss.png         the same as a curve
training.json    settings, the dataset's digest, final losses, versions
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast
from transformers.utils import logging

from pipeline.errors import UsageError
from pipeline.storage import TEMPORARY, Storage
from stages.tokenizer import END_OF_TEXT, SPECIAL_TOKENS
from training.plot import loss_curve

CHECKPOINT, LOSSES, CURVE, SUMMARY = "checkpoint", "loss.jsonl", "loss.png", "training.json"


@dataclass(frozen=True)
class TrainResult:
    """A finished training: its folder, the lines of loss.jsonl, training.json, and whether it was there before."""

    folder: Path | str  # a URL is a str
    records: list[dict[str, Any]]
    summary: dict[str, Any]
    reused: bool

    @property
    def checkpoint(self) -> Path | str:
        return self.folder / CHECKPOINT if isinstance(self.folder, Path) else f"{self.folder}/{CHECKPOINT}"


def find(out: Path | str, identity: Mapping[str, Any]) -> TrainResult | None:
    """The training in `out` if `identity` is its, None where there is nothing; UsageError where it is another."""
    store = Storage(out)
    held = store.names()
    if not held and not os.path.isfile(out):
        return None
    summary = store.read_record(SUMMARY) or {}
    if not summary and not store.local and set(held) <= {CHECKPOINT, LOSSES, CURVE}:
        return None  # what an interrupted upload left is written again
    if not summary.items() >= identity.items():
        what = "another training, of other data or settings" if summary else "something that is no finished training"
        raise UsageError(f"'{out}' holds {what}; remove it, or give another folder to train into.")
    records = [json.loads(line) for line in store.read_bytes(LOSSES).decode().splitlines()]
    return TrainResult(out, records, summary, reused=True)


def write(
    out: Path | str, model: Any, tokenizer: bytes, identity: Mapping[str, Any], records: Sequence[dict[str, Any]]
) -> TrainResult:
    """Write a finished training to `out`, which is not there or empty; it counts as one when it is complete."""
    summary = {
        **identity,
        "loss": records[-1]["loss"],
        "validation_loss": records[-1].get("validation_loss"),
        "versions": {name: metadata.version(name) for name in ("torch", "transformers", "tokenizers")},
    }
    unfinished = out.with_name(out.name + TEMPORARY + "training") if isinstance(out, Path) else Path(mkdtemp())
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        folder = unfinished / CHECKPOINT
        with _no_progress_bars():
            model.save_pretrained(folder)
        _write_tokenizer(folder, tokenizer, model.config.n_positions)
        (unfinished / LOSSES).write_text("".join(json.dumps(record) + "\n" for record in records))
        (unfinished / CURVE).write_bytes(loss_curve(records))
        (unfinished / SUMMARY).write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n")
        if isinstance(out, Path):
            os.rename(unfinished, out)
        else:
            _upload(unfinished, Storage(out))
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return TrainResult(out, list(records), summary, reused=False)


def _upload(folder: Path, store: Storage) -> None:
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    for path in sorted(files, key=lambda path: str(path) == SUMMARY):
        store.upload(folder / path, str(path))


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Keep transformers from drawing a bar for the one file it writes; its setting is put back."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _write_tokenizer(folder: Path, tokenizer: bytes, context: int) -> None:
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(tokenizer.decode()),
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        unk_token=END_OF_TEXT,
        pad_token=END_OF_TEXT,
        additional_special_tokens=list(SPECIAL_TOKENS[1:]),
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )
    wrapped.save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(tokenizer)  # the dataset's own, byte for byte
