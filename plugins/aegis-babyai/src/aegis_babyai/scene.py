"""A scene: what is seen and remembered at one step, seen from where the agent stands."""

from __future__ import annotations

from typing import Final, NamedTuple

TARGET: Final = "target"
GOAL: Final = "goal"
MARKS: Final = (TARGET, GOAL)
"""Marks of what a mission speaks of: what is to be done with it, or put next to it."""


class Thing(NamedTuple):
    """An object or a door.

    Attributes:
        colour: Its colour.
        kind: ``ball``, ``box``, ``key`` or ``door``.
        state: Of a door ``open``, ``closed`` or ``locked``; empty for objects.
        mark: What it is to the mission: ``target``, ``goal``, or empty. Always empty on the track
            ``unmarked``.
        side: On which side of the agent's first place it was seen first (`aegis_babyai.sides`);
            empty where sides are not told.
    """

    colour: str
    kind: str
    state: str = ""
    mark: str = ""
    side: str = ""


class Sight(NamedTuple):
    """A thing and where it is.

    Attributes:
        thing: What it is.
        ahead: Steps ahead; negative behind.
        aside: Steps to the right; negative to the left.
    """

    thing: Thing
    ahead: int
    aside: int


class Walls(NamedTuple):
    """Steps to the nearest wall in sight; 0 where none is.

    Attributes:
        ahead: Straight ahead.
        left: To the left.
        right: To the right.
    """

    ahead: int
    left: int
    right: int


class Start(NamedTuple):
    """Where the episode began, seen from where the agent stands.

    Attributes:
        ahead: Steps ahead; negative behind.
        aside: Steps to the right; negative to the left.
        faces: Where the agent looks now, as it was called there: ``f`` ahead, ``r`` to the right,
            ``b`` back, ``l`` to the left.
    """

    ahead: int
    aside: int
    faces: str


class Scene(NamedTuple):
    """What is seen and remembered.

    Attributes:
        walls: The nearest walls in sight.
        carried: What the agent carries.
        seen: What is in sight.
        past: What was seen and is out of sight, where the own moves say that it is.
        last: The own last actions, oldest first; a step that something was in the way of is
            ``forward blocked``.
        marked: Whether it is said of each thing what it is to the mission.
        start: Where the episode began, where sides are told of things; else None.
    """

    walls: Walls
    carried: Thing | None
    seen: tuple[Sight, ...]
    past: tuple[Sight, ...]
    last: tuple[str, ...] = ()
    marked: bool = False
    start: Start | None = None
