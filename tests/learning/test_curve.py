from __future__ import annotations

import math

import pytest

from aegis.learning.curve import Curve, draw


def point(examples, loss=None, held_out=None):
    values = {"examples": examples, "loss": loss, "held_out_loss": held_out}
    return {name: float(value) for name, value in values.items() if value is not None}


def test_a_chart_of_two_points_has_them_in_opposite_corners():
    lines = draw([point(0, 2.0), point(100, 1.0)], width=30, height=6).splitlines()
    assert len(lines) == 6
    assert max(len(line) for line in lines) <= 30 or lines[-1].startswith(" ")
    assert lines[0] == "      2 ┤·"
    assert lines[3] == "      1 ┤" + " " * 20 + "·"
    assert lines[4] == "        └0" + "─" * 17 + "100"
    assert lines[5].endswith("· training")


def test_both_series_are_marked_and_named():
    chart = draw([point(0, 2.0, 2.0), point(50, 1.0, 1.5), point(100, 0.5, 1.4)])
    assert "ø" in chart, "one place for both"
    assert "".join(chart.splitlines()[:-1]).count("o") == 2
    assert "· training   o held out" in chart


def test_the_default_chart_is_64_columns_by_10_rows():
    lines = draw([point(i, math.exp(-i / 9)) for i in range(60)]).splitlines()
    assert len(lines) == 10
    assert max(len(line) for line in lines) == 64


@pytest.mark.parametrize("points", [[], [{"loss": 1.0}], [point(1)], [point(1, math.nan)]])
def test_without_a_point_there_is_no_chart(points):
    assert draw(points) == ""


def test_a_flat_or_single_point_curve_can_be_drawn():
    assert "·" in draw([point(5, 1.0)])
    assert draw([point(5, 1.0), point(9, 1.0)]).count("·") == 3  # two, and the legend's


def test_what_has_no_examples_or_no_loss_is_no_point():
    curve = Curve()
    assert not curve.add({"loss": 1.0})
    assert not curve.add({"examples": 3, "seconds": 1.0})
    assert curve.add({"examples": 3, "held_out_loss": 1.0})
    assert curve.points == ({"examples": 3.0, "held_out_loss": 1.0},)


def test_a_training_that_goes_on_writes_its_last_points_anew():
    curve = Curve([point(10, 3.0), point(20, 2.0), point(30, 1.0)])
    curve.add(point(20, 2.5))
    assert curve.points == (point(10, 3.0), point(20, 2.5))


def test_many_points_are_thinned_out_and_the_held_out_ones_kept():
    curve = Curve(most=50)
    for number in range(1, 1001):
        curve.add(point(number, 1.0, 2.0 if number % 100 == 0 else None))
    kept = [p["examples"] for p in curve.points]
    assert len(kept) <= 50
    assert kept[0] == 1.0
    assert kept[-1] == 1000.0
    assert kept == sorted(kept)
    assert {100.0 * n for n in range(1, 11)} <= set(kept)


def test_a_curve_of_held_out_losses_alone_stays_bounded_too():
    curve = Curve(most=50)
    for number in range(1000):
        curve.add(point(number, 1.0, 2.0))
    assert len(curve.points) <= 50
    assert curve.points[-1]["examples"] == 999.0
