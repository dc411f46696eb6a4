"""Intervals: seeded bootstrap of a mean, by clusters, single or paired.

Percentiles of a bootstrap are too narrow where there are few clusters: by sqrt((m - 1) / m), and as
if the spread were known. They are taken further out instead, where a quantile of Student's t would
be: the expanded percentiles of Hesterberg, "What teachers should know about the bootstrap" (2015).
No resample goes beyond the data, so that fewer than `FEW` clusters still say too much
of themselves, and one cluster says nothing at all.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from aegis.evaluation.student import t_quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

RESAMPLES: Final = 2000
LEVEL: Final = 0.95
FEW: Final = 10
"""Clusters below which an interval is rough."""


class Interval(NamedTuple):
    """An estimate with its interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def mean_interval(
    values: Sequence[float],
    clusters: Sequence[object] | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return the mean of `values` and its percentile bootstrap interval.

    Args:
        values: One number an episode (or a step).
        clusters: What each value belongs to; whole clusters are drawn. None: each its own.
        level: Coverage, 0.95 by default.
        resamples: Bootstrap samples.
        seed: Seed of the resampling.
    """
    return bootstrap([values], _mean, clusters, level=level, resamples=resamples, seed=seed)


def paired_difference(
    first: Sequence[float],
    second: Sequence[float],
    clusters: Sequence[object] | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return the mean of ``first - second`` over pairs, with its interval."""
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    return mean_interval(
        differences.tolist(), clusters, level=level, resamples=resamples, seed=seed
    )


def normalised(
    returns: Sequence[float],
    random: Sequence[float],
    oracle: Sequence[float],
    clusters: Sequence[object] | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return ``(return - random) / (oracle - random)`` of the means, with its interval.

    All three are of the same episodes; each resample draws the same ones from all.
    """
    columns = [returns, random, oracle]
    return bootstrap(columns, _ratio, clusters, level=level, resamples=resamples, seed=seed)


def bootstrap(
    columns: Sequence[Sequence[float]],
    statistic: Callable[[Floats], Floats],
    clusters: Sequence[object] | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return a statistic of the columns' means and its percentile bootstrap interval.

    Args:
        columns: Sequences of equal length: one value an episode and column.
        statistic: Takes means, (columns, m), and returns m values.
        clusters: As in `mean_interval`.
        level: Coverage.
        resamples: Bootstrap samples.
        seed: Seed of the resampling.
    """
    values = np.asarray(columns, dtype=np.float64)  # (columns, episodes)
    if values.ndim != 2 or not values.shape[1]:
        raise ValueError("an interval needs at least one episode, and the same ones in each column")
    sums, sizes = _by_cluster(values, clusters)  # (columns, clusters), (clusters,)
    drawn = _drawn(len(sizes), resamples, seed)  # (resamples, clusters)
    means = (sums @ drawn.T) / (drawn @ sizes)
    resampled = statistic(means)
    tail = _tail(level, len(sizes))
    low, high = np.quantile(resampled, [tail, 1 - tail])
    whole = statistic(values.mean(axis=1, keepdims=True))
    return Interval(float(whole[0]), float(low), float(high))


def _tail(level: float, clusters: int) -> float:
    """Return the share of resamples on either side of an interval."""
    if clusters == 1:
        return 0.0
    reach = math.sqrt(clusters / (clusters - 1)) * t_quantile(level, clusters - 1)
    return NormalDist().cdf(-reach)


def _by_cluster(values: Floats, clusters: Sequence[object] | None) -> tuple[Floats, Floats]:
    count = values.shape[1]
    labels = list(range(count)) if clusters is None else list(clusters)
    if len(labels) != count:
        raise ValueError(f"{len(labels)} cluster labels for {count} episodes")
    number = {label: position for position, label in enumerate(dict.fromkeys(labels))}
    member = np.array([number[label] for label in labels])
    ones = np.ones((1, count))
    sums = [np.bincount(member, row).astype(np.float64) for row in np.concatenate([values, ones])]
    return np.stack(sums[:-1]), sums[-1]


def _drawn(clusters: int, resamples: int, seed: int) -> Floats:
    """Return how often each cluster is drawn in each resample, (resamples, clusters)."""
    shares = np.full(clusters, 1.0 / clusters)
    return np.random.default_rng(seed).multinomial(clusters, shares, resamples).astype(np.float64)


def _mean(means: Floats) -> Floats:
    mean: Floats = means[0]
    return mean


def _ratio(means: Floats) -> Floats:
    policy, random, oracle = means
    ratio: Floats = (policy - random) / (oracle - random)
    return ratio
