"""Any token classifier of the Hugging Face format, as a finder of personal information: one code path for all.

The bundled model, a path and a name in the local Hub cache are loaded alike, by AutoTokenizer and
AutoModelForTokenClassification; nothing is downloaded. Results depend on a text alone, not on its neighbours: a window
is padded to one of a few lengths and runs in a batch of one of a few shapes, which the sums of a row do not depend on,
on one thread. Equal texts are read once, short ones once for many calls: licence headers come again and again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pii.ner import credit, evidence
from pii.ner.decode import Found, Labels, Tokens, kind, spans, trim
from pipeline.errors import UsageError

if TYPE_CHECKING:
    import torch

BUNDLED = "bundled"
NEVER = 2.0  # a score that none has
ENTITIES = ("NAME", "EMAIL", "IP_ADDRESS", "USERNAME", "PASSWORD", "KEY")
LONGEST = 512  # tokens a window, where the model reads more
PIECE = 8192  # code points a tokenizer gets at once; a longer text comes in pieces that overlap by OVERLAP
OVERLAP = 512
LENGTHS = (16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 384, 512)  # what windows are padded to
BATCH = 2048  # tokens a batch, or one window
AT_ONCE = 1 << 20  # code points that are tokenized and decoded together
KEPT = 1 << 15  # texts whose spans are remembered, each of at most KEPT_LENGTH code points
KEPT_LENGTH = 512


Spanned = tuple[int, int, str, float]  # start, end, entity, score


class _Piece(NamedTuple):
    """A stretch of a text that is tokenized at once; what begins in [first, last) of the text it has to say."""

    number: int  # of the text
    origin: int  # code points of the text before it
    text: str
    first: int
    last: int


class _Window(NamedTuple):
    """What the model reads at once: a run of a piece's tokens."""

    piece: int
    ids: np.ndarray  # int64[n]
    offsets: np.ndarray  # int64[n, 2], code points of the piece
    is_text: np.ndarray  # bool[n]: not a special token


