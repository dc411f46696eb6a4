"""Sudoku of any box: generating grids with one solution, reading files, augmenting.

A grid of n x n cells, n = height x width of a box, is a row of n * n digits, 0 for a blank.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from attrs import frozen

from aegis import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Digits = npt.NDArray[np.uint8]


class Grids(NamedTuple):
    """Puzzles and their solutions, (N, cells) each."""

    puzzles: Digits
    solutions: Digits


@frozen
class Box:
    """The size of a box, which decides everything else.

    Attributes:
        height: Rows of a box.
        width: Columns of a box.
    """

    height: int
    width: int

    @property
    def side(self) -> int:
        """Cells of a row; the digits are 1 to this."""
        return self.height * self.width

    @property
    def cells(self) -> int:
        """Cells of a grid."""
        return self.side**2

    def peers(self) -> list[tuple[int, ...]]:
        """Return, for each cell, the cells that must hold other digits."""
        rows, columns = np.divmod(np.arange(self.cells), self.side)
        boxes = rows // self.height * self.height + columns // self.width
        shared = (rows[:, None] == rows) | (columns[:, None] == columns) | (boxes[:, None] == boxes)
        np.fill_diagonal(shared, val=False)
        return [tuple(np.flatnonzero(row).tolist()) for row in shared]


def solutions(box: Box, grid: list[int], most: int = 2) -> list[list[int]]:
    """Return at most `most` solutions of a grid, by search on the cell with fewest digits left."""
    peers = box.peers()
    everything = (1 << box.side) - 1
    allowed = [everything] * box.cells
    for cell, digit in enumerate(grid):
        if digit:
            for peer in peers[cell]:
                allowed[peer] &= ~(1 << (digit - 1))
    if any(digit and not allowed[cell] >> (digit - 1) & 1 for cell, digit in enumerate(grid)):
        return []
    found: list[list[int]] = []
    _search(peers, list(grid), allowed, found, most)
    return found


def _search(
    peers: list[tuple[int, ...]],
    grid: list[int],
    allowed: list[int],
    found: list[list[int]],
    most: int,
) -> None:
    blanks = [cell for cell, digit in enumerate(grid) if not digit]
    if not blanks:
        found.append(list(grid))
        return
    cell = min(blanks, key=lambda blank: allowed[blank].bit_count())
    left = allowed[cell]
    while left and len(found) < most:
        bit = left & -left
        left ^= bit
        changed = [peer for peer in peers[cell] if not grid[peer] and allowed[peer] & bit]
        grid[cell] = bit.bit_length()
        for peer in changed:
            allowed[peer] ^= bit
        _search(peers, grid, allowed, found, most)
        for peer in changed:
            allowed[peer] |= bit
        grid[cell] = 0


def generate(box: Box, count: int, blanks: int, seed: int) -> Grids:
    """Return grids with one solution each, all of them different.

    From a full grid cells are taken in a random order while the solution stays the only one.

    Args:
        box: Size of a box.
        count: How many.
        blanks: Blank cells of each.
        seed: The same seed gives the same grids.
    """
    random = np.random.default_rng(seed)
    puzzles: list[list[int]] = []
    full: list[Digits] = []
    known: set[tuple[int, ...]] = set()
    while len(puzzles) < count:
        solution = _filled(box, random)
        puzzle = _dug(box, solution.tolist(), blanks, random)
        if puzzle is not None and tuple(puzzle) not in known:
            known.add(tuple(puzzle))
            puzzles.append(puzzle)
            full.append(solution)
    return Grids(np.array(puzzles, np.uint8), np.array(full, np.uint8))


def _filled(box: Box, random: np.random.Generator) -> Digits:
    """Return a full grid: the first row and a few digits at random, the rest by search."""
    while True:
        grid = [0] * box.cells
        grid[: box.side] = (random.permutation(box.side) + 1).tolist()
        peers = box.peers()
        for cell in random.permutation(box.cells)[: box.side].tolist():
            taken = {grid[peer] for peer in peers[cell]} | {0}
            free = [digit for digit in range(1, box.side + 1) if digit not in taken]
            if not grid[cell] and free:
                grid[cell] = int(random.choice(free))
        found = solutions(box, grid, most=1)
        if found:
            return np.array(found[0], np.uint8)


def _dug(
    box: Box, solution: list[int], blanks: int, random: np.random.Generator
) -> list[int] | None:
    """Return the grid with `blanks` cells taken out, or None where that cannot be done."""
    grid, left = list(solution), blanks
    for cell in random.permutation(box.cells).tolist():
        if not left:
            break
        digit, grid[cell] = grid[cell], 0
        if len(solutions(box, grid)) == 1:
            left -= 1
        else:
            grid[cell] = digit
    return None if left else grid


def augment(box: Box, grids: Grids, random: np.random.Generator) -> Grids:
    """Return the grids, each under a symmetry of its own: digits, bands, stacks, rows, columns.

    Square boxes are turned over their diagonal too, half of the time.
    """
    count = len(grids.puzzles)
    digits = np.zeros((count, box.side + 1), np.uint8)
    digits[:, 1:] = random.permuted(np.tile(np.arange(1, box.side + 1), (count, 1)), axis=1)
    rows = _lines(count, box.width, box.height, random)
    columns = _lines(count, box.height, box.width, random)
    turned = random.random(count) < 0.5 if box.height == box.width else np.zeros(count, bool)

    def moved(cells: Digits) -> Digits:
        found = np.take_along_axis(digits, cells, axis=1).reshape(count, box.side, box.side)
        found = np.where(turned[:, None, None], found.transpose(0, 2, 1), found)
        found = np.take_along_axis(found, rows[:, :, None], axis=1)
        return np.take_along_axis(found, columns[:, None, :], axis=2).reshape(count, -1)

    return Grids(moved(grids.puzzles), moved(grids.solutions))


def invariant(box: Box, puzzle: Digits, solution: Digits) -> tuple[tuple[bytes, ...], ...]:
    """Return what no symmetry of `augment` changes: puzzles that differ in it are no variants.

    For every digit of the solution, whether each of its cells is blank and how many blanks its
    row, column and box have (rows and columns without an order where a box is square).
    """
    blank = (puzzle == 0).reshape(box.side, box.side)
    rows, columns = np.divmod(np.arange(box.cells), box.side)
    boxes = rows // box.height * box.height + columns // box.width
    in_box = np.bincount(boxes, weights=blank.ravel(), minlength=box.side)
    lines = np.stack([blank.sum(1)[rows], blank.sum(0)[columns]], axis=1)
    if box.height == box.width:
        lines.sort(axis=1)
    facts = np.column_stack([blank.ravel(), lines, in_box[boxes]]).astype(np.uint8)
    return tuple(
        sorted(
            tuple(sorted(fact.tobytes() for fact in facts[solution == digit]))
            for digit in range(1, box.side + 1)
        )
    )


def _lines(
    count: int, groups: int, size: int, random: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return orders of lines (count, groups * size) that keep lines of a group together."""
    order = random.permuted(np.tile(np.arange(groups), (count, 1)), axis=1)
    inside = random.permuted(np.tile(np.arange(size), (count, groups, 1)), axis=2)
    lines: npt.NDArray[np.int64] = (order[:, :, None] * size + inside).reshape(count, -1)
    return lines


