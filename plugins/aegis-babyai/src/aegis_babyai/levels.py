"""The levels of BabyAI, and which of their words may be exchanged without changing the task.

A level draws its objects and its mission at random. Where it draws the colour of everything alike,
a world whose colours have other names is as likely, and what was right in the one is right in the
other. Where it does not (its mission always names the red ball) only what it treats alike may be
exchanged: colours among those of one block, types among those of one block.

- A mission that always names a colour or a type fixes it.
- A key that opens a locked door is no ball and no box. Where doors may be locked, keys stay keys.
- Walls are grey and count as objects where a mission names no type ("the grey object"), so that
  grey is no colour like the others there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

Blocks = tuple[tuple[str, ...], ...]

COLOURS: Final = ("red", "green", "blue", "purple", "yellow", "grey")
"""The colours in the order of minigrid's numbers, from 0."""

_ALL_COLOURS: Final[Blocks] = (COLOURS,)
_ALL_TYPES: Final[Blocks] = (("ball", "box", "key"),)
_NO_KEYS: Final[Blocks] = (("ball", "box"),)
_NO_BALLS: Final[Blocks] = (("box", "key"),)
_NOT_RED: Final[Blocks] = (("green", "blue", "purple", "yellow", "grey"),)


@frozen
class Level:
    """A level.

    Attributes:
        colours: Colours that may be exchanged, in blocks.
        types: Types of objects that may be exchanged, in blocks.
        inside: Where all is one room of at most 6 places across: that number. Else 0.
        sides: Whether missions name sides ("on your left").
    """

    colours: Blocks = _ALL_COLOURS
    types: Blocks = _ALL_TYPES
    inside: int = 0
    sides: bool = False


_ALIKE: Final = Level()
_ROOM2: Final = Level(inside=2)
_ROOM3: Final = Level(inside=3)
_ROOM4: Final = Level(inside=4)
_ROOM5: Final = Level(inside=5)
_ROOM6: Final = Level(inside=6)
_LOCKED: Final = Level(types=_NO_KEYS)
_SIDES: Final = Level(sides=True)
_LOCKED_SIDES: Final = Level(types=_NO_KEYS, sides=True)
_NAMED_TYPE: Final = Level(types=())

