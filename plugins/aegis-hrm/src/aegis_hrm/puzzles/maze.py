"""Mazes: the arrays of Maze-Hard, and augmentation by the symmetries of the square.

A maze of n x n cells is a row of n * n codes: 1 wall, 2 free, 3 start, 4 goal, and in the answer
5 for the cells of a shortest path (arXiv 2506.21734, section 3.1).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from aegis import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Codes = npt.NDArray[np.uint8]

CODES: Final = 6
"""Codes of cells, the unused 0 included."""
_FILES: Final = ("all__inputs.npy", "all__labels.npy")
_WAYS: Final = 8  # of laying a square on itself


class Mazes(NamedTuple):
    """Mazes and their answers, (N, cells) each."""

    inputs: Codes
    labels: Codes

    @property
    def side(self) -> int:
        """Cells of a row."""
        return math.isqrt(self.inputs.shape[1])


def read_mazes(folder: Path) -> Mazes:
    """Return the mazes of a folder with ``all__inputs.npy`` and ``all__labels.npy``.

    Raises:
        InputError: ``puzzles-unreadable``.
    """
    try:
        found = Mazes(*(np.load(folder / name, allow_pickle=False) for name in _FILES))
        if found.inputs.ndim != 2 or found.inputs.shape != found.labels.shape:
            raise ValueError(f"{found.inputs.shape} inputs, {found.labels.shape} labels")  # noqa: TRY301 - one place tells
        if found.side**2 != found.inputs.shape[1]:
            raise ValueError(f"{found.inputs.shape[1]} cells are no square")  # noqa: TRY301 - as above
        if max(found.inputs.max(), found.labels.max()) >= CODES:
            raise ValueError(f"a code above {CODES - 1}")  # noqa: TRY301 - as above
    except (OSError, ValueError) as error:
        raise InputError.of(
            "puzzles-unreadable",
            f"no mazes can be read: {error}",
            where=str(folder),
            fix=f"give a folder with {' and '.join(_FILES)}, uint8, a maze a row",
        ) from error
    return found


def augment(mazes: Mazes, random: np.random.Generator) -> Mazes:
    """Return the mazes, each turned or mirrored in one of eight ways."""
    ways = random.integers(0, _WAYS, len(mazes.inputs))
    side = mazes.side

    def laid(cells: Codes) -> Codes:
        squares = cells.reshape(-1, side, side)
        found = np.empty_like(squares)
        for way in range(_WAYS):
            some = np.rot90(squares[ways == way], way % 4, axes=(1, 2))
            found[ways == way] = some.transpose(0, 2, 1) if way >= 4 else some
        return found.reshape(len(cells), -1)

    return Mazes(laid(mazes.inputs), laid(mazes.labels))
