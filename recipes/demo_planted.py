"""The demo's planted cases: small made-up repositories that hold what a pipeline must get right.

Everything personal or secret in them is made up, and put together here so that no scanner takes it for real.
"""

from __future__ import annotations

import base64
import hashlib
import json
import string
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple


class File(NamedTuple):
    """A tree entry: its bytes (a symlink's target, a submodule's commit) and git's mode."""

    data: bytes
    mode: str = "100644"


Tree = Mapping[str, File]


def text_file(text: str) -> File:
    return File(text.encode())


def license_text(key: str) -> File:
    """A licence's text as ScanCode carries it, below the front matter of its file."""
    name = f"licensedcode/data/licenses/{key}.LICENSE"
    path = Path(str(distribution("scancode-toolkit").locate_file(name)))
    return text_file(path.read_text(encoding="utf-8").split("---\n", 2)[2].lstrip("\n"))


def mit(holder: str) -> File:
    return File(f"MIT License\n\nCopyright (c) 2023 {holder}\n\n".encode() + license_text("mit").data)


def tool(verb: str) -> dict[str, File]:
    """A little program of its own, in Python and C; its words come from `verb`, so that no two are near-copies."""
    python = [f'"""How to {verb} things."""\n']
    for number, noun in enumerate(("gear", "lever", "spring", "wheel")):
        python.append(
            f"\ndef {verb}_{noun}({noun}s, {verb}_limit={number + 3}):\n"
            f'    """{verb.capitalize()} at most {verb}_limit {noun}s and return those that took it."""\n'
            f"    {verb}d_{noun}s = []\n"
            f"    for {noun} in {noun}s[:{verb}_limit]:\n"
            f"        if {noun}.can_{verb}():\n"
            f"            {verb}d_{noun}s.append({noun}.{verb}(force={number * 7 + len(verb)}))\n"
            f"    return {verb}d_{noun}s\n"
        )
    c = (
        f"#include <stddef.h>\n\n/* The largest force that {verb}_all may use. */\n"
        f"static int {verb}_force(const int *{verb}_parts, size_t n)\n{{\n    int most = {len(verb)};\n"
        f"    for (size_t i = 0; i < n; i++)\n        if ({verb}_parts[i] > most)\n"
        f"            most = {verb}_parts[i];\n    return most;\n}}\n"
    )
    readme = f"# {verb}\n\nA program to {verb} gears, levers, springs and wheels.\n"
    return {"README.md": text_file(readme), f"{verb}.py": text_file("\n".join(python)), f"src/{verb}.c": text_file(c)}


