"""Where the labels of a chart go, so that none lies on another."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_DIRECTIONS: Final = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))
"""Right first, then left, above and below."""


class Box(NamedTuple):
    """A rectangle; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        """Return whether both share an area."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def within(self, other: Box) -> bool:
        """Return whether no part lies outside of another box."""
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.top >= other.top
            and self.bottom <= other.bottom
        )


@define
class Room:
    """An area that fills with boxes.

    Attributes:
        bounds: The area.
        taken: What is in it.
    """

    bounds: Box
    taken: list[Box] = field(factory=list)

    def place(
        self, x: float, y: float, width: float, height: float, distances: Iterable[float]
    ) -> Box | None:
        """Take a free place for a box beside a point, and return it; None where none is free.

        Args:
            x: The point.
            y: The point.
            width: Of the box.
            height: Of the box.
            distances: How far from the point, the first that will do.
        """
        for distance in distances:
            for right, down in _DIRECTIONS:
                # A diagonal neighbour is as far away as the others, not 1.4 times as far.
                off = distance if not (right and down) else distance / math.sqrt(2)
                left = x + right * off - width * (1 - right) / 2
                top = y + down * off - height * (1 - down) / 2
                box = Box(left, top, left + width, top + height)
                if box.within(self.bounds) and not any(map(box.overlaps, self.taken)):
                    self.taken.append(box)
                    return box
        return None


def spread(
    wanted: Sequence[float], heights: Sequence[float], top: float, bottom: float
) -> list[float]:
    """Return centres near the wanted ones of boxes that stand above each other without overlap.

    Args:
        wanted: Where each box would have its centre.
        heights: Of each box; together at most ``bottom - top``.
        top: Where the first may begin.
        bottom: Where the last must end.
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    centres = list(wanted)
    edge = top
    for index in order:
        centres[index] = max(wanted[index], edge + heights[index] / 2)
        edge = centres[index] + heights[index] / 2
    edge = bottom
    for index in reversed(order):
        centres[index] = min(centres[index], edge - heights[index] / 2)
        edge = centres[index] - heights[index] / 2
    return centres
