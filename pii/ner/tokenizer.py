"""The bundled model's tokenizer: cased sub-words in which a name looks the same wherever it stands.

Letters, digits and signs are told apart first, and single spaces are dropped. A word's first piece bears no mark of the
space before it, its further pieces a `##`: `John` is one token after a space, a quote or a tab, while the John of
`getJohnDoe` is another, `##John`. What the dropped spaces said is kept by the signs, which take the space on either
side into the token: `a.b`, `a. b` and `f (x)` read differently. Bytes are the alphabet, so no script is unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

PAD, UNKNOWN, CLS, SEP, MASK = SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CONTINUES = "##"
_PIECES = r"[\p{L}\p{M}]+|\p{N}{1,4}|[ \t]*\r?\n\s*| ?[^\s\p{L}\p{M}\p{N}] ?|[ \t]{2,}|\t"


def build(texts: Iterator[str], size: int) -> Tokenizer:
    """A tokenizer with `size` tokens, trained on `texts`."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors, trainers

    bytes_ = sorted(pre_tokenizers.ByteLevel.alphabet())
    trained = Tokenizer(models.BPE(unk_token=UNKNOWN, continuing_subword_prefix=CONTINUES))
    split = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "isolated"),
            pre_tokenizers.Split(Regex(r"\A[ \r\f\v]\z"), "removed"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trained.pre_tokenizer = split
    # All bytes that go on with a word are named, since those that are not get their numbers by chance, and of equally
    # frequent pairs that with the lower numbers is merged first.
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[*SPECIAL, *bytes_, *(CONTINUES + byte for byte in bytes_)],
        continuing_subword_prefix=CONTINUES,
        max_token_length=16,
        show_progress=False,
    )
    trained.train_from_iterator(texts, trainer)
    model = json.loads(trained.to_str())["model"]
    tokenizer = Tokenizer(
        models.BPE(
            vocab=model["vocab"],
            merges=[tuple(pair) for pair in model["merges"]],
            unk_token=UNKNOWN,
            continuing_subword_prefix=CONTINUES,
        )
    )
    tokenizer.pre_tokenizer = split
    tokenizer.add_special_tokens(list(SPECIAL))
    ends = [(CLS, tokenizer.token_to_id(CLS)), (SEP, tokenizer.token_to_id(SEP))]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{CLS} $A {SEP}", special_tokens=ends)
    return tokenizer


def coarser(tokenizer: Tokenizer, merges: int) -> Tokenizer:
    """The same tokenizer with its first `merges` merges alone: the same tokens, but rare words fall into more pieces.

    A model that reads some of its training texts so learns what the pieces of unknown names look like (as with BPE
    dropout, but the same every time).
    """
    from tokenizers import Tokenizer

    state = json.loads(tokenizer.to_str())
    state["model"]["merges"] = state["model"]["merges"][:merges]
    return Tokenizer.from_str(json.dumps(state))


def is_ours(tokenizer: PreTrainedTokenizerFast) -> bool:
    """Whether a tokenizer is one that `build` made, so that `coarser` says what it means."""
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    return model["type"] == "BPE" and model["continuing_subword_prefix"] == CONTINUES


def wrap(tokenizer: Tokenizer, limit: int) -> PreTrainedTokenizerFast:
    """The tokenizer as transformers saves and loads it; `limit` is the model's window in tokens."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=limit,
        pad_token=PAD,
        unk_token=UNKNOWN,
        cls_token=CLS,
        sep_token=SEP,
        mask_token=MASK,
        clean_up_tokenization_spaces=False,
    )
