"""What a puzzle is as sequences: codes in, codes out, and fresh variants of the training ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np
from attrs import evolve, frozen

from aegis import InputError
from aegis_hrm.model.halting import Halting
from aegis_hrm.model.shape import ModelShape
from aegis_hrm.puzzles import maze, sudoku

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    Codes = npt.NDArray[np.uint8]

_HELD_OUT: Final = 0.2  # of a file's puzzles, at most


class Sequences(NamedTuple):
    """Inputs and labels, (N, S) each."""

    inputs: Codes
    labels: Codes


class Augment(Protocol):
    """Returns puzzles, each under a symmetry of its own."""

    def __call__(self, some: Sequences, random: np.random.Generator, /) -> Sequences:
        """Return as many puzzles as are given."""
        ...


@frozen
class Task:
    """A puzzle.

    Attributes:
        name: One of `RECIPES`.
        train: What is trained on, before augmentation.
        test: What is measured on, never trained on.
        augment: Makes variants.
        codes: Number of codes.
    """

    name: str
    train: Sequences
    test: Sequences
    augment: Augment
    codes: int

    @property
    def length(self) -> int:
        """Cells, S."""
        return int(self.train.inputs.shape[1])

    def batch(self, size: int, random: np.random.Generator) -> Sequences:
        """Return fresh variants of training puzzles drawn at random."""
        drawn = random.integers(0, len(self.train.inputs), size)
        return self.augment(Sequences(*(part[drawn] for part in self.train)), random)


@frozen(kw_only=True)
class Recipe:
    """How a puzzle is trained.

    Attributes:
        shape: The architecture, without codes and length.
        halting: When a sequence halts in training.
        batch: Sequences of a step.
        steps: Optimiser steps, one a segment.
        learning_rate: AdamATan2's largest.
        weight_decay: AdamATan2's.
        ema: How much of the average of the weights is kept at a step.
    """

    shape: ModelShape
    halting: Halting
    batch: int
    steps: int
    learning_rate: float
    weight_decay: float
    ema: float


RECIPES: Final = {
    "sudoku6": Recipe(
        shape=ModelShape(
            vocabulary=1, hidden=32, heads=2, h_layers=1, l_layers=1, h_cycles=1, l_cycles=1,
            gradient="last_cycle", positions="none", mixer="mlp", sequence=1,
        ),
        halting=Halting(segments=16, q_continue=False, early=False),
        batch=32, steps=4000, learning_rate=2e-3, weight_decay=0.1, ema=0.99,
    ),
    "sudoku9": Recipe(
        shape=ModelShape(
            vocabulary=1, hidden=256, heads=8, gradient="last_cycle", positions="none",
            mixer="mlp", sequence=1,
        ),
        halting=Halting(segments=16, exploration=0.1, q_continue=False),
        batch=64, steps=50_000, learning_rate=1e-3, weight_decay=0.1, ema=0.999,
    ),
    "maze": Recipe(
        shape=ModelShape(vocabulary=1, hidden=256, heads=8, gradient="last_cycle"),
        halting=Halting(segments=16, exploration=0.1, q_continue=False),
        batch=32, steps=50_000, learning_rate=1e-3, weight_decay=0.1, ema=0.999,
    ),
}  # fmt: skip
"""What each puzzle is trained with; docs/log.md says what was tried."""


def fitted(shape: ModelShape, task: Task) -> ModelShape:
    """Return a shape with the task's codes and length."""
    return evolve(shape, vocabulary=task.codes, sequence=task.length)


def load_task(name: str, data: Path | None, *, puzzles: int, seed: int, tests: int = 1000) -> Task:
    """Return a task: 6x6 sudokus are generated, the others are read from a file.

    Args:
        name: One of `RECIPES`.
        data: CSV file of sudokus, or folder of mazes.
        puzzles: Training puzzles that are used, at most.
        seed: Decides what is generated, and what is held out.
        tests: Test puzzles, at most.

    Raises:
        InputError: If the data cannot be read, or is needed and not given.
    """
    if name == "sudoku6":
        box = sudoku.Box(2, 3)
        made = sudoku.generate(box, puzzles, blanks=18, seed=2 * seed + 1)
        others = _others(box, made, sudoku.generate(box, tests, blanks=18, seed=2 * seed + 2))
        return Task(name, _of(made), others, _sudokus(box), box.side + 1)
    if data is None:
        raise InputError.of(
            "puzzles-missing",
            f"{name} is trained on puzzles from a file, and none is named",
            where="--data",
            fix="aegis hrm-puzzle sudoku6 makes its own puzzles",
        )
    if name == "sudoku9":
        box = sudoku.Box(3, 3)
        train, test = _split(_of(sudoku.read_csv(data, box)), puzzles, tests, seed)
        return Task(name, train, test, _sudokus(box), box.side + 1)
    train, test = _split(_of(maze.read_mazes(data)), puzzles, tests, seed)
    return Task(name, train, test, _mazes, maze.CODES)


def _of(pair: sudoku.Grids | maze.Mazes) -> Sequences:
    return Sequences(*pair)


def _others(box: sudoku.Box, train: sudoku.Grids, test: sudoku.Grids) -> Sequences:
    """Return the puzzles of which no symmetric variant is trained on."""
    known = {sudoku.invariant(box, *pair) for pair in zip(*train, strict=True)}
    pairs = enumerate(zip(*test, strict=True))
    kept = [number for number, pair in pairs if sudoku.invariant(box, *pair) not in known]
    return Sequences(test.puzzles[kept], test.solutions[kept])


def _sudokus(box: sudoku.Box) -> Callable[[Sequences, np.random.Generator], Sequences]:
    def augment(some: Sequences, random: np.random.Generator) -> Sequences:
        return _of(sudoku.augment(box, sudoku.Grids(*some), random))

    return augment


def _mazes(some: Sequences, random: np.random.Generator) -> Sequences:
    return _of(maze.augment(maze.Mazes(*some), random))


def _split(
    everything: Sequences, puzzles: int, tests: int, seed: int
) -> tuple[Sequences, Sequences]:
    """Return training and held-out puzzles, drawn without order."""
    order = np.random.default_rng(seed).permutation(len(everything.inputs))
    held_out = min(tests, max(1, round(len(order) * _HELD_OUT)))
    test, train = order[:held_out], order[held_out : held_out + puzzles]
    return Sequences(*(p[train] for p in everything)), Sequences(*(p[test] for p in everything))
