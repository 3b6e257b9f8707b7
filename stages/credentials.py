"""Reads access tokens from a file: the hosts.yml that GitHub's `gh` keeps, or one line that is a token.

A token is read where it is used and handed on as a value; no message of ours quotes the file. The path is absolute or
begins with ~, so that it means the same on every worker.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import yaml

from pipeline.errors import UsageError

GITHUB = "github.com"  # whose token a file of one line holds

_TOKEN = re.compile(r"[!-9;-~]+")  # visible ASCII, and no colon, which would make it YAML


def read_tokens(path: str) -> dict[str, str]:
    """Host, in lower case -> token. Raises UsageError in a sentence that quotes nothing of the file."""
    if not path.startswith(("/", "~")):
        raise UsageError(f"the token file '{path}' is given by a relative path; write it absolute, or with ~.")
    text = _read(path).strip()
    if not text:
        raise UsageError(f"the token file '{path}' is empty; write one with: gh auth token > FILE.")
    if _TOKEN.fullmatch(text):
        return {GITHUB: text}
    found = _hosts(text)
    if found is None:
        raise UsageError(f"the token file '{path}' holds neither one token alone nor the hosts.yml of gh; mend it.")
    tokens = {host.lower(): token for host, entry in found.items() if (token := _token_of(entry))}
    if not tokens:
        raise UsageError(
            f"the token file '{path}' names hosts but holds no token (gh keeps it in the keyring); "
            "write one with: gh auth token > FILE."
        )
    return tokens


def read_token(path: str, host: str) -> str:
    """The token for `host`. Raises UsageError as `read_tokens` does, and where the file has none for this host."""
    tokens = read_tokens(path)
    if host.lower() not in tokens:
        raise UsageError(f"the token file '{path}' holds no token for {host}; name it there as gh does in hosts.yml.")
    return tokens[host.lower()]


def _read(path: str) -> str:
    try:
        with open(os.path.expanduser(path), encoding="utf-8-sig") as file:
            return file.read()
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no path"
    raise UsageError(f"cannot read the token file '{path}' ({reason}).")


def _hosts(text: str) -> Mapping[str, Any] | None:
    """The file as gh's hosts.yml: host -> entry; None where it is something else."""
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):  # ValueError: a scalar that looks like a date, and is none
        return None
    if isinstance(found, dict) and all(isinstance(host, str) for host in found):
        return found
    return None


def _token_of(entry: Any) -> str | None:
    """The token of a host's entry: its own, or the active user's, or that of the first user who has one."""
    if not isinstance(entry, dict):
        return None
    users = entry.get("users")
    users = users if isinstance(users, dict) else {}
    for holder in (entry, users.get(str(entry.get("user"))), *users.values()):
        token = holder.get("oauth_token") if isinstance(holder, dict) else None
        if isinstance(token, str) and _TOKEN.fullmatch(token):
            return token
    return None
