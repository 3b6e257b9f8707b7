"""How sure the model must be of a name, by what the gazetteer knows of its words.

A small model's mistakes are products, places and headings: capitalised words that name nobody. A listed given name is
evidence of its own, so less of the model's will do; a word that code uses as an ordinary one is evidence against.
Chosen on labels of the development repositories (docs/decisions/ner-model.md).
"""

from __future__ import annotations

import re

from pii.ner.gazetteer import FAMILY, GIVEN, ORDINARY, bits_of

MOST_LESS = 0.25  # with a given name, and another word
FAMILY_ALONE = 0.18  # two words and more, of which a family name is listed and no given name
UNLISTED = 0.23  # two words and more on neither list
UNLIKELY = 0.26  # one word that is no given name, or with an ordinary word
CERTAIN = 0.97  # the model's scores end at 0.98

_WORD = re.compile(r"[^\W\d_]+")
NOBODY = frozenset(  # in a name's place: of companies, projects, places, headings
    """
    acer adobe ag airbnb airbus airlines airport akamai algorithm alibaba all alliance amazon anaconda analytics and
    android angeles api app apple arabia association asus at atlassian atmel author authors autodesk ave avenue
    award baidu bay beach berkeley bloomberg blvd bmw boeing book books borland bosch boulevard bridge broadcom bros
    brothers browser bv by bytedance cambridge canonical capital cars cathedral center central centre cern chapter
    chrome circle cisco citrix city client cloud cloudflare co code college committee communications community
    company compiler computer computers computing consortium consulting contributors copyright cornell corp
    corporation council county cove creek daimler database databricks days december dell department desert
    developers digital docker domain dr drive dynamics east eastern ebay edition editor education electronics
    emirates energy engine entertainment ericsson facebook farm farms fastly february firefox font for forums
    foundation framework fraunhofer freescale friday from fujitsu games github gitlab global gmbh google group guide
    guinea harvard hashicorp health highway hills hitachi holdings hollow honda hosting hotel house hp huawei ibm in
    inc industries initiative inria institute instruments insurance intel interactive international internet island
    islands january java jetbrains july kg kingdom kong korea lab laboratory labs lake language lanka lenovo library
    licence license limited linkedin linux llc llp logistics lower ltd maintainers manual marvell mayen mcafee
    meadow medal media mediatek member members microsoft microsystems mile mit monday mongodb mono month motorola
    motors mountain mountains mozilla mr mrs museum nasa nec netflix netscape network networks new news nintendo no
    nokia north northern not novell november nv nvidia nxp ocean october of old on or oracle orleans oxford oy
    parish partners paypal pharmaceuticals philips pictures platform plc plugin press princeton prize productions
    prof project projects province pty public publishing python qualcomm radio realtek records redhat release
    republic research reserved ridge rights river road robotics sa safari samsung sans sap sarl saturday scenes
    school science sciences script scripts sdk sea security sega semiconductor semiconductors september serif server
    services shopify siemens society software solutions sony south southern spotify square srl standard stanford
    state states station street studio studios sunday suse symantec systems team technologies technology telecom
    television tencent texas that the theme theorem this thursday time to toolkit toshiba town toyota trailers
    tuesday twitter uber ubisoft university unix upper valley ventures version village vmware volkswagen volvo way
    wednesday week west western wikimedia windows with xiaomi xilinx yahoo yale year years zealand
    """.split()  # noqa: SIM905
)
_PARTICLES = frozenset(
    "van von vom der den de del della dos da das di du la le el al bin ibn ten ter zu af av y e und and".split()  # noqa: SIM905
)


def needed(value: str, threshold: float) -> float:
    """The score from which `value` counts as a name, where `threshold` is the model's own for names."""
    words = [word for word in _WORD.findall(value) if len(word) > 1]
    if not value.isascii() and not any("A" <= word[0] <= "z" for word in words):
        return threshold  # another script
    if any(word.lower() in NOBODY for word in words):
        return 1.0
    if words and words[0][0].isupper() and any(word.islower() and word not in _PARTICLES for word in words):
        return CERTAIN  # the beginning of a sentence
    bits = [bits_of(word) for word in words]
    if value.isupper() and len(words) > 1:
        return min(threshold + UNLISTED, CERTAIN)
    if any(kind & GIVEN for kind in bits):
        return threshold - MOST_LESS if len(words) > 1 else threshold
    if any(kind & ORDINARY and not kind & FAMILY for kind in bits) or len(words) < 2:
        return min(threshold + UNLIKELY, CERTAIN)
    return min(threshold + (FAMILY_ALONE if any(kind & FAMILY for kind in bits) else UNLISTED), CERTAIN)
