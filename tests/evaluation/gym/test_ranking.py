from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aegis.evaluation.gym.ranking import best


@given(st.lists(st.integers(0, 20), min_size=1, max_size=400), st.integers(1, 12))
def test_the_best_are_the_largest_positive_ones_with_ties_by_position(
    scores: list[int], count: int
):
    plain = sorted((-score, place) for place, score in enumerate(scores) if score > 0)
    expected = tuple(place for _, place in plain[:count])
    assert best(np.array(scores, dtype=np.float64), count) == expected
