from __future__ import annotations

from statistics import NormalDist

import pytest

from aegis.evaluation.student import t_quantile

# Two-sided 0.90, 0.95 and 0.99: Fisher & Yates, Statistical Tables, table III.
TABLE = {
    1: (6.314, 12.706, 63.657),
    2: (2.920, 4.303, 9.925),
    3: (2.353, 3.182, 5.841),
    4: (2.132, 2.776, 4.604),
    9: (1.833, 2.262, 3.250),
    10: (1.812, 2.228, 3.169),
    29: (1.699, 2.045, 2.756),
    30: (1.697, 2.042, 2.750),
    120: (1.658, 1.980, 2.617),
}


@pytest.mark.parametrize("freedom", TABLE)
def test_quantiles_are_those_of_the_printed_table(freedom: int):
    found = [t_quantile(level, freedom) for level in (0.90, 0.95, 0.99)]
    assert found == pytest.approx(TABLE[freedom], abs=5e-4)


def test_many_degrees_of_freedom_give_the_normal_distribution():
    for level in (0.5, 0.95, 0.999):
        normal = NormalDist().inv_cdf((1 + level) / 2)
        for freedom in (99_999, 100_000):
            # The first term of the expansion: Abramowitz & Stegun, 26.7.5.
            expected = normal + (normal**3 + normal) / (4 * freedom)
            assert t_quantile(level, freedom) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("level", "freedom"), [(0.0, 3), (1.0, 3), (0.95, 0)])
def test_a_level_or_a_freedom_that_there_is_not_is_refused(level: float, freedom: int):
    with pytest.raises(ValueError, match="no quantile of level"):
        t_quantile(level, freedom)
