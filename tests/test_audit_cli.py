"""`quarry audit` as a user types it: what it prints and writes, labelling over a pipe and on a terminal, its errors."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from pipeline.state import Run
from tests.audit_run import MISSED, NAME, PRIVATE, VALUES, executed
from tests.command import QUARRY, quarry


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return executed(tmp_path_factory.mktemp("audit-cli"))


def audit(run: Run, *options: object, keys: str | None = None) -> Any:
    return CliRunner().invoke(app, ["audit", run.store.root, *map(str, options)], input=keys)


def test_it_prints_the_counts_and_the_same_as_data(run: Run) -> None:
    said = audit(run, "--top", "3")
    assert said.exit_code == 0
    data = json.loads(audit(run, "--json", "--top", "3").stdout)
    assert f"{data['redacted']} values redacted, {data['left']} found and left" in said.stdout
    for row in data["entities"]:
        assert row["entity"] in said.stdout
    assert len(data["repositories"]) == 3
    assert data["repositories_in_all"] == 10
    assert "and 7 more" in said.stdout
    assert data["equal_values"]["most_frequent"][0]["documents"] == 41


def test_a_sample_is_seeded_and_shows_the_context(run: Run) -> None:
    first = json.loads(audit(run, "--sample", 5, "--seed", 1, "--json").stdout)["sample"]
    assert first == json.loads(audit(run, "--sample", 5, "--seed", 1, "--json").stdout)["sample"]
    assert first != json.loads(audit(run, "--sample", 5, "--seed", 2, "--json").stdout)["sample"]
    named = audit(run, "--sample", 9, "--entity", "NAME", "--language", "python", "--recognizer", "planted_names")
    assert "# written by ‹NAME›, 2012" in named.stdout
    assert "EmailRecognizer" not in named.stdout
    left = json.loads(audit(run, "--sample", 9, "--left", "--json").stdout)["sample"]
    assert left
    assert not any(item["redacted"] for item in left)


def test_keys_over_a_pipe_become_verdicts_and_precision(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "verdicts.jsonl"
    options = ("--label", "--sample", 6, "--verdicts", file)
    first = audit(run, *options, keys="yn?u n\nsq")
    assert first.exit_code == 0, first.output
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line.get("verdict") for line in lines] == [None, "yes", "no", "undo", "no", "skip"]
    assert lines[2]["document"] == lines[3]["document"] == lines[4]["document"]
    assert {"document", "start", "end", "entity", "recognizer", "verdict", "auditor", "time"} <= lines[1].keys()
    assert "4 of 6" in first.stdout
    assert "the same command goes on where you stopped" in first.stdout
    resumed = audit(run, *options, keys="yyy")
    assert "judged to its end" in resumed.stdout
    assert "1 of 6" not in resumed.stdout
    assert "4 of 6" in resumed.stdout
    data = json.loads(audit(run, "--json", "--verdicts", file).stdout)
    whole = data["precision"]["first"][-1]
    assert (whole["entity"], whole["yes"], whole["judged"]) == (None, 4, 5)
    assert 0 < whole["low"] < whole["value"] < whole["high"] <= 1
    assert "Wilson" in data["method"]
    other = audit(run, *options, "--seed", 9, keys="y")
    assert other.exit_code == 2
    assert "another sample" in other.stderr


def test_a_blind_pass_goes_over_the_same_places(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "verdicts.jsonl"
    audit(run, "--label", "--sample", 8, "--stratified", "--seed", 4, "--verdicts", file, keys="yyyyynnn")
    second = audit(run, "--label", "--blind", "--verdicts", file, keys="y" * 8)
    assert "judged to its end" in second.stdout
    assert "EmailRecognizer 0" not in second.stdout.split("judged into")[0]
    agreement = json.loads(audit(run, "--json", "--verdicts", file).stdout)["agreement"]
    assert agreement["auditors"] == ["first", "second"]
    assert (agreement["entities"][-1]["both"], agreement["entities"][-1]["agreed"]) == (8, 5)
    assert agreement["entities"][-1]["kappa"] == 0.0
    same = audit(run, "--label", "--blind", "--auditor", "first", "--verdicts", file, keys="y")
    assert same.exit_code == 2
    assert "another's" in same.stderr
    nobody = audit(run, "--label", "--blind", "--verdicts", tmp_path / "none.jsonl", keys="y")
    assert nobody.exit_code == 2
    assert "no verdicts" in nobody.stderr


def test_misses_are_judged_and_become_recall(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "verdicts.jsonl"
    audit(run, "--label", "--sample", 500, "--verdicts", file, keys="y" * 500)
    shown = audit(run, "--recall", "--sample", 4, "--json", "--verdicts", file)
    lines = json.loads(shown.stdout)["lines"]
    assert len(lines["sample"]) == 4
    assert {line["kind"] for line in lines["sample"]} == {"suspicious", "other"}
    # The suspicious lines come in turn with the others; there are few, so which holds the name is looked up.
    drawn = json.loads(audit(run, "--recall", "--sample", 60, "--json").stdout)["lines"]["sample"]
    keys = "".join("y11\n" if MISSED in (line["line"] or "") else "n" for line in drawn)
    assert "y11" in keys
    judged = audit(run, "--recall", "--label", "--sample", 60, "--verdicts", file, keys=keys)
    assert judged.exit_code == 0, judged.output
    misses = json.loads(audit(run, "--json", "--verdicts", file).stdout)["misses"]
    (name,) = [row for row in misses["entities"] if row["entity"] == "NAME"]
    assert name["seen"] == 2
    assert name["per_mb_low"] < name["per_mb"] < name["per_mb_high"]
    assert name["recall"]["low"] < name["recall"]["value"] < name["recall"]["high"]
    assert "recall" in audit(run, "--verdicts", file).stdout


def test_without_a_terminal_or_keys_it_says_so(run: Run, tmp_path: Path) -> None:
    for mode in ((), ("--recall",)):
        said = audit(run, "--label", *mode, "--verdicts", tmp_path / "v.jsonl", keys="")
        assert said.exit_code == 2
        assert said.stderr.splitlines()[-1].startswith("quarry: ")
        assert "run --label in a terminal" in said.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--blind",), "--blind is about judging"),
        (("--auditor", "me"), "--auditor is about judging"),
        (("--reveal",), "--reveal is about judging"),
        (("--label", "--reveal"), "on a terminal alone"),
        (("--label", "--json"), "leave --json out"),
        (("--recall", "--left"), "--left is about what was found"),
        (("--recall", "--entity", "NAME"), "leave --entity and --recognizer out"),
        (("--entity", "FOO"), "there is no entity 'FOO'; there are NAME, "),
        (("--label", "--language", "nothing"), "nothing to judge"),
        (("--stage", "other"), "no redact stage 'other'"),
        (("--csv", "/dev/null/x.csv"), "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(run: Run, tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    said = audit(run, *options, "--verdicts", tmp_path / "v.jsonl", keys="y")
    assert said.exit_code == 2, said.output
    assert words in said.stderr
    assert said.stderr.splitlines()[-1].startswith("quarry: ")


def test_runs_that_cannot_be_audited(tmp_path: Path, run: Run) -> None:
    assert "holds no run" in quarry("audit", tmp_path).stderr
    plain = executed(tmp_path / "plain", passes={"redact": []})
    said = audit(plain)
    assert (said.exit_code, "no stage redact" in said.stderr) == (2, True)
    (tmp_path / "v.jsonl").write_text("no verdict\n")
    broken = audit(run, "--verdicts", tmp_path / "v.jsonl")
    assert (broken.exit_code, "line 1 of" in broken.stderr) == (2, True)


def test_without_documents_the_counts_are_left(tmp_path: Path) -> None:
    gone = executed(tmp_path)
    for this in gone.passes:
        for receipt in this.receipts.values():
            gone.store.remove(receipt["documents"]["path"])
            receipt["documents"]["discarded"] = True
            this.folder.write_receipt(receipt)
    counted = audit(gone)
    assert counted.exit_code == 0, counted.output
    assert "not known" in counted.stdout
    for options in (("--sample", 5), ("--label",), ("--recall",), ("--recall", "--label")):
        said = audit(gone, *options, keys="y")
        assert said.exit_code == 2, said.output
        assert "no text of the stage redact is left" in said.stderr


def test_the_report_has_the_page_and_links_to_it(run: Run) -> None:
    said = quarry("report", run.store.root)
    assert said.exit_code == 0, said.output
    index = run.store.read_bytes("report/index.html").decode()
    assert 'href="audit.html"' in index
    page = run.store.read_bytes("report/audit.html").decode()
    assert 'href="index.html"' in page
    before = os.stat(run.store.full("report/audit.html")).st_mtime_ns
    quarry("report", run.store.root)
    assert os.stat(run.store.full("report/audit.html")).st_mtime_ns == before


def test_nothing_that_is_printed_or_written_holds_a_value(run: Run, tmp_path: Path) -> None:
    file, table = tmp_path / "verdicts.jsonl", tmp_path / "counts.csv"
    said = [
        audit(run, "--label", "--sample", 200, "--verdicts", file, keys="yn" * 100),
        audit(run, "--label", "--blind", "--verdicts", file, keys="y" * 200),
        audit(run, "--label", "--recall", "--sample", 40, "--verdicts", file, keys="n" * 40),
        audit(run, "--sample", 200, "--csv", table, "--html", "--verdicts", file),
        audit(run, "--sample", 200, "--left", "--json", "--verdicts", file),
        audit(run, "--recall", "--sample", 300, "--verdicts", file),
        audit(run, "--recall", "--sample", 300, "--json", "--verdicts", file),
        quarry("report", run.store.root),
    ]
    written = [file.read_bytes(), table.read_bytes(), run.store.read_bytes("report/audit.html")]
    assert all(one.exit_code == 0 for one in said)
    printed = [one.output.encode() for one in said]
    for value in (*VALUES, PRIVATE):
        for text in (*printed, *written):
            assert value.encode() not in text, value
    # What no recognizer knows is seen where one looks for misses, on the terminal alone.
    assert MISSED.encode() in printed[5]
    assert not any(MISSED.encode() in text for text in written)


def test_on_a_terminal_keys_count_at_once_and_reveal_shows_the_value(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "verdicts.jsonl"
    command = [*QUARRY, "audit", run.store.root, "--label", "--reveal", "--entity", "NAME", "--verdicts", str(file)]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True)
    os.close(theirs)
    seen = b""
    for key in b"yuq":
        seen += _until(ours, b"q quit]")
        os.write(ours, bytes([key]))
    seen += _until(ours, None)
    assert process.wait(timeout=60) == 0
    os.close(ours)
    assert NAME.encode() in seen
    assert b"taken back" in seen
    assert [json.loads(line).get("verdict") for line in file.read_text().splitlines()] == [None, "yes", "undo"]
    assert NAME not in file.read_text()


def _until(terminal: int, words: bytes | None) -> bytes:
    """What the process prints up to these words, or to its end."""
    seen, end = b"", time.monotonic() + 120
    while time.monotonic() < end and (words is None or words not in seen):
        try:
            got = os.read(terminal, 4096)
        except OSError:
            break
        if not got:
            break
        seen += got
    return seen
