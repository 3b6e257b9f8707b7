"""Trains the NER model: the bundled one from nothing, or a bigger encoder with `--base`, on the same examples.

    python -m pii.ner.train --out pii/ner/bundled --seed 0              the bundled model (make pii-model)
    python -m pii.ner.train --out DIR --base bigcode/starencoder        fine-tuning, for a machine with a GPU
    python -m pii.ner.train --out DIR --base DIR --rate 1e-3            going on with a model of ours

Examples are made as they are read (pii/ner/corpus.py), so none is seen twice. Steps, rates and seed are fixed, and one
thread sums in one order: on one kind of processor the bundled model comes out the same to the bit.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel

from pii.ner import prose
from pii.ner import tokenizer as tokenizers_
from pii.ner.card import card
from pii.ner.corpus import Example, examples
from pii.ner.measure import Scores, measure, thresholds, total
from pii.ner.model import ENTITIES, LONGEST, NerModel

LABELS = ("O", *(f"{prefix}-{entity}" for entity in ENTITIES for prefix in "BI"))
IGNORED = -100  # torch's number for positions without a label
VOCABULARY = 10240
WINDOW = 256  # tokens
BLOCK = 4096  # examples that are made, sorted by length and shuffled in batches together
BATCH = 2048  # tokens a step, padding included
COARSE = (0.7, 0.12, 0.1, 0.08)  # how often a block reads all merges, and a half, a quarter, an eighth of them
VOCABULARY_TEXTS = 60_000
MASKED = 0.08  # share of the tokens that are hidden, so that context and the other half of a name must do
DEV = 2000  # examples
FEWEST = 50  # labels of an entity there that choose its threshold
LEAST = 0.7  # threshold: in real code, what scores less is mostly none (docs/decisions/ner-model.md)


class Round(NamedTuple):
    """A part of the training with a schedule of its own."""

    steps: int
    peak: float  # learning rate
    prose: float  # words of other languages that are nobody's name, by examples of the corpus


# More steps in one go learn the templates by heart.
BUNDLED = (Round(2400, 1.5e-3, 0.2), Round(1500, 4e-4, 0.4), Round(1200, 4e-4, 0.4))


def new_model(vocabulary: int) -> Any:
    """A model of the bundled one's shape with random weights."""
    from transformers import RoFormerConfig, RoFormerForTokenClassification

    config = RoFormerConfig(
        vocab_size=vocabulary,
        embedding_size=192,
        hidden_size=192,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=576,
        hidden_act="relu",
        max_position_embeddings=WINDOW + 2,
        type_vocab_size=1,
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.1,
        initializer_range=0.05,
        pad_token_id=0,
        **_label_names(),
    )
    return RoFormerForTokenClassification(config)


def _label_names() -> dict[str, Any]:
    return {"id2label": dict(enumerate(LABELS)), "label2id": {name: number for number, name in enumerate(LABELS)}}


def mixed(seed: int, share: float) -> Iterator[Example]:
    """The training's examples: those of the corpus, and for a `share` of them words of other languages."""
    rng = np.random.default_rng(seed)
    for example, text in zip(examples(seed, "train"), prose.texts(seed, "train"), strict=False):
        yield example
        if rng.random() < share:
            yield Example(*text)


