"""Asks GitHub what it knows of the listed repositories: renamed, gone, blocked, forked, archived, and how popular.

All is asked once, while the stage prepares: GitHub's limits are one for all, so one process asks, in some threads.
Answers are kept with their ETags, and asked again they cost nothing where nothing changed; a preparation that is
killed, or stopped by a limit, goes on where it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

import pyarrow as pa
from pydantic import Field

from pipeline import schema
from pipeline.decisions import canonical_json, decide, drop
from pipeline.side import Corpus, Side
from pipeline.stage import PLACEMENT, Outcome, Stage
from stages.credentials import GITHUB, read_token
from stages.github_api import API, Client, Unavailable
from stages.github_cache import AnswerCache, Kept
from stages.rate_limit import Clock, RateLimit

# The side table `metadata`: what is known of each listed repository; `reason` and `detail` where there is a but.
FOUND = schema.METADATA.append(pa.field("reason", pa.string())).append(pa.field("detail", pa.string()))
NOTED = ("stars", "forks", "fork_of", "default_branch", "archived", "renamed_from", "license_hint")

_LAST_TWO = re.compile(r"[^/:]+/+[^/]+?(\.git)?$")  # owner/name at the end of a URL


class GitHub(Stage):
    """Repositories in, repositories with their metadata out; those of other hosts pass through, with nulls."""

    takes: ClassVar[pa.Schema] = schema.needs(schema.REPOSITORY, "id", "repo", "url", "ref")
    gives: ClassVar[pa.Schema] = schema.METADATA
    writes: ClassVar[frozenset[str]] = frozenset({"repo", "url"})
    revision: ClassVar[int] = 2
    source: ClassVar[str | None] = "metadata"  # so that a shard is made again where a later preparation learnt more
    reasons: ClassVar[dict[str, str]] = {
        "repository_gone": "{host} knows no such repository: it was deleted, or is private",
        "repository_blocked": "{host} has blocked it ({block}, since {since}, see {notice})",
        "same_repository": "it is {repo}, and so the same repository as {first} earlier in the list",
        "fork": "it is a fork of {fork_of}",
        "archived": "its owner archived it, so it is not maintained",
        "metadata": "its host says: {stars} stars, {forks} forks, default branch {default_branch}",
        "metadata_unavailable": "{host} did not say anything about it: {error}",
    }

    host: str = GITHUB  # whose repositories are asked for, as their ids begin
    drop_forks: bool = False
    drop_archived: bool = False
    # The root of the host's REST API; by default github.com's, or where a GitHub Enterprise server has it.
    api: Annotated[str | None, PLACEMENT, Field(pattern="^https?://")] = None
    # gh's hosts.yml, or a file with one token, absolute or with ~. Without it GitHub answers 60 requests an hour.
    token_file: Annotated[str | None, PLACEMENT] = None
    requests_at_once: Annotated[int, PLACEMENT, Field(gt=0, le=100)] = 8
    requests_a_minute: Annotated[int, PLACEMENT, Field(gt=0)] = 900  # what GitHub's secondary limit allows
    # A limit that lasts longer ends the run, which can be continued; GitHub's primary one lasts an hour at most.
    max_wait_s: Annotated[float, PLACEMENT, Field(ge=0)] = 3700.0
    retries: Annotated[int, PLACEMENT, Field(ge=0)] = 4  # where the host does not answer
    timeout_s: Annotated[float, PLACEMENT, Field(gt=0)] = 30.0

    def prepare(self, corpus: Corpus, side: Side) -> None:
        """Ask for every repository on the host, and write `metadata`, a table a shard, in the order of the list.

        A repository that could not be asked for is asked for again by the next run; the others keep their answers.
        """
        total = sum(sum(map(self._is_asked, corpus.read(shard, ["id"]).to_pylist())) for shard in corpus.shards)
        done = 0
        first: dict[str, str] = {}  # canonical repository, in lower case -> id of the first entry that leads to it
        clock = Clock()
        client = self._client(clock, corpus.note)
        cache = AnswerCache(side, f"github/{self.host.replace(':', '-')}")
        with cache, ThreadPoolExecutor(self.requests_at_once) as pool, client:
            for shard in corpus.shards:
                listed = corpus.read(shard, self.takes.names).to_pylist()
                found = self._answered_before(side, shard)
                wanted = [row for row in listed if self._is_asked(row) and row["id"] not in found]
                done += len(found)
                for future in as_completed([pool.submit(self._ask, client, cache, row) for row in wanted]):
                    row = future.result()
                    found[row["id"]] = row
                    done += 1
                    if corpus.on_progress:
                        corpus.on_progress(done, total)
                rows = [_unless_same(found[row["id"]], first) if row["id"] in found else row for row in listed]
                side.put("metadata", pa.Table.from_pylist(rows, FOUND), shard=shard)
                if any(map(_may_pass, rows)):
                    side.retry_next_run()

    def apply(self, shard: pa.Table, side: Side) -> Outcome:
        rows = shard.to_pylist()
        judged = [self._judge(row) for row in rows]
        left_out = [n for n, (reason, _) in enumerate(judged) if reason not in (None, "metadata_unavailable")]
        silent = [n for n, (reason, _) in enumerate(judged) if reason == "metadata_unavailable"]
        known = [n for n, row in enumerate(rows) if row["stars"] is not None]
        kept, dropped = drop(shard, left_out, [judged[n][0] or "" for n in left_out], [judged[n][1] for n in left_out])
        notes = [
            decide(shard, silent, "note", "metadata_unavailable", [judged[n][1] for n in silent]),
            decide(shard, known, "note", "metadata", [{name: rows[n][name] for name in NOTED} for n in known]),
        ]
        return Outcome(kept.select(self.gives.names), pa.concat_tables([dropped, *notes]))

    def explain(self, decision: Mapping[str, Any]) -> str:
        sentence = super().explain(decision)
        if decision["reason"] != "metadata":
            return sentence
        detail = json.loads(decision["detail"])
        more = {"fork_of": "a fork of {}", "license_hint": "licence {}", "renamed_from": "renamed from {}"}
        parts = [words.format(detail[name]) for name, words in more.items() if detail[name]]
        return ", ".join([sentence, *parts, *(["archived"] if detail["archived"] else [])])

    def _client(self, clock: Clock, tell: Callable[[str], None]) -> Client:
        api = self.api or (API if self.host == GITHUB else f"https://{self.host}/api/v3")
        token = read_token(self.token_file, self.host) if self.token_file else None
        return Client(
            api,
            RateLimit(clock, self.max_wait_s, self.requests_a_minute, on_wait=tell),
            clock,
            token=token,
            token_file=self.token_file,
            retries=self.retries,
            timeout_s=self.timeout_s,
            connections=self.requests_at_once,
        )

    def _is_asked(self, row: Mapping[str, Any]) -> bool:
        """Whether the repository is on the host."""
        return row["id"].startswith(f"{self.host.lower()}/") and row["id"].count("/") == 2

    def _answered_before(self, side: Side, shard: str) -> dict[str, dict[str, Any]]:
        """By id, the rows an earlier preparation found, but for failures that may pass."""
        if not side.has_shard("metadata", shard):
            return {}
        rows = side.get_shard("metadata", shard=shard).to_pylist()
        for row in rows:
            if row["reason"] == "same_repository":
                row["reason"] = row["detail"] = None
        return {row["id"]: row for row in rows if self._is_asked(row) and not _may_pass(row)}

    def _ask(self, client: Client, cache: AnswerCache, row: Mapping[str, Any]) -> dict[str, Any]:
        """A listed repository's row of `metadata`. Runs in several threads."""
        kept = cache.get(row["id"])
        if kept and "created" not in kept.fields:
            kept = None  # by an older version; only the whole answer tells what that left out
        try:
            answer = client.get(f"/repos/{quote(row['repo'])}", etag=kept.etag if kept else None)
        except Unavailable as error:
            return self._without(row, "metadata_unavailable", error=str(error), transient=True)
        if answer.status == 304 and kept:
            return _with(row, kept.fields)
        body = answer.body if isinstance(answer.body, dict) else {}
        if answer.status == 200 and "full_name" in body:
            fields = _fields(body)
            if answer.etag:
                cache.add(row["id"], Kept(answer.etag, fields))
            return _with(row, fields)
        if answer.status == 451 or "block" in body:
            return self._without(row, "repository_blocked", **_notice(body.get("block")))
        if answer.status in (404, 410):
            return self._without(row, "repository_gone")
        return self._without(row, "metadata_unavailable", error=answer.message, transient=False)

    def _without(self, row: Mapping[str, Any], reason: str, **detail: Any) -> dict[str, Any]:
        return {**row, "reason": reason, "detail": canonical_json({"host": self.host, **detail})}

    def _judge(self, row: Mapping[str, Any]) -> tuple[str | None, dict[str, Any]]:
        """What else than its metadata is to say of a repository, and the evidence."""
        if row["reason"]:
            return row["reason"], json.loads(row["detail"])
        if self.drop_forks and row["fork_of"] is not None:
            return "fork", {"fork_of": row["fork_of"]}
        if self.drop_archived and row["archived"]:
            return "archived", {}
        return None, {}


