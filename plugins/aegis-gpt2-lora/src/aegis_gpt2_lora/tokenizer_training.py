"""Training a byte-level BPE on the views and candidates of recorded experience."""

from __future__ import annotations

import math
from collections import Counter
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final

import tokenizers
from attrs import define, field
from tokenizers import decoders, models, pre_tokenizers, trainers

from aegis_gpt2_lora.encoding import MARKER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aegis import Experience, Tokenizer

END: Final = "<|endoftext|>"
SMALLEST: Final = 257
"""Entries of a tokenizer without merges: the 256 bytes and the end of a text."""

_FREQUENT: Final = 0.001  # of the views that a word has to stand in

_PIECES: Final = (
    r"\n?[a-z_]+:"  # the label of a line, which every view has in the same places
    r"|/\p{N}+"  # the last step, which hardly changes
    r"|'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
)
"""GPT-2's pieces of a text, and before them two of a view's own: a tenth fewer tokens."""


@define
class Texts:
    """What a tokenizer is trained and measured on.

    Attributes:
        views: Views as a model reads them, with how often each occurs.
        actions: Candidates and actions as a model reads them, with how often each occurs.
    """

    views: Counter[str] = field(factory=Counter)
    actions: Counter[str] = field(factory=Counter)

    @classmethod
    def of(cls, steps: Iterable[Experience]) -> Texts:
        """Gather the texts of recorded steps."""
        found = cls()
        for step in steps:
            found.views[step.view.render() + MARKER] += 1
            shown = step.decision.candidates
            if not shown and step.decision.action is not None:
                shown = (step.decision.action,)
            found.actions.update(f" {action.render()}\n" for action in shown)
        return found

    @property
    def all(self) -> Iterator[str]:
        """Every text as often as it occurs."""
        both = chain(self.views.items(), self.actions.items())
        return chain.from_iterable(repeat(text, count) for text, count in both)


def train(texts: Texts, size: int) -> bytes:
    """Return a tokenizer.json: the end of a text, the 256 bytes, then merges.

    Text is first cut as GPT-2 cuts it: a word with the space before it is one piece; only the label
    of a view's line is one piece with the line break before it. The same texts give the same bytes.
    Few texts may give fewer entries than `size`.

    Args:
        texts: What its merges are counted in.
        size: Entries in all, at least `SMALLEST`.
    """
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = _cut()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts.all, trainer)
    return tokenizer.to_str().encode("utf-8")


def _cut() -> pre_tokenizers.PreTokenizer:
    """Return what cuts text into pieces, which merges stay within."""
    pieces = pre_tokenizers.Split(tokenizers.Regex(_PIECES), "isolated")
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([pieces, letters])


def low_end(tokenizer: Tokenizer, texts: Texts) -> float:
    """Return the characters a token of the view in a hundred that has the fewest, rounded down."""
    ratios = sorted(len(text) / len(tokenizer.encode(text)) for text in texts.views)
    return math.floor(100 * ratios[len(ratios) // 100]) / 100


def split_words(tokenizer: Tokenizer, texts: Texts) -> tuple[str, ...]:
    """Return the frequent words that are more than one token, the most frequent first.

    A word is a piece that merges stay within. It is frequent where it occurs once in a thousand
    views or more.
    """
    cut = _cut()
    decode = decoders.ByteLevel().decode
    found: Counter[str] = Counter()
    for text, count in chain(texts.views.items(), texts.actions.items()):
        for piece, _ in cut.pre_tokenize_str(text):
            found[piece] += count
    least = max(2, _FREQUENT * texts.views.total())
    words = [decode([piece]) for piece, count in found.most_common() if count >= least]
    return tuple(word for word in words if len(tokenizer.encode(word)) > 1)
