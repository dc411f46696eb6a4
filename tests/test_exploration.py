from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.exploration import Exploration, sample, step_rng

SCORES = st.lists(st.floats(-20, 0), min_size=1, max_size=24).map(
    lambda xs: np.array(xs) - np.log(np.exp(xs).sum())
)


@given(SCORES, st.floats(0, 1), st.floats(0.1, 10))
def test_behaviour_is_the_documented_mixture(scores, epsilon, temperature):
    """behaviour = (1 - epsilon) * softmax(score / temperature) + epsilon / n."""
    weights = np.exp(scores / temperature - (scores / temperature).max())
    expected = (1 - epsilon) * weights / weights.sum() + epsilon / len(scores)
    behaviour = np.exp(Exploration(epsilon, temperature).behaviour(scores))
    assert behaviour == pytest.approx(expected, abs=1e-12)
    assert behaviour.sum() == pytest.approx(1)


def test_without_exploration_the_engine_is_followed():
    scores = np.log([0.2, 0.5, 0.3])
    assert np.exp(Exploration().behaviour(scores)) == pytest.approx([0.2, 0.5, 0.3])


def test_samples_follow_the_distribution():
    logs = np.log([0.1, 0.6, 0.3])
    counts = np.bincount([sample(logs, step_rng(0, step)) for step in range(4000)], minlength=3)
    # Three standard deviations of a binomial share at n = 4000 are below 0.024.
    assert counts / 4000 == pytest.approx([0.1, 0.6, 0.3], abs=0.024)


def test_a_candidate_without_probability_is_never_taken():
    with np.errstate(divide="ignore"):
        logs = np.log([0.0, 1.0, 0.0])
    assert {sample(logs, step_rng(1, step)) for step in range(200)} == {1}


def test_the_same_step_draws_the_same():
    assert step_rng(3, 14).random() == step_rng(3, 14).random()
    assert step_rng(3, 14).random() != step_rng(3, 15).random()
    assert step_rng(3, 14).random() != step_rng(3, 14, purpose=1).random()
