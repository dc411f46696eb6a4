"""What is seen of candidates as numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

import aegis
from aegis.contracts.view import Recent
from aegis_reinforce.features import Columns

SEARCH = aegis.Action("search", {"query": "rank"}, signals={"page": 1, "new": 9})
READ = aegis.Action("read", {"document": "3"}, signals={"rank": 2})
COLUMNS = Columns(("read", "search"), (("read", "rank"), ("search", "new"), ("search", "page")))


def test_columns_are_those_of_everything_that_was_offered(world):
    view = world.crowded_view()
    steps = [
        world.step_of(view, (SEARCH, READ), 0, 0.0),
        world.step_of(view, (world.take(1.0), world.leave), 1, 0.0),
    ]

    assert Columns.of(steps) == Columns(
        ("leave", "read", "search", "take"),
        (("read", "rank"), ("search", "new"), ("search", "page"), ("take", "gain")),
    )
    assert Columns.of(reversed(steps)) == Columns.of(steps)


def test_a_row_is_the_candidate_then_the_state_then_what_else_is_offered(world):
    rows = COLUMNS.rows(world.crowded_view(), (SEARCH, READ, SEARCH))

    state = [0.1, math.log(2), 0, math.log(3), math.log(2), 0, 1, 1, 3]
    others = [math.log(2), math.log(3), 2, 9, 1]
    expected = np.array(
        [
            [0, 1, 0, 9, 1, *state, *others],
            [1, 0, 2, 0, 0, *state, *others],
            [0, 1, 0, 9, 1, *state, *others],
        ]
    )
    assert rows.shape == (3, COLUMNS.width)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, expected, rtol=1e-6)


def test_what_only_comes_up_later_is_not_seen(world):
    later = aegis.Action("read", signals={"rank": 1, "novel": 5})
    rows = COLUMNS.rows(world.crowded_view(), (later, aegis.Action("ask")))

    assert rows[0, : COLUMNS.own].tolist() == [1, 0, 1, 0, 0]
    assert rows[1, : COLUMNS.own].tolist() == [0] * 5


@pytest.mark.parametrize(
    ("changes", "share", "last"),
    [
        ({"limit": 0, "step": 20}, 0.5, [1, 1, 3]),
        ({"recent": ()}, 0.1, [0, 0, 0]),
        ({"recent": (Recent("search a", "error"),)}, 0.1, [1, 0, 0]),
    ],
)
def test_the_state_of_unlike_views(changes, share, last, world):
    (row,) = COLUMNS.rows(world.crowded_view(**changes), (READ,))
    state = row[COLUMNS.own : COLUMNS.own + 9]

    assert state[0] == pytest.approx(share)
    assert state[-3:].tolist() == last


def test_no_candidates_have_no_rows(world):
    assert COLUMNS.rows(world.crowded_view(), ()).shape == (0, COLUMNS.width)


def test_they_come_back_from_their_facts():
    assert Columns.from_facts(COLUMNS.facts()) == COLUMNS
    for damaged in ({}, {"tools": 3, "signals": []}, {"tools": ["a"], "signals": ["abc"]}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            Columns.from_facts(damaged)
