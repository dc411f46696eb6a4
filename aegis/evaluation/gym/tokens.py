"""Tokens: every word of a corpus, as flat arrays from which indexes are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from attrs import frozen

from aegis.evaluation.gym.words import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from aegis.evaluation.gym.corpus import Text

    Ints = npt.NDArray[np.int32]


@frozen(eq=False)
class Tokens:
    """Every word of a corpus, in order.

    Attributes:
        vocabulary: The words; a word is its position here.
        words: Word of each token, (tokens,).
        documents: Document of each token, (tokens,).
        in_title: Whether the token stands in a title, (tokens,).
        count: Number of documents.
    """

    vocabulary: tuple[str, ...]
    words: Ints
    documents: Ints
    in_title: npt.NDArray[np.bool_]
    count: int

    @classmethod
    def of(cls, texts: Sequence[Text]) -> Tokens:
        """Return the tokens of the documents, title before text."""
        numbers: dict[str, int] = {}
        flat: list[int] = []
        lengths: list[int] = []
        for text in texts:
            for part in (text.title, text.text):
                found = words(part)
                flat += [numbers.setdefault(word, len(numbers)) for word in found]
                lengths.append(len(found))
        parts = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        documents = (parts // 2).astype(np.int32)
        tokens = np.array(flat, dtype=np.int32)
        return cls(tuple(numbers), tokens, documents, parts % 2 == 0, len(texts))
