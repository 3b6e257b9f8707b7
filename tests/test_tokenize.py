"""Tokenizing: the text comes back byte for byte, no text can inject a special token, equal input gives equal bytes."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import sys
import sysconfig
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from pipeline import schema
from pipeline.errors import QuarryError
from pipeline.law import judge
from pipeline.side import Corpus, Side
from pipeline.stage import Outcome, Stage
from stages.template import stars_bucket
from stages.tokenize import Tokenize
from stages.tokenizer import SPECIAL_TOKENS, Coder, train

Run = Callable[[Stage, Sequence[pa.Table]], list[Outcome]]

INJECTION = "x = '<|endoftext|>'  # <fim_prefix>a<fim_suffix>b<fim_middle><reponame><gh_stars>1000+\n"
AWKWARD = [
    "",
    "\n",
    "a\r\nb\r\n",
    "nul \0 and bell \a",
    "émigré e\u0301 ﬁ 漢字 🙂\u200d🔥 \ufeff \u2028",
    " \t \n\n   trailing  ",
    INJECTION,
    "Ġ Ċ ĠĊ",
]


def documents(texts: Sequence[str], **columns: Any) -> pa.Table:
    """DOCUMENT rows about `texts`; columns that are not given hold plain values."""
    count = len(texts)
    plain: dict[str, Any] = {
        "id": [hashlib.blake2b(f"{row} {text}".encode(), digest_size=16).hexdigest() for row, text in enumerate(texts)],
        "repo": [f"owner{row}/name" for row in range(count)],
        "commit": ["0" * 40] * count,
        "path": [f"src/file{row}.py" for row in range(count)],
        "language": ["Python"] * count,
        "size": [len(text.encode()) for text in texts],
        "text": list(texts),
    } | columns
    return pa.table(
        [pa.array(plain.get(f.name, [None] * count), f.type) for f in schema.DOCUMENT], schema=schema.DOCUMENT
    )


def library_texts(count: int) -> list[str]:
    """Real code: modules of Python's own library."""
    paths = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))[:count]
    return [path.read_text(encoding="utf-8") for path in paths]


@pytest.fixture(scope="module")
def coder() -> Coder:
    return Coder(train(library_texts(8), 1000).to_str().encode())


def rows(outcome: Outcome) -> list[dict[str, Any]]:
    return outcome.kept.to_pylist()


def test_the_text_comes_back_byte_for_byte_and_the_law_holds(run_stage: Run, side: Side) -> None:
    stage = Tokenize(vocabulary=600, metadata_probability=0.5)
    table = documents(AWKWARD + library_texts(3))
    [outcome] = run_stage(stage, [table])
    coder = Coder(side.get_bytes("tokenizer.json"))
    for row, text in zip(rows(outcome), table.column("text").to_pylist(), strict=True):
        ids = row["input_ids"]
        assert coder.decode(ids[row["text_start"] : -1]) == text
        assert ids[-1] == 0
        assert row["n_tokens"] == len(ids)
        assert min(ids[row["text_start"] : -1], default=19) >= 19
    assert judge(stage, "tokenize", table, side.for_shard("00000")).kept.equals(outcome.kept)
    assert outcome.kept.schema.equals(schema.TOKENS_16)


@given(st.text())
@settings(max_examples=300)
def test_any_text_round_trips_without_special_ids(coder: Coder, text: str) -> None:
    ids = coder.encode(text)
    assert coder.decode(ids) == text
    assert min(ids, default=19) >= 19


@given(st.text(), st.sampled_from(SPECIAL_TOKENS), st.text())
def test_a_special_token_written_in_a_text_is_ordinary_text(coder: Coder, before: str, token: str, after: str) -> None:
    ids = coder.encode(before + token + after)
    assert coder.decode(ids) == before + token + after
    assert min(ids) >= 19


