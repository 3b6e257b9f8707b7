"""Selectors mean exactly what they say: never wider, whatever the spelling, and the same over whole tables."""

from __future__ import annotations

import fnmatch
import pickle
import string
import time
from collections.abc import Sequence
from itertools import product

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opt_out.selectors import Selector, Selectors, parse_selector
from pipeline import schema
from pipeline.errors import UsageError

HEX = "0123456789abcdef0123456789abcdef01234567"


def covered(asked: list[str], **columns: Sequence[str | None]) -> list[str | None]:
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    told: list[str | None] = Selectors.of(parse_selector(one, "test") for one in asked).covers(table).to_pylist()
    return told


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("@Acme", "acme"),
        ("https://github.com/Acme/Widgets.git", "acme/widgets"),
        ("Acme/Widgets:src/*.py", "acme/widgets:src/*.py"),
        ("acme/widgets:/Src/", "acme/widgets:Src/"),
        ("👉 `acme/widgets:docs/**`", "acme/widgets:docs/**"),
        ("acme/widgets:pages/[id].tsx", "acme/widgets:pages/[id].tsx"),
        ("acme/widgets:a b/c+", "acme/widgets:a b/c+"),
        ("acme/widgets:a \\[code] [issues]", "acme/widgets:a \\[code] [issues]"),
        ("acme/widgets:pfad/größe.py", "acme/widgets:pfad/größe.py"),
        ("acme/widgets.git:x", "acme/widgets:x"),
        ("acme [code]", "acme [code]"),
        ("acme [issues,commits]", "acme [commits, issues]"),
        ("acme [code, commits, issues]", "acme"),
        ("Author: @Ada", "author:ada"),
        ("author:Ada.L@Example.COM", "author:ada.l@example.com"),
        ("author:dependabot[bot]", "author:dependabot[bot]"),
        ("author:ada [commits, issues]", "author:ada"),
        (f"SWH:1:CNT:{HEX.upper()}", f"swh:1:cnt:{HEX}"),
    ],
)
def test_reads_what_is_certain(written: str, canonical: str) -> None:
    assert str(parse_selector(written, "test")) == canonical


@pytest.mark.parametrize(
    "written",
    [
        "acme:src/x.py",  # of which repository?
        "acme/widgets:",
        "acme/widgets:/",
        "acme/widgets: src/x.py",
        "acme/widgets:../secret",
        "acme/widgets:a//b",
        "acme/widgets:src/**.py",  # crosses folders for some programs, not for others
        "acme/widgets:***",
        "acme/widgets:src\\x.py",
        "acme/widgets:src/ 🙏",
        "acme/widgets:a\nb",
        "https://github.com/acme/widgets/blob/main/x.py",
        "https://github.com:443/acme",
        "acme [everything]",
        "author:",
        "author:a b",
        "author:a@b@c",
        "author:ada [code]",
        "swh:1:dir:" + HEX,
        "swh:1:cnt:" + HEX[:-1],
        f"swh:1:cnt:{HEX};origin=https://github.com/acme/widgets",
        HEX,
    ],
)
def test_refuses_what_is_not_certain_in_one_sentence(written: str) -> None:
    with pytest.raises(UsageError, match=r"^the list, line 3: '") as error:
        parse_selector(written, "the list, line 3")
    assert "\n" not in str(error.value)


owners = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=3).filter(lambda one: one[0] != "-")
names = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=3).filter(
    lambda one: one not in (".", "..") and not one.lower().endswith(".git")
)
repositories = st.tuples(owners, names).map("/".join)
folders = st.text("aB*[]\\#? .é", min_size=1, max_size=4).filter(
    lambda one: one not in (".", "..") and one.strip() == one
)
paths = st.lists(folders, min_size=1, max_size=3).map("/".join)
kinds = st.sampled_from(["", " [code]", " [issues]", " [commits, issues]"])


def escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace("*", "\\*")


