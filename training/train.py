"""Trains a model on a run's dataset, on one GPU or on the CPU, and leaves a checkpoint that transformers loads.

StarCoder's optimisation: AdamW, weights decayed but norms and biases not, warm-up and a cosine to a tenth. Everything
is written when training is done, below another name, and renamed: a training that is killed leaves nothing behind.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from stages.tokenizer import END_OF_TEXT
from training import checkpoint
from training.checkpoint import TrainResult
from training.loader import Batch, Dataset, training_batches, validation_batches
from training.model import Preset, build, preset_named
from training.weights import Weights, mixture

BETAS, EPSILON, WEIGHT_DECAY, CLIP = (0.9, 0.95), 1e-8, 0.1, 1.0
FINAL_SHARE = 0.1  # of the peak learning rate, at the last step
VALIDATION_BATCHES = 16


def train(
    dataset: str,
    out: Path | str,
    preset: str | Preset = "tiny",
    *,
    steps: int | None = None,
    batch: int | None = None,
    learning_rate: float | None = None,
    micro_batch: int | None = None,
    fim_rate: float = 0.5,
    spm_rate: float = 0.5,
    weights: Weights | None = None,
    seed: int = 0,
    log_every: int = 10,
    validate_every: int = 100,
    on_step: Callable[[int, float], None] | None = None,
) -> TrainResult:
    """Train `preset` (or a shape of your own) on the dataset folder (path or URL) into `out`, a
    local folder (a Path) or a URL (a str).

    `steps`, `batch` (sequences a step) and `learning_rate` default to the preset's; `micro_batch` sequences go through
    the model at once, by default all. `weights` changes the mixture of languages (training.weights). `on_step` is given
    each step, from 1, and its loss. Equal arguments give equal losses on one machine and number of threads. The files
    it leaves are described in training.checkpoint; where `out` holds this very training, it is returned and nothing is
    done.

    Raises UsageError where `out` holds anything else, where `dataset` is none, or where `weights` do not fit it.
    """
    shape = _override(preset if isinstance(preset, Preset) else preset_named(preset), steps, batch, learning_rate)
    data = Dataset(dataset)
    settings = {"preset": asdict(shape), "fim_rate": fim_rate, "spm_rate": spm_rate, "seed": seed}
    settings |= {"log_every": log_every, "validate_every": validate_every}
    if weights:
        mixture(data.tokens("train"), weights)  # says what is wrong with them
        settings["weights"] = dict(weights)
    identity = {"dataset": data.digest(), "settings": settings}
    if (finished := checkpoint.find(out, identity)) is not None:
        return finished

    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        device = torch.device("cuda" if devices else "cpu")
        model = build(shape, data.coder.vocabulary, data.coder.special[END_OF_TEXT]).to(device)
        run = _Run(model, shape, device, micro_batch or shape.batch)
        held_out = list(
            validation_batches(data, batch=run.micro_batch, context=shape.context, limit=VALIDATION_BATCHES)
        )
        batches = training_batches(
            data,
            batch=shape.batch,
            context=shape.context,
            seed=seed,
            fim_rate=fim_rate,
            spm_rate=spm_rate,
            weights=weights,
        )
        records = run.train(batches, held_out, log_every, validate_every, on_step)
    return checkpoint.write(out, model, data.tokenizer, identity, records)


class _Run:
    """The model and its optimizer while they train."""

    def __init__(self, model: Any, preset: Preset, device: torch.device, micro_batch: int) -> None:
        self.model, self.preset, self.device, self.micro_batch = model, preset, device, micro_batch
        parameters = list(model.parameters())
        groups = [
            {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": WEIGHT_DECAY},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=0.0, betas=BETAS, eps=EPSILON)

    def train(
        self,
        batches: Any,
        held_out: list[Batch],
        log_every: int,
        validate_every: int,
        on_step: Callable[[int, float], None] | None,
    ) -> list[dict[str, Any]]:
        """All steps; one record each `log_every`, the first being the untrained model's (step 0)."""
        steps, tokens_a_step = self.preset.steps, self.preset.batch * self.preset.context
        first = next(batches)
        records = [{"step": 0, "tokens": 0, "loss": self.evaluate([first]), "lr": 0.0, "tokens_per_s": 0.0}]
        if held_out:
            records[0]["validation_loss"] = self.evaluate(held_out)
        losses: list[float] = []
        since, spent = 0, 0.0
        for step in range(1, steps + 1):
            start = time.perf_counter()
            rate = learning_rate(step, self.preset)
            losses.append(self.step(first if step == 1 else next(batches), rate))
            spent += time.perf_counter() - start
            if on_step:
                on_step(step, losses[-1])
            validate = bool(held_out) and (step % validate_every == 0 or step == steps)
            if not (validate or step % log_every == 0 or step == steps):
                continue
            record = {"step": step, "tokens": step * tokens_a_step, "loss": sum(losses) / len(losses), "lr": rate}
            record["tokens_per_s"] = round((step - since) * tokens_a_step / spent, 1)
            if validate:
                record["validation_loss"] = self.evaluate(held_out)
            records.append(record)
            losses, since, spent = [], step, 0.0
        return records

    def step(self, batch: Batch, rate: float) -> float:
        """One update at learning rate `rate`; returns the loss before it, in nats a token."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        total = 0.0
        for part in _parts(batch, self.micro_batch):
            loss = self.loss(part) * (len(part.inputs) / len(batch.inputs))
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return total

    def evaluate(self, batches: list[Batch]) -> float:
        """Mean loss of a token over the batches, without dropout."""
        self.model.eval()
        total = tokens = 0.0
        with torch.no_grad():
            for batch in batches:
                for part in _parts(batch, self.micro_batch):
                    total += self.loss(part).item() * part.inputs.size
                    tokens += part.inputs.size
        self.model.train()
        return total / tokens

    def loss(self, batch: Batch) -> torch.Tensor:
        inputs = torch.from_numpy(batch.inputs).to(self.device)
        targets = torch.from_numpy(batch.targets).to(self.device)
        with self._precision():
            logits = self.model(inputs, use_cache=False).logits
        return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())

    def _precision(self) -> AbstractContextManager[Any]:
        return torch.autocast("cuda", torch.bfloat16) if self.device.type == "cuda" else nullcontext()


def learning_rate(step: int, preset: Preset) -> float:
    """Of step 1 to `preset.steps`: a linear warm-up to the peak, then a cosine to FINAL_SHARE of it."""
    if step <= preset.warmup:
        return preset.learning_rate * step / preset.warmup
    done = (step - preset.warmup) / max(1, preset.steps - preset.warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * done))
    return preset.learning_rate * (FINAL_SHARE + (1 - FINAL_SHARE) * cosine)


def _override(preset: Preset, steps: int | None, batch: int | None, rate: float | None) -> Preset:
    """The preset with what the user gave; a warm-up longer than a tenth of fewer steps is shortened to that."""
    steps = steps or preset.steps
    return replace(
        preset,
        steps=steps,
        warmup=min(preset.warmup, max(1, steps // 10)),
        batch=batch or preset.batch,
        learning_rate=rate or preset.learning_rate,
    )


def _parts(batch: Batch, size: int) -> list[Batch]:
    starts = range(0, len(batch.inputs), size)
    return [Batch(batch.inputs[at : at + size], batch.targets[at : at + size]) for at in starts]
