"""The NER model: what the bundled one finds and leaves, any Hugging Face classifier by the same path, decoding."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pii.ner import decode, measure
from pii.ner.model import ENTITIES, NerModel
from pii.ner.recognizer import NerRecognizer
from pii.windows import SEPARATOR
from pipeline.errors import UsageError

BUNDLED = Path(__file__).parent.parent / "pii" / "ner" / "bundled"

PLANTED = [
    ("# Copyright (c) 2014-2019 Katarina Lindqvist", "Katarina Lindqvist"),
    (" * @author Thomas Brennan <tb@brennan.dev>", "Thomas Brennan"),
    ("// Written by Rajesh Kulkarni, 2011", "Rajesh Kulkarni"),
    ("-- Author: Giovanni Moretti", "Giovanni Moretti"),
    ("Signed-off-by: Marek Kowalczyk <marek@kowalczyk.pl>", "Marek Kowalczyk"),
    ("; Maintainer: Hiroshi Yamamoto", "Hiroshi Yamamoto"),
    ("% Copyright 2003 Sophie Dubois", "Sophie Dubois"),
    ('authors = ["Benjamin Schwartz <ben@schwartz.io>"]', "Benjamin Schwartz"),
    ("  Thanks to Patrick O'Connor for reporting this.", "Patrick O'Connor"),
    ("/* Автор: Алексей Смирнов */", "Алексей Смирнов"),
]
LEFT = [
    "# Copyright (c) 2019 The Kubernetes Authors",
    "import java.util.concurrent.TimeUnit;",
    "class HttpRequestHandler(BaseRequestHandler):",
    "// Uses Dijkstra's algorithm on the Levenshtein distance",
    "/* Copyright (C) Google Inc. All Rights Reserved. */",
    "timezone: America/New_York",
    "public static final String SESSION_KEY = null;",
    "# Licensed under the Apache License, Version 2.0",
]


@pytest.fixture(scope="module")
def bundled() -> NerModel:
    return NerModel.load(device="cpu")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT of the CoNLL kind, saved by transformers: labels PER and ORG, `Ada` and `Grace` always persons."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "by", "Ada", "Love", "##lace", "Grace", "Hopper", "Acme", ".", "x"]
    raw = Tokenizer(models.WordPiece({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )
    names = {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-ORG", 4: "I-ORG"}
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=40, id2label=names, label2id={name: number for number, name in names.items()},
    )  # fmt: skip
    model = BertForTokenClassification(config)
    wanted = torch.zeros(len(words), dtype=torch.long)
    for word, label in (("Ada", 1), ("Love", 2), ("##lace", 2), ("Grace", 1), ("Hopper", 2), ("Acme", 3)):
        wanted[words.index(word)] = label
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(120):
        ids = torch.randint(4, len(words), (16, 20))
        loss = torch.nn.functional.cross_entropy(model(ids).logits.flatten(0, 1), wanted[ids].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    folder = tmp_path_factory.mktemp("conll")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    """Torch's threads wait for one another in a loop, which takes minutes where the processors are busy."""
    torch.set_num_threads(1)


def names(model: NerModel, text: str) -> list[str]:
    return [text[start:end] for start, end, entity, _ in model.find([text])[0] if entity == "NAME"]


@pytest.mark.parametrize(("text", "name"), PLANTED)
def test_the_bundled_model_finds_people(bundled: NerModel, text: str, name: str) -> None:
    assert names(bundled, text) == [name]


@pytest.mark.parametrize("text", LEFT)
def test_the_bundled_model_leaves_what_is_nobody(bundled: NerModel, text: str) -> None:
    assert names(bundled, text) == []


def test_the_bundled_model_finds_accounts(bundled: NerModel) -> None:
    text = "# TODO(mkowalski): drop this when the server is gone"
    assert [(text[s:e], entity) for s, e, entity, _ in bundled.find([text])[0]] == [("mkowalski", "USERNAME")]


def test_the_bundled_model_is_small_and_says_what_it_is() -> None:
    assert sum(file.stat().st_size for file in BUNDLED.iterdir()) <= 12_000_000
    card = (BUNDLED / "README.md").read_text()
    assert "license: apache-2.0" in card
    assert all(entity in card for entity in ENTITIES)


def test_results_do_not_depend_on_neighbours(bundled: NerModel) -> None:
    texts = [text for text, _ in PLANTED] + LEFT
    alone = [bundled.find([text])[0] for text in texts]
    rng = random.Random(3)
    for _ in range(3):
        crowd = texts + ["x = " + "1 + " * rng.randrange(200) for _ in range(30)]
        rng.shuffle(crowd)
        together = dict(zip(crowd, bundled.find(crowd), strict=True))
        assert [together[text] for text in texts] == alone


def test_a_long_text_is_read_to_its_end(bundled: NerModel) -> None:
    line, name = PLANTED[0]
    filler = "value = compute(value, other)\n" * 2000
    text = filler + line + "\n" + filler + line
    found = [(start, end) for start, end, entity, _ in bundled.find([text])[0] if entity == "NAME"]
    first = len(filler) + line.index(name)
    second = first + len(line) + 1 + len(filler)
    assert found == [(first, first + len(name)), (second, second + len(name))]


