"""Line deltas: a law and the sizes that it is for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.store.delta import apply, delta

LINES = st.lists(st.text(st.characters(exclude_characters="\n"), max_size=60), max_size=12)


@settings(max_examples=300)
@given(base=LINES, lines=LINES)
def test_applying_a_delta_gives_the_lines(base, lines):
    assert apply(base, delta(base, lines)) == lines


@settings(max_examples=200)
@given(base=LINES, data=st.data())
def test_applying_a_delta_gives_the_lines_where_most_are_shared(base, data):
    lines = data.draw(st.permutations(base)) if base else []
    lines = [line + data.draw(st.sampled_from(["", "", "x", ",1"])) for line in lines]
    assert apply(base, delta(base, lines)) == lines


def test_a_run_of_equal_lines_is_one_operation():
    base = [f"line {n}" for n in range(10)]
    assert delta(base, base) == "=0,10"
    assert delta(base, base[3:]) == "=3,7"


def test_a_small_change_in_a_long_line_costs_a_few_characters():
    base = ["0", "the quick brown fox jumps over the lazy dog, rank=3"]
    changed = ["the quick brown fox jumps over the lazy dog, rank=4"]
    assert delta(base, changed) == f"~1,{len(base[1]) - 1},0,4"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "read the first document of the list, please",
            "read the first documents of a list, please",
        ),
        ("the same beginning and then this", "the same beginning and then this, and more"),
        ("the same beginning and then the end of it", "the same beginning and the end of it"),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ],
)
def test_an_edited_line_is_put_together_from_both_ends(old, new):
    operations = delta([old], [new])
    assert operations.startswith("~")
    assert apply([old], operations) == [new]


@settings(max_examples=200)
@given(
    head=st.text("ab", min_size=16, max_size=20),
    parts=st.lists(st.text("ab,", max_size=20), min_size=4, max_size=4),
)
def test_applying_a_delta_gives_the_lines_where_they_share_both_ends(head, parts):
    start, end, one, other = parts
    base, lines = [head + start + one + end], [head + start + other + end]
    assert apply(base, delta(base, lines)) == lines


def test_nothing_and_one_empty_line_are_told_apart():
    assert apply([], delta([], [])) == []
    assert apply([], delta([], [""])) == [""]


@pytest.mark.parametrize(
    "operations", ["?x", "=5", "=0,9", "=-1", "=x", "~0,9,9,x", "~7,0,0,x", "~0,1", "~0,-1,0,x", ""]
)
def test_what_is_no_delta_of_the_base_is_a_value_error(operations):
    if operations == "":
        assert apply(["a", "b"], operations) == []
        return
    with pytest.raises(ValueError):
        apply(["a", "b"], operations)
