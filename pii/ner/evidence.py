"""What speaks for and against a finding of the model, beside its score: the gazetteer, and the place it stands in.

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
    acer adobe afghanistan ag airbnb airbus airlines airport akamai algeria algorithm alibaba all alliance
    amazon anaconda analytics and android angeles angola api app apple arabia argentina armenia association asus
    at atlassian atmel attack australia austria author authors autodesk ave avenue award azerbaijan bahrain
    baidu bangladesh bay beach belarus belgium berkeley bhutan bloomberg blvd bmw boeing bolivia book books
    borland borough bosch botswana boulevard brazil bridge broadcom bros brothers browser bulgaria burundi bv by
    bytedance cambodia cambridge cameroon canada canonical capital cars cathedral center central centre cern
    chapter chrome circle cisco citrix city client cloud cloudflare co code college colombia committee
    communications community company compiler computer computers computing consortium consulting contributors
    copyright cornell corp corporation council county cove creek croatia czechia daimler database databricks
    days december dell denmark department desert developers digital djibouti docker domain dr drive dynamics
    east eastern ebay ecuador edition editor education egypt electronics emirates energy engine entertainment
    ericsson eritrea estonia ethiopia europe facebook farm farms fastly february finland firefox font for forums
    foundation framework fraunhofer freescale friday from fujitsu gabon games germany ghana github gitlab global
    gmbh goals google greece group guatemala guide guinea haiti harvard hashicorp health highway hills hitachi
    holdings hollow honda honduras hosting hotel house hp huawei hungary ibm iceland in inc indonesia industries
    initiative inria institute instruments insurance intel interactive international internet iran iraq island
    islands italy jamaica january japan java jboss jetbrains july kazakhstan kg kingdom kong korea kuwait lab
    laboratory labs lake language lanka laos latvia lebanon lenovo library libya licence license limited
    linkedin linux lithuania llc llp logistics lower ltd luxembourg madagascar maintainers malaysia maldives
    manual marvell mayen mcafee meadow medal media mediatek member members mexico microsoft microsystems mile
    mit moldova monday mongodb mongolia mono month morocco motorola motors mountain mountains mozambique mozilla
    mr mrs museum namibia nasa nec nepal netflix netherlands netscape network networks new news nicaragua
    nigeria nintendo no nokia north northern norway not novell november nv nvidia nxp ocean october of old oman
    on online or oracle orleans oxford oy pakistan panama paraguay parish partners paypal pharmaceuticals
    philippines philips pictures platform plc plugin press princeton prize productions prof project projects
    province pty public publishing python qatar qualcomm radio realtek records redhat release republic research
    reserved ridge rights river road robotics romania russia rwanda sa safari samsung sans sap sarl saturday
    scenes school science sciences script scripts sdk sea security sega semiconductor semiconductors senegal
    september serbia serif server services sheet shopify siemens singapore slovakia slovenia society software
    solutions somalia sony south southern spotify square srl standard stanford state states station street
    studio studios sudan sunday suse sweden switzerland symantec syria systems taiwan tanzania team technologies
    technology telecom television tencent terrace testsuite texas thailand that the theme theorem this thrush
    thursday time to toolkit toshiba town toyota trailers tuesday tunisia turkey turkmenistan twitter uber
    ubisoft uganda ukraine university unix upper uruguay uzbekistan valley venezuela ventures version vietnam
    village vmware volkswagen volvo way wednesday week west western wikimedia windows with xiaomi xilinx yahoo
    yale year years yemen zambia zealand zimbabwe
    """.split()  # noqa: SIM905
)
_PARTICLES = frozenset(
    "van von vom der den de del della dos da das di du la le el al bin ibn ten ter zu af av y e und and".split()  # noqa: SIM905
)


# What makes a single word behind it a person.
_CREDITED = re.compile(
    r"(?i)\b(?:authors?|by|thanks(?:\s+to)?|maintainers?|credits?|contributors?|cc|dear|regards|cheers|name|owner)\b"
    r"[\s:,*\"'=-]{1,5}\Z"
)


def needed(value: str, threshold: float, before: str = "") -> float:
    """The score from which `value` counts as a name, where `threshold` is the model's own for names.

    `before` is what stands before it.
    """
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
    ordinary = [kind & ORDINARY and not kind & FAMILY for kind in bits]
    if len(words) > 1 and ordinary[-1]:
        return 1.0  # a heading, a title
    if len(words) < 2 and not any(kind & FAMILY for kind in bits) and not _CREDITED.search(before):
        return 1.0  # a product more often than a person
    if any(ordinary) or len(words) < 2:
        return min(threshold + UNLIKELY, CERTAIN)
    return min(threshold + (FAMILY_ALONE if any(kind & FAMILY for kind in bits) else UNLISTED), CERTAIN)


_FORM = re.compile(r"[^\W_][\w.+~-]*")
_CLASS = re.compile(r"[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]*)+")
_HUMP = re.compile(r"[A-Z][a-z0-9]*")
_FILE = re.compile(r"\.(?:txt|html?|php|js|json|md|png|ya?ml|xml)$|^[0-9a-f]{20,}$")
# A link's or path's part, a host behind its user, a command in its quotes.
_BEFORE = re.compile(r"(?:[\w.-][/:]|\w@|`|\w)\Z")
_LINK_BEFORE = re.compile(r"[\w.-][/:]\Z")


def is_account(text: str, start: int, end: int) -> bool:
    """Whether what stands there can be a person's account: one word, and no class, file, host or part of a link."""
    value = text[start:end]
    if not _FORM.fullmatch(value) or _FILE.search(value) or (end < len(text) and re.match(r"\w", text[end])):
        return False
    if _CLASS.fullmatch(value) and not any(bits_of(hump) & GIVEN for hump in _HUMP.findall(value)):
        return False
    before = text[max(0, start - 2) : start]
    if before.endswith("@") and value[0].isupper():
        return False  # an annotation
    if _LINK_BEFORE.search(before):
        return not text.startswith("/", end)
    return not _BEFORE.search(before)
