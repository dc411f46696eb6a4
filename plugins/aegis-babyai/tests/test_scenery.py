from __future__ import annotations

import random

import pytest
from minigrid.core.world_object import Ball, Box, Key
from minigrid.utils.baby_ai_bot import BabyAIBot

from aegis_babyai.actions import ACTIONS
from aegis_babyai.levels import LEVELS
from aegis_babyai.mission import wanted_of
from aegis_babyai.rendering import facing
from aegis_babyai.scene import Scene, Sight, Thing, Walls
from aegis_babyai.scenery import redrawn
from aegis_babyai.sides import side_at
from aegis_babyai.world import begin, open_world

FOUR = ("GoToRedBall", "GoToLocal", "PickupLoc", "PutNextLocal")
TURNS = {"left": -1, "right": 1}
SMALL = ("GoToLocalS5N2", "PutNextLocalS6N4", "PickupDist")


def _redrawn(scene, mission, level, drawing, action):
    return redrawn(scene, mission, LEVELS[level], drawing, turn=TURNS.get(action, 0))


def _means(mission, thing):
    return any(one.means(thing) for one in wanted_of(mission))


def _in_sight(place):
    return 0 <= place[0] <= 6 and abs(place[1]) <= 3


@pytest.mark.parametrize("level", [*FOUR, *SMALL])
@pytest.mark.parametrize("track", ["marked", "unmarked"])
def test_what_the_mission_speaks_of_and_the_way_there_stay(level, track, demonstration):
    drawing, moved, renamed, left_out = random.Random(0), 0, 0, 0
    for seed in range(6):
        mission, steps, _ = demonstration(level, seed, track)
        for scene, action in steps * 3:
            turning = action in TURNS
            new = redrawn(scene, mission, LEVELS[level], drawing, turn=TURNS.get(action, 0))
            assert (new.walls, new.carried, new.last) == (scene.walls, scene.carried, scene.last)
            before, after = [*scene.seen, *scene.past], [*new.seen, *new.past]
            named = [sight for sight in before if _means(mission, sight.thing)]
            assert [sight for sight in after if _means(mission, sight.thing)] == named
            places = [sight[1:] for sight in after]
            assert len({*places, (0, 0)}) == len(places) + 1
            assert all(_in_sight(sight[1:]) for sight in new.seen)
            faced, now = ([s for s in told if s[1:] == (1, 0)] for told in (before, after))
            if not turning:
                assert faced == now
            elif faced:
                assert [s[1:] for s in now] == [(1, 0)]
            for ahead, aside in (sight[1:] for sight in named):
                within = {
                    (x, y)
                    for x in range(min(0, ahead), max(0, ahead) + 1)
                    for y in range(min(0, aside), max(0, aside) + 1)
                } - ({(1, 0)} if action in TURNS else set())
                assert within & {s[1:] for s in before} == within & {*places}
            left_out += len(after) < len(before)
            moved += bool({*places} - {sight[1:] for sight in before})
            renamed += bool({s.thing for s in after} - {s.thing for s in before})
    assert moved and left_out and renamed


def test_a_side_is_that_of_the_new_place_and_what_is_on_another_side_may_have_the_name(
    demonstration,
):
    level, drawing, others = LEVELS["PickupLoc"], random.Random(3), 0
    for seed in range(12):
        mission, steps, _ = demonstration("PickupLoc", seed)
        for scene, action in steps * 2:
            new = redrawn(scene, mission, level, drawing, turn=TURNS.get(action, 0))
            for sight in (*new.seen, *new.past):
                assert sight.thing.side == side_at(scene.start, *sight[1:])
            old = {(*sight.thing[:2], *sight[1:]) for sight in (*scene.seen, *scene.past)}
            for thing, *place in (*new.seen, *new.past):
                (wanted,) = wanted_of(mission)
                if (*thing[:2], *place) not in old and wanted.describes(*thing[:2], ""):
                    assert wanted.side not in thing.side
                    others += 1
    assert others


