"""The same step with something in hand, against minigrid's own planner."""

from __future__ import annotations

import random
from itertools import product

import pytest
from minigrid.core.world_object import Ball, Box, Key
from minigrid.utils.baby_ai_bot import BabyAIBot

from aegis_babyai.actions import ACTIONS
from aegis_babyai.hands import MOVES, laden
from aegis_babyai.scene import Scene, Sight, Thing, Walls
from aegis_babyai.world import begin, open_world

THINGS = [Thing(*words) for words in product(("red", "blue", "grey"), ("ball", "box", "key"))]
EMPTY = Scene(Walls(3, 0, 2), None, tuple(Sight(one, 2, n - 3) for n, one in enumerate(THINGS)), ())
KINDS = {"ball": Ball, "box": Box, "key": Key}


def drawn(scene, mission, action, times=600):
    drawing = random.Random(0)
    return [laden(scene, mission, action, drawing) for _ in range(times)]


def test_who_goes_somewhere_sometimes_carries_what_the_mission_does_not_speak_of():
    found = drawn(EMPTY, "go to a red ball", "left")
    carried = [scene.carried for scene in found if scene.carried is not None]
    assert 30 < len(carried) < 90
    assert {*carried} == {*THINGS} - {Thing("red", "ball")}
    assert {scene._replace(carried=None) for scene in found} == {EMPTY}


@pytest.mark.parametrize(
    ("scene", "mission", "action"),
    [
        (EMPTY._replace(carried=Thing("blue", "key")), "go to a red ball", "left"),
        (EMPTY._replace(seen=(Sight(Thing("red", "ball"), 2, 0),)), "go to a red ball", "left"),
        (EMPTY, "pick up a red ball", "left"),
        (EMPTY, "put a red ball next to a blue box", "forward"),
        (EMPTY, "go to a red ball", "pickup"),
        (EMPTY, "go to a red ball", "drop"),
    ],
)
def test_nobody_carries_more_whose_hands_are_needed(scene, mission, action):
    assert set(drawn(scene, mission, action)) == {scene}


@pytest.mark.parametrize("level", ["GoToRedBall", "GoToLocal"])
def test_the_bot_does_the_same_with_its_hands_full(level, demonstration):
    asked = 0
    for seed in range(6):
        mission, steps, number = demonstration(level, seed)
        for index, (scene, action) in enumerate(steps):
            if scene.carried is not None or action not in MOVES:
                break
            thing = next((s.carried for s in drawn(scene, mission, action) if s.carried), None)
            if thing is None:  # nothing else is known
                continue
            world = open_world(level)
            begin(world, number)
            bot, taken = BabyAIBot(world), None
            for _, earlier in steps[:index]:
                bot.replan(taken)
                taken = ACTIONS.index(earlier)
                world.step(taken)
            bot.replan(taken)
            world.unwrapped.carrying = KINDS[thing.kind](thing.colour)
            anew = BabyAIBot(world)
            anew.vis_mask = bot.vis_mask
            assert ACTIONS[int(anew.replan(None))] == action
            asked += 1
    assert asked > 12
