"""What speaks for and against a finding of the model, beside its score: the gazetteer, and the place it stands in.

A small model's mistakes are products, places and headings: capitalised words that name nobody. A listed given name is
evidence of its own, so less of the model's will do; a word that code uses as an ordinary one is evidence against.
Chosen on labels of the development repositories (docs/decisions/ner-model.md).
"""

from __future__ import annotations

import re
import unicodedata

from pii.ner import credit
from pii.ner.credit import CREDITED, GREETED, LISTED
from pii.ner.gazetteer import FAMILY, GIVEN, ORDINARY, RARE, bits_of
from pii.ner.words import words as words_of

MOST_LESS = 0.25  # with a given name, and another word
LESS = 0.1  # a listed word where what stands before or behind speaks of people
FAMILY_ALONE = 0.18  # two words and more, of which a family name is listed and no given name
UNLISTED = 0.23  # two words and more on neither list
UNLIKELY = 0.26  # one word that is no given name, or with an ordinary word
WITH_CUE = 0.1  # on neither list, where what stands before or behind speaks of people
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
    academic addison birkhauser elsevier gruyter kaufmann kluwer mathworld mcgraw pergamon prentice springer
    verlag wiley wolfram afrikaans alphabet amharic aymara balinese bambara basque cherokee creole esperanto
    guarani gujarati hausa igbo kannada khmer malayalam marathi mixtec punjabi quechua sanskrit sinhala swahili
    tagalog tamil telugu yiddish yoruba zulu government ministry administration agency parliament senate embassy
    parkway manor estates crossroads
    januari februari maret mei juni juli agustus janvier juillet enero febrero agosto januar februar dezember
    numerals supplement symbols wars rapids falls heights gardens springs beach harbor harbour plaza avenue junction
    numbat narwhal jellyfish fossa ocelot pangolin
    """.split()  # noqa: SIM905
)
_ELSEWHERE = frozenset(  # of nations and places: family names too, behind a given name
    """
    albanian arabic armenian azerbaijani bengali bulgarian burmese cantonese catalan chinese croatian czech danish
    dutch english estonian finnish flemish french gaelic galician georgian german greek hebrew hindi hungarian
    icelandic indonesian irish italian japanese javanese kazakh korean kurdish kyrgyz latin latvian lithuanian
    macedonian malay maltese mandarin maori mongolian nepali norwegian persian polish portuguese romanian russian
    serbian slovak slovenian somali spanish swedish thai tibetan turkish ukrainian urdu uzbek vietnamese welsh
    hill hall park lake lakes grove dale ferry mills mill oaks lane pines crossing springs ridge shores woods
    prairie
    san santa santo los las fort mount port puerto villa rio monte
    """.split()  # noqa: SIM905
)
FICTION = frozenset(" ".join(re.findall(r"[^\W\d_]+", name)).lower() for name in words_of("fiction"))
_PARTICLES = frozenset(
    "van von vom der den de del della dos da das di du la le el al bin ibn ten ter zu af av y e und and".split()  # noqa: SIM905
)
_INITIAL = re.compile(r"(?:^|[\s,.])[^\W\d_]\.?(?=$|[\s,.-])")
_SLAVIC = re.compile(  # how family names end, and patronymics
    r"(?:[оеё]в|[иы]н|[оеё]ва|[иы]на|ский|ская|цкий|цкая|ський|ська|енко|чук|ович|евич|ич|ян|дзе|швили|овна|евна)\b"
)
_EASTERN = re.compile(r"[\u3400-\u9fff]{3,4}|[\uac00-\ud7a3]{3}")
_CHINESE = re.compile(r"[\u3400-\u9fff]+")


def needed(value: str, threshold: float, before: str = "", after: str = "") -> float:
    """The score from which `value` counts as a name, where `threshold` is the model's own for names; 1 for never.

    `before` and `after` are what stands there.
    """
    words = [word for word in _WORD.findall(value) if len(word) > 1]
    evident = credit.evident(before, after)
    in_list = evident == CREDITED or credit.is_listed(before)
    if not value.isascii() and not any("A" <= word[0] <= "z" or word[0] < "\u0250" for word in words):
        return _of_another_script(value, threshold, in_list or credit.is_holder(before))
    if any(word.lower() in NOBODY for word in words) or " ".join(_WORD.findall(value)).lower() in FICTION:
        return 1.0
    bits = [_bits(word) for word in words]
    given, family = any(kind & GIVEN for kind in bits), any(kind & FAMILY for kind in bits)
    if words and any(part.islower() and part not in _PARTICLES for part in value.split()):
        if words[0][0].isupper():
            return CERTAIN if given else 1.0  # the beginning of a sentence
        if len(words) > 1 and not (given and family):
            return 1.0
    known = [kind for word, kind in zip(words, bits, strict=True) if word.lower() not in _ELSEWHERE]
    if not words or (len(known) < len(words) and not any(kind & GIVEN for kind in known)):
        return 1.0
    ordinary = [bool(kind & ORDINARY and not kind & FAMILY) for kind in bits]
    if len(words) < 2 or not re.search(r"\s", value.strip()):
        beside = GIVEN | (FAMILY if any(kind & (GIVEN | RARE) for kind in bits) else 0)
        if in_list or credit.is_beside_person(before, after, beside):
            evident = max(evident, LISTED)
        return _of_one_word(value, threshold, bits, evident)
    if ordinary[-1] and not given:
        return CERTAIN if in_list and not ordinary[0] else 1.0  # a heading, a title
    if value.isupper() and any(ordinary):
        return 1.0
    if value.isupper():
        return min(threshold + (0 if given and (family or in_list) else UNLISTED), CERTAIN)
    if any(ordinary):
        return threshold if given and sum(ordinary) < 2 else min(threshold + UNLIKELY, CERTAIN)
    if given:
        return threshold - MOST_LESS
    in_list = in_list or credit.is_holder(before)
    if any(kind & RARE for kind in bits):
        return threshold - LESS if in_list else threshold if family else threshold + FAMILY_ALONE
    if family:
        return threshold - LESS if in_list else min(threshold + FAMILY_ALONE, CERTAIN)
    if len(words) > 3 and not in_list:
        return 1.0
    by_cue = {CREDITED: WITH_CUE, LISTED: FAMILY_ALONE, GREETED: FAMILY_ALONE}
    return min(threshold + by_cue.get(evident, UNLISTED), CERTAIN)


def _bits(word: str) -> int:
    """The gazetteer's bits of a word, or of its letters without their marks."""
    bits = bits_of(word)
    if not bits and not word.isascii():
        bits = bits_of("".join(letter for letter in unicodedata.normalize("NFKD", word) if letter.isalpha()))
    return bits


