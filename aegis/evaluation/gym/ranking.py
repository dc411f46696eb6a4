"""Ranking: the largest of many scores, ties in order of position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_ABOVE_ZERO: Final = float(np.finfo(np.float64).tiny)


def best(scores: Floats, count: int) -> tuple[int, ...]:
    """Return the positions of the `count` largest positive scores; ties in order of position."""
    hits = np.flatnonzero(scores >= max(_bound(scores, count), _ABOVE_ZERO))
    order = np.lexsort((hits, -scores[hits]))[:count]
    return tuple(hits[order].tolist())


def _bound(scores: Floats, count: int) -> float:
    """Return a number that at least `count` scores reach, near the smallest of the largest.

    The `count`-th largest of the maxima of chunks is one, and much cheaper than a partition of
    all scores.
    """
    size = len(scores) // (4 * count)
    if size < 2:
        return 0.0
    whole = len(scores) // size * size
    maxima = scores[:whole].reshape(-1, size).max(axis=1)
    return float(np.partition(maxima, -count)[-count])
