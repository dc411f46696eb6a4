"""What steps led to: return-to-go, and how much better than usual that was.

An advantage is (G - b) / s: G is a step's return-to-go, b its mean over comparable steps (of the
same environment, at about the same place in their episode), s the standard deviation of G in the
environment. A place with few steps leans on the mean of its environment. The figures come from
the steps that are trained on and are applied to the held-out ones.

Steps of an episode that has not ended have no advantage and count in no mean: their return is cut
off where the ledger ends, and to take it for the whole would make the end of the ledger look bad
and everything else look good.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Final

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PLACES: Final = (1, 2, 3, 4, 5, 7, 10, 15, 25, 40)
"""First index of each group of steps at about the same place in their episodes."""
FULL: Final = 10
"""Steps from which on the mean of a place stands by itself."""
FEW: Final = 5
"""Steps of an environment below which nothing is compared."""
_NOISE: Final = 1e-9
"""Differences below this share of the largest return are rounding, not success."""


@frozen
class Went:
    """How it went from one step on.

    Attributes:
        environment: Where.
        index: Number of the step within its episode, from 1.
        value: Its return-to-go.
        ended: Whether the episode ended, so that the value is the whole of it.
    """

    environment: str
    index: int
    value: float
    ended: bool


def returns_to_go(rewards: Sequence[float], discount: float) -> list[float]:
    """Return G_t = r_t + discount * G_(t+1) for every step of one episode, (n,)."""
    values: list[float] = []
    following = 0.0
    for reward in reversed(rewards):
        following = reward + discount * following
        values.append(following)
    values.reverse()
    return values


def place_of(index: int) -> int:
    """Return the group of `PLACES` that a step's index belongs to, from 1."""
    return bisect_right(PLACES, index)


@frozen
class Baseline:
    """What is usual: mean returns by environment and place, standard deviations by environment.

    Attributes:
        means: By environment and place.
        others: Mean by environment, for places that no step was seen at.
        deviations: By environment; those where nothing can be compared are left out.
    """

    means: Mapping[tuple[str, int], float]
    others: Mapping[str, float]
    deviations: Mapping[str, float]

    @classmethod
    def of(cls, steps: Iterable[Went]) -> Baseline:
        """Return what is usual among `steps`; those of open episodes are left out."""
        by_environment: dict[str, list[float]] = defaultdict(list)
        by_place: dict[tuple[str, int], list[float]] = defaultdict(list)
        for step in steps:
            if step.ended:
                by_environment[step.environment].append(step.value)
                by_place[step.environment, place_of(step.index)].append(step.value)
        others = {name: fmean(values) for name, values in by_environment.items()}
        means = {}
        for (name, place), values in by_place.items():
            trust = min(1.0, len(values) / FULL)
            means[name, place] = trust * fmean(values) + (1.0 - trust) * others[name]
        deviations = {
            name: deviation
            for name, values in by_environment.items()
            if len(values) >= FEW
            and (deviation := pstdev(values)) > _NOISE * max(abs(value) for value in values)
        }
        return cls(means, others, deviations)

    def advantage(self, step: Went) -> float:
        """Return how much better than usual it went, in standard deviations; 0 if unknown."""
        deviation = self.deviations.get(step.environment)
        if deviation is None or not step.ended:
            return 0.0
        usual = self.others[step.environment]
        usual = self.means.get((step.environment, place_of(step.index)), usual)
        difference = step.value - usual
        # Rounding must not make success of what is exactly as usual.
        return difference / deviation if abs(difference) > _NOISE * deviation else 0.0
