"""The same step in other words, against minigrid's own planner."""

from __future__ import annotations

import random

import pytest
from minigrid.envs.babyai.core.verifier import ObjDesc, PickupInstr
from minigrid.utils.baby_ai_bot import BabyAIBot

from aegis_babyai.actions import ACTIONS
from aegis_babyai.levels import LEVELS
from aegis_babyai.mission import wanted_of
from aegis_babyai.scene import Scene, Sight, Start, Thing, Walls
from aegis_babyai.wording import alike, reworded
from aegis_babyai.world import begin, open_world

LEVEL = LEVELS["PickupLoc"]
SIDES = {"l": "left", "r": "right", "f": "front", "b": "behind", "": None}


def _reworded(scene, mission, drawing):
    return reworded(mission, alike(scene, mission, LEVEL), drawing)


def _meant(scene, mission):
    (wanted,) = wanted_of(mission)
    return {sight for sight in (*scene.seen, *scene.past) if wanted.means(sight.thing)}


def test_other_words_mean_the_same_of_what_is_known(demonstration):
    drawing, new, sides, plain = random.Random(0), 0, set(), 0
    for seed in range(12):
        mission, steps, _ = demonstration("PickupLoc", seed)
        for scene, _ in steps * 3:
            other = _reworded(scene, mission, drawing)
            assert _meant(scene, other) == _meant(scene, mission)
            (wanted,) = wanted_of(other)
            new += other != mission
            sides.add(wanted.side)
            plain += not wanted.colour
    assert new > 50
    assert sides == {*SIDES}
    assert plain


def test_the_words_for_one_thing_are_all_that_mean_it_alone():
    """Beside a red ball ahead on the left lies a red box ahead on the right."""
    things = (Sight(Thing("red", "ball", side="fl"), 3, -2),)
    others = (Sight(Thing("red", "box", side="fr"), 2, 1),)
    scene = Scene(Walls(5, 0, 3), None, things, others, start=Start(0, 0, "f"))
    drawing = random.Random(0)
    found = {_reworded(scene, "pick up the ball", drawing) for _ in range(300)}
    ball = ("ball", "red ball")
    sides = ("", " on your left", " in front of you")
    # It was the only ball, whatever else is said of it.
    assert found == {f"pick up the {thing}{side}" for thing in ball for side in sides}


def test_what_was_not_found_may_be_anything_that_is_not_known():
    things = (Sight(Thing("red", "ball", side="fl"), 3, -2),)
    scene = Scene(Walls(5, 0, 3), None, things, (), start=Start(0, 0, "f"))
    found = alike(scene, "pick up the blue ball on your left", LEVEL)
    assert len(found) == 7 * 3 * 5 - 2 * 3  # with or without colour; ahead, on the left or nothing
    drawing = random.Random(0)
    said = {_reworded(scene, "pick up the blue ball on your left", drawing) for _ in range(3000)}
    assert {"pick up the red box", "pick up a red box", "pick up a ball behind you"} <= said


@pytest.mark.parametrize(
    "mission",
    [
        "pick up a ball",  # there are two
        "put the red ball next to the blue box",
        "pick up the green object",
        "open the red door",
    ],
)
def test_where_the_words_do_not_tell_which_one_was_chosen_they_stay(mission):
    things = (Sight(Thing("red", "ball", side="fl"), 3, -2), Sight(Thing("blue", "ball"), 2, 1))
    scene = Scene(Walls(5, 0, 3), None, things, (), start=Start(0, 0, "f"))
    drawing = random.Random(0)
    assert {_reworded(scene, mission, drawing) for _ in range(50)} == {mission}


def test_the_bot_does_the_same_by_other_words(demonstration):
    """The world is given the other mission from the beginning, and minigrid's planner is asked.

    Where nothing in the world is meant by it, it is no mission there and nothing can be asked.
    """
    drawing, same, asked, searching = random.Random(1), 0, 0, 0
    for seed in range(16):
        mission, steps, number = demonstration("PickupLoc", seed)
        for index, (scene, action) in enumerate(steps):
            other = _reworded(scene, mission, drawing)
            world = open_world("PickupLoc")
            begin(world, number)
            (wanted,) = wanted_of(other)
            meant = ObjDesc(wanted.kind, wanted.colour or None, SIDES[wanted.side])
            if other == mission or not meant.find_matching_objs(world)[0]:
                continue
            world.unwrapped.instrs = PickupInstr(meant)
            world.unwrapped.instrs.reset_verifier(world)
            bot, taken = BabyAIBot(world), None
            for _, earlier in steps[:index]:
                bot.replan(taken)
                taken = ACTIONS.index(earlier)
                world.step(taken)
            same += ACTIONS[int(bot.replan(taken))] == action
            asked += 1
            searching += not _meant(scene, mission)
    assert asked > 18
    assert searching
    assert same / asked > 0.97, f"{same} of {asked}"