def read_csv(path: Path, box: Box) -> Grids:
    """Return the puzzles of a file with columns ``puzzle`` and ``solution``, blanks as ``.`` or 0.

    Raises:
        InputError: ``puzzles-unreadable`` with the first line that is no puzzle.
    """
    puzzles, full = [], []
    try:
        with path.open(newline="", encoding="ascii") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                puzzle, solution = (_digits(row[name], box) for name in ("puzzle", "solution"))
                if 0 in solution or any(p not in (0, s) for p, s in zip(puzzle, solution)):  # noqa: B905 - both of one length
                    raise ValueError(f"line {number}: the solution does not solve it")  # noqa: TRY301 - one place tells
                puzzles.append(puzzle)
                full.append(solution)
        if not puzzles:
            raise ValueError("it holds none")  # noqa: TRY301 - as above
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError.of(
            "puzzles-unreadable",
            f"no sudokus of {box.side}x{box.side} can be read: {error}",
            where=str(path),
            fix="give a CSV file with the columns puzzle and solution, a digit or a dot a cell",
        ) from error
    return Grids(np.array(puzzles, np.uint8), np.array(full, np.uint8))


def _digits(text: str, box: Box) -> list[int]:
    cells = [0 if letter == "." else int(letter) for letter in text]
    if len(cells) != box.cells or max(cells) > box.side:
        raise ValueError(f"{text!r} has not {box.cells} cells of 1 to {box.side}")
    return cells
