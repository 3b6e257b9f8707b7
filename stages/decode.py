"""Decodes blobs to text: UTF-8 in one sweep over a batch, byte order marks, then charset-normalizer for what is left.

A byte order mark is removed; everything else stays as it is, line ends (CRLF) included. A blob with a NUL is binary, as
git has it, unless a mark says UTF-16 or UTF-32. Detection looks at the first lines that are not ASCII, some KB at most,
so that its time is bounded; the whole blob must then decode strictly with what was found.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
from charset_normalizer import from_bytes

SAMPLE_BYTES = 4096
RUN = 64  # blobs that are validated at once
# UTF-32's little-endian mark begins with UTF-16's, so the longer ones come first.
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What source code is found in besides UTF-8, the most frequent first: that decides between guesses that fit equally.
# Code pages that differ from these in a few letters are left out: on short samples they win by accident.
CANDIDATES = [
    "cp1252", "cp1251", "cp932", "euc_jp", "gb18030", "cp949", "big5", "koi8_r", "cp1250", "cp866", "cp437", "cp850",
    "mac_roman", "cp1253", "cp1255", "cp1256", "cp874", "latin_1",
]  # fmt: skip

_HIGH = re.compile(rb"[\x80-\xff]")
_UP_TO_PUNCTUATION = re.compile(rb".*[\x00-\x2f]", re.DOTALL)


class Decoded(NamedTuple):
    """Text and the codec it was decoded with; or the reason why there is none, `binary` or `undecodable`."""

    text: str | None
    encoding: str | None
    reason: str | None


def decode_batch(blobs: Sequence[bytes]) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Text, encoding and reason (see Decoded) of each blob, string arrays. Equal to `decode` on each."""
    parts = [_decode_run(blobs[start : start + RUN]) for start in range(0, len(blobs), RUN)] or [_decode_run([])]
    text, encoding, reason = (pa.concat_arrays([part[place] for part in parts]) for place in range(3))
    return text, encoding, reason


def _decode_run(blobs: Sequence[bytes]) -> tuple[pa.Array, pa.Array, pa.Array]:
    """A few blobs: all at once where all are plain UTF-8, else one by one."""
    marks = tuple(mark for mark, _ in MARKS)
    if not any(blob.startswith(marks) or b"\0" in blob for blob in blobs):
        try:
            text = pa.array(blobs, pa.binary()).cast(pa.string())
            return text, pa.array(["utf-8"] * len(blobs), pa.string()), pa.nulls(len(blobs), pa.string())
        except pa.ArrowInvalid:
            pass  # at least one is not UTF-8
    decoded = [decode(blob) for blob in blobs]
    texts, encodings, reasons = ([each[place] for each in decoded] for place in range(3))
    return pa.array(texts, pa.string()), pa.array(encodings, pa.string()), pa.array(reasons, pa.string())


def decode(data: bytes) -> Decoded:
    """Decode one blob."""
    for mark, encoding in MARKS:
        if data.startswith(mark):
            text = _strictly(data, encoding)
            if text is not None:
                return Decoded(None, None, "binary") if "\0" in text else Decoded(text, encoding, None)
    if b"\0" in data:
        return Decoded(None, None, "binary")
    text = _strictly(data, "utf-8")
    if text is not None:
        return Decoded(text, "utf-8", None)
    for encoding in _guesses(_sample(data)):
        text = _strictly(data, encoding)
        if text is not None:
            return Decoded(text, encoding, None)
    return Decoded(None, None, "undecodable")


def _guesses(sample: bytes) -> list[str]:
    """Encodings the sample may be in, the most plausible first."""
    matches = from_bytes(sample, cp_isolation=CANDIDATES, preemptive_behaviour=False)
    ranked = [
        (match.chaos, -match.coherence, CANDIDATES.index(encoding), encoding)
        for match in matches
        for encoding in match.could_be_from_charset
    ]
    return [encoding for *_, encoding in sorted(ranked)]


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _sample(data: bytes) -> bytes:
    """The first lines with bytes that are not ASCII (the others tell nothing), at most SAMPLE_BYTES of them."""
    sample, at = b"", 0
    while len(sample) < SAMPLE_BYTES and (match := _HIGH.search(data, at)):
        start = max(at, data.rfind(b"\n", at, match.start()) + 1)
        start = max(start, match.start() - SAMPLE_BYTES // 4)
        at = data.find(b"\n", match.start()) + 1 or len(data)
        sample += data[start : min(at, start + SAMPLE_BYTES)]
    if len(sample) > SAMPLE_BYTES or not sample.endswith(b"\n"):
        # Cut where no character of several bytes is cut: bytes below 0x30 are no part of one in any encoding.
        cut = _UP_TO_PUNCTUATION.match(sample[:SAMPLE_BYTES])
        sample = cut[0] if cut and _HIGH.search(cut[0]) else sample[:SAMPLE_BYTES]
    return sample
