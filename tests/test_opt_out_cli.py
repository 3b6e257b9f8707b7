"""`quarry opt-out` as an operator uses it: from a file of issues to requests in a ledger."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opt_out.ledger import Ledger
from tests.command import QUARRY, quarry
from tests.gitrepos import commit_files, served
from tests.opt_out_run import build, complete

DATA = Path(__file__).parent / "data" / "opt_out"
Command = Callable[..., Any]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def opt_out(ledger: Path) -> Command:
    """A command on the ledger; with its --json output read, where it has one."""

    def called(*arguments: object) -> Any:
        done = quarry("opt-out", *arguments, "--ledger", ledger)
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    return called


@pytest.fixture
def refused(ledger: Path) -> Command:
    """The one sentence with which a command on the ledger is refused."""

    def called(*arguments: object) -> str:
        done = quarry("opt-out", *arguments, "--ledger", ledger)
        assert done.exit_code == 2, done.stdout
        assert "Traceback" not in done.stderr
        assert done.stderr.count("\n") == 1
        return str(done.stderr)

    return called


def _states(opt_out: Command) -> dict[str, tuple[str, str]]:
    """source -> (state, selectors) of every request."""
    return {
        one["source"].removeprefix("bigcode-project/opt-out-v2"): (one["state"], " ".join(one["selectors"]))
        for one in opt_out("list", "--json")
    }


def test_an_export_becomes_requests_with_the_authority_of_their_authors(opt_out: Command) -> None:
    counts = opt_out("import", DATA / "issues.json", "--json")
    states = _states(opt_out)
    assert counts["added"] == len(states) == counts["verified"] + counts["received"] + counts["held"]
    assert states["#102"] == ("verified", "tovi-ashgrove/lamppost")
    assert states["#121"] == ("verified", "renwick-j")
    # a stranger, and an account that is gone
    assert states["#114"] == ("received", "mara-lindq/loom mara-lindq/weft")
    assert states["#113"] == ("received", "gone-account/code")
    # own account at once, organisation and others' repository when proven
    assert states["#123"] == ("verified", "pia-ostrow")
    assert states["#123/2"][0] == "received"
    assert set(states["#123/2"][1].split()) == {"ostrow-labs", "pia-old", "brindle/tmux"}
    # a former name needs its own proof
    assert states["#128"] == ("verified", "pia-ostrow")
    assert states["#128/2"] == ("held", "pia-old")
    assert states["#115"] == ("held", "")


def test_a_policy_of_copies_holds_for_all_that_is_imported(opt_out: Command, ledger: Path) -> None:
    opt_out("import", DATA / "list.txt", "--copies")
    with Ledger.open(str(ledger), readonly=True) as book:
        requests = list(book.requests())
    assert requests
    assert all(request.copies for request in requests)


def test_importing_twice_adds_nothing(opt_out: Command, ledger: Path) -> None:
    for file in ("issues.json", "issues_gh.jsonl", "map.json", "optouts.jsonl", "table.csv", "list.txt"):
        first = opt_out("import", DATA / file, "--json")
        assert first["added"]
        with Ledger.open(str(ledger), readonly=True) as book:
            before = book.head()
        second = opt_out("import", DATA / file, "--json")
        assert (second["added"], second["known"]) == (0, first["added"])
        with Ledger.open(str(ledger), readonly=True) as book:
            assert book.head() == before


def test_two_operators_import_the_same_export_at_once(opt_out: Command, ledger: Path) -> None:
    command = [*QUARRY, "opt-out", "import", str(DATA / "issues.json"), "--ledger", str(ledger), "--json"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    counts = [json.loads(one.communicate()[0]) for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert counts[0]["added"] + counts[1]["added"] == len(opt_out("list", "--json"))
    assert counts[0]["added"] + counts[0]["known"] == len(opt_out("list", "--json"))
    opt_out("verify")


def test_a_grown_export_adds_what_is_new(opt_out: Command, tmp_path: Path) -> None:
    issues = json.loads((DATA / "issues.json").read_bytes())
    (tmp_path / "first.json").write_text(json.dumps(issues[:20]))
    opt_out("import", tmp_path / "first.json")
    second = opt_out("import", DATA / "issues.json", "--json")
    assert second["known"] >= 20
    assert second["added"] + second["known"] == len(_states(opt_out))


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n\0\0",
        (DATA / "issues.json").read_bytes()[:100_000],
        b"name,email\nacme,a@example.com\n",
        b"[]",
        b"Dear all,\nplease remove it.\n",
    ],
)
def test_a_bad_file_is_one_sentence_and_changes_nothing(
    opt_out: Command, refused: Command, ledger: Path, tmp_path: Path, content: bytes
) -> None:
    opt_out("import", DATA / "list.txt")
    before = _states(opt_out)
    bad = tmp_path / "bad"
    bad.write_bytes(content)
    assert "bad" in refused("import", bad)
    assert "bad" in refused("import", DATA / "issues.json", bad)  # nothing of the good one either
    assert _states(opt_out) == before


def test_a_bad_file_makes_no_ledger(refused: Command, ledger: Path, tmp_path: Path) -> None:
    refused("import", tmp_path / "none.json")
    assert not ledger.exists()


def test_two_different_demands_of_one_source_are_refused(refused: Command, ledger: Path, tmp_path: Path) -> None:
    (tmp_path / "two.csv").write_text("selector,source\nacme/a,letter\nacme/b,letter\n")
    assert "letter" in refused("import", tmp_path / "two.csv")
    assert not ledger.exists()


def test_a_preview_records_nothing(opt_out: Command, ledger: Path) -> None:
    lines = [json.loads(line) for line in opt_out("import", DATA / "issues.json", "--preview").splitlines()]
    by_source = {line["source"]: line for line in lines}
    becomes = by_source["bigcode-project/opt-out-v2#123"]["becomes"]
    assert [part["state"] for part in becomes] == ["verified", "received"]
    assert not ledger.exists()


def test_an_operators_judgement_of_a_whole_list_verifies_what_is_certain(opt_out: Command) -> None:
    why = "BigCode checked these authors in March"
    counts = opt_out("import", DATA / "map.json", "--verified-because", why, "--json")
    assert (counts["verified"], counts["received"], counts["held"]) == (4, 0, 2)
    (first, *_) = opt_out("list", "--state", "verified", "--json")
    bodies = [entry["body"] for entry in opt_out("show", first["id"], "--json")["entries"]]
    assert {"how": "judgement", "because": why} in bodies


def test_what_a_requester_wrote_stands_apart_from_the_entries(opt_out: Command) -> None:
    opt_out("import", DATA / "issues.json")
    held = next(one for one in opt_out("list", "--json") if one["source"].endswith("#129"))
    shown = opt_out("show", held["id"], "--json")
    assert "dotfiles" in shown["person"]["text"]
    assert "dotfiles" not in json.dumps(shown["entries"])
    assert shown["reason"] == "its notes may change what its lists say; read them"
    opt_out("erase", held["id"])
    assert opt_out("show", held["id"], "--json")["person"] is None
    opt_out("verify")


def test_a_request_by_hand_is_received_until_somebody_vouches_for_it(opt_out: Command, refused: Command) -> None:
    (request,) = opt_out("add", "https://github.com/Acme/Widgets/", "--source", "letter", "--copies", "--json")
    assert (request["state"], request["selectors"], request["copies"]) == ("received", ["acme/widgets"], True)
    assert "already" in refused("add", "acme/widgets", "--source", "letter")
    (request,) = opt_out("accept", request["id"], "--because", "their lawyer's letter", "--json")
    assert request["state"] == "verified"
    (request,) = opt_out("withdraw", request["id"], "--because", "their second letter", "--json")
    assert request["state"] == "withdrawn"
    refused("accept", request["id"], "--because", "again")


def test_a_request_is_shown_with_its_history(opt_out: Command) -> None:
    (request,) = opt_out("add", "acme/widgets", "--json")
    shown = opt_out("show", request["id"])
    assert "received" in shown
    assert f"quarry opt-out challenge {request['id']}" in shown
    opt_out("reject", request["id"], "--because", "the repository is a mirror of ours")
    shown = opt_out("show", request["id"])
    assert "the repository is a mirror of ours" in shown
    assert "challenge" not in shown
    assert opt_out("list").splitlines() == [
        f"{request['id']}  rejected   acme/widgets  (the repository is a mirror of ours)"
    ]


def test_a_long_request_is_listed_in_short(opt_out: Command) -> None:
    opt_out("import", DATA / "issues.json")
    (line,) = (line for line in opt_out("list").splitlines() if "long-lister" in line)
    assert line.endswith("long-lister/project-0004 and 4,995 more")


def test_kinds_and_former_names(opt_out: Command, refused: Command) -> None:
    requests = opt_out("add", "acme", "--kinds", "code, issues", "--former", "acme-old", "--json")
    assert [request["selectors"] for request in requests] == [["acme [code, issues]"], ["acme-old"]]
    assert [request["state"] for request in requests] == ["received", "held"]
    (everything,) = opt_out("add", "acme", "--kinds", "code,issues,commits", "--source", "b", "--json")
    assert everything["selectors"] == ["acme"]
    (vouched,) = opt_out(
        "add", "acme", "--former", "acme-old", "--source", "c", "--verified-because", "seen at their office", "--json"
    )
    assert (vouched["state"], vouched["selectors"]) == ("verified", ["acme", "acme-old"])
    assert "wikis" in refused("add", "acme", "--kinds", "wikis")
    assert refused("add", "everything of mine")


def test_a_held_request_is_read_by_a_person(opt_out: Command, refused: Command) -> None:
    opt_out("import", DATA / "issues.json")
    held = {one["source"].rpartition("#")[2]: one["id"] for one in opt_out("list", "--state", "held", "--json")}
    assert "--as" in refused("accept", held["115"], "--because", "clear enough")
    assert "because" in refused("accept", held["129"], "--because", " ")
    (accepted,) = opt_out("accept", held["129"], "--because", "dotfiles are in no run", "--json")
    assert (accepted["state"], accepted["selectors"]) == ("verified", ["pia-ostrow"])
    (read,) = opt_out("accept", held["115"], "--as", "ilse-tarn", "--because", "all their stuff", "--json")
    assert (read["state"], read["selectors"]) == ("verified", ["ilse-tarn"])
    old = opt_out("show", held["115"], "--json")
    assert old["state"] == "rejected"
    assert read["id"] in old["reason"]
    (rejected,) = opt_out("reject", held["119"], "--because", "no account is named", "--json")
    assert (rejected["state"], rejected["reason"]) == ("rejected", "no account is named")


def test_a_published_token_verifies_a_request(opt_out: Command, refused: Command, tmp_path: Path) -> None:
    (request,) = opt_out("add", "acme", "acme/widgets", "--json")
    told = opt_out("challenge", request["id"], "--json")
    assert told["token"] in opt_out("challenge", request["id"])
    assert told["repositories"]["acme"] == ["acme/acme", "acme/.github"]
    with served(tmp_path / "host") as host:
        commit_files(tmp_path / "host/acme/widgets.git", {"quarry-opt-out.txt": told["token"].encode()})
        said = refused("check", request["id"], "--host", host)
        assert "'acme' is not proven" in said
        assert "'acme/widgets'" not in said
        assert opt_out("show", request["id"], "--json")["state"] == "received"
        commit_files(tmp_path / "host/acme/acme.git", {"README.md": f"# Acme\n\n{told['token']}\n".encode()})
        (request,) = opt_out("check", request["id"], "--host", host, "--json")
    assert request["state"] == "verified"
    body = opt_out("show", request["id"], "--json")["entries"][-1]["body"]
    assert body["how"] == "challenge"
    assert [proof["repository"] for proof in body["proofs"]] == ["acme/acme", "acme/widgets"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("list",), "ledger"),
        (("list", "--state", "lost"), "lost"),
        (("show", "R000001"), "ledger"),
        (("check", "R000001", "--host", "github"), "--host"),
        (("import", "none.json"), "none.json"),
    ],
)
def test_a_mistake_is_one_sentence(refused: Command, arguments: tuple[str, ...], says: str) -> None:
    assert says in refused(*arguments)


def test_an_unknown_request_is_one_sentence(opt_out: Command, refused: Command) -> None:
    opt_out("add", "acme")
    for command in (("show",), ("accept", "--because", "x"), ("challenge",), ("check",), ("reject", "--because", "x")):
        assert "R000099" in refused(command[0], "R000099", *command[1:])


def test_keys_sign_a_ledger_that_others_can_check(opt_out: Command, refused: Command, tmp_path: Path) -> None:
    private, public = tmp_path / "operator.pem", tmp_path / "operator.pub"
    opt_out("add", "acme")
    opt_out("key", "make", private, public)
    assert "rotate" in refused("key", "make", private, public)
    first = opt_out("sign", "--key", private, "--json")
    assert "signatures hold" in opt_out("verify", "--public", public)
    second_key = tmp_path / "second.pem"
    opt_out("key", "rotate", private, second_key, public)
    assert "retired" in refused("sign", "--key", private)
    second = opt_out("sign", "--key", second_key, "--json")
    opt_out("verify", "--public", public, "--head", f"{first['sequence']}:{first['chain']}")
    exported = tmp_path / "ledger.jsonl"
    opt_out("export", exported)
    lines = [json.loads(line) for line in exported.read_text().splitlines()]
    assert [line["event"] for line in lines if "event" in line] == ["received", "key_added", "key_added", "key_retired"]
    assert [line["signed"]["key"] for line in lines if "signed" in line] == [first["key"], second["key"]]
    opt_out("key", "lost", second["key"], public, "--because", "the laptop was stolen")
    assert "lost" in refused("verify", "--public", public)


def test_a_ledger_that_was_cut_off_is_found_out(opt_out: Command, refused: Command, ledger: Path) -> None:
    opt_out("add", "acme")
    old = ledger.read_bytes()
    opt_out("add", "acme/widgets")
    told = opt_out("verify", "--json")
    ledger.write_bytes(old)
    for name in ("-wal", "-shm"):
        Path(f"{ledger}{name}").unlink(missing_ok=True)
    opt_out("verify")
    assert "not what it was" in refused("verify", "--head", f"{told['sequence']}:{told['chain']}")
    assert "--head" in refused("verify", "--head", "newest")


def test_the_numbers_are_public_json(opt_out: Command, tmp_path: Path) -> None:
    opt_out("add", "acme")
    opt_out("numbers", "--out", tmp_path / "numbers.json")
    assert json.loads((tmp_path / "numbers.json").read_text()) == json.loads(opt_out("numbers"))
    assert "received" in opt_out("numbers")


def test_a_dry_run_lists_the_documents_and_records_nothing(
    opt_out: Command, ledger: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = complete(build(tmp_path_factory.mktemp("runs")))
    rows = opt_out("add", "acme/widgets:src/*.py", "--dry-run", run, "--json")
    assert {(row["repo"], row["path"]) for row in rows} == {("acme/widgets", "src/secret.py")}
    assert len({row["id"] for row in rows}) == 1
    assert not ledger.exists()
    opt_out("import", DATA / "table.csv")
    (request,) = opt_out("add", "acme/gadgets", "--json")
    before = opt_out("verify", "--json")
    asked = opt_out("accept", request["id"], "--dry-run", run, "--json")
    assert asked
    assert {row["repo"] for row in asked} == {"acme/gadgets"}
    assert asked == opt_out("show", request["id"], "--dry-run", run, "--json")
    assert "would be touched; nothing was recorded" in opt_out("show", request["id"], "--dry-run", run)
    assert opt_out("verify", "--json") == before
