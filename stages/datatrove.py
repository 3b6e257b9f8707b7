"""Any filter or formatter of datatrove as a stage: what FineWeb and its kin were made with, for what is prose in code.

The steps run as they are, document by document in Python, so at their own speed. A step must judge a document by that
document alone, on this machine alone: those that draw lots, count over documents, or load a model or a list over the
network are refused, each with the reason and what to use instead.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, ValidationInfo, field_validator

from pipeline import schema
from pipeline.decisions import decide
from pipeline.errors import RunFailed
from pipeline.side import Side
from pipeline.stage import Outcome, Stage
from stages import languages

REFUSED: Mapping[str, str] = {
    "C4BadWordsFilter": "it downloads its lists of words and needs each document's natural language",
    "FastTextClassifierFilter": "it loads a model by its address, which no fingerprint covers",
    "LambdaFilter": "it takes a Python function, which a recipe cannot hold; write a stage instead",
    "LanguageFilter": "it downloads its model; use the stage natural_language",
    "PIIFormatter": "its replacements depend on the documents before, and nothing records them; use the stage redact",
    "SamplerFilter": "its draw depends on the documents before",
    "URLFilter": "it needs each document's web address, and files of repositories have none",
    "UnigramLogProbFilter": "it downloads its table of word frequencies",
}
# Options that are no plain data, or that make datatrove write elsewhere.
_NOT_OPTIONS = ("self", "exclusion_writer")
_PLAIN = (bool, int, float, str, NoneType)


class Datatrove(Stage):
    """Runs one step: a filter drops documents and leaves texts as they are, a formatter rewrites texts."""

    takes: ClassVar[pa.Schema] = schema.needs(schema.DOCUMENT, "id", "repo", "path", "language", "text")
    gives: ClassVar[pa.Schema] = takes
    writes: ClassVar[frozenset[str]] = frozenset({"text"})
    # spacy and ftfy do the work of the steps that split words and of FTFYFormatter.
    depends: ClassVar[tuple[str, ...]] = ("datatrove", "spacy", "ftfy")
    reasons: ClassVar[dict[str, str]] = {
        "datatrove_filter": "datatrove's {step} said {reason}",
        "reformatted": "datatrove's {step} rewrote it, from {before} characters to {after}",
    }

    step: str  # a class of datatrove.pipeline.filters or datatrove.pipeline.formatters
    options: dict[str, Any] = Field(default={}, validate_default=True)  # what the class is constructed with
    languages: list[str] | None = None  # only these are judged, StarCoder's spelling; others pass

    @field_validator("step")
    @classmethod
    def _usable(cls, value: str) -> str:
        steps = _steps()
        if value not in steps:
            near = difflib.get_close_matches(value, sorted(steps), n=1, cutoff=0.0)
            raise ValueError(f"datatrove has no such filter or formatter; the nearest is {near[0]!r}")
        if value in REFUSED:
            raise ValueError(f"it cannot be a stage: {REFUSED[value]}")
        return value

    @field_validator("options")
    @classmethod
    def _constructs(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        step = info.data.get("step")
        if step is None:
            return value  # that is wrong already
        allowed = [name for name in inspect.signature(_steps()[step]).parameters if name not in _NOT_OPTIONS]
        for name in value:
            if name not in allowed:
                near = difflib.get_close_matches(name, allowed, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else "."
                raise ValueError(f"{step} has no option {name!r}{hint} It has {', '.join(allowed) or 'none'}")
            if not _fits(value[name], get_type_hints(_steps()[step].__init__).get(name, Any)):
                raise ValueError(f"{step} takes no {value[name]!r} as {name!r}")
        try:
            _construct(step, value)
            _find_tokenizer(step, value)
        except Exception as error:  # whatever a constructor of somebody else's raises
            raise ValueError(f"{step} cannot be made of these ({_first_line(error)})") from None
        return value

    @field_validator("languages")
    @classmethod
    def _known(cls, value: list[str] | None) -> list[str] | None:
        return languages.checked(value)

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        rows = np.arange(shard.num_rows)
        if self.languages is not None:
            judged = pc.is_in(shard["language"], pa.array(self.languages, pa.string()))
            rows = np.flatnonzero(judged.to_numpy())
        step = _construct(self.step, self.options)
        try:
            return self._format(step, shard, rows) if hasattr(step, "format") else self._filter(step, shard, rows)
        except (ImportError, LookupError) as error:
            if isinstance(error, (IndexError, KeyError)):
                raise  # one document's, not the installation's
            raise RunFailed(f"datatrove's {self.step} cannot work here ({_first_line(error)}).") from None

    def _filter(self, step: Any, shard: pa.Table, rows: np.ndarray) -> Outcome:
        dropped, details = [], []
        for row, document in zip(rows, _documents(shard, rows), strict=True):
            answer = step.filter(document)  # whatever it does to the document's text, the row keeps its own
            kept, reason = answer if isinstance(answer, tuple) else (answer, None)
            if not kept:
                dropped.append(row)
                details.append({"step": self.step, "reason": reason or "no"})
        keep = np.ones(shard.num_rows, dtype=np.bool_)
        keep[dropped] = False
        return Outcome(shard.filter(pa.array(keep)), decide(shard, dropped, "drop", "datatrove_filter", details))

    def _format(self, step: Any, shard: pa.Table, rows: np.ndarray) -> Outcome:
        texts = shard["text"].to_pylist()
        changed, details = [], []
        for row in rows:
            before, after = texts[row], step.format(texts[row])
            if after != before:
                texts[row] = after
                changed.append(row)
                details.append({"step": self.step, "before": len(before), "after": len(after)})
        at = shard.schema.get_field_index("text")
        kept = shard.set_column(at, shard.schema.field(at), pa.array(texts, pa.string()))
        return Outcome(kept, decide(shard, changed, "note", "reformatted", details))


def _steps() -> dict[str, Any]:
    """The filters and formatters that datatrove exports, by name."""
    from datatrove.pipeline import filters, formatters

    found = {**vars(filters), **vars(formatters)}
    return {name: kind for name, kind in found.items() if inspect.isclass(kind) and not name.startswith("_")}


def _construct(step: str, options: Mapping[str, Any]) -> Any:
    return _steps()[step](**{name: _as_tuple(value) for name, value in options.items()})


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value may be what a parameter's type says; types that are more than plain values are not looked at."""
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if any(get_origin(kind) is not Literal and kind not in _PLAIN for kind in kinds):
        return True
    for kind in kinds:
        if get_origin(kind) is Literal:
            if value in get_args(kind):
                return True
        elif type(value) is kind or (type(value) in (int, float) and kind in (int, float)):
            return True
    return False


def _find_tokenizer(step: str, options: Mapping[str, Any]) -> None:
    """Raise where a step splits words of a natural language for which there is no tokenizer."""
    from datatrove.utils.word_tokenizers import load_word_tokenizer

    language = inspect.signature(_steps()[step]).parameters.get("language")
    if language is not None:
        load_word_tokenizer(options.get("language", language.default))


def _as_tuple(value: Any) -> Any:
    """YAML has lists only; some steps need tuples, and none minds them."""
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value


def _documents(shard: pa.Table, rows: np.ndarray) -> Any:
    """datatrove's Documents of these rows; what is known of each is its metadata."""
    from datatrove.data import Document

    columns = (shard[name].take(pa.array(rows)).to_pylist() for name in ("id", "repo", "path", "language", "text"))
    for id, repo, path, language, text in zip(*columns, strict=True):
        yield Document(text=text, id=id, metadata={"repo": repo, "path": path, "language": language})


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).split("\n")[0].rstrip(".")
