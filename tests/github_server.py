"""A server on this machine that answers like GitHub's REST API, with its limits, ETags, renames and bad days.

A test fills in what there is, says what goes wrong, and reads what was asked.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

PAGES = 100  # entries a page at most
FOUND = 1000  # entries a search gives at most


class Asked(NamedTuple):
    """A request that came, and the status it was answered with."""

    path: str
    status: int
    token: str | None
    at: float


class Said(NamedTuple):
    """An answer that is sent instead of the real one."""

    status: int
    headers: Mapping[str, str] = {}
    body: Any = None


@dataclass
class GitHubServer:
    """What the server holds; tests change it between requests."""

    url: str = ""
    repositories: dict[str, dict[str, Any]] = field(default_factory=dict)  # owner/name in lower case -> as answered
    owners: dict[str, str] = field(default_factory=dict)  # owner in lower case -> User or Organization
    moved: dict[str, str] = field(default_factory=dict)  # path -> where it redirects to
    instead: dict[str, list[Said]] = field(default_factory=dict)  # path -> answers sent first, one a request
    always: dict[str, Said] = field(default_factory=dict)  # path -> answer sent each time
    slow: dict[str, Event] = field(default_factory=dict)  # path -> it is answered when this is set
    tokens: set[str] | None = None  # those accepted; None asks for none
    limit: int | None = None  # requests a window; None counts none
    window_s: float = 3600.0
    remaining: int = 0
    reset: int = 0
    clock: Callable[[], float] = time.time
    asked: list[Asked] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    @property
    def host(self) -> str:
        """Host and port, as ids of repositories begin."""
        return self.url.removeprefix("http://")

    def add(self, name: str, kind: str = "User", **fields: Any) -> None:
        """Add the repository `name`; `fields` as GitHub's answer has them."""
        owner = name.split("/")[0]
        self.owners.setdefault(owner.lower(), kind)
        self.repositories[name.lower()] = {
            "id": len(self.repositories) + 1,
            "full_name": name,
            "html_url": f"{self.url}/{name}",
            "fork": False,
            "archived": False,
            "stargazers_count": 0,
            "forks_count": 0,
            "default_branch": "main",
            "created_at": "2011-01-26T19:01:12Z",
            "license": None,
            "size": 1,
            "description": "a field that is not used",
        } | fields

    def rename(self, old: str, new: str) -> None:
        """Let a repository have the name `new`; its old name redirects, as GitHub's does, to its number."""
        repository = self.repositories.pop(old.lower())
        self.add(new, **(repository | {"full_name": new, "html_url": f"{self.url}/{new}"}))
        self.moved[f"/repos/{old}"] = f"{self.url}/repositories/{repository['id']}"

    def count(self, status: int) -> int:
        """Requests that were answered with this status."""
        return sum(asked.status == status for asked in self.asked)

    def answer(self, path: str, query: Mapping[str, str], token: str | None, etag: str | None) -> Said:
        """The answer to a request, before the limit has been counted."""
        if self.tokens is not None and token is not None and token not in self.tokens:
            return Said(401, {}, {"message": "Bad credentials"})
        if path in self.moved:
            return Said(301, {"Location": self.moved[path]}, {"message": "Moved Permanently"})
        body, headers = self._body(path, query)
        if body is None:
            return Said(404, {}, {"message": "Not Found"})
        found = '"' + hashlib.sha256(json.dumps(body).encode()).hexdigest()[:32] + '"'
        return Said(304, {"ETag": found}) if etag == found else Said(200, headers | {"ETag": found}, body)

    def _body(self, path: str, query: Mapping[str, str]) -> tuple[Any, dict[str, str]]:
        parts = path.strip("/").split("/")
        if parts[0] == "repos":
            return self.repositories.get("/".join(parts[1:]).lower()), {}
        if parts[0] == "repositories":
            return next((r for r in self.repositories.values() if str(r["id"]) == parts[1]), None), {}
        if parts[0] == "search":
            words = [word for word in query["q"].lower().split() if ":" not in word]
            hits = [r for name, r in self.repositories.items() if all(word in name for word in words)]
            page, headers = self._page(hits[:FOUND], path, query)
            return {"total_count": len(hits), "incomplete_results": False, "items": page}, headers
        if parts[0] in ("users", "orgs") and (kind := self.owners.get(parts[1].lower())):
            if len(parts) == 2:
                return {"login": parts[1], "type": kind}, {}
            owned = [r for name, r in self.repositories.items() if name.startswith(f"{parts[1].lower()}/")]
            if parts[0] == "users":
                owned = [r for r in owned if not r.get("private")]
            return self._page(owned, path, query)
        return None, {}

    def _page(self, entries: list[Any], path: str, query: Mapping[str, str]) -> tuple[list[Any], dict[str, str]]:
        size, page = min(PAGES, int(query.get("per_page", "30"))), int(query.get("page", "1"))
        headers = {}
        if page * size < len(entries):
            others = "&".join(f"{name}={value}" for name, value in query.items() if name != "page")
            headers["Link"] = f'<{self.url}{path}?{others}&page={page + 1}>; rel="next", <{self.url}>; rel="last"'
        return entries[(page - 1) * size : page * size], headers

    def limited(self, said: Callable[[], Said], authenticated: bool) -> Said:
        """`said()` within the primary limit, or its refusal; the headers tell either way."""
        with self.lock:
            if self.limit is None:
                return said()
            if self.clock() >= self.reset:
                self.remaining, self.reset = self.limit, int(self.clock() + self.window_s)
            if self.remaining == 0:
                answer = Said(403, {}, {"message": "API rate limit exceeded for user ID 1."})
            else:
                answer = said()
                self.remaining -= answer.status != 304 or not authenticated
            told = {"X-RateLimit-Remaining": str(self.remaining), "X-RateLimit-Reset": str(self.reset)}
            return answer._replace(headers=told | dict(answer.headers))


@contextmanager
def github() -> Iterator[GitHubServer]:
    """Serve an empty GitHubServer."""
    state = GitHubServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # an answer in one piece, which the client acknowledges at once

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            path, query = parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}
            token = self.headers.get("Authorization", "").removeprefix("Bearer ") or None
            if path in state.slow:
                state.slow[path].wait(30)
            said = state.always.get(path)
            with state.lock:
                if state.instead.get(path):
                    said = state.instead[path].pop(0)
            if said is None:
                etag = self.headers.get("If-None-Match")
                said = state.limited(lambda: state.answer(path, query, token, etag), token is not None)
            state.asked.append(Asked(path, said.status, token, state.clock()))
            self.reply(said)

        def reply(self, said: Said) -> None:
            content = b"" if said.status == 304 else json.dumps(said.body).encode()
            self.send_response_only(said.status)
            self.send_header("Date", formatdate(state.clock(), usegmt=True))
            self.send_header("Content-Length", str(len(content)))
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            """The test's output is no server log."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that went away is no error."""

    server = Server(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        for event in state.slow.values():
            event.set()
        server.shutdown()
        thread.join()
        server.server_close()
