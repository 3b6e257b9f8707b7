"""StarCoder's byte-level BPE: training it, checking one that is given, and encoding text with it.

Text is always encoded by a copy of the tokenizer that knows no added tokens, so that a file in which "<|endoftext|>"
is written is tokenized as those thirteen characters: only the template may put a special id into a document.
Source: bigcode-tokenizer, starcoder/train_bpe_tokenizer.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from pipeline.errors import QuarryError

END_OF_TEXT = "<|endoftext|>"
# StarCoder v1's, in its order: they get ids 0 to 18.
SPECIAL_TOKENS = (
    END_OF_TEXT,
    "<fim_prefix>",
    "<fim_middle>",
    "<fim_suffix>",
    "<fim_pad>",
    "<filename>",
    "<gh_stars>",
    "<issue_start>",
    "<issue_comment>",
    "<issue_closed>",
    "<jupyter_start>",
    "<jupyter_text>",
    "<jupyter_code>",
    "<jupyter_output>",
    "<empty_output>",
    "<commit_before>",
    "<commit_msg>",
    "<commit_after>",
    "<reponame>",
)
SMALLEST_VOCABULARY = len(SPECIAL_TOKENS) + 256  # every byte is a token, so that every text can be written

# Training handles a run of letters without a break in quadratic time (one of 64 KiB takes 20 s, one of 1 MB many
# minutes), so it sees texts cut into pieces of this many characters; only the word at each cut is lost.
TRAINING_PIECE = 1024
# Text that a tokenizer must give back byte for byte to be used.
_PROBE = "a  b\r\n\tC\0 é e\u0301 ﬁ 漢字 🙂\u200d 0123 <|endoftext|>\n\n"


def train(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """A BPE of at most `vocabulary` tokens, special tokens included; fewer where the texts hold no more pairs.

    The result depends on the multiset of texts only: counts decide each merge, and token ids decide ties.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_pieces(texts), trainer)
    return tokenizer


def _pieces(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        for start in range(0, len(text), TRAINING_PIECE):
            yield text[start : start + TRAINING_PIECE]


class Coder:
    """Encodes ordinary text, and knows the ids of the special tokens."""

    def __init__(self, data: bytes, where: str = "tokenizer.json") -> None:
        """From the content of a tokenizer.json, called `where` in errors.

        Raises QuarryError where it is none, lacks a special token, or does not give a text back byte for byte.
        """
        try:
            full = Tokenizer.from_str(data.decode())
        except Exception as error:  # the library raises bare Exception
            raise QuarryError(
                f"'{where}' is no tokenizer of the 'tokenizers' library ({error}); give another."
            ) from None
        vocabulary = full.get_vocab(with_added_tokens=True)
        missing = [token for token in SPECIAL_TOKENS if token not in vocabulary]
        if missing:
            raise QuarryError(f"'{where}' lacks StarCoder's special token '{missing[0]}'; give one trained with it.")
        self.vocabulary = max(vocabulary.values()) + 1
        self.special = {token: vocabulary[token] for token in SPECIAL_TOKENS}
        self._plain = Tokenizer(full.model)
        self._plain.normalizer = full.normalizer
        self._plain.pre_tokenizer = full.pre_tokenizer
        self._plain.decoder = full.decoder
        if self.decode(self.encode(_PROBE)) != _PROBE:
            raise QuarryError(f"'{where}' does not give every text back byte for byte; give a byte-level tokenizer.")

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, never a special one; on one thread, as the executor's workers share the cores."""
        ids: list[int] = self._plain.encode_batch_fast([text], add_special_tokens=False)[0].ids
        return ids

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """The text of ids that `encode` gave."""
        listed = ids.tolist() if isinstance(ids, np.ndarray) else list(ids)
        text: str = self._plain.decode(listed, skip_special_tokens=False)
        return text
