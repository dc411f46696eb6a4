"""Building the view from the goal, the knowledge and the episode so far, within its budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import evolve

from aegis.contracts.text import one_line
from aegis.contracts.view import Seen, View
from aegis.knowledge.goals import Stems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis.config.settings import ViewSettings
    from aegis.contracts.view import Recent
    from aegis.knowledge.gaps import Gaps
    from aegis.knowledge.goals import Goal
    from aegis.knowledge.items import Item, Items

NOTES: Final = frozenset({"note"})
"""Sources that are the agent's own words: kept, and never evidence of having learned."""

_POOL: Final = 40
"""Best matches that are looked through for the relevant ones."""

_REMEMBERED: Final = 1_000
"""Documents whose stems are kept at hand."""

_TITLE: Final = 80
_SENTENCE: Final = 200


class Viewer:
    """Makes views.

    Args:
        items: Knowledge of the ledger.
        gaps: Gaps of the ledger.
        budget: How much of what a view may hold.
    """

    def __init__(self, items: Items, gaps: Gaps, budget: ViewSettings) -> None:
        self._items = items
        self._gaps = gaps
        self._budget = budget
        self._stems: dict[str, Stems] = {}
        self._pools: dict[tuple[int, bool], list[Item]] = {}

    def refresh(self) -> None:
        """Forget what was found for the goal: the knowledge has changed."""
        self._pools.clear()

    def stems(self, item: Item) -> Stems:
        """Return the stems of an item."""
        stems = self._stems.get(item.digest)
        if stems is None:
            if len(self._stems) >= _REMEMBERED:
                self._stems.clear()
            stems = self._stems[item.digest] = Stems.of(item.document.title, item.document.text)
        return stems

    def view(
        self,
        goal: Goal,
        missing: Sequence[str],
        recent: Sequence[Recent],
        *,
        step: int,
        limit: int,
    ) -> View:
        """Return the view of one step of a goal."""
        budget = self._budget
        read = self.relevant(goal, read=True)
        found = [item for item in self.relevant(goal, read=False) if not item.document.withdrawn]
        view = View(
            goal=one_line(goal.text, _SENTENCE),
            step=step,
            limit=limit,
            missing=tuple(missing),
            facts=_facts(read)[: budget.facts],
            knowledge=_seen(read[: budget.knowledge]),
            found=_seen(found[: budget.found]),
            gaps=tuple(gap.term for gap in self._gaps.open(budget.gaps)),
            recent=tuple(recent)[max(0, len(recent) - budget.recent) :],
        )
        return fit(view, budget.characters)

    def relevant(self, goal: Goal, *, read: bool) -> list[Item]:
        """Return the items about a goal, best match first, the agent's own notes left out."""
        pool = self._pools.get((goal.id, read))
        if pool is None:
            matches = self._items.search(" ".join(goal.terms), _POOL, read=read)
            pool = self._pools[goal.id, read] = [
                item
                for item in matches
                if item.document.source not in NOTES and self.stems(item).about(goal.terms)
            ]
        return pool


def fit(view: View, characters: int) -> View:
    """Return the view with its least useful lines left out until it renders within `characters`.

    Dropped in this order, last entries first: gaps, knowledge, facts, oldest recent steps, found,
    missing terms, observation. The goal and the step always stay.
    """
    while len(view.render()) > characters:
        for name in ("gaps", "knowledge", "facts", "recent", "found", "missing", "observation"):
            entries = getattr(view, name)
            if entries:
                kept = entries[1:] if name == "recent" else entries[:-1]
                view = evolve(view, **{name: kept})
                break
        else:
            return view
    return view


def _seen(items: Sequence[Item]) -> tuple[Seen, ...]:
    return tuple(Seen(item.ref, one_line(item.document.title, _TITLE)) for item in items)


def _facts(read: Sequence[Item]) -> tuple[str, ...]:
    """Return the first key sentence of each document, then the second of each."""
    firsts = [item.sentences[0] for item in read if item.sentences]
    seconds = [item.sentences[1] for item in read if len(item.sentences) > 1]
    return tuple(one_line(sentence, _SENTENCE) for sentence in firsts + seconds)
