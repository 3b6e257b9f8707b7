"""Where repository lists come from: an owner's repositories, a search, or the events of GH Archive.

Each source yields repositories as a line of a list names them, every one once, as they are found. What a user should
know about a source (it had more, it was damaged) goes to `note`.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import IO, Any
from urllib.parse import quote

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from pipeline.errors import RunFailed, UsageError
from stages.github_api import Answer, Client, Unavailable

Note = Callable[[str], None]

A_PAGE = "100"  # entries, the most GitHub gives
SEARCH_FINDS = 1000  # repositories, the most GitHub's search gives
BLOCK = 1 << 19  # compressed bytes that are read at once; what is in them, some MB, is parsed at once

_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9._-]+"  # as pipeline.repositories reads it
_GZIP = 31  # zlib's word for it
_ADDRESS = r"^https?://(?:www\.|api\.)?github\.com/(?:repos/)?"
# The columns of an event that name its repository: `repo` since 2015, `repository` before.
_EVENT = pa.schema(
    [
        pa.field("repo", pa.struct([pa.field("name", pa.string())])),
        pa.field("repository", pa.struct([pa.field(name, pa.string()) for name in ("owner", "name", "url")])),
    ]
)


def owned(client: Client, owner: str, forks: bool = True) -> Iterator[str]:
    """The repositories of a user or an organisation; an organisation's private ones too, if the token may see them."""
    place = f"/users/{quote(owner, safe='')}"
    account = _asked(client, place)
    if account.status == 404:
        raise UsageError(f"GitHub knows no user or organisation '{owner}'; look how it is spelled.")
    if _body(account, place).get("type") == "Organization":
        place = f"/orgs/{quote(owner, safe='')}"
    kind = "all" if place.startswith("/orgs/") else "owner"
    for answer in _pages(client, f"{place}/repos", {"per_page": A_PAGE, "type": kind, "sort": "full_name"}):
        yield from _named(answer.body, forks)


def searched(client: Client, query: str, note: Note, forks: bool = True) -> Iterator[str]:
    """The repositories that GitHub's search finds, which are 1,000 at most."""
    pages = _pages(client, "/search/repositories", {"q": query, "per_page": A_PAGE})
    for number, answer in enumerate(pages):
        body = _body(answer, "the search")
        if number == 0 and body.get("total_count", 0) > SEARCH_FINDS:
            note(
                f"the search finds {body['total_count']:,} repositories, and GitHub lists {SEARCH_FINDS:,} of them; "
                "divide it, such as by created:2020-01-01..2020-06-30."
            )
        if body.get("incomplete_results"):
            note("GitHub cut the search short, so that repositories may be missing; run it again.")
        yield from _named(body["items"], forks)


def archived(path: str, note: Note) -> Iterator[str]:
    """The repositories in a file of GH Archive (.json.gz, a path or URL), in the order of their first event.

    One that is spelled in different cases is listed once. Of a truncated or damaged file, all that can be read counts.
    """
    seen: set[str] = set()
    broken = 0
    try:
        with fsspec.open(path, "rb") as file:
            for lines in _blocks(_gunzipped(file, path, note)):
                names, unreadable = _names(lines)
                broken += unreadable
                for name in names:
                    if name.lower() not in seen:
                        seen.add(name.lower())
                        yield name
    except (OSError, ValueError, ImportError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise UsageError(f"cannot read '{path}' ({reason}).") from None
    if broken:
        note(f"{path}: {broken:,} lines are no events and were left out.")


def _asked(client: Client, address: str, params: Mapping[str, str] | None = None) -> Answer:
    try:
        return client.get(address, params)
    except Unavailable as error:
        raise RunFailed(f"GitHub could not be asked: {error}; run again.") from None


def _pages(client: Client, address: str, params: Mapping[str, str]) -> Iterator[Answer]:
    answer = _asked(client, address, params)
    while True:
        if answer.status != 200:
            raise UsageError(f"GitHub refuses {address} ({answer.message}).")
        yield answer
        if answer.next is None:
            return
        answer = _asked(client, answer.next)


def _body(answer: Answer, what: str) -> dict[str, Any]:
    if answer.status != 200 or not isinstance(answer.body, dict):
        raise UsageError(f"GitHub refuses {what} ({answer.message}).")
    return answer.body


def _named(repositories: list[dict[str, Any]], forks: bool) -> Iterator[str]:
    """How a list names these: owner/name on github.com, elsewhere by URL."""
    for repository in repositories:
        if forks or not repository.get("fork"):
            on_github = repository["html_url"].startswith("https://github.com/")
            yield repository["full_name"] if on_github else repository["html_url"]


def _gunzipped(file: IO[bytes], path: str, note: Note) -> Iterator[bytes]:
    """The content of a gzip file, of one member or several, up to where it is damaged or ends too early."""
    member = zlib.decompressobj(wbits=_GZIP)
    while data := file.read(BLOCK):
        while data:
            if member.eof:
                member = zlib.decompressobj(wbits=_GZIP)
            try:
                piece = member.decompress(data)
            except zlib.error:
                note(f"{path} is no gzip file, or damaged; what stands before the damage counts.")
                return
            yield piece
            data = member.unused_data
    if not member.eof:
        note(f"{path} ends too early; what is there counts.")


def _blocks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, cut at ends of lines."""
    rest = b""
    for piece in pieces:
        lines, newline, tail = piece.rpartition(b"\n")
        if newline:
            yield rest + lines
            rest = tail
        else:
            rest += piece
    if rest:
        yield rest


def _names(lines: bytes) -> tuple[list[str], int]:
    """The repositories that these events name, in order, each spelling once; and how many lines are no events.

    Arrow parses all lines at once, and only the fields that count; where it stumbles over one, each is looked at alone.
    """
    if not lines.strip():
        return [], 0
    try:
        table = pa.json.read_json(
            BytesIO(lines),
            pa.json.ReadOptions(block_size=len(lines) + 1),
            pa.json.ParseOptions(explicit_schema=_EVENT, unexpected_field_behavior="ignore"),
        )
    except pa.ArrowInvalid:
        found = [_name_of(line) for line in lines.split(b"\n") if line.strip()]
        return list(dict.fromkeys(name for name in found if name)), found.count(None)
    repo, old = table["repo"].combine_chunks(), table["repository"].combine_chunks()
    owner, name, url = (pc.struct_field(old, place) for place in ("owner", "name", "url"))
    named = pc.coalesce(pc.struct_field(repo, "name"), pc.binary_join_element_wise(owner, name, "/"), url)
    named = pc.replace_substring_regex(pc.unique(named), _ADDRESS, "")
    return pc.unique(named.filter(pc.match_substring_regex(named, f"^{_NAME}$"))).to_pylist(), 0


def _name_of(line: bytes) -> str | None:
    """The repository an event names, "" where it names none; None where the line is no event."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    if not isinstance(event, dict):
        return None
    repo, old = (found if isinstance(found := event.get(key), dict) else {} for key in ("repo", "repository"))
    owner, short = old.get("owner"), old.get("name")
    pair = f"{owner}/{short}" if isinstance(owner, str) and isinstance(short, str) else None
    name = next((found for found in (repo.get("name"), pair, old.get("url")) if found is not None), "")
    name = re.sub(_ADDRESS, "", name) if isinstance(name, str) else ""
    return name if re.fullmatch(_NAME, name) else ""
