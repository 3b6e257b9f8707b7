"""People's names that the gazetteer or their place makes sure: what the model of pii/ner is unsure of stands here too.

Three ways to be one: a given name of the gazetteer before a word that is a family name or on no list (`Jane Kowalczyk`);
two words before an address (`Jan Nemec <jan@...>`); and each person of a list behind a cue for people (`Authors: A. Kern
and Wim Vos`, `"author": "..."`, `Copyright (c) 2001-2003, 2007 ...`). A run of words that holds a company's, a
project's or a street's word names nobody. It reads the windows of pii/ner/candidates.py, which hold the names; a word
is looked up once, and every pattern is bounded, so it is linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from pii.ner.gazetteer import FAMILY, GIVEN, ORDINARY, bits_of
from pii.recognizers.base import Found, Recognizer

SURE, PAIR = 0.9, 0.8
LONGEST = 5  # words of a name

_UPPER = "A-Z\u00c0-\u00d6\u00d8-\u00de\u0100\u010c\u010e\u0110\u0118\u011a\u0130\u0139\u013d\u0141\u0143\u0147\u0150\u0158\u015a\u015e\u0160\u0164\u016e\u0170\u0179\u017b\u017d\u0386-\u03ab\u0401-\u042f"
_LETTER = "^\\W\\d_"
_WORD = rf"[{_UPPER}](?:['\u2019](?=[{_UPPER}]))?[{_LETTER}]+(?:[-'\u2019][{_UPPER}][{_LETTER}]+)*"
_INITIAL = rf"[{_UPPER}]\.?(?![{_LETTER}])"
_PARTICLE = r"(?:van|von|vom|der|den|de|del|della|dos|da|das|di|du|la|le|el|al|bin|ibn|ten|ter|zu|af|av)(?=[ \t])"
_PART = rf"(?:{_WORD}|{_INITIAL}|{_PARTICLE})"
_RUN = re.compile(
    rf"(?<![\w.@/\\#$%&'\u2019-])(?:{_WORD}|{_INITIAL})(?:[ \t]{{1,2}}{_PART}){{1,{LONGEST}}}"
    r"(?![\w(=]|\[(?!\d)|['\u2019](?!s\b)|::|->|[./\\@-]\w|,\d|[ \t]*=[^=])"
)
_NUMBER_BEFORE = re.compile(r"(?<![\d.])(?!(?:19|20)\d\d\b)\d{1,6}[a-z]?[ \t,]{1,3}\Z")
_PLACE_BEFORE = re.compile(r"(?i)\b(?:rue|via|calle|avenida|plaza|san|santa|saint|st\.?|mount|lake|new|flag:)[ \t]+\Z")
_PLACE_AFTER = re.compile(
    r"[ \t,]{1,3}#?(?!(?:19|20)\d\d\b)\d|[ \t]+(?:#|-?ing\b|algorithm|method|license|number|distribution|theorem|filter|effect|function)"
)
_ADDRESS = re.compile(r"[ \t]{0,3}(?:<(?:mailto:)?|\()[\w.+%-]{1,64}(?:@|[ \t]?(?:\(at\)|\[at\]| at )[ \t]?)[\w-]")
_CUE = re.compile(
    r"(?i)(?:@(?:co-?)?authors?\b|\b(?:co-?)?(?:authors?|maintainers?|contributors?|developers?|owners?)\b[\"']?\*{0,3}[ \t]*(?:[:=]|=>)"
    r"|\b(?:signed-off|reviewed|acked|tested|reported|suggested|co-authored|co-developed|written|created|developed|designed"
    r"|maintained|contributed|authored|ported|translated|implemented|made|modified|fixed|updated|patch(?:es)?|spotted|found)-?[ \t]?by\b"
    r"|\b(?:thanks|credits?|kudos|props)[ \t]+(?:go[ \t]+)?to\b|\bcopyright\b|\(c\)|\u00a9|\bspdx-filecopyrighttext\b)"
)
_BEHIND_CUE = re.compile(
    r"(?i)(?:[ \t]*(?:[:=\[\](){}<>\"'*,.\u00a9;>-]|\(c\)|copyright\b|by\b|(?:19|20)\d\d\b|present\b|and\b))*[ \t]*"
)
_BETWEEN = re.compile(
    r"(?:[ \t]*(?:<[^<>\n]{1,80}>|\([^()\n]{1,80}\)))?[\"']?(?:[ \t]*(?:,|;|&|/|\band\b|\bund\b|\bet\b)[ \t]*){1,3}[\"']?"
)
_LISTED = re.compile(rf"(?:{_WORD}|{_INITIAL})(?:[ \t]{{1,2}}{_PART}){{1,{LONGEST - 1}}}(?![\w(=]|[./\\@-]\w)")
_PLACEHOLDERS = 12  # people of a list
_SPLIT = re.compile(r"[ \t]+")

_NOBODY = frozenset(
    """
    inc ltd llc llp gmbh ag sa srl bv corp corporation company co foundation team project projects authors author contributors
    developers maintainers committee consortium group institute university college school department laboratory labs lab
    software technologies technology systems solutions services consulting media games studio studios networks network
    association society community council alliance initiative center centre press publishing news bank holdings partners
    license licence public domain version release edition framework library toolkit server client engine platform cloud
    database api sdk app studio browser editor plugin theme font sans serif mono script scripts language compiler code
    copyright rights reserved street road avenue ave drive lane court place square boulevard blvd way circle highway
    park hills hill island islands bay beach city county valley river lake mountain mountains village town republic
    kingdom states state province north south east west northern southern eastern western central upper lower
    standard time airport station hotel house farm farms bridge prize award theorem algorithm law medal committee members
    member desert ocean sea forest creek ridge meadow glen hollow cove mile parish church cathedral castle museum library
    day days month week year years monday tuesday wednesday thursday friday saturday sunday january february march april may
    june july august september october november december scenes trailers book books guide manual chapter section part
    the and for with from this that of in on at by or to is no not all new old mr mrs dr prof
    """.split()
)
_THINGS = frozenset(  # on the list of given names, and more often something else
    """
    haskell ruby julia jade pearl crystal ada pascal jasper jenkins travis hudson cassandra athena phoenix alexa gene
    jersey victoria carolina dakota virginia georgia florida madison charlotte austin dallas houston sydney paris london
    milan sofia chelsea florence vienna trinidad chad israel kenya india america asia africa china april may june august
    avril san santa saint queen king prince princess sierra rock brook marsh fawn willow mad cookie sunny star sky angel
    ocean river rain storm summer autumn winter dawn faith hope joy grace mercy justice genesis royal major bishop dean
    young long north west lane rose lily daisy iris ivy olive hazel ginger amber ruby jewel gem ion ping pong mac era
    maria mysql safari opera mozilla firefox gradle maven rocky fedora debian ubuntu jira marina media data page case lua
    lorraine rolando norfolk melbourne brisbane oda elastic logan hadoop kong mais beta alpha delta gamma omega sigma
    """.split()
)


class NameRecognizer(Recognizer):
    """Names of people: by the gazetteer, before an address, and in lists of people."""

    def __init__(self) -> None:
        super().__init__("NAME")

    def find(self, text: str) -> Iterator[Found]:
        for match in _RUN.finditer(text):
            yield from _in_run(text, match)
        for cue in _CUE.finditer(text):
            yield from _in_list(text, cue)


def _in_run(text: str, match: re.Match[str]) -> Iterator[Found]:
    """The name in a run of capitalised words, if there is one."""
    words = _words(text, match.start(), match.end())
    if any(_bare(word) in _NOBODY for _, word in words):
        return
    if _ADDRESS.match(text, match.end()):
        first = _first(words, given=False)
        if first is not None:
            yield Found(words[first][0], match.end(), SURE, "name_address")
            return
    first = _first(words, given=True)
    if first is None:
        return
    start = words[first][0]
    if (
        _NUMBER_BEFORE.search(text, max(0, start - 12), start)
        or _PLACE_BEFORE.search(text, max(0, start - 12), start)
        or _PLACE_AFTER.match(text, match.end())
    ):
        return
    end = start
    for at, word in words[first:]:
        if len(word) > 2 and kinds(word) & ORDINARY and at > start:
            break
        end = at + len(word)
    kept = [word for at, word in words if start <= at < end]
    while kept and not _is_full(kept[-1]):
        end -= len(kept.pop())
    if sum(map(_is_full, kept)) >= 2:
        yield Found(start, start + len(text[start:end].rstrip()), PAIR, "given_name")


def _in_list(text: str, cue: re.Match[str]) -> Iterator[Found]:
    """The people that are named one after the other behind a cue."""
    holds = "c" == cue[0][1:2].lower() or cue[0].lower().startswith(("copy", "\u00a9", "spdx"))
    behind = _BEHIND_CUE.match(text, cue.end(), cue.end() + 120)
    at = behind.end() if behind else cue.end()
    for _ in range(_PLACEHOLDERS):
        match = _LISTED.match(text, at, at + 120)
        if match:
            words = [word for _, word in _words(text, *match.span())]
            if _is_person(words, holds):
                yield Found(match.start(), match.end(), SURE, "listed_name")
        between = _BETWEEN.match(text, match.end() if match else at, at + 240)
        if not match or not between:
            return
        at = between.end()


def _is_person(words: Sequence[str], holds: bool) -> bool:
    """Whether words behind a cue are a person's; a holder of rights (`holds`) must have a word that names people."""
    full = [word for word in words if _is_full(word)]
    if not full or any(_bare(word) in _NOBODY for word in words):
        return False
    if any(kinds(word) & ORDINARY and not kinds(word) & (GIVEN | FAMILY) for word in full):
        return False
    return not holds or any(kinds(word) & GIVEN for word in full)


