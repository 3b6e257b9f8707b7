"""The Arrow schemas of everything Quarry writes, spelled here and nowhere else, each column with its meaning.

The meaning is stored as field metadata, so that `docs/schemas.md` is made from it and cannot disagree with the code.
"""

from __future__ import annotations

import pyarrow as pa

KINDS = ("code", "notebook", "issue", "commit")
LICENSE_TYPES = ("permissive", "weak_copyleft", "copyleft", "non_free", "no_license", "unknown")
ACTIONS = ("drop", "redact", "note")
SPLITS = ("train", "validation")

CREATED = pa.timestamp("ms", "UTC")  # in whole seconds; ms because Parquet keeps no coarser unit


def _column(name: str, kind: pa.DataType, meaning: str) -> pa.Field:
    return pa.field(name, kind, metadata={"meaning": meaning})


REPOSITORY = pa.schema(
    [
        _column("id", pa.string(), "canonical lower-case host/owner/name, or the URL of a repository on no known host"),
        _column("repo", pa.string(), "owner/name as the host spells it"),
        _column("url", pa.string(), "where it is cloned from, without credentials"),
        _column("ref", pa.string(), "branch, tag or commit asked for; null is the default branch"),
    ]
)

# What a host says of its repositories; every column is null for a repository on another host.
METADATA = pa.schema(
    [
        *REPOSITORY,
        _column("stars", pa.int64(), "stars, at the time of asking"),
        _column("forks", pa.int64(), "forks, at the time of asking"),
        _column("fork_of", pa.string(), "owner/name it was forked from; null where it is no fork"),
        _column("created", CREATED, "when the repository was created; null where the host does not say"),
        _column("default_branch", pa.string(), "the host's default branch"),
        _column("archived", pa.bool_(), "whether its owner made it read-only"),
        _column("renamed_from", pa.string(), "owner/name in the list, where the host has moved it since"),
        _column("license_hint", pa.string(), "the SPDX id the host shows for the whole repository; no finding of ours"),
        _column("host_bytes", pa.int64(), "what the repository takes on its host with its whole history, bytes"),
    ]
)

# One row of acquire's plan: a tree entry to read, or a repository that could not be read (then `reason` says why).
PLAN = pa.schema(
    [
        _column(
            "id", pa.string(), "the document's id; the repository's id where the row stands for a whole repository"
        ),
        _column("repo", pa.string(), "owner/name"),
        _column("url", pa.string(), "where the repository is cloned from, without credentials"),
        _column("commit", pa.string(), "the commit the ref resolved to, 40 hex digits"),
        _column("path", pa.string(), "path inside the repository, invalid UTF-8 bytes percent-escaped"),
        _column("mode", pa.string(), "git's file mode: 100644, 100755, 120000 (symlink) or 160000 (submodule)"),
        _column("blob", pa.string(), "git's object id, 40 hex digits"),
        _column("size", pa.int64(), "bytes of the blob; null where the object is not there"),
        _column("content", pa.string(), "the part of the side table `content` that holds the blob; null without one"),
        _column("stars", pa.int64(), "the repository's stars; null where the host does not say"),
        _column("fork", pa.bool_(), "whether the repository is a fork; null where the host does not say"),
        _column("created", CREATED, "when the repository was created; null where the host does not say"),
        _column("reason", pa.string(), "why nothing can be read, one of acquire's reasons; null where there is a blob"),
        _column("detail", pa.string(), "evidence for `reason`, JSON"),
    ]
)

DOCUMENT = pa.schema(
    [
        _column("id", pa.string(), "hex of the 128-bit blake2b of repo\\0commit\\0path"),
        _column("kind", pa.string(), "code, notebook, issue or commit"),
        _column("repo", pa.string(), "owner/name as the host spells it"),
        _column("commit", pa.string(), "the commit it was read at, 40 hex digits"),
        _column("path", pa.string(), "path inside the repository, invalid UTF-8 bytes percent-escaped"),
        _column("language", pa.string(), "language, StarCoder's spelling; null before select"),
        _column("blob", pa.string(), "git's sha1 of the content, which is also the SWHID swh:1:cnt:…"),
        _column("size", pa.int64(), "bytes of the blob as git stores it"),
        _column("encoding", pa.string(), "the encoding the bytes were decoded from"),
        _column("license", pa.string(), "SPDX expression; null where none was found"),
        _column("license_type", pa.string(), "permissive, weak_copyleft, copyleft, non_free, no_license or unknown"),
        _column("stars", pa.int64(), "the repository's stars; null where the host does not say"),
        _column("fork", pa.bool_(), "whether the repository is a fork; null where the host does not say"),
        _column("created", CREATED, "when the repository was created; null where the host does not say"),
        _column("text", pa.string(), "the content"),
    ]
)

