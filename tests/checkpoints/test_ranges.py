from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.checkpoints import ranges

NUMBERS = st.sets(st.integers(0, 60))


def text_of(numbers):
    return ",".join(map(str, sorted(numbers)))


def numbers_of(found):
    return {n for low, high in found for n in range(low, high + 1)}


@given(NUMBERS)
def test_ranges_hold_the_numbers_that_the_text_names(numbers):
    found = ranges.parse(text_of(numbers))
    assert numbers_of(found) == numbers
    assert ranges.count(found) == len(numbers)
    assert ranges.parse(ranges.render(found)) == found
    assert all(a[1] + 1 < b[0] for a, b in itertools.pairwise(found))


@given(NUMBERS, NUMBERS)
def test_without_is_the_difference_of_sets(a, b):
    left = ranges.without(ranges.parse(text_of(a)), ranges.parse(text_of(b)))
    assert numbers_of(left) == a - b
    assert ranges.count(left) == len(a - b)


def test_ranges_are_written_short():
    assert ranges.render(ranges.parse("52,1-3,4,5-50,7")) == "1-50,52"
    assert ranges.render(ranges.parse("")) == ""


def test_numbers_without_bounds_are_not_spelled_out():
    huge = ranges.parse("1-999999999999999")
    assert ranges.count(ranges.without(huge, ranges.parse("5,7-9"))) == 999_999_999_999_995


@pytest.mark.parametrize("text", ["a", "1-", "-1", "3-1", "1,,2", "1.5", "1" * 16, "1;2", "٣"])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(ValueError, match="no range"):
        ranges.parse(text)
