"""Observations as lines: every space that is allowed, and the refusal of every other."""

from __future__ import annotations

import string

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.contracts.view import View
from aegis.errors import InputError
from aegis_babyai.gymnasium_observation import MOST, Layout, number

SHAPES = st.lists(st.integers(1, 3), max_size=2).map(tuple)
CHARACTERS = string.ascii_letters + " |\\:\n\té…"
KEYS = st.text(CHARACTERS, min_size=1, max_size=5)


def boxes() -> st.SearchStrategy[spaces.Box]:
    kinds = st.sampled_from(
        [(np.float32, 1e6), (np.float64, 1e-3), (np.uint8, 255), (np.int16, 99)]
    )
    return st.builds(
        lambda shape, kind: spaces.Box(
            0 if kind[0] is np.uint8 else -kind[1], kind[1], shape, kind[0]
        ),
        SHAPES,
        kinds,
    )


SIMPLE = st.one_of(
    st.builds(
        lambda n, start: spaces.Discrete(n, start=start), st.integers(1, 99), st.integers(-9, 9)
    ),
    boxes(),
    st.builds(spaces.MultiDiscrete, st.lists(st.integers(1, 9), min_size=1, max_size=3)),
    st.builds(spaces.MultiBinary, st.integers(1, 4)),
    st.builds(lambda n: spaces.Text(n, min_length=0, charset=CHARACTERS), st.integers(1, 12)),
)
SPACES = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=2).map(spaces.Tuple),
        st.dictionaries(KEYS, inner, min_size=1, max_size=2).map(spaces.Dict),
    ),
    max_leaves=4,
)


def flat_numbers(space: spaces.Space, value: object) -> list[float]:
    if isinstance(space, spaces.Dict):
        return [x for key, one in space.items() for x in flat_numbers(one, value[key])]
    if isinstance(space, spaces.Tuple):
        return [x for one, v in zip(space.spaces, value, strict=True) for x in flat_numbers(one, v)]
    if isinstance(space, spaces.Text):
        return []
    return [float(x) for x in np.asarray(value).reshape(-1)]


@settings(max_examples=150, deadline=None)
@given(SPACES, st.integers(0, 2**31), st.integers(1, 99))
def test_a_view_of_any_sample_is_read_back_as_it_was(space, seed, step):
    space.seed(seed)
    lines = Layout.of("X-v0", space).lines(space.sample())
    view = View("X-v0", step=step, limit=100, observation=lines)
    assert View.parse(view.render()) == view
    assert [line.split(":")[0] for line in view.render().split("\n")] == [
        "goal",
        "observation",
        "step",
    ]


@settings(max_examples=150, deadline=None)
@given(SPACES, st.integers(0, 2**31))
def test_every_number_is_shown_to_half_a_percent(space, seed):
    space.seed(seed)
    sample = space.sample()
    layout = Layout.of("X-v0", space)
    expected = flat_numbers(space, sample)
    assert sum(leaf.numbers or 0 for leaf in layout.leaves) == len(expected)
    names = tuple(f"n{index}" for index in range(len(expected)))
    named = Layout.of("X-v0", space, names)
    if any(leaf.numbers is None for leaf in layout.leaves):
        assert named == layout
        return
    lines = [line.split(": ") for line in named.lines(sample)]
    assert [name for name, _ in lines] == list(names)
    np.testing.assert_allclose([float(text) for _, text in lines], expected, rtol=5e-3)


