from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.evaluation.intervals import mean_interval, normalised, paired_difference

VALUES = np.random.default_rng(7).normal(2.0, 3.0, 400).tolist()


def test_the_interval_of_many_values_is_near_the_one_of_the_normal_distribution():
    found = mean_interval(VALUES)
    half = 1.96 * np.std(VALUES) / math.sqrt(400)
    assert found.mean == pytest.approx(np.mean(VALUES))
    assert found.low == pytest.approx(found.mean - half, abs=0.04)
    assert found.high == pytest.approx(found.mean + half, abs=0.04)


def test_repeating_each_value_within_its_cluster_adds_no_certainty():
    once = mean_interval(VALUES)
    clustered = mean_interval(VALUES * 4, [*range(400)] * 4)
    assert clustered == pytest.approx(once)
    naive = mean_interval(VALUES * 4)
    assert naive.high - naive.low < 0.6 * (once.high - once.low)


@pytest.mark.parametrize("clusters", [8, 40])
def test_an_interval_of_few_clusters_holds_the_mean_as_often_as_it_says(clusters):
    """Plain percentiles do so for 89 % of 600 samples of eight."""
    drawn = np.random.default_rng(clusters).normal(1.0, 2.0, (600, clusters))
    intervals = [mean_interval(values.tolist(), resamples=1000) for values in drawn]
    held = np.mean([found.low <= 1.0 <= found.high for found in intervals])
    assert held == pytest.approx(0.95, abs=0.027)  # three standard deviations


def test_one_cluster_tells_no_spread():
    assert mean_interval([1.0, 2.0], ["a", "a"]) == (1.5, 1.5, 1.5)


def test_values_of_uneven_clusters_count_alike():
    found = mean_interval([1.0, 1.0, 1.0, 5.0], ["a", "a", "a", "b"])
    assert (found.mean, found.low, found.high) == (2.0, 1.0, 5.0)


def test_a_difference_is_taken_pair_by_pair():
    shifted = [value - 0.5 for value in VALUES]
    assert paired_difference(VALUES, shifted) == pytest.approx((0.5, 0.5, 0.5))


def test_normalised_is_zero_for_random_one_for_the_oracle_and_the_ratio_between():
    random, oracle = VALUES, [value + 4.0 for value in VALUES]
    assert normalised(random, random, oracle) == (0.0, 0.0, 0.0)
    assert normalised(oracle, random, oracle) == pytest.approx((1.0, 1.0, 1.0))
    between = normalised([value + 1.0 for value in VALUES], random, oracle)
    assert between == pytest.approx((0.25, 0.25, 0.25))


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=30), st.integers(0, 100))
def test_the_same_seed_gives_the_same_interval_around_the_mean(values: list[float], seed: int):
    found = mean_interval(values, seed=seed, resamples=200)
    assert found == mean_interval(values, seed=seed, resamples=200)
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


def test_columns_of_different_length_and_none_at_all_are_refused():
    with pytest.raises(ValueError, match="at least one episode"):
        mean_interval([])
    with pytest.raises(ValueError, match="2 cluster labels for 3 episodes"):
        mean_interval([1.0, 2.0, 3.0], ["a", "b"])
