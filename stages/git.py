"""Runs the real `git`, never a shell, with nobody's configuration but ours.

Every command is watched: it and its children are killed when its time is over, when its result is not wanted any more,
or when the caller's own check says so. A token for a private host is handed over in that one process's environment, to
be asked for by git when that host wants it: it stands on no command line, in no file, and in no message.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from threading import Event, Thread
from typing import IO
from urllib.parse import urlsplit

from pipeline.errors import UsageError
from stages.git_errors import GitError, failure

# Read by every git that is started, by the server's side of a file:// URL too. `safe.directory`: repositories on this
# machine may belong to others; nothing in them is executed. The other settings keep a clone to one pack and one core.
CONFIG = """\
[safe]
	directory = *
[core]
	hooksPath = /dev/null
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
[fetch]
	unpackLimit = 1
[pack]
	threads = 1
	window = 0
[gc]
	auto = 0
[maintenance]
	auto = false
"""
PROTOCOLS = "file:http:https:ssh:git"
LOOPBACK = ("127.0.0.1", "::1", "localhost")  # the only hosts that are given a token without encryption
# Asked by git for one host's credentials; prints nothing but to `get`.
HELPER = """!f() { test "$1" = get && printf 'username=x-access-token\\npassword=%s\\n' "$QUARRY_TOKEN"; }; f"""
# Kills the process group $1 when its input ends without a line. It goes into the background, so that whoever ends us
# and all our children does not end it too.
GUARD = "exec 3<&0; (read -r ended <&3 || kill -s KILL -- -$1) >/dev/null 2>&1 &"
POLL_S = 0.1  # how often a running git is looked at
MEMORY = 2 << 30  # bytes of data a git process may hold


class Stopped(Exception):
    """Nobody wants the result any more."""


@dataclass(frozen=True)
class Git:
    """How git commands are run."""

    timeout_s: float  # a command may take
    stall_s: float  # a server may send nothing
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)  # host, with its port if it has one -> token
    stopping: Event = field(default_factory=Event)

    def run(
        self, folder: Path, arguments: list[str], url: str | None = None, check: Callable[[], None] | None = None
    ) -> tuple[bytes, str]:
        """What a command prints, and what it says on the side; see `output`."""
        errors: list[str] = []
        with self.output(folder, arguments, url=url, check=check, errors=errors) as output:
            printed = output.read()
        return printed, errors[0]

    @contextmanager
    def output(
        self,
        folder: Path,
        arguments: list[str],
        lines: Iterable[str] = (),
        url: str | None = None,
        check: Callable[[], None] | None = None,
        errors: list[str] | None = None,
    ) -> Iterator[IO[bytes]]:
        """Run git in the bare repository `folder` with `lines` as its input; gives its output, to be read to the end.

        The output ends early where git does, so it is judged after the `with`. `url` is the server that the command
        asks. `check` is called while it runs, and what it raises is raised here. Raises GitError where git fails or
        does not end in time, Stopped, and OSError where the disk is full.
        """
        token = self._token(url)
        with TemporaryFile() as stdin, TemporaryFile() as stderr:
            stdin.writelines(f"{line}\n".encode() for line in lines)
            stdin.seek(0)
            if self.stopping.is_set():
                raise Stopped
            try:
                process = subprocess.Popen(
                    ["git", *arguments],
                    stdin=stdin,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    cwd=folder,
                    env=self._environment(folder, url, token),
                    start_new_session=True,
                )
            except FileNotFoundError:
                raise UsageError("git is not installed on this machine; install it and run again.") from None
            # Its children inherit the limit. Ordinary repositories stay far below; some are made to exhaust memory.
            with suppress(ProcessLookupError):
                resource.prlimit(process.pid, resource.RLIMIT_DATA, (MEMORY, MEMORY))
            watch = _Watch(process, self, arguments[0], check)
            watch.start()
            assert process.stdout is not None
            try:
                # What works on this machine alone ends by itself soon enough.
                with process.stdout, _guarded(process) if url else nullcontext():
                    yield process.stdout
                    process.wait()
            finally:
                _kill(process)
                process.wait()
                watch.end()
            stderr.seek(0)
            said = stderr.read(1 << 16).decode(errors="replace")
            if token:
                said = said.replace(token, "***")
            if errors is not None:
                errors.append(said)
            if process.returncode:
                raise watch.cause or failure(said, url, folder)

    def _token(self, url: str | None) -> str | None:
        """The token for the server of `url`; none for a server to which it would go for everybody to read."""
        parts = urlsplit(url or "")
        if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
            return self.tokens.get(parts.netloc.rpartition("@")[2].lower())
        return None

    def _environment(self, folder: Path, url: str | None, token: str | None) -> dict[str, str]:
        """The user's environment (HOME with ~/.netrc, ssh's agent, proxies) without git's own variables, with ours."""
        kept = ("GIT_SSL_", "GIT_SSH", "GIT_PROXY_")
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name.startswith(kept)
        }
        environment |= {
            "GIT_DIR": str(folder),
            "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ALLOW_PROTOCOL": PROTOCOLS,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "",  # empty: no askpass program at all
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "LC_ALL": "C",
        }
        seconds = math.ceil(self.stall_s)
        # One byte a second: a server that is still packing sends no more than signs of life.
        settings = {"http.lowSpeedLimit": "1", "http.lowSpeedTime": str(seconds)}
        if token:
            parts = urlsplit(url or "")
            settings[f"credential.{parts.scheme}://{parts.netloc.rpartition('@')[2]}.helper"] = HELPER
            environment["QUARRY_TOKEN"] = token
        environment["GIT_CONFIG_COUNT"] = str(len(settings))
        for place, (name, value) in enumerate(settings.items()):
            environment |= {f"GIT_CONFIG_KEY_{place}": name, f"GIT_CONFIG_VALUE_{place}": value}
        ssh = environment.get("GIT_SSH_COMMAND", "ssh")
        if ssh.split()[:1] == ["ssh"] and "GIT_SSH" not in environment:  # another program has options of its own
            alive = f"-oServerAliveInterval={seconds} -oServerAliveCountMax=1"
            environment["GIT_SSH_COMMAND"] = f"{ssh} -oBatchMode=yes -oConnectTimeout={seconds} {alive}"
        return environment


class _Watch(Thread):
    """Kills a process that has to end; `cause` says why."""

    def __init__(self, process: subprocess.Popen[bytes], git: Git, command: str, check: Callable[[], None] | None):
        super().__init__(daemon=True)
        self.cause: Exception | None = None
        self._process, self._git, self._command, self._check = process, git, command, check
        self._ended = Event()
        self._deadline = time.monotonic() + git.timeout_s

    def run(self) -> None:
        try:
            while not self._ended.wait(min(POLL_S, max(0.0, self._deadline - time.monotonic()))):
                if self._git.stopping.is_set():
                    raise Stopped
                if time.monotonic() >= self._deadline:
                    raise GitError(
                        "repository_unreachable",
                        f"git {self._command} had not ended after {self._git.timeout_s:g} seconds",
                    )
                if self._check:
                    self._check()
        except Exception as error:
            self.cause = error
            _kill(self._process)

    def end(self) -> None:
        self._ended.set()
        self.join()


@contextmanager
def _guarded(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Should this process be killed, a download would go on without it: let it end, with all its children."""
    guard = subprocess.Popen(
        ["sh", "-c", GUARD, "sh", str(process.pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
    guard.wait()
    try:
        yield
    finally:
        _kill(process)
        with suppress(BrokenPipeError):
            guard.communicate(b"\n")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill git and its children, unless git has ended and was waited for."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
