"""Sides: where things were at first, seen from where the agent began.

A mission may mean "the ball on your left", and that is the left of the agent as it stood when the
episode began. Two letters say it of a thing: ahead (f) or behind (b), then left (l) or right (r), o
for neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aegis_babyai.memory import AHEAD
from aegis_babyai.scene import Start

if TYPE_CHECKING:
    from aegis_babyai.memory import Kept, Memory

FACES: Final = "frbl"
"""Where the agent looks, as it was called at the beginning, for each heading."""
NO_SIDE: Final = "oo"


def side_of(kept: Kept, memory: Memory) -> str:
    """Return the side on which a thing was seen first.

    A side is one of the room that the agent began in: from its first place as far as the nearest
    wall or door to each side, as far as they were seen. What lies beyond is on none.
    """
    doors = {where for where, kept in memory.things.items() if kept.kind == "door"}
    bounds = memory.walls | doors
    x, y = kept.origin
    across = [wx for wx, wy in bounds if wy == 0]
    along = [wy for wx, wy in bounds if wx == 0]
    return _side(x, y) if _between(x, across) and _between(y, along) else NO_SIDE


def side_at(start: Start, ahead: int, aside: int) -> str:
    """Return the side of a place, so many steps ahead and to the right of the agent now."""
    heading = FACES.index(start.faces)
    (fx, fy), (rx, ry) = AHEAD[heading], AHEAD[(heading + 1) % 4]
    dx, dy = ahead - start.ahead, aside - start.aside
    return _side(dx * fx + dy * rx, dx * fy + dy * ry)


def start_of(memory: Memory) -> Start:
    """Return where the episode began, seen from where the agent stands."""
    return Start(*memory.seen_from_here((0, 0)), FACES[memory.heading])


def _side(x: int, y: int) -> str:
    return ("f" if y > 0 else "b" if y < 0 else "o") + ("r" if x > 0 else "l" if x < 0 else "o")


def _between(value: int, bounds: list[int]) -> bool:
    if value > 0:
        return all(value <= bound for bound in bounds if bound > 0)
    return all(value >= bound for bound in bounds if bound < 0)
