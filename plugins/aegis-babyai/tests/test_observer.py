"""Views are made of images, the mission and own actions, and of nothing else."""

from __future__ import annotations

import inspect
import itertools
import json
import random
import re
import subprocess
import sys

import numpy as np
import pytest

from aegis_babyai.actions import ACTIONS
from aegis_babyai.levels import LEVELS
from aegis_babyai.observer import Observer
from aegis_babyai.rendering import LAST
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
    """It is handed what is seen, the mission and facts of the level, and what makes views imports no world to ask for more."""
    assert list(inspect.signature(Observer).parameters) == [
        "mission",
        "limit",
        "track",
        "sides",
        "image",
    ]
    assert list(inspect.signature(Observer.after).parameters) == ["self", "action", "image"]
    code = "import json, sys, aegis_babyai.observer\nprint(json.dumps(sorted(sys.modules)))\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "aegis_babyai.rendering" in loaded
    assert not loaded & {"aegis_babyai.world", "aegis_babyai.environment", "minigrid", "gymnasium"}


def test_a_walk_is_seen_and_remembered():
    """A red ball two ahead and one right; the agent turns right, walks, and turns back."""
    ball = (6, 0, 0)
    observer = Observer(
        "go to the red ball", 64, "marked", False, _image(at={(2, 1): ball, (3, 0): WALL})
    )
    first = observer.view()
    assert (first.goal, first.step, first.limit) == ("go to the red ball", 1, 64)
    assert first.observation == (
        "walls 3 0 0",
        "carry no thing",
        "last none none none",
        "seen ff r target red ball",
    )
    observer.after("right", _image(at={(1, -2): ball}))
    turned = observer.view()
    assert turned.observation[2:] == ("last none none right", "seen f ll target red ball")
    walked = observer.after("forward", _image(at={(0, -2): ball}))
    assert walked.observation[3:] == ("seen o ll target red ball",)
    gone = observer.after("right", _image())
    assert gone.observation[2:] == ("last right forward right", "past bb o target red ball")
    blocked = observer.after("left", _image(at={(1, 0): WALL, (0, -2): ball}))
    assert blocked.observation[0] == "walls 1 0 0"
    blocked = observer.after("forward", _image(at={(1, 0): WALL, (0, -2): ball}))
    assert blocked.observation[2:] == ("last right left blocked", "seen o ll target red ball")
    assert observer.scene().last == ("right", "left", "forward blocked")
    assert len(observer.scene().last) == LAST
    assert blocked.recent == ()
    assert blocked.step == 6


def test_what_is_no_more_where_it_was_is_forgotten():
    ball = (6, 0, 0)
    observer = Observer("go to the red ball", 64, "unmarked", False, _image(at={(2, 1): ball}))
    assert observer.after("toggle", _image()).observation[2:] == ("last none none toggle",)


def test_what_is_carried_keeps_where_it_came_from():
    """What lay on the left at first is what the mission means, wherever it is put."""
    ball, other = (6, 0, 0), (6, 2, 0)
    observer = Observer(
        "pick up a ball on your left", 64, "marked", True, _image(at={(0, -1): ball, (2, 2): other})
    )
    assert observer.view().observation[3:] == (
        "seen o l target red ball seen ff rr plain blue ball",
    )
    observer.after("left", _image(at={(1, 0): ball}))
    taken = observer.after("pickup", _image(at={(0, 0): ball}))
    assert taken.observation[1] == "carry target red ball"
    observer.after("right", _image(at={(0, 0): ball, (2, 2): other}))
    observer.after("right", _image(at={(0, 0): ball, (2, -2): other}))
    put = observer.after("drop", _image(at={(1, 0): ball, (2, -2): other}))
    assert put.observation[1:] == (
        "carry no thing",
        "last right right drop",
        "seen f o target red ball seen ff ll plain blue ball",
    )


def test_where_missions_name_sides_they_are_told():
    """A ball ahead on the left; the agent turns left, takes it, and puts it down behind."""
    ball = (6, 0, 0)
    observer = Observer(
        "pick up a ball", 64, "unmarked", True, _image(at={(1, -1): ball, (4, 0): (5, 2, 0)})
    )
    assert observer.view().observation == (
        "walls 0 0 0",
        "start o o f",
        "carry oo no thing",
        "last none none none",
        "seen f l fl red ball seen ffff o fo blue key",
    )
    observer.after("forward", _image(at={(0, -1): ball, (3, 0): (5, 2, 0)}))
    turned = observer.after("left", _image(at={(1, 0): ball, (0, 3): (5, 2, 0)}))
    assert turned.observation[1] == "start o l l"
    assert turned.observation[4] == "seen f o fl red ball seen o rrr fo blue key"
    taken = observer.after("pickup", _image(at={(0, 0): ball, (0, 3): (5, 2, 0)}))
    assert taken.observation[2] == "carry fl red ball"
    observer.after("left", _image(at={(0, 0): ball}))
    put = observer.after("drop", _image(at={(1, 0): ball}))
    assert put.observation[1:] == (
        "start f o b",
        "carry oo no thing",
        "last pickup left drop",
        "seen f o fl red ball past bbb o fo blue key",
    )


@pytest.mark.parametrize(
    "level", ["GoToLocal", "PickupLoc", "PutNextLocal", "GoToSeqS5R2", "BossLevel"]
)
def test_unmarked_nothing_but_the_goal_depends_on_the_mission(level, walks):
    sides = LEVELS[level].sides
    missions = ["go to the red ball", "put a box behind you next to the grey key", "open a door"]
    for world, action, image in walks(level, range(4)):
        if action is None:
            told = [world.mission, *missions]
            observers = [Observer(mission, 64, "unmarked", sides, image) for mission in told]
            views = [observer.view() for observer in observers]
        else:
            views = [observer.after(action, image) for observer in observers]
        assert [view.goal for view in views] == told
        assert len({(v.observation, v.step, v.limit) for v in views}) == 1
        assert not any("target" in v.render() for v in views)


def test_any_level_is_seen():
    """A few dozen words make every view of every level."""
    known, chance = set(), random.Random(0)
    for level, track in itertools.product(LEVELS, ["marked", "unmarked"]):
        world = open_world(level)
        image, mission = begin(world, 5)
        observer = Observer(mission, world.max_steps, track, LEVELS[level].sides, image)
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
    assert len(known - steps) < 70
    assert all(word.isalpha() or re.fullmatch(r"\d", word) for word in known)
