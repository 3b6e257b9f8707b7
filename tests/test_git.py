"""Running git: tokens go to their host and nowhere else, and nothing a server does keeps git from ending."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread, Timer

import pytest

from stages.git import CONFIG, Git, Stopped
from stages.git_errors import GitError, failure

TOKEN = "ghp_" + "a1B2" * 9


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty repository, as a clone begins."""
    made = tmp_path / "repository"
    made.mkdir()
    (made / "gitconfig").write_text(CONFIG)
    Git(60, 60).run(made, ["init", "--quiet", "--bare", "--template="])
    return made


@contextmanager
def private(given: list[str]) -> Iterator[str]:
    """A host that asks for credentials, notes what it is given, and repeats it in its answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            credentials = self.headers.get("Authorization")
            if credentials:
                given.append(b64decode(credentials.removeprefix("Basic ")).decode())
            body = "".join(given).encode()
            self.send_response(403 if credentials else 401)
            self.send_header("WWW-Authenticate", 'Basic realm="private"')
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """The test's output is no server log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def silent() -> Iterator[str]:
    """A server that accepts, and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_token_goes_to_its_host_when_it_asks_and_into_no_message(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("GIT_TRACE", "GIT_TRACE_CURL", "GIT_CURL_VERBOSE", "GIT_TRACE2"):
        monkeypatch.setenv(name, "1")
    given: list[str] = []
    with private(given) as host:
        git = Git(60, 60, {host: TOKEN, "other.example": "ghp_other"})
        said: list[str] = []
        with (
            pytest.raises(GitError) as raised,
            git.output(folder, ["ls-remote", f"http://{host}/o/n"], url=f"http://{host}/o/n", errors=said) as output,
        ):
            assert output.read() == b""
        assert given == [f"x-access-token:{TOKEN}"]
        assert "***" in said[0]  # git had shown what the host said
        assert TOKEN not in f"{said} {raised.value} {git!r} {capfd.readouterr()}"
        assert not [path for path in folder.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
        given.clear()
        for tokens in ({}, {"127.0.0.1": TOKEN}, {"localhost": TOKEN}):
            with pytest.raises(GitError) as raised:
                Git(60, 60, tokens).run(folder, ["ls-remote", f"http://{host}/o/n"], f"http://{host}/o/n")
            assert raised.value.reason == "repository_gone"
        assert given == []


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("https://github.com/o/n", True),
        ("https://user@GitHub.com/o/n", True),
        ("https://github.com:8443/o/n", False),
        ("https://github.com.example/o/n", False),
        ("https://example.com/github.com/o/n", False),
        ("http://github.com/o/n", False),  # anybody on the way could read it
        ("ssh://github.com/o/n", False),
        ("git@github.com:o/n", False),
        ("file:///github.com/o/n", False),
    ],
)
def test_only_an_encrypted_connection_to_the_host_itself_is_given_the_token(
    url: str, token: bool, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = tmp_path / "git"  # stands for git, and shows its environment and arguments
    shown.write_text(f"#!{sys.executable}\nimport os, sys\nprint(dict(os.environ), sys.argv)\n")
    shown.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    printed = Git(60, 60, {"github.com": TOKEN}).run(folder, ["ls-remote", url], url)[0].decode()
    assert (TOKEN in printed) == token
    assert TOKEN not in printed.rpartition("[")[2]


def test_ssh_asks_nobody_and_gives_up(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\nexit 255\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for command in (None, "ssh -i key"):
        if command:
            monkeypatch.setenv("GIT_SSH_COMMAND", command)
        with pytest.raises(GitError) as raised:
            Git(60, 7).run(folder, ["ls-remote", "git@host.example:o/n"], "git@host.example:o/n")
        assert raised.value.transient
        given = (tmp_path / "arguments").read_text()
        assert "-oBatchMode=yes -oConnectTimeout=7" in given
        assert ("-i key" in given) == bool(command)


def test_a_silent_server_ends_within_the_stall_and_is_transient(folder: Path) -> None:
    began = time.monotonic()
    with silent() as host, pytest.raises(GitError) as raised:
        Git(60, 1).run(folder, ["ls-remote", f"http://{host}/o/n"], f"http://{host}/o/n")
    assert raised.value.transient
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("scheme", ["http", "git"])
def test_git_ends_at_once_when_its_result_is_not_wanted_any_more(scheme: str, folder: Path) -> None:
    git = Git(60, 60, stopping=Event())
    began = time.monotonic()
    with silent() as host:
        Timer(0.3, git.stopping.set).start()
        with pytest.raises(Stopped):
            git.run(folder, ["ls-remote", f"{scheme}://{host}/o/n"], f"{scheme}://{host}/o/n")
        with pytest.raises(Stopped):
            git.run(folder, ["version"])
    assert time.monotonic() - began < 5


def test_a_check_may_end_git(folder: Path) -> None:
    def check() -> None:
        raise LookupError("enough")

    with silent() as host, pytest.raises(LookupError, match="enough"):
        Git(60, 60).run(folder, ["ls-remote", f"git://{host}/o/n"], f"git://{host}/o/n", check)


def test_git_and_its_children_end_with_a_killed_worker(folder: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from stages.git import Git\n"
        "Git(600, 600).run(Path(sys.argv[1]), ['ls-remote', sys.argv[2]], sys.argv[2])\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/o/n"
        root = Path(__file__).parent.parent
        with subprocess.Popen([sys.executable, "-c", script, str(folder), url], cwd=root) as worker:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(10)
                assert connection.recv(1 << 16).startswith(b"GET")
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n00")  # the rest never comes
                worker.kill()
                with suppress(ConnectionResetError):
                    assert connection.recv(1) == b""  # the client is gone


@pytest.mark.parametrize(
    "said",
    ["error: 479 bytes of body are still expected\nfatal: early EOF", "error: 503 bytes of body are still expected"],
)
def test_bytes_that_are_missing_are_no_http_status(said: str, tmp_path: Path) -> None:
    error = failure(said, "https://host/o/n", tmp_path)
    assert isinstance(error, GitError)
    assert error.reason == "repository_unreachable"


@pytest.mark.parametrize(
    ("status", "reason"), [(404, "repository_gone"), (451, "repository_gone"), (429, "repository_unreachable")]
)
def test_an_http_status_tells_the_reason(status: int, reason: str, tmp_path: Path) -> None:
    said = f"fatal: unable to access 'https://host/o/n/': The requested URL returned error: {status}"
    error = failure(said, "https://host/o/n", tmp_path)
    assert isinstance(error, GitError)
    assert error.reason == reason
