"""What stands before or behind a word that makes it a person: a field for names, a role, a deed, an address.

Patterns over some hundred characters at most, all ending where the name begins, or beginning where it ends.
"""

from __future__ import annotations

import re

from pii.ner.gazetteer import FAMILY, GIVEN, ORDINARY, bits_of

CREDITED, LISTED, GREETED = 3, 2, 1  # what says so surely; a neighbour does; what says that for listed names alone

BEFORE, AFTER = 96, 48  # code points that are looked at

_NAMES = (
    r"(?:first|last|given|family|full|real|display|middle|author|contact|customer|employee|student|teacher|manager"
    r"|owner)[-_ ]?names?"
)
_FIELDS = (  # with a sign for what they hold: author: Jane, <owner>Jane
    r"(?:co-?)?authors?|writers?|maintainers?|contributors?|credits?|owners?|reviewers?|approvers?|assignees?"
    r"|assigned[_ ]?to|contacts?|translators?|editors?|speakers?|artists?|students?|teachers?|instructors?|supervisors?"
    r"|managers?|lead(?:er)?|reporters?|programmers?|developers?|creators?|packagers?|attendees|participants|present"
    r"|players?|customers?|employees?|patients?|persons?|people|names|members?|autor(?:es|en)?|auteurs?|autore|idea|given|family"
    rf"|surname|forename|{_NAMES}|(?:created|updated|modified|approved)[_ ]?by|photo|music|foto|musik"
)
_ROLES = (  # with a blank
    r"(?:co-?)?authors?|maintainer|mr|mrs|ms|prof|dear|hi|hey|thanks(?:[ ]to)?|thx(?:[ ]to)?|kudos(?:[ ]to)?"
    r"|grateful[ ]to|credits?(?:[ ]goe?s?)?[ ]to"
)
_CLASSES = (
    "person|author|employee|customer|contact|student|user|member|patient|actor|teacher|player|owner"  # new Person("
)
_DEEDS = (  # with "by"
    r"written|reported|suggested|fixed|contributed|implemented|authored|found|patch(?:es)?|spotted|noticed|proposed|idea"
    r"|approved|submitted|reviewed|tested|signed-off|acked|translated|ported|designed|drawn|coded|photo|music|art"
    r"|escrito|erstellt|traduit|gemaakt|skrevet|napisan[ye]"
)
_IN_SCRIPTS = (  # author, translator, developer in other scripts
    r"\u4f5c\u8005|\u8457\u8005|\u4f5c\u6210\u8005|\u8bd1\u8005|\u8b6f\u8005|\u958b\u767a\u8005|\u5f00\u53d1\u8005"
    r"|\uc800\uc790|\u0430\u0432\u0442\u043e\u0440\w*|\u043f\u0435\u0440\u0435\u0432\w*|\u05de\u05d7\u05d1\u05e8"
    r"|\u0627\u0644\u0645\u0624\u0644\u0641"
)
_CREDIT = (  # but no "Owner": "Eigenaar", which translates
    rf"(?:(?:\b|_|(?<=set)|(?<=with))(?!(?-i:(?<=[\"'])(?<![\"']{{2}})[A-Z]))(?:{_FIELDS})(?:\b|(?=__))"
    r"_{0,2}[\"'\])}]{0,2}[ \t]{0,12}"
    r"[:=>(\[{\"][\s:,*\"'=>(\[{-]{0,24}"
    rf"|\b(?:{_ROLES})\b[\s:.,*@-]{{1,10}}|\b(?:from|to|b?cc):[ ][\"']?|^\.(?:An|AU)\b[ \n]\"?"
    rf"|\b(?:{_DEEDS})[- ]?(?:by|from|por|von|par|door|av|przez)\b[\s:]{{1,4}}[\"']?"
    rf"|\b(?:{_CLASSES})\([ ]?[\"']|\bdue to |(?<!-)-- |(?:{_IN_SCRIPTS})[\s:\uff1a]{{0,4}})"
)
_CREDITED = re.compile(rf"(?im){_CREDIT}\Z")
_LISTED = re.compile(rf"(?im){_CREDIT}(?:[^;:!?\n=(){{}}.]|\b[a-z]\.){{1,64}}(?:,|&|\band)\s{{1,2}}[\"']?\Z")
_GREETED = re.compile(
    r"(?i)\b(?:hi|hello|hey|thank|ask|with|by|from|cheers|regards|best|says?|cc|to|see|and)[ ,:!\n*#/]{1,8}[\"']?\Z"
)
_HELD = re.compile(
    r"(?i)(?:copyright|\(c\)|\u00a9|&copy;)[\s\d,.:\u2013\u00a9-]{0,24}(?:\(c\)|by|\u00a9)?[\s\d,\u2013-]{0,20}\Z"
)
_ACTS = re.compile(  # an address, an account, what only people do
    r"[\"']?[ \t]{0,2}(?:,[ ]?)?(?:[<(\[]?(?:mailto:)?[\w.+-]{1,40}(?:@|[ ]\(?at\)?[ ])[\w-]|\(@\w"
    r"| and [A-Z]\w+[ ,]{0,2}(?:\[\d|\(?(?:19|20)\d\d|et al)"
    r"|(?:wrote|writes|said|says|thinks|suggested|noticed|pointed|asked|told|joined|explained)\b"
    r"|['\u2019]s[ ](?:patch|idea|suggestion|fix|comment|review|advice|opinion|request|blog|article|homepage|talk)\b"
    r"|[\"'],[ \n]{1,9}[:\"']?(?:age|e-?mail|gender|phone|salary|birth\w{0,5}|born|dob|surname|last_?name|hobbies)\b"
    r"|et[ ]al\b|\(?(?:19|20)\d\d[a-z]?\)|, [A-Z]\.[ ,-])"
)
# Behind a date or time, an `and` or `by`, at a comment's beginning before a colon, in brackets of a chat.
_DATED = re.compile(
    r"(?:\b\d{4}[-/.]\d\d?[-/.]\d\d?|\b\d\d?[-/.]\d\d?[-/.]\d{2,4}|\b\d\d:\d\d(?::\d\d)?)\]?[ :,(<@-]{1,4}\Z"
)
_DONE = re.compile(
    r"(?<!used )(?<!provided )(?<!supported )(?<!required )(?<!called )(?<!generated )(?<!powered )(?<!handled )"
    r"(?<!given )(?<!managed )(?<!run )(?<!set )(?<!returned )(?<!defined )(?<!offered )(?<!caused )(?<!made )"
    r"(?<!served )(?<!parsed )(?<!sorted )(?<!followed )(?<!replaced )\bby \Z"
)
_SAYS = re.compile(r"(?m)^[ \t]*(?://|#|/?\*+|--|;+|%)[ \t]*(?:(?:TODO|FIXME|XXX|NOTE|HACK)\b[ :(]{1,3})?\Z")
_CELL_BEFORE = re.compile(r"([^\W\d_]{3,})[\"']?[ ]?[,;|\t][ ]?[\"']?\Z")
_JOINED_BEFORE = re.compile(r"[A-Z][^\W\d_]* ([^\W\d_]{3,}) and \Z")
_CELL_AFTER = re.compile(r"[\"']?[ ]?[,;|\t][ ]?[\"']?([^\W\d_]{3,})")