class NerModel:
    """A loaded model: `find` gives the personal information in texts."""

    def __init__(self, model: Any, tokenizer: Any, labels: Labels, device: str) -> None:
        self.model, self.tokenizer, self.labels, self.device = model, tokenizer, labels, device
        # Two tokens fewer than the positions: RoBERTa's kind counts from 2.
        self.limit = min(
            tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", LONGEST + 2) - 2, LONGEST
        )
        self.thresholds: Mapping[str, float] = getattr(model.config, "thresholds", None) or {}
        self.kept: OrderedDict[str, list[Spanned]] = OrderedDict()  # what short texts hold, the latest last

    @classmethod
    def load(
        cls, name_or_path: str = BUNDLED, labels: Mapping[str, str] | None = None, device: str = "auto"
    ) -> NerModel:
        """The model at a path, by its name in the local Hub cache, or the bundled one.

        `labels` says which of our entities the model's own stand for ({"PER": "NAME"}); our names stand for themselves.
        `device`: "cpu", "cuda", or "auto" for a GPU where there is one. A processor that multiplies bfloat16 natively
        does so; all else is float32. UsageError where there is no such model.
        """
        import torch
        from transformers import AutoModelForTokenClassification, AutoTokenizer
        from transformers.utils import logging as say

        place = str(files("pii.ner") / "bundled") if name_or_path == BUNDLED else name_or_path
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            raise UsageError(
                f"the NER model cannot run on '{device}' ({_first_line(error)}): give cpu or auto"
            ) from None
        had_bars = say.is_progress_bar_enabled()
        say.disable_progress_bar()  # standard error is for what a user has to know
        try:
            tokenizer = AutoTokenizer.from_pretrained(place, local_files_only=True)
            model, report = AutoModelForTokenClassification.from_pretrained(
                place, local_files_only=True, dtype=_dtype(device), output_loading_info=True
            )
            model = model.to(device).eval()
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
            raise UsageError(
                f"the NER model {name_or_path} cannot be loaded ({_first_line(error)}): give the "
                f"folder of a token classifier, or fetch it with `hf download {name_or_path}` (Quarry downloads none)"
            ) from error
        finally:
            if had_bars:
                say.enable_progress_bar()
        if report["missing_keys"]:
            raise UsageError(
                f"the NER model {name_or_path} has no trained weights for {sorted(report['missing_keys'])[0]}: "
                "give a model that was trained to classify tokens"
            )
        if not tokenizer.is_fast:
            raise UsageError(f"the tokenizer of {name_or_path} gives no offsets: give a model with a tokenizer.json")
        return cls.of(model, tokenizer, device, labels, name_or_path)

    @classmethod
    def of(
        cls, model: Any, tokenizer: Any, device: str, labels: Mapping[str, str] | None = None, name: str = "given"
    ) -> NerModel:
        """A model of transformers that is in memory already, on `device`."""
        return cls(model, tokenizer, _labels(model.config.id2label, labels or {}, name), device)

    @property
    def entities(self) -> tuple[str, ...]:
        """What the model can find."""
        return self.labels.entities

    def find(self, texts: Sequence[str]) -> list[list[Spanned]]:
        """(start, end, entity, score) of what each text holds, in text order, none overlapping; code points.

        A score is the mean probability over the span's words, to four digits.
        """
        found: dict[str, list[Spanned]] = {}
        for text in dict.fromkeys(texts):
            if text in self.kept:
                self.kept.move_to_end(text)
                found[text] = self.kept[text]
        unread = [text for text in dict.fromkeys(texts) if text not in found]
        for text, its in zip(unread, self._find(unread), strict=True):
            found[text] = its
            if len(text) <= KEPT_LENGTH:
                self.kept[text] = its
        while len(self.kept) > KEPT:
            self.kept.popitem(last=False)
        return [list(found[text]) for text in texts]

    def _find(self, texts: Sequence[str]) -> list[list[Spanned]]:
        """As find, for texts that differ."""
        found: list[list[Spanned]] = [[] for _ in texts]
        for pieces in _together(_pieces(texts)):
            for number, start, end, entity, score in self._read(pieces):
                start, end = trim(pieces[number].text, start, end, entity)
                form = kind(pieces[number].text[start:end], entity)
                entity = form if form in self.entities else entity
                bare = start, end
                start, end = start + pieces[number].origin, end + pieces[number].origin
                of_text = found[pieces[number].number]
                owned = pieces[number].first <= start < pieces[number].last
                sure = score >= self._needed(entity, pieces[number].text, *bare)
                if start < end and owned and sure and not (of_text and start < of_text[-1][1]):
                    of_text.append((start, end, entity, score))
        return found

    def _needed(self, entity: str, text: str, start: int, end: int) -> float:
        """The score from which what stands in a text counts."""
        threshold = self.thresholds.get(entity, 0)
        if entity == "NAME" and threshold:
            before, after = text[max(0, start - credit.BEFORE) : start], text[end : end + credit.AFTER]
            return evidence.needed(text[start:end], threshold, before, after)
        return NEVER if entity == "USERNAME" and threshold and not evidence.is_account(text, start, end) else threshold

    def _least(self, entity: str) -> float:
        """The score below which no value of an entity counts."""
        return self.thresholds.get(entity, 0) - (evidence.MOST_LESS if entity == "NAME" else 0)

    def _read(self, pieces: Sequence[_Piece]) -> list[Found]:
        """What each piece holds; a span's window is the piece's number, its offsets are the piece's."""
        windows, first, last = self._windows(pieces)
        if not windows:
            return []
        lengths = [len(piece.text) + 1 for piece in pieces]  # a line break between pieces
        base = np.cumsum([0, *lengths])
        count = [len(window.ids) for window in windows]
        of_window = np.repeat(np.arange(len(windows)), count)
        is_text = np.concatenate([window.is_text for window in windows])
        piece = np.array([window.piece for window in windows])
        offsets = np.concatenate([window.offsets for window in windows]) + base[piece[of_window], None]
        tokens = Tokens(
            of_window[is_text], offsets[is_text, 0], offsets[is_text, 1], self._probabilities(windows)[is_text]
        )
        result = []
        for span in spans("\n".join(piece.text for piece in pieces), tokens, self.labels):
            before = int(base[piece[span.window]])
            start, end = span.start - before, span.end - before
            if span.score >= self._least(span.entity) and first[span.window] <= start < last[span.window]:
                result.append(Found(int(piece[span.window]), start, end, span.entity, span.score))
        return result

    def _windows(self, pieces: Sequence[_Piece]) -> tuple[list[_Window], np.ndarray, np.ndarray]:
        """The pieces' windows; and for each the positions [first, last) whose spans are its to say.

        Two windows share a quarter of their tokens; each says what begins in its half of them.
        """
        coded = self.tokenizer(
            [piece.text for piece in pieces],
            truncation=True,
            max_length=self.limit,
            stride=self.limit // 4,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        of_piece = coded.get("overflow_to_sample_mapping") or range(len(pieces))
        windows = [
            _Window(piece, np.array(ids), np.array(offsets).reshape(-1, 2), np.array(special) == 0)
            for piece, ids, offsets, special in zip(
                of_piece, coded["input_ids"], coded["offset_mapping"], coded["special_tokens_mask"], strict=True
            )
        ]
        windows = [window for window in windows if window.is_text.any()]
        first = np.zeros(len(windows), dtype=np.int64)
        last = np.array([len(pieces[window.piece].text) for window in windows], dtype=np.int64)
        for number in range(1, len(windows)):
            if windows[number].piece == windows[number - 1].piece:
                begin = windows[number].offsets[windows[number].is_text][0, 0]
                end = windows[number - 1].offsets[windows[number - 1].is_text][-1, 1]
                first[number] = last[number - 1] = (begin + end) // 2
        return windows, first, last

    def _probabilities(self, windows: Sequence[_Window]) -> np.ndarray:
        """float32[T, L]: the probability of each label for each token of the windows, in order."""
        import torch

        result: list[np.ndarray] = [np.empty(0)] * len(windows)
        padding = self.tokenizer.pad_token_id or 0
        by_length: dict[int, list[int]] = {}
        for number, window in enumerate(windows):
            length = next(length for length in LENGTHS if length >= len(window.ids))
            by_length.setdefault(min(length, self.limit), []).append(number)
        with torch.inference_mode(), _one_thread():
            for length, numbers in sorted(by_length.items()):
                most = max(1, BATCH // length)
                for at in range(0, len(numbers), most):
                    batch = numbers[at : at + most]
                    rows = min(most, max(2, 1 << (len(batch) - 1).bit_length()))  # a single row is summed differently
                    ids = np.full((rows, length), padding)
                    mask = np.zeros((rows, length), dtype=np.int64)
                    mask[:, 0] = 1  # rows that only fill the batch attend to something
                    for row, number in enumerate(batch):
                        ids[row, : len(windows[number].ids)] = windows[number].ids
                        mask[row, : len(windows[number].ids)] = 1
                    for number, scores in zip(batch, self._run(ids, mask), strict=False):
                        result[number] = scores[: len(windows[number].ids)]
        return np.concatenate(result)

    def _run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """float32[rows, length, L] for one batch."""
        import torch

        given: dict[str, torch.Tensor] = {
            "input_ids": torch.from_numpy(ids).to(self.device),
            "attention_mask": torch.from_numpy(mask).to(self.device),
        }
        logits = self.model(**given).logits
        return np.asarray(torch.softmax(logits.float(), dim=-1).cpu().numpy())


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _dtype(device: str) -> torch.dtype:
    """What the model counts in: on a processor with AVX512-BF16 or AMX that is faster by half and more than float32."""
    import torch

    able = torch.cpu.get_capabilities() if device == "cpu" and hasattr(torch.cpu, "get_capabilities") else {}
    return torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else torch.float32


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in one order: torch runs on one thread, and as before afterwards."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _labels(names: Mapping[int, str], ours: Mapping[str, str], model: str) -> Labels:
    """What a model's labels stand for; UsageError where none stands for an entity of ours."""
    bare = {number: name[2:] if name[:2] in ("B-", "I-") else name for number, name in names.items()}
    entity = {number: ours.get(name, name) for number, name in bare.items()}
    unknown = sorted(set(ours.values()).difference(ENTITIES))
    entities = tuple(name for name in ENTITIES if name in entity.values())
    if unknown or not entities:
        raise UsageError(
            f"the labels of the NER model {model} are {', '.join(sorted(set(bare.values()) - {'O'}))}"
            + (f"; {unknown[0]} is no entity of Quarry's" if unknown else " and none is an entity of Quarry's")
            + f": say with `labels` which of {', '.join(ENTITIES)} they stand for"
        )
    begins, inside = np.zeros((2, len(names), len(entities)), dtype=np.float32)
    for number, name in entity.items():
        if name in entities:
            (begins if names[number].startswith("B-") else inside)[number, entities.index(name)] = 1
    return Labels(entities, begins, inside)


def _pieces(texts: Sequence[str]) -> Iterator[_Piece]:
    """The texts in pieces of at most PIECE code points, cut at white space where there is some."""
    for number, text in enumerate(texts):
        origin = first = 0
        while len(text) - origin > PIECE:
            end = origin + PIECE
            cut = max(text.rfind("\n", end - OVERLAP, end), text.rfind(" ", end - OVERLAP, end))
            end = cut + 1 if cut > 0 else end
            last = end - OVERLAP // 2
            yield _Piece(number, origin, text[origin:end], first, last)
            origin, first = end - OVERLAP, last
        yield _Piece(number, origin, text[origin:], first, len(text))


def _together(pieces: Iterator[_Piece]) -> Iterator[list[_Piece]]:
    """Runs of pieces that are read together, so that memory does not grow with the texts."""
    batch: list[_Piece] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece.text)
        if size >= AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
