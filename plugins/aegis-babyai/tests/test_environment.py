from __future__ import annotations

import json
from itertools import islice

import numpy as np
import pytest

import aegis
from aegis.errors import InputError
from aegis.evaluation.rollout import play, rollout
from aegis_babyai.actions import ACTIONS
from aegis_babyai.environment import CANDIDATES
from aegis_babyai.levels import LEVELS
from aegis_babyai.observer import Observer
from aegis_babyai.rendering import scene_of
from aegis_babyai.scene import MARKS
from aegis_babyai.seeds import level_seed
from aegis_babyai.settings import SPLITS
from aegis_babyai.world import begin, open_world


class Walker:
    """Goes anywhere, most often forward."""

    capabilities = aegis.EngineCapabilities(kind="walker")

    def score(self, view, candidates):
        weights = np.array([2.0, 2.0, 4.0, 1.0, 0.5, 0.5, 0.1])
        return np.log(weights / weights.sum())


class Guarded:
    """A world of which nothing may be touched but these three, and nothing may be set."""

    def __init__(self, world):
        object.__setattr__(self, "_inside", world)

    def __getattribute__(self, name):
        if name not in {"max_steps", "reset", "step"}:
            raise AssertionError(f"{name} of the world was looked at")
        found = getattr(object.__getattribute__(self, "_inside"), name)
        return (
            found
            if name == "max_steps"
            else lambda *given, **named: _shown(*found(*given, **named))
        )

    def __setattr__(self, name, value):
        raise AssertionError(f"{name} of the world was set")


def _shown(seen, *rest):
    *numbers, info = rest
    return Shown(seen), *numbers, Shown(info)


class Shown(dict):
    """What a step shows, without the compass."""

    def __getitem__(self, key):
        assert key in {"image", "mission"}, f"{key} was looked at"
        return super().__getitem__(key)


@pytest.mark.parametrize("track", ["unmarked", "marked"])
@pytest.mark.parametrize("level", ["PickupLoc", "PutNextLocal", "BossLevel"])
def test_nothing_of_the_world_is_looked_at_but_what_a_step_shows(level, track, environment):
    free, guarded = environment(level, track=track), environment(level, track=track)
    guarded._world = Guarded(guarded._world)
    for seed in range(3):
        here, there = (
            [step.result for step in islice(play(one, Walker(), seed), 60)]
            for one in (free, guarded)
        )
        assert here == there
    with pytest.raises(AssertionError, match="agent_pos of the world was looked at"):
        guarded._world.agent_pos  # noqa: B018 - the guard does guard
    with pytest.raises(AssertionError, match="direction was looked at"):
        guarded._world.reset(seed=1)[0]["direction"]


def test_the_candidates_are_the_seven_actions_in_their_order_until_the_end(environment):
    world = environment("GoToLocalS5N2")
    view = world.reset(0)
    assert [action.render() for action in CANDIDATES] == list(ACTIONS)
    for number in range(view.limit):
        assert tuple(world.candidates(view)) == CANDIDATES
        assert (view.step, view.limit) == (number + 1, 25)
        assert aegis.View.parse(view.render()) == view
        result = world.step(CANDIDATES[0])  # turning reaches nothing but what is next to one
        view = result.view
        assert result.done == (number + 1 == 25)
    assert (result.goal_completed, result.reward, result.outcome.message) == (
        False,
        0.0,
        "no steps are left",
    )
    assert tuple(world.candidates(view)) == ()


@pytest.mark.parametrize("level", ["GoToRedBall", "PickupLoc", "PutNextLocal"])
def test_a_goal_reached_pays_1_less_nine_tenths_of_the_steps_taken(level, environment):
    world = environment(level)
    (bot,) = world.experts()["bot"]
    for seed in range(5):
        *before, last = [step.result for step in play(world, bot, seed, greedy=True)]
        taken = len(before) + 1
        assert [(r.reward, r.done, r.goal_completed) for r in before] == [
            (0.0, False, False)
        ] * len(before)
        limit = {"GoToRedBall": 64, "PickupLoc": 64, "PutNextLocal": 128}[level]
        assert last.reward == pytest.approx(1 - 0.9 * taken / limit)
        assert (last.done, last.goal_completed) == (True, True)
        assert last.outcome == aegis.Outcome("ok", "the mission is accomplished")
        assert last.info == {"level": level, "mission": world.episode.mission, "steps": taken}
        json.dumps(last.info)


