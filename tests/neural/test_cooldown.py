"""How the learning rate falls where a training's time will not do."""

from __future__ import annotations

import math

import pytest

from aegis.neural.cooldown import SHARE, Cooldown


def factors(cooldown, each, seconds):
    """Return the factors of a training whose steps take `each` seconds, by the time."""
    return {
        step * each: cooldown.factor(step * each, step) for step in range(int(seconds / each) + 1)
    }


def test_it_falls_in_a_line_over_the_last_fifth():
    found = factors(Cooldown(began=0.0, end=100.0, steps=1000), 1.0, 110.0)

    assert all(found[t] == 1.0 for t in range(80))
    for t in range(80, 101):
        assert found[t] == pytest.approx((100 - t) / 20)
    assert found[105] == 0.0
    assert SHARE == 0.2


@pytest.mark.parametrize("steps", [1, 50, 80, 99, 100])
def test_a_training_that_ends_in_time_is_not_touched(steps):
    found = factors(Cooldown(began=0.0, end=100.0, steps=steps), 1.0, steps)

    assert set(found.values()) == {1.0}


def test_one_that_slows_down_late_falls_from_there():
    cooldown = Cooldown(began=10.0, end=110.0, steps=100)

    assert cooldown.factor(91.0, 85) == 1.0  # 81 s for 85 steps: in time
    assert cooldown.factor(100.0, 86) == 1.0  # and of those that are left, at the start of the fall
    assert cooldown.factor(105.0, 90) == pytest.approx(0.5)


def test_once_begun_it_goes_on_falling():
    cooldown = Cooldown(began=0.0, end=100.0, steps=101)

    assert cooldown.factor(80.0, 79) == 1.0
    assert cooldown.factor(90.0, 100) == pytest.approx(0.5)


def test_without_a_deadline_nothing_falls():
    cooldown = Cooldown(began=5.0, end=math.inf, steps=10)

    assert [cooldown.factor(1e9, done) for done in (0, 1, 10)] == [1.0, 1.0, 1.0]
