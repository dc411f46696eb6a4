"""Clusters: values that hang together, such as the steps of one episode, summed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]


class Played(Protocol):
    """An episode, as far as it is told what it belongs to."""

    @property
    def seed(self) -> int:
        """Its seed."""
        ...

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the environment says of it for reports."""
        ...


def topics(episodes: Iterable[Played]) -> list[object]:
    """Return what each episode belongs to: its topic where it has one, else its seed."""
    return [episode.facts.get("topic", episode.seed) for episode in episodes]


def cluster_sums(
    values: Sequence[float] | Floats, clusters: Sequence[object] | None = None
) -> tuple[Floats, Floats]:
    """Return the sum and the number of the values of each cluster, both (m,).

    Args:
        values: Numbers, (n,).
        clusters: What each belongs to, (n,); clusters are numbered as they first appear. None:
            each by itself.

    Raises:
        ValueError: If there are no values, or there are more or fewer labels than values.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if not len(numbers):
        raise ValueError("there are no values")
    if clusters is None:
        return numbers, np.ones(len(numbers))
    if len(clusters) != len(numbers):
        raise ValueError(f"{len(clusters)} cluster labels for {len(numbers)} values")
    place: dict[object, int] = {}
    member = [place.setdefault(label, len(place)) for label in clusters]
    sums = np.bincount(member, numbers).astype(np.float64)
    return sums, np.bincount(member).astype(np.float64)


def ratio_error(numerators: Floats, denominators: Floats) -> float:
    """Return the standard error of a ratio of sums over clusters, linearised.

    With r the ratio and m clusters, ``sqrt(m / (m - 1) * sum (y - r x)^2) / sum x``: Cochran,
    Sampling Techniques (1977), section 6.5; infinite for a single cluster.

    Args:
        numerators: y, summed by cluster, (m,).
        denominators: x, summed by cluster, (m,).
    """
    count = len(numerators)
    if count < 2:
        return math.inf
    whole = float(denominators.sum())
    residuals = numerators - numerators.sum() / whole * denominators
    return math.sqrt(count / (count - 1) * float(residuals @ residuals)) / abs(whole)
