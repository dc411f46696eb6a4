"""The learning rate where none is configured."""

from __future__ import annotations

from typing import Final

_BY_WIDTH: Final = 0.7  # measured at width 192, where 0.003 to 0.005 did best
_LARGEST: Final = 0.005


def default_rate(width: int) -> float:
    """Return a learning rate for a model of a width.

    With Adam the best rate of matrices falls with 1 / width (Yang et al. 2022, arXiv 2203.03466).
    """
    return min(_LARGEST, _BY_WIDTH / width)
