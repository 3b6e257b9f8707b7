"""The made-up values that fill the evaluation templates: people, addresses, passwords, keys, and what only looks so.

Every value comes from a `Draw`, a stream of numbers fixed by its seed on every platform and Python version. Keys are
random in the format their vendor describes, with the right checksum where the format has one; none was ever issued.
People, firms and domains are this set's own: nothing here is shared with the training data of pii/ner/.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from pii.evaluation.draw import BASE64, DIGITS, HEX, LOWER, UPPER, Draw


class Person(NamedTuple):
    """A name as written, and what handles and addresses are made of (ASCII, lower case)."""

    full: str
    given: str
    family: str

    @property
    def latin(self) -> bool:
        return " " in self.full and ord(max(self.full)) < 0x250


def _ascii(text: str) -> str:
    table = str.maketrans({"ß": "ss", "ø": "o", "Ø": "o", "ł": "l", "Ł": "l", "đ": "d", "Đ": "d", "æ": "ae", "þ": "th"})
    plain = unicodedata.normalize("NFKD", text.translate(table).translate({0x131: "i", 0x259: "a", 0xDE: "th"}))
    return re.sub(r"[^a-z]", "", plain.encode("ascii", "ignore").decode().lower())


def people() -> list[Person]:
    """The names of names.txt, in its order."""
    result = []
    for line in lines_of("names.txt"):
        full, _, spelled = line.partition(" = ")
        given, _, family = (spelled or full).rpartition(" ")
        result.append(Person(full, _ascii(given.split(" ")[0]), _ascii(family)))
    return result


def lines_of(name: str) -> list[str]:
    """The lines of a list in this folder, without comments and empty lines."""
    text = files("pii.evaluation").joinpath(name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@cache
def words(name: str) -> tuple[str, ...]:
    """The list `name` of words.txt."""
    lists = [line.partition(": ") for line in lines_of("words.txt")]
    return tuple(value for key, _, values in lists if key == name for value in values.split("|"))


# --- people's accounts ---------------------------------------------------------------------------------------------


def handle(draw: Draw, person: Person, invented: Sequence[str]) -> str:
    """An account name: made from the person's name, or one of the invented ones."""
    given, family = person.given or "kit", person.family or "lane"
    made = [
        given[0] + family,
        given + family[0],
        given + "-" + family,
        given + "." + family,
        family + given[:2],
        given + str(draw.between(3, 99)),
        given[0] + family + str(draw.between(1, 99)),
        family + "_" + given[0],
        given + family,
        given[:3] + family[:4],
    ]
    return draw.of(invented) if draw.below(100) < 45 else draw.of(made)[:24]


def email(draw: Draw, person: Person, account: str, domains: Sequence[str]) -> str:
    """An address of the person at a mail provider or a firm's domain."""
    given, family = person.given or account, person.family or "lane"
    local = draw.of(
        [
            f"{given}.{family}",
            given[0] + family,
            account,
            f"{given}_{family}",
            given,
            f"{family}.{given}",
            f"{given}{draw.between(60, 99)}",
            f"{given}.{family}+{draw.of(['github', 'lists', 'oss', 'cpan'])}",
        ]
    )
    return f"{local.strip('.-_')}@{draw.of(domains)}"


# --- addresses of hosts --------------------------------------------------------------------------------------------


def public_ipv4(draw: Draw) -> str:
    """A public address, in none of the special networks (documentation, private, multicast, well-known DNS)."""
    while True:
        first = draw.of(
            [23, 31, 34, 37, 45, 46, 51, 52, 54, 62, 66, 77, 81, 84, 88, 91, 94, 95, 103, 104, 109, 116, 128]
        )
        first = draw.of([first, draw.between(129, 168), draw.between(173, 191), draw.between(193, 197), 199, 202, 212])
        rest = [draw.between(0, 255), draw.between(0, 255), draw.between(1, 254)]
        if (first, rest[0]) not in {(94, 140), (149, 112), (169, 254), (192, 0), (203, 0), (172, 16)}:
            return ".".join(map(str, [first, *rest]))


def private_ipv4(draw: Draw) -> str:
    """An address in one of RFC 1918's networks."""
    a, b, c = draw.between(0, 255), draw.between(0, 255), draw.between(2, 250)
    return draw.of([f"10.{a}.{b}.{c}", f"172.{draw.between(17, 31)}.{b}.{c}", f"192.168.{b}.{c}", f"192.168.1.{c}"])


def ipv6(draw: Draw) -> str:
    """A global or unique local IPv6 address, written out or shortened."""
    head = draw.of(
        ["2a01:4f8", "2a03:b0c0", "2607:f8b0", "2400:cb00", "2a02:908", "2804:14c", "fd7a:115c", "fd42:9b1e"]
    )
    groups = [draw.text(HEX[1:], draw.between(2, 4)) for _ in range(6)]
    return draw.of(
        [
            head + ":" + ":".join(groups),
            f"{head}:{groups[0]}:{groups[1]}::{draw.between(1, 9)}",
            f"{head}:{groups[0]}::{groups[1]}",
        ]
    )


