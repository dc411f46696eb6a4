"""Gaps: terms that keep coming up in what is read, and that nothing explains yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from attrs import frozen

from aegis.knowledge.text import content_words, stem
from aegis.store.tables import gaps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

RECURRING: Final = 2
"""Documents that must name a term before it counts as a gap."""


@frozen
class Gap:
    """A term that keeps coming up: by how many documents, since which step, closed when."""

    term: str
    count: int
    opened_step: int | None
    closed_step: int | None


class Gaps:
    """The gaps of one ledger. Writes go into the ledger's open transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def note(self, terms: Iterable[str], explained: Callable[[str], bool], step: int) -> None:
        """Count the terms that one document named.

        Args:
            terms: Terms and works that the document names; phrases, not single words.
            explained: Whether something that was read is about a term.
            step: Step that read the document.
        """
        for term in sorted({t for t in map(phrase, terms) if t}):
            row = self._connection.execute(sa.select(gaps).where(gaps.c.term == term)).one_or_none()
            count = 1 if row is None else row._mapping["count"] + 1
            opened = None if row is None else row.opened_step
            if opened is None and count >= RECURRING and not explained(term):
                opened = step
            if row is None:
                values = {"term": term, "count": count, "opened_step": opened}
                self._connection.execute(sa.insert(gaps), values)
            else:
                self._update(term, count=count, opened_step=opened)

    def close(self, titles: Iterable[str], step: int) -> list[str]:
        """Close the gaps that documents with these titles explain; return their terms."""
        about = list(titles)
        closed = [gap.term for gap in self.open() if any(explains(t, gap.term) for t in about)]
        for term in closed:
            self._update(term, closed_step=step)
        return closed

    def worked_on(self, term: str, *, covered: bool, step: int) -> None:
        """Note that a goal about this gap ended: covered, or in vain.

        One that was worked on in vain has to come up anew before it counts again.
        """
        if covered:
            self._update(term, closed_step=step)
        else:
            self._update(term, opened_step=None, count=0)

    def open(self, limit: int = -1) -> list[Gap]:
        """Return the open gaps, the most recurring first."""
        condition = gaps.c.opened_step.is_not(None) & gaps.c.closed_step.is_(None)
        order = (gaps.c.count.desc(), gaps.c.opened_step, gaps.c.term)
        rows = self._connection.execute(
            sa.select(gaps).where(condition).order_by(*order).limit(limit)
        )
        return [Gap(**row) for row in rows.mappings()]

    def counts(self) -> tuple[int, int]:
        """Return how many gaps are open and how many were closed."""
        closed = sa.select(sa.func.count(gaps.c.term)).where(gaps.c.closed_step.is_not(None))
        return len(self.open()), int(self._connection.execute(closed).scalar_one())

    def _update(self, term: str, **values: object) -> None:
        self._connection.execute(sa.update(gaps).where(gaps.c.term == term), values)


def key(text: str) -> tuple[str, ...]:
    """Return the identity of a subject: the stems of its content words, sorted."""
    return tuple(sorted({stem(word) for word in content_words(text)}))


def explains(title: str, term: str) -> bool:
    """Return whether a document with this title is about a term."""
    return set(key(term)) <= set(key(title))


def phrase(term: str) -> str:
    """Return a term as a phrase of two to five words, or nothing where it is none.

    Single words are too general to be a gap, identifiers and addresses are no words.
    """
    words = term.replace("-", " ").replace("_", " ").lower().split()
    fits = 2 <= len(words) <= 5 and all(word.isalpha() for word in words)
    return " ".join(words) if fits and len(key(" ".join(words))) >= 2 else ""
