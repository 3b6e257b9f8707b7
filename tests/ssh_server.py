"""A real SSH server for tests, which does what git asks of the other side: it executes `git-upload-pack`."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import asyncssh


@contextmanager
def ssh_server(folder: Path) -> Iterator[tuple[str, str]]:
    """Gives the server's address, host:port, and the command for git to reach it by; keys are made in `folder`.

    `folder` holds `user`, whose key the server accepts, `stranger`, whose key it does not, and `known_hosts`.
    """
    folder.mkdir()
    host, user, stranger = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(3))
    for name, key in (("user", user), ("stranger", stranger)):
        key.write_private_key(str(folder / name))
        (folder / name).chmod(0o600)
    user.write_public_key(str(folder / "authorized_keys"))
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[host],
            authorized_client_keys=str(folder / "authorized_keys"),
            process_factory=_serve,
            encoding=None,
        )
    )
    address = f"127.0.0.1:{server.get_port()}"
    known = host.export_public_key().decode()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{server.get_port()} {known}")
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        command = ["ssh", "-F/dev/null", "-oIdentitiesOnly=yes", f"-i{folder}/user"]
        command += [f"-oUserKnownHostsFile={folder}/known_hosts", "-oGlobalKnownHostsFile=/dev/null"]
        yield address, shlex.join(command)
    finally:
        asyncio.run_coroutine_threadsafe(_close(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _serve(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """Execute the command, if it is the one git asks for."""
    words = shlex.split(process.command or "")
    if words[:1] != ["git-upload-pack"]:
        process.exit(127)
        return
    pipe = asyncio.subprocess.PIPE
    variables = {name: value for name, value in process.env.items() if name == "GIT_PROTOCOL"}
    variables |= {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    git = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, stderr=pipe, env=variables)
    asked = asyncio.ensure_future(_pass_on(process.stdin, git.stdin, end=True))
    await asyncio.gather(_pass_on(git.stdout, process.stdout), _pass_on(git.stderr, process.stderr))
    asked.cancel()
    process.exit(await git.wait())


async def _pass_on(source: Any, target: Any, end: bool = False) -> None:
    while piece := await source.read(1 << 16):
        target.write(piece)
        await target.drain()
    if end:
        target.close()


async def _close(server: asyncssh.SSHAcceptor) -> None:
    server.close()
    await server.wait_closed()
