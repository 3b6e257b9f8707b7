"""Token files: gh's and plain ones are read, all others refused in a sentence that gives nothing away."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import UsageError
from stages.credentials import read_token, read_tokens

TOKEN = "gho_abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "token"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        (TOKEN, {"github.com": TOKEN}),
        (f"\ufeff{TOKEN}\r\n\n", {"github.com": TOKEN}),
        (
            f"github.com:\n    oauth_token: {TOKEN}\n    user: me\nGHE.example.org:\n    oauth_token: other\n",
            {"github.com": TOKEN, "ghe.example.org": "other"},
        ),
        (f"github.com:\n    users:\n        me:\n            oauth_token: {TOKEN}\n", {"github.com": TOKEN}),
        (
            "github.com:\n    users:\n        you:\n            oauth_token: no\n        me:\n"
            f"            oauth_token: {TOKEN}\n    user: me\n",
            {"github.com": TOKEN},
        ),
        (f"127.0.0.1:8080:\n    oauth_token: {TOKEN}\n", {"127.0.0.1:8080": TOKEN}),
    ],
)
def test_reads_a_token_and_what_gh_writes(file: Path, text: str, tokens: dict[str, str]) -> None:
    file.write_text(text)
    assert read_tokens(str(file)) == tokens


def test_a_home_path_is_the_users_own(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(TOKEN)
    monkeypatch.setenv("HOME", str(file.parent))
    assert read_tokens("~/token") == {"github.com": TOKEN}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty; write one with: gh auth token > FILE"),
        (b" \n", "is empty"),
        (f"token {TOKEN}".encode(), "neither one token alone nor the hosts.yml"),
        (f"{TOKEN}\n{TOKEN}".encode(), "neither one token alone nor the hosts.yml"),
        (f"github.com: [{TOKEN}".encode(), "neither one token alone nor the hosts.yml"),
        (f"2024-13-45: {TOKEN}".encode(), "neither one token alone nor the hosts.yml"),
        (f"github.com: {TOKEN}".encode(), "holds no token"),
        (b"github.com:\n    users:\n        me:\n    user: me\n", "in the keyring.*: gh auth token > FILE"),
        (b"\xff\xfe" + TOKEN.encode("utf-16-le"), "not UTF-8"),
    ],
)
def test_refuses_other_files_without_quoting_them(file: Path, content: bytes, says: str) -> None:
    file.write_bytes(content)
    with pytest.raises(UsageError, match=says) as error:
        read_tokens(str(file))
    told = str(error.value)
    assert TOKEN not in told
    assert str(file) in told
    assert "\n" not in told
    assert error.value.__cause__ is None


def test_refuses_a_path_that_depends_on_where_it_is_read(file: Path) -> None:
    with pytest.raises(UsageError, match="'token' is given by a relative path"):
        read_tokens("token")
    with pytest.raises(UsageError, match="No such file"):
        read_tokens(str(file))
    with pytest.raises(UsageError, match="Is a directory"):
        read_tokens(str(file.parent))


def test_a_host_without_a_token_is_named(file: Path) -> None:
    file.write_text(TOKEN)
    assert read_token(str(file), "GitHub.com") == TOKEN
    with pytest.raises(UsageError, match=r"no token for ghe\.example\.org"):
        read_token(str(file), "ghe.example.org")
