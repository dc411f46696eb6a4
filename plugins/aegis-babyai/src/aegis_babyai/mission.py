"""Missions: which things they speak of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from aegis_babyai.levels import COLOURS
from aegis_babyai.scene import GOAL, TARGET

if TYPE_CHECKING:
    from aegis_babyai.memory import Kept, Memory, Place

_SIDES: Final = {
    "on your left": (-1, 0),
    "on your right": (1, 0),
    "in front of you": (0, 1),
    "behind you": (0, -1),
}
_DESCRIBED: Final = re.compile(
    rf"(next to )?(?:a|the) (?:({'|'.join(COLOURS)}) )?(ball|box|key|door|object)"
    rf"(?: ({'|'.join(_SIDES)}))?"
)


class Wanted(NamedTuple):
    """Things that a mission speaks of.

    Attributes:
        mark: ``goal`` for what another is to be put next to, else ``target``.
        colour: Their colour, or empty for any.
        kind: Their type, or ``object`` for any but doors.
        side: The direction in which they are from the agent as it stood when the episode began,
            (x, y) with one of them 0; None for any.
    """

    mark: str
    colour: str
    kind: str
    side: Place | None

    def describes(self, colour: str, kind: str) -> bool:
        """Return whether things of such a colour and type are meant, on whatever side."""
        if self.colour not in {"", colour}:
            return False
        return self.kind == kind or (self.kind == "object" and kind != "door")

    def matches(self, kept: Kept, memory: Memory) -> bool:
        """Return whether a thing is among them."""
        if not self.describes(kept.colour, kept.kind):
            return False
        if self.side is None:
            return True
        (x, y), (sx, sy) = kept.origin, self.side
        return x * sx + y * sy > 0 and _in_first_room(kept.origin, memory)


def wanted_of(mission: str) -> tuple[Wanted, ...]:
    """Return what a mission speaks of, in its order."""
    return tuple(
        Wanted(GOAL if beside else TARGET, colour, kind, _SIDES.get(side))
        for beside, colour, kind, side in _DESCRIBED.findall(mission)
    )


def mark_of(wanted: tuple[Wanted, ...], kept: Kept, memory: Memory) -> str:
    """Return the mark of a thing: that of the first description that it matches, or none."""
    return next((one.mark for one in wanted if one.matches(kept, memory)), "")


def _in_first_room(place: Place, memory: Memory) -> bool:
    """Return whether a place lies within the walls that the agent began between.

    A word such as "on your left" is about the room that the agent began in: from its first place
    as far as the nearest wall or door to each side, as far as they were seen.
    """
    doors = {where for where, kept in memory.things.items() if kept.kind == "door"}
    bounds = memory.walls | doors
    x, y = place
    across = [wx for wx, wy in bounds if wy == 0]
    along = [wy for wx, wy in bounds if wx == 0]
    return _between(x, across) and _between(y, along)


def _between(value: int, bounds: list[int]) -> bool:
    if value > 0:
        return all(value <= bound for bound in bounds if bound > 0)
    return all(value >= bound for bound in bounds if bound < 0)
