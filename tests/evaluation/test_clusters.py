from __future__ import annotations

import math

import numpy as np
import pytest

from aegis.evaluation.clusters import cluster_sums, ratio_error


def test_values_are_summed_by_label_in_the_order_in_which_labels_appear():
    sums, sizes = cluster_sums([1.0, 2.0, 4.0, 8.0, 16.0], ["b", "a", "b", "c", "a"])
    assert sums.tolist() == [5.0, 18.0, 8.0]
    assert sizes.tolist() == [2.0, 2.0, 1.0]


def test_without_labels_each_value_stands_by_itself():
    sums, sizes = cluster_sums([3.0, 4.0])
    assert (sums.tolist(), sizes.tolist()) == ([3.0, 4.0], [1.0, 1.0])


def test_the_error_of_a_mean_of_single_values_is_the_usual_one():
    values = np.random.default_rng(1).normal(size=50)
    found = ratio_error(*cluster_sums(values))
    assert found == pytest.approx(float(np.std(values, ddof=1)) / math.sqrt(50))


def test_the_error_of_a_ratio_is_the_spread_that_ratios_have():
    """Clusters of 1 to 9 values whose mean depends on their number."""
    rng = np.random.default_rng(2)

    def drawn() -> tuple[np.ndarray, np.ndarray]:
        sizes = rng.integers(1, 10, 200).astype(float)
        return sizes * (0.3 * sizes + rng.normal(size=200)), sizes

    samples = [drawn() for _ in range(1000)]
    spread = float(np.std([sums.sum() / sizes.sum() for sums, sizes in samples]))
    told = float(np.mean([ratio_error(sums, sizes) for sums, sizes in samples]))
    assert told == pytest.approx(spread, rel=0.08)  # 1,000 samples: 2.2 % standard error


def test_a_single_cluster_tells_no_error():
    assert ratio_error(np.array([3.0]), np.array([2.0])) == math.inf


def test_no_values_and_labels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="there are no values"):
        cluster_sums([])
    with pytest.raises(ValueError, match="2 cluster labels for 3 values"):
        cluster_sums([1.0, 2.0, 3.0], ["a", "b"])
