"""Scores as plain data (results.json) and as the tables of docs/pii-evaluation.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np

from pii.evaluation import scoring
from pii.evaluation.labelled import Document
from pii.evaluation.scoring import Found
from pii.spans import ENTITIES, Entity

# StarCoder paper, table 8: precision, recall, F1 in percent of the NER model trained with pseudo-labels, on its own
# test set; the F1 of EMAIL is printed as 98.15 there (its precision and recall give 98.33).
STARPII = {
    "NAME": (86.45, 97.38, 91.59),
    "EMAIL": (97.73, 98.94, 98.15),
    "IP_ADDRESS": (90.10, 93.86, 91.94),
    "USERNAME": (52.20, 74.81, 61.49),
    "PASSWORD": (70.94, 95.96, 81.57),
    "KEY": (62.38, 80.81, 70.41),
}
FEW = 10  # a language with fewer labels than this is summed up with the other small ones


class Scored(NamedTuple):
    """One system on one set."""

    name: str
    documents: Sequence[Document]
    found: Sequence[Sequence[Found]]


def digest(documents: Sequence[Document]) -> str:
    """Tells one version of a set's labels from another."""
    labels = sorted((document.id, document.start, document.end, document.labels) for document in documents)
    return sha256(repr(labels).encode()).hexdigest()[:16]


def summary(scored: Scored, brief: bool = False) -> dict[str, Any]:
    """What the tables say of one system on one set, as JSON; `brief` leaves out languages and confusions."""
    documents = scored.documents
    by_rule = {rule: scoring.counts(documents, scored.found, rule) for rule in scoring.RULES}
    redacted = scoring.counts(documents, [[s for s in spans if s.redacted] for spans in scored.found])
    clusters = [document.cluster for document in documents]
    entities = {}
    for column, entity in enumerate(ENTITIES):
        headline = by_rule["overlap"][:, column]
        entities[entity] = {
            "detected": _rates(headline) | {"interval": scoring.intervals(headline, clusters)},
            "most": _rates(by_rule["most"][:, column]),
            "exact": _rates(by_rule["exact"][:, column]),
            "redacted": _rates(redacted[:, column]),
        }
    short = {"system": scored.name, "labels": digest(documents), "entities": entities}
    if brief:
        return short
    languages = np.array([document.language for document in documents])
    tally = scoring.by_recognizer(documents, scored.found)
    who = sorted({(entity, recognizer) for entity, recognizer, _ in tally})
    return short | {
        "recognizers": [[e, r, tally[e, r, True], tally[e, r, False]] for e, r in who],
        "languages": {
            str(language): {
                entity: _rates(by_rule["overlap"][languages == language][:, column])
                for column, entity in enumerate(ENTITIES)
            }
            for language in sorted(set(languages.tolist()))
        },
        "confusion": [
            [was, found, n] for (was, found), n in sorted(scoring.confusion(documents, scored.found).items())
        ],
    }


def contents(documents: Sequence[Document]) -> dict[str, Any]:
    """What a set holds: documents, languages, labels by entity and how many of them are optional."""
    labels = [label for document in documents for label in document.labels]
    return {
        "documents": len(documents),
        "languages": len({document.language for document in documents}),
        "labels": dict(sorted(Counter(label.entity for label in labels if not label.optional).items())),
        "optional": dict(sorted(Counter(label.entity for label in labels if label.optional).items())),
    }


def _rates(counted: np.ndarray) -> dict[str, Any]:
    rates = scoring.rates(counted)
    return {**rates._asdict(), "precision": rates.precision, "recall": rates.recall, "f1": rates.f1}


def page(results: Mapping[str, Any]) -> str:
    """docs/pii-evaluation.md from results.json."""
    parts = [_HEAD]
    for key, title in (("synthetic", "The synthetic set"), ("real", "Real code")):
        part = results.get(key)
        if part:
            parts += [f"## {title}\n", _contents(part["contents"]), _headline(part), _detail(part), _peers(part)]
            parts += [_recognizers(part), _languages(part), _confusion(part)]
    return "\n".join(parts).rstrip() + "\n"


_HEAD = """\
# How well personal information and secrets are found

Written by `make pii-eval` (`pii/evaluate.py`); the numbers as JSON are in `pii/evaluation/results.json`.

**The sets.** *Synthetic*: files written for this purpose, filled with made-up people, addresses and secrets, in
`pii/evaluation/`; it shares no template, name list or carrier with the training data of the model (a test compares
them). *Real*: chunks of public repositories labelled by hand, kept as repository, commit, path and offsets. Neither is
the set StarPII was measured on, which is closed: its figures (StarCoder paper, table 8, NER with pseudo-labels) stand
beside ours for orientation, and equal numbers would not mean equal systems.
The rules of labelling, and how the sets were made: docs/decisions/pii-labels.md.

**The rule.** A found span is a hit when it shares a character with a label of its entity, one to one
(`pii/evaluation/scoring.py`); *most* asks for more than 80% of both, *exact* for the same offsets. Optional labels
(John Doe, user@example.com, 127.0.0.1, root, changeme) are neither hit nor error. *Detected* counts every span that is
found; *redacted* only those that are replaced, so that what policy leaves (holders named in a licence, private
addresses) is a miss there. Intervals are 95% bootstrap intervals over templates, or chunks.
"""


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _between(interval: Sequence[float] | None) -> str:
    return "–" if interval is None else f"{100 * interval[0]:.1f}–{100 * interval[1]:.1f}"


