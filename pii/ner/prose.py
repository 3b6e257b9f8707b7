"""Words of some 70 locales that are nobody's name, and people among them: what keeps a model from judging by script.

Without these, whatever stands in Cyrillic, Hebrew or Han characters in the training data is a name.

The words are Faker's (MIT): lorem texts, months, weekdays, places, colours, trades.
"""

from __future__ import annotations

import importlib
import pkgutil
import random
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from pii.ner.names import Split, locales, split_of

_PREFIXES = ("", "", "# ", "// ", " * ", "-- ", "; ", "% ", "    ", "/* ", "<!-- ", "- ", "  * ", "\t")
_AUTHOR = {  # "author" and its like, by language
    "ru": ("Автор", "Авторы", "Разработчик", "Создал"), "uk": ("Автор", "Розробник"), "bg": ("Автор", "Разработчик"),
    "mk": ("Автор",), "sr": ("Аутор",), "zh": ("作者", "创建者", "维护者", "编写"), "ja": ("作者", "著者", "作成者"),
    "ko": ("작성자", "저자", "만든이"), "he": ("מחבר", "נכתב על ידי"), "ar": ("المؤلف", "كتبه"), "fa": ("نویسنده",),
    "el": ("Συγγραφέας",), "hi": ("लेखक",), "mr": ("लेखक",), "ne": ("लेखक",), "bn": ("লেখক",), "or": ("ଲେଖକ",),
    "ta": ("ஆசிரியர்", "எழுதியவர்"), "si": ("කර්තෘ",), "th": ("ผู้เขียน",), "ka": ("ავტორი",), "hy": ("Հեղինակ",),
    "de": ("Autor", "Verfasser", "Autoren", "Erstellt von", "Geschrieben von"),
    "fr": ("Auteur", "Auteurs", "Écrit par"), "es": ("Autor", "Autores", "Escrito por", "Creado por"),
    "it": ("Autore", "Autori", "Scritto da"), "pt": ("Autor", "Autores", "Escrito por"), "pl": ("Autor", "Autorzy"),
    "cs": ("Autor", "Autoři"), "sk": ("Autor",), "nl": ("Auteur", "Geschreven door"),
    "sv": ("Författare", "Skriven av"), "da": ("Forfatter",), "no": ("Forfatter",), "fi": ("Tekijä",),
    "hu": ("Szerző", "Készítette"), "tr": ("Yazar", "Geliştirici"), "ro": ("Autor",), "vi": ("Tác giả",),
    "id": ("Penulis", "Dibuat oleh"),
}  # fmt: skip
_SPACELESS = ("zh", "ja", "th")
_FAMILY_FIRST = ("zh_CN", "zh_TW", "ja_JP", "ko_KR")
_SEQUENCE = 31  # words of a list whose order may mean something, such as months
_KEYS = ("dayNames", "months", "items", "values", "cities", "labels", "key", "id", "title")
_AROUND = ('"{}"', "'title': '{}',", '  "label": "{}",', "<p>{}</p>", 'msgstr "{}"', "<name>{}</name>")


class Words(NamedTuple):
    """One locale's words by kind."""

    prose: tuple[str, ...]
    listed: tuple[tuple[str, ...], ...]  # months, weekdays, places, colours, trades


@cache
def words() -> dict[str, Words]:
    """The words of every locale that Faker has some of."""
    found: dict[str, Words] = {}
    names = {
        name: [module.name for module in pkgutil.iter_modules(importlib.import_module(name).__path__)]
        for name in (f"faker.providers.{kind}" for kind in ("lorem", "date_time", "address", "color", "job"))
    }
    for locale in sorted({locale for listed in names.values() for locale in listed}):
        kinds = []
        for name, listed in names.items():
            module = importlib.import_module(f"{name}.{locale}") if locale in listed else None
            provider = getattr(module, "Provider", None)
            kinds.append(_strings(provider))
        prose = tuple(kinds[0].get("word_list", ()))
        lists = tuple(list_ for kind in kinds[1:] for _, list_ in sorted(kind.items()) if len(list_) >= 6)
        if prose or lists:
            found[locale] = Words(prose, lists)
    return found