def test_who_turns_may_face_something_else(demonstration):
    """Anything that is not wanted, and nothing where something has to be done with it."""
    drawing, put, renamed = random.Random(4), 0, 0
    for seed in range(10):
        mission, steps, _ = demonstration("PickupLoc", seed)
        for scene, _ in steps * 2:
            faced, kept = facing(scene), facing(_redrawn(scene, mission, "PickupLoc", drawing, ""))
            assert kept == faced
            now = facing(_redrawn(scene, mission, "PickupLoc", drawing, "left"))
            assert now == faced or not _means(mission, now)
            put += faced is None and now is not None
            renamed += None not in {faced, now} and now != faced
    assert put and renamed


@pytest.mark.parametrize(("turn", "may_face"), [(-1, True), (1, False), (0, False)])
def test_nothing_is_put_in_front_where_the_way_may_lead_through(turn, may_face):
    """What is wanted lies ahead on the left: who turns left goes round the front."""
    sights = (Sight(Thing("red", "ball"), 3, -2), Sight(Thing("blue", "box"), 2, 2))
    scene, drawing = Scene(Walls(5, 0, 3), None, sights, ()), random.Random(5)
    level = LEVELS["GoToLocal"]
    drawn = [redrawn(scene, "go to the red ball", level, drawing, turn=turn) for _ in range(60)]
    assert any(facing(new) is not None for new in drawn) == may_face


@pytest.mark.parametrize("level", [*FOUR, *SMALL])
def test_nothing_is_put_into_a_wall(level, demonstration):
    drawing, checked = random.Random(1), 0
    for seed in range(5):
        mission, steps, number = demonstration(level, seed)
        world = open_world(level)
        begin(world, number)
        for scene, action in steps:
            for sight in (
                *(new := _redrawn(scene, mission, level, drawing, action)).seen,
                *new.past,
            ):
                x, y = _place(world, sight[1:])
                assert 0 < x < world.width - 1
                assert 0 < y < world.height - 1
                checked += 1
            world.step(ACTIONS.index(action))
    assert checked


@pytest.mark.parametrize("level", FOUR)
def test_the_bot_does_the_same_among_other_things(level, demonstration):
    """The world is changed to what the scene shows, and minigrid's planner is asked there."""
    drawing, same, asked = random.Random(2), 0, 0
    for seed in range(14):
        mission, steps, number = demonstration(level, seed)
        for index, (scene, action) in enumerate(steps):
            new = _redrawn(scene, mission, level, drawing, action)
            world = open_world(level)
            begin(world, number)
            bot, taken = BabyAIBot(world), None
            for _, earlier in steps[:index]:
                taken = int(bot.replan(taken))
                assert ACTIONS[taken] == earlier
                world.step(taken)
            if new != scene and _furnish(world, scene, new):
                same += ACTIONS[int(bot.replan(taken))] == action
                asked += 1
    assert asked > 40
    assert same / asked > 0.97, f"{same} of {asked}"


def _place(world, place):
    (x, y), (fx, fy), (rx, ry) = world.agent_pos, world.dir_vec, world.right_vec
    ahead, aside = place
    return int(x + ahead * fx + aside * rx), int(y + ahead * fy + aside * ry)


def _furnish(world, scene, new):
    """Put into a world what a scene shows in the place of another; whether there was room."""
    before = {sight[1:]: sight.thing for sight in (*scene.seen, *scene.past)}
    known = {place: world.grid.get(*_place(world, place)) for place in before}
    for place in before:
        world.grid.set(*_place(world, place), None)
    for sight in (*new.seen, *new.past):
        cell = _place(world, sight[1:])
        if world.grid.get(*cell) is not None:
            return False  # something that was never seen stands there
        if before.get(sight[1:]) == sight.thing:
            thing = known[sight[1:]]
        else:
            thing = {"ball": Ball, "box": Box, "key": Key}[sight.thing.kind](sight.thing.colour)
            thing.init_pos = thing.cur_pos = cell
        world.grid.set(*cell, thing)
    return True


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_of_one_room_knows_its_size(level):
    world = open_world(level)
    alone = world.num_rows == world.num_cols == 1 and world.room_size <= 8
    assert LEVELS[level].inside == (world.room_size - 2 if alone else 0)


@pytest.mark.parametrize("level", [name for name, level in LEVELS.items() if level.inside])
def test_what_every_mission_in_one_room_speaks_of_is_known(level):
    """Else the very thing that is wanted would be drawn anew."""
    world = open_world(level)
    for seed in range(40):
        _, mission = begin(world, seed)
        assert len(wanted_of(mission)) == 1 + ("next to" in mission), mission
