"""What a redactor is configured with beyond its entities: the model, and recognizers of the user's own.

Each counts in a run's fingerprint by its content: when the options are read, the digest of the model's files, or of the
module a recognizer is written in, is put beside its name, whatever was there before.
"""

from __future__ import annotations

import hashlib
import inspect
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pii.plugins import load_class
from pii.spans import Entity
from pipeline.stage import PLACEMENT

BUNDLED = "bundled"  # the model in pii/ner/bundled
_WEIGHTS = (".json", ".txt", ".safetensors", ".bin", ".model")


class NerOptions(BaseModel):
    """The token classifier that finds what has no form."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    enabled: bool = True
    model: Annotated[str, PLACEMENT] = (
        BUNDLED  # or a Hugging Face token classifier: a directory, or a name that is in the local cache
    )
    labels: dict[str, str] | None = None  # the model's label (without B-, I-) -> entity, where they are not the same
    # What it is asked for. Addresses, keys and passwords have forms that patterns tell more exactly than a small model.
    entities: list[Entity] = ["NAME", "USERNAME"]
    device: Annotated[str, PLACEMENT] = "auto"  # or cpu, cuda, cuda:1; auto is the GPU where there is one
    content: str | None = Field(default=None, repr=False)  # digest of the model's files; filled in

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not given.get("enabled", cls.model_fields["enabled"].default):
            return given
        return {**given, "content": digest_model(given.get("model", BUNDLED))}


class Plugged(BaseModel):
    """A Presidio recognizer of the user's own, written `package.module:Class`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str
    content: str | None = Field(default=None, repr=False)  # digest of the module's source; filled in

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, given: Any) -> Any:
        name = given.get("name") if isinstance(given, dict) else given
        if not isinstance(name, str):
            return given
        return {"name": name, "content": hashlib.blake2b(_source(load_class(name)), digest_size=16).hexdigest()}


def _source(kind: type) -> bytes:
    try:
        return Path(inspect.getfile(kind)).read_bytes()
    except (OSError, TypeError):
        return b""  # compiled into the interpreter; its name has to do


def digest_model(model: str) -> str:
    """Digest of the files of a model: the bundled one, a directory, a name in the local Hugging Face cache."""
    folder = model_folder(model)
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(folder.iterdir()):
        if path.suffix in _WEIGHTS and path.is_file():
            digest.update(path.name.encode() + b"\0")
            with path.open("rb") as file:
                while block := file.read(1 << 22):
                    digest.update(block)
    return digest.hexdigest()


def model_folder(model: str) -> Path:
    """Where a model's files are; ValueError, one sentence, where they are nowhere on this machine."""
    folder = Path(__file__).parent / "ner" / "bundled" if model == BUNDLED else Path(model).expanduser()
    if (folder / "config.json").is_file():
        return folder
    if model != BUNDLED and model.count("/") == 1 and not folder.exists():
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache(model, "config.json")
        if isinstance(cached, str):
            return Path(cached).parent
        raise ValueError(f"the model is not on this machine; download it first: hf download {model}")
    raise ValueError(f"there is no model in '{folder}': name a folder with config.json, or a model of the Hub")
