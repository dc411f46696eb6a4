"""The largest share of an origin."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aegis.learning.shares import allowed

ORIGINS = ("own", "practice", "teacher", "import")
counts = st.dictionaries(st.sampled_from(ORIGINS), st.integers(0, 500), min_size=1)
shares = st.dictionaries(st.sampled_from(ORIGINS), st.floats(0, 1))


def test_an_origin_is_cut_to_its_share_of_what_is_left():
    """100 own rows are the other half."""
    assert allowed({"own": 100, "import": 1867}, {"import": 0.5}) == {"own": 100, "import": 100}
    assert allowed({"own": 100, "import": 900}, {"import": 0.2}) == {"own": 100, "import": 25}
    assert allowed({"own": 100, "import": 20}, {"import": 0.5}) == {"own": 100, "import": 20}


def test_an_origin_alone_keeps_everything():
    assert allowed({"import": 1867}, {"import": 0.1}) == {"import": 1867}
    assert allowed({"import": 1867}, {"import": 0.0}) == {"import": 1867}
    assert allowed({"import": 1867, "own": 0}, {"import": 0.1}) == {"import": 1867, "own": 0}
    assert allowed({}, {"import": 0.1}) == {}


def test_a_share_of_nothing_leaves_nothing():
    assert allowed({"own": 10, "import": 20}, {"import": 0}) == {"own": 10, "import": 0}


def test_several_shares_hold_together():
    """Of N rows 100 are own, 0.3 N imported, 0.2 N of a teacher: N is 200."""
    found = allowed({"own": 100, "import": 900, "teacher": 900}, {"import": 0.3, "teacher": 0.2})
    assert found == {"own": 100, "import": 60, "teacher": 40}
    # The teacher has too few rows for its share: own and teacher are 0.7 of 150.
    found = allowed({"own": 100, "import": 900, "teacher": 5}, {"import": 0.3, "teacher": 0.2})
    assert found == {"own": 100, "import": 45, "teacher": 5}


def test_shares_that_do_not_make_up_a_whole_count_in_proportion():
    found = allowed({"own": 100, "import": 900}, {"own": 0.2, "import": 0.3})
    assert found == {"own": 100, "import": 150}


@given(counts, shares)
def test_no_share_is_exceeded_and_no_row_goes_without_need(rows, largest):
    found = allowed(rows, largest)
    present = [origin for origin, count in rows.items() if count]
    total = sum(found.values())
    assert all(0 <= found[origin] <= rows[origin] for origin in rows)
    named = [largest.get(origin, 1.0) for origin in present]
    if len(present) < 2 or sum(named) < 1:
        return
    for origin in present:
        # Each origin is rounded down by itself, so a row in each other one may be missing.
        assert found[origin] <= largest.get(origin, 1.0) * (total + len(present)) + 1e-6
        if found[origin] < rows[origin]:
            assert found[origin] + 1 > largest.get(origin, 1.0) * total - 1e-6
