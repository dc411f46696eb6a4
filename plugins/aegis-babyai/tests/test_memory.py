"""What is remembered against the world as it is: the same, by images and own moves alone."""

from __future__ import annotations

import pytest

from aegis_babyai.memory import Memory

LEVELS = (
    "GoToLocal",
    "PutNextLocal",
    "GoToObjDoor",
    "UnlockPickupDist",
    "MiniBossLevel",
    "BossLevel",
)


def _state(thing):
    if thing.type != "door":
        return ""
    return "open" if thing.is_open else "locked" if thing.is_locked else "closed"


@pytest.mark.parametrize("level", LEVELS)
def test_everything_is_where_it_is_remembered_and_the_agent_is_where_it_thinks(
    level, walks, in_world
):
    known = carried = moved = 0
    for world, action, image in walks(level, range(8), toggles=level != "BossLevel"):
        if action is None:
            start, memory = (tuple(world.agent_pos), world.agent_dir), Memory()
            before = start[0]
        else:
            blocked = memory.move(action)
            assert blocked == (action == "forward" and tuple(world.agent_pos) == before)
        before = tuple(world.agent_pos)
        memory.look(image)

        assert in_world(start, memory.place) == before
        assert (start[1] + memory.heading) % 4 == world.agent_dir
        for place, kept in memory.things.items():
            thing = world.grid.get(*in_world(start, place))
            assert (thing.color, thing.type, _state(thing)) == (kept.colour, kept.kind, kept.state)
            known += 1
            if thing.type != "door" and thing.init_pos is not None:
                assert in_world(start, kept.origin) == tuple(thing.init_pos)
                moved += kept.origin != place
        for wall in memory.walls:
            assert world.grid.get(*in_world(start, wall)).type == "wall"
        mine = world.carrying
        assert (memory.carried is None) == (mine is None)
        if mine is not None:
            carried += 1
            assert (mine.color, mine.type) == (memory.carried.colour, memory.carried.kind)
    assert known > 100
    assert level not in {"PutNextLocal", "BossLevel"} or (carried and moved)


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_in_sight_and_the_nearest_walls_are_those_of_the_image(level, walks):
    for _, action, image in walks(level, range(3)):
        if action is None:
            memory = Memory()
        else:
            memory.move(action)
        memory.look(image)

        shown = {
            (6 - row, column - 3)
            for column in range(7)
            for row in range(7)
            if image[column, row, 0] >= 4 and (column, row) != (3, 6)
        }
        assert {memory.seen_from_here(place) for place in memory.seen} == shown
        assert all(memory.at(*memory.seen_from_here(place)) == place for place in memory.seen)
        ahead = [6 - row for row in range(6) if image[3, row, 0] == 2]
        left = [3 - column for column in range(3) if image[column, 6, 0] == 2]
        right = [column - 3 for column in range(4, 7) if image[column, 6, 0] == 2]
        assert memory.near == (min(ahead, default=0), min(left, default=0), min(right, default=0))
