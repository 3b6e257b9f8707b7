"""Synthetic training data of the NER model: people, accounts and secrets set into real code, and what looks like them.

A document is a filled template (a comment in the style of a language, or lines of a file as they are) between lines of
a real package. Half of the templates hold nothing to find. An example is what the candidate scan cuts out of a
document, as the model gets it; some documents stay whole. `train` and `dev` share no template, no name and no package.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa

from pii.ner import candidates, carriers, negatives, templates
from pii.ner.fillers import Fillers
from pii.ner.names import Split
from pii.ner.templates import Filled, Template
from pii.windows import SEPARATOR

_NEGATIVE = 0.5  # share of documents made of a template without entities
_WHOLE = 0.1  # share of documents that are not cut
_REAL = 0.25  # windows of real code that name nobody, by examples of a document
_BATCH = 256  # documents that are scanned together


class Example(NamedTuple):
    """A window of text, and (start, end, entity) of what it holds, in code points."""

    text: str
    spans: tuple[tuple[int, int, str], ...]


class Style(NamedTuple):
    """A language's comment: what stands before and after all and each line, and the suffixes of code around it."""

    first: str
    prefix: str
    suffix: str
    last: str
    carriers: tuple[str, ...]


_C = ("c", "h", "cc", "cpp", "hpp", "js", "ts", "cu", "cuh")
_PY = ("py", "pyx", "pyi", "pxd")
_STYLES = (
    (16, Style("", "# ", "", "", (*_PY, "yaml", "yml", "toml", "cfg", "cmake", "sh"))),
    (12, Style("/*\n", " * ", "", "\n */", (*_C, "css"))),
    (8, Style("/**\n", " * ", "", "\n */", _C)),
    (12, Style("", "// ", "", "", _C)),
    (3, Style("/* ", "", "", " */", (*_C, "css"))),
    (3, Style("/*! ", " * ", "", " */", ("js", "css"))),
    (2, Style("/*\n", "   ", "", "\n*/", _C)),
    (2, Style("", "/// ", "", "", _C)),
    (2, Style("", "//! ", "", "", _C)),
    (2, Style("/* ", "** ", "", "\n*/", _C)),
    (2, Style("", "/* ", " */", "", _C)),
    (2, Style("", "//  ", "", "", _C)),
    (4, Style('"""\n', "", "", '\n"""', _PY)),
    (3, Style('    """', "    ", "", '\n    """', _PY)),
    (2, Style("", "    # ", "", "", _PY)),
    (2, Style("", "    // ", "", "", _C)),
    (2, Style("", "\t// ", "", "", ("go", "js", "c"))),
    (2, Style("", "## ", "", "", ("sh", "cmake", "py"))),
    (2, Style("", "-- ", "", "", ("sql", ""))),
    (1, Style("{- ", "   ", "", "\n-}", ("",))),
    (1, Style("--[[\n", "", "", "\n]]", ("",))),
    (2, Style("", ";; ", "", "", ("",))),
    (1, Style("", "; ", "", "", ("ini", "cfg", ""))),
    (2, Style("", "% ", "", "", ("",))),
    (1, Style("", "%% ", "", "", ("",))),
    (2, Style("<!-- ", "  ", "", " -->", ("html", "xml", "xsl"))),
    (1, Style("<!--\n", "", "", "\n-->", ("html", "md", "xml"))),
    (1, Style("", "! ", "", "", ("f90",))),
    (1, Style("", "C     ", "", "", ("f",))),
    (1, Style("", "' ", "", "", ("",))),
    (1, Style("", "REM ", "", "", ("bat", ""))),
    (1, Style("", '" ', "", "", ("",))),
    (1, Style("(* ", "   ", "", " *)", ("",))),
    (1, Style("", "(* ", " *)", "", ("",))),
    (1, Style("=begin\n", "", "", "\n=end", ("",))),
    (1, Style("", '.\\" ', "", "", ("",))),
    (1, Style("", "dnl ", "", "", ("",))),
    (1, Style("", "#' ", "", "", ("",))),
    (1, Style("{# ", "   ", "", " #}", ("jinja", "j2", "html"))),
    (1, Style("<#\n", "  ", "", "\n#>", ("ps1", ""))),
    (1, Style("", "@c ", "", "", ("",))),
    (1, Style("", "*> ", "", "", ("f", ""))),
    (1, Style("", "|| ", "", "", ("",))),
    (3, Style("", "", "", "", ("txt", "md", "rst", ""))),
)
_ANY = (*_PY, *_C, "json", "yaml", "md", "rst", "txt", "html", "xml", "po", "csv", "cfg", "sql", "toml", "f90", "")


