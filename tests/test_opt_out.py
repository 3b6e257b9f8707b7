"""Opt-out requests are read as they were meant, and cover exactly what they say."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opt_out.requests import OptOuts
from opt_out.stage import OptOut
from pipeline import schema
from pipeline.errors import UsageError
from pipeline.fingerprint import stage_identity
from pipeline.stage import Outcome, Stage

Run = Callable[[Stage, Sequence[pa.Table]], list[Outcome]]


def selectors(text: str) -> list[str]:
    parsed = OptOuts.parse(text, "list.txt")
    return sorted(parsed.owners.to_pylist() + parsed.repos.to_pylist())


def covered(text: str, *repos: str | None) -> list[str | None]:
    found: list[str | None] = OptOuts.parse(text, "list.txt").covers(pa.chunked_array([repos], pa.string())).to_pylist()
    return found


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("acme", "acme"),
        ("@Acme", "acme"),
        ("Acme/Widgets", "acme/widgets"),
        ("acme/widgets/", "acme/widgets"),
        ("acme/widgets.js", "acme/widgets.js"),
        ("https://github.com/Acme", "acme"),
        ("https://github.com/acme/", "acme"),
        ("https://github.com/acme/widgets", "acme/widgets"),
        ("http://www.github.com/acme/widgets.git", "acme/widgets"),
        ("HTTPS://GitHub.com/acme/widgets.git/", "acme/widgets"),
        ("github.com/acme/widgets", "acme/widgets"),
        ("git@github.com:acme/widgets.git", "acme/widgets"),
        ("ssh://git@github.com/acme/widgets.git", "acme/widgets"),
        ("\ufeffacme", "acme"),
        ("\u00a0 acme/widgets\u3000\t", "acme/widgets"),
        ("👉 acme/widgets 🙏", "acme/widgets"),
        ("❤️acme", "acme"),
        ("ac\u200bme", "acme"),
        ("- acme/widgets", "acme/widgets"),
        ("`acme/widgets`", "acme/widgets"),
        ("<https://github.com/acme/widgets>", "acme/widgets"),
        ("acme/widgets  # asked by mail", "acme/widgets"),
    ],
)
def test_reads_what_people_write(line: str, meant: str) -> None:
    assert selectors(line) == [meant]


@pytest.mark.parametrize(
    "line",
    [
        "acme widgets",
        "acme, widgets",
        "acme/",  # half of a repository's name
        "acme/#widgets",
        "acme/🙂",
        "https://github.com/acme/🙂",
        "acme//widgets",
        "acme/widgets/tree/main",
        "acme/..",
        "acme/.git",
        "https://github.com/",
        "https://github.com/orgs/acme",
        "https://gitlab.com/acme/widgets",
        "gitlab.com/acme",
        "acme.github.io",
        "*",
        "acme/*",
        "-acme",
        "cafe\u0301",
        "\u212aate",  # the Kelvin sign, which lower-cases to k
        "a" * 40,
        "me@acme.com",
    ],
)
def test_refuses_what_is_not_certain_by_file_and_line(line: str) -> None:
    with pytest.raises(UsageError, match=r"^requests\.txt, line 3: '") as error:
        OptOuts.parse(f"# requests\n\n{line}\nother\n", "requests.txt")
    assert "\n" not in str(error.value)


def test_comments_and_blank_lines_say_nothing() -> None:
    assert selectors("# acme\n\n   \n#\r\nwidgets\r\n") == ["widgets"]
    assert selectors("") == []


def test_an_owner_covers_all_its_repositories_and_no_similar_owner() -> None:
    found = covered("acme", "acme/widgets", "ACME/tools", "acme-corp/widgets", "acm/e", "other/acme", None)
    assert found == ["acme", "acme", None, None, None, None]


def test_a_repository_covers_only_itself() -> None:
    found = covered("acme/widgets", "acme/widgets", "Acme/Widgets", "acme/widgets2", "acme/tools", "other/widgets")
    assert found == ["acme/widgets", "acme/widgets", None, None, None]


owners = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=3).filter(lambda o: o[0] != "-")
repos = st.tuples(owners, st.text("abAB-_1", min_size=1, max_size=2)).map("/".join)
spellings = st.sampled_from(["{}", "  {} ", "https://github.com/{}", "github.com/{}/", "{} # please", "@{}", "🙏 {}"])


@given(st.lists(st.tuples(spellings, owners | repos), max_size=20), st.lists(repos, max_size=30))
def test_agrees_with_the_plain_definition(asked: list[tuple[str, str]], names: list[str]) -> None:
    wanted = {selector.lower() for _, selector in asked}

    def plain(name: str) -> str | None:
        name = name.lower()
        owner = name.split("/")[0]
        return owner if owner in wanted else name if name in wanted else None

    text = "\n".join(spelling.format(selector) for spelling, selector in asked)
    assert covered(text, *names) == [plain(name) for name in names]


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "opt-outs.txt"
    path.write_text("Acme\nother/secret # one repository\n")
    return path


def test_drops_repositories_at_the_intake_and_says_which_request(listed: Path, run_stage: Run) -> None:
    names = ["acme/a", "other/open", "other/secret"]
    columns = [[f"github.com/{n}" for n in names], names, [f"https://github.com/{n}" for n in names], [None] * 3]
    table = pa.table(columns, schema=schema.REPOSITORY)
    stage = OptOut(requests=str(listed))
    (outcome,) = run_stage(stage, [table])
    assert outcome.kept.equals(table.slice(1, 1))
    said = [stage.explain(decision) for decision in outcome.decisions.to_pylist()]
    assert said == [
        "its owner opted out (the request says 'acme')",
        "its owner opted out (the request says 'other/secret')",
    ]
    assert outcome.decisions["id"].to_pylist() == ["github.com/acme/a", "github.com/other/secret"]


def test_a_request_by_the_old_name_covers_a_renamed_repository(listed: Path, run_stage: Run) -> None:
    names = ["new/a", "new/b", "new/c", "acme/d"]
    old = ["acme/a", "free/b", None, "free/d"]
    rows = [{"id": str(at), "repo": name, "renamed_from": old[at]} for at, name in enumerate(names)]
    table = pa.Table.from_pylist(rows, schema.METADATA)
    (outcome,) = run_stage(OptOut(requests=str(listed)), [table])
    assert outcome.kept.equals(table.slice(1, 2))
    assert outcome.decisions["detail"].to_pylist() == ['{"selector":"acme"}'] * 2


def test_gates_documents_and_empty_shards(listed: Path, run_stage: Run) -> None:
    row = dict.fromkeys(schema.DOCUMENT.names)
    rows = [{**row, "id": str(at), "repo": repo, "path": "x"} for at, repo in enumerate(["ACME/a", "free/b", "acme/c"])]
    table = pa.Table.from_pylist(rows, schema.DOCUMENT)
    full, empty = run_stage(OptOut(requests=str(listed)), [table, table.slice(0, 0)])
    assert full.kept["repo"].to_pylist() == ["free/b"]
    assert full.decisions["reason"].to_pylist() == ["opted_out", "opted_out"]
    assert empty.kept.num_rows == empty.decisions.num_rows == 0


def test_another_list_is_another_fingerprint(listed: Path) -> None:
    stage = OptOut(requests=str(listed))
    before = stage_identity("gate", stage)
    listed.write_text("acme\n")
    assert stage_identity("gate", stage) != before


def test_a_list_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the opt-out list"):
        OptOuts.load(str(tmp_path / "none.txt"))
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(UsageError, match="not UTF-8"):
        OptOuts.load(str(tmp_path / "latin.txt"))
