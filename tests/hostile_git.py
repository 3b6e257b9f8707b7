"""A git server that misbehaves as servers on the internet do: real `git http-backend` behind a proxy that spoils it.

What is spoilt on the way is the answer to `fetch`, which holds the pack; refs are told as they should be. Packs are
passed on piece by piece, never held.
"""

from __future__ import annotations

import gzip
import os
import subprocess
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR
from threading import Event, Thread
from typing import IO, Literal

from tests.gitrepos import ENVIRONMENT

ALWAYS = 1_000_000


@dataclass
class Hostility:
    """How one repository is treated. Without an argument: well.

    Whoever does not give `token` as the password is asked for it, with 401. Then comes what is done to everybody:
    `status` or a redirect to the repository `moved_to` instead of any answer, or silence; or the answer that holds the
    pack is passed on at `rate` bytes a second, and after `sent` bytes of it the server stalls or breaks off. That is
    done `times` times, and no more.
    """

    token: str | None = None
    status: int | None = None
    moved_to: str | None = None
    rate: int | None = None
    sent: int = 0
    then: Literal["silence", "stall", "break", None] = None
    times: int = ALWAYS
    packs: int = 0  # how many were asked for
    reached: Event = field(default_factory=Event)  # it has stalled, fallen silent or broken off

    def takes_turn(self) -> bool:
        self.times -= 1
        return self.times >= 0


class _Server(ThreadingHTTPServer):
    def __init__(self, folder: Path, hostile: Mapping[str, Hostility]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.hostile, self.closing = folder, hostile, Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        _, name, *rest = path.split("/")
        how = self.server.hostile.get(name, Hostility())
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if how.token is not None and how.token != _password(self.headers.get("Authorization")):
            self._refuse(401, {"WWW-Authenticate": 'Basic realm="private"'})
        elif how.moved_to is not None:
            self._refuse(301, {"Location": "/".join(["", how.moved_to, *rest]) + f"?{query}"})
        elif how.status is not None and how.takes_turn():
            self._refuse(how.status, {})
        elif how.then == "silence" and how.takes_turn():
            how.reached.set()
            self.server.closing.wait()
            self._hang_up()
        else:
            with self._backend(path, query, body) as backend, suppress(ConnectionError):  # the client may have gone
                assert backend.stdout is not None
                try:
                    self._pass_on(backend.stdout, how if _is_fetch(self.headers, body) else Hostility())
                finally:
                    backend.kill()

    do_POST = do_GET

    def _backend(self, path: str, query: str, body: bytes) -> subprocess.Popen[bytes]:
        environment = os.environ | ENVIRONMENT
        environment |= {
            "GIT_PROJECT_ROOT": str(self.server.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        backend = subprocess.Popen(
            ["git", "http-backend"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        assert backend.stdin is not None
        with suppress(BrokenPipeError), backend.stdin as stdin:
            stdin.write(body)  # a request for one commit: less than a pipe holds
        return backend

    def _pass_on(self, output: IO[bytes], how: Hostility) -> None:
        lines = iter(output.readline, b"\r\n")
        headers = dict(line.decode().rstrip("\r\n").split(": ", 1) for line in lines)
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for header in headers.items():
            self.send_header(*header)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        how.packs += 1
        spoilt = how.then is not None and how.takes_turn()
        passed, size = 0, 1 << 16 if how.rate is None else max(1, how.rate // 20)
        while piece := output.read(min(size, how.sent - passed) if spoilt else size):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            passed += len(piece)
            if how.rate is not None and self.server.closing.wait(len(piece) / how.rate):
                break
        if spoilt:
            how.reached.set()
            if how.then == "stall":
                self.server.closing.wait()
            self._hang_up()
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _refuse(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for header in headers.items():
            self.send_header(*header)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):  # the client may have gone
            self.connection.shutdown(SHUT_RDWR)

    def log_message(self, format: str, *arguments: object) -> None:
        """The test's output is no server log."""


@contextmanager
def hostile_git(folder: Path, hostile: Mapping[str, Hostility]) -> Iterator[str]:
    """Serve the bare repositories below `folder`; gives their URL.

    `hostile` says how a repository, by its name, is treated; it may change while the server runs.
    """
    server = _Server(folder, hostile)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _password(credentials: str | None) -> str | None:
    """The password in the header `Authorization: Basic`."""
    return None if credentials is None else b64decode(credentials.removeprefix("Basic ")).decode().partition(":")[2]


def _is_fetch(headers: Message, body: bytes) -> bool:
    return b"command=fetch" in (gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body)
