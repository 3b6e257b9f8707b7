"""Files made to mislead near-deduplication, by kind, the same for the same seed.

Each function returns the texts of one kind; what must become of them is in test_deduplicate_adversarial.py. A line of
`code` has seven tokens, four words and three marks, so a share of lines is about the same share of shingles.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Sequence

APACHE = """\
# Copyright {year} {owner}
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""
ISC = """\
# Copyright (c) {year} {owner}
#
# Permission to use, copy, modify, and/or distribute this software for any
# purpose with or without fee is hereby granted, provided that the above
# copyright notice and this permission notice appear in all copies.
#
# THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES
# WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF
# MERCHANTABILITY AND FITNESS.
"""


def code(seed: int, lines: int = 60) -> list[str]:
    """Lines such as `    w17 = w4711(w42, 7);`."""
    draw = random.Random(seed).randrange
    return [f"    w{draw(10_000)} = w{draw(10_000)}(w{draw(10_000)}, {draw(1_000)});" for _ in range(lines)]


def text_of(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"


def header(licence: str, number: int) -> str:
    """The licence's header, with a year and an owner of the file's own."""
    return licence.format(year=1990 + number % 30, owner=f"Owner{number}")


def stamped(count: int, seed: int = 1) -> list[str]:
    """Files of one template that differ in a class's name, which occurs three times, and in a serial number."""
    above, below = code(seed, 20), code(seed + 1, 20)
    return [
        text_of([f"class Unit{n}:", *above, f"    return Unit{n}(other)", *below, f"Unit{n}(serial={100_000 + n})"])
        for n in range(count)
    ]


def crowd(count: int, own: int, seed: int = 2) -> list[str]:
    """Files of 30 lines of which the last `own` are the file's own and the others those of one template."""
    shared = code(seed, 30 - own)
    return [text_of(shared + code(1_000 * seed + number, own)) for number in range(count)]


def windows(count: int, *, ring: bool = False, seed: int = 3) -> list[str]:
    """Windows of 90 lines, each 10 lines on: neighbours have a similarity of 0.8, all others at most 0.64.

    In a ring the last one is the first one's neighbour too.
    """
    base = code(seed, 10 * count + (0 if ring else 80))
    return [text_of((base + base)[10 * number : 10 * number + 90]) for number in range(count)]


def hub_and_spokes(spokes: int, seed: int = 4) -> list[str]:
    """A hub, which each spoke resembles with 0.8, while no two spokes resemble each other (0.67)."""
    hub = code(seed, 80)
    return [text_of(hub), *(text_of(hub + code(2_000 + number, 20)) for number in range(spokes))]


def minified(seed: int, size: int = 200_000) -> str:
    """A library on one line of `size` bytes, its names of two letters."""
    draw = random.Random(seed)
    names = [first + second for first in string.ascii_lowercase for second in string.ascii_uppercase]
    parts: list[str] = []
    length = 0
    while length < size:
        one, two, three, four, five = draw.choices(names, k=5)
        parts.append(f"function {one}({two},{three}){{var {four}={five}({two});return {four}+{draw.randrange(99)}}}")
        length += len(parts[-1])
    return "".join(parts)[:size]


def renamed(text: str, share: float, seed: int = 5) -> str:
    """The text with this share of its names renamed wherever they occur."""
    names = sorted(set(re.findall(r"\b(?:w\d+|[a-z][A-Z])\b", text)))
    chosen = set(random.Random(seed).sample(names, round(share * len(names))))
    return re.sub(r"\w+", lambda match: f"{match[0]}_" if match[0] in chosen else match[0], text)


def lock_file(packages: int, versions: int, bumped: int = 0) -> str:
    """Entries of the same packages; `versions` seeds versions and digests, of which `bumped` are newer."""
    lines = []
    for package in range(packages):
        draw = random.Random(versions * 1_000 + package + (500 if package < bumped else 0))
        version = ".".join(str(draw.randrange(40)) for _ in range(3))
        lines.append(
            f'  "package-{package}": {{"version": "{version}", "integrity": "sha512-{draw.randbytes(32).hex()}"}},'
        )
    return text_of(["{", *lines, "}"])


def records(seed: int, count: int = 60) -> str:
    """JSON records with the same keys in every file."""
    draw = random.Random(seed).randrange
    return text_of(
        [f'{{"id": {draw(10**9)}, "name": "n{draw(10**6)}", "score": 0.{draw(10**6)}}},' for _ in range(count)]
    )


def csv(seed: int, rows: int = 100) -> str:
    draw = random.Random(seed).randrange
    return text_of([f"{row},{draw(10**6)},{draw(10**6)},{draw(100)}.{draw(100)}" for row in range(rows)])


def constants(seed: int, count: int = 400, *, signs: int | None = None) -> str:
    """A C table of numbers; `signs` seeds which of them are negative, none where it is None."""
    draw = random.Random(seed)
    minus = random.Random(signs)
    numbers = [
        f"{'-' if signs is not None and minus.random() < 0.5 else ''}{draw.randrange(10**6)}" for _ in range(count)
    ]
    return "static const int table[] = {\n" + ",\n".join(numbers) + "\n};\n"


def commented(seed: int, every: int) -> str:
    """The same code in every file, with a comment of the file's own after each `every` lines."""
    draw = random.Random(seed).randrange
    lines: list[str] = []
    for number, line in enumerate(code(6), start=1):
        lines.append(line)
        if number % every == 0:
            lines.append(f"    // {' '.join(f'remark{draw(10_000)}' for _ in range(5))}")
    return text_of(lines)
