"""A whole run in miniature, for tests of what reads runs: tiny stages, real kernel, every kind of decision."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import yaml

from pipeline import schema
from pipeline.decisions import decide, drop
from pipeline.inline import InlineExecutor
from pipeline.recipe import load_recipe
from pipeline.run import execute
from pipeline.side import Corpus, Side
from pipeline.stage import Outcome, Stage
from pipeline.state import Run
from stages.publish import publish

COMMIT = "c0ffee" + "0" * 34
SECRET = "maria@northwind-orchards.com"


class Refuse(Stage):
    takes: ClassVar[pa.Schema] = schema.needs(schema.REPOSITORY, "id", "repo")
    gives: ClassVar[pa.Schema] = takes
    reasons: ClassVar[dict[str, str]] = {"opted_out": "its owner {owner} opted out"}

    owner: str = "shy"

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        rows = [n for n, repo in enumerate(shard["repo"].to_pylist()) if repo.startswith(f"{self.owner}/")]
        return drop(shard, rows, "opted_out", [{"owner": self.owner}] * len(rows))


class Read(Stage):
    """Documents from the field `files`: "owner/name:path" -> text; a repository without files is gone."""

    takes: ClassVar[pa.Schema] = schema.REPOSITORY
    gives: ClassVar[pa.Schema] = schema.DOCUMENT
    source: ClassVar[str | None] = "plan"
    reasons: ClassVar[dict[str, str]] = {
        "repository_gone": "it is not at {url} any more",
        "symlink": "it is a symbolic link",
    }

    files: dict[str, str]

    def prepare(self, corpus: Corpus, side: Side) -> None:
        for number, shard in enumerate(corpus.shards):
            rows: list[list[dict[str, Any]]] = [[], []]
            for count, repository in enumerate(corpus.read(shard).to_pylist()):
                found = [key for key in sorted(self.files) if key.startswith(repository["repo"] + ":")]
                into = rows[count % 2]
                for key in found:
                    repo, _, path = key.partition(":")
                    row = {"id": document_id(repo, path), "repo": repo, "commit": COMMIT, "path": path}
                    into.append(row | {"size": len(self.files[key].encode()), "blob": "b" * 40})
                if not found:
                    gone = {"id": repository["id"], "repo": repository["repo"], "reason": "repository_gone"}
                    into.append(gone)
            for half in (0, 1):
                side.put("plan", pa.Table.from_pylist(rows[half], schema.PLAN), f"{2 * number + half:05d}")

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        given = shard.to_pylist()
        gone = [n for n, row in enumerate(given) if row["reason"]]
        links = [n for n, row in enumerate(given) if not row["reason"] and row["path"].endswith(".link")]
        kept = [row for n, row in enumerate(given) if n not in {*gone, *links}]
        documents = [
            {name: row.get(name) for name in ("id", "repo", "commit", "path", "blob", "size")}
            | {"kind": "code", "encoding": "utf-8", "text": self.files[f"{row['repo']}:{row['path']}"]}
            for row in kept
        ]
        reasons = ["repository_gone"] * len(gone) + ["symlink"] * len(links)
        details: list[dict[str, str]] = [{"url": "file:///gone"}] * len(gone) + [{}] * len(links)
        decisions = decide(shard, gone + links, "drop", reasons, details)
        return Outcome(pa.Table.from_pylist(documents, schema.DOCUMENT), decisions)


class Judge(Stage):
    takes: ClassVar[pa.Schema] = schema.needs(schema.DOCUMENT, "id", "path", "license", "license_type")
    gives: ClassVar[pa.Schema] = takes
    writes: ClassVar[frozenset[str]] = frozenset({"license", "license_type"})
    reasons: ClassVar[dict[str, str]] = {
        "copyleft": "its licence {license} is copyleft",
        "header": "its own header was read for {license}",
    }

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        paths = shard["path"].to_pylist()
        outcome = drop(
            shard,
            np.array(["gpl" in path for path in paths], dtype=bool),
            "copyleft",
            [{"license": "GPL-3.0-only"}] * sum("gpl" in p for p in paths),
        )
        kept = outcome.kept
        for name, value in (("license", "MIT"), ("license_type", "permissive")):
            at = kept.schema.get_field_index(name)
            kept = kept.set_column(at, kept.schema.field(at), pa.array([value] * kept.num_rows, pa.string()))
        noted = [n for n, path in enumerate(kept["path"].to_pylist()) if "noted" in path]
        notes = decide(kept, noted, "note", "header", [{"license": "MIT"}] * len(noted))
        return Outcome(kept, pa.concat_tables([outcome.decisions, notes]))


class Tell(Stage):
    takes: ClassVar[pa.Schema] = schema.needs(schema.DOCUMENT, "id", "path", "language")
    gives: ClassVar[pa.Schema] = takes
    writes: ClassVar[frozenset[str]] = frozenset({"language"})
    reasons: ClassVar[dict[str, str]] = {"unknown_language": "its ending {ending} tells no language"}

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        known = {"py": "python", "c": "c", "md": "markdown"}
        endings = [path.rpartition(".")[2] for path in shard["path"].to_pylist()]
        rows = [n for n, ending in enumerate(endings) if ending not in known]
        outcome = drop(shard, rows, "unknown_language", [{"ending": endings[n]} for n in rows])
        languages = [known[ending] for ending in endings if ending in known]
        at = shard.schema.get_field_index("language")
        column = pa.array(languages, pa.string())
        return Outcome(outcome.kept.set_column(at, shard.schema.field(at), column), outcome.decisions)


class Shorten(Stage):
    takes: ClassVar[pa.Schema] = schema.needs(schema.DOCUMENT, "id", "text")
    gives: ClassVar[pa.Schema] = takes
    reasons: ClassVar[dict[str, str]] = {
        "long_line": "its longest line has {value} characters, more than the {limit} allowed"
    }

    limit: int = 100

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        longest = [max(map(len, text.split("\n"))) for text in shard["text"].to_pylist()]
        if any("boom" in text for text in shard["text"].to_pylist()):
            raise ValueError("the text says boom")
        rows = [n for n, length in enumerate(longest) if length > self.limit]
        return drop(shard, rows, "long_line", [{"value": longest[n], "limit": self.limit} for n in rows])


class Unite(Stage):
    """Drops documents that `copies` names, "owner/name:path" -> (canonical's "owner/name:path", Jaccard)."""

    takes: ClassVar[pa.Schema] = schema.needs(schema.DOCUMENT, "id", "repo", "path", "text")
    gives: ClassVar[pa.Schema] = takes
    reasons: ClassVar[dict[str, str]] = {
        "exact_duplicate": "it is the same as {canonical_path} in {canonical_repo}",
        "near_duplicate": "it is nearly {canonical_path} in {canonical_repo} (Jaccard similarity {jaccard})",
    }

    copies: dict[str, list[Any]]

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        keys = [
            f"{repo}:{path}" for repo, path in zip(shard["repo"].to_pylist(), shard["path"].to_pylist(), strict=True)
        ]
        rows = [n for n, key in enumerate(keys) if key in self.copies]
        details = []
        for n in rows:
            (repo, _, path), jaccard = self.copies[keys[n]][0].partition(":"), self.copies[keys[n]][1]
            canonical = {"canonical": document_id(repo, path), "canonical_repo": repo, "canonical_path": path}
            details.append(canonical | {"jaccard": jaccard})
        return drop(
            shard, rows, ["exact_duplicate" if d["jaccard"] == 1 else "near_duplicate" for d in details], details
        )


class Hide(Stage):
    takes: ClassVar[pa.Schema] = schema.needs(schema.DOCUMENT, "id", "text")
    gives: ClassVar[pa.Schema] = takes
    writes: ClassVar[frozenset[str]] = frozenset({"text"})
    reasons: ClassVar[dict[str, str]] = {"pii": "a value of entity {entity} was replaced"}

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        texts, rows, starts = shard["text"].to_pylist(), [], []
        for row, text in enumerate(texts):
            at = text.find(SECRET)
            while at >= 0:
                rows.append(row)
                starts.append(at)
                at = text.find(SECRET, at + 1)
        at = shard.schema.get_field_index("text")
        hidden = pa.array([mask(text) for text in texts], pa.string())
        decisions = decide(
            shard, rows, "redact", "pii", [{"entity": "EMAIL"}] * len(rows),
            entity=["EMAIL"] * len(rows), start=starts, end=[start + len(SECRET) for start in starts],
            score=[1.0] * len(rows), recognizer=["email_rule"] * len(rows), replacement=["<EMAIL>"] * len(rows),
        )  # fmt: skip
        return Outcome(shard.set_column(at, shard.schema.field(at), hidden), decisions)


class Count(Stage):
    takes: ClassVar[pa.Schema] = schema.DOCUMENT
    gives: ClassVar[pa.Schema] = schema.TOKENS_16
    reasons: ClassVar[dict[str, str]] = {}

    def prepare(self, corpus: Corpus, side: Side) -> None:
        side.put_bytes("tokenizer.json", b"{}")

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        rows = []
        for row in shard.to_pylist():
            ids = list(row["text"].encode())
            split = "validation" if row["repo"] == "acme/small" else "train"
            tokens = {"split": split, "n_tokens": len(ids), "text_start": 0, "input_ids": ids}
            rows.append({name: row[name] for name in schema.TOKENS_16.names if name in row} | tokens)
        return Outcome(pa.Table.from_pylist(rows, schema.TOKENS_16), drop(shard, [], "").decisions)


CATALOG: Mapping[str, type[Stage]] = {
    "refuse": Refuse, "read": Read, "judge": Judge, "tell": Tell, "shorten": Shorten, "unite": Unite, "hide": Hide,
    "count": Count,
}  # fmt: skip

BODY = "".join(f"def part_{n}(gear):\n    return gear.turn({n})\n\n" for n in range(12))
FILES = {
    "acme/tool:main.py": f'"""Ask {SECRET}, or again {SECRET} for help."""\n{BODY}',
    "acme/tool:lib.py": BODY,
    "acme/tool:noted.c": "int main(void) { return 0; }\n",
    "acme/tool:gpl.c": f"/* {SECRET} */\nint copyleft;\n",
    "acme/tool:data.bin": "bytes",
    "acme/tool:here.link": "main.py",
    "acme/tool:<script>alert(1)</script>.py": f"# {SECRET}\nx = '<b>{'y' * 150}</b>'\n",
    "acme/tool:docs/a:b.md": "# Colons are allowed in paths\n",
    "acme/small:main.py": "print('small')\n",
    "acme/small:boom.py": "boom = 1\n",
    "forker/tool:main.py": f'"""Ask {SECRET}, or again {SECRET} for help."""\n{BODY}print("mine")\n',
    "forker/tool:lib.py": BODY,
    "forker/tool:lib2.py": BODY.replace("gear", "wheel"),
}
COPIES: dict[str, list[Any]] = {
    "forker/tool:main.py": ["acme/tool:main.py", 0.9375],
    "forker/tool:lib.py": ["acme/tool:lib.py", 1.0],
    "forker/tool:lib2.py": ["acme/tool:lib.py", 0.75],
}
REPOSITORIES = ("acme/tool", "acme/small", "forker/tool", "shy/secret", "acme/gone")


def document_id(repo: str, path: str) -> str:
    return hashlib.blake2b(f"{repo}\0{COMMIT}\0{path}".encode(), digest_size=16).hexdigest()


def mask(text: str) -> str:
    return text.replace(SECRET, "<EMAIL>")


class Quiet:
    """A listener that hears nothing, or stops the run when the pass `stop_at` starts."""

    def __init__(self, stop_at: str = "") -> None:
        self.stop_at = stop_at

    def note(self, message: str) -> None: ...

    def pass_started(self, name: str, shards: int, done: int, workers: int) -> None:
        if name == self.stop_at:
            raise KeyboardInterrupt

    def preparing(self, name: str, done: int, total: int) -> None: ...

    def shard_finished(self, name: str, receipt: dict[str, Any]) -> None: ...

    def pass_finished(self, name: str) -> None: ...


def small_run(
    folder: Path,
    stop_at: str = "",
    files: Mapping[str, str] | None = None,
    discard: bool = False,
    tokenize: bool = True,
) -> Run:
    """Run the recipe of this page's stages into folder/run, up to the pass `stop_at`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "repositories.txt").write_text("\n".join(REPOSITORIES) + "\n")
    passes = {
        "intake": ["refuse"],
        "acquire": [{"read": {"files": dict(FILES if files is None else files)}}],
        "filter": ["judge", "tell", "shorten"],
        "unite": [{"unite": {"copies": COPIES}}, "hide"],
        "tokenize": ["count"],
    }
    if not tokenize:
        del passes["tokenize"]
    recipe = {"name": "small", "repositories": "repositories.txt", "passes": passes}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    loaded = load_recipe(str(folder / "recipe.yaml"), CATALOG)
    return execute(
        loaded, str(folder / "run"), lambda: nullcontext(InlineExecutor()), Quiet(stop_at), publish,
        discard_intermediate=discard,
    )  # fmt: skip
