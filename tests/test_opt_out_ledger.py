"""The ledger says what happened, to whom it matters, whoever writes at once; nothing in it changes unnoticed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opt_out.chain import EMPTY, make_row
from opt_out.keys import load_private, load_public, lose_key, make_key, rotate_key
from opt_out.ledger import Head, Incoming, Ledger, Request
from opt_out.ledger_index import FOLLOWS
from opt_out.selectors import Selector, parse_selector
from opt_out.standing import numbers
from pipeline.errors import UsageError

BECAUSE = {"how": "judgement", "because": "a test"}


@pytest.fixture
def path(tmp_path: Path) -> str:
    Ledger.create(str(tmp_path / "ledger.sqlite")).close()
    return str(tmp_path / "ledger.sqlite")


def ask(ledger: Ledger, *written: str, source: str = "", verified: bool = True, **more: Any) -> Request:
    selectors = [parse_selector(one, "test") for one in written]
    request = ledger.receive(
        selectors, source=source or f"test: {' '.join(written)}", person=more.pop("person", None), **more
    )
    if verified:
        ledger.record("verified", request.id, BECAUSE)
    return ledger.request(request.id)


def covered(ledger: Ledger, *repos: str, at: int | None = None) -> list[str | None]:
    found: list[str | None] = ledger.selectors(at).covers(pa.table({"repo": pa.array(repos)})).to_pylist()
    return found


# What it says


def test_a_request_is_honoured_from_its_verification_until_it_is_withdrawn(path: str) -> None:
    with Ledger.open(path) as ledger:
        ask(ledger, "stranger", verified=False)
        first = ask(ledger, "Acme/Widgets", source="issue#1", copies=True, received="2026-08-01T02:00:00+02:00")
        before = ledger.head()
        second = ask(ledger, "other", "author:ada [commits]")
        ledger.record("withdrawn", first.id, {"reason": "their mail"})
    with Ledger.open(path, readonly=True) as ledger:
        assert (first.id, first.state, first.copies, first.received) == (
            "R000002",
            "verified",
            True,
            "2026-08-01T00:00:00Z",
        )
        assert first.selectors == (Selector("repository", "acme/widgets"),)
        assert covered(ledger, "acme/widgets", "other/x", "stranger/x") == [None, "other", None]
        assert covered(ledger, "acme/widgets", "other/x", at=before.sequence) == ["acme/widgets", None]
        assert [one.id for one in ledger.active()] == [second.id]
        assert [one.id for one in ledger.active(before.sequence)] == [first.id]
        accepted, withdrawn = ledger.changes(before)
        assert [one.id for one in accepted] == [second.id]
        assert [one.id for one in withdrawn] == [first.id]
        assert ledger.request(first.id).reason == "their mail"
        accepted, withdrawn = ledger.changes(EMPTY)
        assert ([one.id for one in accepted], withdrawn) == ([second.id], [])
        assert [entry.event for entry in ledger.entries_of(first.id)] == ["received", "verified", "withdrawn"]
        assert [one.id for one in ledger.requests("withdrawn")] == [first.id]
        assert ledger.verify() == []


def test_what_is_imported_twice_adds_nothing(path: str) -> None:
    many = [Incoming([Selector("owner", f"o{n}")], f"list#{n}", held="look" if n == 3 else "") for n in range(2_500)]
    with Ledger.open(path) as ledger:
        assert len(ledger.receive_many([*many, *many[:5]])) == 2_500
        head = ledger.head()
        assert ledger.receive_many(many) == []
        assert ledger.receive(many[7].selectors, source="list#7", person=None).id == "R000008"
        assert ledger.head() == head
        assert [one.id for one in ledger.requests()] == [f"R{n:06d}" for n in range(1, 2_501)]
        assert [(one.id, one.reason) for one in ledger.requests("held")] == [("R000004", "look")]


def test_an_import_that_fails_adds_nothing(path: str) -> None:
    bad = [Incoming([Selector("owner", "acme")], "a#1"), Incoming([Selector("owner", "no such name")], "a#2")]
    with Ledger.open(path) as ledger:
        for incoming in (bad, [bad[0], Incoming([], "a#3")], [bad[0], Incoming([], "", held="look")]):
            with pytest.raises(UsageError):
                ledger.receive_many(incoming)
        assert ledger.head() == EMPTY
        assert list(ledger.requests()) == []


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(sorted(FOLLOWS)), max_size=8))
def test_impossible_transitions_are_refused_and_leave_no_trace(events: list[str]) -> None:
    state, began = "received", False
    moves = {"applying": None, **{event: event for event in FOLLOWS if event != "applying"}}
    with Ledger.open(_fresh()) as ledger:
        request = ask(ledger, "acme", verified=False)
        for event in events:
            head = ledger.head()
            if state in FOLLOWS[event]:
                ledger.record(event, request.id, {"reason": "r"})
                state, began = moves[event] or state, began or event == "applying"
            elif event == "honoured" and state == "withdrawn" and began:
                ledger.record(event, request.id, {})  # data were rewritten before the removal heard of it
            else:
                with pytest.raises(UsageError, match=f"is {state}, so it cannot become {event}"):
                    ledger.record(event, request.id, {})
                assert ledger.head() == head
            assert ledger.request(request.id).state == state
        assert bool(ledger.active()) == (state in ("verified", "honoured", "certified"))
        assert ledger.verify() == []


def _fresh() -> str:
    name = os.path.join(tempfile.mkdtemp(), "ledger.sqlite")
    Ledger.create(name).close()
    return name


def test_an_export_can_be_checked_by_anybody(path: str) -> None:
    with Ledger.open(path) as ledger:
        ask(ledger, "acme/größe:a \ud83d*".replace("größe", "w").replace("\ud83d", "é"), person={"mail": "me@x.org"})
        ledger.record("held", ask(ledger, "b", verified=False).id, {"reason": "lone \ud800 surrogate"})
        file = io.StringIO()
        ledger.export(file)
        last = ledger.head().chain
    previous = "0" * 64
    for line in file.getvalue().splitlines():
        entry = json.loads(line)
        chain = entry.pop("chain")
        text = json.dumps(entry, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        assert hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest() == chain
        assert entry["previous"] == previous
        previous = chain
    assert previous == last
    assert "me@x.org" not in file.getvalue()


def test_numbers_count_months(path: str) -> None:
    with Ledger.open(path) as ledger:
        for day, honoured in ((1, "2026-02-04T00:00:00Z"), (2, "2026-02-10T12:00:00Z"), (3, None)):
            request = ask(ledger, f"o{day}", received=f"2026-01-{day:02d}T00:00:00Z", verified=False)
            if honoured:
                ledger.record("verified", request.id, {}, time=honoured)
                ledger.record("honoured", request.id, {}, time=honoured)
                ledger.record("honoured", request.id, {}, time="2026-03-01T00:00:00Z")  # in another run
            else:
                ledger.record("rejected", request.id, {"reason": "a stranger"}, time="2026-02-01T00:00:00Z")
        months = {one["month"]: one for one in numbers(ledger)["months"]}
    zero = {"received": 0, "honoured": 0, "rejected": 0, "held": 0, "withdrawn": 0, "median_days": None}
    assert months["2026-01"] == {**zero, "month": "2026-01", "received": 3}
    assert months["2026-02"] == {**zero, "month": "2026-02", "honoured": 2, "rejected": 1, "median_days": 36.75}
    assert months["2026-03"] == {**zero, "month": "2026-03"}


# What is done to it with other programs


def _filled(path: str) -> Head:
    """Three verified requests, signed; then one more."""
    with Ledger.open(path) as ledger:
        for name in ("acme", "beta/one", "gamma"):
            ask(ledger, name, person={"mail": f"{name}@example.org"})
        make_key(f"{path}.pem", f"{path}.pub")
        ledger.sign(load_private(f"{path}.pem"))
        ask(ledger, "delta", person={"mail": "d@example.org"})
        return ledger.head()


def _with_sql(path: str, *statements: str, triggers: bool = False) -> None:
    """Change a ledger with another program, which drops the triggers meanwhile unless `triggers`."""
    with closing(sqlite3.connect(path)) as connection:
        held = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in () if triggers else held:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _, sql in () if triggers else held:  # covers its tracks
            connection.execute(sql)
        connection.commit()


EDITS = {
    "body": "UPDATE entry SET body = replace(body, 'acme', 'evil') WHERE sequence = 1",
    "body's spelling": "UPDATE entry SET body = replace(body, '\":', '\": ') WHERE sequence = 1",
    "time": "UPDATE entry SET time = '2020-01-01T00:00:00Z' WHERE sequence = 3",
    "event": "UPDATE entry SET event = 'rejected' WHERE sequence = 4",
    "request": "UPDATE entry SET request = 'R000002' WHERE sequence = 6",
    "hash": "UPDATE entry SET chain = lower(hex(randomblob(32))) WHERE sequence = 3",
    "type": "UPDATE entry SET body = CAST(body AS BLOB) WHERE sequence = 2",
    "no JSON": "UPDATE entry SET body = '{' WHERE sequence = 8",
}


@pytest.mark.parametrize("statement", EDITS.values(), ids=EDITS)
def test_an_edit_is_found(path: str, statement: str) -> None:
    _filled(path)
    _with_sql(path, statement)
    assert any("was edited" in one for one in _told(path)), _told(path)


def test_a_removal_and_a_move_are_found(path: str) -> None:
    _filled(path)
    _with_sql(path, "DELETE FROM entry WHERE sequence IN (3, 4)")
    assert "entries 3 to 4 were removed: 5 follows 2." in _told(path)
    _with_sql(path, "DELETE FROM entry WHERE sequence = 1")
    assert "entry 1 was removed: 2 follows 0." in _told(path)


def test_a_reorder_is_found(path: str) -> None:
    _filled(path)
    swap = "UPDATE entry SET sequence = {} WHERE sequence = {}"
    _with_sql(path, swap.format(99, 3), swap.format(3, 5), swap.format(5, 99))
    told = _told(path)
    assert any("entry 3 was edited or moved" in one for one in told)
    assert any("entry 5 was edited or moved" in one for one in told)


def test_a_truncation_is_found_by_signatures_look_ups_and_heads_known_elsewhere(path: str) -> None:
    last = _filled(path)
    cut = ("DELETE FROM entry WHERE sequence > 7",)
    _with_sql(path, *cut)  # behind the last signature, the look-up tables still know
    assert any("says of R000004 what the entries do not say" in one for one in _told(path))
    _with_sql(path, "UPDATE request SET state = 'received', verified = NULL, verified_at = NULL WHERE number = 4")
    assert _told(path) == []  # who knows the format cuts off what nobody signed, unless it is known elsewhere
    with Ledger.open(path, readonly=True) as ledger:
        assert "entries were removed from the end: there was an entry 8" in ledger.verify(None, [last])[0]
        with pytest.raises(UsageError, match=r"entry 8, .*\(it ends before\).* another ledger, or was tampered with"):
            ledger.changes(last)
    _with_sql(
        path,
        "DELETE FROM entry WHERE sequence > 4",
        "DELETE FROM request WHERE number > 2",
        "DELETE FROM selector WHERE request > 2",
        "DELETE FROM person WHERE request > 'R000002'",
    )
    assert any("signed entry 6, which is not there" in one for one in _told(path))
    _with_sql(path, "DELETE FROM signature")
    assert _told(path) == ["no entry is signed: nobody signed yet, or the signatures were removed."]


def test_a_chain_that_is_computed_anew_is_found_by_its_signature(path: str) -> None:
    last = _filled(path)
    with Ledger.open(path, readonly=True) as ledger:
        entries = list(ledger.entries())
    head, statements = EMPTY, ["DELETE FROM entry"]
    for entry in entries:
        body = json.dumps(entry.body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        row = make_row(head, entry.time, entry.event, entry.request, body.replace("acme", "evil"))
        head = Head(row.sequence, row.chain)
        statements.append("INSERT INTO entry VALUES(" + ",".join(repr(value) for value in row) + ")")
    statements += [
        "UPDATE selector SET value = 'evil' WHERE value = 'acme'",
        "UPDATE request SET source = replace(source, 'acme', 'evil')",
    ]
    _with_sql(path, *statements)
    told = _told(path)
    assert len(told) == 1
    assert "entry 6 is another one than key" in told[0]
    forged = load_private(f"{path}.pem").sign(b"something else").hex()
    chain = "(SELECT chain FROM entry WHERE sequence = 6)"
    _with_sql(path, f"UPDATE signature SET signature = '{forged}', chain = {chain}")
    assert [one for one in _told(path) if "is forged" in one]
    with Ledger.open(path, readonly=True) as ledger, pytest.raises(UsageError, match="that entry is another one"):
        ledger.changes(last)


def test_a_signature_by_a_stranger_or_a_lost_key_is_told(path: str) -> None:
    _filled(path)
    make_key(f"{path}.stranger", f"{path}.stranger.pub")
    with Ledger.open(path) as ledger:
        ledger.sign(load_private(f"{path}.stranger"))
        told = ledger.verify(load_public(f"{path}.pub"))
        assert len(told) == 1
        assert "none of the operator's keys" in told[0]
        assert len(ledger.verify(load_public(f"{path}.stranger.pub"))) == 1
    key = load_private(f"{path}.pem")
    lose_key(key.id, f"{path}.pub", "stolen")
    make_key(f"{path}.second", f"{path}.pub")
    _with_sql(path, "DELETE FROM signature WHERE sequence = 8")
    with Ledger.open(path) as ledger:
        assert any("signed only by key" in one for one in ledger.verify(load_public(f"{path}.pub")))
        ledger.record("key_lost", "", {"key": key.id, "because": "stolen"})
        with pytest.raises(UsageError, match="was lost; sign with the present one"):
            ledger.sign(key)
        ledger.sign(load_private(f"{path}.second"))  # vouches for all that stood there before, too
        assert ledger.verify(load_public(f"{path}.pub")) == []


def test_a_rotated_key_signs_no_more_and_its_signatures_hold(path: str) -> None:
    _filled(path)
    old, new = rotate_key(f"{path}.pem", f"{path}.next", f"{path}.pub")
    with Ledger.open(path) as ledger:
        ledger.record("key_retired", "", {"key": old})
        ledger.record("key_added", "", {"key": new})
        with pytest.raises(UsageError, match="was retired"):
            ledger.sign(load_private(f"{path}.pem"))
        assert ledger.sign(load_private(f"{path}.next")) == ledger.head()
        assert ledger.verify(load_public(f"{path}.pub")) == []


LOOK_UPS = {
    "state": "UPDATE request SET withdrawn_at = 5 WHERE number = 1",
    "selector": "UPDATE selector SET value = 'nobody' WHERE request = 1",
    "removed": "DELETE FROM request WHERE number = 2",
    "added": "INSERT INTO selector VALUES(1, 7, 'owner', 'victim', '')",
}


@pytest.mark.parametrize("statement", LOOK_UPS.values(), ids=LOOK_UPS)
def test_look_ups_that_were_edited_are_found_and_can_be_made_again(path: str, statement: str) -> None:
    _filled(path)
    _with_sql(path, statement)
    assert any("what the entries do not say" in one for one in _told(path))
    with Ledger.open(path) as ledger:
        ledger.rebuild_index()
        assert covered(ledger, "acme/x", "victim/x") == ["acme", None]
    assert _told(path) == []


def test_persons_that_were_edited_or_removed_are_found(path: str) -> None:
    _filled(path)
    _with_sql(path, "UPDATE person SET data = replace(data, 'acme', 'evil') WHERE request = 'R000001'")
    assert _told(path) == ["who made R000001 was edited: it has another hash than the entry says."]
    _with_sql(path, "DELETE FROM person WHERE request = 'R000001'")
    assert _told(path) == ["who made R000001 was removed without an entry that says so."]


def test_sqlite_itself_refuses_edits_and_entries_out_of_order(path: str) -> None:
    _filled(path)
    for statement in (
        EDITS["body"],
        "DELETE FROM entry WHERE sequence = 8",
        "DELETE FROM signature",
        "INSERT INTO entry SELECT 12, time, event, request, body, previous, chain FROM entry WHERE sequence = 8",
        "INSERT INTO entry SELECT 9, time, event, request, body, previous, chain FROM entry WHERE sequence = 8",
        "REPLACE INTO entry SELECT 8, time, 'rejected', request, body, previous, chain FROM entry WHERE sequence = 8",
    ):
        with pytest.raises(sqlite3.IntegrityError, match=r"the ledger only grows|follows the last one"):
            _with_sql(path, statement, triggers=True)
    assert _told(path) == []


def test_dropped_and_added_triggers_are_told(path: str) -> None:
    _filled(path)
    _with_sql(path, "DROP TRIGGER entry_delete", triggers=True)
    _with_sql(path, "CREATE TRIGGER t AFTER INSERT ON request BEGIN DELETE FROM selector; END", triggers=True)
    told = _told(path)
    assert "(entry_delete) were dropped or changed" in told[0]
    assert "added a trigger 't'" in told[1]


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 8), st.sampled_from(["time", "event", "request", "body", "previous", "chain"]), st.data())
def test_any_changed_character_is_found(sequence: int, column: str, data: st.DataObject) -> None:
    path = _fresh()
    _filled(path)
    connection = sqlite3.connect(path)
    (text,) = connection.execute(f"SELECT {column} FROM entry WHERE sequence = ?", (sequence,)).fetchone()
    connection.close()
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="utf-8", exclude_characters="'\0"))
    if other == text[at]:  # the text differs each time, by salts and hashes
        other = "x" if other == "y" else "y"
    changed = (text[:at] + other + text[at + 1 :]).replace("'", "''")
    _with_sql(path, f"UPDATE entry SET {column} = '{changed}' WHERE sequence = {sequence}")
    told = _told(path)
    assert told
    assert all(one.endswith(".") and "\n" not in one for one in told)


def _told(path: str) -> list[str]:
    keys = load_public(f"{path}.pub")
    with Ledger.open(path, readonly=True) as ledger:
        return ledger.verify(keys)


def test_a_tampered_entry_stops_who_would_honour_it(path: str) -> None:
    _filled(path)
    _with_sql(path, EDITS["event"])
    with (
        Ledger.open(path, readonly=True) as ledger,
        pytest.raises(UsageError, match="with: entry 4 was edited"),
    ):
        ledger.changes(ledger.head_at(2))


# Many at once, and interrupted

WRITE = """
import sys
from opt_out.ledger import Ledger
from opt_out.selectors import Selector
path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Ledger.open(path) as ledger:
    for number in range(count):
        request = ledger.receive([Selector("owner", f"{name}-{number}")], source=f"{name}#{number}", person={"n": name})
        ledger.record("verified", request.id, {"how": name})
        print(request.id, ledger.request(request.id).source, flush=True)
