from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.errors import InputError
from aegis_babyai.seeds import level_seed
from aegis_babyai.settings import SPLITS

SEEDS = st.integers(0, 2**63)


@given(st.tuples(st.sampled_from(SPLITS), SEEDS), st.tuples(st.sampled_from(SPLITS), SEEDS))
def test_no_two_episodes_of_any_splits_share_a_seed(one, other):
    assert (level_seed(*one) == level_seed(*other)) == (one == other)


@given(st.integers(1, 2**63))
def test_every_number_from_1_is_the_seed_of_an_episode(number):
    split = SPLITS[(number - 1) % 3]
    assert level_seed(split, (number - 1) // 3) == number


def test_a_negative_seed_is_refused():
    with pytest.raises(InputError, match="a seed is 0 or more, not -1"):
        level_seed("test", -1)
