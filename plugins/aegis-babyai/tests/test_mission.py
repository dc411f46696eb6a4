"""Marks against minigrid's own list of the objects that a mission is about."""

from __future__ import annotations

import pytest

from aegis_babyai.memory import Memory
from aegis_babyai.mission import Wanted, mark_of, wanted_of


def test_a_mission_is_read_in_its_order():
    assert wanted_of("go to the red ball") == (Wanted("target", "red", "ball", ""),)
    assert wanted_of("pick up a box on your left") == (Wanted("target", "", "box", "l"),)
    assert wanted_of("put a grey key in front of you next to the door behind you") == (
        Wanted("target", "grey", "key", "f"),
        Wanted("goal", "", "door", "b"),
    )
    assert wanted_of("pick up the blue object, then open a door on your right") == (
        Wanted("target", "blue", "object", ""),
        Wanted("target", "", "door", "r"),
    )


def _meant(world):
    """Return the objects that an instruction of minigrid is about, by mark."""
    found = {"target": [], "goal": []}

    def add(one):
        for part in ("instr_a", "instr_b"):
            if hasattr(one, part):
                add(getattr(one, part))
        for part, mark in (("desc", "target"), ("desc_move", "target"), ("desc_fixed", "goal")):
            if hasattr(one, part):
                found[mark] += getattr(one, part).obj_set

    add(world.instrs)
    return found


@pytest.mark.parametrize(
    "level",
    [
        "GoToRedBall",
        "GoToLocal",
        "PickupLoc",
        "PickupDist",
        "PutNextLocal",
        "OpenDoorLoc",
        "GoToSeqS5R2",
        "FindObjS5",
        "SynthLoc",
        "BossLevel",
    ],
)
def test_what_a_mission_is_about_is_marked_and_nothing_else(level, walks, in_world):
    """Looked up in the world itself, which the view never is."""
    marked = plain = 0
    for world, action, image in walks(level, range(10), toggles=False):
        if action is None:
            start = tuple(world.agent_pos), world.agent_dir
            memory, wanted = Memory(), wanted_of(world.mission)
        else:
            memory.move(action)
        memory.look(image)
        meant = _meant(world)
        for place, kept in memory.things.items():
            thing = world.grid.get(*in_world(start, place))
            marks = {m for m, things in meant.items() if any(thing is one for one in things)}
            mark = mark_of(wanted, kept, memory)
            assert (mark in marks) if marks else mark == ""
            marked, plain = marked + bool(mark), plain + (not mark)
    assert marked and plain
