"""Queries that the library tool proposes for a view."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from aegis.contracts.action import Action
from aegis.contracts.text import unescape
from aegis.knowledge.text import content_words, stem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aegis.contracts.view import View

MOST: Final = 10
"""Closed candidates of one view, at most."""

PAGES: Final = 20
"""The last page of a query."""

_WORDS: Final = 6
_SIGNALS: Final = re.compile(r"(?: [a-z_]+=-?\d+)+$")
_PAGE: Final = re.compile(r" page=(\d{1,3})\b")
_VERBS: Final = frozenset(
    ["describe", "explain", "explore", "investigate", "learn", "research", "study", "understand"]
)


class Query(NamedTuple):
    """What to search for, and which page of its results."""

    words: tuple[str, ...]
    page: int = 1

    @property
    def text(self) -> str:
        """The words in one line."""
        return " ".join(self.words)

    @property
    def identity(self) -> tuple[frozenset[str], int]:
        """What makes two queries the same question."""
        return frozenset(map(stem, self.words)), self.page


def candidates(tool: str, view: View) -> Iterator[Action]:
    """Yield searches for a view, best first, and last an open one for engines that write."""
    goal = {stem(word) for word in subject(view)}
    missing = {stem(word) for term in view.missing for word in content_words(term)}
    unique: dict[object, Query] = {}
    for query in _queries(tool, view):
        unique.setdefault(query.identity, query)
    for query in itertools.islice(unique.values(), MOST):
        yield _action(tool, query, goal, missing)
    yield Action(tool, slot="query")


def subject(view: View) -> list[str]:
    """Return the words that the goal is about."""
    words = content_words(view.goal)
    return words[1:] if len(words) > 1 and words[0] in _VERBS else words


def _action(tool: str, query: Query, goal: set[str], missing: set[str]) -> Action:
    stems = query.identity[0]
    signals = {"terms": len(stems & goal), "missing": len(stems & missing)}
    arguments: dict[str, str | int] = {"query": query.text}
    if query.page > 1:
        arguments["page"] = signals["page"] = query.page
    return Action(tool, arguments, about=query.text, signals=signals)


def _queries(tool: str, view: View) -> Iterator[Query]:
    """Yield what is worth asking, best first: the goal, what it lacks, more of what worked."""
    groups = (_of_goal(view), _of_missing(view), _of_gaps(view), _of_titles(view))
    turns = itertools.zip_longest(*groups, _next_pages(tool, view))
    flat = (query for turn in turns for query in turn if query is not None)
    return (query for query in flat if query.words and len(query.text) <= 200)


def _of_goal(view: View) -> Iterator[Query]:
    yield Query(tuple(subject(view)[:_WORDS]))


def _of_missing(view: View) -> Iterator[Query]:
    goal = subject(view)
    terms = [content_words(term) for term in view.missing]
    if len(terms) > 1:
        yield Query(tuple(dict.fromkeys(itertools.chain.from_iterable(terms)))[:_WORDS])
    for term in terms:
        others = [word for word in goal if word not in term]
        yield Query((*term, *others[:1]))
        yield Query(tuple(term))


def _of_gaps(view: View) -> Iterator[Query]:
    for gap in view.gaps:
        yield Query(tuple(content_words(gap)[:_WORDS]))


def _of_titles(view: View) -> Iterator[Query]:
    for seen in (*view.knowledge, *view.found):
        yield Query(tuple(content_words(seen.title)[:_WORDS]))


def _next_pages(tool: str, view: View) -> Iterator[Query]:
    """Yield the page after the last one of each recent query, where that one brought something."""
    last: dict[str, int] = {}
    for recent in reversed(view.recent):
        asked = _asked(tool, recent.action)
        if asked is not None:
            worth = recent.status == "ok" and recent.gained > 0
            last.setdefault(asked.text, asked.page if worth else PAGES)
    for text, page in last.items():
        if page < PAGES:
            yield Query(tuple(text.split()), page + 1)


def _asked(tool: str, action: str) -> Query | None:
    """Return the query that an action's text shows, or None where it is another tool's."""
    name, _, shown = action.partition(" ")
    if name != tool:
        return None
    signals = _SIGNALS.search(action)
    said = signals[0] if signals else ""
    page = _PAGE.search(said)
    text = unescape(shown.removesuffix(said.lstrip()).strip())
    return Query(tuple(text.split()), int(page[1]) if page else 1) if text else None


def terms_of(texts: Iterable[str]) -> set[str]:
    """Return the stems of some texts."""
    return {stem(word) for text in texts for word in content_words(text)}
