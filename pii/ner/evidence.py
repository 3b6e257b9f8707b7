"""How sure the model must be of a name, by what the gazetteer knows of its words.

A small model's mistakes are products, places and headings: capitalised words that name nobody. A listed given name is
evidence of its own, so less of the model's will do; a word that code uses as an ordinary one is evidence against.
Chosen on labels of the development repositories (docs/decisions/ner-model.md).
"""

from __future__ import annotations

import re

from pii.ner.gazetteer import FAMILY, GIVEN, ORDINARY, bits_of

MOST_LESS = 0.25  # with a given name, and another word
UNLISTED = 0.18  # two words and more, none of them a given name
UNLIKELY = 0.26  # one word that is no given name, or with an ordinary word
CERTAIN = 0.97  # the model's scores end at 0.98

_WORD = re.compile(r"[^\W\d_]+")
NOBODY = frozenset(  # in a name's place: of companies, projects, places, headings
    """
    adobe ag airlines airport algorithm all alliance amazon analytics and android angeles api app apple arabia
    association at author authors ave avenue award bay beach blvd book books boulevard bridge bros brothers browser
    bv by capital cars cathedral center central centre chapter chrome circle city client cloud co code college
    committee communications community company compiler computer computers computing consortium consulting
    contributors copyright corp corporation council county cove creek database days december department desert
    developers digital docker domain dr drive dynamics east eastern edition editor education electronics emirates
    energy engine entertainment facebook farm farms february font for forums foundation framework friday from games
    github global gmbh google group guide guinea health highway hills holdings hollow hosting hotel house in inc
    industries initiative institute instruments insurance intel interactive international internet island islands
    january java july kg kingdom kong korea lab laboratory labs lake language lanka library licence license limited
    linux llc llp logistics lower ltd maintainers manual mayen meadow medal media member members microsoft
    microsystems mile monday mono month motors mountain mountains mozilla mr mrs museum network networks new news no
    north northern not november nv nvidia ocean october of old on or oracle orleans oy parish partners
    pharmaceuticals pictures platform plc plugin press prize productions prof project projects province pty public
    publishing python radio records release republic research reserved ridge rights river road robotics sa sans sarl
    saturday scenes school science sciences script scripts sdk sea security semiconductor semiconductors september
    serif server services society software solutions south southern square srl standard state states station street
    studio studios sunday systems team technologies technology telecom television that the theme theorem this
    thursday time to toolkit town trailers tuesday university unix upper valley ventures version village way
    wednesday week west western windows with year years zealand
    """.split()  # noqa: SIM905
)


def needed(value: str, threshold: float) -> float:
    """The score from which `value` counts as a name, where `threshold` is the model's own for names."""
    words = [word for word in _WORD.findall(value) if len(word) > 1]
    if not value.isascii() and not any("A" <= word[0] <= "z" for word in words):
        return threshold  # another script
    if any(word.lower() in NOBODY for word in words):
        return 1.0
    if value.isupper() and len(words) > 1:
        return min(threshold + UNLISTED, CERTAIN)
    bits = [bits_of(word) for word in words]
    if any(kind & GIVEN for kind in bits):
        return threshold - MOST_LESS if len(words) > 1 else threshold
    if any(kind & ORDINARY and not kind & FAMILY for kind in bits) or len(words) < 2:
        return min(threshold + UNLIKELY, CERTAIN)
    return min(threshold + UNLISTED, CERTAIN)
