"""The same step after a detour, against minigrid's own planner."""

from __future__ import annotations

import random

import pytest
from minigrid.utils.baby_ai_bot import BabyAIBot

from aegis_babyai.actions import ACTIONS
from aegis_babyai.detours import PUSHES, TURNS, all_known, detoured, stuck
from aegis_babyai.scene import Scene, Sight, Thing, Walls
from aegis_babyai.world import begin, open_world

NOTHING = Scene(Walls(3, 0, 2), None, (), (), ("left",))
BALL = Sight(Thing("red", "ball"), 1, 0)


def _drawn(scene, mission, times=200):
    drawing = random.Random(0)
    return {detoured(scene, mission, drawing).last for _ in range(times)}


def test_who_faces_nothing_and_knows_nothing_makes_no_detour():
    assert _drawn(NOTHING, "go to the red ball") == {("left",)}


@pytest.mark.parametrize(
    "scene",
    [
        NOTHING._replace(walls=Walls(1, 0, 2)),
        NOTHING._replace(seen=(BALL,)),
        NOTHING._replace(seen=(Sight(Thing("red", "door", "locked"), 1, 0),)),
    ],
)
def test_who_faces_something_may_have_pushed_against_it(scene):
    found = _drawn(scene, "go to the blue box")
    pushed = "forward blocked"
    assert found == {("left",), ("left", pushed), ("left", pushed, pushed), (pushed,) * 3}


def test_an_open_door_is_in_nobodys_way():
    door = Sight(Thing("red", "door", "open"), 1, 0)
    assert not stuck(NOTHING._replace(seen=(door,)))


def test_who_knows_what_is_wanted_may_have_turned_away_and_back():
    for known in (NOTHING._replace(past=(BALL,)), NOTHING._replace(carried=BALL.thing)):
        found = _drawn(known, "go to the red ball")
        assert found == {("left",), *((("left", *way)[-3:]) for way in TURNS)}
    assert not all_known(known, "put the red ball next to the blue box")


def _world(level, number, actions):
    """Return a world after some actions of its bot, and what the bot has seen."""
    world = open_world(level)
    begin(world, number)
    bot, taken = BabyAIBot(world), None
    for action in actions:
        bot.replan(taken)
        taken = ACTIONS.index(action.split()[0])
        world.step(taken)
    bot.replan(taken)
    return world, bot.vis_mask


@pytest.mark.parametrize("level", ["GoToLocal", "PickupLoc", "PutNextLocal"])
def test_a_detour_changes_nothing_and_the_bot_does_the_same_after_it(level, demonstration):
    """A bot that has seen as much is asked anew at the place; an old one would only undo it.

    It is asked before it carries anything, for anew it would look for that first.
    """
    asked = same = 0
    for seed in range(5):
        mission, steps, number = demonstration(level, seed)
        for index, (scene, action) in enumerate(steps):
            if scene.carried is not None:
                break
            taken = [earlier for _, earlier in steps[:index]]
            ways = [PUSHES[0]] if stuck(scene) else []
            ways += [TURNS[seed]] if all_known(scene, mission) else []
            for way in ways:
                world, seen = _world(level, number, [*taken, *way])
                assert _pose(world) == _pose(_world(level, number, taken)[0])
                anew = BabyAIBot(world)
                anew.vis_mask = seen
                same += ACTIONS[int(anew.replan(None))] == action
                asked += 1
    assert asked > 12
    assert same / asked > 0.95, f"{same} of {asked}"


def _pose(world):
    return tuple(world.unwrapped.agent_pos), int(world.unwrapped.agent_dir)
