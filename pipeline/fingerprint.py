"""What a pass's output depends on, as one short hash: change one field and it is another.

A fingerprint covers a stage's name, class, revision, the versions of the distributions it depends on, its tables and
fields, files by the digest of their content; placement (workers, paths, addresses) never counts.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pipeline.content import change_files
from pipeline.errors import UsageError
from pipeline.stage import PLACEMENT, Stage
from pipeline.storage import Storage, read_file


def digest_bytes(data: bytes) -> str:
    """Hex of the 128-bit blake2b."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def digest_file(path: str) -> str:
    """Digest of a file's content; UsageError where it cannot be read."""
    try:
        return digest_bytes(read_file(path))
    except OSError as error:
        raise UsageError(f"cannot read '{path}' ({error.strerror or type(error).__name__}).") from None


def digest_content(path: str) -> str:
    """Digest of a file's content, or of what the run in a directory has made; UsageError where there is neither."""
    try:
        return digest_bytes(read_file(path))  # first, as a server may refuse to say that there is nothing below a file
    except OSError as error:
        manifest = Storage(path).read_record("manifest.json", "passes")
        if manifest is None:
            raise UsageError(f"cannot read '{path}' ({error.strerror or type(error).__name__}).") from None
    made = [[part["fingerprint"], part["shards"]] for part in manifest["passes"]]
    return digest_bytes(json.dumps(made, sort_keys=True).encode())


def stage_identity(name: str, stage: Stage) -> dict[str, Any]:
    """Everything about a stage that its output depends on, as plain data."""
    return {
        "name": name,
        "class": type(stage).__name__,
        "revision": stage.revision,
        "depends": {distribution: metadata.version(distribution) for distribution in stage.depends},
        "tables": {name: digest_file(str(Path(inspect.getfile(type(stage))).parent / name)) for name in stage.tables},
        "fields": _fields(stage),
    }


def fingerprint(upstream: str, identities: list[dict[str, Any]]) -> str:
    """Hash of the stages of a pass upon the fingerprint of the pass before; 12 hex digits."""
    return digest_bytes(json.dumps([upstream, identities], sort_keys=True).encode())[:12]


def _fields(stage: Stage) -> dict[str, Any]:
    plain = _without_placement(stage, stage.model_dump(mode="json"))
    return change_files(type(stage), plain, lambda path: {"content": digest_content(path)})


def _without_placement(model: BaseModel, plain: dict[str, Any]) -> dict[str, Any]:
    """The fields that count, those of models in them too."""
    kept = {}
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if PLACEMENT not in field.metadata:
            kept[name] = _without_placement(value, plain[name]) if isinstance(value, BaseModel) else plain[name]
    return kept
