from __future__ import annotations

import random

import numpy as np
import pytest
from minigrid.utils.baby_ai_bot import BabyAIBot

import aegis
from aegis.errors import InputError
from aegis.evaluation.rollout import rollout
from aegis_babyai.environment import CANDIDATES
from aegis_babyai.levels import LEVELS

MEAN_STEPS = {
    "GoToRedBallGrey": 5.8,
    "GoToRedBall": 5.3,
    "GoToLocal": 5.3,
    "PickupLoc": 6.1,
    "PutNextLocal": 12.3,
}
"""Of minigrid's bot, measured by itself."""

OTHERS = sorted(LEVELS.keys() - MEAN_STEPS.keys())[::4]
"""A fourth of the levels, to save time."""


def _play(world, bot, seed, wild=0.0):
    """Play an episode, wild decisions among the bot's; return the last result and the scores."""
    chance, view, scores = random.Random(seed), world.reset(seed), []
    while True:
        scores.append(bot.score(view, CANDIDATES))
        best = int(np.argmax(scores[-1]))
        result = world.step(CANDIDATES[chance.randrange(7) if chance.random() < wild else best])
        if result.done:
            return result, scores
        view = result.view


@pytest.mark.parametrize("level", MEAN_STEPS)
def test_it_reaches_every_goal_in_as_many_steps_as_minigrids_bot(level, environment):
    world = environment(level)
    (bot,) = world.experts()["bot"]
    episodes = rollout(world, bot, range(50), greedy=True)
    assert all(episode.completed for episode in episodes)
    steps = [episode.steps for episode in episodes]
    error = np.std(steps, ddof=1) / np.sqrt(len(steps))
    assert np.mean(steps) == pytest.approx(MEAN_STEPS[level], abs=3.5 * error)


def test_its_scores_are_log_probabilities_with_nearly_all_on_one(environment):
    world = environment()
    (bot,) = world.experts()["bot"]
    _, scores = _play(world, bot, 0)
    for row in scores:
        assert np.exp(row).sum() == pytest.approx(1)
        assert np.sort(row)[:-1] == pytest.approx(-50)
        assert row.max() == pytest.approx(0)
    assert bot.remarks == {}
    assert bot.capabilities == aegis.EngineCapabilities(kind="bot")


@pytest.mark.parametrize("level", OTHERS)
def test_it_masters_the_other_levels(level, environment):
    world = environment(level)
    (bot,) = world.experts()["bot"]
    assert _play(world, bot, 2)[0].goal_completed


@pytest.mark.parametrize("level", [*MEAN_STEPS, "UnlockPickup", "MiniBossLevel", "SynthS5R2"])
def test_whatever_others_do_it_goes_on(level, environment):
    """Opened boxes cannot be closed again, so that not every goal stays within reach."""
    world = environment(level)
    (bot,) = world.experts()["bot"]
    reached = 0
    for seed in range(5):
        result, scores = _play(world, bot, seed, wild=0.4)
        assert np.exp(scores).sum(axis=1) == pytest.approx(1)
        reached += result.goal_completed
    assert reached >= 3


def _breaks(planner, action_taken=None):
    raise AssertionError("nothing left to explore")


def _goes_on_for_ever(planner, action_taken=None):
    while True:
        planner.stack.append(None)


@pytest.mark.parametrize("replan", [_breaks, _goes_on_for_ever])
def test_where_no_plan_helps_it_prefers_nothing_and_says_so(replan, environment, monkeypatch):
    world = environment()
    (bot,) = world.experts()["bot"]
    view = world.reset(0)
    with monkeypatch.context() as broken:
        broken.setattr(BabyAIBot, "replan", replan)
        assert bot.score(view, CANDIDATES) == pytest.approx(np.log(np.full(7, 1 / 7)))
        assert bot.remarks == {"lost": 1.0}
    view = world.step(CANDIDATES[0]).view
    assert bot.score(view, CANDIDATES).max() == pytest.approx(0)
    assert bot.remarks == {}


def test_what_it_did_not_want_to_carry_it_puts_down(environment, candidate):
    """minigrid's planner gives up where its hands are full and should be empty."""
    put_down = 0
    for seed in range(30):
        world = environment("PutNextLocal", split="test")
        (bot,) = world.experts()["bot"]
        view = world.reset(seed)
        while bot.advice() != "pickup":
            world.step(candidate(bot.advice()))
        world.step(candidate("left"))
        world.step(candidate("pickup"))  # whatever lies there
        carried = world.episode.observer.scene().carried
        view = world.step(candidate("right")).view
        if carried is None:
            continue
        (late,) = world.experts()["bot"]
        for one in (bot, late):
            assert np.exp(one.score(view, CANDIDATES)).sum() == pytest.approx(1)
            assert one.remarks == {}
        while not world.episode.over:
            result = world.step(candidate(late.advice()))
        put_down += result.goal_completed
    assert put_down


def test_asked_at_any_step_it_knows_what_was_done_before(environment):
    """It needs not have been asked at every step, nor by the same object."""
    world = environment("PutNextLocal")
    (asked,) = world.experts()["bot"]
    chance = random.Random(0)
    for seed in range(6):
        view = world.reset(seed)
        for _ in range(8):
            scores = asked.score(view, CANDIDATES)
            result = world.step(CANDIDATES[chance.choice((0, 1, 2, int(np.argmax(scores))))])
            if result.done:
                break
            view = result.view
        if not result.done:
            (late,) = world.experts()["bot"]
            assert (late.score(view, CANDIDATES) == asked.score(view, CANDIDATES)).all()


def test_an_episode_given_up_leaves_nothing_behind(environment):
    world, other = environment("PutNextLocal"), environment("PutNextLocal")
    (bot,), (fresh,) = world.experts()["bot"], other.experts()["bot"]
    view = world.reset(0)
    for _ in range(4):
        view = world.step(CANDIDATES[int(np.argmax(bot.score(view, CANDIDATES)))]).view
    assert [row.tolist() for row in _play(world, bot, 1)[1]] == [
        row.tolist() for row in _play(other, fresh, 1)[1]
    ]
    assert [row.tolist() for row in _play(world, bot, 1)[1]] == [  # the same seed begun again
        row.tolist() for row in _play(other, fresh, 1)[1]
    ]


def test_it_leaves_the_environments_world_alone(environment):
    """Watched or not, a walk is the same."""
    alone, watched = environment("GoToLocal"), environment("GoToLocal")
    (bot,) = watched.experts()["bot"]
    for seed in range(3):
        chance = random.Random(seed)
        here, there = alone.reset(seed), watched.reset(seed)
        for _ in range(10):
            bot.score(there, CANDIDATES)
            action = CANDIDATES[chance.randrange(6)]
            one, other = alone.step(action), watched.step(action)
            assert one == other
            if one.done:
                break
            here, there = one.view, other.view
        assert here == there


def test_it_decides_in_a_batch_what_it_decides_alone_and_has_nothing_to_save(environment, tmp_path):
    world = environment()
    (bot,) = world.experts()["bot"]
    view = world.reset(0)
    (batched,) = bot.score_batch([(view, CANDIDATES)])
    assert (batched == bot.score(view, CANDIDATES)).all()
    bot.save(tmp_path)
    bot.close()
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="bot-writes-nothing"):
        bot.write(view, CANDIDATES[0], "text")
