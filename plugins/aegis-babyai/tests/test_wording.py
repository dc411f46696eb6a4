"""The same step in other words, against minigrid's own planner."""

from __future__ import annotations

import random

import pytest
from minigrid.envs.babyai.core.verifier import ObjDesc, PickupInstr
from minigrid.utils.baby_ai_bot import BabyAIBot

from aegis_babyai.actions import ACTIONS
from aegis_babyai.environment import CANDIDATES, BabyAI
from aegis_babyai.levels import LEVELS
from aegis_babyai.mission import wanted_of
from aegis_babyai.rendering import scene_of
from aegis_babyai.scene import Scene, Sight, Start, Thing, Walls
from aegis_babyai.settings import BabyAISettings
from aegis_babyai.wording import reworded
from aegis_babyai.world import begin, open_world

LEVEL = LEVELS["PickupLoc"]
SIDES = {"l": "left", "r": "right", "f": "front", "b": "behind", "": None}


def _demonstration(seed):
    """Return the mission, scene and action of each step of the bot's episode, and its number."""
    world = BabyAI(BabyAISettings(level="PickupLoc", track="unmarked"))
    view = world.reset(seed)
    (bot,) = world.experts()["bot"]
    steps, done = [], False
    while not done:
        action = bot.advice()
        steps.append((scene_of(view.observation), action))
        result = world.step(CANDIDATES[ACTIONS.index(action)])
        view, done = result.view, result.done
    return view.goal, steps, world.episode.level_seed


def _meant(scene, mission):
    (wanted,) = wanted_of(mission)
    return {
        sight
        for sight in (*scene.seen, *scene.past)
        if wanted.describes(sight.thing.colour, sight.thing.kind, sight.thing.side)
    }


def test_other_words_mean_the_same_of_what_is_known():
    drawing, new, sides, plain = random.Random(0), 0, set(), 0
    for seed in range(12):
        mission, steps, _ = _demonstration(seed)
        for scene, _ in steps * 3:
            other = reworded(scene, mission, LEVEL, drawing)
            assert _meant(scene, other) == _meant(scene, mission)
            (wanted,) = wanted_of(other)
            new += other != mission
            sides.add(wanted.side)
            plain += not wanted.colour
    assert new > 50
    assert sides == {*SIDES}
    assert plain


@pytest.mark.parametrize(
    ("mission", "may_be"),
    [
        (
            "pick up the ball",
            {"red ball", "ball", *(f"{c}ball {s}" for c in ("", "red ") for s in ("f", "l"))},
        ),
    ],
)
def test_the_words_for_one_thing_are_all_that_mean_it_alone(mission, may_be):
    """Beside a red ball ahead on the left lies a red box ahead on the right."""
    things = (Sight(Thing("red", "ball", side="fl"), 3, -2),)
    others = (Sight(Thing("red", "box", side="fr"), 2, 1),)
    scene = Scene(Walls(5, 0, 3), None, things, others, start=Start(0, 0, "f"))
    drawing = random.Random(0)
    found = {reworded(scene, mission, LEVEL, drawing) for _ in range(300)}
    words = set()
    for each in found:
        (wanted,) = wanted_of(each)
        words.add(" ".join(filter(None, (wanted.colour, wanted.kind, wanted.side))))
        assert " the " in each  # it was the only ball, whatever else is said of it
    assert words == may_be


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
    assert {reworded(scene, mission, LEVEL, drawing) for _ in range(50)} == {mission}


def test_the_bot_does_the_same_by_other_words():
    """The world is given the other mission from the beginning, and minigrid's planner is asked.

    Where nothing in the world is meant by it, it is no mission there and nothing can be asked.
    """
    drawing, same, asked, searching = random.Random(1), 0, 0, 0
    for seed in range(40):
        mission, steps, number = _demonstration(seed)
        for index, (scene, action) in enumerate(steps):
            other = reworded(scene, mission, LEVEL, drawing)
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
    assert asked > 60
    assert searching
    assert same / asked > 0.97, f"{same} of {asked}"