# --- passwords -----------------------------------------------------------------------------------------------------

_LEET = str.maketrans("aeios", "43105")


def password(draw: Draw) -> str:
    """What people choose: a word with figures and signs, a phrase, a walk over the keyboard, a generator's letters."""
    word, year = draw.of(words("password_words")), str(draw.between(1968, 2024))
    kind = draw.below(12)
    if kind < 3:
        return (
            word.capitalize() + draw.of([year, str(draw.between(1, 999)), year[2:]]) + draw.of(["!", "", "#", "$", "?"])
        )
    if kind < 5:
        return word.translate(_LEET) + draw.of(["_", "", "."]) + str(draw.between(10, 9999))
    if kind == 5:
        return "-".join(draw.of(words("phrase_words")) for _ in range(draw.between(3, 4)))
    if kind == 6:
        return (
            draw.of(["qwe", "1qaz", "zaq1", "asd", "yxc"])
            + draw.of(["2wsx", "!QAZ", "rty", "XSW@", "fgh"])
            + draw.text(DIGITS, 3)
        )
    if kind == 7:
        return draw.text(DIGITS, draw.between(6, 9))
    if kind == 8:
        return draw.text(LOWER + DIGITS, draw.between(8, 12))
    if kind == 9:
        return word + draw.of(["123", "1234", "007", "4ever", "99"])
    return draw.text(UPPER + LOWER + DIGITS, draw.between(9, 18)) + draw.of(
        ["", "!", "^", "*", "_" + draw.text(LOWER, 2)]
    )


def plain_password(draw: Draw) -> str:
    """A password of letters, figures, hyphen and underscore: for places where others would have to be escaped."""
    return re.sub(r"[^A-Za-z0-9_-]", "", password(draw))


# --- what is nobody's ----------------------------------------------------------------------------------------------


def fillers() -> dict[str, Callable[[Draw], str]]:
    """Generators of what is no entity by the name a template uses."""
    return {
        "md5": lambda d: d.text(HEX, 32),
        "sha1": lambda d: d.text(HEX, 40),
        "sha7": lambda d: d.text(HEX, 7),
        "sha256": lambda d: d.text(HEX, 64),
        "sha512": lambda d: d.text(BASE64, 86) + "==",
        "uuid": lambda d: "-".join(d.text(HEX, n) for n in (8, 4, 4, 4, 12)),
        "pubkey": lambda d: "AAAAC3NzaC1lZDI1NTE5AAAAI" + d.text(BASE64, 43),
        "cert": lambda d: "MIID" + d.text(BASE64, 60),
        "gosum": lambda d: d.text(BASE64, 43) + "=",
        "cipher": lambda d: d.text(BASE64, 170) + "==",
        "version": lambda d: f"{d.below(9)}.{d.below(20)}.{d.below(12)}",
        "version4": lambda d: f"{d.between(1, 12)}.{d.below(20)}.{d.below(30)}.{d.below(9)}",
        "build4": lambda d: f"{d.between(80, 124)}.0.{d.between(3000, 6400)}.{d.between(10, 190)}",
        "oid": lambda d: f"1.3.6.1.4.1.{d.between(100, 59999)}.{d.between(1, 9)}.{d.between(1, 40)}",
        "year": lambda d: str(d.between(1997, 2024)),
        "date": lambda d: f"{d.between(2003, 2024)}-{d.between(1, 12):02d}-{d.between(1, 28):02d}",
        "day": lambda d: str(d.between(1, 28)),
        "month": lambda d: d.of(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]),
        "weekday": lambda d: d.of(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]),
        "time": lambda d: f"{d.below(24):02d}:{d.below(60):02d}:{d.below(60):02d}",
        "number": lambda d: str(d.between(2, 9999)),
        "small": lambda d: str(d.between(2, 64)),
        "port": lambda d: str(d.of([80, 443, 8080, 3306, 5432, 6379, 9200, 8443, 27017, 2222, 5060])),
        "mask": lambda d: str(d.of([8, 16, 20, 22, 24, 28, 32])),
        "hexcolor": lambda d: "#" + d.text(HEX, 6),
        "project": lambda d: d.of(words("projects")),
        "company": lambda d: d.of(words("companies")),
        "product": lambda d: d.of(words("products")),
        "city": lambda d: d.of(words("cities")),
        "eponym": lambda d: d.of(words("eponyms")),
        "class": lambda d: d.of(words("classes")),
        "word": lambda d: d.of(words("code_words")),
        "scope": lambda d: d.of(["@babel/core", "@types/node", "@vue/cli", "@angular/common", "@storybook/react"]),
        "decorator": lambda d: d.of(["@property", "@staticmethod", "@cached", "@dataclass", "@override"]),
        "host": lambda d: (
            f"{d.of(['db', 'api', 'mx', 'build', 'gw', 'cache'])}{d.between(1, 9)}.{d.of(words('projects'))}.io"
        ),
        "domain": lambda d: d.of(lines_of("domains.txt")),
    }
