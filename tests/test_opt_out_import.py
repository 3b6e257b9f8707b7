"""Requests as people write them, in BigCode's formats: parsed right or held for a person, never too wide."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opt_out.forms import Demand, read
from pipeline.errors import UsageError

DATA = Path(__file__).parent / "data" / "opt_out"
SOURCE = "bigcode-project/opt-out-v2"


@pytest.fixture(scope="module")
def issues() -> dict[str, Demand]:
    """The demands of the fixture's issues, by what stands behind # in their source."""
    demands = read((DATA / "issues.json").read_bytes(), "issues.json")
    return {demand.source.removeprefix(f"{SOURCE}#"): demand for demand in demands}


# What each issue of the fixture certainly asks for.
READ = {
    101: "mara-lindq author:mara-lindq",
    102: "tovi-ashgrove/lamppost",
    104: "quillfen author:quillfen",
    106: "dorrit-v/atlas dorrit-v [commits] dorrit-v [issues] author:dorrit-v [commits] author:dorrit-v [issues]",
    107: "dorrit-v/atlas",
    108: "nkemba/river nkemba/delta nkemba/estuary nkemba/bay nkemba/fjord",
    113: "gone-account/code",
    114: "mara-lindq/loom mara-lindq/weft",
    121: "renwick-j",
    123: "pia-ostrow ostrow-labs pia-old brindle/tmux",
    125: "pia-ostrow",
    128: "pia-ostrow",
    130: "pia-ostrow",
    135: "pia-ostrow",
    139: "pia-ostrow/a pia-ostrow/b",
    142: "pia-ostrow",
    146: "pia-ostrow/a pia-ostrow/b",
    149: "sorrel-k",
    155: "sorrel-k sorrel-labs",
    156: "sorrel-k [commits] author:sorrel-k [commits]",
    158: "sorrel-k",
    159: "sorrel-k/moss sorrel-k/fern",
    164: "sorel-k/moss",  # a typing error is somebody else's, and needs somebody else's proof
    165: "sorrel-k/moss",
}
# Why each other one is held: part of the reason.
HELD = {
    103: "without filling in its placeholders",
    105: "which of them is meant?",
    110: "neither an account nor owner/repo",
    111: "its title may name another account",
    112: "its author's account is gone",
    115: "in its author's own words",
    116: "line 5 is neither",
    117: "its text is empty",
    118: "its text is empty",
    119: "in its author's own words",
    120: "in its author's own words",
    124: "which is meant?",
    126: "a word rather than the name of an account",
    127: "without naming whose",
    129: "its notes may change what its lists say",
    131: "line 7 holds more than a name",
    132: "a placeholder that was not filled in",
    133: "names no repository as owner/repo",
    134: "names less than an account",
    136: "holds more than a name",
    137: "holds more than a name",
    138: "holds more than a name",
    140: "holds more than a name",
    141: "a box that was not ticked",
    143: "hide or reorder",
    144: "neither an account nor owner/repo",
    145: "neither an account nor owner/repo",
    147: "labelled as a question",
    148: "twice",
    151: "closed as not planned",
    153: "",
    154: "names no repository as owner/repo",
    157: "a comment that is not closed",
    160: "names no repository as owner/repo",
    161: "neither an account nor owner/repo",
    162: "holds more than a name",
    163: "holds more than a name",
    166: "may be a placeholder",
    167: "mean all repositories",
    168: "its title may name another account",
    169: "in its author's own words",
}


@pytest.mark.parametrize("number", READ)
def test_reads_what_an_issue_certainly_asks_for(issues: dict[str, Demand], number: int) -> None:
    demand = issues[str(number)]
    assert not demand.held
    assert sorted(map(str, demand.selectors)) == sorted(_split(READ[number]))


@pytest.mark.parametrize("number", HELD)
def test_holds_what_is_not_certain_and_says_why(issues: dict[str, Demand], number: int) -> None:
    demand = issues[str(number)]
    assert demand.held
    assert HELD[number] in demand.held
    assert demand.claims["text"] is not None  # for the person who reads it


