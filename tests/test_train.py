"""Training end to end on the CPU: real code is tokenized, a model trains, its checkpoint loads and generates."""

from __future__ import annotations

import json
import sysconfig
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer
from typer.testing import CliRunner

from cli.main import app
from pipeline.errors import UsageError
from pipeline.inline import InlineExecutor
from pipeline.side import Corpus, Side, Worker
from pipeline.storage import Storage
from stages.tokenize import Tokenize
from tests.test_tokenize import documents
from training.loader import Dataset, training_batches, validation_batches, windows
from training.model import PRESETS, build
from training.plan import parameters, plan
from training.train import learning_rate, train
from training.weights import mixture, read, times

SHAPE = replace(PRESETS["tiny"], layers=2, hidden=96, heads=3, context=64, batch=8, learning_rate=1e-2)
QUICK: dict[str, Any] = {"preset": SHAPE, "steps": 48, "log_every": 16, "validate_every": 24}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Two threads of torch waiting for each other on a busy machine take many times as long as one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of Python's own library, eight repositories in two shards, tokenized by the stage itself."""
    folder = tmp_path_factory.mktemp("run")
    paths = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))[:24]
    texts = [path.read_text(encoding="utf-8") for path in paths]
    spoken = ["python" if row % 3 else "cython" for row in range(len(texts))]
    table = documents(texts, repo=[f"python/part{row % 8}" for row in range(len(texts))], language=spoken)
    store, shards = Storage(folder), {"00000": table.slice(0, 12), "00001": table.slice(12)}
    for name, shard in shards.items():
        store.write_table(f"input/{name}.parquet", shard)
    side = Side(store, "side", folder, Worker())
    stage = Tokenize(vocabulary=1000, validation_share=0.3, seed=1)
    stage.prepare(Corpus(store, {name: f"input/{name}.parquet" for name in shards}, side, InlineExecutor()), side)
    for name, shard in shards.items():
        store.write_table(f"dataset/data/{name}.parquet", stage.apply(shard, side).kept)
    store.write_bytes("dataset/tokenizer.json", side.get_bytes("tokenizer.json"))
    return folder / "dataset"


def tokens_of(dataset: Path, split: str) -> list[list[int]]:
    table = pa.concat_tables(Storage(dataset).read_table(f"data/{n}.parquet") for n in ("00000", "00001"))
    return [row["input_ids"] for row in table.to_pylist() if row["split"] == split]


