"""How much is recorded: counts and rewards, by origin and over time."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from attrs import frozen
from sqlalchemy import func, select

from aegis.store.tables import episodes, steps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from aegis.contracts.experience import Origin


@frozen
class Share:
    """What one origin contributed; ``reward_mean`` is None where it has no step."""

    experiences: int
    episodes: int
    reward_sum: float

    @property
    def reward_mean(self) -> float | None:
        """Mean reward of a step."""
        return self.reward_sum / self.experiences if self.experiences else None


@frozen
class Counts:
    """How much is recorded.

    Attributes:
        experiences: Steps whose result is known.
        episodes: Episodes begun.
        reward_sum: Sum of their rewards.
        by_origin: The same for each origin that occurs.
    """

    experiences: int
    episodes: int
    reward_sum: float
    by_origin: Mapping[str, Share]

    @property
    def reward_mean(self) -> float | None:
        """Mean reward of a step, None where there is none."""
        return self.reward_sum / self.experiences if self.experiences else None


def counts(connection: Connection) -> Counts:
    """Count all steps whose result is known; reads the short columns of every row."""
    by_origin = select(episodes.c.origin, func.count()).group_by(episodes.c.origin)
    begun: dict[str, int] = {row[0]: row[1] for row in connection.execute(by_origin)}
    recorded: dict[str, tuple[int, float]] = {}
    for origin, count, total in connection.execute(
        select(steps.c.origin, func.count(), func.total(steps.c.reward))
        .where(steps.c.status.is_not(None))
        .group_by(steps.c.origin)
    ):
        recorded[origin] = (count, total)
    shares = {}
    for origin in sorted({*begun, *recorded}):
        count, total = recorded.get(origin, (0, 0.0))
        shares[origin] = Share(count, begun.get(origin, 0), total)
    return Counts(
        experiences=sum(share.experiences for share in shares.values()),
        episodes=sum(begun.values()),
        reward_sum=sum(share.reward_sum for share in shares.values()),
        by_origin=shares,
    )


def reward_curve(
    connection: Connection, points: int, span: int, origin: Origin | None
) -> list[float]:
    """Return the mean rewards of at most `points` equal stretches of the last `span` steps."""
    query = select(steps.c.reward).where(steps.c.status.is_not(None))
    if origin is not None:
        query = query.where(steps.c.origin == origin)
    newest = connection.execute(query.order_by(steps.c.id.desc()).limit(span)).scalars().all()
    rewards = newest[::-1]
    count = min(points, len(rewards))
    edges = [len(rewards) * point // count for point in range(count + 1)] if count > 0 else []
    return [sum(rewards[start:end]) / (end - start) for start, end in itertools.pairwise(edges)]