DECISION = pa.schema(
    [
        _column("id", pa.string(), "id of the document, or of the repository"),
        _column("repo", pa.string(), "owner/name"),
        _column("path", pa.string(), "path inside the repository; empty where the decision is about the repository"),
        _column("stage", pa.string(), "name of the stage in the recipe"),
        _column("action", pa.string(), "drop, redact or note"),
        _column("reason", pa.string(), "one of the stage's reasons, or error"),
        _column("detail", pa.string(), "evidence, JSON object; never the matched value"),
        _column("entity", pa.string(), "redactions: the entity, such as EMAIL"),
        _column("start", pa.int64(), "redactions: first code point in the stage's input text"),
        _column("end", pa.int64(), "redactions: code point after the last"),
        _column("score", pa.float64(), "redactions: the recognizer's confidence, 0 to 1"),
        _column("recognizer", pa.string(), "redactions: which recognizer found it"),
        _column("replacement", pa.string(), "redactions: what stands there now"),
        _column("value_hmac", pa.string(), "redactions: keyed hash of the value; null without a key"),
    ]
)

# What a receipt's figures say of documents that were dropped on the way: with it they can be taken out again.
DROPPED = pa.schema(
    [
        _column("id", pa.string(), "the document, or repository"),
        _column("stage", pa.string(), "name of the stage that dropped it"),
        _column("language", pa.string(), "its language then; null before it is known"),
        _column("bytes", pa.int64(), "bytes it stood for then: of its text, or of its blob"),
    ]
)

SIGNATURE = pa.schema(
    [
        _column("id", pa.string(), "the document's id"),
        _column("content", pa.binary(16), "128-bit blake2b of the text"),
        _column("shingles", pa.int64(), "number of distinct shingles; 0 for a document shorter than one"),
        _column("set_key", pa.binary(16), "128-bit hash of the shingle set; null without shingles"),
        _column("minhash", pa.list_(pa.uint32()), "MinHash values, one a permutation; null without shingles"),
    ]
)

EDGE = pa.schema(
    [
        _column("id", pa.string(), "the document that is dropped"),
        _column("canonical", pa.string(), "the kept document it resembles"),
        _column("canonical_repo", pa.string(), "the canonical's repository"),
        _column("canonical_path", pa.string(), "the canonical's path"),
        _column("reason", pa.string(), "exact_duplicate, near_duplicate or copy_of_opted_out"),
        _column("jaccard", pa.float64(), "exact Jaccard similarity of the two shingle sets"),
    ]
)

TOKENS_16 = pa.schema(
    [
        _column("id", pa.string(), "the document's id"),
        _column("repo", pa.string(), "owner/name"),
        _column("commit", pa.string(), "the commit it was read at"),
        _column("path", pa.string(), "path inside the repository"),
        _column("blob", pa.string(), "git's sha1 of the original content"),
        _column("language", pa.string(), "language"),
        _column("license", pa.string(), "SPDX expression"),
        _column("split", pa.string(), "train or validation; one repository is never in both"),
        _column("n_tokens", pa.int32(), "length of input_ids"),
        _column("text_start", pa.int32(), "tokens before it are the template's header"),
        _column(
            "input_ids", pa.list_(pa.uint16()), "header, text and end-of-text; uint32 where the vocabulary needs it"
        ),
    ]
)
TOKENS_32 = pa.schema([f.with_type(pa.list_(pa.uint32())) if f.name == "input_ids" else f for f in TOKENS_16])

SCHEMAS = {
    "REPOSITORY": REPOSITORY,
    "METADATA": METADATA,
    "PLAN": PLAN,
    "DOCUMENT": DOCUMENT,
    "DECISION": DECISION,
    "DROPPED": DROPPED,
    "SIGNATURE": SIGNATURE,
    "EDGE": EDGE,
    "TOKENS": TOKENS_16,
}


def tokens(vocabulary: int) -> pa.Schema:
    """TOKENS for a vocabulary of this many ids: uint16 as long as every id fits."""
    return TOKENS_16 if vocabulary <= 1 << 16 else TOKENS_32


def needs(schema: pa.Schema, *names: str) -> pa.Schema:
    """The columns `names` of `schema`, for a stage that takes no more than these."""
    return pa.schema([schema.field(name) for name in names])