def test_a_name_is_found_once_wherever_windows_are_cut(bundled: NerModel) -> None:
    line, name = PLANTED[1]
    for before in range(0, 240, 17):
        text = "x + " * before + "\n" + line + "\n" + "if x:\n" * 200
        assert names(bundled, text) == [name], before


def test_offsets_count_code_points(bundled: NerModel) -> None:
    line, name = PLANTED[0]
    for before in ("😀😀 ", "טקסט בעברית ", "\u202e\u200f ", "e\u0301e\u0301 ", "𝒳 "):
        text = f"# {before}\n{line} 😀"
        assert name in names(bundled, text), before


def test_texts_without_words_hold_nothing(bundled: NerModel) -> None:
    assert bundled.find(["", " \n\t", "\x00\x00", "\n" * 5000]) == [[], [], [], []]
    assert bundled.find([]) == []


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=300), max_size=4))
def test_spans_lie_in_the_text_in_order_and_end_no_word(bundled: NerModel, texts: list[str]) -> None:
    for text, found in zip(texts, bundled.find(texts), strict=True):
        position = 0
        for start, end, entity, score in found:
            assert position <= start < end <= len(text)
            assert entity in ENTITIES
            assert 0 <= score <= 1
            assert "\n" not in text[start:end]
            inside_ascii_word = end < len(text) and (text[end - 1] + text[end]).isascii()
            assert not (inside_ascii_word and text[end - 1].isalnum() and text[end].isalnum())
            position = end


def test_any_token_classifier_is_loaded_the_same_way(foreign: Path) -> None:
    model = NerModel.load(str(foreign), {"PER": "NAME"}, "cpu")
    assert model.entities == ("NAME",)
    text = "x by Ada Lovelace. Grace Hopper, Acme"
    assert names(model, text) == ["Ada Lovelace", "Grace Hopper"]
    long = "x " * 500 + text  # its window has 40 tokens
    assert names(model, long) == ["Ada Lovelace", "Grace Hopper"]


def test_labels_that_are_not_ours_must_be_mapped(foreign: Path) -> None:
    with pytest.raises(UsageError, match=r"labels of the NER model .* are ORG, PER and none is an entity"):
        NerModel.load(str(foreign), None, "cpu")
    with pytest.raises(UsageError, match="PERSON is no entity of Quarry's"):
        NerModel.load(str(foreign), {"PER": "PERSON"}, "cpu")


def test_a_model_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    for place in ("nobody/has-this-model", str(tmp_path)):
        with pytest.raises(UsageError, match="cannot be loaded"):
            NerModel.load(place, device="cpu")