@given(repositories, paths, st.booleans(), kinds)
def test_the_canonical_form_reads_as_itself(repository: str, path: str, folder: bool, limited: str) -> None:
    for written in (f"{repository}:{escaped(path)}{'/' * folder}{limited}", f"{repository}{limited}"):
        selector = parse_selector(written, "test")
        assert parse_selector(str(selector), "test") == selector


@given(st.text(max_size=30) | st.text("acme/:*[]code, .git@author:swh1\\#", max_size=30))
def test_whatever_is_written_is_refused_or_has_a_canonical_form(written: str) -> None:
    try:
        selector = parse_selector(written, "test")
    except UsageError:
        return
    assert parse_selector(str(selector), "test") == selector


@given(owners, repositories)
def test_an_owner_covers_its_own_repositories_alone(owner: str, other: str) -> None:
    mine, swapped = f"{owner}/x", f"{owner.swapcase()}/X"
    found = covered([owner], repo=[mine, swapped, other, f"{owner}-corp/x", f"x/{owner}"])
    assert found[:2] == [owner.lower()] * 2
    assert found[2] == (owner.lower() if other.lower().startswith(owner.lower() + "/") else None)
    assert found[3] is None
    assert found[4] == (owner.lower() if owner.lower() == "x" else None)


@given(repositories, paths, repositories, paths)
def test_a_path_covers_one_file_of_one_repository(repository: str, path: str, other: str, another: str) -> None:
    written = f"{repository}:{escaped(path)}"
    rows = [(repository.upper(), path), (other, path), (repository, another), (repository, ""), (repository, None)]
    found = covered([written], repo=[name for name, _ in rows], path=[where for _, where in rows])
    wanted = str(parse_selector(written, "test"))
    assert found[0] == wanted
    assert found[1] == (wanted if other.lower() == repository.lower() else None)
    assert found[2] == (wanted if another == path else None)
    assert found[3:] == [None, None]  # a repository is more than its files


globs = st.lists(st.sampled_from(["a", "b", "*", "**", "*.py", "a*", "*b*"]), min_size=1, max_size=4)
trees = st.lists(st.sampled_from(["a", "b", "ab", "x.py", "a.py", "b\n"]), min_size=1, max_size=4)


def plain(glob: list[str], path: list[str]) -> bool:
    """The definition of a glob, part by part."""
    if not glob:
        return not path
    if glob == ["**"] or glob == [""]:
        return bool(path)
    if glob[0] == "**":
        return plain(glob[1:], path) or (len(path) > 1 and plain(glob, path[1:]))
    return bool(path) and fnmatch.fnmatchcase(path[0], glob[0]) and plain(glob[1:], path[1:])


@settings(max_examples=300)
@given(st.lists(st.tuples(globs, st.booleans()), min_size=1, max_size=6), st.lists(trees, min_size=1, max_size=10))
def test_globs_agree_with_their_definition(asked: list[tuple[list[str], bool]], files: list[list[str]]) -> None:
    parts = [[*glob, ""] if folder and glob[-1] != "**" else glob for glob, folder in asked]
    found = covered(
        ["acme/w:" + "/".join(glob) for glob in parts],
        repo=["Acme/W"] * len(files) + ["acme/v"],
        path=["/".join(file) for file in files] + ["a"],
    )
    assert [told is not None for told in found[:-1]] == [any(plain(glob, file) for glob in parts) for file in files]
    assert found[-1] is None


def test_kinds_limit_what_is_covered() -> None:
    rows: dict[str, Sequence[str | None]] = {
        "repo": ["acme/w"] * 5,
        "kind": ["code", "notebook", "issue", "commit", None],
    }
    assert covered(["acme [code]"], **rows) == ["acme [code]"] * 2 + [None] * 2 + ["acme [code]"]
    assert covered(["acme/w [issues]"], **rows) == [None, None, "acme/w [issues]", None, None]
    assert covered(["acme [commits]"], repo=["acme/w"]) == [None]  # a repository is more than its commits
    assert covered(["acme/w", "acme [commits]"], **rows)[2:4] == ["acme/w", "acme [commits]"]


