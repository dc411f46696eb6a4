"""The learning rate and the measurements over a training."""

from __future__ import annotations

import itertools
import math

import pytest

from aegis.neural import evaluation_steps, rate_factor


def test_the_learning_rate_rises_then_falls_to_almost_nothing():
    factors = [rate_factor(step, 100, 0.1) for step in range(100)]

    assert factors[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert factors[9] == 1.0
    assert all(a > b for a, b in itertools.pairwise(factors[9:]))
    assert factors[54] == pytest.approx(0.5, abs=0.02)
    assert 0 < factors[-1] < 0.001
    assert [rate_factor(step, 2, 0.0) for step in range(2)] == pytest.approx([0.75, 0.25])
    assert rate_factor(0, 1, 1.0) == 1.0


def test_the_learning_rate_falls_to_its_floor():
    steps, warmup, floor = 50, 0.2, 0.1
    factors = [rate_factor(step, steps, warmup, floor) for step in range(steps)]

    assert factors[:10] == [rate_factor(step, steps, warmup) for step in range(10)]
    for step in range(10, steps):
        angle = math.pi * (step - 9) / 41
        assert factors[step] == pytest.approx((1 + floor) / 2 + (1 - floor) / 2 * math.cos(angle))
    assert floor < factors[-1] < floor + 0.002


def test_held_out_loss_is_measured_evenly_and_at_the_end():
    assert evaluation_steps(10, 2, 4) == [0, 3, 5, 8, 10, 13, 15, 18, 20]
    assert evaluation_steps(1, 2, 4) == [0, 1, 2]
    assert evaluation_steps(5, 1, 1) == [0, 5]
