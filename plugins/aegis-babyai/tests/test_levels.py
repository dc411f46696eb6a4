"""The table of levels against minigrid itself."""

from __future__ import annotations

import re

import gymnasium
import minigrid  # noqa: F401 - registers the levels
import pytest
from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX, STATE_TO_IDX

from aegis_babyai.actions import ACTIONS
from aegis_babyai.levels import COLOURS, LEVELS, WITHOUT_TEACHER
from aegis_babyai.memory import KINDS, STATES
from aegis_babyai.world import begin, open_world

TYPES = ("ball", "box", "key")


def _worlds(level, count):
    world = open_world(level)
    for seed in range(count):
        _, mission = begin(world, seed)
        yield world, mission


def _free(level):
    """Return the names that have somebody to change with."""
    return {name for block in level.colours + level.types for name in block if len(block) > 1}


def test_the_levels_are_those_of_minigrid_but_for_those_that_its_bot_does_not_master():
    names = {re.fullmatch(r"BabyAI-(\w+)-v0", name) for name in gymnasium.registry}
    assert {name[1] for name in names if name} == LEVELS.keys() | WITHOUT_TEACHER
    assert not LEVELS.keys() & WITHOUT_TEACHER


def test_the_numbers_are_minigrids():
    assert {name: number for number, name in enumerate(COLOURS)} == COLOR_TO_IDX
    assert {name: number for number, name in enumerate(STATES)} == STATE_TO_IDX
    assert {name: OBJECT_TO_IDX[name] for name in KINDS.values()} == {
        name: number for number, name in KINDS.items()
    }
    assert {name: OBJECT_TO_IDX[name] for name in ("unseen", "empty", "wall")} == {
        "unseen": 0,
        "empty": 1,
        "wall": 2,
    }
    assert [action.name for action in open_world("GoToLocal").actions] == list(ACTIONS)


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_exchanged_is_drawn_alike(level):
    said, locked, blocks = [], False, LEVELS[level].colours + LEVELS[level].types
    for number, (world, mission) in enumerate(_worlds(level, 60)):
        if number >= 10 and not set.intersection(*said) & _free(LEVELS[level]):
            break  # what ten missions have in common by chance, sixty have not
        said.append(set(re.findall(r"\w+", mission)))
        cells = [cell for cell in world.grid.grid if cell is not None]
        locked = locked or any(cell.type == "door" and cell.is_locked for cell in cells)
        assert world.action_space.n == len(ACTIONS)
        assert world.max_steps > 0

    always = set.intersection(*said)
    assert not always & _free(LEVELS[level]), "a word of every mission may be exchanged"
    assert not locked or "key" not in _free(LEVELS[level]), "a key may become what opens no door"
    assert all(set(block) <= set(COLOURS) or set(block) <= set(TYPES) for block in blocks)
    names = [name for block in blocks for name in block]
    assert len(names) == len(set(names))


def test_only_where_missions_know_objects_of_a_colour_are_walls_among_them():
    """So that "a grey object" is said of one object, and "a red object" only of several."""
    grey, other = set(), set()
    for _, mission in _worlds("PickupDist", 150):
        found = re.fullmatch(r"pick up (a|the) (\w+) object", mission)
        if found:
            (grey if found[2] == "grey" else other).add(found[1])
    assert (grey, other) == ({"a"}, {"a", "the"})
    assert "grey" not in _free(LEVELS["PickupDist"]) | _free(LEVELS["PickupDistDebug"])

    elsewhere = LEVELS.keys() - {"PickupDist", "PickupDistDebug"}
    for level in elsewhere:
        assert not any("object" in mission for _, mission in _worlds(level, 2))