def _contents(held: Mapping[str, Any]) -> str:
    total, optional = sum(held["labels"].values()), sum(held["optional"].values())
    documents = f"{held['documents']:,} documents, {held['languages']} languages"
    return f"{documents}, {total:,} labels, {optional:,} optional ones.\n"


def _headline(part: Mapping[str, Any]) -> str:
    lines = [
        "| entity | labels | precision | recall | F1 | 95% interval of F1 | StarPII F1 (its own set) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for entity in ENTITIES:
        row = part["systems"][0]["entities"][entity]["detected"]
        lines.append(
            f"| {entity} | {row['hits'] + row['misses']} | {_percent(row['precision'])} | {_percent(row['recall'])} "
            f"| **{_percent(row['f1'])}** | {_between(row['interval']['f1'])} | {STARPII[entity][2]:.1f} |"
        )
    return "\n".join(lines) + "\n"


def _detail(part: Mapping[str, Any]) -> str:
    lines = [
        "| entity | exact F1 | most F1 | precision interval | recall interval | precision redacted | recall redacted |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for entity in ENTITIES:
        row = part["systems"][0]["entities"][entity]
        interval = row["detected"]["interval"]
        lines.append(
            f"| {entity} | {_percent(row['exact']['f1'])} | {_percent(row['most']['f1'])} "
            f"| {_between(interval['precision'])} | {_between(interval['recall'])} "
            f"| {_percent(row['redacted']['precision'])} | {_percent(row['redacted']['recall'])} |"
        )
    return "\n".join(lines) + "\n"


def _peers(part: Mapping[str, Any]) -> str:
    lines = [
        "Precision / recall / F1 of each system:\n",
        "| system | " + " | ".join(ENTITIES) + " |",
        "| --- |" + " ---: |" * len(ENTITIES),
    ]
    for system in part["systems"]:
        cells = []
        for entity in ENTITIES:
            row = system["entities"][entity]["detected"]
            cells.append("–" if not row["hits"] + row["false_alarms"] else " / ".join(_percent(row[k]) for k in _THREE))
        lines.append(f"| {system['system']} | " + " | ".join(cells) + " |")
    starpii = " | ".join(" / ".join(f"{value:.1f}" for value in STARPII[entity]) for entity in ENTITIES)
    return "\n".join([*lines, f"| StarPII, on its own set | {starpii} |"]) + "\n"


_THREE = ("precision", "recall", "f1")


def short(name: str, part: Mapping[str, Any]) -> str:
    """A set's headline for a terminal."""
    lines = [f"{name}: {_contents(part['contents']).strip()}"]
    for system in part["systems"]:
        lines.append(system["system"])
        for entity, row in system["entities"].items():
            three = " ".join(f"{_percent(row['detected'][key]):>6}" for key in _THREE)
            counted = "{hits:>5} hits {misses:>5} misses {false_alarms:>5} false alarms".format(**row["detected"])
            lines.append(f"  {entity:<11}{three}   {counted}   exact F1 {_percent(row['exact']['f1'])}")
    return "\n".join(lines)


def _recognizers(part: Mapping[str, Any]) -> str:
    lines = ["Who found it:\n", "| entity | recognizer | hits | false alarms |", "| --- | --- | ---: | ---: |"]
    lines += [f"| {e} | {name} | {hits} | {wrong} |" for e, name, hits, wrong in part["systems"][0]["recognizers"]]
    return "\n".join(lines) + "\n"


def _languages(part: Mapping[str, Any]) -> str:
    lines = [
        "By language: labels, then precision / recall over all entities, and F1 of each (– where it has no label).\n",
        "| language | labels | precision | recall | " + " | ".join(ENTITIES) + " |",
        "| --- | ---: | ---: | ---: |" + " ---: |" * len(ENTITIES),
    ]
    small: dict[Entity, scoring.Rates] = {}
    names = []
    for language, rows in part["systems"][0]["languages"].items():
        rates = {entity: scoring.Rates(*(rows[entity][k] for k in scoring.Rates._fields)) for entity in ENTITIES}
        if sum(r.hits + r.misses for r in rates.values()) < FEW:
            names.append(language)
            for entity, rate in rates.items():
                before = small.get(entity, scoring.Rates(0, 0, 0))
                small[entity] = scoring.Rates(*(a + b for a, b in zip(before, rate, strict=True)))
        else:
            lines.append(_language(language, rates))
    if names:
        lines += [_language(f"{len(names)} others", small), "", f"The others: {', '.join(names)}."]
    return "\n".join(lines) + "\n"


def _language(name: str, rates: Mapping[Entity, scoring.Rates]) -> str:
    total = scoring.Rates(*(sum(column) for column in zip(*rates.values(), strict=True)))
    cells = [_percent(rates[e].f1) if rates[e].hits + rates[e].misses else "–" for e in ENTITIES]
    start = f"| {name} | {total.hits + total.misses} | {_percent(total.precision)} | {_percent(total.recall)} | "
    return start + " | ".join(cells) + " |"


def _confusion(part: Mapping[str, Any]) -> str:
    pairs = {(was, found): n for was, found, n in part["systems"][0]["confusion"]}
    lines = [
        "What labels were found as (rows: labelled; the last row: found where nothing is labelled):\n",
        "| labelled | " + " | ".join(ENTITIES) + " | not found |",
        "| --- |" + " ---: |" * (len(ENTITIES) + 1),
    ]
    for was in (*ENTITIES, ""):
        cells = [str(pairs.get((was, found), "")) for found in (*ENTITIES, "")]
        lines.append(f"| {was or 'nothing'} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