def evident(before: str, after: str) -> int:
    """CREDITED, GREETED or 0 for what stands between two texts."""
    if _CREDITED.search(before) or _ACTS.match(after):
        return CREDITED
    if _DATED.search(before) or _DONE.search(before) or (after.startswith((": ", "): ")) and _SAYS.search(before)):
        return LISTED
    return GREETED if _GREETED.search(before) else 0


def is_beside_person(before: str, after: str, kinds: int) -> bool:
    """Whether the cell of a table before or behind, or who stands before an `and`, has a listed name: `"Jane", "`.

    `kinds`: the gazetteer's that count in a cell.
    """
    cells = [match[1] for match in (_CELL_BEFORE.search(before), _CELL_AFTER.match(after)) if match]
    joined = _JOINED_BEFORE.search(before)
    words = [(cell, kinds) for cell in cells] + ([(joined[1], GIVEN | FAMILY)] if joined else [])
    return any(bits_of(word) & kind and not bits_of(word) & ORDINARY and word[0].isupper() for word, kind in words)


def is_listed(before: str) -> bool:
    """Whether a list goes on there whose first is credited: `Authors: Jane Doe, `."""
    return bool(_LISTED.search(before))


def is_holder(before: str) -> bool:
    """Whether a copyright's holder stands there."""
    return bool(_HELD.search(before))
