"""Memory: where things are, by what was seen and by the agent's own moves (dead reckoning).

It knows nothing but the images (the 7 x 7 cells in front of the agent) and its own actions. Places
are counted from where the episode began, in steps: x to the right and y ahead of the agent as it
stood there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from attrs import define, field

from aegis_babyai.levels import COLOURS
from aegis_babyai.scene import Walls

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Place = tuple[int, int]

SIZE: Final = 7
"""Cells of an image in either direction: columns from left to right, rows from the far end."""

_MIDDLE: Final = SIZE // 2
_OWN: Final = _MIDDLE * SIZE + SIZE - 1
_FRONT: Final = _OWN - 1
"""The agent's own cell, which shows what it carries, and the one in front of it."""

_UNSEEN, _EMPTY, _WALL, _DOOR = 0, 1, 2, 4
KINDS: Final = {_DOOR: "door", 5: "key", 6: "ball", 7: "box"}
"""Names of minigrid's numbers of objects that BabyAI has, but for walls."""
STATES: Final = ("open", "closed", "locked")
"""Names of minigrid's numbers of a door's states."""

AHEAD: Final = ((0, 1), (1, 0), (0, -1), (-1, 0))
"""The step ahead for each heading: as at the beginning, turned right once, twice, three times."""


class Kept(NamedTuple):
    """A thing that was seen.

    Attributes:
        colour: Its colour.
        kind: ``ball``, ``box``, ``key`` or ``door``.
        state: Of a door ``open``, ``closed`` or ``locked``; empty for objects.
        origin: Where it was seen first; objects keep it when the agent moves them.
    """

    colour: str
    kind: str
    state: str
    origin: Place


def _around(heading: int) -> tuple[Place, ...]:
    """Return where each cell of an image lies from the agent, in the order of its bytes."""
    (fx, fy), (rx, ry) = AHEAD[heading], AHEAD[(heading + 1) % 4]
    return tuple(
        (
            (SIZE - 1 - row) * fx + (column - _MIDDLE) * rx,
            (SIZE - 1 - row) * fy + (column - _MIDDLE) * ry,
        )
        for column in range(SIZE)
        for row in range(SIZE)
    )


_AROUND: Final = tuple(_around(heading) for heading in range(4))


def in_sight(ahead: int, aside: int) -> bool:
    """Return whether a place, so many steps ahead and to the right, is among the cells shown."""
    return 0 <= ahead < SIZE and -_MIDDLE <= aside <= _MIDDLE


@define(eq=False)
class Memory:
    """What was seen since the episode began.

    Attributes:
        place: Where the agent stands.
        heading: How often it has turned right, modulo 4.
        things: What was seen, by place; what is carried is not among them.
        carried: What the agent carries.
        walls: Places where a wall was seen.
        seen: Places of the things in sight.
        near: The nearest walls in sight.
    """

    place: Place = (0, 0)
    heading: int = 0
    things: dict[Place, Kept] = field(factory=dict)
    carried: Kept | None = None
    walls: set[Place] = field(factory=set)
    seen: frozenset[Place] = frozenset()
    near: Walls = field(factory=lambda: Walls(0, 0, 0))
    _cells: bytes = b""

    def move(self, action: str) -> bool:
        """Take an action into account that was carried out; call `look` next.

        Returns:
            Whether it was a step forward that something was in the way of.
        """
        if action == "left":
            self.heading = (self.heading + 3) % 4
        elif action == "right":
            self.heading = (self.heading + 1) % 4
        elif action == "forward":
            kind, _, state = self._cells[3 * _FRONT : 3 * _FRONT + 3]
            if kind == _EMPTY or (kind == _DOOR and STATES[state] == "open"):
                self.place = self.at(1, 0)
                return False
            return True
        return False

    def look(self, image: npt.NDArray[np.uint8]) -> None:
        """Take in what is seen.

        Args:
            image: Column from the left, row from the far end, and kind, colour and state of the
                cell in minigrid's numbers, (7, 7, 3).
        """
        self._cells = cells = image.tobytes()
        kinds = cells[::3]
        self._handle(kinds[_OWN])
        x, y = self.place
        around = _AROUND[self.heading]
        for place in [p for p in self.things if self._gone(p, kinds)]:
            del self.things[place]
        seen: list[Place] = []
        for cell, kind in enumerate(kinds):
            if kind < _WALL or cell == _OWN:
                continue
            dx, dy = around[cell]
            place = x + dx, y + dy
            if kind == _WALL:
                self.walls.add(place)
                continue
            colour, name = COLOURS[cells[3 * cell + 1]], KINDS[kind]
            state = STATES[cells[3 * cell + 2]] if kind == _DOOR else ""
            known = self.things.get(place)
            origin = place
            if known is not None and known[:2] == (colour, name):
                origin = known.origin
            self.things[place] = Kept(colour, name, state, origin)
            seen.append(place)
        self.seen = frozenset(seen)
        self.near = _near(kinds)

    def at(self, ahead: int, aside: int) -> Place:
        """Return the place so many steps ahead and to the right."""
        (x, y), (fx, fy) = self.place, AHEAD[self.heading]
        rx, ry = AHEAD[(self.heading + 1) % 4]
        return x + ahead * fx + aside * rx, y + ahead * fy + aside * ry

    def seen_from_here(self, place: Place) -> tuple[int, int]:
        """Return how many steps ahead and to the right a place is."""
        dx, dy = place[0] - self.place[0], place[1] - self.place[1]
        (fx, fy), (rx, ry) = AHEAD[self.heading], AHEAD[(self.heading + 1) % 4]
        return dx * fx + dy * fy, dx * rx + dy * ry

    def _handle(self, own: int) -> None:
        """Notice what was picked up or dropped: only in front, only one thing at a time."""
        front = self.at(1, 0)
        if own in KINDS and self.carried is None:
            colour, name = COLOURS[self._cells[3 * _OWN + 1]], KINDS[own]
            self.carried = self.things.pop(front, None) or Kept(colour, name, "", front)
        elif own not in KINDS and self.carried is not None:
            self.things[front] = self.carried
            self.carried = None

    def _gone(self, place: Place, kinds: bytes) -> bool:
        """Return whether a remembered thing's place is in sight and the thing is not there."""
        ahead, aside = self.seen_from_here(place)
        if not in_sight(ahead, aside) or ahead == aside == 0:
            return False
        return kinds[(aside + _MIDDLE) * SIZE + SIZE - 1 - ahead] == _EMPTY


def _near(kinds: bytes) -> Walls:
    """Return the steps to the nearest walls straight ahead and to both sides."""
    ahead = kinds[_OWN - SIZE + 1 : _OWN].rfind(_WALL)  # the column from the far end to the front
    left = kinds[SIZE - 1 : _OWN : SIZE].rfind(_WALL)
    right = kinds[_OWN + SIZE :: SIZE].find(_WALL)
    return Walls(
        SIZE - 1 - ahead if ahead >= 0 else 0,
        _MIDDLE - left if left >= 0 else 0,
        right + 1,
    )