def _first(words: Sequence[tuple[int, str]], *, given: bool) -> int | None:
    """The word a name begins with: the first of the list of given names, or that is no ordinary word."""
    for number, (_, word) in enumerate(words[:-1]):
        kind = kinds(word)
        if given and _is_full(word) and kind & GIVEN and not kind & ORDINARY and word.lower() not in _THINGS:
            return number
        if not given and not (kind & ORDINARY and not kind & GIVEN):
            rest = words[number:]
            full = [other for _, other in rest if _is_full(other)]
            ordinary = [other for other in full if kinds(other) & ORDINARY and not kinds(other) & (GIVEN | FAMILY)]
            return number if full and not ordinary else None
    return None


def _words(text: str, start: int, end: int) -> list[tuple[int, str]]:
    """(first code point, word) of the words of [start, end)."""
    words, at = [], start
    for gap in _SPLIT.finditer(text, start, end):
        words.append((at, text[at : gap.start()]))
        at = gap.end()
    return [*words, (at, text[at:end])]


def _is_full(word: str) -> bool:
    """Neither an initial nor a particle."""
    return len(word.rstrip(".")) > 1 and not word[0].islower()


def _bare(word: str) -> str:
    return word.rstrip(".,").lower()


@lru_cache(maxsize=1 << 16)
def kinds(word: str) -> int:
    """The gazetteer's bits of a word, of a hyphenated one those of its first part that has any."""
    bits = bits_of(word)
    if not bits and "-" in word:
        return kinds(word.partition("-")[0])
    return bits