LEVELS: Final[Mapping[str, Level]] = {
    # The mission is the red ball's.
    "GoToRedBallGrey": Level(colours=(), types=_NO_BALLS, inside=6),
    "GoToRedBall": Level(colours=_NOT_RED, types=_NO_BALLS, inside=6),
    "GoToRedBallNoDists": Level(colours=(), types=(), inside=6),
    "GoToRedBlueBall": Level(
        colours=(("red", "blue"), ("green", "purple", "yellow", "grey")),
        types=_NO_BALLS,
        inside=6,
    ),
    # One room.
    "GoToObj": _ROOM6,
    "GoToObjS4": _ROOM2,
    "GoToLocal": _ROOM6,
    "GoToLocalS5N2": _ROOM3,
    "GoToLocalS6N2": _ROOM4,
    "GoToLocalS6N3": _ROOM4,
    "GoToLocalS6N4": _ROOM4,
    "GoToLocalS7N4": _ROOM5,
    "GoToLocalS7N5": _ROOM5,
    "GoToLocalS8N2": _ROOM6,
    "GoToLocalS8N3": _ROOM6,
    "GoToLocalS8N4": _ROOM6,
    "GoToLocalS8N5": _ROOM6,
    "GoToLocalS8N6": _ROOM6,
    "GoToLocalS8N7": _ROOM6,
    "PickupLoc": Level(inside=6, sides=True),
    "PickupDist": Level(colours=(COLOURS[:-1],), inside=5),  # its missions know "the grey object"
    "PickupDistDebug": Level(colours=(COLOURS[:-1],), inside=5),
    "PutNextLocal": _ROOM6,
    "PutNextLocalS5N3": _ROOM3,
    "PutNextLocalS6N4": _ROOM4,
    "OneRoomS8": Level(types=(), inside=6),
    "OneRoomS12": _NAMED_TYPE,
    "OneRoomS16": _NAMED_TYPE,
    "OneRoomS20": _NAMED_TYPE,
    # Two rooms without a wall between them.
    "PutNextS4N1": _ALIKE,
    "PutNextS5N1": _ALIKE,
    "PutNextS5N2": _ALIKE,
    "PutNextS6N3": _ALIKE,
    "PutNextS7N4": _ALIKE,
    "MoveTwoAcrossS5N2": _ALIKE,
    "MoveTwoAcrossS8N9": _ALIKE,
    # Rooms whose doors are closed and not locked.
    "GoTo": _ALIKE,
    "GoToOpen": _ALIKE,
    "GoToObjMaze": _ALIKE,
    "GoToObjMazeOpen": _ALIKE,
    "GoToObjMazeS4R2": _ALIKE,
    "GoToObjMazeS4": _ALIKE,
    "GoToObjMazeS5": _ALIKE,
    "GoToObjMazeS6": _ALIKE,
    "GoToObjMazeS7": _ALIKE,
    "GoToSeq": _ALIKE,
    "GoToSeqS5R2": _ALIKE,
    "Open": _ALIKE,
    "OpenRedDoor": Level(colours=()),
    "OpenDoor": _SIDES,
    "OpenDoorDebug": _SIDES,
    "OpenDoorColor": _ALIKE,
    "OpenDoorLoc": _SIDES,
    "OpenTwoDoors": _ALIKE,
    "OpenRedBlueDoors": Level(colours=()),
    "OpenRedBlueDoorsDebug": Level(colours=()),
    "OpenDoorsOrderN2": _ALIKE,
    "OpenDoorsOrderN4": _ALIKE,
    "Pickup": _ALIKE,
    "UnblockPickup": _ALIKE,
    "PickupAbove": _ALIKE,
    "ActionObjDoor": _ALIKE,
    "FindObjS5": _ALIKE,
    "FindObjS6": _ALIKE,
    "FindObjS7": _ALIKE,
    "BossLevelNoUnlock": _SIDES,
    # Rooms whose doors may be locked.
    "GoToDoor": _LOCKED,
    "GoToObjDoor": _LOCKED,
    "GoToImpUnlock": _LOCKED,
    "Unlock": _LOCKED,
    "UnlockLocal": _LOCKED,
    "UnlockLocalDist": _LOCKED,
    "Synth": _LOCKED,
    "SynthS5R2": _LOCKED,
    "SynthLoc": _LOCKED_SIDES,
    "SynthSeq": _LOCKED_SIDES,
    "MiniBossLevel": _LOCKED_SIDES,
    "BossLevel": _LOCKED_SIDES,
    # The same, and the mission always names one type.
    "UnlockPickup": _NAMED_TYPE,
    "UnlockPickupDist": _NAMED_TYPE,
    "BlockedUnlockPickup": _NAMED_TYPE,
    "KeyCorridor": _NAMED_TYPE,
    "KeyCorridorS3R1": _NAMED_TYPE,
    "KeyCorridorS3R2": _NAMED_TYPE,
    "KeyCorridorS3R3": _NAMED_TYPE,
    "KeyCorridorS4R3": _NAMED_TYPE,
    "KeyCorridorS5R3": _NAMED_TYPE,
    "KeyCorridorS6R3": _NAMED_TYPE,
}

WITHOUT_TEACHER: Final = frozenset(
    {
        "KeyInBox",
        "OpenDoorsOrderN2Debug",
        "OpenDoorsOrderN4Debug",
        "PutNextS5N2Carrying",
        "PutNextS6N3Carrying",
        "PutNextS7N4Carrying",
        "UnlockToUnlock",
    }
)
"""The levels that minigrid's own bot does not master, and that are therefore none of these."""
