"""Sudokus have one solution, and symmetries keep it."""

import numpy as np
import pytest

from aegis.errors import InputError
from aegis_hrm.puzzles.sudoku import Box, Grids, augment, generate, invariant, read_csv, solutions

SMALL, SQUARE = Box(2, 3), Box(3, 3)
KNOWN = (
    "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79",
    "534678912672195348198342567859761423426853791713924856961537284287419635345286179",
)
"""The example of the article on sudoku in Wikipedia."""


def digits(text):
    return [0 if letter == "." else int(letter) for letter in text]


def groups(box, grid):
    square = np.asarray(grid).reshape(box.side, box.side)
    yield from square
    yield from square.T
    for row in range(0, box.side, box.height):
        for column in range(0, box.side, box.width):
            yield square[row : row + box.height, column : column + box.width].ravel()


def is_solved(box, grid):
    return all(sorted(group) == list(range(1, box.side + 1)) for group in groups(box, grid))


def test_a_published_puzzle_has_the_published_solution():
    assert solutions(SQUARE, digits(KNOWN[0])) == [digits(KNOWN[1])]


def test_a_grid_that_contradicts_itself_has_none_and_an_empty_one_has_many():
    assert solutions(SMALL, [1, 1] + [0] * 34) == []
    assert len(solutions(SMALL, [0] * 36, most=5)) == 5


def test_generated_puzzles_have_one_solution_and_as_many_blanks_as_asked():
    grids = generate(SMALL, 40, blanks=18, seed=3)
    assert len({tuple(puzzle) for puzzle in grids.puzzles}) == 40
    for puzzle, solution in zip(*grids, strict=True):
        assert (puzzle == 0).sum() == 18
        assert is_solved(SMALL, solution)
        assert solutions(SMALL, puzzle.tolist()) == [solution.tolist()]
    again = generate(SMALL, 40, blanks=18, seed=3)
    assert np.array_equal(grids.puzzles, again.puzzles)


@pytest.mark.parametrize("box", [SMALL, SQUARE, Box(2, 2)])
def test_a_variant_is_a_puzzle_with_the_variant_of_the_solution(box):
    if box == SQUARE:
        one = Grids(*(np.array([digits(text)], np.uint8) for text in KNOWN))
    else:
        one = generate(box, 1, blanks=box.cells // 2, seed=0)
    many = Grids(*(part.repeat(60, axis=0) for part in one))
    found = augment(box, many, np.random.default_rng(0))
    assert len({puzzle.tobytes() for puzzle in found.puzzles}) > 40
    expected = invariant(box, one.puzzles[0], one.solutions[0])
    for puzzle, solution in zip(*found, strict=True):
        assert is_solved(box, solution)
        assert solutions(box, puzzle.tolist()) == [solution.tolist()]
        assert invariant(box, puzzle, solution) == expected


def test_puzzles_that_are_no_variants_differ_in_the_invariant():
    grids = generate(SMALL, 200, blanks=18, seed=5)
    assert len({invariant(SMALL, *pair) for pair in zip(*grids, strict=True)}) == 200


def test_a_file_is_read_and_what_is_no_puzzle_is_named(tmp_path):
    file = tmp_path / "some.csv"
    file.write_text(f"puzzle,solution\n{','.join(KNOWN)}\n")
    assert read_csv(file, SQUARE).puzzles.shape == (1, 81)
    wrong = "6" + KNOWN[1][1:]
    file.write_text(f"puzzle,solution\n{','.join(KNOWN)}\n{KNOWN[0]},{wrong}\n")
    with pytest.raises(InputError, match="line 3: the solution does not solve it"):
        read_csv(file, SQUARE)
    file.write_text("puzzle\n12\n")
    with pytest.raises(InputError, match="puzzles-unreadable"):
        read_csv(file, SQUARE)
    with pytest.raises(InputError, match="puzzles-unreadable"):
        read_csv(tmp_path / "absent.csv", SQUARE)


def test_the_graded_puzzles_have_the_solutions_that_the_file_says(puzzles):
    grids = read_csv(puzzles / "sudoku_9x9_graded_5000.csv", SQUARE)
    assert grids.puzzles.shape == (5000, 81)
    for number in range(0, 5000, 500):
        assert is_solved(SQUARE, grids.solutions[number])
