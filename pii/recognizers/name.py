"""People's names that the gazetteer or their place makes sure: what the model of pii/ner is unsure of stands here too.

Three ways to be one: a given name of the gazetteer before a word that is a family name or on no list (`Jane
Kowalczyk`);
two words before an address (`Jan Nemec <jan@...>`); each person of a list behind a cue for people (`Authors: A. Kern
and Wim Vos`, `Copyright (c) 2001-2003, 2007 ...`, `"author": "..."`). Then forms that leave little else: initials and
a family name, a title, arguments and fields for names. A run of words that holds a company's, a project's or a place's
word names nobody. It reads the windows of pii/ner/candidates.py, which hold the names; a word is looked up once, and
every pattern is bounded, so it is linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from pii.ner.evidence import NOBODY
from pii.ner.gazetteer import FAMILY, GIVEN, ORDINARY, bits_of
from pii.recognizers.base import Found, Recognizer

SURE, PAIR = 0.9, 0.8
_CODED = re.compile(r"(?<!Mc)(?<!Mac)(?<!De)(?<!Di)(?<!Le)(?<!La)(?<!Van)(?<=[a-z])[A-Z]|^[A-Z]{3,}$")
LONGEST = 5  # words of a name

_UPPER = (  # capital letters, as far as names start with them
    "A-Z\u00c0-\u00d6\u00d8-\u00de\u0100\u010c\u010e\u0110\u0118\u011a\u0130\u0139\u013d\u0141\u0143"
    "\u0147\u0150\u0158\u015a\u015e\u0160\u0164\u016e\u0170\u0179\u017b\u017d\u0386-\u03ab"
    "\u0401-\u042f"
)
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
    r"[ \t,]{1,3}#?(?!(?:19|20)\d\d\b)\d"
    r"|[ \t]+(?:#|-?ing\b|algorithm|method|license|number|distribution|theorem|filter|effect|function)"
)
_ADDRESS = re.compile(r"[ \t]{0,3}(?:<(?:mailto:)?|\()[\w.+%-]{1,64}(?:@|[ \t]?(?:\(at\)|\[at\]| at )[ \t]?)[\w-]")
_CUE = re.compile(
    r"(?i)(?:@(?:co-?)?authors?\b|\b(?:co-?)?(?:authors?|maintainers?|contributors?|developers?"
    r"|owners?)\b[\"']?\*{0,3}[ \t]*(?:[:=]|=>)"
    r"|\b(?:signed-off|reviewed|acked|tested|reported|suggested|co-authored|co-developed|written|created|developed|designed"
    r"|maintained|contributed|authored|ported|translated|implemented|made|modified|fixed|updated"
    r"|patch(?:es)?|spotted|found)-?[ \t]?by\b"
    r"|\b(?:assignee|contact|supervisor|mentor|reviewer|approver|reporter|packager|translators?|editors?|speakers?"
    r"|credits?)[ \t]*:|\bdear\b"
    r"|\b(?:names|people|speakers|__credits__|__maintainers?__)[\"']?[ \t]*[:=][ \t]*\["
    r"|\b(?:thanks|credits?|kudos|props)[ \t]+(?:go[ \t]+)?to\b|\bcopyright\b|\(c\)|\u00a9|\bspdx-filecopyrighttext\b)"
)
_BEHIND_CUE = re.compile(
    r"(?i)(?:[ \t]*(?:[:=\[\](){}<>\"'*,.\u00a9;>-]|\(c\)|copyright\b|by\b|(?:19|20)\d\d\b|present\b|and\b))*[ \t]*"
)
_BETWEEN = re.compile(
    r"(?:[ \t]*(?:<[^<>\n]{1,80}>|\([^()\n]{1,80}\)))?[\"']?"
    r"(?:[ \t]*(?:,|;|&|/|\band\b|\bund\b|\bet\b)[ \t]*){1,3}[\"']?"
)
_LISTED = re.compile(rf"(?:{_WORD}|{_INITIAL})(?:[ \t]{{1,2}}{_PART}){{1,{LONGEST - 1}}}(?![\w(=]|[./\\@-]\w)")
_LISTED_PEOPLE = 12  # of one list
_LOWER = re.compile(r"([a-z]{3,20}) ([a-z]{3,20})(?![\w(@/=-]|\.\w)")
_SPLIT = re.compile(r"[ \t]+")
_COMPANY_AFTER = re.compile(
    r"(?i),?[ \t]+(?:inc|ltd|llc|gmbh|corp|co|b\.?v|a\.?g|s\.?a|s\.?r\.?l|team|group|project)\b"
)
_INITIALS = rf"(?:[{_UPPER}]\.[ \t-]?){{1,3}}"
_SHORT = re.compile(  # J. Kowalczyk
    rf"(?<![\w.@/\\#$%&'\u2019-]){_INITIALS}[ \t]?({_WORD})(?![\w(=]|['\u2019](?!s\b)|::|->|[./\\@-]\w)"
)
_SINGLE = re.compile(  # a given name alone
    rf"(?:\b(?:TODO|FIXME|XXX|NOTE|HACK)[ \t]\(|^[ \t*#/;%-]{{0,8}}(?:[Cc]heers|[Rr]egards|Yours)[,!]?[ \t]*\n"
    rf"[ \t*#/;%-]{{0,8}}"
    rf"|\b(?i:(?:thanks|credits?)[ ]to|(?:suggested|reported|written|contributed|found|fixed)[ ]by)[ ]"
    rf"(?={_WORD}[ ]*[.,;)])"
    rf"|\b(?i:kudos[ ]to|h/t|hat[ ]tip:?|idea:|credits?:|dear|hi|hello|welcome[ ]back),?[ ](?={_WORD}[ ]*(?:[.,;)!]|$))"
    rf"|(?<!\w)@author[ \t:]{{1,20}})({_WORD})(?=[ \t]*(?:[.,;)!]|$|-->|\*/))",
    re.MULTILINE,
)
_TITLED = re.compile(rf"\b(?:Mr|Mrs|Ms|Prof|Herr|Frau)\.?[ \t](?:{_INITIALS}[ \t]?)?({_WORD})(?![\w(=]|[./\\@-]\w)")
_REVERSED = re.compile(rf"(?<=[\"'])({_WORD}),[ ]({_WORD})(?:[ ][{_UPPER}]\.)?(?=[\"'])")
_CELLS = re.compile(  # a row of a table: 'Jane', 'Kowalczyk'
    rf"(?<=[,('\"\t|])({_WORD})[\"']?[ ]?[,\t|;][ ]?[\"']?({_WORD})(?=[\"',\t|);])"
)
_CELL_BEFORE = re.compile(rf"{_WORD}[\"']?[ ]?[,\t|;]\s{{0,20}}[\"']?\Z")
_FIELDS = re.compile(
    rf"(?i:\b(?:first|last|given|family|middle|sur|fore|full|real)[-_ ]?name\b)[\"']?[ \t]{{0,4}}"
    rf"(?:[:=]|=>|,)[ \t]{{0,4}}[\"'](?=[{_UPPER}])"
    rf"({_WORD}(?:[ ]{_PART}){{0,3}})[\"']"
)
_CALLED = re.compile(  # new Person("Jane", "Kowalczyk")
    rf"\b(?:Person|Author|Employee|Customer|Contact|Student|User|Member|Patient|Actor)"
    rf"\([ ]?[\"']({_WORD})[\"'],[ ]?[\"']({_WORD})[\"']"
)
_FICTION = frozenset(
    {
        "frodo baggins", "bilbo baggins", "fred flintstone", "luke skywalker", "harry potter", "homer simpson",
        "bart simpson", "marge simpson", "lisa simpson", "james bond", "bruce wayne", "peter parker", "clark kent",
        "tony stark", "sherlock holmes", "mickey mouse", "donald duck", "indiana jones", "darth vader", "han solo",
        "santa claus", "jack the ripper", "robin hood", "peter pan", "obi wan", "lara croft", "jesus christ",
    }
)  # fmt: skip

_THINGS = frozenset(  # on the list of given names, and more often something else
    """
    ada africa alexa alpha amber america angel april asia athena august autumn avril beta bishop brisbane brook
    carolina case cassandra chad chelsea china cookie crystal daisy dakota dallas data dawn debian delta elastic era
    faith fawn fedora firefox florence florida gamma gem gene genesis georgia ginger gradle hadoop haskell hazel
    hope houston hudson india ion iris israel ivy jade jasper jenkins jersey jewel jira julia june justice kenya
    king kong lane lily london long lua mac mad mais major marina marsh maven may media melbourne mercy milan
    mozilla mysql norfolk north ocean oda olive omega opera page paris pascal pearl phoenix ping pong prince
    princess queen rain river rock rocky royal ruby safari saint san santa sierra sky star storm summer sunny sydney
    travis trinidad ubuntu victoria vienna virginia west willow winter young
    """.split()  # noqa: SIM905
)
_STREETS = frozenset(  # family names too, behind a cue
    """
    april august bank bay beach castle church court cove creek day days forest glen hill hills hollow island june
    lake lane law march may meadow mile parish park place ridge river valley
    """.split()  # noqa: SIM905
)
_NO_CELL = NOBODY | _STREETS | _THINGS


class NameRecognizer(Recognizer):
    """Names of people: by the gazetteer, before an address, and in lists of people."""

    def __init__(self) -> None:
        super().__init__("NAME")

    def find(self, text: str) -> Iterator[Found]:
        for match in _RUN.finditer(text):
            yield from _in_run(text, match)
        for cue in _CUE.finditer(text):
            yield from _in_list(text, cue)
        yield from _by_form(text)


def _in_run(text: str, match: re.Match[str]) -> Iterator[Found]:
    """The name in a run of capitalised words, if there is one."""
    words = _words(text, match.start(), match.end())
    if any(_bare(word) in NOBODY for _, word in words) or _COMPANY_AFTER.match(text, match.end()):
        return
    if _ADDRESS.match(text, match.end()):
        first = _first(words, given=False)
        if first is not None:
            yield Found(words[first][0], match.end(), SURE, "name_address")
            return
    first = _first(words, given=True)
    if first is None or _bare(words[-1][1]) in _STREETS:
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
    # A code's word among them (ServerRequest, SFP), or an ordinary one at the end (Ladder), and it names no person.
    coded = any(_CODED.search(word) for word in kept) and not all(word.isupper() for word in kept)
    if coded or (kept and kinds(kept[-1]) & ORDINARY):
        return
    if sum(map(_is_full, kept)) >= 2 and " ".join(kept).lower() not in _FICTION:
        yield Found(start, start + len(text[start:end].rstrip()), PAIR, "given_name")


def _by_form(text: str) -> Iterator[Found]:
    """Names whose form or place leaves little else: with initials or a title, alone in a note, in fields for names."""
    for match in _SHORT.finditer(text):
        kind = kinds(match[1])
        if kind & FAMILY and not kind & ORDINARY and _bare(match[1]) not in NOBODY:
            yield Found(match.start(), match.end(), PAIR, "initials")
    for match in _SINGLE.finditer(text):
        kind = kinds(match[1])
        if kind & GIVEN and not kind & ORDINARY and match[1].lower() not in _THINGS:
            yield Found(*match.span(1), PAIR, "single_name")
    for match in _TITLED.finditer(text):
        if not (kinds(match[1]) & ORDINARY and not kinds(match[1]) & FAMILY) and _bare(match[1]) not in NOBODY:
            yield Found(*match.span(1), PAIR, "titled_name")
    for match in _REVERSED.finditer(text):
        if kinds(match[2]) & GIVEN and not any(
            kinds(word) & ORDINARY or _bare(word) in NOBODY for word in match.groups()
        ):
            yield Found(*match.span(), PAIR, "reversed_name")
    for match in _FIELDS.finditer(text):
        words = _SPLIT.split(match[1])
        if not any(_bare(word) in NOBODY for word in words) and any(kinds(word) & (GIVEN | FAMILY) for word in words):
            yield Found(*match.span(1), PAIR, "name_field")
    for match in _CELLS.finditer(text):
        first, last = kinds(match[1]), kinds(match[2])
        listed = first & GIVEN and last & FAMILY and not (last & GIVEN or (first | last) & ORDINARY)
        in_word_list = _CELL_BEFORE.search(text, max(0, match.start() - 40), match.start())
        if listed and not in_word_list and not any(_bare(word) in _NO_CELL for word in match.groups()):
            yield Found(*match.span(1), PAIR, "cells")
            yield Found(*match.span(2), PAIR, "cells")
    for match in _CALLED.finditer(text):
        if any(kinds(word) & (GIVEN | FAMILY) for word in match.groups()):
            yield Found(*match.span(1), PAIR, "name_argument")
            yield Found(*match.span(2), PAIR, "name_argument")


def _in_list(text: str, cue: re.Match[str]) -> Iterator[Found]:
    """The people that are named one after the other behind a cue."""
    holds = cue[0][1:2].lower() == "c" or cue[0].lower().startswith(("copy", "\u00a9", "spdx"))
    behind = _BEHIND_CUE.match(text, cue.end(), cue.end() + 120)
    at = behind.end() if behind else cue.end()
    lower = _LOWER.match(text, at)
    if lower and kinds(lower[1]) & GIVEN and not (kinds(lower[1]) | kinds(lower[2])) & ORDINARY:
        yield Found(*lower.span(), PAIR, "lower_case")
        return
    for _ in range(_LISTED_PEOPLE):
        match = _LISTED.match(text, at, at + 120)
        if match:
            words = [word for _, word in _words(text, *match.span())]
            if _is_person(words, holds) and not _COMPANY_AFTER.match(text, match.end()):
                yield Found(match.start(), match.end(), SURE, "listed_name")
        between = _BETWEEN.match(text, match.end() if match else at, at + 240)
        if not match or not between:
            return
        at = between.end()


def _is_person(words: Sequence[str], holds: bool) -> bool:
    """Whether words behind a cue are a person's; a holder of rights (`holds`) must have a word that names people."""
    full = [word for word in words if _is_full(word)]
    if not full or any(_bare(word) in NOBODY for word in words):
        return False
    ordinary = [bool(kinds(word) & ORDINARY and not kinds(word) & (GIVEN | FAMILY)) for word in full]
    if any(ordinary[1:]) or (ordinary[0] and (holds or not kinds(full[-1]) & FAMILY)):
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