@pytest.mark.parametrize("number", [109, 122])
def test_an_address_inside_a_repository_is_that_repository_or_part_of_it_or_held(
    issues: dict[str, Demand], number: int
) -> None:
    demand = issues[str(number)]
    assert demand.held or all(selector.target in ("repository", "path") for selector in demand.selectors)


def test_every_issue_is_read_and_pull_requests_are_not(issues: dict[str, Demand]) -> None:
    numbers = {name for name in issues if name.isdigit()}
    assert numbers == {str(number) for number in range(101, 170)} - {"150"}
    assert numbers == {str(n) for n in [*READ, *HELD, 109, 122, 152]}


def test_five_thousand_lines_are_five_thousand_repositories(issues: dict[str, Demand]) -> None:
    demand = issues["152"]
    assert [str(selector) for selector in demand.selectors] == [f"long-lister/project-{n:04d}" for n in range(5000)]


def test_an_account_of_stack_overflow_is_held_apart_from_the_rest(issues: dict[str, Demand]) -> None:
    assert "Stack Overflow" in issues["107/elsewhere"].held
    assert not issues["107/elsewhere"].selectors
    assert "106/elsewhere" not in issues  # its placeholder was not filled in


def test_what_only_notes_make_uncertain_is_held_with_its_selectors(issues: dict[str, Demand]) -> None:
    assert [str(selector) for selector in issues["129"].selectors] == ["pia-ostrow"]
    assert "dotfiles" in issues["129"].claims["text"]
    assert "dotfiles" not in issues["129"].held


def test_a_former_name_stands_apart(issues: dict[str, Demand]) -> None:
    assert issues["128"].former == ("pia-old",)


def test_the_author_and_the_time_are_those_of_the_host(issues: dict[str, Demand]) -> None:
    assert issues["102"].author == "Tovi-Ashgrove"
    assert issues["102"].received == "2026-08-19T10:20:30Z"
    assert issues["112"].author is issues["113"].author is None


def test_boxes_and_the_link_are_claims(issues: dict[str, Demand]) -> None:
    assert issues["123"].claims == {
        "relations": ["own accounts", "organisation's admin"],
        "proof": "https://github.com/orgs/ostrow-labs/people",
    }


def test_json_lines_of_gh_are_issues_too() -> None:
    first, second = read((DATA / "issues_gh.jsonl").read_bytes(), "issues_gh.jsonl")
    assert (first.source, first.author, first.received) == (f"{SOURCE}#9001", "wren-halloway", "2026-09-01T08:00:00Z")
    assert [*map(str, first.selectors), *map(str, second.selectors)] == ["wren-halloway", "wren-halloway/moss"]


def test_pages_of_gh_api_are_one_list() -> None:
    issues = json.loads((DATA / "issues.json").read_bytes())
    slurped = json.dumps([issues[:10], issues[10:20]]).encode()
    assert [one.source for one in read(slurped, "x")] == [
        one.source for one in read(json.dumps(issues[:20]).encode(), "x")
    ]


def test_the_machine_map() -> None:
    demands = {demand.source: demand for demand in read((DATA / "map.json").read_bytes(), "map")}
    assert {source: sorted(map(str, demand.selectors)) for source, demand in demands.items()} == {
        "map#mara-lindq": ["author:mara-lindq", "mara-lindq"],
        "map#tovi-ashgrove": ["author:tovi-ashgrove [commits]", "tovi-ashgrove [commits]", "tovi-ashgrove/lamppost"],
        "map#quillfen": ["author:quillfen [issues]", "quillfen [issues]"],
        "map#nkemba": ["author:nkemba", "delta-coop/levee", "nkemba"],
        "map#ilse-tarn": [],
        "map#empty-hand": [],
    }
    assert demands["map#ilse-tarn"].held
    assert demands["map#empty-hand"].held == "it wants nothing"
    assert all(demand.author is None for demand in demands.values())  # a map proves nothing


def test_an_account_that_stands_twice_in_a_map_is_refused() -> None:
    with pytest.raises(UsageError, match="twice"):
        list(read(b'{"acme": ["acme/a"], "Acme": ["all"]}', "map"))
    with pytest.raises(UsageError, match="twice"):
        list(read(b'{"acme": ["acme/a"], "acme": ["all"]}', "map"))


