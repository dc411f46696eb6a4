"""Views are made of images, the mission and own actions, and of nothing else."""

from __future__ import annotations

import inspect
import json
import random
import re
import subprocess
import sys

import numpy as np
import pytest

from aegis_babyai.actions import ACTIONS
from aegis_babyai.levels import LEVELS
from aegis_babyai.observer import LAST, Observer
from aegis_babyai.world import begin, open_world

EMPTY, WALL = (1, 0, 0), (2, 5, 0)


def _image(at=()):
    """Return an image of an empty floor with things at (ahead, aside)."""
    image = np.empty((7, 7, 3), np.uint8)
    image[:] = EMPTY
    for (ahead, aside), cell in dict(at).items():
        image[3 + aside, 6 - ahead] = cell
    return image


def test_nothing_else_can_get_in():
    """It is handed three things, and what makes views imports no world to ask for more."""
    assert list(inspect.signature(Observer).parameters) == ["mission", "limit", "track", "image"]
    assert list(inspect.signature(Observer.after).parameters) == ["self", "action", "image"]
    code = "import json, sys, aegis_babyai.observer\nprint(json.dumps(sorted(sys.modules)))\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "aegis_babyai.rendering" in loaded
    assert not loaded & {"aegis_babyai.world", "aegis_babyai.environment", "minigrid", "gymnasium"}


def test_a_walk_is_seen_and_remembered():
    """A red ball two ahead and one right; the agent turns right, walks, and turns back."""
    ball = (6, 0, 0)
    observer = Observer("go to the red ball", 64, "marked", _image(at={(2, 1): ball, (3, 0): WALL}))
    first = observer.view()
    assert (first.goal, first.step, first.limit) == ("go to the red ball", 1, 64)
    assert first.observation == (
        "walls fff",
        "front nothing",
        "carry nothing",
        "seen ff r target red ball",
    )
    observer.after("right", _image(at={(1, -2): ball}))
    turned = observer.view()
    assert turned.observation[3:] == ("seen f ll target red ball", "last right")
    walked = observer.after("forward", _image(at={(0, -2): ball}))
    assert walked.observation[3:] == ("seen ll target red ball", "last right forward")
    gone = observer.after("right", _image())
    assert gone.observation[3:] == ("past bb target red ball", "last right forward right")
    blocked = observer.after("left", _image(at={(1, 0): WALL, (0, -2): ball}))
    assert blocked.observation[1] == "front wall"
    blocked = observer.after("forward", _image(at={(1, 0): WALL, (0, -2): ball}))
    assert blocked.observation[3:] == (
        "seen ll target red ball",
        "last right left forward blocked",
    )
    assert observer.scene().last == ("right", "left", "forward blocked")
    assert len(observer.scene().last) == LAST
    assert blocked.recent == ()
    assert blocked.step == 6


def test_what_is_no_more_where_it_was_is_forgotten():
    ball = (6, 0, 0)
    observer = Observer("go to the red ball", 64, "unmarked", _image(at={(2, 1): ball}))
    assert observer.after("toggle", _image()).observation[3:] == ("last toggle",)


def test_what_is_carried_keeps_where_it_came_from():
    """What lay on the left at first is what the mission means, wherever it is put."""
    ball, other = (6, 0, 0), (6, 2, 0)
    observer = Observer(
        "pick up a ball on your left", 64, "marked", _image(at={(0, -1): ball, (2, 2): other})
    )
    assert observer.view().observation[3:] == ("seen l target red ball ff rr blue ball",)
    observer.after("left", _image(at={(1, 0): ball}))
    taken = observer.after("pickup", _image(at={(0, 0): ball}))
    assert taken.observation[1:3] == ("front nothing", "carry target red ball")
    observer.after("right", _image(at={(0, 0): ball, (2, 2): other}))
    observer.after("right", _image(at={(0, 0): ball, (2, -2): other}))
    put = observer.after("drop", _image(at={(1, 0): ball, (2, -2): other}))
    assert put.observation[1:] == (
        "front thing",
        "carry nothing",
        "seen f target red ball ff ll blue ball",
        "last right right drop",
    )


@pytest.mark.parametrize(
    "level", ["GoToLocal", "PickupLoc", "PutNextLocal", "GoToSeqS5R2", "BossLevel"]
)
def test_unmarked_nothing_but_the_goal_depends_on_the_mission(level, walks):
    missions = ["go to the red ball", "put a box behind you next to the grey key", "open a door"]
    for world, action, image in walks(level, range(4)):
        if action is None:
            told = [world.mission, *missions]
            observers = [Observer(mission, 64, "unmarked", image) for mission in told]
            views = [observer.view() for observer in observers]
        else:
            views = [observer.after(action, image) for observer in observers]
        assert [view.goal for view in views] == told
        assert len({(v.observation, v.step, v.limit) for v in views}) == 1
        assert not any("target" in v.render() for v in views)


def test_any_level_is_seen():
    """A few dozen words make every view of every level."""
    known, chance = set(), random.Random(0)
    for level in LEVELS:
        world = open_world(level)
        image, mission = begin(world, 5)
        observer = Observer(mission, world.max_steps, "marked", image)
        views = [observer.view()]
        for _ in range(12):
            number = chance.choice((0, 1, 2, 2, 3, 4, 5))
            seen, _, done, short, _ = world.step(number)
            views.append(observer.after(ACTIONS[number], seen["image"]))
            if done or short:
                break
        for view in views:
            assert type(view).parse(view.render()) == view
            known |= {word.strip(",") for line in view.observation for word in line.split()}
            known |= set(view.goal.replace(",", "").split())
    steps = {word for word in known if re.fullmatch(r"f+|b+|l+|r+", word)}
    assert len(known - steps) < 60
    assert all(word.isalpha() for word in known)
