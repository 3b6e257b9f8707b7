"""The redaction stage: personal information and secrets in `text` are replaced; everything found is one decision.

A decision says what was found, where, how sure and by whom, and what stands there now, or why it was left; never the
value. With a key file it holds the value's HMAC, so that one leaked secret can be followed through a corpus by whoever
has the key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Self

import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from pii.options import NerOptions, Plugged
from pii.plugins import build
from pii.policy import Policy
from pii.redact import Finding, Redactor
from pii.spans import ENTITIES, Entity
from pipeline import schema
from pipeline.decisions import NO_DECISIONS, decide
from pipeline.errors import UsageError
from pipeline.side import Side
from pipeline.stage import PLACEMENT, ContentFile, Outcome, Stage

SHORTEST_KEY = 16  # bytes; HMAC-SHA256 under a shorter key can be undone by trying e-mail addresses


class Redact(Stage):
    """Replaces names, e-mail addresses, IP addresses, user names, passwords and keys (StarCoder paper, section 4)."""

    takes: ClassVar[pa.Schema] = schema.needs(schema.DOCUMENT, "id", "repo", "path", "text")
    gives: ClassVar[pa.Schema] = takes
    writes: ClassVar[frozenset[str]] = frozenset({"text"})
    revision: ClassVar[int] = 2
    reasons: ClassVar[dict[str, str]] = {
        "name": "a person's name was replaced",
        "email": "an e-mail address was replaced",
        "ip_address": "an IP address ({format}) was replaced by a synthetic private one",
        "username": "a user name ({format}) was replaced",
        "password": "a password ({format}) was replaced",
        "key": "a secret ({format}) was replaced",
        "custom": "a value that a recognizer of your own calls {entity} was replaced",
        "left_license_holder": "a {entity} was left, as the licence requires the line of its holder to stay",
        "left_example": "a {entity} was left, as it says itself that it is an example",
        "left_private_address": "an IP address was left, as it leads to no one: private, loopback or a netmask",
        "left_public_service": "an IP address was left, as it is a well-known name server's",
        "left_generic_account": "a user name was left, as every system has such an account",
    }
    depends: ClassVar[tuple[str, ...]] = ("presidio-analyzer", "tldextract", "tokenizers", "torch", "transformers")

    entities: list[Entity] = ["NAME", "EMAIL", "IP_ADDRESS", "USERNAME", "PASSWORD", "KEY"]
    thresholds: dict[str, float] = {}  # entity -> the least score that counts; others count as found
    policy: Policy = Policy()
    ner: NerOptions = Field(default_factory=NerOptions)
    recognizers: list[Plugged] = []  # Presidio recognizers of your own, written package.module:Class
    recognizer_files: list[ContentFile] = []  # Presidio's YAML definitions of pattern recognizers
    hmac_key: Annotated[str | None, PLACEMENT] = None  # a file of 16 bytes or more, kept outside the run

    @field_validator("thresholds")
    @classmethod
    def _shares(cls, value: dict[str, float]) -> dict[str, float]:
        for entity, least in value.items():
            if not 0 <= least <= 1:
                raise ValueError(f"the threshold of {entity} must lie between 0 and 1")
        return value

    @model_validator(mode="after")
    def _known(self) -> Self:
        if not self.recognizers and not self.recognizer_files:
            for entity in self.thresholds:
                if entity not in ENTITIES:
                    raise ValueError(f"nothing finds {entity}; entities are {', '.join(ENTITIES)}")
        return self

    @field_validator("recognizers")
    @classmethod
    def _buildable(cls, value: list[Plugged]) -> list[Plugged]:
        for plugged in value:
            build(plugged.name)
        return value

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        redactor = side.load(f"redactor {self.model_dump_json()}", self.redactor)
        column = shard.column("text").combine_chunks()
        texts, findings = redactor.redact_column(column, shard.column("id").to_pylist())
        if not findings:
            return Outcome(shard, NO_DECISIONS)
        decisions = pa.concat_tables(
            [
                _decide(shard, "redact", [one for one in findings if one.replacement is not None]),
                _decide(shard, "note", [one for one in findings if one.replacement is None]),
            ]
        )
        index = shard.schema.get_field_index("text")
        return Outcome(shard.set_column(index, shard.schema.field(index), texts), decisions)

    def redactor(self) -> Redactor:
        """What the stage works with; UsageError where its key or a file cannot be read."""
        key = None if self.hmac_key is None else _read_key(self.hmac_key)
        try:
            return Redactor(
                self.entities,
                key,
                thresholds=self.thresholds,
                ner=self.ner,
                policy=self.policy,
                recognizers=self.recognizers,
                recognizer_files=self.recognizer_files,
            )
        except ValueError as error:
            raise UsageError(f"the redactor cannot be made: {error}.") from None


def _decide(shard: pa.Table, action: str, findings: list[Finding]) -> pa.Table:
    spans = [finding.span for finding in findings]
    return decide(
        shard,
        [finding.row for finding in findings],
        action,
        [_reason(finding) for finding in findings],
        [{"format": span.format, "entity": span.entity} for span in spans],
        entity=[span.entity for span in spans],
        start=[span.start for span in spans],
        end=[span.end for span in spans],
        score=[span.score for span in spans],
        recognizer=[span.recognizer for span in spans],
        replacement=[finding.replacement for finding in findings],
        value_hmac=[finding.value_hmac for finding in findings],
    )


def _reason(finding: Finding) -> str:
    span = finding.span
    if finding.replacement is None:
        return f"left_{span.left}"
    return span.entity.lower() if span.entity in ENTITIES else "custom"


def _read_key(path: str) -> bytes:
    try:
        key = Path(path).read_bytes().strip()
    except OSError as error:
        raise UsageError(
            f"the HMAC key file {path} cannot be read ({error.strerror}): give a file that every worker can read"
        ) from error
    if len(key) < SHORTEST_KEY:
        raise UsageError(
            f"the HMAC key in {path} has {len(key)} bytes, fewer than {SHORTEST_KEY}: write 32 random bytes into it"
        )
    return key
