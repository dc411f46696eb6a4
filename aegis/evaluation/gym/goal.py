"""The goal of an episode: the words of a title, and how strongly a document speaks of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from attrs import frozen

from aegis.evaluation.gym.search import MIN_DF
from aegis.evaluation.gym.words import names_subject, stem, words

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from aegis.contracts.view import Seen
    from aegis.evaluation.gym.search import SearchIndex

    Ints = npt.NDArray[np.int32]
    Floats = npt.NDArray[np.float64]

TENTHS: Final = 10
TWENTIETHS: Final = 20


def bucket(share: float, steps: int = TENTHS) -> int:
    """Return the number of whole steps in `share`, at most 9."""
    return min(9, int(share * steps))


@frozen(eq=False)
class Found:
    """A document that a search returned, and what can be told from looking at it.

    Attributes:
        document: Its number in the corpus.
        seen: Its reference and title, as the view shows them.
        rank: Its position in the result list where it was first seen, from 1, at most 9.
        title: Share of the goal's weight whose terms stand in its title, in tenths.
        text: Cosine of the goal's terms with its title and text, in twentieths.
        rare: Rarity of the rarest such term that it shares with the goal, in tenths.
        terms: Its subject terms, (n,).
        weights: Their weights, unit length, (n,).
    """

    document: int
    seen: Seen
    rank: int
    title: int
    text: int
    rare: int
    terms: Ints
    weights: Floats


@frozen(eq=False)
class Goal:
    """The terms of a title that name a subject and that the library holds, rarest first.

    Attributes:
        title: The title.
        terms: The terms.
        shown: For each term the word as the title has it, in the title's order.
        weights: For each term its inverse document frequency.
        common: The terms of at least `MIN_DF` documents, ascending, (m,).
        direction: Their inverse document frequencies at unit length, (m,).
    """

    title: str
    terms: tuple[int, ...]
    shown: dict[int, str]
    weights: dict[int, float]
    common: Ints
    direction: Floats

    @classmethod
    def of(cls, index: SearchIndex, document: int) -> Goal:
        """Return the goal that names the topic of `document` by its title alone."""
        title = index.titles[document]
        shown: dict[int, str] = {}
        for word in words(title):
            term = index.numbers.get(stem(word))
            # A term of this document alone finds nothing: the seed is no result.
            if term is not None and index.df[term] > 1 and names_subject(index.terms[term]):
                shown.setdefault(term, word)
        terms = sorted(shown, key=lambda term: (-index.idf[term], term))
        weights = {term: float(index.idf[term]) for term in terms}
        common = np.array(sorted(t for t in terms if index.df[t] >= MIN_DF), dtype=np.int32)
        length = math.sqrt(float(index.idf[common] @ index.idf[common])) or 1.0
        direction = index.idf[common] / length
        return cls(title, tuple(terms), shown, weights, common, direction)

    def look(self, index: SearchIndex, document: int, seen: Seen, rank: int) -> Found:
        """Return what can be told of a result."""
        terms, weights = index.vectors.row(document)
        titled = index.title_terms.row(document)[0].tolist()
        places = np.searchsorted(terms, self.common)
        places[places == len(terms)] = 0
        here = terms[places] == self.common if len(terms) else np.zeros(len(places), dtype=bool)
        cosine = float(self.direction[here] @ weights[places[here]])
        rarest = max((self.weights[term] for term in self.common[here].tolist()), default=0.0)
        return Found(
            document,
            seen,
            min(rank, 9),
            bucket(self.share(titled)),
            bucket(cosine, TWENTIETHS),
            bucket(rarest / math.log(len(index.titles) + 1)),
            terms,
            weights,
        )

    def share(self, terms: Iterable[int]) -> float:
        """Return the share of the goal's weight that distinct `terms` cover, 0 to 1."""
        weights = self.weights
        covered = sum(weights[term] for term in terms if term in weights)
        return covered / (sum(weights.values()) or 1.0)
