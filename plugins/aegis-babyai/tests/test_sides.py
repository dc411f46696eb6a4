"""Sides against minigrid's own descriptions of objects by their location."""

from __future__ import annotations

import pytest
from minigrid.envs.babyai.core.verifier import ObjDesc

from aegis_babyai.levels import LEVELS
from aegis_babyai.memory import Kept, Memory
from aegis_babyai.mission import wanted_of
from aegis_babyai.observer import Observer
from aegis_babyai.scene import Start
from aegis_babyai.sides import side_at, side_of
from aegis_babyai.world import begin, open_world

LOCATIONS = {"l": "left", "r": "right", "f": "front", "b": "behind"}  # minigrid's words
NAMED = ("PickupLoc", "OpenDoorLoc", "SynthLoc", "BossLevel")


def _located(world):
    """Return the objects on each side, as minigrid finds them where an episode begins."""
    found = {}
    for letter, location in LOCATIONS.items():
        found[letter] = []
        for kind in ("ball", "box", "key", "door"):
            described = ObjDesc(kind, None, location)
            found[letter] += described.find_matching_objs(world)[0]
    return found


@pytest.mark.parametrize("level", NAMED)
def test_a_side_is_what_minigrid_says(level, walks, in_world):
    letters = []
    for world, action, image in walks(level, range(8), toggles=False):
        if action is None:
            start, located = (tuple(world.agent_pos), world.agent_dir), _located(world)
            memory = Memory()
        else:
            memory.move(action)
        memory.look(image)
        for place, kept in memory.things.items():
            thing = world.grid.get(*in_world(start, place))
            side = side_of(kept, memory)
            for letter, things in located.items():
                assert (letter in side) == any(thing is one for one in things)
            letters += side
    assert {*letters} == {*"flrbo"}


def test_a_side_ends_with_the_room_that_the_agent_began_in():
    memory = Memory()
    memory.walls = {(-3, 0), (3, 0), (-5, 0), (0, 2)}
    places = [(-1, 0), (-3, -9), (1, 0), (0, 1), (-4, 0), (-1, 3)]
    sides = [side_of(Kept("red", "ball", "", place), memory) for place in places]
    assert sides == ["ol", "bl", "or", "fo", "oo", "oo"]


def test_the_side_of_a_place_seen_from_elsewhere():
    """Two steps ahead of the beginning, looking to its right."""
    start = Start(0, 2, "r")
    places = [(1, 0), (0, 3), (0, 2), (-1, 2), (0, -1), (2, 4)]
    assert [side_at(start, *place) for place in places] == ["fr", "bo", "oo", "ol", "fo", "br"]


def test_places_and_sides_agree_until_something_is_moved(walks):
    told = 0
    for world, action, image in walks("PickupLoc", range(6), toggles=False):
        if action is None:
            observer = Observer(world.mission, 64, "unmarked", True, image)
        elif action in {"pickup", "drop"}:
            break
        else:
            observer.after(action, image)
        scene = observer.scene()
        for thing, *place in (*scene.seen, *scene.past):
            assert thing.side == side_at(scene.start, *place)
            told += 1
    assert told


@pytest.mark.parametrize("level", LEVELS)
def test_sides_are_told_in_the_levels_whose_missions_name_them(level):
    world, named = open_world(level), False
    for seed in range(40 if LEVELS[level].sides else 5):
        _, mission = begin(world, seed)
        named = named or any(one.side for one in wanted_of(mission))
    assert named == LEVELS[level].sides
