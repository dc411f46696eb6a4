"""Training the byte-level BPE of ``hrm-bpe``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from aegis_hrm.special_tokens import SPECIAL_TOKENS

if TYPE_CHECKING:
    from collections.abc import Iterable

PATTERN: Final = (
    r"[ _]?[\p{L}\p{M}]+(?:=\p{N}(?!\p{N})|=)?"  # a word, or a whole signal: " rank=3"
    r"|\p{N}"  # digits of longer numbers one by one: they mean the same wherever they stand
    r"|\s+(?!\S)|\s+"  # white space; the last blank before a word belongs to the word
    r"|[^\s\p{L}\p{M}\p{N}]"  # other characters one by one
)
"""Pieces of a text that merges stay within; they cover all of it."""


def train(texts: Iterable[str], size: int) -> bytes:
    """Return a tokenizer.json: special tokens, the 256 bytes, then merges.

    The same texts give the same bytes. Few texts may give fewer entries than `size`.

    Args:
        texts: What its merges are counted in.
        size: Entries in all, at least those of the special tokens and the bytes.
    """
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer.to_str().encode("utf-8")
