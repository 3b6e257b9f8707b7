"""The repository list: what people write, made canonical; what is wrong, said by line; credentials nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import schema
from pipeline.errors import UsageError
from pipeline.repositories import RepositoryList, parse_repositories, read_repositories


def parse(*lines: str, folder: Path | str = ".") -> RepositoryList:
    return parse_repositories("\n".join(lines), "repos.txt", str(folder))


@pytest.mark.parametrize(
    ("line", "id", "repo", "url", "ref"),
    [
        ("O-C/He.Lo", "github.com/o-c/he.lo", "O-C/He.Lo", "https://github.com/O-C/He.Lo", None),
        ("o/n.git", "github.com/o/n", "o/n", "https://github.com/o/n", None),
        ("o/n@v1.0", "github.com/o/n", "o/n", "https://github.com/o/n", "v1.0"),
        ("o/n@feature/x", "github.com/o/n", "o/n", "https://github.com/o/n", "feature/x"),
        ("o/n@pkg@1.0.0", "github.com/o/n", "o/n", "https://github.com/o/n", "pkg@1.0.0"),
        ("github.com/O/n", "github.com/o/n", "O/n", "https://github.com/O/n", None),
        ("https://www.github.com/O/N.git/", "github.com/o/n", "O/N", "https://github.com/O/N.git", None),
        ("HTTPS://GitHub.com/o/n@" + "a" * 40, "github.com/o/n", "o/n", "https://github.com/o/n", "a" * 40),
        ("http://host.example:8080/a/b/C", "host.example:8080/a/b/c", "b/C", "http://host.example:8080/a/b/C", None),
        ("https://git.example/tool.git", "git.example/tool", "git.example/tool", "https://git.example/tool.git", None),
        ("git@github.com:o/n.git", "github.com/o/n", "o/n", "git@github.com:o/n.git", None),
        ("git@host.example:g/s/n@main", "host.example/g/s/n", "s/n", "git@host.example:g/s/n", "main"),
        ("ssh://git@host.example:22/o/n@dev", "host.example:22/o/n", "o/n", "ssh://git@host.example:22/o/n", "dev"),
        ("git://host.example/o/n", "host.example/o/n", "o/n", "git://host.example/o/n", None),
        ("file:///nowhere/o/n.git@main", "file:///nowhere/o/n.git", "o/n", "file:///nowhere/o/n.git", "main"),
        ("file:///a%20b/n", "file:///a%20b/n", "a b/n", "file:///a%20b/n", None),
    ],
)  # fmt: skip
def test_a_line_is_made_canonical(line: str, id: str, repo: str, url: str, ref: str | None) -> None:
    table, warnings = parse(line)
    assert table.schema.equals(schema.REPOSITORY)
    assert table.to_pylist() == [{"id": id, "repo": repo, "url": url, "ref": ref}]
    assert warnings == []


def test_folders_are_relative_to_the_list_and_become_urls(tmp_path: Path) -> None:
    for name in ("own er/one.git", "o/at@home", "o/plain"):
        (tmp_path / name).mkdir(parents=True)
    listed = tmp_path / "list.txt"
    listed.write_text(f"./own er/one.git@v1\n./o/at@home\n./o/at@home@v2\n{tmp_path}/o/plain/.\no/plain@x\n")
    table, warnings = read_repositories(str(listed))
    assert table["url"].to_pylist() == [
        (tmp_path / "own er/one.git").as_uri(),
        (tmp_path / "o/at@home").as_uri(),
        (tmp_path / "o/plain").as_uri(),
        "https://github.com/o/plain",
    ]
    assert table["ref"].to_pylist() == ["v1", None, None, "x"]
    assert table["repo"].to_pylist() == ["own er/one", "o/at@home", "o/plain", "o/plain"]
    assert len(warnings) == 2
    assert "lines 2 and 3" in warnings[0]
    assert "write ./ before it for the folder" in warnings[1]


def test_comments_blank_lines_and_line_ends_are_nothing() -> None:
    table, _ = parse("# a list", "", "  o/a   # why\r", "\to/b\t#x", "o/c@issue#3")
    assert table["repo"].to_pylist() == ["o/a", "o/b", "o/c"]
    assert table["ref"].to_pylist() == [None, None, "issue#3"]


def test_the_first_of_equal_repositories_stays_and_both_lines_are_named() -> None:
    table, warnings = parse("O/N", "o/x", "https://github.com/o/n.git", "git@github.com:o/n@dev")
    assert table["repo"].to_pylist() == ["O/N", "o/x"]
    assert warnings == [
        "repos.txt: lines 1 and 3 name the same repository; line 1 counts.",
        "repos.txt: lines 1 and 4 name the same repository at the default branch and at dev; line 1 counts.",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "name", "a/b/c", "./missing", "/missing", "ext::sh -c id", "ftp://host/o/n", "https:///o/n", "https://host",
        "https://github.com/o", "https://github.com/o/n/tree/main", "https://host/o/n?x=1", "https://host/o/n#x",
        "https://host/../n", "https://host:port/o/n", "file://host/o", "o/n@", "o/n@-x", "o/n@a b", "o/n@a..b", "o/n@*",
        "-o/n", "--upload-pack=x/y", "git@host:",
    ],
)  # fmt: skip
def test_a_malformed_line_is_named_with_what_is_allowed(line: str) -> None:
    with pytest.raises(UsageError, match=r"^repos\.txt, line 2: .*; a line is owner/name, a git URL .*\.$"):
        parse("o/fine", line)


@pytest.mark.parametrize(
    "line",
    [
        "https://user:s3cret@host/o/n", "https://s3cret@github.com/o/n", "ssh://git:s3cret@host/o/n",
        "https://user:s3/cret@host/o/n", "user:s3cret@host:o/n", "https://host/o/n?token=s3cret",
    ],
)  # fmt: skip
def test_credentials_are_refused_and_never_repeated(line: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse(line)
    assert "s3" not in str(raised.value)
    assert "line 1" in str(raised.value)


def test_a_refused_password_comes_with_a_way_that_works() -> None:
    with pytest.raises(UsageError, match=r"~/\.netrc, or use an ssh key"):
        parse("https://user:pass@host/o/n")


@pytest.mark.parametrize("text", ["", "\n# nothing\n"])
def test_an_empty_list_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="names no repository"):
        parse_repositories(text, "repos.txt", ".")


def test_a_list_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_repositories(str(tmp_path / "none.txt"))
    (tmp_path / "latin.txt").write_bytes(b"o/n # caf\xe9")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_repositories(str(tmp_path / "latin.txt"))