def encode(tokenizer: Any, batch: Sequence[Example], limit: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(token ids, label ids) of each example, both int64[n]; a token's first character that is no space decides."""
    coded = tokenizer(
        [example.text for example in batch], truncation=True, max_length=limit, return_offsets_mapping=True
    )
    result = []
    for example, ids, offsets in zip(batch, coded["input_ids"], coded["offset_mapping"], strict=True):
        entity = np.zeros(len(example.text) + 1, dtype=np.int64)
        span = np.full(len(example.text) + 1, -1)
        for number, (start, end, name) in enumerate(example.spans):
            entity[start:end], span[start:end] = ENTITIES.index(name) + 1, number
        space = np.array([character.isspace() for character in example.text] + [False])
        place = np.array(offsets).reshape(-1, 2)
        at = np.minimum(place[:, 0] + space[place[:, 0]], len(example.text))
        goes_on = np.concatenate(([False], span[at][1:] == span[at][:-1]))
        labels = np.where(entity[at] > 0, 2 * entity[at] - 1 + goes_on, 0)
        result.append((np.array(ids), np.where(place[:, 0] == place[:, 1], IGNORED, labels)))
    return result


def batches(
    readers: Sequence[Any], stream: Iterator[Example], limit: int, rng: np.random.Generator, hidden: int | None
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """(ids, mask, labels) of batches of texts of like length, int64[rows, length] each, without end.

    `readers` are the tokenizer and its coarser versions; a text is read by one of them. `hidden` is the token that
    stands for those that are hidden.
    """
    while True:
        block = list(islice(stream, BLOCK))
        reader = rng.choice(len(readers), len(block), p=COARSE if len(readers) > 1 else None)
        rows = []
        for number, tokenizer in enumerate(readers):
            rows += encode(tokenizer, [block[k] for k in np.flatnonzero(reader == number)], limit)
        rows.sort(key=lambda row: len(row[0]))
        groups, at = [], 0
        while at < len(rows):
            end = at + 1
            while end < len(rows) and (end - at + 1) * len(rows[end][0]) <= BATCH:
                end += 1
            groups.append(rows[at:end])
            at = end
        for number in rng.permutation(len(groups)).tolist():
            group = groups[number]
            ids, mask, labels = np.zeros((3, len(group), len(group[-1][0])), dtype=np.int64)
            labels[:] = IGNORED
            for row, (tokens, classes) in enumerate(group):
                ids[row, : len(tokens)], mask[row, : len(tokens)], labels[row, : len(tokens)] = tokens, 1, classes
            if hidden is not None:
                ids[(rng.random(ids.shape) < MASKED) & (labels != IGNORED)] = hidden
            yield torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(labels)


def rate(progress: float, warmup: float = 0.04) -> float:
    """The learning rate at `progress` (0 to 1) as a share of its peak: up in a line, down along a cosine."""
    if progress < warmup:
        return progress / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warmup) / (1 - warmup))))


def train(out: Path, *, rounds: Sequence[Round] = BUNDLED, seed: int = 0, base: str | None = None) -> list[float]:
    """Trains and writes the model to `out`; the loss of every step.

    A round goes on with the weights of the one before, on other examples. What is written is the mean of what each of
    them ended with (Wortsman et al. 2022, Model soups), which depends less on where one of them happened to end.
    """
    torch.manual_seed(seed)
    began = time.monotonic()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model, tokenizer = new(seed) if base is None else loaded(base)
    model = model.to(device)
    dev = list(islice(examples(seed, "dev"), DEV))
    ends: list[dict[str, torch.Tensor]] = []
    losses: list[float] = []
    for number, round_ in enumerate(rounds):
        losses += learn(model, tokenizer, round_, seed + 1000 * number)
        ends.append({name: value.clone() for name, value in model.state_dict().items()})
        scores, _ = check(model, tokenizer, dev)
        print(f"round {number + 1} of {len(rounds)}: {_figures(scores)}", flush=True)
    model.load_state_dict(_mean(ends))
    scores, limits = check(model, tokenizer, dev)
    print(f"their mean: {_figures(scores)}", flush=True)
    _write(out, model, tokenizer, limits)
    parameters = sum(weights.numel() for weights in model.parameters())
    (out / "README.md").write_text(card(scores, limits, parameters, _schedule(rounds), base))
    print(f"{len(losses):,} steps in {(time.monotonic() - began) / 60:.0f} minutes")
    return losses


