"""Returns and advantages; the numbers are worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.learning.returns import Baseline, Went, place_of, returns_to_go


def went(value, index=1, environment="a", *, ended=True):
    return Went(environment, index, value, ended)


def test_the_return_of_a_step_is_what_comes_from_it_on():
    assert returns_to_go([1.0, 0.0, 3.0], 1.0) == [4.0, 3.0, 3.0]
    assert returns_to_go([], 1.0) == []


def test_what_comes_later_is_worth_less_by_the_discount():
    assert returns_to_go([1.0, 0.0, 3.0], 0.5) == [1.75, 1.5, 3.0]


def test_steps_are_compared_with_those_at_about_the_same_place():
    starts = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 7: 6, 10: 7, 15: 8, 25: 9, 40: 10}
    place = 0
    for index in range(1, 100):
        place = starts.get(index, place)
        assert place_of(index) == place


def test_an_advantage_is_the_distance_from_the_mean_in_standard_deviations():
    """Five returns of 2 and five of 4: mean 3, standard deviation 1."""
    baseline = Baseline.of([went(2.0)] * 5 + [went(4.0)] * 5)
    assert baseline.advantage(went(4.0)) == 1.0
    assert baseline.advantage(went(2.0)) == -1.0
    assert baseline.advantage(went(3.0)) == 0.0
    assert baseline.advantage(went(5.5)) == 2.5  # also of a step that was not among them


def test_a_place_with_few_steps_leans_on_its_environment():
    """Place 1 has 10 steps and its own mean, 3. Place 2 has 5, all 9; the mean of all 15 is 5.

    Half trusted, place 2 counts as 7. The variance is (5 * 9 + 5 * 1 + 5 * 16) / 15 = 26 / 3.
    """
    baseline = Baseline.of([went(2.0)] * 5 + [went(4.0)] * 5 + [went(9.0, 2)] * 5)
    deviation = math.sqrt(26 / 3)
    assert baseline.advantage(went(4.0)) == pytest.approx(1 / deviation)
    assert baseline.advantage(went(9.0, 2)) == pytest.approx(2 / deviation)
    assert baseline.advantage(went(4.0, 30)) == pytest.approx(-1 / deviation)  # no step is there


def test_environments_are_not_compared_with_each_other():
    low = [went(0.0), went(2.0)] * 5
    high = [went(100.0, environment="b"), went(120.0, environment="b")] * 5
    baseline = Baseline.of(low + high)
    assert baseline.advantage(went(2.0)) == 1.0
    assert baseline.advantage(went(120.0, environment="b")) == 1.0
    assert baseline.advantage(went(5.0, environment="c")) == 0.0


def test_equal_returns_are_no_success():
    baseline = Baseline.of([went(0.1 + 0.2), went(0.3)] * 10)
    assert [baseline.advantage(went(v)) for v in (0.3, 0.1 + 0.2, 7.0)] == [0.0, 0.0, 0.0]


def test_rounding_is_no_success():
    """Every episode earns 1 a step: returns differ by place, and nothing went better than usual."""
    steps = [went(v, i) for i, v in ((1, 0.1 + 0.2 + 0.3), (2, 0.2 + 0.3), (3, 0.3))] * 10
    steps += [went(0.3 + 0.2 + 0.1)] * 10
    baseline = Baseline.of(steps)
    assert {baseline.advantage(step) for step in steps} == {0.0}


def test_four_steps_are_too_few_to_compare():
    four = [went(0.0), went(1.0), went(2.0), went(3.0)]
    assert Baseline.of(four).advantage(went(3.0)) == 0.0
    assert Baseline.of([*four, went(4.0)]).advantage(went(4.0)) > 0


def test_an_open_episode_has_no_advantage_and_changes_no_mean():
    ended = [went(2.0)] * 5 + [went(4.0)] * 5
    baseline = Baseline.of(ended + [went(-50.0, ended=False)] * 100)
    assert baseline == Baseline.of(ended)
    assert baseline.advantage(went(4.0, ended=False)) == 0.0


@given(
    st.lists(st.integers(-100, 100), min_size=10), st.integers(1, 1000), st.integers(-1000, 1000)
)
def test_advantages_do_not_depend_on_the_unit_or_the_zero_of_rewards(values, scale, shift):
    plain = Baseline.of(went(float(v)) for v in values)
    other = Baseline.of(went(v * scale + shift) for v in values)
    for value in values:
        expected = plain.advantage(went(float(value)))
        assert other.advantage(went(value * scale + shift)) == pytest.approx(expected, abs=1e-6)
    assert sum(plain.advantage(went(float(v))) for v in values) == pytest.approx(0, abs=1e-6)
