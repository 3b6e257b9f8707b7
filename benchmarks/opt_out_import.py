"""How fast `quarry opt-out import` takes in an export of issues, and how much memory it needs.

`python -m benchmarks.opt_out_import [--issues 10000]` writes an export as GitHub's REST API gives it (2.4 kB an issue:
account-wide requests, lists, the form of 2026, free words), imports it in a process of its own, and imports it again.
Rates are of issues by the clock, and by processor time, which other work on the machine does not lengthen.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

QUARRY = (sys.executable, "-c", "from cli.main import main; main()", "opt-out")


def main() -> None:
    """Print issues a second of the whole command, and its peak memory, for a first and a second import."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--issues", type=int, default=10_000)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        export, ledger = Path(folder, "issues.json"), Path(folder, "ledger.sqlite")
        export.write_text(json.dumps([_issue(number) for number in range(1, options.issues + 1)]))
        print(f"{options.issues:,} issues, {export.stat().st_size / 1e6:.1f} MB")
        for what in ("first import", "second import"):
            done = _measured(["import", str(export), "--ledger", str(ledger), "--json"])
            print(
                f"{what}: {done.seconds:.1f} s, {options.issues / done.seconds:,.0f} issues/s; processor "
                f"{done.processor:.1f} s, {options.issues / done.processor:,.0f} issues/s; "
                f"peak memory {done.peak:.0f} MB; {done.said.strip()}"
            )
        start = _measured(["list", "--help"])
        print(
            f"of these, any command takes to start: {start.seconds:.1f} s, processor {start.processor:.1f} s, "
            f"{start.peak:.0f} MB"
        )


class Measured(NamedTuple):
    """What a command took: seconds, seconds of processor time, MB (10^6 bytes) of resident memory; and its output."""

    seconds: float
    processor: float
    peak: float
    said: str


def _measured(arguments: list[str]) -> Measured:
    start = time.monotonic()
    process = subprocess.Popen([*QUARRY, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit("the command failed, as said above.")
    processor = usage.ru_utime + usage.ru_stime
    return Measured(time.monotonic() - start, processor, usage.ru_maxrss * 1024 / 1e6, said)


def _issue(number: int) -> dict[str, Any]:
    """An issue with the keys of the REST API."""
    login = f"account-{number % 9000}"
    api = "https://api.github.com"
    base = f"{api}/repos/bigcode-project/opt-out-v2/issues/{number}"
    parts = ("followers", "following", "gists", "starred", "subscriptions", "organizations", "repos", "events")
    user = {"login": login, "id": number, "type": "User", "site_admin": False}
    user |= {f"{part}_url": f"{api}/users/{login}/{part}" for part in parts}
    reactions = dict.fromkeys(("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes"), 0)
    return {
        "url": base,
        "repository_url": f"{api}/repos/bigcode-project/opt-out-v2",
        "labels_url": f"{base}/labels{{/name}}",
        "comments_url": f"{base}/comments",
        "events_url": f"{base}/events",
        "html_url": f"https://github.com/bigcode-project/opt-out-v2/issues/{number}",
        "id": 2_000_000_000 + number,
        "node_id": f"I_{number:020d}",
        "number": number,
        "title": f"Opt-out request for {login}",
        "user": user,
        "labels": [],
        "state": "open",
        "locked": False,
        "assignees": [],
        "milestone": None,
        "comments": 0,
        "created_at": f"2026-08-{1 + number % 28:02d}T10:20:30Z",
        "updated_at": f"2026-08-{1 + number % 28:02d}T10:20:30Z",
        "closed_at": None,
        "author_association": "NONE",
        "body": _body(number, login),
        "reactions": {"url": f"{base}/reactions", "total_count": 0, **reactions},
        "timeline_url": f"{base}/timeline",
        "state_reason": None,
    }


def _body(number: int, login: str) -> str:
    sentence = "I request that the following data is removed from The Stack:\n\n"
    note = (
        "\n_Note_: If you don't want all resources to be included just remove the elements from the list above. If you "
        'would like to exclude all repositories and resources just add a single element "all" to the list.\n...'
    )
    if number % 10 < 4:
        return f"{sentence} - Commits\n - GitHub issue\n - all\n{note}"
    if number % 10 < 7:
        return (
            sentence + "".join(f" - {login}/project-{at}\n" for at in range(number % 40)) + f" - {login}/last\n" + note
        )
    if number % 10 < 9:
        boxes = (
            "- [x] These are my own personal account(s).\n- [ ] I am an owner or admin of the organization(s) listed.\n"
            "- [ ] I am a maintainer / core contributor of the projects listed."
        )
        answers = {
            "Accounts and organizations to remove ENTIRELY": f"{login}\nteam-{number}",
            "Specific repositories to remove": "_No response_",
            "Optional - your relationship to what you listed": boxes,
            "Optional - a link that helps confirm this is you/yours": "_No response_",
            "Anything else? (optional)": "_No response_",
        }
        return "\n\n".join(f"### {heading}\n\n{answer}" for heading, answer in answers.items())
    return "Please take everything of mine out of it, and tell me which versions it was in. " * 5


if __name__ == "__main__":
    main()