def test_a_mission_that_has_failed_ends_the_episode_without_reward(environment):
    """In the strict level the first wrong object in the hand is the end."""
    world = environment("PickupDistDebug")
    ends = [
        step.result
        for seed in range(20)
        for step in play(world, Walker(), seed)
        if step.result.outcome.message == "the mission has failed"
    ]
    assert ends
    assert all((end.done, end.goal_completed, end.reward) == (True, False, 0) for end in ends)


@pytest.mark.parametrize("level", sorted(LEVELS)[::5])
def test_a_seed_is_the_same_episode_whatever_was_played_before(level, environment):
    fresh, used = environment(level), environment(level)
    for _ in islice(play(used, Walker(), 11), 5):
        pass
    here, there = ([*islice(play(one, Walker(), 3), 25)] for one in (fresh, used))
    assert [step.result for step in here] == [step.result for step in there]
    assert here[0].view == there[0].view


def test_a_split_plays_its_own_seeds_of_minigrid(environment):
    for split in SPLITS:
        view = environment("GoToLocal", split=split).reset(4)
        image, mission = begin(open_world("GoToLocal"), level_seed(split, 4))
        assert view == Observer(mission, 64, "unmarked", False, image).view()
    goals = [environment("PickupLoc", split=split).reset(0).render() for split in SPLITS]
    assert len(set(goals)) == 3


def test_marked_shows_the_same_with_marks_and_besides_nothing_but_what_is_marked(environment):
    unmarked, marked = (environment("PutNextLocal", track=t) for t in ("unmarked", "marked"))
    marks, more = set(), 0
    for seed in range(4):
        for here, there in zip(
            play(unmarked, Walker(), seed), play(marked, Walker(), seed), strict=True
        ):
            here_scene, bare = (scene_of(step.view.observation) for step in (here, there))
            for kind in ("seen", "past"):
                shown, told = getattr(here_scene, kind), getattr(bare, kind)
                marks |= {sight.thing.mark for sight in told} - {""}
                plain = [s._replace(thing=s.thing._replace(mark="")) for s in told]
                assert [sight for sight in plain if sight in shown] == list(shown)
                more += len(plain) - len(shown)
            assert here_scene[0] == bare[0]
            assert here_scene.last == bare.last
    assert marks == {*MARKS}
    assert more  # where more is remembered than is shown


def test_mistakes_are_named(environment, candidate, monkeypatch):
    world = environment()
    with pytest.raises(InputError, match=r"error\[babyai-not-reset\].*\n.*call reset"):
        world.step(candidate("left"))
    with pytest.raises(InputError, match="babyai-not-reset"):
        world.candidates(aegis.View("go"))
    with pytest.raises(InputError, match="babyai-seed"):
        world.reset(-1)
    world.reset(0)
    with pytest.raises(InputError, match=r'babyai-no-candidate.*forwards.*did you mean "forward"'):
        world.step(aegis.Action("forwards"))
    with pytest.raises(InputError, match="babyai-no-candidate"):
        world.step(aegis.Action("forward", {"steps": 2}))
    rollout(world, Walker(), [0])
    with pytest.raises(InputError, match="babyai-episode-over"):
        world.step(candidate("left"))
    with pytest.raises(InputError, match=r'babyai-level.*"?GoToLocl.*did you mean "GoToLocal"'):
        environment("GoToLocl")
    monkeypatch.setenv("BABYAI_DONE_ACTIONS", "1")
    with pytest.raises(InputError, match="unset BABYAI_DONE_ACTIONS"):
        environment()


def test_an_action_that_was_recorded_and_read_again_is_the_same(environment):
    world = environment()
    world.reset(0)
    assert world.step(aegis.Action("left")).outcome.status == "ok"


def test_resetting_prints_nothing(environment, capsys):
    """minigrid prints drafts that it throws away; GoToLocal throws many away."""
    world = environment()
    for seed in range(20):
        world.reset(seed)
    assert capsys.readouterr().out == ""