"""


def _writer(path: str, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITE, path, name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_processes_and_threads_that_write_at_once_keep_the_chain_whole(path: str) -> None:
    with Ledger.open(path) as shared, ExitStack() as running:
        processes = [running.enter_context(_writer(path, f"p{n}", 25)) for n in range(4)]
        threads = [threading.Thread(target=_write_in_thread, args=(shared, f"t{n}")) for n in range(4)]
        for thread in threads:
            thread.start()
        said = [process.communicate()[0].split() for process in processes]
        for thread in threads:
            thread.join()
        assert [process.returncode for process in processes] == [0] * 4
        ids = [request.id for request in shared.requests()]
        assert ids == [f"R{n:06d}" for n in range(1, 201)]
        assert len({name for words in said for name in words[::2]}) == 100  # no two were told the same id
        assert len(shared.active()) == 200
        assert shared.head().sequence == 400
        assert shared.verify() == []


def _write_in_thread(ledger: Ledger, name: str) -> None:
    for number in range(25):
        ask(ledger, f"{name}-{number}", source=f"{name}#{number}")


def test_two_operators_who_decide_at_once_leave_one_decision(path: str) -> None:
    with Ledger.open(path) as ledger:
        requests = [ask(ledger, f"o{n}", verified=False) for n in range(20)]
    outcomes: list[str] = []
    gate = threading.Barrier(2)

    def decide(event: str) -> None:
        with Ledger.open(path) as mine:
            for request in requests:
                gate.wait()
                try:
                    mine.record(event, request.id, {"reason": event})
                except UsageError as error:
                    outcomes.append(str(error))

    operators = [threading.Thread(target=decide, args=(event,)) for event in ("rejected", "withdrawn")]
    for operator in operators:
        operator.start()
    for operator in operators:
        operator.join()
    with Ledger.open(path) as ledger:
        assert {request.state for request in ledger.requests()} <= {"rejected", "withdrawn"}
        assert ledger.head().sequence == 40  # one decision a request
        assert len(outcomes) == 20
        assert ledger.verify() == []


def test_the_same_list_imported_by_two_operators_at_once_is_there_once(path: str) -> None:
    with ExitStack() as running:
        processes = [running.enter_context(_writer(path, "same", 30)) for _ in range(2)]
        said = [process.communicate() for process in processes]
    with Ledger.open(path) as ledger:
        assert len(list(ledger.requests())) == 30
        assert ledger.verify() == []
    for process, (_, error) in zip(processes, said, strict=True):
        assert process.returncode == 0 or "is verified, so it cannot become verified" in error


@pytest.mark.parametrize("delay", [0.0, 0.03, 0.1, 0.25, 0.5])
def test_killed_while_writing_nothing_acknowledged_is_lost(path: str, delay: float) -> None:
    with _writer(path, "p", 100_000) as process:
        assert process.stdout
        said = process.stdout.readline()
        time.sleep(delay)
        process.kill()
        said += process.stdout.read()
    acknowledged = [line.split() for line in said.splitlines(keepends=True) if line.endswith("\n")]
    assert acknowledged
    with Ledger.open(path) as ledger:
        assert ledger.verify() == []
        states = {request.id: (request.source, request.state) for request in ledger.requests()}
        for name, source in acknowledged:
            assert states[name] == (source, "verified")
        ask(ledger, "after")
        assert ledger.verify() == []


def test_killed_in_an_import_all_or_nothing_is_there(path: str) -> None:
    code = (
        "import sys; from opt_out.ledger import *; from opt_out.selectors import Selector\n"
        "def many():\n"
        "  for n in range(10**9):\n"
        "    if n == 3000: print('now', flush=True)\n"
        "    yield Incoming([Selector('owner', f'o{n}')], f's#{n}')\n"
        "Ledger.open(sys.argv[1]).receive_many(many())"
    )
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"now\n"
        process.kill()
    with Ledger.open(path) as ledger:
        assert ledger.head() == EMPTY
        assert ledger.verify() == []


# Persons


def test_an_erased_person_is_nowhere_in_the_files_and_the_chain_is_whole(path: str) -> None:
    """Among many rows, so that pages were split, merged and reused; with a reader that holds the file open."""
    with Ledger.open(path) as ledger, Ledger.open(path, readonly=True) as reader:
        texts = {
            n: f"secret-{n:04d}-" + hashlib.sha256(str(n).encode()).hexdigest() * (1 + n % 120) for n in range(400)
        }
        many = [Incoming([Selector("owner", f"o{n}")], f"s#{n}", {"mail": text}) for n, text in texts.items()]
        requests = ledger.receive_many(many)
        assert reader.person("R000004") == {"mail": texts[3]}
        gone = [n for n in texts if n % 3 == 0]
        ledger.erase_person(*(requests[n].id for n in gone if n % 2))
        ledger.erase_person(*(requests[n].id for n in gone if not n % 2))
        files = {name: Path(path).with_name(name).read_bytes() for name in os.listdir(Path(path).parent)}
        assert {"ledger.sqlite", "ledger.sqlite-wal"} <= files.keys()
        for n, text in texts.items():
            held = [name for name, data in files.items() if text[:11].encode() in data or text[12:60].encode() in data]
            assert bool(held) == (n % 3 != 0), (n, held)
        assert ledger.person(requests[0].id) is None
        assert ledger.person(requests[1].id) == {"mail": texts[1]}
        assert ledger.verify() == []
        head = ledger.head()
        ledger.erase_person(requests[0].id)  # again
        assert ledger.head() == head
        assert [entry.event for entry in ledger.entries_of(requests[0].id)] == ["received", "person_erased"]
        with pytest.raises(UsageError, match="no request R009999"):
            ledger.erase_person("R009999")


def test_an_entry_does_not_give_away_who_asked(path: str) -> None:
    """Who guesses the person cannot check the guess by the hash, once the salt is erased."""
    person = {"mail": "me@example.org"}
    with Ledger.open(path) as ledger:
        first, second = (ask(ledger, name, person=person) for name in ("a", "b"))
        hashes = [ledger.entries_of(one.id)[0].body["person"] for one in (first, second)]
    text = json.dumps(person, separators=(",", ":"))
    assert hashes[0] != hashes[1]
    assert hashlib.sha256(text.encode()).hexdigest() not in hashes


# Opening


def test_files_that_are_no_ledgers_are_told_in_a_sentence(path: str, tmp_path: Path) -> None:
    _filled(path)
    data = Path(path).read_bytes()
    with closing(sqlite3.connect(tmp_path / "other")) as connection:
        connection.execute("CREATE TABLE t(x)")
    newer = bytearray(data)
    newer[60:64] = (2).to_bytes(4, "big")
    broken = bytearray(data)
    broken[200:3_000] = os.urandom(2_800)
    broken[100:108] = os.urandom(8)
    for name, content in {"text": b"acme\n" * 99, "empty": b"", "newer": bytes(newer), "broken": bytes(broken)}.items():
        (tmp_path / name).write_bytes(content)
    cases = {"none": "there is no ledger", "text": "no ledger", "empty": "is no ledger", "other": "is no ledger"}
    cases |= {"newer": "newer Quarry", "broken": "damaged"}
    for name, why in cases.items():
        for readonly in (False, True):
            with (
                pytest.raises(UsageError, match=why) as error,
                Ledger.open(str(tmp_path / name), readonly=readonly) as ledger,
            ):
                list(ledger.requests())
            assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match="exists already"):
        Ledger.create(path)
    with pytest.raises(UsageError, match="cannot make the ledger"):
        Ledger.create(str(tmp_path / "no-folder" / "ledger"))
    with pytest.raises(UsageError, match="on a local disk"):
        Ledger.create("s3://bucket/ledger")


def test_a_published_copy_can_be_read_at_a_url_and_not_written(path: str) -> None:
    _filled(path)
    url = Path(path).as_uri()
    with Ledger.open(url, readonly=True) as ledger:
        assert covered(ledger, "acme/x", "x/y") == ["acme", None]
        assert ledger.verify(load_public(f"{path}.pub")) == []
        with pytest.raises(UsageError, match="cannot be written"):
            ledger.record("withdrawn", "R000001", {"reason": "x"})
    with pytest.raises(UsageError, match="can only be read"):
        Ledger.open(url)
    with pytest.raises(UsageError, match="cannot read the ledger"):
        Ledger.open(url + "-none", readonly=True)


def test_who_only_reads_cannot_write(path: str) -> None:
    _filled(path)
    with Ledger.open(path, readonly=True) as ledger, pytest.raises(UsageError, match="cannot be written"):
        ask(ledger, "x")


# Many


def test_many_requests_load_and_are_looked_up_fast_in_little_memory(path: str) -> None:
    """20,000 requests here; benchmarks/opt_out_ledger.py measures 100,000."""
    started = time.perf_counter()
    with Ledger.open(path) as ledger:
        ledger.receive_many(
            Incoming([Selector("repository", f"o{n}/r")], f"s#{n}", {"n": n}, verified=BECAUSE) for n in range(20_000)
        )
    assert 20_000 / (time.perf_counter() - started) > 500
    code = """
import re, sys, time
from pathlib import Path
import pyarrow as pa
from opt_out.ledger import Ledger
started = time.perf_counter()
with Ledger.open(sys.argv[1], readonly=True) as ledger: selectors = ledger.selectors()
print(time.perf_counter() - started)
table = pa.table({"repo": [f"O{n}/r" for n in range(100_000)]})
started = time.perf_counter()
assert selectors.covers(table).null_count == 80_000
print((time.perf_counter() - started) / 100_000)
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])  # ru_maxrss counts the parent too
"""
    told = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout
    load, look_up, memory = map(float, told.split())
    assert load < 5
    assert look_up < 20e-6
    assert memory < 300 * 1024
