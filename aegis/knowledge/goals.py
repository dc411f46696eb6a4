"""Goals: what the agent set itself to understand, and how far it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal

import sqlalchemy as sa
from attrs import frozen

from aegis.knowledge.text import content_words, stem
from aegis.store.tables import goals

if TYPE_CHECKING:
    from collections.abc import Sequence

GoalOrigin = Literal["interest", "gap", "told"]
GoalState = Literal["active", "done", "abandoned"]
PRIORITY: Final[dict[GoalOrigin, float]] = {"told": 3.0, "interest": 2.0, "gap": 1.0}


@frozen
class Goal:
    """One goal.

    Attributes:
        id: Its number.
        subject: What is to be understood, as the interest or gap names it.
        terms: The terms whose coverage is its progress.
        origin: Whether an interest, a knowledge gap or a person asked for it.
        state: ``open`` ones wait for their turn, at most one is ``active``.
        priority: Larger goes first.
        created_step: Step of the ledger after which it arose.
        closed_step: Step that ended it.
        progress: Share of the terms that are covered, 0 to 1.
    """

    id: int
    subject: str
    terms: tuple[str, ...]
    origin: str
    state: str
    priority: float
    created_step: int
    closed_step: int | None
    progress: float

    @property
    def text(self) -> str:
        """The goal as a sentence."""
        return f"Understand {self.subject}"


class Goals:
    """The goals of one ledger. Writes go into the ledger's open transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, subject: str, origin: GoalOrigin, *, step: int, weight: float = 0.0) -> Goal:
        """Add an open goal; `weight` in [0, 1) orders goals of the same origin."""
        values: dict[str, Any] = {
            "text": subject,
            "terms": json.dumps(goal_terms(subject)),
            "origin": origin,
            "state": "open",
            "priority": PRIORITY[origin] + weight,
            "created_step": step,
            "progress": 0.0,
        }
        key = self._connection.execute(sa.insert(goals), values).inserted_primary_key
        assert key is not None
        return self.get(key[0])

    def get(self, number: int) -> Goal:
        """Return one goal by its number."""
        row = self._connection.execute(sa.select(goals).where(goals.c.id == number)).one()
        return _to_goal(row._mapping)

    def all(self) -> list[Goal]:
        """Return every goal, oldest first."""
        rows = self._connection.execute(sa.select(goals).order_by(goals.c.id))
        return [_to_goal(row._mapping) for row in rows]

    def active(self) -> Goal | None:
        """Return the goal that is being worked on."""
        statement = sa.select(goals).where(goals.c.state == "active")
        row = self._connection.execute(statement).one_or_none()
        return None if row is None else _to_goal(row._mapping)

    def next_open(self) -> Goal | None:
        """Return the open goal with the highest priority; the oldest where several have it."""
        order = (goals.c.priority.desc(), goals.c.id)
        statement = sa.select(goals).where(goals.c.state == "open").order_by(*order).limit(1)
        row = self._connection.execute(statement).one_or_none()
        return None if row is None else _to_goal(row._mapping)

    def activate(self, goal: Goal) -> None:
        """Begin to work on a goal."""
        self._set(goal, state="active")

    def close(self, goal: Goal, state: GoalState, *, step: int, progress: float) -> None:
        """End a goal: ``done`` or ``abandoned``."""
        self._set(goal, state=state, closed_step=step, progress=progress)

    def reopen(self, goal: Goal) -> None:
        """Put a goal that ended back among the open ones."""
        self._set(goal, state="open", closed_step=None, progress=0.0)

    def advance(self, goal: Goal, progress: float) -> None:
        """Keep the progress of a goal."""
        self._set(goal, progress=progress)

    def completed(self) -> int:
        """Return how many goals were reached."""
        statement = sa.select(sa.func.count(goals.c.id)).where(goals.c.state == "done")
        return int(self._connection.execute(statement).scalar_one())

    def _set(self, goal: Goal, **values: Any) -> None:
        self._connection.execute(sa.update(goals).where(goals.c.id == goal.id), values)


def goal_terms(subject: str) -> list[str]:
    """Return the terms of a subject: its content words, each once, in order."""
    seen: dict[str, str] = {}
    for word in content_words(subject):
        seen.setdefault(stem(word), word)
    return list(seen.values())


@frozen
class Stems:
    """The stems of a document's content words: of its title, and of title and text."""

    title: frozenset[str]
    all: frozenset[str]

    @classmethod
    def of(cls, title: str, text: str) -> Stems:
        """Return the stems of a document."""
        title_stems = stems_of(title)
        return cls(title_stems, title_stems | stems_of(text))

    def about(self, terms: Sequence[str]) -> bool:
        """Return whether the document is about these terms.

        It is where the title names one of them and title and text together at least half, or
        where the document speaks of all of them.
        """
        if not terms:
            return False
        wanted = [stem(term) for term in terms]
        named = any(term in self.title for term in wanted)
        spoken = sum(term in self.all for term in wanted)
        return spoken == len(wanted) or (named and 2 * spoken >= len(wanted))


def stems_of(text: str) -> frozenset[str]:
    """Return the stems of the content words of a text."""
    return frozenset(stem(word) for word in content_words(text))


def _to_goal(row: Any) -> Goal:
    return Goal(
        id=row["id"],
        subject=row["text"],
        terms=tuple(json.loads(row["terms"])),
        origin=row["origin"],
        state=row["state"],
        priority=row["priority"],
        created_step=row["created_step"],
        closed_step=row["closed_step"],
        progress=row["progress"],
    )
