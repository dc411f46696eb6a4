"""Intervals of rates and tests of pairs, against formulas, enumerations and their own coverage."""

from __future__ import annotations

import itertools
import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.evaluation.significance import (
    EXACT,
    holm,
    mcnemar,
    one_sided_lower,
    paired_p,
    smallest_gain,
    success_interval,
)

Z = NormalDist().inv_cdf(0.975)


def wilson(rate, count, z=Z):
    """Return the roots of (p - rate)^2 = z^2 p (1 - p) / count."""
    a, b, c = 1 + z * z / count, -2 * rate - z * z / count, rate * rate
    root = math.sqrt(b * b - 4 * a * c)
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


# Rates


@pytest.mark.parametrize(("wins", "count"), [(0, 10), (1, 10), (5, 10), (511, 512), (512, 512)])
def test_a_rate_has_its_wilson_interval(wins, count):
    found = success_interval([1] * wins + [0] * (count - wins))

    low, high = wilson(wins / count, count)
    assert found == pytest.approx((wins / count, max(low, 0.0), min(high, 1.0)), abs=1e-12)


def test_a_published_example():
    """Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263 is 0.2553 to 0.3662."""
    found = success_interval([1] * 81 + [0] * (263 - 81))

    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)


def test_episodes_that_say_the_same_count_once():
    """Each of 40 clusters says the same thing three times: no more than 40 episodes tell."""
    once = [1, 0, 1, 1] * 10
    thrice = [value for value in once for _ in range(3)]
    clusters = [number for number in range(40) for _ in range(3)]

    alone, together = success_interval(once), success_interval(thrice, clusters)
    assert together.mean == alone.mean
    assert together.high - together.low == pytest.approx(alone.high - alone.low, rel=0.05)
    assert together.high - together.low > 1.5 * np.diff(success_interval(thrice)[1:])


@pytest.mark.parametrize("value", [0, 1])
def test_where_everything_is_the_same_clusters_count(value):
    found = success_interval([value] * 30, [number // 3 for number in range(30)])

    low, high = wilson(value, 10)
    assert found == pytest.approx((value, max(low, 0.0), min(high, 1.0)), abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 1), min_size=2, max_size=40), st.integers(1, 5))
def test_clusters_never_tell_more_than_their_episodes(values, size):
    alone = success_interval(values)
    found = success_interval(values, [number // size for number in range(len(values))])

    assert found.mean == alone.mean
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert found.low <= alone.low + 1e-9
    assert found.high >= alone.high - 1e-9


def test_intervals_hold_the_truth_as_often_as_they_say():
    """800 draws of 60 clusters of 4 that share a rate of their own, whose mean is 0.8."""
    draw, held = np.random.default_rng(0), 0
    for _ in range(800):
        rates = draw.beta(8, 2, 60)
        values = (draw.random((60, 4)) < rates[:, None]).astype(float)
        found = success_interval(values.ravel(), np.repeat(np.arange(60), 4))
        held += found.low <= 0.8 <= found.high
    assert 0.93 <= held / 800 <= 0.97


@pytest.mark.parametrize("values", [[], [1, 2], [-1, 0], [math.nan]])
def test_what_is_no_rate_is_refused(values):
    with pytest.raises((ValueError, ZeroDivisionError)):
        success_interval(values)


# Pairs


def exact_mcnemar(b, c):
    """Return the p-value by summing up the binomial distribution."""
    n = b + c
    tail = sum(math.comb(n, k) for k in range(min(b, c) + 1)) / 2**n
    return min(1.0, 2 * tail)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (0, 5), (5, 0), (1, 9), (7, 7), (12, 40), (0, 2000)])
def test_mcnemar_is_the_binomial_tail_twice(b, c):
    first = [1] * b + [0] * c + [1, 0, 1]
    second = [0] * b + [1] * c + [1, 0, 1]

    assert mcnemar(first, second) == pytest.approx(exact_mcnemar(b, c), rel=1e-12)
    assert mcnemar(second, first) == mcnemar(first, second)


def test_mcnemar_takes_nothing_but_pairs_of_0_and_1():
    for first, second in (([1], [1, 0]), ([0.5], [1])):
        with pytest.raises(ValueError, match="pairs of 0 and 1"):
            mcnemar(first, second)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(0, 3)), min_size=1, max_size=9))
def test_few_clusters_are_flipped_in_every_way(pairs):
    differences, clusters = zip(*pairs, strict=True)
    sums = [sum(d for d, c in pairs if c == cluster) for cluster in dict.fromkeys(clusters)]
    flips = itertools.product((-1, 1), repeat=len(sums))
    totals = [abs(sum(s * f for s, f in zip(sums, flip, strict=True))) for flip in flips]
    expected = sum(total >= abs(sum(sums)) for total in totals) / len(totals)

    assert paired_p(differences, [0] * len(pairs), clusters) == pytest.approx(expected)


def test_many_are_flipped_at_random_and_the_pattern_found_counts():
    draw = np.random.default_rng(1)
    differences = draw.normal(0.15, 1, 200)

    found = paired_p(differences, np.zeros(200))
    z = abs(differences.sum()) / math.sqrt((differences**2).sum())
    assert found == pytest.approx(2 * (1 - NormalDist().cdf(z)), abs=0.015)
    assert paired_p(differences, np.zeros(200)) == found
    assert paired_p(np.ones(EXACT + 30), np.zeros(EXACT + 30), resamples=99) == 0.01


def test_equal_policies_are_told_apart_as_rarely_as_the_level_says():
    draw = np.random.default_rng(2)
    ps = []
    for _ in range(400):
        values = draw.normal(0, 1, (40, 3)) + draw.normal(0, 1, (40, 1))  # clusters of three
        clusters = np.repeat(np.arange(40), 3)
        ps.append(paired_p(values.ravel(), np.zeros(120), clusters, resamples=400))
    assert 0.025 <= np.mean(np.array(ps) <= 0.05) <= 0.08


# Many tests, and how much could be seen


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_lower_bound_is_that_of_the_two_sided_interval_of_twice_the_level():
    draw = np.random.default_rng(3)
    differences = draw.normal(0.4, 1, 300)
    found = one_sided_lower(differences, np.zeros(300), level=0.05)

    error = differences.std(ddof=1) / math.sqrt(300)
    expected = differences.mean() - NormalDist().inv_cdf(0.95) * error
    assert found == pytest.approx(expected, abs=0.02)


def test_the_smallest_gain_is_seen_as_often_as_its_power_says():
    draw = np.random.default_rng(4)
    differences = draw.normal(0, 2, 400)
    gain = smallest_gain(differences, None, 0.05)

    normal = NormalDist()
    error = differences.std(ddof=1) / 20
    assert gain == pytest.approx((normal.inv_cdf(0.95) + normal.inv_cdf(0.8)) * error, rel=0.01)
    seen = [
        (sample := draw.normal(gain, 2, 400)).mean() > normal.inv_cdf(0.95) * sample.std() / 20
        for _ in range(1000)
    ]
    assert np.mean(seen) == pytest.approx(0.8, abs=0.04)
    assert smallest_gain([1.0, 2.0], ["same", "same"], 0.05) == math.inf
