"""The model: GPT-2's decoder with multi-query attention, in the sizes that were published and two small ones.

transformers' GPTBigCode is used as it is, so that a checkpoint loads wherever StarCoder's does.
Sources: bigcode's Megatron-LM slurm scripts for SantaCoder and StarCoderBase; dropout and feed-forward width as there.
"""

from __future__ import annotations

from dataclasses import dataclass

from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

from pipeline.errors import UsageError


@dataclass(frozen=True)
class Preset:
    """A model's shape, and the training it was made for: sizes of a global batch, steps, learning rate at its peak."""

    name: str
    layers: int
    hidden: int
    heads: int
    context: int  # tokens
    batch: int  # sequences a step
    steps: int
    warmup: int  # steps
    learning_rate: float
    dropout: float = 0.1
    init_std: float = 0.02


PRESETS = {
    preset.name: preset
    for preset in (
        # For a laptop without a GPU: on 10 MB of code the loss falls from 9 to a little above 5 in a minute or two.
        Preset("tiny", 4, 128, 4, 256, 2, 500, 30, 3e-3, dropout=0.0, init_std=0.08),  # 1 / sqrt(hidden)
        # For one GPU.
        Preset("small", 12, 768, 12, 1024, 128, 20_000, 500, 6e-4),
        Preset("santacoder-1b", 24, 2048, 16, 2048, 192, 600_000, 12_000, 2e-4),
        Preset("starcoder-15b", 40, 6144, 48, 8192, 512, 250_000, 2_000, 3e-4, init_std=0.01275),
    )
}


def preset_named(name: str) -> Preset:
    """The preset; UsageError where there is none of that name."""
    if name not in PRESETS:
        raise UsageError(f"there is no preset '{name}'; the presets are {', '.join(PRESETS)}.")
    return PRESETS[name]


def config(preset: Preset, vocabulary: int, end_of_text: int) -> GPTBigCodeConfig:
    """The preset as a configuration of transformers; `end_of_text` is also what begins and pads a text."""
    return GPTBigCodeConfig(
        vocab_size=vocabulary,
        n_positions=preset.context,
        n_embd=preset.hidden,
        n_layer=preset.layers,
        n_head=preset.heads,
        n_inner=4 * preset.hidden,
        resid_pdrop=preset.dropout,
        embd_pdrop=preset.dropout,
        attn_pdrop=preset.dropout,
        initializer_range=preset.init_std,
        multi_query=True,
        bos_token_id=end_of_text,
        eos_token_id=end_of_text,
        pad_token_id=end_of_text,
    )


def build(preset: Preset, vocabulary: int, end_of_text: int) -> GPTBigCodeForCausalLM:
    """The model with random weights, float32, drawn from torch's generator."""
    return GPTBigCodeForCausalLM(config(preset, vocabulary, end_of_text))
