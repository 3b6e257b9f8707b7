"""Made-up values: addresses, keys and passwords, which are labelled; identifiers, dates and hashes, which are not."""

from __future__ import annotations

import random
import string

from pii.ner.words import words

_HEX = "0123456789abcdef"
_ALPHANUMERIC = string.ascii_letters + string.digits
_PREFIXES = ("sk_live_", "sk-", "pk_test_", "xoxb-", "glpat-", "SG.", "npm_", "hf_", "AIzaSy")


def pick(rng: random.Random, name: str) -> str:
    """One word of a list of words.txt."""
    return rng.choice(words(name))


def take(rng: random.Random, alphabet: str, count: int) -> str:
    """So many characters of an alphabet."""
    return "".join(rng.choices(alphabet, k=count))


def project(rng: random.Random) -> str:
    head = pick(rng, "products") if rng.random() < 0.5 else class_name(rng)
    return f"{rng.choice(('The ', 'the ', '', ''))}{head} {pick(rng, 'project_tails')}"


def class_name(rng: random.Random) -> str:
    parts = [pick(rng, "nouns").capitalize() for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.2:
        parts[0] = pick(rng, "word_names")
    return "".join(parts)


def identifier(rng: random.Random) -> str:
    parts = [pick(rng, rng.choice(("nouns", "adjectives", "verbs"))) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.5:
        return "_".join(parts)
    return parts[0] + "".join(part.capitalize() for part in parts[1:])


def constant(rng: random.Random) -> str:
    return "_".join(pick(rng, "nouns") for _ in range(rng.randint(1, 3))).upper()


def sentence(rng: random.Random) -> str:
    text = f"{pick(rng, 'verbs')} the {pick(rng, 'adjectives')} {pick(rng, 'nouns')}"
    if rng.random() < 0.5:
        joint = rng.choice(("of", "for", "in", "before", "when", "and"))
        text += f" {joint} the {pick(rng, 'nouns')} {pick(rng, 'nouns')}"
    return text.capitalize() if rng.random() < 0.6 else text


def title(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return pick(rng, "titles")
    kinds = ("nouns", "verbs", "adjectives")
    return " ".join(pick(rng, rng.choice(kinds)).capitalize() for _ in range(rng.randint(2, 3)))


def year(rng: random.Random) -> str:
    return str(rng.randint(1985, 2026))


def years(rng: random.Random) -> str:
    first = rng.randint(1985, 2024)
    forms = (first, first, f"{first}-{first + 3}", f"{first}, {first + 1}", f"{first}-present", f"{first}–{first + 2}")
    return str(rng.choice(forms))


def date(rng: random.Random) -> str:
    y, m, d = rng.randint(1992, 2026), rng.randint(1, 12), rng.randint(1, 28)
    month = words("months")[m - 1]
    iso = f"{y}-{m:02}-{d:02}"
    return rng.choice(
        (
            iso,
            iso,
            f"{d} {month} {y}",
            f"{month} {d}, {y}",
            f"{m:02}/{d:02}/{y}",
            f"{d}.{m}.{y}",
            f"{d}-{month[:3]}-{y}",
        )
    )


def time(rng: random.Random) -> str:
    return f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"


def version(rng: random.Random) -> str:
    numbers = ".".join(str(rng.randint(0, 20)) for _ in range(rng.randint(2, 3)))
    return numbers + rng.choice(("", "", "", "-rc1", "b2", "-SNAPSHOT"))


def number(rng: random.Random) -> str:
    return str(int(10 ** rng.uniform(0, 4.5)))


def digest(rng: random.Random) -> str:
    return take(rng, _HEX, rng.choice((32, 40, 40, 64)))


def short_digest(rng: random.Random) -> str:
    return take(rng, _HEX, 7)


def uuid(rng: random.Random) -> str:
    return "-".join(take(rng, _HEX, count) for count in (8, 4, 4, 4, 12))


def file_name(rng: random.Random) -> str:
    return "_".join(pick(rng, "nouns") for _ in range(rng.randint(1, 2))) + "." + pick(rng, "extensions")


def host(rng: random.Random) -> str:
    name = pick(rng, "company_heads").lower() + rng.choice(("", "-", "")) + pick(rng, "nouns")
    return f"{rng.choice(('', '', '', 'mail.', 'cs.', 'lists.'))}{name}.{pick(rng, 'tlds')}"


def repository(rng: random.Random) -> str:
    tail = pick(rng, "nouns") if rng.random() < 0.8 else rng.choice(("js", "py", "rs", "kit", "ng"))
    return pick(rng, "nouns") + rng.choice(("-", "_", "")) + tail


def phone(rng: random.Random) -> str:
    return f"+{rng.randint(1, 99)} {rng.randint(100, 999)} {rng.randint(100, 999)} {rng.randint(1000, 9999)}"


def ip_address(rng: random.Random) -> str:
    if rng.random() < 0.12:
        groups = [f"{rng.randrange(65536):x}" for _ in range(8)]
        return ":".join(groups) if rng.random() < 0.5 else f"2a01:{groups[0]}:{groups[1]}::{groups[2]}"
    first = rng.choice((10, 172, 192)) if rng.random() < 0.3 else rng.randint(2, 223)
    second = {10: rng.randint(0, 255), 172: rng.randint(16, 31), 192: 168}.get(first, rng.randint(0, 255))
    return f"{first}.{second}.{rng.randint(0, 255)}.{rng.randint(1, 254)}"


def password(rng: random.Random) -> str:
    kind = rng.randrange(5)
    if kind == 0:
        return take(rng, _ALPHANUMERIC, rng.randint(8, 16))
    if kind == 1:
        return take(rng, _ALPHANUMERIC + "!#%&*+-=?^_", rng.randint(8, 18))
    word = pick(rng, "word_names") if rng.random() < 0.5 else pick(rng, "nouns").capitalize()
    if kind == 2:
        return word + str(rng.randint(1, 2026)) + rng.choice("!#?*")
    if kind == 3:
        mixed = (word + pick(rng, "nouns").capitalize()).replace("a", "4").replace("e", "3").replace("o", "0")
        return mixed + str(rng.randint(1, 99))
    return word.lower() + str(rng.randint(10, 9999))


def key(rng: random.Random) -> str:
    kind = rng.randrange(8)
    if kind == 0:
        return "AKIA" + take(rng, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)
    if kind == 1:
        return rng.choice(("ghp_", "gho_", "ghs_")) + take(rng, _ALPHANUMERIC, 36)
    if kind == 2:
        return rng.choice(_PREFIXES) + take(rng, _ALPHANUMERIC + "_-", rng.randint(20, 40))
    if kind in (3, 4):
        return take(rng, _HEX, rng.choice((24, 32, 32, 40, 64)))
    if kind == 5:
        return f"eyJhbGciOiJIUzI1NiJ9.eyJ{take(rng, _ALPHANUMERIC, 30)}.{take(rng, _ALPHANUMERIC + '_-', 43)}"
    return take(rng, _ALPHANUMERIC + "+/", rng.choice((20, 32, 40, 43, 64)))