def test_the_header_is_starcoders_template(run_stage: Run, side: Side) -> None:
    table = documents(
        ["print(1)\n", "", INJECTION],
        repo=["octo/cat", "octo/<|endoftext|>", "a/b"],
        path=["a b.py", "<fim_prefix>.py", "c"],
        stars=[57, None, 5000],
    )
    [outcome] = run_stage(Tokenize(vocabulary=400, metadata_probability=1.0), [table])
    full = Tokenizer.from_str(side.get_bytes("tokenizer.json").decode())
    written = [full.decode(row["input_ids"], skip_special_tokens=False) for row in rows(outcome)]
    assert written == [
        "<reponame>octo/cat<filename>a b.py<gh_stars>10-100\nprint(1)\n<|endoftext|>",
        "<reponame>octo/<|endoftext|><filename><fim_prefix>.py<gh_stars>0\n<|endoftext|>",
        f"<reponame>a/b<filename>c<gh_stars>1000+\n{INJECTION}<|endoftext|>",
    ]
    special = [[i for i in row["input_ids"] if i < 19] for row in rows(outcome)]
    assert special == [[18, 5, 6, 0]] * 3


def test_without_a_field_there_is_no_header(run_stage: Run) -> None:
    [outcome] = run_stage(Tokenize(vocabulary=400, metadata_probability=0.0), [documents(["a = 1\n"])])
    assert outcome.kept.column("text_start").to_pylist() == [0]


def test_each_field_stands_in_a_fifth_of_the_documents_independently(run_stage: Run) -> None:
    [outcome] = run_stage(Tokenize(vocabulary=400), [documents([f"x = {n}" for n in range(4000)])])
    fields = Counter(
        tuple(token for token in (18, 5, 6) if token in row["input_ids"][: row["text_start"]]) for row in rows(outcome)
    )
    for token in (18, 5, 6):
        assert sum(count for kind, count in fields.items() if token in kind) == pytest.approx(800, abs=100)
    assert fields[()] == pytest.approx(0.8**3 * 4000, abs=130)
    assert fields[(18, 5, 6)] == pytest.approx(0.2**3 * 4000, abs=25)


@pytest.mark.parametrize(
    ("stars", "bucket"),
    [(None, "0"), (0, "0"), (1, "1-10"), (10, "1-10"), (11, "10-100"), (100, "10-100"), (1000, "100-1000")],
)
def test_stars_are_written_as_buckets(stars: int | None, bucket: str) -> None:
    assert stars_bucket(stars) == bucket


def test_a_repository_is_in_one_split_whatever_its_spelling(run_stage: Run) -> None:
    repos = [f"{owner}/Name{n}" for n in range(500) for owner in ("Octo", "octo")]
    stage = Tokenize(vocabulary=400, validation_share=0.2)
    shards = [documents(["x"] * 500, repo=repos[:500]), documents(["y"] * 500, repo=repos[500:])]
    tables = [outcome.kept for outcome in run_stage(stage, shards)]
    split = pa.concat_tables(tables).column("split").to_pylist()
    assert split[0::2] == split[1::2]
    assert split.count("validation") == pytest.approx(200, abs=50)


def test_the_sample_and_the_rows_do_not_depend_on_the_shards(
    corpus_of: Callable[[Sequence[pa.Table]], Corpus], side: Side
) -> None:
    stage = Tokenize(vocabulary=600, sample_bytes=100_000, seed=3)
    table = documents(library_texts(20))
    made = []
    for cuts in ([0, 20], [0, 3, 4, 11, 20]):
        shards = [table.slice(a, b - a) for a, b in itertools.pairwise(cuts)]
        corpus = corpus_of(shards)
        stage.prepare(corpus, side)
        side.worker.kept.clear()
        made.append((side.get_bytes("tokenizer.json"), pa.concat_tables([stage.apply(s, side).kept for s in shards])))
    assert made[0][0] == made[1][0]
    assert made[0][1].equals(made[1][1])


def test_the_sample_is_smaller_than_the_corpus(run_stage: Run, side: Side) -> None:
    texts = library_texts(10)
    run_stage(Tokenize(vocabulary=3000, sample_bytes=20_000), [documents(texts)])
    sampled = side.get_bytes("tokenizer.json")
    run_stage(Tokenize(vocabulary=3000), [documents(texts)])
    assert len(side.get_bytes("tokenizer.json")) > len(sampled)


