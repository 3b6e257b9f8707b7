"""A real S3 API on a port of this machine (moto's server), which can be told to fail as real stores do."""

from __future__ import annotations

import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from s3fs import S3FileSystem
from werkzeug.serving import make_server

ANSWERS = {
    "500": ("InternalError", "500 Internal Server Error"),
    "503": ("SlowDown", "503 Slow Down"),
    "501": ("NotImplemented", "501 Not Implemented"),
    "403": ("AccessDenied", "403 Forbidden"),
}
FAULTS = ("500", "503", "slow", "dropped", "answer lost", "half an answer")
SECRET = "Zm9yLXRlc3RzLW9ubHkK"  # of the credentials tests work with, which no message may show
SLOW = 0.1  # seconds


@dataclass
class S3:
    """The server. `requests` counts by operation, `faults` by kind."""

    url: str = ""
    requests: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    _share: float = 0.0
    _kinds: tuple[str, ...] = FAULTS
    _random: random.Random = field(default_factory=random.Random)
    _lock: Any = field(default_factory=Lock)

    @property
    def environment(self) -> dict[str, str]:
        """Settings with which every client of AWS finds the server."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "AKIDQUARRYTESTS",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @contextmanager
    def failing(self, share: float, kinds: Iterable[str] = FAULTS, seed: int = 0) -> Iterator[Counter[str]]:
        """Let `share` of the requests fail, by one of `kinds` each; gives what failed, counted."""
        with self._lock:
            self.faults.clear()
            self._share, self._kinds, self._random = share, tuple(kinds), random.Random(seed)
        try:
            yield self.faults
        finally:
            self._share = 0.0

    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id="AKIDQUARRYTESTS",
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )

    def files(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """Every object below `prefix` and its content, as another client sees them."""
        client, found = self.client(), {}
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", ()):
                key = entry["Key"]
                found[key.removeprefix(prefix)] = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        client.close()
        return found

    def _next_fault(self, environ: dict[str, Any]) -> str | None:
        with self._lock:
            self.requests[_operation(environ)] += 1
            if self._random.random() >= self._share:
                return None
            kind = self._random.choice(self._kinds)
            self.faults[kind] += 1
            return kind

    def answer(self, app: Callable[..., Iterable[bytes]], environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        """The application's answer, or a failure in its place. A WSGI application."""
        fault = self._next_fault(environ)
        if fault in ("dropped", *ANSWERS):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if fault == "dropped":
            return _hang_up(environ)
        if fault in ANSWERS:
            code, status = ANSWERS[fault]
            body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>m</Message></Error>".encode()
            start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
            return [body]
        if fault == "slow":
            time.sleep(SLOW)
        if fault == "answer lost":
            with suppress(Exception):
                list(app(environ, lambda *_: None))
            return _hang_up(environ)
        answer = app(environ, start)
        if fault == "half an answer":
            body = b"".join(answer)
            return _cut(body[: len(body) // 2], environ)
        return answer


def _hang_up(environ: dict[str, Any]) -> Iterable[bytes]:
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError


def _cut(body: bytes, environ: dict[str, Any]) -> Iterator[bytes]:
    yield body
    _hang_up(environ)


def _operation(environ: dict[str, Any]) -> str:
    query = environ.get("QUERY_STRING", "")
    what = next((name for name in ("list-type=2", "uploads", "uploadId", "delete") if name in query), "")
    return f"{environ['REQUEST_METHOD']} {what}".strip()


class _Quiet(MotoRequestHandler):
    def log(self, type: str, message: str, *arguments: object) -> None:
        """The test's output is no server log."""


@contextmanager
def s3_server() -> Iterator[S3]:
    """A running server with an empty store."""
    store = S3()
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server(
        "127.0.0.1", 0, lambda environ, start: store.answer(app, environ, start), True, request_handler=_Quiet
    )
    store.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield store
    finally:
        S3FileSystem.clear_instance_cache()
        server.shutdown()
        thread.join()
        server.server_close()
