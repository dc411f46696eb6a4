"""Which episodes are held out."""

from __future__ import annotations

import hashlib
import json

from hypothesis import given
from hypothesis import strategies as st

from aegis.learning.splitting import held_out, key_of

keys = st.integers(0, 2**256 - 1).map(lambda number: f"{number:064x}")


def key_at(share):
    """A key at this share of all possible ones."""
    return f"{int(share * 2**64):016x}" + "0" * 48


def test_the_key_is_the_hash_of_environment_and_first_view(make):
    step = make.step(goal="Understand routing")
    view = hashlib.sha256(b"goal: Understand routing\nstep: 1/40").hexdigest()
    expected = hashlib.sha256(json.dumps(["research", view]).encode()).hexdigest()
    assert key_of(step) == expected
    assert key_of(make.step(7, episode=9, goal="Understand routing", chosen=1)) == expected
    assert key_of(make.step(goal="Understand routing", environment="gym")) != expected
    assert key_of(make.step(goal="Understand adapters")) != expected


def test_the_lowest_share_of_keys_is_held_out():
    places = [0.01, 0.149, 0.151, 0.5, 0.99]
    out = held_out(map(key_at, places), 0.15)
    assert out == {key_at(0.01), key_at(0.149)}
    assert held_out(map(key_at, places), 0.5) == out | {key_at(0.151)}


def test_about_the_share_of_many_episodes_is_held_out():
    many = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(20_000)]
    # Five standard deviations of a binomial are 0.0126.
    assert abs(len(held_out(many, 0.15)) / 20_000 - 0.15) < 0.0126


def test_of_four_episodes_one_is_held_out_and_of_three_perhaps_none():
    places = [0.3, 0.4, 0.6, 0.9]
    assert held_out(map(key_at, places), 0.15) == {key_at(0.3)}
    assert held_out(map(key_at, places[:3]), 0.15) == frozenset()
    assert held_out(map(key_at, [*places[:3], *places[:3]]), 0.15) == frozenset()  # 3 distinct ones


def test_four_episodes_are_never_all_held_out():
    places = [0.01, 0.02, 0.03, 0.04]
    assert held_out(map(key_at, places), 0.15) == set(map(key_at, places[:3]))


@given(st.lists(keys, max_size=30), st.lists(keys, max_size=30), st.floats(0.01, 0.5))
def test_an_episode_stays_on_its_side_however_many_come(first, more, share):
    before = held_out(first, share)
    after = held_out([*first, *more], share)
    below = {key for key in first if int(key, 16) / 16**64 < share}
    if below and set(first) - below:  # else the boundary was moved for want of episodes
        assert after & set(first) == before == below
    assert held_out([*more, *first], share) == after


@given(st.lists(keys, min_size=4, unique=True), st.floats(0.01, 0.5))
def test_neither_side_is_empty_from_four_episodes_on(several, share):
    assert 0 < len(held_out(several, share)) < len(several)
