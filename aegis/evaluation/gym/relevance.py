"""Relevance: which documents belong to a topic, by the gym's rules; hidden from every policy.

Only the environment's judge and the oracle use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from attrs import frozen

from aegis.evaluation.gym.postings import Postings, counted
from aegis.evaluation.gym.ranking import best
from aegis.evaluation.gym.vectors import unit_tf_idf

if TYPE_CHECKING:
    import numpy.typing as npt

    from aegis.evaluation.gym.tokens import Tokens

    Floats = npt.NDArray[np.float64]

MIN_DF: Final = 5
MAX_DF_SHARE: Final = 0.10
TITLE_COUNT: Final = 2


@frozen(eq=False)
class Relevance:
    """Unit TF-IDF vectors, by document and by term.

    ``(1 + ln tf) * ln(N / df)`` with the title counted twice, over the words with document
    frequency from 5 to 10 % of the corpus.
    """

    by_document: Postings
    by_term: Postings

    @property
    def documents(self) -> int:
        """Number of documents."""
        return len(self.by_document.starts) - 1

    def cosines(self, document: int) -> Floats:
        """Return the cosine of every document with one, (documents,)."""
        terms, weights = self.by_document.row(document)
        return self.by_term.sum_of(terms, weights, self.documents)

    def nearest(self, document: int, k: int) -> tuple[int, ...]:
        """Return the `k` nearest others by cosine, nearest first; ties in document order.

        Fewer where fewer share a term with it.
        """
        cosines = self.cosines(document)
        cosines[document] = 0.0
        return best(cosines, k)

    def has_vector(self) -> npt.NDArray[np.bool_]:
        """Return which documents have a vector at all, (documents,)."""
        return self.by_document.lengths() > 0


def build_relevance(tokens: Tokens) -> Relevance:
    """Return the vectors of a corpus from its tokens."""
    twice = np.where(tokens.in_title, TITLE_COUNT, 1)
    documents, found = np.repeat(tokens.documents, twice), np.repeat(tokens.words, twice)
    counts = counted(documents, found, tokens.count, len(tokens.vocabulary))
    df = np.bincount(counts.columns, minlength=len(tokens.vocabulary))
    kept = (df >= MIN_DF) & (df <= MAX_DF_SHARE * tokens.count)
    idf = np.log(tokens.count / np.maximum(df, 1))
    vectors = unit_tf_idf(counts, kept, idf)
    return Relevance(vectors, vectors.transposed(len(tokens.vocabulary)))
