"""Mazes are laid on themselves in eight ways, and their paths with them."""

import numpy as np
import pytest

from aegis.errors import InputError
from aegis_hrm.puzzles.maze import Mazes, augment, read_mazes

WALL, FREE, START, GOAL, PATH = 1, 2, 3, 4, 5


def one():
    inputs = np.array([[START, FREE, WALL], [WALL, FREE, WALL], [WALL, FREE, GOAL]], np.uint8)
    labels = inputs.copy()
    labels[(0, 1, 2), 1] = PATH
    return Mazes(inputs.reshape(1, 9), labels.reshape(1, 9))


def test_all_eight_ways_occur_and_path_and_maze_go_together():
    many = Mazes(*(part.repeat(400, axis=0) for part in one()))
    found = augment(many, np.random.default_rng(0))
    assert len({maze.tobytes() for maze in found.inputs}) == 8
    for inputs, labels in zip(*found, strict=True):
        assert np.array_equal(np.where(labels == PATH, FREE, labels), inputs)
        assert (labels == PATH).sum() == 3


def test_damaged_arrays_are_refused(tmp_path):
    with pytest.raises(InputError, match="puzzles-unreadable"):
        read_mazes(tmp_path)
    np.save(tmp_path / "all__inputs.npy", np.zeros((2, 9), np.uint8))
    np.save(tmp_path / "all__labels.npy", np.zeros((2, 8), np.uint8))
    with pytest.raises(InputError, match="inputs"):
        read_mazes(tmp_path)
    np.save(tmp_path / "all__labels.npy", np.full((2, 9), 9, np.uint8))
    with pytest.raises(InputError, match="a code above 5"):
        read_mazes(tmp_path)
    np.save(tmp_path / "all__labels.npy", np.array([{}, {}], object), allow_pickle=True)
    with pytest.raises(InputError, match="puzzles-unreadable"):
        read_mazes(tmp_path)


def test_the_published_mazes_have_a_path_from_start_to_goal(puzzles):
    mazes = read_mazes(puzzles / "maze_hard_30x30_train")
    assert mazes.inputs.shape == (1000, 900)
    assert mazes.side == 30
    for inputs, labels in zip(mazes.inputs[:50], mazes.labels[:50], strict=True):
        assert np.array_equal(np.where(labels == PATH, FREE, labels), inputs)
        walk = (labels >= START).reshape(30, 30)
        assert walk.sum() > 100  # Maze-Hard: shortest paths of more than 110 cells
