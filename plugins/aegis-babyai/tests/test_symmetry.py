"""The law of symmetries: what they make of a view is what is seen in the other world."""

from __future__ import annotations

import random
from functools import lru_cache

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from minigrid.core.grid import Grid

from aegis_babyai import rendering
from aegis_babyai.levels import LEVELS
from aegis_babyai.observer import Observer
from aegis_babyai.symmetry import Symmetry

COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")
TYPES = ("ball", "box", "key")
COLOUR = {"red": 0, "green": 1, "blue": 2, "purple": 3, "yellow": 4, "grey": 5}
KIND = {"ball": 6, "box": 7, "key": 5, "door": 4}  # minigrid's numbers
WALKED = ("GoToRedBall", "GoToLocal", "PickupLoc", "PutNextLocal", "OneRoomS20", "GoToObjDoor",
          "MiniBossLevel", "SynthLoc", "BossLevel")  # fmt: skip


def _other_image(image, mirrored, names):
    """Return what is seen in the other world, made of the numbers themselves."""
    other = image[::-1].copy() if mirrored else image.copy()
    for column in other:
        for cell in column:
            for name, number in KIND.items():
                if cell[0] == number:
                    cell[0] = KIND[names.get(name, name)]
                    (colour,) = (c for c, n in COLOUR.items() if n == cell[1])
                    cell[1] = COLOUR[names[colour]]
                    break
    return other


def _other_words(text, mirrored, names):
    words = dict(names)
    if mirrored:
        words |= {"left": "right", "right": "left"}
    return " ".join(
        words.get(word.rstrip(","), word.rstrip(",")) + word[len(word.rstrip(",")) :]
        for word in text.split(" ")
    )


def _seen(track, sides, mission, actions, images):
    observer = Observer(mission, 64, track, sides, images[0])
    return [observer.view()] + [
        observer.after(action, image) for action, image in zip(actions, images[1:], strict=True)
    ]


@lru_cache
def _walk(walks, level, seed):
    found = [(world.mission, action, image) for world, action, image in walks(level, [seed], 25)]
    return found[0][0], [action for _, action, _ in found[1:]], [image for *_, image in found]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(WALKED),
    st.integers(0, 9),
    st.sampled_from(["marked", "unmarked"]),
    st.booleans(),
    st.permutations(COLOURS),
    st.permutations(TYPES),
)
def test_a_view_under_a_symmetry_is_the_view_of_the_other_world(
    walks, level, seed, track, mirrored, colours, types
):
    names = dict(zip(COLOURS + TYPES, colours + types, strict=True))
    mission, actions, images = _walk(walks, level, seed)
    sides = LEVELS[level].sides
    there = _seen(
        track,
        sides,
        _other_words(mission, mirrored, names),
        [_other_words(action, mirrored, {}) for action in actions],
        [_other_image(image, mirrored, names) for image in images],
    )
    symmetry = Symmetry(mirrored, names)
    here = _seen(track, sides, mission, actions, images)
    assert [_other_view(symmetry, view) for view in here] == there


def _other_view(symmetry, view):
    scene = symmetry.scene(rendering.scene_of(view.observation))
    return evolve(view, goal=symmetry.text(view.goal), observation=rendering.lines(scene))


@pytest.mark.parametrize("level", ["PickupLoc", "GoToOpen", "KeyCorridorS3R3", "BossLevel"])
def test_minigrid_itself_shows_the_mirrored_image_in_the_mirrored_world(level, walks):
    for world, _, image in walks(level, range(3), 40):
        grid, place, direction = world.grid, world.agent_pos, world.agent_dir
        mirrored = Grid(grid.width, grid.height)
        for x in range(grid.width):
            for y in range(grid.height):
                mirrored.set(grid.width - 1 - x, y, grid.get(x, y))
        world.grid, world.agent_pos = mirrored, (grid.width - 1 - place[0], place[1])
        world.agent_dir = {0: 2, 1: 1, 2: 0, 3: 3}[direction]
        assert np.array_equal(world.gen_obs()["image"], image[::-1])
        world.grid, world.agent_pos, world.agent_dir = grid, place, direction


@given(st.integers(0, 10**9), st.sampled_from(sorted(LEVELS)))
def test_names_change_places_within_their_block_alone(seed, level):
    blocks = LEVELS[level].colours + LEVELS[level].types
    drawn = Symmetry.drawn(random.Random(seed), blocks)
    assert set(drawn.names) == {name for block in blocks for name in block}
    for block in blocks:
        assert sorted(drawn.names[name] for name in block) == sorted(block)


def test_every_symmetry_of_a_block_is_drawn():
    chance = random.Random(0)
    drawn = [Symmetry.drawn(chance, (TYPES,)) for _ in range(600)]
    counts = {}
    for one in drawn:
        key = (one.mirrored, *one.names.values())
        counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 12
    assert all(20 < count < 90 for count in counts.values())  # 50 expected, 5 standard deviations


def test_words_change_as_whole_words():
    symmetry = Symmetry(True, {"red": "blue", "blue": "red", "ball": "box", "box": "ball"})
    said = "pick up the red ball on your left, then put a box next to the blue door behind you"
    assert symmetry.text(said) == (
        "pick up the blue box on your right, then put a ball next to the red door behind you"
    )
    assert symmetry.text("reddish lefty forward blocked") == "reddish lefty forward blocked"