def _strings(provider: type | None) -> dict[str, tuple[str, ...]]:
    """The lists of plain words among a provider's own attributes; a mapping gives its keys and values."""
    result = {}
    for name, value in vars(provider).items() if provider else ():
        if any(part in name for part in ("format", "postcode", "suffix", "abbr", "building", "safe")):
            continue
        values = [*value.keys(), *value.values()] if isinstance(value, dict) else value
        if isinstance(values, tuple | list):
            kept = tuple(word for word in values if isinstance(word, str) and _is_plain(word))
            if len(kept) > _SEQUENCE:
                kept = tuple(sorted(kept))  # Faker makes some of these from sets, which have another order every time
            if name == "word_list" or len(kept) >= 6:
                result[name] = kept
    return result


def _is_plain(word: str) -> bool:
    return "{" not in word and "#" not in word and any(map(str.isalpha, word))


def texts(seed: int, split: Split) -> Iterator[tuple[str, tuple[tuple[int, int, str], ...]]]:
    """Endless (text, spans), the same ones for a seed and split."""
    rng = random.Random(f"prose {split} {seed}")
    listed = words()
    people = {pool.locale: pool for pool in locales().values()}
    with_prose = [locale for locale, of in listed.items() if len(of.prose) > 20]
    with_lists = [locale for locale, of in listed.items() if of.listed]
    with_people = [locale for locale in sorted(people) if locale[:2] in _AUTHOR and " " not in locale]
    while True:
        kind = rng.random()
        if kind < 0.35:
            locale = rng.choice(with_prose)
            yield _dress(rng, _prose(rng, listed[locale].prose, locale)), ()
        elif kind < 0.65:
            yield _list(rng, rng.choice(listed[rng.choice(with_lists)].listed)), ()
        else:
            locale = rng.choice(with_people)
            given = [name for name in rng.sample(people[locale].given, 6) if split_of(name) == split]
            family = [name for name in rng.sample(people[locale].family, 6) if split_of(name) == split]
            if given and family:
                prose = next((listed[other].prose for other in with_prose if other[:2] == locale[:2]), ())
                yield _credit(rng, locale, given[0], family[0], prose)


def _prose(rng: random.Random, listed: tuple[str, ...], locale: str) -> str:
    sentences = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        chosen = rng.choices(listed, k=rng.randint(2, 9))
        sentence = ("" if locale[:2] in _SPACELESS else " ").join(chosen)
        sentences.append(sentence[:1].upper() + sentence[1:])
    text = rng.choice((". ", ".\n", ", ", " ")).join(sentences) + rng.choice((".", "", ":"))
    return text.title() if rng.random() < 0.12 else text


def _dress(rng: random.Random, text: str) -> str:
    prefix = rng.choice(_PREFIXES)
    if rng.random() < 0.25:
        return rng.choice(_AROUND).format(text)
    return prefix + text.replace("\n", "\n" + prefix)


def _list(rng: random.Random, listed: tuple[str, ...]) -> str:
    at = rng.randrange(len(listed))
    count = rng.randint(1, 9)
    chosen = list(listed[at : at + count]) if rng.random() < 0.5 else rng.choices(listed, k=count)
    if rng.random() < 0.15:
        chosen = [word[:3] for word in chosen]
    style = rng.random()
    if style < 0.35:
        quote = rng.choice("\"'")
        quoted = ", ".join(f"{quote}{word}{quote}" for word in chosen)
        return f"{rng.choice(_KEYS)}: [ {quoted} ],"
    if style < 0.55:
        return ",".join(f'"{rng.choice(_KEYS)}{number}":"{word}"' for number, word in enumerate(chosen))
    if style < 0.7:
        return "".join(f"<option value='{number}'>{word}</option>\n" for number, word in enumerate(chosen))
    return _dress(rng, ", ".join(chosen) if style < 0.85 else "\n".join(f"- {word}" for word in chosen))


def _credit(
    rng: random.Random, locale: str, given: str, family: str, prose: tuple[str, ...]
) -> tuple[str, tuple[tuple[int, int, str], ...]]:
    name = family + rng.choice(("", "", " ")) + given if locale in _FAMILY_FIRST else f"{given} {family}"
    prefix = rng.choice(_PREFIXES)
    cue = rng.choice(_AUTHOR[locale[:2]]) + rng.choice(
        (": ", ":", " ", " - ", "\uff1a" if locale[:2] == "zh" else ": ")
    )
    before = after = ""
    if prose and rng.random() < 0.5:
        before = prefix + _prose(rng, prose, locale).replace("\n", " ") + "\n"
    if prose and rng.random() < 0.4:
        after = "\n" + prefix + _prose(rng, prose, locale).replace("\n", " ")
    before += prefix + cue
    return before + name + after, ((len(before), len(before) + len(name), "NAME"),)
