"""Prepares the opt-out demo in FOLDER: repositories, and two exports of issues (`python -m recipes.opt_out_demo`).

The repositories are the demo's, of a few packages. The first export is of before the dataset is made, the second of
after it: an owner asks for one repository, of which a fork holds near-copies, and a stranger asks for somebody else's.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from recipes.demo_repositories import build

PACKAGES = ("requests", "click", "Jinja2", "humanize", "wasabi")
TRACKER = "https://github.com/bigcode-project/opt-out-v2/issues"
FORM = """### Accounts and organizations to remove ENTIRELY

{accounts}

### Specific repositories to remove

{repositories}

### Optional - your relationship to what you listed

- [x] These are my own personal account(s).
- [ ] I am an owner or admin of the organization(s) listed.
- [ ] I am a maintainer / core contributor of the projects listed.

### Optional - a link that helps confirm this is you/yours

_No response_

### Anything else? (optional)

_No response_
"""
NONE = "_No response_"


def issue(number: int, login: str, day: str, accounts: str = NONE, repositories: str = NONE) -> dict[str, Any]:
    """An issue as GitHub exports it, with the 2026 form filled in by `login`."""
    return {
        "number": number,
        "html_url": f"{TRACKER}/{number}",
        "title": "Opt-out request",
        "user": {"login": login, "type": "User"},
        "labels": [],
        "state": "open",
        "created_at": f"{day}T09:30:00Z",
        "body": FORM.format(accounts=accounts, repositories=repositories),
    }


def prepare(folder: Path) -> None:
    """Make FOLDER anew; UsageError where it holds something else than this demo."""
    if folder.exists() and {path.name for path in folder.iterdir()} - {*INPUTS, "input"} - MADE:
        raise UsageError(f"{folder} holds something else than the opt-out demo; remove it, or name another folder.")
    for name in (*INPUTS, *MADE):
        path = folder / name
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    built = build(folder / "input", PACKAGES)
    exports = {
        "issues-before.json": [issue(101, "optedout", "2026-08-03", accounts="optedout")],
        "issues-after.json": [
            issue(102, "Pallets", "2026-11-02", repositories="https://github.com/pallets/click"),
            issue(103, "somebody-else", "2026-11-03", accounts="psf"),
        ],
    }
    for name, issues in exports.items():
        (folder / name).write_text(json.dumps(issues, indent=1) + "\n")
    print(f"{built.count} local repositories in {folder / 'input'}, {built.files} files.")


INPUTS = ("issues-before.json", "issues-after.json")
LEDGER = ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm")
MADE = frozenset({"run", "certificate", *LEDGER, "operator.key", "operator.pub", "numbers.json"})

if __name__ == "__main__":
    try:
        prepare(Path(sys.argv[1]))
    except UsageError as error:
        sys.exit(str(error))