def _fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """What we use of GitHub's answer, by the names of METADATA."""
    origin = body.get("parent") or body.get("source") or {}
    spdx = (body.get("license") or {}).get("spdx_id")
    return {
        "repo": body["full_name"],
        "stars": body.get("stargazers_count"),
        "forks": body.get("forks_count"),
        "fork_of": origin.get("full_name", "unknown") if body.get("fork") else None,
        "created": body.get("created_at"),
        "default_branch": body.get("default_branch"),
        "archived": body.get("archived"),
        "license_hint": None if spdx == "NOASSERTION" else spdx,  # which says that there is one, not which
        "host_bytes": body["size"] * 1024 if "size" in body else None,
    }


def _with(row: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """A listed repository with these fields; where it was renamed or moved, its URL follows."""
    known = {**row, **fields, "created": _moment(fields["created"])}
    if fields["repo"].lower() != row["repo"].lower():
        known["renamed_from"] = row["repo"]
        known["url"] = _LAST_TWO.sub(lambda match: fields["repo"] + (match[1] or ""), row["url"])
    return known


def _moment(said: Any) -> datetime | None:
    """A time as the API writes it (2011-01-26T19:01:12Z), in whole seconds; None where it is none."""
    try:
        return datetime.fromisoformat(said).replace(microsecond=0)
    except (TypeError, ValueError):
        return None


def _notice(block: Any) -> dict[str, str]:
    """The legal notice of an answer 451, as far as it is there."""
    names = {"block": "reason", "notice": "html_url", "since": "created_at"}
    block = block if isinstance(block, dict) else {}
    return {ours: block[theirs] for ours, theirs in names.items() if isinstance(block.get(theirs), str)}


def _unless_same(row: dict[str, Any], first: dict[str, str]) -> dict[str, Any]:
    """The row; with reason `same_repository` where an earlier entry leads to the same one, which `first` remembers."""
    if row.get("reason") in ("repository_gone", "repository_blocked"):
        return row
    earlier = first.setdefault(row["repo"].lower(), row["id"])
    if earlier == row["id"]:
        return row
    return row | {"reason": "same_repository", "detail": canonical_json({"repo": row["repo"], "first": earlier})}


def _may_pass(row: Mapping[str, Any]) -> bool:
    return row.get("reason") == "metadata_unavailable" and json.loads(row["detail"])["transient"]