def _made_up(name: str, length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    """Characters that look random and are the same for the same name."""
    return "".join(alphabet[byte % len(alphabet)] for byte in hashlib.shake_256(name.encode()).digest(length))


def personal_data() -> dict[str, File]:
    """Values that recognizers must find, and some that they must leave alone; put together here from harmless parts."""
    mail, host = "maria.gonzalez" + "@northwind-orchards.com", "93.184." + "216.34"
    aws = "AK" + "IA" + _made_up("aws", 16, string.ascii_uppercase + "234567")
    github = "gh" + "p_" + _made_up("github", 36)
    key = base64.b64encode(hashlib.shake_256(b"pem").digest(1190)).decode()
    lines = "\n".join(key[start : start + 64] for start in range(0, len(key), 64))
    begin, end = ("-----" + word + " RSA PRIVATE " + "KEY-----" for word in ("BEGIN", "END"))
    client = f'''"""Sends orders to the warehouse.

Author: Maria Gonzalez <{mail}>
"""

SERVER = "{host}"
SERVER_V6 = "2606:2800:220:1:248:1893:25c8:1946"
LOCAL = "127.0.0.1"
ROUTER = "192.168.0.1"
NAME_SERVER = "8.8.8.8"
VERSION = "2.10.4.1"
SUPPORT = "support@example.com"


def order(session, item, contact="{mail}"):
    """Order one item; the answer goes to the contact."""
    return session.post(f"https://{{SERVER}}/orders", json={{"item": item, "contact": contact}})
'''
    settings = f'''"""Settings that should never have been committed."""

aws_access_key_id = "{aws}"
aws_secret_access_key = "{_made_up("aws secret", 40)}"
GITHUB_TOKEN = "{github}"
password = "{_made_up("password", 14)}"
commit = "{hashlib.sha1(b"commit", usedforsecurity=False).hexdigest()}"
'''
    authors = f"# Authors\n\n- Maria Gonzalez, {mail}\n- Jonas Lindqvist, jonas.lindqvist" + "@northwind-orchards.com\n"
    return {
        "LICENSE": mit("Northwind Orchards"),
        "AUTHORS.md": text_file(authors),
        "client.py": text_file(client),
        "settings.py": text_file(settings),
        "deploy/id_rsa.pem": text_file(f"{begin}\n{lines}\n{end}\n"),
        "deploy/key.py": text_file(f'"""The key that signs releases."""\n\nKEY = """{begin}\n{lines}\n{end}\n"""\n'),
    }


BENCHMARK = (
    {
        "task_id": "demo/0",
        "prompt": "Given the heights of the terraces of a hillside, return how many litres of rain stay on them.",
        "canonical_solution": """\
def standing_rain(heights):
    highest_left, highest_right = [], []
    for height in heights:
        highest_left.append(max(height, highest_left[-1] if highest_left else height))
    for height in reversed(heights):
        highest_right.append(max(height, highest_right[-1] if highest_right else height))
    bounds = zip(highest_left, reversed(highest_right))
    return sum(min(left, right) - height for (left, right), height in zip(bounds, heights))
""",
    },
    {
        "task_id": "demo/1",
        "prompt": "Find the shortest word of a sentence that is no palindrome; of equally short ones, the last.",
        "canonical_solution": """\
def shortest_plain_word(sentence):
    candidates = [word for word in sentence.split() if word.lower() != word.lower()[::-1]]
    return min(reversed(candidates), key=len, default=None)
""",
    },
)


def puzzles() -> dict[str, File]:
    """A repository that holds a problem of the demo's benchmark, differently set, and a README in French."""
    solution = BENCHMARK[0]["canonical_solution"].replace("    ", "\t").replace("\n", "\r\n")
    french = """\
# Boîte à outils

Cette bibliothèque rassemble de petits outils pour le traitement des mesures. Elle est écrite en Python et ne dépend
d'aucune autre bibliothèque. Pour l'installer, il suffit de copier le dossier dans votre projet et de lire les exemples.

## Utilisation

Chaque fonction prend une liste de nombres et renvoie une valeur. Les erreurs sont signalées par des exceptions, dont le
message explique ce qui ne va pas et comment y remédier. N'hésitez pas à proposer des améliorations.
"""
    return {
        "LICENSE": mit("Acme"),
        **tool("solve"),
        "rain.py": text_file(
            f'"""Notes from a job interview."""\r\n\r\nimport sys\r\n\r\n\r\n{solution}\r\nprint(sys.argv)'
        ),
        "LISEZMOI.md": text_file(french),
    }


def oddities() -> dict[str, File]:
    """Files that are not plain UTF-8 source: what a reader of real repositories meets sooner or later."""
    comment = "# Größe in Metern, für Übersetzer: größer heißt schöner.\n"

    def source(verb: str) -> str:
        return comment + tool(verb)[f"{verb}.py"].data.decode()

    blob = base64.b64encode(hashlib.shake_256(b"blob").digest(24_000)).decode()
    minified = "".join(f"function f{number}(a,b){{return a*{number}+b}}" for number in range(120))
    readings = [{"id": number, "reading": number * number % 9973, "unit": "mm"} for number in range(50_000)]
    html = "<!DOCTYPE html>\n<html><head><title>Go</title></head><body>\n{}<p>Go on</p>\n</body></html>\n"
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256().hexdigest()}\nsize 734003200\n"
    return {
        "LICENSE": mit("Acme"),
        "src/measure.py": text_file(source("measure")),
        "src/link.py": File(b"measure.py", "120000"),
        "src/crlf.py": text_file(source("weigh").replace("\n", "\r\n")),
        "src/latin1.py": File(f"# -*- coding: latin-1 -*-\n{source('stretch')}".encode("latin-1")),
        "src/bom.py": File(source("rotate").encode("utf-8-sig")),
        "src/größe.py": text_file(source("bend")),
        "src/caf\udce9.py": text_file(source("hammer")),  # a path that is no UTF-8: the byte E9
        "src/empty.py": text_file(""),
        "include/config.h": text_file(
            "/* This file is auto-generated by configure. Do not edit. */\n#define HAVE_LEVER 1\n"
        ),
        "web/app.min.js": text_file(minified),
        "web/index.html": text_file(html.format('<div class="column"><span class="spacer"></span></div>\n' * 40)),
        "data/blob.py": text_file(f'DATA = """{blob}"""\n'),
        "data/readings.json": text_file(json.dumps(readings) + "\n"),
        "data/model.bin": text_file(pointer),
        "vendor/library": File(hashlib.sha1(b"library", usedforsecurity=False).hexdigest().encode(), "160000"),
    }
