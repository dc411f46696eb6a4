"""Missions: which things they speak of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from aegis_babyai.levels import COLOURS
from aegis_babyai.scene import GOAL, TARGET
from aegis_babyai.sides import side_of

if TYPE_CHECKING:
    from aegis_babyai.memory import Kept, Memory
    from aegis_babyai.scene import Thing

_SIDES: Final = {
    "on your left": "l",
    "on your right": "r",
    "in front of you": "f",
    "behind you": "b",
}
SIDES: Final = tuple(_SIDES.values())
"""Letters of the sides that a mission may name."""

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
        side: The letter of their side (`aegis_babyai.sides`), or empty for any.
    """

    mark: str
    colour: str
    kind: str
    side: str

    def describes(self, colour: str, kind: str, side: str) -> bool:
        """Return whether things of such a colour and type, on such a side, are meant.

        Where no side is told (empty), they may be on any.
        """
        if self.colour not in {"", colour} or (side and self.side not in side):
            return False
        return self.kind == kind or (self.kind == "object" and kind != "door")

    def means(self, thing: Thing) -> bool:
        """Return whether a thing is meant; where its side is not told, on whichever it is."""
        return self.describes(thing.colour, thing.kind, thing.side)

    def matches(self, kept: Kept, memory: Memory) -> bool:
        """Return whether a thing is among them."""
        side = side_of(kept, memory) if self.side else ""
        return self.describes(kept.colour, kept.kind, side)


def wanted_of(mission: str) -> tuple[Wanted, ...]:
    """Return what a mission speaks of, in its order."""
    return tuple(
        Wanted(GOAL if beside else TARGET, colour, kind, _SIDES.get(side, ""))
        for beside, colour, kind, side in _DESCRIBED.findall(mission)
    )


def said(mission: str, wanted: Wanted, *, only: bool) -> str:
    """Return a mission with another description in the place of its first one.

    Args:
        mission: The mission.
        wanted: What it is to speak of.
        only: Whether there is said to be one of them, and not several.
    """
    side = next((words for words, letter in _SIDES.items() if letter == wanted.side), "")
    words = ("the" if only else "a", wanted.colour, wanted.kind, side)
    return _DESCRIBED.sub(" ".join(filter(None, words)), mission, count=1)


def mark_of(wanted: tuple[Wanted, ...], kept: Kept, memory: Memory) -> str:
    """Return the mark of a thing: that of the first description that it matches, or none."""
    return next((one.mark for one in wanted if one.matches(kept, memory)), "")
