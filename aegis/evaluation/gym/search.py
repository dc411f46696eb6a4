"""Search: bm25 over titles and texts, and what else a library says of its documents.

Nothing here knows what is relevant to a topic.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import field, frozen

from aegis.evaluation.gym.postings import Postings, counted
from aegis.evaluation.gym.ranking import best
from aegis.evaluation.gym.vectors import unit_tf_idf
from aegis.evaluation.gym.words import names_subject, stem, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from aegis.evaluation.gym.corpus import Text
    from aegis.evaluation.gym.tokens import Tokens

    Ints = npt.NDArray[np.int32]
    Floats = npt.NDArray[np.float64]

TITLE_WEIGHT: Final = 3
K1: Final = 1.2
B: Final = 0.75
MIN_DF: Final = 3
"""A term of fewer documents tells nothing about what belongs together."""

DEEPEST: Final = 50
"""Results that one query can page through."""

_KEPT_RANKINGS: Final = 5_000


@frozen(eq=False)
class SearchIndex:
    """What search and view may know: stems, where they stand, how rare they are.

    bm25 with the title's counts weighted 3: for a query term t in document d,
    ``idf(t) * f * (K1 + 1) / (f + K1 * (1 - B + B * length / mean length))`` with
    ``f = 3 * count in title + count in text`` and ``idf = ln(1 + (N - df + 0.5) / (df + 0.5))``.

    Attributes:
        titles: Titles by document.
        terms: The stems; a term is its position here.
        shown: For each stem the word that most often has it, for texts that are shown.
        vectors: By document, ``(1 + ln f) * idf`` of its terms that name a subject and stand in at
            least `MIN_DF` documents, unit length; nothing where it has none.
        title_terms: Which terms stand in each title (values 1).
        impacts: The summand above, by term and document.
    """

    titles: tuple[str, ...]
    terms: tuple[str, ...]
    shown: tuple[str, ...]
    vectors: Postings
    title_terms: Postings
    impacts: Postings
    _rankings: dict[tuple[int, ...], tuple[int, ...]] = field(factory=dict, init=False, repr=False)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The position of each stem."""
        return {term: number for number, term in enumerate(self.terms)}

    @cached_property
    def df(self) -> Ints:
        """Documents that hold each term, (terms,)."""
        return self.impacts.lengths().astype(np.int32)

    @cached_property
    def idf(self) -> Floats:
        """Inverse document frequency of each term, (terms,), as in the class."""
        return bm25_idf(self.df, len(self.titles))

    @cached_property
    def weights(self) -> list[float]:
        """`idf` as plain numbers, for sums over a few terms."""
        return [float(weight) for weight in self.idf]

    def query_terms(self, query: str) -> list[int]:
        """Return the distinct known terms of a query, in order; unknown words match nothing."""
        found = (self.numbers.get(stem(word)) for word in words(query))
        return list(dict.fromkeys(term for term in found if term is not None))

    def holds(self, term: int, document: int) -> bool:
        """Return whether a document holds a term, in its title or text."""
        documents = self.impacts.row(term)[0]
        place = int(np.searchsorted(documents, document))
        return place < len(documents) and int(documents[place]) == document

    def search(self, query: str) -> tuple[int, ...]:
        """Return the best `DEEPEST` documents, best first; ties in document order.

        Rankings are kept for as long as the index lives: episodes of several policies ask the
        same queries.
        """
        terms = tuple(sorted(self.query_terms(query)))
        ranking = self._rankings.get(terms)
        if ranking is None:
            if len(self._rankings) >= _KEPT_RANKINGS:
                self._rankings.clear()
            ranking = self._rankings[terms] = self._rank(terms)
        return ranking

    def _rank(self, terms: tuple[int, ...]) -> tuple[int, ...]:
        return best(self.scores(terms), DEEPEST)

    def scores(self, terms: Sequence[int]) -> Floats:
        """Return the bm25 score of every document for the terms, (documents,)."""
        return self.impacts.sum_of(terms, None, len(self.titles))


def bm25_idf(df: npt.NDArray[Any], documents: int) -> Floats:
    """Return ``ln(1 + (N - df + 0.5) / (df + 0.5))``, the shape of `df`."""
    idf: Floats = np.log1p((documents - df + 0.5) / (df + 0.5))
    return idf


def build_search(texts: Sequence[Text], tokens: Tokens) -> SearchIndex:
    """Return the search index of a corpus and its tokens."""
    stems: dict[str, int] = {}
    of_word = [stems.setdefault(stem(word), len(stems)) for word in tokens.vocabulary]
    terms = np.array(of_word, dtype=np.int32)[tokens.words]
    titled = tokens.in_title
    repeated = np.where(titled, TITLE_WEIGHT, 1)
    counts = counted(
        np.repeat(tokens.documents, repeated), np.repeat(terms, repeated), tokens.count, len(stems)
    )
    title_terms = counted(tokens.documents[titled], terms[titled], tokens.count, len(stems))
    lengths = np.bincount(tokens.documents, minlength=tokens.count)
    return SearchIndex(
        tuple(text.title for text in texts),
        tuple(stems),
        _shown(tokens, of_word, len(stems)),
        _subjects(counts, tuple(stems)),
        title_terms.with_values(np.ones(len(title_terms.columns), dtype=np.uint8)),
        _impacts(counts, lengths, len(stems)),
    )


def _shown(tokens: Tokens, stem_of: list[int], stems: int) -> tuple[str, ...]:
    often = np.bincount(tokens.words, minlength=len(stem_of))
    order = np.lexsort((-np.arange(len(stem_of)), often))  # the most frequent word comes last
    words_of = np.zeros(stems, dtype=np.int64)
    words_of[np.asarray(stem_of, dtype=np.int64)[order]] = order
    return tuple(tokens.vocabulary[word] for word in words_of)


def _subjects(counts: Postings, stems: tuple[str, ...]) -> Postings:
    df = np.bincount(counts.columns, minlength=len(stems))
    idf = bm25_idf(df, len(counts.starts) - 1)
    kept = np.array([names_subject(term) for term in stems], dtype=bool) & (df >= MIN_DF)
    vectors = unit_tf_idf(counts, kept, idf)
    return vectors.with_values(vectors.values.astype(np.float32))


def _impacts(counts: Postings, lengths: npt.NDArray[Any], terms: int) -> Postings:
    documents = len(lengths)
    by_term = counts.transposed(terms)
    df = by_term.lengths()
    f = by_term.values.astype(np.float64)
    length = lengths[by_term.columns] / max(lengths.mean(), 1.0)
    saturated = f * (K1 + 1) / (f + K1 * (1 - B + B * length))
    idf = np.repeat(bm25_idf(df, documents), df)
    return by_term.with_values((saturated * idf).astype(np.float32))
