"""What the tests of BabyAI share."""

import random

import pytest

from aegis_babyai.actions import ACTIONS
from aegis_babyai.environment import CANDIDATES, BabyAI
from aegis_babyai.rendering import scene_of
from aegis_babyai.settings import BabyAISettings
from aegis_babyai.world import begin, open_world

AHEAD = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""minigrid's directions."""


@pytest.fixture(scope="session")
def environment():
    """Return the function that makes an environment."""
    return lambda level="GoToLocal", **rest: BabyAI(BabyAISettings(level=level, **rest))


@pytest.fixture(scope="session")
def candidate():
    """Return the function that gives the candidate of a name."""
    return lambda name: CANDIDATES[ACTIONS.index(name)]


@pytest.fixture(scope="session")
def demonstration():
    """Return the function that gives an episode of the bot.

    That is the mission, the scene and action of each step, and the number of the world.
    """
    return _demonstration


@pytest.fixture(scope="session")
def walks():
    """Return the function that walks through worlds of a level, for the bot half of the time.

    It yields for every step the world, the action before it (None at first) and what is seen.
    """
    return _walks


@pytest.fixture(scope="session")
def in_world():
    """Return the function from places that are counted from a start to those of the world."""

    def place_of(start, place):
        (x, y), direction = start
        (fx, fy), (rx, ry) = AHEAD[direction], AHEAD[(direction + 1) % 4]
        return x + place[0] * rx + place[1] * fx, y + place[0] * ry + place[1] * fy

    return place_of


def _demonstration(level, seed, track="unmarked"):
    world = BabyAI(BabyAISettings(level=level, track=track))
    view = world.reset(seed)
    (bot,) = world.experts()["bot"]
    steps, done = [], False
    while not done:
        action = bot.advice()
        steps.append((scene_of(view.observation), action))
        result = world.step(CANDIDATES[ACTIONS.index(action)])
        view, done = result.view, result.done
    return view.goal, steps, world.episode.level_seed


def _walks(level, seeds, steps=60, toggles=True):
    from minigrid.utils.baby_ai_bot import BabyAIBot

    for seed in seeds:
        world, chance = open_world(level), random.Random(seed)
        image, _ = begin(world, seed)
        yield world, None, image
        planner, done = BabyAIBot(world), False
        for _ in range(steps):
            if done:
                break
            if planner is not None and chance.random() < 0.5:
                number = int(planner.replan())
            else:
                planner = None
                number = chance.choice((0, 1, 2, 2, 2, 3, 4, 5 if toggles else 2))
            seen, _, done, short, _ = world.step(number)
            done = done or short
            yield world, ACTIONS[number], seen["image"]
