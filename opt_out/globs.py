"""Path globs of a selector: `*` stays within a folder, `**/` crosses folders, a final `/` stands for all below.

Nothing else is special, since paths hold `[id]`, `?` and `{}` as they are; `\\*`, `\\\\`, `\\[` and `\\#` stand for the
character itself. Where two programs would read a glob differently (`a**b`), it is refused.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

ESCAPED = "*\\[#"
STAR = "*"


class Uncertain(Exception):
    """A glob has no certain meaning; says why, in some words."""


class Piece(NamedTuple):
    """A character of a glob, or a star that stands for many."""

    character: str
    literal: bool


def pieces(glob: str) -> list[Piece]:
    """`glob` with its escapes resolved. Raises Uncertain at a backslash before anything else."""
    found: list[Piece] = []
    characters = iter(glob)
    for character in characters:
        if character == "\\":
            escaped = next(characters, "")
            if not escaped or escaped not in ESCAPED:
                raise Uncertain("a backslash stands before none of * \\ [ #, and folders end in /")
            found.append(Piece(escaped, True))
        else:
            found.append(Piece(character, character != STAR))
    return found


def canonical(glob: str) -> str:
    """The one way to write what `glob` means. Raises Uncertain where that is not one thing."""
    parts = _parts(pieces(glob.removeprefix("/")))
    if not parts or not any(parts):
        raise Uncertain("no path follows the repository's name")
    for number, part in enumerate(parts):
        text, stars = _text(part), [piece for piece in part if not piece.literal]
        if not part and number + 1 < len(parts):
            raise Uncertain("a folder has no name")
        if text in (".", ".."):
            raise Uncertain("'.' and '..' are no names of folders")
        if len(stars) > 1 and _has_double_star(part) and not (len(part) == 2 and len(stars) == 2):
            raise Uncertain("'**' stands beside other characters; between slashes it crosses folders")
    return "/".join("".join(_written(piece) for piece in part) for part in parts)


def is_literal(glob: str) -> bool:
    """Whether a canonical glob names one file."""
    return not glob.endswith("/") and all(piece.literal for piece in pieces(glob))


def literal(glob: str) -> str:
    """The path that a literal glob names."""
    return _text(pieces(glob))


def to_regex(glob: str) -> str:
    """RE2 pattern, without anchors, of the non-empty paths that a canonical glob stands for."""
    parts = _parts(pieces(glob))
    pattern = ""
    for number, part in enumerate(parts):
        last = number + 1 == len(parts)
        if _is_double_star(part):
            pattern += "(?:.+)" if last else "(?:[^/]+/)*"
        elif not part:  # after the slash of a folder
            pattern += ".+"
        else:
            pattern += "".join(re.escape(piece.character) if piece.literal else "[^/]*" for piece in part)
            pattern += "" if last else "/"
    return pattern


def _parts(found: list[Piece]) -> list[list[Piece]]:
    parts: list[list[Piece]] = [[]]
    for piece in found:
        if piece.character == "/":
            parts.append([])
        else:
            parts[-1].append(piece)
    return parts


def _text(part: list[Piece]) -> str:
    return "".join(piece.character for piece in part)


def _is_double_star(part: list[Piece]) -> bool:
    return len(part) == 2 and not any(piece.literal for piece in part)


def _has_double_star(part: list[Piece]) -> bool:
    return any(not one.literal and not two.literal for one, two in pairwise(part))


def _written(piece: Piece) -> str:
    return f"\\{piece.character}" if piece.literal and piece.character in "*\\" else piece.character