def _mean(states: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    return {
        name: torch.stack([state[name] for state in states]).float().mean(0).to(first.dtype)
        for name, first in states[0].items()
    }


def _schedule(rounds: Sequence[Round]) -> str:
    each = [f"{steps:,} steps with a rate of up to {peak:g}" for steps, peak, _ in rounds]
    return each[0] if len(each) == 1 else "the mean of the weights\n" + ",\n".join(f"after {one}" for one in each)


def new(seed: int) -> tuple[Any, Any]:
    """A model of the bundled one's shape with random weights, and its tokenizer."""
    texts = (example.text for example in islice(mixed(seed + 1, BUNDLED[0].prose), VOCABULARY_TEXTS))
    tokenizer = tokenizers_.wrap(tokenizers_.build(texts, VOCABULARY), WINDOW)
    return new_model(len(tokenizer)), tokenizer


def loaded(base: str) -> tuple[Any, Any]:
    """An encoder or a token classifier by name or path, and its tokenizer."""
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    model = AutoModelForTokenClassification.from_pretrained(base, dtype=torch.float32, **_label_names())
    return model, AutoTokenizer.from_pretrained(base)


def learn(model: Any, tokenizer: Any, round_: Round, seed: int) -> list[float]:
    """Trains `model` in place for a round, and leaves the running mean of its weights in it; the loss of every step."""
    rng = np.random.default_rng(seed)
    device = model.device.type
    half = device == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    limit = min(tokenizer.model_max_length, LONGEST)
    readers = [tokenizer]
    if tokenizers_.is_ours(tokenizer):
        raw = tokenizer.backend_tokenizer
        readers += [tokenizers_.wrap(tokenizers_.coarser(raw, len(tokenizer) // share), limit) for share in (2, 4, 8)]
    model.train()
    mean = AveragedModel(model, multi_avg_fn=_drift)
    decays = [weights for weights in model.parameters() if weights.ndim > 1]
    others = [weights for weights in model.parameters() if weights.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decays, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}], betas=(0.9, 0.98)
    )
    loss_of = torch.nn.CrossEntropyLoss(ignore_index=IGNORED, label_smoothing=0.03)
    losses: list[float] = []
    stream = batches(readers, mixed(seed, round_.prose), limit, rng, tokenizer.mask_token_id)
    for step, (ids, mask, labels) in enumerate(islice(stream, round_.steps)):
        for group in optimizer.param_groups:
            group["lr"] = round_.peak * rate(step / round_.steps)
        with torch.autocast(device, torch.bfloat16, enabled=half):
            logits = model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
        loss = loss_of(logits.float().flatten(0, 1), labels.to(device).flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        mean.update_parameters(model)
        losses.append(float(loss.detach()))
        if (step + 1) % 100 == 0:
            print(f"step {step + 1} of {round_.steps}, loss {np.mean(losses[-100:]):.4f}", flush=True)
    model.load_state_dict(mean.module.state_dict())
    return losses


@torch.no_grad()
def _drift(means: list[torch.Tensor], values: list[torch.Tensor], count: torch.Tensor) -> None:
    """The running mean goes a five-hundredth of the way to the new weights, further while there were few."""
    torch._foreach_lerp_(means, values, max(0.002, 9 / (10 + int(count))))


def check(model: Any, tokenizer: Any, dev: Sequence[Example]) -> tuple[dict[str, Scores], dict[str, float]]:
    """The scores of each entity on `dev` at its best threshold from LEAST on, and those."""
    model.eval()
    model.config.thresholds = {}
    finder = NerModel.of(model, tokenizer, model.device.type)
    found = finder.find([example.text for example in dev])
    best = thresholds([example.spans for example in dev], found, ENTITIES, FEWEST)
    limits = {entity: max(LEAST, threshold) for entity, threshold in best.items()}
    return measure([example.spans for example in dev], found, limits), limits


def _figures(scores: Mapping[str, Scores]) -> str:
    each = ", ".join(f"{name} {score.f1:.3f}" for name, score in scores.items())
    return f"dev F1 {total(scores.values()).f1:.4f} ({each})"


def _write(out: Path, model: Any, tokenizer: Any, limits: dict[str, float]) -> None:
    """Weights as float16, configuration with thresholds, tokenizer."""
    import copy

    out.mkdir(parents=True, exist_ok=True)
    stored = copy.deepcopy(model).half()
    stored.config.thresholds = limits
    stored.save_pretrained(out)
    if tokenizer.is_fast:
        tokenizer.backend_tokenizer.no_truncation()  # which the last call asked for
    tokenizer.save_pretrained(out)
    settings = out / "tokenizer_config.json"
    kept = json.loads(settings.read_text())
    if kept.get("tokenizer_class") == "TokenizersBackend":  # the name that transformers 4 knows too
        kept["tokenizer_class"] = "PreTrainedTokenizerFast"
        settings.write_text(json.dumps(kept, indent=2) + "\n")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m pii.ner.train", description="Trains the NER model.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--base", help="an encoder to fine-tune, by name or path, instead of the small model")
    parser.add_argument("--steps", type=int, default=2500, help="of the fine-tuning")
    parser.add_argument("--rate", type=float, default=5e-5, help="peak learning rate of the fine-tuning")
    given = parser.parse_args()
    torch.set_num_threads(1)  # sums in one order
    fine_tuning = (Round(given.steps, given.rate, BUNDLED[-1].prose),)
    train(given.out, rounds=fine_tuning if given.base else BUNDLED, seed=given.seed, base=given.base)


if __name__ == "__main__":
    main()
