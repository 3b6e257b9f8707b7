"""The redaction stage: personal information and secrets in `text` are replaced, each redaction is one decision.

A decision says what was found, where, how sure, by whom and what stands there now; never the value. With a key file it
holds the value's HMAC, so that one leaked secret can be followed through a corpus by whoever has the key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

import pyarrow as pa

from pii.redact import Redactor
from pipeline import schema
from pipeline.decisions import NO_DECISIONS, decide
from pipeline.errors import UsageError
from pipeline.side import Side
from pipeline.stage import PLACEMENT, Outcome, Stage

SHORTEST_KEY = 16  # bytes; HMAC-SHA256 under a shorter key can be undone by trying e-mail addresses

Entity = Literal["EMAIL", "IP_ADDRESS", "KEY", "PASSWORD"]


class Redact(Stage):
    """Replaces e-mail addresses, public IP addresses, keys and passwords (StarCoder paper, section 4; patterns)."""

    takes: ClassVar[pa.Schema] = schema.needs(schema.DOCUMENT, "id", "repo", "path", "text")
    gives: ClassVar[pa.Schema] = takes
    writes: ClassVar[frozenset[str]] = frozenset({"text"})
    reasons: ClassVar[dict[str, str]] = {
        "email": "an e-mail address was replaced",
        "ip_address": "a public IP address ({format}) was replaced by a synthetic private one",
        "key": "a secret ({format}) was replaced",
        "password": "the password in a URL was replaced",
    }
    depends: ClassVar[tuple[str, ...]] = ("presidio-analyzer", "tldextract")

    entities: list[Entity] = ["EMAIL", "IP_ADDRESS", "KEY", "PASSWORD"]
    hmac_key: Annotated[str | None, PLACEMENT] = None  # a file of 16 bytes or more, kept outside the run

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        redactor = side.load(f"redactor {self.model_dump_json()}", self._redactor)
        column = shard.column("text").combine_chunks()
        texts, redactions = redactor.redact_column(column, shard.column("id").to_pylist())
        if not redactions:
            return Outcome(shard, NO_DECISIONS)
        spans = [redaction.span for redaction in redactions]
        decisions = decide(
            shard,
            [redaction.row for redaction in redactions],
            "redact",
            [span.entity.lower() for span in spans],
            [{"format": span.format} for span in spans],
            entity=[span.entity for span in spans],
            start=[span.start for span in spans],
            end=[span.end for span in spans],
            score=[span.score for span in spans],
            recognizer=[span.recognizer for span in spans],
            replacement=[redaction.replacement for redaction in redactions],
            value_hmac=[redaction.value_hmac for redaction in redactions],
        )
        index = shard.schema.get_field_index("text")
        return Outcome(shard.set_column(index, shard.schema.field(index), texts), decisions)

    def _redactor(self) -> Redactor:
        return Redactor(self.entities, None if self.hmac_key is None else _read_key(self.hmac_key))


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
