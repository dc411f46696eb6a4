"""Significance: how sure a rate of success is, and whether two policies differ.

Episodes that hang together (the same episode played by several trainings, episodes of one topic)
are clusters: they are counted, drawn and flipped together.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

from aegis.evaluation.clusters import cluster_sums, ratio_error
from aegis.evaluation.intervals import LEVEL, Interval, paired_difference
from aegis.evaluation.student import t_quantile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

EXACT: Final = 14
"""Differences up to which every pattern of signs is tried: 2^14 of them."""
RESAMPLES: Final = 10_000
POWER: Final = 0.8

_BLOCK: Final = 1 << 20
"""Signs that are held at a time."""
_ROUNDING: Final = 1e-9
"""Share of the largest possible sum below which two sums are equal."""


def success_interval(
    successes: Sequence[bool | float],
    clusters: Sequence[object] | None = None,
    *,
    level: float = LEVEL,
) -> Interval:
    """Return the share of successes with its Wilson score interval.

    Wilson, "Probable inference, the law of succession, and statistical inference" (1927). Where
    episodes hang together the effective number of episodes takes the place of their number, as
    Korn & Graubard, "Confidence intervals for proportions with small expected number of positive
    counts estimated from survey data" (1998), do for the exact interval: the number divided by
    the design effect, and by (t_(m-1) / t_(n-1))^2, since m clusters tell the design effect. It is
    never more than the number of episodes. Where all clusters have the same share, as where
    everything or nothing succeeds, they show no design effect, and the number of clusters counts.

    Args:
        successes: One value an episode: 1 or True for success, 0 or False; (n,).
        clusters: What each episode belongs to, (n,). None: each its own.
        level: Coverage.

    Raises:
        ValueError: If there are no episodes, or a value is not between 0 and 1.
    """
    sums, sizes = cluster_sums(np.asarray(successes, dtype=np.float64), clusters)
    if not ((sums >= 0.0) & (sums <= sizes)).all():
        raise ValueError("successes are values from 0 to 1")
    rate = float(sums.sum() / sizes.sum())
    count = _effective_number(rate, sums, sizes, level)
    z = NormalDist().inv_cdf((1.0 + level) / 2.0)
    middle = (rate + z * z / (2.0 * count)) / (1.0 + z * z / count)
    half = math.sqrt(rate * (1.0 - rate) / count + z * z / (4.0 * count * count))
    half *= z / (1.0 + z * z / count)
    # At 0 and 1 the interval ends there; rounding must not move it.
    return Interval(
        rate,
        0.0 if rate == 0.0 else min(rate, middle - half),
        1.0 if rate == 1.0 else max(rate, middle + half),
    )


def _effective_number(rate: float, sums: Floats, sizes: Floats, level: float) -> float:
    """Return how many independent episodes tell as much about a rate as the clusters do."""
    clusters, episodes = len(sizes), float(sizes.sum())
    error = ratio_error(sums, sizes)
    if clusters in {episodes, 1} or error < _ROUNDING:
        return float(clusters)
    effect = error**2 * (episodes - 1.0) / (rate * (1.0 - rate))
    trust = t_quantile(level, clusters - 1) / t_quantile(level, int(episodes) - 1)
    return min(episodes, episodes / (effect * trust**2))


def mcnemar(first: Sequence[bool | float], second: Sequence[bool | float]) -> float:
    """Return the two-sided p-value of McNemar's exact test: whether two success rates differ.

    Among the pairs that went differently either side is as probable as the other if the rates are
    equal: twice the smaller tail of the binomial distribution, 1 where no pair went differently.
    Pairs must be independent; `paired_p` takes those that are not.

    Args:
        first: Success of one policy, 0 or 1 an episode, (n,).
        second: Success of the other one on the same episodes, (n,).

    Raises:
        ValueError: If a value is neither 0 nor 1, or the lengths differ.
    """
    outcomes = [*first, *second]
    if len(first) != len(second) or any(value not in {0, 1} for value in outcomes):
        raise ValueError("McNemar's test takes pairs of 0 and 1")
    for_first = sum(1 for x, y in zip(first, second, strict=True) if x > y)
    for_second = sum(1 for x, y in zip(first, second, strict=True) if x < y)
    pairs = for_first + for_second
    ways = tail = 1
    for wins in range(min(for_first, for_second)):
        ways = ways * (pairs - wins) // (wins + 1)  # pairs over wins + 1
        tail += ways
    # A quotient of integers is exact however large they are.
    p: float = 2 * tail / 2**pairs
    return min(1.0, p)


def paired_p(
    first: Sequence[float],
    second: Sequence[float],
    clusters: Sequence[object] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> float:
    """Return the two-sided p-value of a sign-flip test: whether paired values differ.

    If the policies are exchangeable, the sum of the differences of a cluster is as probable as its
    negative: the share of sign patterns whose sum is at least as far from 0 (Fisher, The Design of
    Experiments, 1935). All patterns are tried where at most `EXACT` sums are not 0; else
    `resamples` random ones, and the pattern found counts among them (Phipson & Smyth,
    "Permutation p-values should never be zero", 2010).

    Args:
        first: Values of one policy, (n,).
        second: Values of the other one on the same episodes, (n,).
        clusters: What each pair belongs to, (n,). None: each its own.
        resamples: Random sign patterns.
        seed: Seed of them.

    Raises:
        ValueError: If there are no pairs, or the lengths differ.
    """
    sums, _ = cluster_sums(_differences(first, second), clusters)
    # What is 0 but for rounding has no sign.
    sums = sums[np.abs(sums) > _ROUNDING * np.abs(sums).max()]
    found = abs(float(sums.sum())) - _ROUNDING * float(np.abs(sums).sum())
    if len(sums) <= EXACT:
        patterns = np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums))
        return float(np.mean(np.abs(_signs(patterns & 1) @ sums) >= found))
    further = sum(
        int(np.count_nonzero(np.abs(_signs(bits) @ sums) >= found))
        for bits in _random_bits(resamples, len(sums), seed)
    )
    return (further + 1) / (resamples + 1)


def _random_bits(rows: int, columns: int, seed: int) -> Iterator[npt.NDArray[np.int8]]:
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // columns)
    for start in range(0, rows, block):
        yield rng.integers(0, 2, (min(block, rows - start), columns), dtype=np.int8)


def _signs(bits: npt.NDArray[np.integer]) -> Floats:
    return 2.0 * bits.astype(np.float64) - 1.0


def _differences(first: Sequence[float], second: Sequence[float]) -> Floats:
    if len(first) != len(second):
        raise ValueError(f"{len(first)} values cannot be paired with {len(second)}")
    return np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number: each can be held against the level by itself.

    Holm, "A simple sequentially rejective multiple test procedure" (1979): the i-th smallest of m
    counts m - i + 1 times, and never less than a smaller one.

    Args:
        p_values: One of each test, (m,).
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def one_sided_lower(
    first: Sequence[float],
    second: Sequence[float],
    clusters: Sequence[object] | None = None,
    *,
    level: float = 0.05,
    seed: int = 0,
) -> float:
    """Return the value that the mean of ``first - second`` is above, with confidence 1 - level.

    Args:
        first: Values of one policy, (n,).
        second: Values of the other one on the same episodes, (n,).
        clusters: What each pair belongs to, (n,). None: each its own.
        level: Chance that the mean is below.
        seed: Seed of the bootstrap.
    """
    return paired_difference(first, second, clusters, level=1.0 - 2.0 * level, seed=seed).low


def smallest_gain(
    differences: Sequence[float],
    clusters: Sequence[object] | None,
    level: float,
    power: float = POWER,
) -> float:
    """Return the gain from which on a one-sided test of these episodes would mostly have seen it.

    ``(z_(1 - level) + z_power) * standard error``, by the normal distribution.

    Args:
        differences: New less old, one value a pair of episodes, (n,).
        clusters: What each pair belongs to, (n,). None: each its own.
        level: Level of the test.
        power: Chance to see a gain of that size.

    Raises:
        ValueError: If there are no pairs. A single cluster could have seen no gain: infinite.
    """
    sums, sizes = cluster_sums(differences, clusters)
    normal = NormalDist()
    return (normal.inv_cdf(1.0 - level) + normal.inv_cdf(power)) * ratio_error(sums, sizes)