@pytest.mark.parametrize(
    ("space", "observation", "lines"),
    [
        (spaces.Discrete(16), np.int64(14), ("14",)),
        (spaces.Discrete(3, start=-1), -1, ("-1",)),
        (spaces.Box(-9, 9, (3,)), np.array([0.123456, -2.0, -0.0], np.float32), ("0.123 -2 0",)),
        (
            spaces.Box(0, 255, (2, 2), np.uint8),
            np.array([[1, 2], [3, 255]], np.uint8),
            ("1 2 3 255",),
        ),
        (spaces.Box(0, 1, ()), np.float32(0.5), ("0.5",)),
        (spaces.MultiDiscrete([3, 4]), np.array([2, 0]), ("2 0",)),
        (spaces.MultiBinary(3), np.array([1, 0, 1], np.int8), ("1 0 1",)),
        (spaces.Text(20), "go | there", ("go | there",)),
        (spaces.Text(20), "two\nlines", ("two", "lines")),
        (spaces.Text(20, min_length=0), "", ("",)),
        (spaces.Tuple([spaces.Discrete(5), spaces.Text(9)]), (4, "a\nb"), ("0: 4", "1: a", "1: b")),
        (
            spaces.Dict(agent=spaces.Dict(at=spaces.MultiDiscrete([9, 9])), to=spaces.Discrete(4)),
            {"agent": {"at": np.array([7, 8])}, "to": 3},
            ("agent.at: 7 8", "to: 3"),
        ),
    ],
)
def test_each_space_has_its_lines(space, observation, lines):
    assert Layout.of("X-v0", space).lines(observation) == lines


def test_names_are_used_where_there_are_as_many_as_numbers():
    space = spaces.Tuple([spaces.Discrete(32), spaces.Discrete(11)])
    assert Layout.of("X-v0", space, ("sum", "card")).lines((20, 3)) == ("sum: 20", "card: 3")
    assert Layout.of("X-v0", space, ("sum",)).lines((20, 3)) == ("0: 20", "1: 3")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (True, "1"),
        (0.000123456, "0.000123"),
        (1234567.5, "1.23e+06"),
        (1001.0, "1001"),
        (-12345.0, "-12345"),
        (1e30, "1e+30"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (-0.0001, "-0.0001"),
        (-0.0, "0"),
        (1.0, "1"),
    ],
)
def test_fractions_have_three_significant_digits_and_whole_numbers_all(value, text):
    assert number(value) == text


def test_as_many_numbers_as_allowed_are_shown_and_one_more_is_refused():
    assert len(Layout.of("X-v0", spaces.MultiBinary(MOST)).lines(np.zeros(MOST))[0].split()) == MOST
    parts = spaces.Tuple([spaces.MultiBinary(MOST), spaces.Discrete(2)])
    with pytest.raises(InputError, match=f'"X-v0" has observations of {MOST + 1} numbers'):
        Layout.of("X-v0", parts)


def test_an_image_is_refused_with_its_shape():
    with pytest.raises(InputError, match=r"27648 numbers; at most 128 .*Box, 96 x 96 x 3"):
        Layout.of("CarRacing-v3", spaces.Box(0, 255, (96, 96, 3), np.uint8))


@pytest.mark.parametrize(
    "space",
    [
        spaces.Sequence(spaces.Discrete(2)),
        spaces.Graph(spaces.Discrete(2), None),
        spaces.Dict(a=spaces.OneOf([spaces.Discrete(2), spaces.Discrete(3)])),
    ],
)
def test_a_space_without_lines_is_refused_with_what_is_allowed(space):
    with pytest.raises(
        InputError, match=r'"X-v0" has observations of the space (.|\n)*MultiBinary'
    ):
        Layout.of("X-v0", space)


@pytest.mark.parametrize(
    ("space", "observation"),
    [
        (spaces.Discrete(4), None),
        (spaces.Box(0, 1, (3,)), np.zeros(2)),
        (spaces.Text(4), 7),
        (spaces.Dict(a=spaces.Discrete(2)), {"b": 1}),
        (spaces.Tuple([spaces.Discrete(2), spaces.Discrete(2)]), (1,)),
    ],
)
def test_an_observation_of_another_space_is_an_error_that_names_the_environment(space, observation):
    with pytest.raises(InputError, match='"X-v0" returned an observation that is not of its space'):
        Layout.of("X-v0", space).lines(observation)