def test_an_encoder_without_a_trained_head_is_refused(foreign: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, BertConfig, BertModel

    config = BertConfig(vocab_size=13, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    BertModel(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(foreign).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="no trained weights for classifier"):
        NerModel.load(str(tmp_path), {"LABEL_0": "NAME"}, "cpu")


def test_importing_the_model_loads_no_torch() -> None:
    code = "import sys, pii.ner.model; print(sorted({'torch', 'transformers', 'tokenizers'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_presidio_runs_the_recognizer_over_joined_windows(bundled: NerModel) -> None:
    from pii.recognizers import LANGUAGE, engine

    lines = [text for text, _ in PLANTED]
    text = SEPARATOR.join(lines) + SEPARATOR
    results = engine([NerRecognizer(bundled)]).analyze(text, LANGUAGE, entities=["NAME"])
    assert [text[r.start : r.end] for r in sorted(results)] == [name for _, name in PLANTED]


@pytest.mark.parametrize(
    ("value", "entity", "kept"),
    [
        ("Dr. Ann Lee,", "NAME", "Ann Lee"),
        ("Prof. Dr. Max Weber's", "NAME", "Max Weber"),
        ("'John A.'", "NAME", "John A."),
        ("Sammy Davis Jr.", "NAME", "Sammy Davis Jr."),
        ("by.", "NAME", "by"),
        ("- Ann Lee -", "NAME", "Ann Lee"),
        ("@jdoe:", "USERNAME", "jdoe"),
        ("<a@b.org>.", "EMAIL", "a@b.org"),
        ('"(p4ss)!"', "PASSWORD", "(p4ss)!"),
        ("...", "NAME", ""),
        ("--", "USERNAME", ""),
        ("-jdoe-", "USERNAME", "jdoe"),
        ("Dr.", "NAME", ""),
        ("Ann Lee in California", "NAME", "Ann Lee"),
        ("by it. The", "NAME", ""),
        ("J. R. Doe", "NAME", "J. R. Doe"),
        ("Sammy Davis Jr. Lee", "NAME", "Sammy Davis Jr. Lee"),
        ("POST", "NAME", ""),
        ("KIM LEE", "NAME", "KIM LEE"),
    ],
)
def test_trimming(value: str, entity: str, kept: str) -> None:
    text = "xx " + value + " xx"
    start, end = decode.trim(text, 3, 3 + len(value), entity)
    assert text[start:end] == kept


@pytest.mark.parametrize(
    ("value", "entity", "kind"),
    [
        ("jdoe", "NAME", "USERNAME"),
        ("j_doe", "NAME", "USERNAME"),
        ("Jane42", "NAME", "USERNAME"),
        ("Jane Doe", "USERNAME", "NAME"),
        ("Élodie de la Tour", "USERNAME", "NAME"),
        ("Sven", "NAME", "NAME"),
        ("J. Doe", "NAME", "NAME"),
        ("jane doe", "NAME", "NAME"),
        ("王小明", "NAME", "NAME"),
        ("McCarthy", "NAME", "NAME"),
        ("JaneDoe", "NAME", "USERNAME"),
        ("JaneDoe", "USERNAME", "USERNAME"),
        ("a@b.org", "EMAIL", "EMAIL"),
    ],
)
def test_the_form_tells_names_from_handles(value: str, entity: str, kind: str) -> None:
    assert decode.kind(value, entity) == kind


def test_hyphenated_values_are_taken_whole() -> None:
    text = "by Jean-Luc Picard-Smith, @minty-green_9 (e-Ann)"
    for part, entity, whole in (
        ("Luc Picard", "NAME", "Jean-Luc Picard-Smith"),
        ("green", "USERNAME", "minty-green_9"),
        ("Ann", "NAME", "Ann"),
    ):
        start = text.index(part)
        start, end = decode.trim(text, start, start + len(part), entity)
        assert text[start:end] == whole


def test_decoding_takes_whole_words_of_one_line() -> None:
    labels = decode.Labels(("NAME",), np.array([[0], [1], [0]], np.float32), np.array([[0], [0], [1]], np.float32))
    text = "Ann Lee\nBo 王小明"
    # tokens:     A       nn      Lee     Bo      王      小      明
    places = [(0, 1), (1, 3), (4, 7), (8, 10), (11, 12), (12, 13), (13, 14)]
    begin = [0.7, 0.0, 0.1, 0.1, 0.1, 0.8, 0.0]
    inside = [0.1, 0.4, 0.8, 0.8, 0.1, 0.1, 0.9]
    probability = np.array([[1 - b - i, b, i] for b, i in zip(begin, inside, strict=True)], np.float32)
    start, end = np.array(places).T
    found = list(decode.spans(text, decode.Tokens(np.zeros(7, np.int64), start, end, probability), labels))
    assert [(text[f.start : f.end], f.score) for f in found] == [("Ann Lee", 0.75), ("Bo", 0.9), ("小明", 0.9)]


def test_measuring_counts_overlaps_and_picks_thresholds() -> None:
    gold = [[(0, 5, "NAME")], [(3, 9, "NAME")], []]
    found = [[(2, 7, "NAME", 0.9)], [(3, 9, "USERNAME", 0.9)], [(0, 4, "NAME", 0.5)]]
    scores = measure.measure(gold, found, {})
    assert scores["NAME"] == measure.Scores(labelled=2, found=2, right=1, met=1)
    assert measure.thresholds(gold, found, ["NAME", "KEY"], 1) == {"NAME": 0.9, "KEY": measure.UNSURE}
    assert measure.thresholds(gold, found, ["NAME"], 3) == {"NAME": measure.UNSURE}


def test_training_lowers_the_loss_and_writes_a_model_that_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pii.ner import train

    monkeypatch.setattr(train, "VOCABULARY", 1024)
    monkeypatch.setattr(train, "VOCABULARY_TEXTS", 500)
    monkeypatch.setattr(train, "BLOCK", 256)
    monkeypatch.setattr(train, "DEV", 50)
    torch.set_num_threads(1)
    rounds = [train.Round(20, 1.5e-3, 0.2), train.Round(10, 4e-4, 0.4)]
    losses = train.train(tmp_path / "model", rounds=rounds)
    assert len(losses) == 30
    assert np.mean(losses[-5:]) < 0.6 * losses[0]
    assert "round 2 of 2" in capsys.readouterr().out
    assert set(NerModel.load(str(tmp_path / "model"), device="cpu").entities) == set(ENTITIES)
    assert "mean of the weights\nafter 20 steps" in (tmp_path / "model/README.md").read_text()
    train.train(tmp_path / "again", rounds=rounds)
    files = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()}  # to the bit
    train.train(tmp_path / "tuned", rounds=rounds[1:], base=str(tmp_path / "model"))
    assert "fine-tuned from" in (tmp_path / "tuned/README.md").read_text()


def test_labels_follow_the_first_solid_character_of_a_token(bundled: NerModel) -> None:
    from pii.ner.corpus import Example
    from pii.ner.train import LABELS, encode

    text = "# (Ann Lee) jdoe"
    ids, labels = encode(bundled.tokenizer, [Example(text, ((3, 10, "NAME"), (12, 16, "USERNAME")))], 64)[0]
    given = [LABELS[label] for label in labels[1:-1].tolist()]
    assert given[0] == "O"
    assert [name for name in given if name.startswith("B-")] == ["B-NAME", "B-USERNAME"]
    assert labels[0] == labels[-1] == -100
    assert len(ids) == len(labels)
