"""From a token classifier's probabilities to spans of a text: whole words, one line, trimmed.

A word is a run of letters and digits; in scripts written without spaces (Han, Kana, Thai, ...) every character is one.
The probabilities of a word are the mean of its tokens', so a span never starts or ends inside a word, whatever pieces
the tokenizer makes. All tokens of a batch are decoded at once, as arrays; Python sees only the spans that are found.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

_SPACELESS = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_EDGES = (
    " \t\r\n,;:!?()[]{}<>\"'`*|/\\=#~\u00a0\u2018\u2019\u201c\u201d\u00ab\u00bb\u3001\u3002\uff0c\uff08\uff09\uff1a"
)
_TITLE = re.compile(
    r"(?:(?:Mr|Mrs|Ms|Miss|Dr|Prof|Sir|Dipl|Ing|Inf|Herr|Frau|Monsieur|Madame|Señor|Señora)\b\.?-?[ \t]*)+",
    re.IGNORECASE,
)
_SECRET = ("PASSWORD", "KEY")  # their punctuation is part of the value
_QUOTES = " \t\r\n\"'`"
_TAIL = re.compile(r"[-.]+\Z")
_JOINED = {  # what belongs to a value before and after a hyphen
    "NAME": (re.compile(r"(?<![\w-])(?:[A-Z]\w*-)+\Z"), re.compile(r"(?:-[A-Z]\w*)+(?![\w-])")),
    "USERNAME": (re.compile(r"(?<![\w-])(?:\w+[-_])+\Z"), re.compile(r"(?:[-_]\w+)+(?![\w-])")),
}
_NAME_TAIL = re.compile(r"(?:['\u2019]s|[-_+@&]+|(?<![A-Z])(?<!Jr)(?<!Sr)\.+)+\Z")  # Ann's; J. stays, and Jr.

_HANDLE = re.compile(
    r"[a-z][A-Za-z0-9_.-]*|[A-Za-z][A-Za-z-]*[0-9_][A-Za-z0-9_.-]*|(?!Mc|Mac|De|Di|La|Le|Van|Von)[A-Z][a-z]+[A-Z][A-Za-z]*"
)
_CONNECTIVE = re.compile(r" (?:in|and|at|from|for|on|with|by|to|is|was) ")
_NOBODY = re.compile(r".*(?<!\b[A-Z])(?<!Jr)(?<!Sr)(?<!St)\. .*|[A-Z]{2,}", re.DOTALL)  # two sentences; a shouted word
_FULL_NAME = re.compile(r"[^\W\d_a-z][^\W\d_]*(?: [^\W\d_]+)+")


class Tokens(NamedTuple):
    """The tokens of many windows, in window order and text order; T tokens, L labels."""

    window: np.ndarray  # int64[T]: the window a token is of
    start: np.ndarray  # int64[T]: first code point, in the joined text
    end: np.ndarray  # int64[T]: code point after its last
    probability: np.ndarray  # float32[T, L]


class Labels(NamedTuple):
    """What a model's labels stand for: entities in order, and which labels begin or continue each."""

    entities: tuple[str, ...]
    begins: np.ndarray  # float32[L, E]: 1 where label l begins entity e
    inside: np.ndarray  # float32[L, E]


class Found(NamedTuple):
    """A span of one window: code points of the joined text."""

    window: int
    start: int
    end: int
    entity: str
    score: float


def spans(text: str, tokens: Tokens, labels: Labels) -> Iterator[Found]:
    """The spans that the tokens' probabilities say, untrimmed, in window and text order.

    `text` is the joined text that the tokens' offsets count in; no span crosses a line's end.
    """
    if not len(tokens.start):
        return
    shape = _shape(text)
    start = shape.next_solid[tokens.start]
    solid = start < tokens.end
    window, start, end = tokens.window[solid], start[solid], tokens.end[solid]
    probability = tokens.probability[solid]
    if not len(start):
        return

    same_window = window[1:] == window[:-1]
    same_word = same_window & (shape.glued[start[1:]] | (start[1:] == start[:-1]))  # bytes of a character share offsets
    first = np.flatnonzero(np.concatenate(([True], ~same_word)))
    counts = np.diff(np.append(first, len(start)))[:, None]
    inside = np.add.reduceat(probability @ (labels.begins + labels.inside), first, axis=0) / counts
    outside = np.clip(1 - inside.sum(axis=1, keepdims=True), 0, 1)
    label = np.argmax(np.concatenate((outside, inside), axis=1), axis=1)  # 0: of no entity
    begins = ((probability[first] @ (labels.begins - labels.inside)) > 0)[np.arange(len(first)), label - 1]
    ends = np.maximum.reduceat(end, first)
    starts, window = start[first], window[first]
    # Between two people stands more than a space; small models at times begin a second one at the family name.
    name = labels.entities.index("NAME") + 1 if "NAME" in labels.entities else -1
    begins[1:] &= (label[1:] != name) | (starts[1:] - ends[:-1] > 1) | shape.is_sign[starts[1:] - 1]

    goes_on = (
        (label[1:] == label[:-1])
        & (window[1:] == window[:-1])
        & (shape.line[starts[1:]] == shape.line[starts[:-1]])
        & ~begins[1:]
    )
    head = np.flatnonzero(np.concatenate(([True], ~goes_on)))
    size = np.diff(np.append(head, len(label)))
    score = np.add.reduceat(inside[np.arange(len(label)), label - 1], head) / size
    tail = head + size - 1
    boundaries = np.flatnonzero(~shape.glued)
    wanted = label[head] > 0
    head, tail, score = head[wanted], tail[wanted], score[wanted]
    low = boundaries[np.searchsorted(boundaries, starts[head], side="right") - 1]
    high = boundaries[np.searchsorted(boundaries, ends[tail], side="left")]
    for number, begin, after, which, value in zip(
        window[head].tolist(), low.tolist(), high.tolist(), label[head].tolist(), score.tolist(), strict=True
    ):
        yield Found(number, begin, after, labels.entities[which - 1], round(value, 4))


