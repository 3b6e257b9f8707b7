"""People for the training data: names of some 70 locales, their written forms, and the handles people make of them.

The lists are Faker's (MIT), read when training only. Names in other alphabets are also used as their bearers write them
in code, in Latin letters. A name belongs to one split, by its hash, so that no name of `dev` was seen in training.
"""

from __future__ import annotations

import importlib
import pkgutil
import random
from functools import cache
from hashlib import blake2b
from typing import Literal, NamedTuple

from pii.ner.words import words

Split = Literal["train", "dev"]

_GIVEN = ("first_names", "first_names_male", "first_names_female", "first_names_nonbinary", "first_names_unisex")
_FAMILY = ("last_names", "last_names_male", "last_names_female", "unisex_last_names", "last_names_unisex")
_ROMANIZED = {"ja_JP": ("first_romanized_names", "last_romanized_names")}
_TRANSLITERATED = ("ru_RU", "uk_UA", "bg_BG", "mk_MK", "el_GR", "ka_GE", "hy_AM", "zh_CN", "ko_KR", "hi_IN", "ta_IN")
_FAMILY_FIRST = frozenset({"zh_CN", "zh_TW", "ja_JP", "ko_KR"})  # written without a space in their own script
# How often: as authors of code go, not as people do. Own-script names are a tenth of all.
_WEIGHTS = {
    "en_US": 16, "en": 14, "en_GB": 9, "en_IE": 3, "en_IN": 8, "en_NZ": 2, "en_PK": 2, "en_KE": 1, "en_NG": 1,
    "de_DE": 9, "de_AT": 2, "de_CH": 2, "fr_FR": 7, "fr_QC": 1, "es_ES": 4, "es_MX": 3, "it_IT": 5, "nl_NL": 5,
    "pt_BR": 5, "pt_PT": 1, "pl_PL": 4, "sv_SE": 4, "no_NO": 3, "da_DK": 3, "fi_FI": 2, "cs_CZ": 3, "sk_SK": 1,
    "hu_HU": 2, "ro_RO": 2, "tr_TR": 3, "vi_VN": 2, "id_ID": 2, "hr_HR": 2, "sl_SI": 1, "et_EE": 1, "lt_LT": 1,
    "lv_LV": 1, "az_AZ": 1, "tw_GH": 1, "yo_NG": 1, "zu_ZA": 1, "ga_IE": 1, "is_IS": 1,
    "zh_CN": 3, "ja_JP": 3, "ko_KR": 2, "ru_RU": 3, "uk_UA": 1, "el_GR": 1, "he_IL": 1, "ar_AA": 1, "fa_IR": 1,
    "hi_IN": 1, "bn_BD": 1, "th_TH": 1, "ka_GE": 1, "hy_AM": 1, "bg_BG": 1, "mk_MK": 1, "ta_IN": 1, "mr_IN": 1,
    "or_IN": 1, "ne_NP": 1, "si_LK": 1,
    "ja_JP latin": 7, "zh_CN latin": 9, "ko_KR latin": 4, "ru_RU latin": 9, "uk_UA latin": 3, "bg_BG latin": 2,
    "mk_MK latin": 1, "el_GR latin": 2, "ka_GE latin": 1, "hy_AM latin": 1, "hi_IN latin": 1, "ta_IN latin": 1,
}  # fmt: skip
_PARTICLES = {
    "nl": ("van", "van der", "van den", "de", "van de", "ter", "den"),
    "de": ("von", "von der", "zu"),
    "fr": ("de", "de la", "du", "le", "d'"),
    "es": ("de", "de la", "del", "y"),
    "pt": ("da", "dos", "de", "do"),
    "it": ("di", "de", "della", "da", "Lo", "De", "D'"),
    "en": ("bin", "al", "ibn", "Mc", "Mac", "O'", "St. ", "El", "Al-"),
}


class Pool(NamedTuple):
    """The names of one locale."""

    locale: str
    given: tuple[str, ...]
    family: tuple[str, ...]


class Person(NamedTuple):
    """Who is named: one given and one family name, and what is only written at times."""

    locale: str
    given: str
    family: str
    middle: str


def split_of(name: str) -> Split:
    """A sixth of the names is kept for `dev`."""
    return "dev" if blake2b(name.casefold().encode(), digest_size=1).digest()[0] % 6 == 0 else "train"


@cache
def locales() -> dict[str, Pool]:
    """Faker's lists of every locale, and transliterations ("ru_RU latin")."""
    import faker.providers.person as providers

    found = {}
    for module in pkgutil.iter_modules(providers.__path__):
        provider = importlib.import_module(f"{providers.__name__}.{module.name}").Provider
        given, family = _listed(provider, _GIVEN), _listed(provider, _FAMILY)
        if len(given) >= 20 and len(family) >= 12:
            found[module.name] = Pool(module.name, given, family)
            if module.name in _TRANSLITERATED:
                found[f"{module.name} latin"] = Pool(f"{module.name} latin", _latin(given), _latin(family))
        if module.name in _ROMANIZED:
            lists = [_listed(provider, (attribute,)) for attribute in _ROMANIZED[module.name]]
            found[f"{module.name} latin"] = Pool(f"{module.name} latin", *lists)
    return found


def common_locales() -> list[Pool]:
    """The lists that names are drawn from."""
    return [pool for pool in locales().values() if pool.locale in _WEIGHTS]


def _listed(provider: type, attributes: tuple[str, ...]) -> tuple[str, ...]:
    names: set[str] = set()
    for attribute in attributes:
        values = getattr(provider, attribute, ())
        if not isinstance(values, property):
            names.update(str(value).strip() for value in values)
    return tuple(sorted(name for name in names if name and name[0] != "(" and name[-1] != "."))


