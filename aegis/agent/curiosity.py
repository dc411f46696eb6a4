"""Which goal comes next: what a person asked for, the interests, and the gaps found on the way."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aegis.knowledge.gaps import key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis.knowledge.gaps import Gaps
    from aegis.knowledge.goals import Goal, Goals


class Curiosity:
    """Generates goals; the ledger's goals table is its memory.

    Args:
        goals: Goals of the ledger.
        gaps: Gaps of the ledger.
        interests: Subjects of the configuration, the first one first.
        stale_days: Days after which an interest that was worked on is worth another look.
    """

    def __init__(
        self, goals: Goals, gaps: Gaps, *, interests: Sequence[str], stale_days: float
    ) -> None:
        self._goals = goals
        self._gaps = gaps
        self._interests = tuple(interests)
        self._stale_days = stale_days

    def next_goal(self, step: int) -> Goal | None:
        """Return the goal to work on next, made active, or None when nothing is left.

        Interests become goals the first time, gaps when they have opened; what a person told is
        there already. The larger priority goes first: told, interest, gap; among the gaps the
        one that came up most often.
        """
        self._generate(step)
        goal = self._goals.next_open()
        if goal is not None:
            self._goals.activate(goal)
        return goal

    def _generate(self, step: int) -> None:
        known = {key(goal.subject) for goal in self._goals.all()}
        for place, interest in enumerate(self._interests):
            if key(interest) not in known:
                self._goals.add(interest, "interest", step=step, weight=0.9 / (place + 1))
                known.add(key(interest))
        for gap in self._gaps.open():
            if key(gap.term) not in known:
                self._goals.add(gap.term, "gap", step=step, weight=1 - 1 / (1 + gap.count))
                known.add(key(gap.term))

    def revive(self, now: str, closed_at: dict[int, str]) -> list[Goal]:
        """Reopen the interests whose last goal ended more than `stale_days` ago.

        With 0 days nothing ever is.

        Args:
            now: The current instant, ISO 8601.
            closed_at: When each goal (by number) was closed.
        """
        if not self._stale_days:
            return []
        oldest = (datetime.fromisoformat(now) - timedelta(days=self._stale_days)).isoformat()
        wanted = {key(interest) for interest in self._interests}
        stale = [
            goal
            for goal in self._goals.all()
            if goal.state in {"done", "abandoned"}
            and key(goal.subject) in wanted
            and closed_at.get(goal.id, oldest) < oldest
        ]
        for goal in stale:
            self._goals.reopen(goal)
        return stale
