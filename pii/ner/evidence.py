"""How sure the model must be of a name, by what the gazetteer knows of its words.

A small model's mistakes are products, places and headings: capitalised words that name nobody. A listed given name is
evidence of its own, so less of the model's will do; a word that code uses as an ordinary one is evidence against. Chosen
on labels of the development repositories (docs/decisions/ner-model.md).
"""

from __future__ import annotations

import re

from pii.ner.gazetteer import FAMILY, GIVEN, ORDINARY, bits_of

MOST_LESS = 0.25  # with a given name, and another word
UNLISTED = 0.18  # two words and more, none of them a given name
UNLIKELY = 0.26  # one word that is no given name, or with an ordinary word
CERTAIN = 0.97  # the model's scores end at 0.98

_WORD = re.compile(r"[^\W\d_]+")
_COMPANY = frozenset(
    """
    inc ltd llc gmbh corp corporation company foundation team project projects authors contributors developers committee
    consortium university institute laboratory labs software technologies systems association community forums desert
    street avenue license members council alliance group
    """.split()
)


def needed(value: str, threshold: float) -> float:
    """The score from which `value` counts as a name, where `threshold` is the model's own for names."""
    words = [word for word in _WORD.findall(value) if len(word) > 1]
    if not value.isascii() and not any("A" <= word[0] <= "z" for word in words):
        return threshold  # another script
    if any(word.lower() in _COMPANY for word in words):
        return 1.0
    if value.isupper() and len(words) > 1:
        return min(threshold + UNLISTED, CERTAIN)
    bits = [bits_of(word) for word in words]
    if any(kind & GIVEN for kind in bits):
        return threshold - MOST_LESS if len(words) > 1 else threshold
    if any(kind & ORDINARY and not kind & FAMILY for kind in bits) or len(words) < 2:
        return min(threshold + UNLIKELY, CERTAIN)
    return min(threshold + UNLISTED, CERTAIN)