def test_a_model_trains_and_its_checkpoint_loads_and_generates(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[tuple[int, float]] = []
    result = train(str(dataset), tmp_path / "out", **QUICK, on_step=lambda step, loss: seen.append((step, loss)))

    assert [step for step, _ in seen] == list(range(1, 49))
    lines = [json.loads(line) for line in (tmp_path / "out/loss.jsonl").read_text().splitlines()]
    assert lines == result.records
    assert [line["step"] for line in lines] == [0, 16, 24, 32, 48]
    assert lines[-1]["tokens"] == 48 * 8 * 64
    assert lines[0]["loss"] == pytest.approx(np.log(1000), abs=0.4)
    assert lines[-1]["loss"] < lines[0]["loss"] - 0.7
    assert lines[-1]["validation_loss"] < lines[0]["validation_loss"] - 0.4
    assert (tmp_path / "out/loss.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "out/training.json").read_text())["loss"] == lines[-1]["loss"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    assert capsys.readouterr() == ("", "")

    model = AutoModelForCausalLM.from_pretrained(result.checkpoint)
    tokenizer = AutoTokenizer.from_pretrained(result.checkpoint)
    assert type(model).__name__ == "GPTBigCodeForCausalLM"
    assert model.config.multi_query
    assert tokenizer.encode("x1 = 234\n") == Dataset(str(dataset)).coder.encode("x1 = 234\n")
    assert tokenizer.eos_token_id == tokenizer.convert_tokens_to_ids("<|endoftext|>") == 0
    prompt = tokenizer("<fim_prefix>def f(<fim_suffix>): pass\n<fim_middle>", return_tensors="pt")
    assert {1, 2, 3} < set(prompt.input_ids[0].tolist())
    made = model.generate(**prompt, max_new_tokens=8, do_sample=False)
    assert prompt.input_ids.shape[1] < made.shape[1] <= prompt.input_ids.shape[1] + 8


def test_equal_seeds_give_equal_losses_and_touch_no_global_state(dataset: Path, tmp_path: Path) -> None:
    losses: list[Any] = []
    for name in ("one", "two"):
        torch.manual_seed(len(losses))
        before = torch.get_rng_state()
        result = train(str(dataset), tmp_path / name, **QUICK | {"steps": 4})
        assert torch.equal(before, torch.get_rng_state())
        losses.append([(line["loss"], line.get("validation_loss")) for line in result.records])
    assert losses[0] == losses[1]
    model = (tmp_path / "one/checkpoint/model.safetensors").read_bytes()
    assert model == (tmp_path / "two/checkpoint/model.safetensors").read_bytes()


def test_a_finished_training_is_returned_untouched_and_another_is_refused(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    settings: dict[str, Any] = QUICK | {"steps": 1}
    first = train(str(dataset), out, **settings)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    again = train(str(dataset), out, **settings)
    assert (first.reused, again.reused) == (False, True)
    assert again.records == first.records
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    with pytest.raises(UsageError, match="holds another training, of other data or settings; remove it"):
        train(str(dataset), out, **settings | {"seed": 1})


def test_a_training_that_is_stopped_leaves_nothing(dataset: Path, tmp_path: Path) -> None:
    def stop(step: int, loss: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(str(dataset), tmp_path / "out", **QUICK, on_step=stop)
    assert list(tmp_path.iterdir()) == []


def test_micro_batches_change_no_loss(dataset: Path, tmp_path: Path) -> None:
    losses = []
    for size in (1, 4):
        result = train(str(dataset), tmp_path / str(size), **QUICK | {"steps": 2, "batch": 4}, micro_batch=size)
        losses.append([line["loss"] for line in result.records])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_folder_without_a_dataset_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no dataset \(data/\*\.parquet and tokenizer\.json\); finish the run"):
        train(str(tmp_path / "nowhere"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("file", "message"),
    [("data/00000.parquet", "is no shard of tokens"), ("tokenizer.json", "is no tokenizer")],
)
def test_a_broken_dataset_is_one_sentence(dataset: Path, tmp_path: Path, file: str, message: str) -> None:
    store, source = Storage(tmp_path / "broken"), Storage(dataset)
    for name in ("data/00000.parquet", "data/00001.parquet", "tokenizer.json"):
        store.write_bytes(name, b"broken" if name == file else source.read_bytes(name))
    with pytest.raises(UsageError, match=message):
        train(str(tmp_path / "broken"), tmp_path / "out", **QUICK)


def test_an_unknown_preset_and_an_occupied_folder_are_one_sentence(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no preset 'huge'; the presets are tiny, small"):
        train(str(dataset), tmp_path / "out", "huge")
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds something that is no finished training; remove it"):
        train(str(dataset), tmp_path)


@given(st.lists(st.lists(st.integers(0, 9), min_size=1), max_size=20), st.integers(1, 12))
def test_windows_hold_every_token_once_as_a_target(documents: list[list[int]], context: int) -> None:
    whole = [token for document in documents for token in document]
    cut = [w.tolist() for w in windows((np.array(document) for document in documents), context)]
    assert all(len(window) == context + 1 for window in cut)
    targets = [token for window in cut for token in window[1:]]
    assert targets == whole[1 : len(targets) + 1]
    assert len(whole) - 1 - len(targets) < context
    assert all(before[-1] == after[0] for before, after in pairwise(cut))


def batches(dataset: Path, **changed: Any) -> Iterator[Any]:
    settings: dict[str, Any] = {"batch": 4, "context": 64, "seed": 0, "fim_rate": 0.5} | changed
    return training_batches(Dataset(str(dataset)), **settings)


def test_batches_depend_on_the_seed_alone(dataset: Path) -> None:
    one, same, other = ([batch.inputs for batch in islice(batches(dataset, seed=seed), 5)] for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert one[0].shape == (4, 64)
    assert one[0].dtype == np.int64


def test_each_epoch_holds_every_document_once_in_another_order(dataset: Path) -> None:
    epochs = [
        [tuple(document.tokens.tolist()) for document in Dataset(str(dataset)).documents("train", rng)]
        for rng in (np.random.default_rng(0), np.random.default_rng(1))
    ]
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(map(tuple, tokens_of(dataset, "train")))
    assert epochs[0] != epochs[1]


weights_of_two = st.fixed_dictionaries({}, optional={"python": st.floats(0, 3), "cython": st.floats(0, 3)})


@settings(deadline=None)
@given(weights_of_two, st.integers(0, 5), st.integers(0, 30), st.integers(1, 12))
def test_weights_say_how_often_a_document_is_seen(
    weights: dict[str, float], seed: int, first: int, epochs: int
) -> None:
    ids, spoken = [f"{row:032x}" for row in range(40)], ["python", "cython"] * 20
    drawn = np.array([times(ids, spoken, weights, seed, first + epoch) for epoch in range(epochs)])
    wanted = np.array([weights.get(language, 1.0) for language in spoken])
    assert np.all(np.abs(drawn.sum(axis=0) - wanted * epochs) < 1 + 1e-9)
    assert np.array_equal(drawn[0][::-1], times(ids[::-1], spoken[::-1], weights, seed, first))


def test_a_quarter_of_the_documents_an_epoch_is_each_of_them_once_in_four() -> None:
    ids = [f"{row:032x}" for row in range(2000)]
    drawn = np.array([times(ids, ["python"] * 2000, {"python": 0.25}, 7, epoch) for epoch in range(4)])
    assert np.all(drawn.sum(axis=0) == 1)
    assert drawn.sum(axis=1) == pytest.approx(500, abs=80)
    other = times(ids, ["python"] * 2000, {"python": 0.25}, 8, 0)
    assert not np.array_equal(drawn[0], other)


def seen(dataset: Path, **weights: float) -> Counter[tuple[int, ...]]:
    """The documents of the first epoch."""
    data = Dataset(str(dataset))
    drawn = data.documents("train", np.random.default_rng(0), lambda ids, names: times(ids, names, weights, 0, 0))
    return Counter(tuple(document.tokens.tolist()) for document in drawn)


def test_the_loader_shows_documents_as_the_weights_say(dataset: Path) -> None:
    once, twice = seen(dataset), seen(dataset, cython=2.0, python=0)
    assert set(once.values()) == {1}
    assert set(twice.values()) == {2}
    assert twice.keys() < once.keys()
    held = Dataset(str(dataset)).tokens("train")
    assert sum(map(len, twice)) == held["cython"]
    assert sum(map(len, once)) == held["cython"] + held["python"]


def test_weights_change_the_batches_and_nothing_else_does(dataset: Path) -> None:
    plain, ones, less, same = (
        [batch.inputs for batch in islice(batches(dataset, weights=weights), 30)]
        for weights in (None, {"python": 1.0}, {"python": 0.5}, {"python": 0.5})
    )
    assert np.array_equal(plain, ones)
    assert np.array_equal(less, same)
    assert not np.array_equal(plain, less)


def test_a_document_that_is_seen_twice_is_rearranged_in_two_ways(dataset: Path) -> None:
    data = Dataset(str(dataset))
    drawn = batches(
        dataset, weights={"python": 0.0, "cython": 2.0}, fim_rate=1.0, batch=1, context=data.tokens("train")["cython"]
    )
    stream = [" ".join(map(str, batch.targets[0])).split(" 0 ") for batch in islice(drawn, 6)]
    whole = [document for pieces in stream for document in pieces[1:-1]]
    assert len(whole) > 10
    assert len(set(whole)) == len(whole)


def test_weights_make_another_training(dataset: Path, tmp_path: Path) -> None:
    train(str(dataset), tmp_path / "out", **QUICK | {"steps": 1}, weights={"python": 0.5})
    settings = json.loads((tmp_path / "out/training.json").read_text())["settings"]
    assert settings["weights"] == {"python": 0.5}
    with pytest.raises(UsageError, match="holds another training"):
        train(str(dataset), tmp_path / "out", **QUICK | {"steps": 1})


def test_the_plan_shows_the_mixture(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "weights.yaml").write_text("cython: 2.0\npython: 0.25\n")
    arguments = ["train", str(dataset.parent), "--plan", "--weights", str(tmp_path / "weights.yaml")]
    shown = CliRunner().invoke(app, arguments)
    told = CliRunner().invoke(app, [*arguments, "--json"])
    assert shown.exit_code == told.exit_code == 0
    held = Dataset(str(dataset)).tokens("train")
    portions = {portion["language"]: portion for portion in json.loads(told.stdout)["mixture"]}
    assert portions["cython"]["tokens"] == 2 * held["cython"]
    assert portions["python"]["tokens"] == round(held["python"] / 4)
    assert sum(portion["share"] for portion in portions.values()) == pytest.approx(1)
    assert f"{2 * held['cython']:,} tokens an epoch, {portions['cython']['share']:.1%}, weight 2" in shown.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read the weights"),
        ("python: [", "is no YAML"),
        ("", "holds no weights; write a line 'language: weight'"),
        ("- python", "holds no weights"),
        ("python: -1", "the weight of 'python' is -1; give a number"),
        ("python: many", "the weight of 'python' is 'many'"),
        ("python: true", "the weight of 'python' is True"),
        ("python: .nan", "the weight of 'python' is nan"),
        (
            "Pythn: 2",
            "a weight for 'Pythn', which the dataset has no documents in; the nearest that it has is 'python'",
        ),
        ("{python: 0, cython: 0}", "leave no document to train on"),
    ],
)
def test_weights_that_do_not_fit_are_one_sentence(
    dataset: Path, tmp_path: Path, content: str | None, message: str
) -> None:
    path = tmp_path / "weights.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=message):
        train(str(dataset), tmp_path / "out", **QUICK, weights=read(str(path)))
    assert not (tmp_path / "out").exists()


def test_a_dataset_without_weights_is_mixed_by_volume() -> None:
    assert [(p.language, p.share) for p in mixture({"a": 1, "b": 3}, {})] == [("b", 0.75), ("a", 0.25)]


def test_validation_is_the_split_in_order_without_fim(dataset: Path) -> None:
    held_out = [token for ids in tokens_of(dataset, "validation") for token in ids]
    found = list(validation_batches(Dataset(str(dataset)), batch=4, context=64, limit=3))
    targets = np.concatenate([batch.targets.ravel() for batch in found])
    assert targets.tolist() == held_out[1 : 3 * 4 * 64 + 1]


def test_presets_are_the_published_models() -> None:
    for name, billions in (("santacoder-1b", 1.12), ("starcoder-15b", 15.5)):
        assert parameters(PRESETS[name], 49_152) / 1e9 == pytest.approx(billions, abs=0.05)
    starcoder = plan(PRESETS["starcoder-15b"], 49_152, micro_batch=1)
    assert starcoder.tokens_per_step == 4_194_304
    assert starcoder.tokens == pytest.approx(1.05e12, rel=0.01)
    assert starcoder.flops == pytest.approx(9.8e22, rel=0.02)


def test_the_plan_counts_the_parameters_of_the_model_that_is_built() -> None:
    small = replace(PRESETS["small"], layers=2)
    with torch.device("meta"):
        assert build(small, 5000, 0).num_parameters() == parameters(small, 5000)


def test_the_learning_rate_warms_up_and_falls_to_a_tenth() -> None:
    preset = replace(PRESETS["tiny"], steps=100, warmup=10, learning_rate=1.0)
    rates = [learning_rate(step, preset) for step in range(1, 101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.1)
    assert all(before > after for before, after in pairwise(rates[9:]))
