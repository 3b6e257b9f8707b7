"""The files a training leaves, written all at once: what transformers loads, the losses, and what it all came from.

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
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast
from transformers.utils import logging

from pipeline.errors import UsageError
from pipeline.storage import TEMPORARY
from stages.tokenizer import END_OF_TEXT, SPECIAL_TOKENS
from training.plot import loss_curve

SUMMARY = "training.json"


@dataclass(frozen=True)
class TrainResult:
    """A finished training: its folder, the lines of loss.jsonl, training.json, and whether it was there before."""

    folder: Path
    records: list[dict[str, Any]]
    summary: dict[str, Any]
    reused: bool

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint"


def find(out: Path, identity: Mapping[str, Any]) -> TrainResult | None:
    """The training in `out` if `identity` is its, None where there is nothing; UsageError where it is another."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    summary = json.loads((out / SUMMARY).read_text()) if (out / SUMMARY).is_file() else {}
    if not summary.items() >= identity.items():
        what = "another training, of other data or settings" if summary else "something that is no finished training"
        raise UsageError(f"'{out}' holds {what}; remove it, or give another folder to train into.")
    records = [json.loads(line) for line in (out / "loss.jsonl").read_text().splitlines()]
    return TrainResult(out, records, summary, reused=True)


def write(
    out: Path, model: Any, tokenizer: bytes, identity: Mapping[str, Any], records: Sequence[dict[str, Any]]
) -> TrainResult:
    """Write a finished training to `out`, which is not there or empty; it appears complete or not at all."""
    unfinished = out.with_name(out.name + TEMPORARY + "training")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        folder = unfinished / "checkpoint"
        with _no_progress_bars():
            model.save_pretrained(folder)
        _write_tokenizer(folder, tokenizer, model.config.n_positions)
        (unfinished / "loss.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
        (unfinished / "loss.png").write_bytes(loss_curve(records))
        summary = {
            **identity,
            "loss": records[-1]["loss"],
            "validation_loss": records[-1].get("validation_loss"),
            "versions": {name: metadata.version(name) for name in ("torch", "transformers", "tokenizers")},
        }
        (unfinished / SUMMARY).write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n")
        os.rename(unfinished, out)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return TrainResult(out, list(records), summary, reused=False)


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
