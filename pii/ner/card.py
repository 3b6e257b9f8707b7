"""The model card that stands beside the weights."""

from __future__ import annotations

from collections.abc import Mapping

from pii.ner.measure import Scores
from pii.ner.model import ENTITIES

_FRONT = """---
license: apache-2.0
library_name: transformers
pipeline_tag: token-classification
tags: [pii, ner, code]
{base}---
# Quarry's NER model: personal information in code

Finds {entities} in the comments, headers, configuration and logs of source code, in the scheme
BIO. {shape}
It reads the windows that `pii/ner/candidates.py` finds; what a pattern states exactly (e-mail and IP addresses, keys
with a known format) is found by Quarry's recognizers, beside which this model stands.

## Data
Examples are made while training (`pii/ner/corpus.py`), with labels that are right by construction: synthetic people,
accounts, passwords and keys of many locales and scripts, set into comments and code of installed packages under
permissive licences, and hard negatives (classes, cities, companies, products, eponyms, variables, hashes). No text is
from a cloned repository, and no label was made by another model. Names are drawn from lists of given and family names.

## Training
AdamW with a cosine, cross entropy over tokens, running mean of the weights: {schedule}.
Of each block of texts a part is read with fewer merges of the tokenizer, so that names fall into pieces as unknown ones
do. `make pii-model` makes this folder again, on one kind of processor to the bit.

## Scores
On the dev split of the same generator, whose templates, names and carrier packages the training never saw, at the
thresholds in `config.json`; a span counts where it overlaps a labelled one of its entity. This says how well the model
learnt its examples, not how well it does on your code: for that see `docs/decisions/ner-model.md` and `make pii-eval`.

| entity | labelled | precision | recall | F1 | threshold |
|---|---:|---:|---:|---:|---:|
{rows}

## Limits
A small model: it knows names by their shape, by frequent given and family names and by the words around them. Rare
names without a cue are missed; a capitalised pair of words after a cue for a person is sometimes taken for one. Windows
of 256 tokens; languages other than those of the lists are seen through their bytes. Use it to redact, never to judge a
person.
"""


def card(
    scores: Mapping[str, Scores],
    thresholds: Mapping[str, float],
    parameters: int,
    schedule: str,
    base: str | None,
) -> str:
    """The card of a model with these scores on the dev split."""
    rows = "\n".join(
        f"| {name} | {score.labelled} | {score.precision:.3f} | {score.recall:.3f} | {score.f1:.3f} "
        f"| {thresholds[name]:.2f} |"
        for name, score in scores.items()
    )
    shape = (
        f"{parameters / 1e6:.1f} million parameters, trained from nothing, stored as float16."
        if base is None
        else f"{parameters / 1e6:.1f} million parameters, fine-tuned from {base}."
    )
    return _FRONT.format(
        base="" if base is None else f"base_model: {base}\n",
        entities=", ".join(ENTITIES),
        shape=shape,
        schedule=schedule,
        rows=rows,
    )
