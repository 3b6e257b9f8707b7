"""`quarry redact` on files, pipes and JSON lines: nothing is lost, offsets are right, mistakes are told."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import redact_lines as command
from cli.main import app
from pii.redact import Redactor
from tests.command import QUARRY

NO_MODEL = ("--set", "ner.enabled=false")
SECRET = "jane.roeder@gmail.com"


def quarry(*arguments: object, stdin: str | bytes = b"") -> Result:
    return CliRunner().invoke(app, ["redact", *map(str, arguments), *NO_MODEL], input=stdin)


def batch(*lines: str | dict[str, Any], code: int = 0) -> tuple[list[dict[str, Any]], str]:
    done = quarry("--jsonl", stdin="\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    assert done.exit_code == code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_a_file_and_a_pipe_are_redacted(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(f"# {SECRET}\r\nx = 1\r\n".encode())
    assert quarry(path).stdout_bytes == b"# <EMAIL>\r\nx = 1\r\n"
    assert quarry(stdin=path.read_bytes()).stdout_bytes == b"# <EMAIL>\r\nx = 1\r\n"
    assert quarry("-", stdin=b"").stdout_bytes == b""
    assert quarry("-", stdin="Grüße von \0 mir".encode("cp1252")).exit_code == 2  # binary, as git has it
    assert quarry("-", stdin=f"Grüße \0 {SECRET}".encode()).stdout_bytes == "Grüße \0 <EMAIL>".encode()


def test_spans_are_shown_without_their_values() -> None:
    text = f"\n# {SECRET} at 10.0.0.1\n# user@example.com\n"
    shown = quarry("--spans", stdin=text).stdout
    assert [line.split()[:4] for line in shown.splitlines()[1:]] == [
        ["2", "3", "21", "EMAIL"],
        ["2", "28", "8", "IP_ADDRESS"],
        ["3", "3", "16", "EMAIL"],
    ]
    assert [line.split("  ")[-1].split()[-1] for line in shown.splitlines()[1:]] == ["<EMAIL>", "address", "example"]
    assert "jane" not in shown
    assert quarry("--spans", stdin="x = 1").stdout == "nothing was found\n"
    found = json.loads(quarry("--spans", "--json", stdin=text).stdout)
    assert [text[one["start"] : one["end"]] for one in found] == [SECRET, "10.0.0.1", "user@example.com"]
    assert [one["redacted"] for one in found] == [True, False, False]


def test_lines_come_back_in_order_with_offsets_into_what_was_given() -> None:
    texts = [
        f"🙂 {SECRET} é",
        f"عربي {SECRET} עברית",
        f"a\0b {SECRET}",
        f"one\r\ntwo {SECRET}\r\n",
        f"\ud83d lone {SECRET} \udc00",
        "",
        "nothing",
        "👩‍💻" * 300 + f" {SECRET} user@example.com",
    ]
    given = [{"id": number, "text": text, "more": 1} for number, text in enumerate(texts)]
    answers, _ = batch(*given)
    assert [answer["id"] for answer in answers] == list(range(len(texts)))
    for text, answer in zip(texts, answers, strict=True):
        assert set(answer) == {"id", "text", "spans"}
        assert answer["text"] == text.replace(SECRET, "<EMAIL>")
        values = [text[span["start"] : span["end"]] for span in answer["spans"]]
        assert values == [value for value in (SECRET, "user@example.com") if value in text]
        for span in answer["spans"]:
            assert set(span) == {"start", "end", "entity", "score", "recognizer", "redacted"}
            assert span["redacted"] == (text[span["start"] : span["end"]] == SECRET)


def test_a_bad_line_is_told_and_no_other_is_lost() -> None:
    good = {"id": "a", "text": SECRET}
    bad = ["nope", "[1]", '"text"', '{"id": 1}', '{"text": null}', '{"text": 5}', '{"text": {}}', "[" * 100_000]
    answers, told = batch(*[line for one in bad for line in (json.dumps(good), one, "")], json.dumps(good), code=2)
    assert answers == [{"id": "a", "text": "<EMAIL>", "spans": answers[0]["spans"]}] * (len(bad) + 1)
    sentences = told.strip().splitlines()
    assert [sentence.split()[2] for sentence in sentences[:-1]] == [str(3 * n + 2) for n in range(len(bad))]
    assert "null" in sentences[4]
    assert "a number" in sentences[5]
    assert sentences[-1].startswith("quarry: 8 lines were passed over")
    assert SECRET not in told
    assert "Traceback" not in told


def test_an_id_of_any_kind_comes_back_and_what_is_no_json_does_not() -> None:
    ids = [1, "a", None, [1, {"b": 2}], 2.5, True, "a", -(10**30)]
    answers, _ = batch(*[{"id": one, "text": "x"} for one in ids])
    assert [answer["id"] for answer in answers] == ids
    answers, told = batch('{"id": NaN, "text": "x"}', '{"id": [1e400], "text": "x"}', '{"id": 3, "text": "x"}', code=2)
    assert [answer["id"] for answer in answers] == [3]
    assert told.count("has an id that is no JSON") == 2


def test_a_line_that_is_not_utf_8_is_told() -> None:
    done = quarry("--jsonl", stdin=b'\xef\xbb\xbf{"id": 1, "text": "a"}\n{"text": "\xff"}\n{"id": 2, "text": "b"}')
    assert done.exit_code == 2
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [1, 2]
    assert "line 2 is not UTF-8" in done.stderr


def test_batches_give_what_single_lines_give(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [{"id": n, "text": f"{SECRET} 93.184.216.{n} " * (n % 5)} for n in range(60)]
    whole, _ = batch(*lines)
    monkeypatch.setattr(command, "BATCH_LINES", 7)
    monkeypatch.setattr(command, "BATCH_CHARACTERS", 500)
    assert batch(*lines)[0] == whole


def test_what_is_read_is_written_before_the_input_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "BATCH_LINES", 2)
    out, seen = io.BytesIO(), []

    def lines() -> Any:
        for number in range(6):
            seen.append(out.getvalue().count(b"\n"))
            yield json.dumps({"id": number, "text": SECRET}).encode()

    assert command.redact_lines(lines(), out, Redactor(["EMAIL"])) == 0
    assert seen == [0, 0, 2, 2, 4, 4]


def test_a_recipe_and_fields_configure_it(tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "name: r\nrepositories: l.txt\npasses:\n  a: [acquire]\n  b: [{redact: {entities: [IP_ADDRESS]}}]\n"
    )
    text = f"{SECRET} 10.0.0.1"
    assert quarry("--recipe", recipe, stdin=text).stdout == text
    changed = quarry("--recipe", recipe, "--set", "policy.private_addresses=redact", stdin=text).stdout
    assert changed.startswith(f"{SECRET} 1")
    assert "10.0.0.1" not in changed
    assert quarry("--set", "entities=[KEY]", stdin=text).stdout == text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.txt"], "cannot read 'nowhere.txt'"),
        (["nowhere.txt", "--jsonl"], "cannot read 'nowhere.txt'"),
        (["--jsonl", "--spans"], "leave --spans out"),
        (["--set", "nope=1"], "fields of the stage are"),
        (["--set", "nope"], "write field=value"),
        (["--set", "policy.examples=perhaps"], "input should be 'leave' or 'redact'"),
        (["--set", "thresholds={NAME: 2}"], "between 0 and 1"),
        (["--set", "thresholds={NAMES: 0.5}"], "nothing finds NAMES"),
        (["--set", "ner={enabled: true, model: nobody/nothing}"], "hf download nobody/nothing"),
        (["--set", "ner.device=nowhere"], "cannot run on 'nowhere'"),
        (["--set", "recognizers=[nope.module:X]"], "cannot be imported"),
        (["--set", "recognizers=['json:loads']"], "is no Presidio recognizer"),
        (["--recipe", "nowhere.yaml"], "cannot read recipe"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["redact", *arguments], input=b"x")
    assert done.exit_code == 2, done.stdout
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_standard_error_is_empty_where_all_is_well() -> None:
    line = b'{"id": 1, "text": "by Maria Lopez"}'
    done = subprocess.run([*QUARRY, "redact", "--jsonl"], input=line, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["id"] == 1


def test_standard_output_holds_nothing_else() -> None:
    assert quarry("--jsonl", stdin='{"id": 1, "text": "x"}').stdout == '{"id": 1, "text": "x", "spans": []}\n'
