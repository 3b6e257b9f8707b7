"""Proof by a published token, read from real git repositories over HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from cli.opt_out_reader import HostReader
from opt_out.authority import Unreadable, places_of, prove, token_of
from opt_out.ledger import Ledger, Request
from opt_out.selectors import Selector, parse_selector
from stages.git import Git
from tests.gitrepos import Behaviour, commit_files, commit_of, empty_repository, served

TOKEN = "quarry-opt-out-" + "5" * 40


class Host:
    """A host of git repositories."""

    def __init__(self, folder: Path, answers: dict[str, int | Behaviour], url: str) -> None:
        self.folder, self.answers = folder, answers
        self.read = HostReader(url, Git(timeout_s=30.0, stall_s=10.0))

    def publish(self, repository: str, files: Mapping[str | bytes, bytes], branch: str = "main") -> Path:
        return commit_files(self.folder / f"{repository}.git", files, branch=branch)

    def proven(self, *selectors: str, token: str = TOKEN) -> list[str]:
        """Those of `selectors` that are proven, and where."""
        proofs, problems = prove(token, [parse_selector(text, "test") for text in selectors], self.read)
        assert len(proofs) + len(problems) == len(selectors)
        return [f"{proof.selector} in {proof.repository}:{proof.file}" for proof in proofs]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    answers: dict[str, int | Behaviour] = {}
    with served(tmp_path / "host", answers) as url:
        yield Host(tmp_path / "host", answers, url)


def test_a_token_in_a_repository_proves_that_repository_and_no_account(host: Host) -> None:
    repository = host.publish("acme/widgets", {"quarry-opt-out.txt": f"{TOKEN}\n".encode()})
    assert host.proven("acme/widgets", "acme", "acme/other", "acme/widgets:src/*.py") == [
        "acme/widgets in acme/widgets:quarry-opt-out.txt",
        "acme/widgets:src/*.py in acme/widgets:quarry-opt-out.txt",
    ]
    (proof,), _ = prove(TOKEN, [parse_selector("acme/widgets", "test")], host.read)
    assert proof.commit == commit_of(repository)


@pytest.mark.parametrize("profile", ["acme/acme", "acme/.github"])
@pytest.mark.parametrize("file", ["quarry-opt-out.txt", ".github/quarry-opt-out.txt", "README.md"])
def test_a_token_in_the_profile_proves_the_account_and_its_repositories(host: Host, profile: str, file: str) -> None:
    host.publish(profile, {file: b"# Hello\r\n\r\n  " + TOKEN.encode() + b"\r\nbye", "code.c": b"int x;"})
    assert host.proven("acme", "acme/widgets", "author:acme") == [
        f"acme in {profile}:{file}",
        f"acme/widgets in {profile}:{file}",
        f"author:acme in {profile}:{file}",
    ]


def test_a_stranger_proves_nothing_of_another_account(host: Host) -> None:
    host.publish("stranger/stranger", {"quarry-opt-out.txt": TOKEN.encode()})
    host.publish("stranger/acme", {"quarry-opt-out.txt": TOKEN.encode()})
    host.publish("acme/widgets", {"CONTRIBUTORS": TOKEN.encode(), "docs/quarry-opt-out.txt": TOKEN.encode()})
    assert host.proven("acme", "acme/widgets") == []


@pytest.mark.parametrize(
    "content",
    [b"", b"see " + TOKEN.encode(), TOKEN[:-1].encode(), TOKEN.upper().encode(), b"quarry-opt-out-" + b"4" * 40],
)
def test_only_the_token_itself_on_a_line_counts(host: Host, content: bytes) -> None:
    host.publish("acme/acme", {"quarry-opt-out.txt": content})
    assert host.proven("acme") == []


def test_a_link_or_another_branch_is_no_publication(host: Host) -> None:
    host.publish("acme/acme", {"README.md": b"hello"})
    host.publish("acme/acme", {"quarry-opt-out.txt": TOKEN.encode()}, branch="somebodys-proposal")
    path = host.folder / "acme" / "widgets.git"
    commit_files(path, {"quarry-opt-out.txt": TOKEN.encode()}, {"quarry-opt-out.txt": "120000"})
    assert host.proven("acme", "acme/widgets") == []


def test_a_repository_that_moved_is_not_followed(host: Host) -> None:
    host.publish("thief/acme", {"quarry-opt-out.txt": TOKEN.encode()})
    moved = f"{host.read.host}/thief/acme.git/info/refs?service=git-upload-pack"
    host.answers["acme"] = Behaviour(301, headers={"Location": moved})
    assert host.proven("acme") == []


def test_what_cannot_be_read_is_said_in_one_sentence(host: Host) -> None:
    empty_repository(host.folder / "acme" / "acme.git")
    selectors = [parse_selector("acme", "test"), Selector("author", "a@example.com"), Selector("content", "5" * 40)]
    proofs, problems = prove(TOKEN, selectors, host.read)
    assert not proofs
    assert "acme/acme: its default branch has no commit" in problems[0]
    assert "acme/.github: " in problems[0]
    assert all("operator's judgement" in problem for problem in problems[1:])
    assert all("\n" not in problem for problem in problems)
    with pytest.raises(Unreadable):
        host.read("acme/none", ["README.md"])


def test_a_large_file_is_read_to_its_limit_only(host: Host) -> None:
    host.publish("acme/acme", {"README.md": b"x" * (2 << 20) + b"\n" + TOKEN.encode()})
    assert host.proven("acme") == []
    assert len(host.read("acme/acme", ["README.md"]).files["README.md"][1]) == 1 << 20


def test_no_place_proves_an_address_or_a_content() -> None:
    assert places_of(Selector("author", "somebody@example.com")) == ()
    assert places_of(Selector("content", "5" * 40)) == ()


def test_a_token_belongs_to_one_request_of_one_ledger(tmp_path: Path) -> None:
    def requests(name: str, first: str) -> tuple[Ledger, list[Request]]:
        ledger = Ledger.create(str(tmp_path / name))
        sources = [first, "mail 2", "mail 3"]
        texts = ["acme", "acme", "acme/widgets"]
        return ledger, [
            ledger.receive((parse_selector(text, "test"),), source=source, person=None)
            for source, text in zip(sources, texts, strict=True)
        ]

    ours, ours_requests = requests("ours.sqlite", "mail 1")
    theirs, theirs_requests = requests("theirs.sqlite", "letter 1")
    with ours, theirs:
        tokens = [token_of(ours, request) for request in ours_requests]
        tokens += [token_of(theirs, request) for request in theirs_requests]
        assert len(set(tokens)) == 6
        assert tokens[0] == token_of(ours, ours.request(ours_requests[0].id))
        ours.record("verified", ours_requests[0].id, {"how": "judgement", "because": "test"})
        assert tokens[0] == token_of(ours, ours.request(ours_requests[0].id))