def test_the_machine_lines_of_2026() -> None:
    demands = list(read((DATA / "optouts.jsonl").read_bytes(), SOURCE))
    assert [(demand.source, demand.author) for demand in demands[:2]] == [
        (f"{SOURCE}#3", "mara-lindq"),
        (f"{SOURCE}#44", "Tovi-Ashgrove"),
    ]
    assert [" ".join(map(str, demand.selectors)) for demand in demands] == [
        "mara-lindq/loom mara-lindq/weft",
        "tovi-ashgrove",
        "quillfen ink-guild brindle/tmux",
        "",
    ]
    assert demands[3].held.endswith("which is meant?")


def test_a_table() -> None:
    first, second, third = read((DATA / "table.csv").read_bytes(), "table.csv")
    assert (str(*first.selectors), first.source, first.received, first.copies) == (
        "mara-lindq/loom",
        "mail 2026-08-01",
        "2026-08-01T07:00:00Z",
        True,
    )
    assert [str(selector) for selector in second.selectors] == ["ostrow-labs", "ostrow-labs-archive"]
    assert second.former == ("pia-old",)
    assert first.author is None  # whoever fills in a table may name anybody
    assert first.claims["author"] == "mara-lindq"
    assert third.held == "its selector is not certain"


def test_a_plain_list() -> None:
    demands = list(read((DATA / "list.txt").read_bytes(), "list.txt"))
    assert [str(*demand.selectors) for demand in demands[:3]] == ["acme", "other/secret", "brindle/tmux"]
    assert demands[3].held
    assert demands[3].claims == {"text": "what is this?"}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0", "no UTF-8 text"),
        (b"acme\0/widgets", "binary"),
        (b"", "empty"),
        (b" \r\n ", "empty"),
        ((DATA / "issues.json").read_bytes()[:90_000], "no whole JSON"),
        (b'{"number": 1, "body": "x", "user": {"login": "a"}}\n{"number": 2, "bo', "line 2 is no whole JSON"),
        (b"[]", "holds no request"),
        (b"[1, 2]", "is neither an issue"),
        (b'[{"number": 1, "title": "x"}]', "is neither an issue"),
        (b'[{"number": 1, "body": "x", "user": {"login": "a"}}, 5]', "entry 2 is no issue"),
        (b'[{"number": 1, "body": "x", "user": {"id": 7}}]', "no login"),
        (b'[{"number": 1, "body": "x", "user": null, "created_at": "soon"}]', "no time"),
        (b'{"issue": 1, "author": "a", "optout_repos": "a/b", "optout_owners": []}', "no record of issue"),
        (b'{"acme": [1]}', "no list of words"),
        (b"name,email\nacme,a@example.com\n", "has the column selector"),
        (b"selector,author\nacme\n", "cells"),
        (b'selector,author\n"acme,b\n', "no CSV"),
        (b"Dear all,\nplease remove my things.\n", "holds no selector"),
    ],
)
def test_a_file_in_no_form_is_one_sentence(data: bytes, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        list(read(data, "some file"))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "body",
    [
        "<!--" * 250_000,
        "### " + "# " * 480_000,
        "I request that the following data is removed from The Stack" + " " * 900_000 + "x",
        "### Specific repositories to remove\n" + "- [x] " * 150_000,
        "### Specific repositories to remove\n" + "a/b," * 200 + "\n" + "`" * 900_000,
    ],
    ids=["comments", "headings", "blanks", "boxes", "names"],
)
def test_a_body_made_to_take_long_does_not(body: str) -> None:
    start = time.process_time()
    (demand,) = _demands_of(body)
    assert demand.held
    assert time.process_time() - start < 2


def test_an_account_of_another_host_is_nobody_on_github() -> None:
    issue = json.loads((DATA / "issues.json").read_bytes())[20]
    assert issue["user"]["login"] == "RENWICK-j"
    issue["html_url"] = "https://git.example.com/renwick/requests/issues/121"
    (demand,) = read(json.dumps([issue]).encode(), "x")
    assert (demand.author, demand.source) == (None, "git.example.com/renwick/requests#121")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["number", "title", "body", "user", "author", "created_at", "html_url", "labels", "state_reason", "login"]
