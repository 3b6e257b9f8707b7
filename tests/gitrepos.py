"""Builds real git repositories for tests, with commit ids that are the same everywhere, and serves them over HTTP."""

from __future__ import annotations

import gzip
import os
import subprocess
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR
from tempfile import TemporaryFile
from threading import Event, Thread
from typing import IO, Literal

ENVIRONMENT = {
    "GIT_AUTHOR_NAME": "A. Author",
    "GIT_AUTHOR_EMAIL": "author@example.com",
    "GIT_AUTHOR_DATE": "1700000000 +0000",
    "GIT_COMMITTER_NAME": "A. Author",
    "GIT_COMMITTER_EMAIL": "author@example.com",
    "GIT_COMMITTER_DATE": "1700000000 +0000",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "LC_ALL": "C",
}


def git(repository: Path, *arguments: str, stdin: bytes = b"") -> str:
    """Run git in a bare repository, and return what it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *arguments],
        input=stdin,
        capture_output=True,
        env=environment | ENVIRONMENT | {"GIT_DIR": str(repository)},
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode(errors="replace").strip()


def empty_repository(path: Path) -> Path:
    """A bare repository without a commit; its HEAD is the unborn branch main."""
    path.parent.mkdir(parents=True, exist_ok=True)
    git(path, "init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(path))
    return path


def commit_files(
    path: Path,
    files: Mapping[str | bytes, bytes],
    modes: Mapping[str | bytes, str] | None = None,
    branch: str = "main",
) -> Path:
    """Commit `files` (path -> content) on `branch` of the bare repository `path`, which is made if it is not there.

    `modes` gives a file another mode than 100644: 100755, 120000 (content is the link's target) or 160000 (content is
    40 hex digits). Files of an earlier commit stay. Returns `path`; its commit is `commit_of(path)`.
    """
    if not path.exists():
        empty_repository(path)
    lines = [b"commit refs/heads/%s\n" % branch.encode()]
    lines.append(b"committer A. Author <author@example.com> 1700000000 +0000\ndata 5\nfiles\n")
    if git(path, "for-each-ref", f"refs/heads/{branch}"):
        lines.append(b"from refs/heads/%s^0\n" % branch.encode())
    for name, content in files.items():
        mode = (modes or {}).get(name, "100644").encode()
        quoted = b'"' + b"".join(b"\\%03o" % byte for byte in _bytes(name)) + b'"'
        if mode == b"160000":
            lines.append(b"M 160000 %s %s\n" % (content, quoted))
        else:
            lines.append(b"M %s inline %s\ndata %d\n%s\n" % (mode, quoted, len(content), content))
    git(path, "fast-import", "--quiet", stdin=b"".join(lines))
    return path


def commit_tree(path: Path, entries: Sequence[tuple[str, bytes, str]], branch: str = "main") -> Path:
    """Commit one tree made of raw (mode, name, object id) entries, also such as no git command would write."""
    if not path.exists():
        empty_repository(path)
    raw = b"".join(b"%s %s\0%s" % (mode.encode(), name, bytes.fromhex(oid)) for mode, name, oid in entries)
    tree = git(path, "hash-object", "-t", "tree", "--literally", "-w", "--stdin", stdin=raw)
    git(path, "update-ref", f"refs/heads/{branch}", git(path, "commit-tree", tree, stdin=b"tree"))
    return path


def write_blob(path: Path, content: bytes) -> str:
    """Write a loose blob and return its id."""
    return git(path, "hash-object", "-w", "--stdin", stdin=content)


def commit_of(path: Path, ref: str = "HEAD") -> str:
    return git(path, "rev-parse", f"{ref}^{{commit}}")


def _bytes(name: str | bytes) -> bytes:
    return name.encode() if isinstance(name, str) else name


@dataclass
class Behaviour:
    """How a server treats one repository, when it does not just give it.

    `sent` bytes of an answer are sent before what `then` says; answers that are shorter are given whole. `times` is how
    often: afterwards the server behaves. It may be changed while the server runs.
    """

    status: int | None = None  # sent instead
    headers: Mapping[str, str] = field(default_factory=dict)  # sent with the status
    token: str | None = None  # whoever does not give this password is asked for one, with 401
    sent: int | None = None
    then: Literal["break", "stall", "slow"] = "break"
    of: Literal["any", "pack"] = "any"  # the answers that are treated so: any, or those alone that hold a pack
    rate: int = 100_000  # bytes a second of "slow"
    times: int = 1_000_000
    heard: list[str] = field(default_factory=list)  # the credentials it was given, as they were sent
    reached: Event = field(default_factory=Event)  # `sent` bytes were sent, and what `then` says has begun

    def takes_turn(self) -> bool:
        """Whether it misbehaves once more."""
        self.times -= 1
        return self.times >= 0


@contextmanager
def served(folder: Path, answers: Mapping[str, int | Behaviour] | None = None) -> Iterator[str]:
    """Serve the bare repositories below `folder` with git http-backend; gives the URL of `folder`.

    `answers` maps a repository's name to an HTTP status that is sent instead, or to how it is treated; it may change
    while the server runs.
    """
    closing = Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            answer = (answers or {}).get(path.split("/")[1], Behaviour())
            how = Behaviour(answer) if isinstance(answer, int) else answer
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if credentials := self.headers.get("Authorization"):
                how.heard.append(credentials)
            status = how.status if how.status is not None and how.takes_turn() else None
            if how.token is not None and how.token != _password(credentials):
                status = 401
            if status is not None:
                self._refuse(status, how.headers)
                return
            environment = os.environ | ENVIRONMENT
            environment |= {
                "GIT_PROJECT_ROOT": str(folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }
            with TemporaryFile() as stdin:
                stdin.write(body)
                stdin.seek(0)
                # What a backend says of a damaged repository is no output of the test.
                quiet = subprocess.DEVNULL
                backend = subprocess.Popen(
                    ["git", "http-backend"], stdin=stdin, stdout=subprocess.PIPE, stderr=quiet, env=environment
                )
            assert backend.stdout is not None
            with backend, backend.stdout as output, suppress(ConnectionError):  # the client may have gone
                try:
                    self._pass_on(output, how if how.of == "any" or self._asks_for_pack(body) else Behaviour())
                finally:
                    backend.kill()

        do_POST = do_GET

        def _refuse(self, status: int, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="private"')
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _asks_for_pack(self, body: bytes) -> bool:
            return b"command=fetch" in (gzip.decompress(body) if "Content-Encoding" in self.headers else body)

        def _pass_on(self, output: IO[bytes], how: Behaviour) -> None:
            """Send what the backend gives, as it comes, and misbehave on the way."""
            lines = iter(output.readline, b"\r\n")
            headers = dict(line.decode().rstrip("\r\n").split(": ", 1) for line in lines)
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in headers.items():
                if name != "Content-Length":
                    self.send_header(name, value)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.flush()
            self._send(output.read(how.sent or 0))
            piece = output.read(1)
            if piece and how.sent is not None and how.takes_turn():
                how.reached.set()
                if how.then == "slow":
                    while piece and not closing.wait(0.05):
                        self._send(piece)
                        piece = output.read(how.rate // 20)
                else:
                    if how.then == "stall":
                        closing.wait()
                    self.close_connection = True
                    self.connection.shutdown(SHUT_RDWR)
                    return
            while piece:
                self._send(piece)
                piece = output.read(1 << 16)
            self.wfile.write(b"0\r\n\r\n")

        def _send(self, piece: bytes) -> None:
            if piece:  # an empty chunk would be the last
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))

        def log_message(self, format: str, *arguments: object) -> None:
            """The test's output is no server log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _password(credentials: str | None) -> str | None:
    """The password in the header Authorization: Basic."""
    return None if credentials is None else b64decode(credentials.removeprefix("Basic ")).decode().partition(":")[2]
