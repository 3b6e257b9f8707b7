"""The table of comment syntaxes (comment_syntax.yaml) as the arrays that the kernel walks through."""

from __future__ import annotations

import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from stages import comment_kernel as kernel

TABLE = Path(__file__).with_name("comment_syntax.yaml")

DELIMITER = "…"  # stands in `begin` and `end` for the delimiter, which must be the same in both

_KINDS = {
    "comment": kernel.COMMENT,
    "string": kernel.STRING,
    "docstring": kernel.DOCSTRING,
    "character": kernel.CHARACTER,
    "skip": kernel.SKIP,
    "open": kernel.OPEN,
    "close": kernel.CLOSE,
}
_PLACES = {
    "anywhere": kernel.ANYWHERE,
    "line": kernel.LINE,
    "indent": kernel.INDENT,
    "space": kernel.SPACE,
    "name": kernel.NAME,
    "operand": kernel.OPERAND,
}
_DELIMITERS = {
    "word": string.ascii_letters + string.digits + "_",
    "capitals": string.ascii_uppercase + string.digits + "_",
}


class Tables(NamedTuple):
    """What the kernel's `comment_characters` is given, in its order."""

    first: np.ndarray  # int16[syntaxes, 256]: the first rule that begins with a byte
    rules: np.ndarray  # kernel.RULE[rules]; `next` is the next rule that begins with the same byte
    pool: np.ndarray  # uint8: all texts
    delimiters: np.ndarray  # bool[sets, 256]: the bytes a delimiter may have


class Syntaxes(NamedTuple):
    """The whole table."""

    names: Mapping[str, int]  # language -> its row of `tables.first`
    tables: Tables


def rules_by_language() -> dict[str, list[dict[str, Any]]]:
    """The rules of each language as the file spells them, with one `begin` each, the longest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for group in yaml.safe_load(TABLE.read_text(encoding="utf-8")):
        rules = [
            {"kind": kind, **rule, "begin": begin}
            for kind in _KINDS
            for rule in group.get(kind, ())
            for begin in ([rule["begin"]] if isinstance(rule["begin"], str) else rule["begin"])
        ]
        rules.sort(key=lambda rule: -len(rule["begin"].split(DELIMITER)[0].encode()))
        found.update(dict.fromkeys(group["languages"], rules))
    return found


def load() -> Syntaxes:
    """Read the table; 0.2 s, so a worker keeps it."""
    pool = bytearray()
    compiled: list[tuple[Any, ...]] = []
    sets: dict[str, int] = {}

    def text(value: str) -> tuple[int, int]:
        start = len(pool)
        pool.extend(value.encode())
        return start, len(pool) - start

    names: dict[str, int] = {}
    rows: dict[int, int] = {}  # a list of rules that languages share -> its row
    first: list[np.ndarray] = []
    for language, rules in rules_by_language().items():
        if id(rules) not in rows:
            rows[id(rules)] = len(first)
            first.append(np.full(256, kernel.NO_RULE, np.int16))
            for rule in reversed(rules):  # each is put before those that begin with the same byte
                begin, delimited, middle = rule["begin"].partition(DELIMITER)
                end, _, tail = rule.get("end", "").partition(DELIMITER)
                chosen = rule.get("delimiter", "word")
                byte = begin.encode()[0]
                values = {
                    "kind": _KINDS[rule["kind"]],
                    "at": _PLACES[rule.get("at", "anywhere")],
                    "end_at": _PLACES[rule.get("end_at", "anywhere")],
                    "delimiter": sets.setdefault(chosen, len(sets)) if delimited else -1,
                    "least": int(chosen in _DELIMITERS),
                    "escape": ord(rule.get("escape", "\xff")),  # a byte that UTF-8 never has
                    "skip": rule.get("skip", 0),
                    "next": first[-1][byte],
                    "lines": rule.get("lines", rule["kind"] == "comment" and "end" in rule),
                    "nests": rule.get("nests", False),
                    "classes": rule.get("classes", False),
                    "doubled": rule.get("doubled", False),
                }
                after = "".join(f"\0{word}" for word in rule.get("after", ())) + "\0"
                for name, value in zip(kernel.TEXTS, (begin, middle, end, tail, after), strict=True):
                    values[f"{name}_start"], values[f"{name}_size"] = text(value)
                first[-1][byte] = len(compiled)
                compiled.append(tuple(values[name] for name in kernel.RULE.names or ()))
        names[language] = rows[id(rules)]
    delimiters = np.zeros((len(sets), 256), np.bool_)
    for chosen, number in sets.items():
        delimiters[number, list(_DELIMITERS.get(chosen, chosen).encode())] = True
    tables = Tables(np.array(first), np.array(compiled, kernel.RULE), np.frombuffer(bytes(pool), np.uint8), delimiters)
    return Syntaxes(names, tables)
