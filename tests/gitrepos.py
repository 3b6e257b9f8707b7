"""Builds real git repositories for tests, with commit ids that are the same everywhere, and serves them over HTTP."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

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


@contextmanager
def served(folder: Path, answers: Mapping[str, int] | None = None) -> Iterator[str]:
    """Serve the bare repositories below `folder` with git http-backend; gives the URL of `folder`.

    `answers` maps a repository's name to an HTTP status that is sent instead.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            status = (answers or {}).get(path.split("/")[1])
            if status is not None:
                self.send_response(status)
                if status == 401:
                    self.send_header("WWW-Authenticate", 'Basic realm="private"')
                self.send_header("Content-Length", "0")
                self.end_headers()
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
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=environment)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, format: str, *arguments: object) -> None:
            """The test's output is no server log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
