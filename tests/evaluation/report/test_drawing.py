"""Axes, places of labels and markup."""

from __future__ import annotations

import itertools
import math
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.evaluation.report.drawing.markup import attribute, clean, element, escaped
from aegis.evaluation.report.drawing.placement import Box, Room, spread
from aegis.evaluation.report.drawing.scales import linear, logarithmic, number
from aegis.evaluation.report.drawing.svg import SHAPES, mark, picture, text

VALUES = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))


# Axes


@given(st.lists(VALUES, min_size=1, max_size=9))
def test_a_linear_axis_holds_everything_and_ends_at_ticks(values):
    axis = linear(values, 10.0, 210.0)

    assert axis.low <= min(values) + 1e-6
    assert axis.high >= max(values) - 1e-6
    assert (axis.ticks[0], axis.ticks[-1]) == (axis.low, axis.high)
    steps = [b - a for a, b in itertools.pairwise(axis.ticks)]
    assert max(steps) == pytest.approx(min(steps), rel=1e-6)
    assert re.fullmatch(r"[125]0*", f"{steps[0] / 10 ** math.floor(math.log10(steps[0])):.0f}")
    assert (axis(axis.low), axis(axis.high)) == pytest.approx((10.0, 210.0))
    middle = (axis.low + axis.high) / 2
    assert axis(middle) == pytest.approx(110.0)


def test_ticks_of_a_known_axis():
    axis = linear([0.13, 0.87], 0.0, 100.0)

    assert axis.ticks == (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    assert [said for _, said in axis.labels()] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    assert axis(0.4) == pytest.approx(40)


def test_small_differences_are_not_blown_up():
    axis = linear([99.0, 99.5], 0, 1, bounds=(0.0, 100.0), least=20.0)

    assert axis.high == 100.0
    assert axis.low <= 80.0


@given(st.lists(st.floats(0.001, 1e7), min_size=1, max_size=9))
def test_a_logarithmic_axis_has_round_ends_and_equal_ratios(values):
    axis = logarithmic(values, 0.0, 300.0, most=6)

    assert axis.low <= min(values) * (1 + 1e-6)
    assert axis.high >= max(values) * (1 - 1e-6)
    assert 1 <= len(axis.ticks) <= 7
    for end in (axis.low, axis.high):
        assert f"{end:e}"[0] in "125"
    middle = math.sqrt(axis.low * axis.high)
    assert axis(middle) == pytest.approx(150.0)


@pytest.mark.parametrize(
    ("value", "decimals", "said"),
    [(1234.5, 1, "1,234.5"), (-2.0, 0, "\N{MINUS SIGN}2"), (-0.001, 2, "0.00"), (0, 0, "0")],
)
def test_numbers_as_they_are_set(value, decimals, said):
    assert number(value, decimals) == said


# Places


@given(
    st.lists(st.tuples(st.floats(0, 300), st.floats(5, 30)), min_size=1, max_size=9),
)
def test_labels_are_spread_without_overlap_in_their_order(labels):
    wanted, heights = [w for w, _ in labels], [h for _, h in labels]
    centres = spread(wanted, heights, 0.0, 300.0)

    boxes = sorted((c - h / 2, c + h / 2) for c, h in zip(centres, heights, strict=True))
    assert boxes[0][0] >= -1e-6
    assert boxes[-1][1] <= 300 + 1e-6
    assert all(upper <= lower + 1e-6 for (_, upper), (lower, _) in itertools.pairwise(boxes))


def test_a_label_that_fits_stays_where_it_was_wanted():
    assert spread([50.0, 150.0], [20.0, 20.0], 0.0, 200.0) == [50.0, 150.0]


def test_a_room_gives_a_place_once():
    room = Room(Box(0, 0, 100, 40))
    boxes = [room.place(50, 20, 30, 10, (6, 20)) for _ in range(12)]

    taken = [box for box in boxes if box is not None]
    assert len(taken) == 4  # beside it on four sides; no corner has room
    assert None in boxes  # full at last
    assert all(box.within(room.bounds) for box in taken)
    assert not any(a.overlaps(b) for a, b in itertools.combinations(taken, 2))
    assert taken[0] == Box(56, 15, 86, 25)  # to the right of the point


# Markup


@given(st.text(max_size=40))
def test_any_text_stays_text(said):
    parsed = ET.fromstring(element("p", escaped(said), title=said))

    assert " ".join((parsed.text or "").split()) == clean(said)
    assert parsed.get("title") == clean(said)
    assert len(parsed) == 0


def test_attributes_are_written_as_they_are_needed():
    assert element("line", x1=1.005, class_="rule", stroke_width=None) == (
        '<line x1="1" class="rule"/>'
    )
    assert attribute(-0.001) == "0"


def test_a_picture_says_what_it_shows():
    drawn = picture(200, 100, text(1, 2, "a < b"), name="n", title="T & U", told="in words")
    parsed = ET.fromstring(drawn)

    assert parsed.get("viewBox") == "0 0 200 100"
    assert [child.text for child in parsed] == ["T & U", "in words", "a < b"]
    assert parsed.get("aria-labelledby") == parsed[0].get("id")
    assert parsed.get("aria-describedby") == parsed[1].get("id")


def test_marks_have_about_the_same_area():
    """By the shoelace formula; a circle's is pi r^2."""
    for shape in SHAPES[1:]:
        path = ET.fromstring(mark(shape, 5, 6, 10, "m")).get("d")
        corners = [tuple(map(float, c)) for c in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path)]
        twice = sum(
            x1 * y2 - x2 * y1
            for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], corners[0]], strict=True)
        )
        assert abs(twice) / 2 == pytest.approx(math.pi * 100, rel=0.25), shape
