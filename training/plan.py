"""What a training would take, from its shape alone: for `quarry train --plan`. Nothing is built or run."""

from __future__ import annotations

from dataclasses import dataclass

from training.model import Preset

# Per parameter: weight, gradient and AdamW's two moments, float32 each.
BYTES_A_PARAMETER = 16
# Per token, layer and hidden unit, with attention that keeps no matrix of scores, 16-bit activations
# (Korthikanti et al. 2022, equation 2 without its attention term).
ACTIVATION_BYTES = 34


@dataclass(frozen=True)
class Plan:
    """Sizes in bytes, tokens and floating-point operations."""

    parameters: int
    tokens_per_step: int
    tokens: int
    flops: float  # 6 N D
    model_bytes: int  # weights, gradients and optimizer
    activation_bytes: int  # of one micro-batch, about


def plan(preset: Preset, vocabulary: int, micro_batch: int | None = None) -> Plan:
    """The plan of a training; `micro_batch` sequences are in memory at once, by default the whole batch."""
    count = parameters(preset, vocabulary)
    per_step = preset.batch * preset.context
    at_once = (micro_batch or preset.batch) * preset.context
    logits = at_once * vocabulary * 8  # float32, and their gradient
    return Plan(
        parameters=count,
        tokens_per_step=per_step,
        tokens=per_step * preset.steps,
        flops=6.0 * count * per_step * preset.steps,
        model_bytes=count * BYTES_A_PARAMETER,
        activation_bytes=at_once * preset.layers * preset.hidden * ACTIVATION_BYTES + logits,
    )


def parameters(preset: Preset, vocabulary: int) -> int:
    """Parameters of the model; the output layer shares the embedding's."""
    hidden, head = preset.hidden, preset.hidden // preset.heads
    attention = (hidden + 1) * (hidden + 2 * head) + (hidden + 1) * hidden  # one key and value head
    feed_forward = (hidden + 1) * 4 * hidden + (4 * hidden + 1) * hidden
    layer = attention + feed_forward + 4 * hidden  # and two norms
    return (vocabulary + preset.context) * hidden + preset.layers * layer + 2 * hidden