def _latin(names: tuple[str, ...]) -> tuple[str, ...]:
    from text_unidecode import unidecode

    spelled = (unidecode(name).replace(" ", "").replace("'", "").capitalize() for name in names)
    return tuple(sorted({name for name in spelled if len(name) > 1 and name.isalpha()}))


class Names:
    """Draws people of one split."""

    def __init__(self, split: Split) -> None:
        self.pools = [
            Pool(pool.locale, *(tuple(n for n in names if split_of(n) == split) for names in pool[1:]))
            for pool in common_locales()
        ]
        self.pools = [pool for pool in self.pools if len(pool.given) > 2 and len(pool.family) > 2]
        self.weights = [_WEIGHTS[pool.locale] for pool in self.pools]
        self.latin = [pool for pool in self.pools if all(name.isascii() for name in pool.family[:3])]

    def person(self, rng: random.Random) -> Person:
        """Someone new: of one locale mostly, at times with a name of another, or a family name nobody listed."""
        pool = rng.choices(self.pools, self.weights)[0]
        family, given = rng.choice(pool.family), rng.choice(pool.given)
        chance = rng.random()
        if family.isascii() and chance < 0.25:
            if chance < 0.12:
                family = rng.choice(rng.choice(self.latin).family)
            else:
                family = _blend(family, rng.choice(pool.family))
        return Person(pool.locale, given, family, rng.choice(pool.given))


def _blend(first: str, second: str) -> str:
    """The head of one name and the tail of another: names that are on no list must be recognized as well."""
    return (first[: (len(first) + 1) // 2] + second[len(second) // 2 :]) if second.isascii() else first


def written(rng: random.Random, person: Person) -> str:
    """A full name as it stands in a text."""
    given, family, middle = person.given, person.family, person.middle
    locale, _, latin = person.locale.partition(" ")
    if locale in _FAMILY_FIRST and not latin:
        return family + given if rng.random() < 0.8 else f"{family} {given}"
    chance = rng.random()
    if chance < 0.66:
        if (latin and locale in _FAMILY_FIRST) or locale in ("hu_HU", "vi_VN"):
            return f"{given} {family}" if rng.random() < 0.7 else f"{family} {given}"
        return f"{given} {family}"
    if not given[0].isupper():  # a script without case
        return f"{given} {family}"
    if chance < 0.90:
        return _initials(rng, chance, given, family, middle)
    return _rare(rng, (chance - 0.9) * 10, person)


def _initials(rng: random.Random, chance: float, given: str, family: str, middle: str) -> str:
    if chance < 0.74:
        return f"{given} {middle[0]}. {family}"
    if chance < 0.81:
        return f"{given[0]}. {family}"
    if chance < 0.84:
        return f"{given[0]}. {middle[0]}. {family}"
    if chance < 0.85:
        return f"{given[0]}.{middle[0]}. {family}"
    if chance < 0.86:
        return f"{given} {middle[0]} {family}"
    if chance < 0.87:
        return f"{family} {given[0]}."
    return f"{given} {middle} {family}"


def _rare(rng: random.Random, chance: float, person: Person) -> str:
    _, given, family, middle = person
    if chance < 0.22:
        particles = _PARTICLES.get(person.locale[:2], _PARTICLES["en"])
        particle = rng.choice(particles)
        return f"{given} {particle}{'' if particle[-1] in chr(39) + '- c' else ' '}{family}"
    if chance < 0.36:
        return f"{given} {family}-{middle}"
    if chance < 0.42:
        return f"{given}-{middle} {family}"
    if chance < 0.56:
        return f"{family}, {given}" + (f" {middle[0]}." if rng.random() < 0.3 else "")
    if chance < 0.70:
        return f"{given} {family}".lower()
    if chance < 0.80:
        return f"{given} {family}".upper()
    if chance < 0.87:
        return f"{given} {family.upper()}"
    if chance < 0.94:
        quote = rng.choice(('"', "'", "“”"))
        return f"{given} {quote[0]}{rng.choice((middle, handle(rng, person)))}{quote[-1]} {family}"
    return f"{given} {family}{rng.choice((' Jr.', ', Jr.', ' III', ' II', ' Sr.'))}"


def handle(rng: random.Random, person: Person) -> str:
    """An account's name made of a person's: jdoe, jane.doe, jane-doe42, doej, janed, or a word of their own."""
    given, family = plain(person.given), plain(person.family)
    if not given or not family:
        given, family = rng.choice(words("nicks")), rng.choice(words("nicks"))
    kind = rng.randrange(14)
    if kind < 4:
        made = given[0] + family
    elif kind < 7:
        made = given + rng.choice(("", "", "-", "_", ".")) + family
    elif kind == 7:
        made = family + given[0]
    elif kind == 8:
        made = given + family[0]
    elif kind == 9:
        made = given
    elif kind == 10:
        made = family
    elif kind == 11:
        made = rng.choice(words("nicks")) + rng.choice(("", "-", "_", "")) + rng.choice(words("nicks"))
    elif kind == 12:
        made = rng.choice((given, family))[:4] + rng.choice(words("nicks"))
    else:
        made = given[:3] + family[:3]
    if rng.random() < 0.18:
        made += rng.choice((str(rng.randrange(1, 100)), str(rng.randrange(1960, 2012)), "-dev", "_", "x", "hub", "io"))
    if rng.random() < 0.06:
        made = made.capitalize()
    return made


@cache
def plain(name: str) -> str:
    """A name's letters in ASCII and lower case."""
    from text_unidecode import unidecode

    return "".join(letter for letter in unidecode(name).lower() if letter.isalnum())