def examples(seed: int, split: Split) -> Iterator[Example]:
    """Endless examples, the same ones for a seed and split (and the same installed packages)."""
    rng = random.Random(f"{split} {seed}")
    harmless = negatives.windows(split)
    for batch in _batches(rng, split):
        yield from (Example(text, ()) for text in rng.sample(harmless, min(len(harmless), int(_REAL * _BATCH))))
        yield from _cut([document for document in batch if rng.random() >= _WHOLE])
        for text, spans in batch[:: round(1 / _WHOLE)]:
            yield Example(text, tuple(spans))


def documents(seed: int, split: Split) -> Iterator[Filled]:
    """Endless whole documents: what the scan's recall is measured on."""
    for batch in _batches(random.Random(f"{split} {seed}"), split):
        yield from batch


def _batches(rng: random.Random, split: Split) -> Iterator[list[Filled]]:
    writer = _Writer(split)
    while True:
        yield [writer.document(rng) for _ in range(_BATCH)]


def _cut(batch: list[Filled]) -> Iterator[Example]:
    """The windows of documents; one that cuts an entity in two is left out."""
    found = candidates.find(pa.array([document.text for document in batch], pa.string()))
    ends = [*(found.starts[1:] - len(SEPARATOR)), len(found.text) - len(SEPARATOR)]
    for row, start, end, origin in zip(
        found.rows.tolist(), found.starts.tolist(), ends, found.origins.tolist(), strict=True
    ):
        text = found.text[start : int(end)]
        last = origin + len(text)
        inside = [span for span in batch[row].spans if span[0] < last and span[1] > origin]
        if all(origin <= first and stop <= last for first, stop, _ in inside):
            yield Example(text, tuple((first - origin, stop - origin, entity) for first, stop, entity in inside))


class _Writer:
    """Writes documents of one split."""

    def __init__(self, split: Split) -> None:
        self.fillers = Fillers(split)
        slots = self.fillers.slots
        self.kinds = [self._kind(templates.load(name, split, slots)) for name in ("comments", "lines")]
        self.carriers = carriers.lines(split)
        self.suffixes = sorted(self.carriers)
        self.styles = [style for _, style in _STYLES]
        self.weights = [weight for weight, _ in _STYLES]

    @staticmethod
    def _kind(listed: list[Template]) -> tuple[list[Template], list[Template]]:
        return [t for t in listed if not t.labelled], [t for t in listed if t.labelled]

    def document(self, rng: random.Random) -> Filled:
        """Code, a filled template or two, code."""
        comment = rng.random() < 0.55
        style = rng.choices(self.styles, self.weights)[0] if comment else Style("", "", "", "", _ANY)
        body = self._body(rng, comment, style)
        around = rng.choice(style.carriers)
        before, after = self._code(rng, around), self._code(rng, around)
        if body.text.count("\n") == 0 and comment and not style.first and rng.random() < 0.12 and before:
            before = before.rstrip("\n") + "  "  # at the end of a line of code
        return _place(before, body, after)

    def _body(self, rng: random.Random, comment: bool, style: Style) -> Filled:
        negative, positive = self.kinds[0 if comment else 1]
        filled = None
        for _ in range(rng.choice((1, 1, 1, 2))):
            self.fillers.current = None
            template = rng.choice(negative if rng.random() < _NEGATIVE else positive)
            one = templates.fill(template, self.fillers.slots, rng)
            filled = one if filled is None else _place(filled.text + "\n", one, "", filled.spans)
        assert filled is not None
        return _dress(filled, style) if comment else filled

    def _code(self, rng: random.Random, suffix: str) -> str:
        """No line to four of a package, the run they are from chosen at random."""
        count = rng.choice((0, 0, 1, 2, 3, 4))
        runs = self.carriers.get(suffix) or self.carriers[rng.choice(self.suffixes)]
        if not count:
            return ""
        run = rng.choice(runs)
        first = rng.randrange(max(1, len(run) - count + 1))
        return "\n".join(run[first : first + count]) + "\n"


def _place(before: str, filled: Filled, after: str, earlier: list[tuple[int, int, str]] | None = None) -> Filled:
    """`filled` between two texts, on lines of its own."""
    shift = len(before)
    spans = [(start + shift, end + shift, entity) for start, end, entity in filled.spans]
    return Filled(before + filled.text + ("\n" + after if after else ""), [*(earlier or []), *spans])


def _dress(filled: Filled, style: Style) -> Filled:
    """A text as a comment of a language."""
    lines = filled.text.split("\n")
    starts, written, position, read = [], [style.first], len(style.first), 0
    for number, line in enumerate(lines):
        prefix = "" if number == 0 and style.first.endswith((" ", '"')) else style.prefix
        starts.append((read, position + len(prefix)))
        piece = prefix + line + style.suffix + ("\n" if number < len(lines) - 1 else "")
        written.append(piece)
        position += len(piece)
        read += len(line) + 1
    spans = []
    for start, end, entity in filled.spans:
        origin, place = max(pair for pair in starts if pair[0] <= start)
        spans.append((start - origin + place, end - origin + place, entity))
    return Filled("".join([*written, style.last]), spans)