def _of_one_word(value: str, threshold: float, bits: list[int], evident: int) -> float:
    """For a single word, or a hyphenated one, or a family name with initials; `evident` as in credit.py, or 0."""
    kind = 0
    for other in bits:
        kind |= other
    if len(bits) > 1 and not all(other & (GIVEN | RARE) for other in bits):
        kind &= ~GIVEN  # Nilo-Saharan, but Jean-Luc
    if _INITIAL.search(value) and not kind & ORDINARY:  # Knuth, D. E.
        return threshold if kind & (GIVEN | FAMILY) or evident == CREDITED else threshold + WITH_CUE
    if kind & ORDINARY and not kind & FAMILY:
        return CERTAIN if kind & GIVEN and evident else 1.0
    if kind & GIVEN:
        return threshold - LESS if evident == CREDITED else threshold if evident else threshold + WITH_CUE
    if evident == CREDITED:
        return threshold - LESS if kind & FAMILY else threshold
    if kind & FAMILY:
        return min(threshold + {LISTED: WITH_CUE, GREETED: FAMILY_ALONE}.get(evident, UNLIKELY), CERTAIN)
    if kind & RARE:
        return min(threshold + {LISTED: FAMILY_ALONE, GREETED: UNLISTED}.get(evident, UNLIKELY), CERTAIN)
    return threshold + UNLISTED if evident == LISTED else 1.0  # a product more often than a person


def _of_another_script(value: str, threshold: float, is_credited: bool) -> float:
    """For words of another script: at most four Chinese signs, all capitalised where the script has capitals."""
    words = value.split()
    if any(len(run) > 4 for run in _CHINESE.findall(value)) or any(word[0].islower() for word in words):
        return CERTAIN if is_credited else 1.0
    if is_credited:
        return threshold
    if _EASTERN.fullmatch(value):
        first = 2 if len(value) == 4 else 1
        return min(threshold + UNLISTED, CERTAIN) if bits_of(value[:first]) & FAMILY else 1.0
    if len(words) not in (2, 3) or not (any(bits_of(word) & GIVEN for word in words) or _SLAVIC.search(value)):
        # Words of a translation, of which only the first is capitalised where there are capitals.
        return min(threshold + UNLISTED, CERTAIN) if len(words) in (2, 3) and all(map(str.istitle, words)) else 1.0
    return threshold


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