class _Shape(NamedTuple):
    """What decoding asks of a text of n code points."""

    glued: np.ndarray  # bool[n + 1]: the character here and the one before are of one word
    next_solid: np.ndarray  # int64[n + 1]: the next position that is not white space
    line: np.ndarray  # int64[n + 1]: line breaks before
    is_sign: np.ndarray  # bool[n]: neither white space nor of a word


def _shape(text: str) -> _Shape:
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    kinds, kind = np.unique(points, return_inverse=True)
    characters = [chr(point) for point in kinds.tolist()]
    is_word = np.array([_is_word(character) for character in characters], dtype=np.bool_)[kind]
    is_space = np.array([character.isspace() for character in characters], dtype=np.bool_)[kind]
    glued = np.concatenate(([False], is_word[1:] & is_word[:-1], [False]))
    position = np.where(is_space, len(points), np.arange(len(points)))
    next_solid = np.append(np.minimum.accumulate(position[::-1])[::-1], len(points))
    line = np.concatenate(([0], np.cumsum(points == 10)))
    return _Shape(glued, next_solid, line, ~(is_word | is_space))


def _is_word(character: str) -> bool:
    """Whether it makes a word with its neighbours: letters, digits and the marks on them."""
    spaced = character.isalnum() or "\u0300" <= character <= "\u036f" or "\u0900" <= character <= "\u0d7f"
    return spaced and not _SPACELESS.match(character)


def trim(text: str, start: int, end: int, entity: str) -> tuple[int, int]:
    """[start, end) as the value alone: without punctuation, titles or a genitive around it, with the other parts of a
    hyphenated name or handle; empty where no letter or digit is left."""
    if entity in _SECRET:
        start, end = _strip(text, start, end, _QUOTES)
    else:
        before = None
        while before != (start, end):
            before = start, end
            if entity in _JOINED:
                start, end = _strip_signs(text, start, end)
            else:
                start, end = _strip(text, start, end, _EDGES)
            value = text[start:end]
            start += len(_leading(value, entity))
            tail = (_NAME_TAIL if entity == "NAME" else _TAIL).search(value)
            end = max(start, end - len(tail[0]) if tail else end)
        if start < end and entity in _JOINED:
            left, right = _JOINED[entity]
            if text[start - 1 : start] in ("-", "_") and (more := left.search(text, max(0, start - 64), start)):
                start = more.start()
            if text[end : end + 1] in ("-", "_") and (more := right.match(text, end, end + 64)):
                end = more.end()
    if entity == "NAME":
        cut = _CONNECTIVE.search(text, start, end)
        end = cut.start() if cut else end
        if _NOBODY.fullmatch(text, start, end):
            return start, start
    return (start, end) if any(character.isalnum() for character in text[start:end]) else (start, start)


def _strip(text: str, start: int, end: int, edges: str) -> tuple[int, int]:
    value = text[start:end]
    kept = value.strip(edges)
    start += len(value) - len(value.lstrip(edges)) if kept else 0
    return start, start + len(kept)


def _strip_signs(text: str, start: int, end: int) -> tuple[int, int]:
    """Without what is neither letter nor digit nor a mark on one, but for `_`, and for `.` at the end."""
    while start < end and not (_is_letter(text[start]) or text[start] == "_"):
        start += 1
    while start < end and not (_is_letter(text[end - 1]) or text[end - 1] in "_."):
        end -= 1
    return start, end


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM" and not "\ufe00" <= character <= "\ufe0f"


def _leading(value: str, entity: str) -> str:
    """What goes before a value: a title, the @ of a handle, dots and dashes."""
    if entity == "NAME" and (title := _TITLE.match(value)):
        return title[0]
    match = re.match(r"[-.@+&_]+" if entity in _JOINED else r"\.+", value)
    return match[0] if match else ""


def kind(value: str, entity: str) -> str:
    """NAME or USERNAME by the value's own form where it tells: one word in small letters, or with signs or digits, is a
    handle; capitalised words with a space between are a name. `entity` otherwise."""
    if entity == "NAME" and _HANDLE.fullmatch(value):
        return "USERNAME"
    return "NAME" if entity == "USERNAME" and _FULL_NAME.fullmatch(value) else entity
