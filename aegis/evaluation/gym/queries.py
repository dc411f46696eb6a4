"""Queries: the searches that are offered to a policy, best bets first.

Made from the goal's title and from what was read, never from what is relevant.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from aegis.evaluation.gym.words import names_subject, stem, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from aegis.evaluation.gym.goal import Goal
    from aegis.evaluation.gym.search import SearchIndex


class Query(NamedTuple):
    """A query: its terms in ascending order (its identity), and its text."""

    terms: tuple[int, ...]
    text: str


def proposals(
    index: SearchIndex, goal: Goal, titles: Sequence[Query], salient: Sequence[int]
) -> Iterator[Query]:
    """Yield queries worth asking, best first; the same one may come up more than once.

    Args:
        index: The library.
        goal: The goal; its terms come rarest first.
        titles: Queries made of the titles of what was read, in order (`title_query`).
        salient: Strongest terms of what was read that the goal does not name.
    """
    terms = goal.terms
    pairs = list(combinations(terms[:4], 2))
    yield _query(index, goal, terms)
    yield _query(index, goal, terms[:3])
    yield from (_query(index, goal, pair) for pair in pairs[:2])
    if salient:
        yield _query(index, goal, (*terms, *salient[:2]))
        yield from (_query(index, goal, (term, salient[0])) for term in terms[:2])
        yield _query(index, goal, (*terms[:2], *salient[:2]))
    yield from reversed(titles[-2:])
    yield from (_query(index, goal, (term, other)) for other in salient[1:3] for term in terms[:1])
    yield from (_query(index, goal, pair) for pair in pairs[2:])
    yield from (_query(index, goal, (term,)) for term in terms[:3])


def _query(index: SearchIndex, goal: Goal, terms: Iterable[int]) -> Query:
    chosen = tuple(terms)
    return Query(
        tuple(sorted(chosen)), " ".join(goal.shown.get(t) or index.shown[t] for t in chosen)
    )


def title_query(index: SearchIndex, title: str) -> Query:
    """Return the query made of the subject words of a document's title."""
    shown: dict[int, str] = {}
    for word in words(title):
        term = index.numbers[stem(word)]
        if names_subject(index.terms[term]):
            shown.setdefault(term, word)
    return Query(tuple(sorted(shown)), " ".join(shown.values()))