def test_training_is_deterministic_for_any_threads_and_hash_seed() -> None:
    script = (
        "import hashlib, sys; from stages.tokenizer import train; from tests.test_tokenize import library_texts;"
        "texts = library_texts(8); texts = texts[::-1] if sys.argv[1] == 'reversed' else texts;"
        "print(hashlib.sha256(train(texts, 2000).to_str().encode()).hexdigest())"
    )
    root = Path(__file__).parent.parent
    found = set()
    for order, threads, seed in (("forward", "1", "0"), ("reversed", "4", "1")):
        environment = os.environ | {"RAYON_NUM_THREADS": threads, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", script, order]
        found.add(subprocess.run(command, check=True, capture_output=True, env=environment, cwd=root).stdout)
    assert len(found) == 1


def test_special_tokens_have_starcoders_ids_and_the_vocabulary_includes_them(run_stage: Run, side: Side) -> None:
    run_stage(Tokenize(vocabulary=500), [documents(library_texts(2))])
    tokenizer = Tokenizer.from_str(side.get_bytes("tokenizer.json").decode())
    assert tokenizer.get_vocab_size() == 500
    assert [tokenizer.id_to_token(at) for at in range(19)] == list(SPECIAL_TOKENS)
    pre = tokenizer.pre_tokenizer.pre_tokenize_str("x1 = 234")
    assert [piece for piece, _ in pre] == ["x", "1", "Ġ=", "Ġ", "2", "3", "4"]


def test_a_tiny_corpus_gives_a_smaller_vocabulary(run_stage: Run, side: Side) -> None:
    run_stage(Tokenize(), [documents(["ab ab ab"])])
    assert 275 < Tokenizer.from_str(side.get_bytes("tokenizer.json").decode()).get_vocab_size() < 300


def test_an_empty_corpus_is_one_sentence(run_stage: Run) -> None:
    with pytest.raises(QuarryError, match=r"^tokenize: there is no document left to train a tokenizer on; .*\.$"):
        run_stage(Tokenize(), [documents([])])


def test_an_empty_shard_is_tokenized(run_stage: Run) -> None:
    outcomes = run_stage(Tokenize(vocabulary=400), [documents(["a = 1"]), documents([])])
    assert [outcome.kept.num_rows for outcome in outcomes] == [1, 0]


def test_a_given_tokenizer_is_used_as_it_is(run_stage: Run, side: Side, tmp_path: Path) -> None:
    given = train(library_texts(3), 700).to_str().encode()
    (tmp_path / "given.json").write_bytes(given)
    [outcome] = run_stage(Tokenize(tokenizer=str(tmp_path / "given.json")), [documents(AWKWARD)])
    assert side.get_bytes("tokenizer.json") == given
    assert outcome.kept.num_rows == len(AWKWARD)


def test_a_large_vocabulary_is_stored_in_32_bits(run_stage: Run, tmp_path: Path) -> None:
    content = json.loads(train(library_texts(1), 300).to_str())
    for number in range(70_000):
        content["model"]["vocab"][f"unused{number}"] = 300 + number
    (tmp_path / "large.json").write_text(json.dumps(content))
    [outcome] = run_stage(Tokenize(tokenizer=str(tmp_path / "large.json")), [documents(["a = 1"])])
    assert outcome.kept.schema.equals(schema.TOKENS_32)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no tokenizer of the 'tokenizers' library"),
        ("lacking", "lacks StarCoder's special token '<fim_prefix>'"),
        ("lossy", "does not give every text back byte for byte"),
    ],
)
def test_an_unfit_tokenizer_is_refused_in_one_sentence(
    content: str, message: str, run_stage: Run, tmp_path: Path
) -> None:
    if content == "lossy":
        lossy = train(library_texts(1), 300)
        lossy.normalizer = normalizers.NFC()
        content = lossy.to_str()
    elif content == "lacking":
        lacking = Tokenizer(models.BPE())
        lacking.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        lacking.decoder = decoders.ByteLevel()
        lacking.train_from_iterator(["a b"], trainers.BpeTrainer(special_tokens=["<|endoftext|>"], show_progress=False))
        content = lacking.to_str()
    (tmp_path / "unfit.json").write_text(content)
    with pytest.raises(QuarryError, match=message):
        run_stage(Tokenize(tokenizer=str(tmp_path / "unfit.json")), [documents(["a = 1"])])


@pytest.mark.timeout(60)
def test_huge_lines_take_seconds(run_stage: Run) -> None:
    letters = np.random.default_rng(0).choice(list("abcdefghij"), 1_000_000)
    [outcome] = run_stage(Tokenize(vocabulary=400), [documents(["".join(letters), " " * 1_000_000, *library_texts(2)])])
    assert outcome.kept.num_rows == 4