def test_an_author_covers_commits_and_issues_by_login_or_address_and_no_code() -> None:
    found = covered(
        ["author:ada", "author:ada@example.com"],
        repo=["x/y"] * 6,
        kind=["commit", "issue", "code", "commit", "commit", None],
        author=["Ada", "Ada L <ADA@example.com>", "ada", "adams", "not-ada@example.com", "ada@example.com"],
    )
    assert found == ["author:ada", "author:ada@example.com", None, None, None, "author:ada@example.com"]


def test_content_is_covered_wherever_it_stands() -> None:
    found = covered([f"swh:1:cnt:{HEX}"], repo=["a/b", "c/d", "e/f"], blob=[HEX, HEX[::-1], None])
    assert found == [f"swh:1:cnt:{HEX}", None, None]


def test_a_former_name_is_covered_and_the_widest_selector_is_told() -> None:
    columns: dict[str, Sequence[str | None]] = {
        "repo": ["new/a", "new/b"],
        "renamed_from": ["acme/a", None],
        "path": ["x", "x"],
    }
    assert covered(["acme/a:x", "acme/a", "acme"], **columns) == ["acme", None]
    assert covered(["acme/a:x", "acme/a"], **columns) == ["acme/a", None]
    assert covered(["acme/a:x", "acme/a:*"], **columns)[0] in {"acme/a:x", "acme/a:*"}


def test_an_intake_leaves_out_whole_repositories_only() -> None:
    asked = ["acme", "other/one", "some/two:**", "more [issues]", f"swh:1:cnt:{HEX}", "author:ada"]
    intake = Selectors.of(parse_selector(one, "test") for one in asked).repositories()
    table = pa.table(
        {"repo": ["acme/x", "other/one", "some/two", "more/x", "ada/x"], "path": ["", "", "a", "", ""]}
    ).append_column("blob", pa.array([HEX] * 5))
    assert intake.covers(table).to_pylist() == ["acme", "other/one", None, None, None]
    assert len(intake) == 2


def test_works_on_documents_and_on_empty_tables_and_after_pickling() -> None:
    selectors = pickle.loads(pickle.dumps(Selectors.of([Selector("path", "acme/w:a/")])))
    row = dict.fromkeys(schema.DOCUMENT.names)
    rows = [{**row, "repo": "acme/w", "path": path} for path in ("a/b", "b")]
    table = pa.Table.from_pylist(rows, schema.DOCUMENT)
    assert selectors.covers(table).to_pylist() == ["acme/w:a/", None]
    assert selectors.covers(table.slice(0, 0)).to_pylist() == []
    assert Selectors.of([]).covers(table).to_pylist() == [None, None]


def test_many_selectors_and_rows_take_microseconds_a_row() -> None:
    """5,000 paths of one repository, 20,000 of others, over 200,000 rows: far from rows times patterns."""
    asked = [Selector("path", f"acme/w:src/{n:04d}/*.py") for n in range(5_000)]
    asked += [Selector("path", f"o{n}/w:lib/") for n in range(20_000)]
    selectors = Selectors.of(asked)
    repos = [("acme/w", "x/y", f"o{n % 30_000}/w")[n % 3] for n in range(200_000)]
    ways = [("src/0042/a.py", "src/42/a.py", "lib/a.py")[n % 3] for n in range(200_000)]
    table = pa.table({"repo": repos, "path": ways})
    started = time.perf_counter()
    found = selectors.covers(table)
    spent = time.perf_counter() - started
    assert found[0].as_py() == "acme/w:src/0042/*.py"
    assert found[1].as_py() is None
    assert found[5].as_py() == "o5/w:lib/"
    assert 200_000 - found.null_count == 66_667 + sum(1 for n in range(200_000) if n % 3 == 2 and n % 30_000 < 20_000)
    assert spent < 20  # rows times patterns would take hours


def test_case_matters_in_paths_and_nowhere_else() -> None:
    for owner, repo in product(("acme", "ACME"), ("w", "W")):
        assert covered(["acMe/w:Src/"], repo=[f"{owner}/{repo}"] * 2, path=["Src/a", "src/a"]) == ["acme/w:Src/", None]
