from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import aegis
from aegis.builtin._engines.uniform import RandomEngine
from aegis.evaluation.gym.environment import ResearchGym
from aegis.evaluation.gym.oracle import Oracle, best_in_candidates
from aegis.evaluation.rollout import play, rollout
from aegis.exploration import Exploration

if TYPE_CHECKING:
    from aegis.evaluation.gym.index import GymIndex


class First:
    """Prefers the first candidate, e to 1."""

    def score(self, view, candidates):
        logits = -np.arange(len(candidates), dtype=np.float64)
        return logits - np.logaddexp.reduce(logits)


@pytest.fixture
def gym(library_index: GymIndex) -> ResearchGym:
    return ResearchGym(library_index)


def test_a_seed_gives_the_same_episode_whatever_was_played_before(gym: ResearchGym):
    (alone,) = rollout(gym, RandomEngine(), [4])
    assert rollout(gym, RandomEngine(), [9, 4, 2])[1] == alone


def test_a_result_is_the_sum_of_what_its_steps_earned(gym: ResearchGym):
    for episode in rollout(gym, First(), range(6), greedy=True):
        read = episode.facts["read"]
        expected = (
            -0.05 * episode.steps + episode.relevant_read - 0.25 * (read - episode.relevant_read)
        )
        assert episode.total == pytest.approx(
            expected
        )  # a note comes after reads and searches here
        assert len(episode.statuses) == episode.steps <= 40


def test_greedy_takes_the_first_of_the_most_probable(gym: ResearchGym):
    view = gym.reset(1)
    rewards = []
    for _ in range(10):
        result = gym.step(gym.candidates(view)[0])
        rewards.append(result.reward)
        view = result.view
    (episode,) = rollout(gym, First(), [1], greedy=True)
    assert episode.rewards[:10] == tuple(rewards)


def test_what_is_recorded_of_greedy_play_is_that_nothing_else_was_possible(gym: ResearchGym):
    """Whoever estimates from it later must not take the engine's doubts for chances."""
    for step in play(gym, First(), 1, greedy=True):
        assert np.exp(step.behaviour).tolist() == [1.0] + [0.0] * (len(step.candidates) - 1)
        assert step.scores[0] < 0.0 or len(step.candidates) == 1


def test_full_exploration_is_the_random_policy(gym: ResearchGym):
    explored = rollout(gym, First(), range(5), exploration=Exploration(epsilon=1.0))
    assert explored == rollout(gym, RandomEngine(), range(5))


def test_the_oracle_reads_nothing_irrelevant_and_beats_random_everywhere(gym: ResearchGym):
    oracle = rollout(gym, Oracle(gym), range(60), greedy=True)
    random = rollout(gym, RandomEngine(), range(60))
    assert all(episode.facts["read"] == episode.relevant_read for episode in oracle)
    assert np.mean([e.total for e in oracle]) > np.mean([e.total for e in random]) + 3.0


def test_the_oracle_stops_when_nothing_is_left_to_gain(gym: ResearchGym):
    for episode in rollout(gym, Oracle(gym), range(30), greedy=True):
        assert episode.total >= -0.05
        assert episode.relevant_read <= 8


def test_the_best_in_candidates_is_at_least_the_oracle(gym: ResearchGym):
    oracle = [episode.total for episode in rollout(gym, Oracle(gym), range(20), greedy=True)]
    best = best_in_candidates(gym, range(20), tries=3)
    assert all(b >= o for b, o in zip(best, oracle, strict=True))
    assert sum(best) > sum(oracle)
    assert best_in_candidates(gym, [7, 3], tries=3) == [best[7], best[3]]


def test_what_is_chosen_has_nothing_to_do_with_what_the_environment_draws():
    """An environment may seed its draws with the seed itself, as most do."""
    agreed = sum(
        step.chosen == round(step.result.reward)
        for seed in range(400)
        for step in play(Coin(), RandomEngine(), seed)
    )
    assert 150 < agreed < 250  # of 400: five standard deviations


class Coin:
    """One throw; the reward says where the coin fell."""

    def reset(self, seed):
        self._rng = np.random.default_rng(seed)
        return aegis.View(goal="guess")

    def candidates(self, view):
        return [aegis.Action("heads"), aegis.Action("tails")]

    def step(self, action):
        fell = float(self._rng.random() >= 0.5)
        return aegis.StepResult(aegis.View(goal="over"), aegis.Outcome("ok"), fell, done=True)