KEYS += ["issue", "optout_repos", "optout_owners", "name", "pull_request"]
records = st.dictionaries(st.sampled_from(KEYS), values)


@given(st.binary() | (values | records | st.lists(records, max_size=3)).map(lambda value: json.dumps(value).encode()))
def test_whatever_a_file_holds_is_read_or_refused_in_one_sentence(data: bytes) -> None:
    said = "some file: nothing was wrong"
    try:
        assert all(demand.selectors or demand.held or demand.former for demand in read(data, "some file"))
    except UsageError as error:
        said = str(error)
    assert said.startswith("some file")
    assert len(said.splitlines()) == 1


# ---- never too wide

NAMES = [
    "author-x",
    "victim",
    "acme/one",
    "victim/a",
    "all",
    "Commits",
    "GitHub issue",
    "USERNAME/REPO_1",
    "everything",
]
MARKS = [
    "- ",
    " * ",
    "> ",
    "`",
    "**",
    "~~",
    "[x] ",
    "[ ] ",
    "<!--",
    "-->",
    "```",
    "\n",
    "\r\n",
    "\u200b",
    "\u202e",
    ",",
    " ",
]
WORDS = [
    "I request that the following data is removed from The Stack:",
    "### Accounts and organizations to remove ENTIRELY",
    "### Specific repositories to remove",
    "### Anything else? (optional)",
    "### Optional - your relationship to what you listed",
    "_No response_",
    "except",
    "please remove all of",
    "https://github.com/",
    "/tree/main/",
    "https://github.com/victim/a/issues/1",
]
bodies = st.lists(st.one_of(st.sampled_from([*NAMES, *MARKS, *WORDS]), st.text(max_size=8)), max_size=25).map("".join)


def _demands_of(body: str, title: str = "") -> Iterator[Demand]:
    issue: dict[str, Any] = {"number": 1, "title": title, "body": body, "user": {"login": "author-x"}}
    return read(json.dumps([issue]).encode(), "x")


@settings(max_examples=500)
@given(bodies | st.text(), st.text(max_size=20))
def test_no_text_yields_an_account_that_is_neither_listed_as_one_nor_the_author(body: str, title: str) -> None:
    for demand in _demands_of(body, title):
        for selector in demand.selectors:
            if selector.target == "owner" and selector.value != "author-x":
                heading = "accounts and organizations to remove entirely"
                assert heading in body.casefold()
                listed = body.casefold().split(heading, 1)[1]
                assert selector.value in listed.translate(
                    dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
                )
            if selector.target == "author":
                assert selector.value == "author-x"


@given(st.lists(st.sampled_from(["author-x/a", "author-x/b", "other/c"]), min_size=1, unique=True), bodies)
def test_single_repositories_never_become_an_account(names: list[str], noise: str) -> None:
    body = WORDS[0] + "\n\n" + "\n".join(f" - {name}" for name in names)
    (demand,) = _demands_of(body)
    assert [str(selector) for selector in demand.selectors] == names
    if "all" not in noise.casefold() and "accounts" not in noise.casefold():
        for demand in _demands_of(f"{body}\n{noise}"):
            assert all(selector.target != "owner" or selector.kinds for selector in demand.selectors)


@given(st.lists(st.sampled_from(["author-x/a", "author-x/b", "other/c"]), min_size=1, unique=True), st.text())
def test_a_list_is_read_whole_or_held(names: list[str], noise: str) -> None:
    """Never silently narrower: whatever else is written, each listed repository is selected, or a person looks."""
    body = WORDS[0] + "\n\n" + "\n".join(f" - {name}" for name in names) + "\n" + noise
    for demand in _demands_of(body):
        assert demand.held or set(names) <= {str(selector) for selector in demand.selectors}


def _split(selectors: str) -> list[str]:
    words: list[str] = []
    for word in selectors.split():
        if word.startswith("["):
            words[-1] += f" {word}"
        else:
            words.append(word)
    return words
