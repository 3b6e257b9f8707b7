"""What is true of a published dataset, counted once from its shards and receipts, for all its papers.

The card for people (stages/card.py) and the Croissant file for programs (stages/croissant.py) say the same twice.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pyarrow as pa

from pipeline.fingerprint import stage_identity
from pipeline.manifest import merge_stages
from pipeline.state import Run

Row = dict[str, Any]


class Facts:
    """Facts about the dataset of a completed run; its shards are read when they are first counted."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._kinds = {named.kind for this in run.passes for named in this.part.stages}

    @cached_property
    def schema(self) -> pa.Schema:
        """TOKENS as the shards have it."""
        first = next(iter(self._run.store.names("dataset/data")), None)
        gives: pa.Schema = self._run.passes[-1].part.stages[-1].stage.gives
        return gives if first is None else self._run.store.read_schema(f"dataset/data/{first}")

    @cached_property
    def files(self) -> list[Row]:
        """Documents and tokens by repo, commit, license, language and split, sorted by these."""
        keys = ["repo", "commit", "license", "language", "split"]
        parts = [self.schema.empty_table().select([*keys, "n_tokens"])]
        parts += [
            self._run.store.read_table(f"dataset/data/{name}", [*keys, "n_tokens"])
            for name in self._run.store.names("dataset/data")
        ]
        grouped = pa.concat_tables(parts).group_by(keys).aggregate([("n_tokens", "count"), ("n_tokens", "sum")])
        rows = [
            {key: row[key] for key in keys} | {"documents": row["n_tokens_count"], "tokens": row["n_tokens_sum"]}
            for row in grouped.to_pylist()
        ]
        return sorted(rows, key=lambda row: [str(row[key]) for key in keys])

    def by(self, *keys: str) -> list[Row]:
        """Documents and tokens by `keys`, in the order of the keys' values; one row without keys."""
        totals: dict[tuple[Any, ...], list[int]] = {} if keys else {(): [0, 0]}
        for row in self.files:
            total = totals.setdefault(tuple(row[key] for key in keys), [0, 0])
            total[0] += row["documents"]
            total[1] += row["tokens"]
        ordered = sorted(totals.items(), key=lambda item: [str(value) for value in item[0]])
        return [dict(zip(keys, k, strict=True)) | {"documents": d, "tokens": t} for k, (d, t) in ordered]

    def largest(self, key: str) -> list[Row]:
        """Documents and tokens by `key`, the value with most tokens first."""
        return sorted(self.by(key), key=lambda row: -row["tokens"])

    @property
    def languages(self) -> list[str]:
        return [row["language"] for row in self.largest("language") if row["language"]]

    @property
    def licenses(self) -> list[str]:
        return [row["license"] for row in self.largest("license") if row["license"]]

    @property
    def sentence(self) -> str:
        """The dataset in one sentence."""
        total = self.by()[0]
        count = self._run.repositories.num_rows
        source = f"from {count:,} listed repositories" if count else "from an existing dataset"
        return (
            f"{total['documents']:,} source files, {total['tokens']:,} tokens, one row a file, made by Quarry {source}."
        )

    @property
    def collection(self) -> str:
        if not self._run.repositories.num_rows:
            return "Rows of an existing dataset, with the repository, commit and path it names."
        return (
            "Files of public git repositories, each at the one commit that its default branch or the listed ref named "
            "when the run was planned, with repository, commit, path and git blob kept for every file."
        )

    @cached_property
    def stages(self) -> list[Row]:
        """Each stage in order: pass, stage, settings (JSON-able, no paths), documents in and out, drops by reason."""
        rows = []
        for this in self._run.passes:
            measured = {measure["stage"]: measure for measure in merge_stages(this.receipts.values())}
            for named in this.part.stages:
                measure = measured.get(named.name, {"documents_in": 0, "documents_out": 0, "decisions": {}})
                drops = measure["decisions"].get("drop", {})
                rows.append(
                    {
                        "pass": this.part.name,
                        "stage": named.name,
                        "settings": stage_identity(named.name, named.stage)["fields"],
                        "in": measure["documents_in"],
                        "out": measure["documents_out"],
                        "drops": dict(sorted(drops.items(), key=lambda item: (-item[1], item[0]))),
                    }
                )
        return rows

    @property
    def process(self) -> list[str]:
        """A sentence a stage."""
        return [
            f"{row['stage']}: {row['in']:,} in, {row['out']:,} out"
            + "".join(f"; {reason} {count:,}" for reason, count in row["drops"].items())
            + "."
            for row in self.stages
        ]

    @property
    def personal(self) -> list[str]:
        if "redact" not in self._kinds:
            return ["Personal data and secrets were not looked for."]
        return [
            "E-mail addresses, public IP addresses and secrets of well-known formats are replaced by placeholders.",
            "Names, usernames and secrets of unknown formats are not found yet and may be left.",
        ]

    @property
    def removal(self) -> str:
        contact = self._run.recipe.about.contact
        return (
            ("Repositories of owners on the opt-out list are left out. " if "opt_out" in self._kinds else "")
            + "Whoever finds code of theirs here can ask for it to be taken out"
            + (f": write to {contact}. " if contact else " (the publisher has named no contact yet). ")
            + "The publisher adds the owner or repository to the opt-out list and publishes a new version without it; "
            "whoever uses the dataset should move to the newest version."
        )

    @property
    def limits(self) -> list[str]:
        limits = ["Code is as its authors left it: with bugs, with vulnerabilities, with comments that may offend."]
        if "license" in self._kinds:
            limits.append(
                "Licences are judged per repository, by its licence files at the root; files under another licence "
                "inside a repository are not told apart yet, and detection can be wrong."
            )
        for row in self.stages:
            if "threshold" in row["settings"]:
                limits.append(f"Near-copies under {row['settings']['threshold']} Jaccard similarity remain.")
        if "decontaminate" not in self._kinds:
            limits.append("Nothing was done against copies of benchmark problems.")
        return limits
