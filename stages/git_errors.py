"""What git and the hosts say when something fails, as one of acquire's reasons and one line without credentials."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

_FULL = re.compile(r"No space left on device|Disk quota exceeded")
# What git and the hosts say, by the reason it stands for; the first that matches counts. An HTTP status stands behind
# "returned": git also says "error: 541779…: expected commit type", and "error: 479 bytes of body are still expected".
_SYMPTOMS = (
    ("too_many_files", r"[Oo]ut of memory|[Cc]annot allocate memory"),
    ("ref_not_found", r"not our ref|[Cc]ouldn't find remote ref|unadvertised object"),
    (
        "repository_unreachable",
        r"returned error: (?:5\d\d|429|408)\b|[Tt]imed out|[Cc]ould ?n[o']t resolve|Connection (?:refused|reset)",
    ),
    (
        "repository_gone",
        r"[Rr]epository .*not found|could not be found|does not appear to be a git repository|no longer exists"
        r"|could not read (?:Username|Password)|Authentication failed|Permission denied|[Aa]ccess denied"
        r"|returned error: 4\d\d\b|not exported|unavailable due to",
    ),
    (
        "repository_corrupt",
        r"corrupt|bad object|missing (?:blob|tree|commit)|(?:could not|unable to|failed to) (?:read|parse|unpack)"
        r"|did not send all necessary objects|inflate|unresolved delta|not point to a valid object|broken ref",
    ),
)


class GitError(Exception):
    """Git could not do it. `reason` is one of acquire's reasons; the text holds no credentials.

    `transient` says whether another try, later, may well succeed.
    """

    def __init__(self, reason: str, message: str, transient: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.transient = transient or reason == "repository_unreachable"

    @property
    def detail(self) -> dict[str, Any]:
        """The evidence of the decision."""
        return {"error": str(self), "transient": self.transient}


def failure(said: str, url: str | None, folder: Path) -> Exception:
    """What git's failure means, by what it `said` of its repository `folder` and, if it asked one, of the server."""
    if _FULL.search(said):
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    remote = url is not None and not url.startswith("file://")
    reason = next(
        (reason for reason, symptom in _SYMPTOMS if re.search(symptom, said)),
        "repository_unreachable" if remote else "repository_corrupt",
    )
    return GitError(reason, sentence(said, folder))


def sentence(said: str, folder: Path) -> str:
    """The first thing git found fatal, without our temporary folder and whatever stands before an @ in a URL."""
    lines = said.replace(f"{folder}/", "").splitlines()
    line = next((line for line in lines if line.startswith("fatal: ")), lines[0] if lines else "git gave no reason")
    return re.sub(r"//[^/\s]*@", "//", line.removeprefix("fatal: "))[:200]
