"""Scenery: the same step among other things.

A demonstration says what was right with one thing in one place, and around it lies whatever the
world's draw put there. A thousand of them are a thousand such surroundings, few enough for a small
model to know by heart instead of reading the mission. What the mission does not speak of may lie
elsewhere, be something else or be absent, as long as the way is as free as it was.

Only in levels of a single room: there all that was in the way of sight is a wall, and where it ends
is known from the walls in sight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from aegis_babyai.memory import in_sight
from aegis_babyai.mission import wanted_of
from aegis_babyai.scene import GOAL, Sight, Thing
from aegis_babyai.sides import side_at

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Sequence

    from aegis_babyai.levels import Level
    from aegis_babyai.mission import Wanted
    from aegis_babyai.scene import Scene, Start, Walls

_FRONT: Final = (1, 0)

_THINNED: Final = 0.5
_MOVED: Final = 0.7
_RENAMED: Final = 0.5
_FACED: Final = 0.5
"""How often things are left out, moved, renamed, and put where they may be faced."""


class _Area(NamedTuple):
    """A rectangle of places, steps ahead and aside, its ends among them."""

    near: int
    far: int
    left: int
    right: int

    def holds(self, ahead: int, aside: int) -> bool:
        return self.near <= ahead <= self.far and self.left <= aside <= self.right

    def wider(self) -> _Area:
        return _Area(self.near - 1, self.far + 1, self.left - 1, self.right + 1)

    def places(self) -> Iterable[tuple[int, int]]:
        return (
            (ahead, aside)
            for ahead in range(self.near, self.far + 1)
            for aside in range(self.left, self.right + 1)
        )


def redrawn(
    scene: Scene, mission: str, level: Level, drawing: random.Random, *, turn: int
) -> Scene:
    """Return a scene in which what the mission does not speak of was drawn anew.

    What is between the agent and the things that the mission speaks of, or directly in front of it,
    stays where it is, and so does what lies beside such a way that is not free. Everything else is
    left out with a probability that is itself drawn, or put into another free place, and so perhaps
    on another side, that is in sight if it was and out of sight if it was not. All but what is
    directly in front may get other names, only none that the mission speaks of.

    Whoever turns does nothing with what is in front: then something may be put there, unless the
    way may lead through, and what is there may get another name. Demonstrations alone hardly show
    that: a bot seldom faces what it does not want, and who learns from it takes whatever it comes
    to face.

    Args:
        scene: A scene of the level.
        mission: The mission.
        level: A level of one room; new names are among those that may be exchanged in it.
        drawing: Where the numbers come from.
        turn: What was right to do: -1 for to turn left, 1 for to turn right, 0 for anything else.
    """
    wanted = wanted_of(mission)
    acted_on = None if turn else _FRONT
    seen, past = (_split(sights, wanted) for sights in (scene.seen, scene.past))
    named = [*seen[0], *past[0]]
    ways = _ways(named, [*seen[1], *past[1]], wanted)
    passed = [way for s, way in zip(named, ways, strict=True) if s.aside * turn <= 0]
    room = _room(scene.walls, level.inside)
    kept_share = drawing.random() if drawing.random() < _THINNED else 1.0
    moves, renames = drawing.random() < _MOVED, drawing.random() < _RENAMED
    start = scene.start
    taken = {sight[1:] for sight in named} | {(0, 0), acted_on}

    def drawn(others: Sequence[Sight], visible: bool) -> list[Sight]:
        stay = [other for other in others if _stays(other, ways)]
        rest = [
            other for other in others if not _stays(other, ways) and drawing.random() < kept_share
        ]
        # Nothing is put where the agent may never have looked: nobody knows where that is unless
        # what the mission speaks of was found, after which it does not matter.
        if moves and (visible or named):
            taken.update(other[1:] for other in stay)
            free = [
                place
                for place in room.places()
                if place not in taken
                and in_sight(*place) == visible
                and not any(way.holds(*place) for way in (passed if place == _FRONT else ways))
            ]
            places = drawing.sample(free, min(len(rest), len(free)))
            if places and _FRONT in free and _FRONT not in places and drawing.random() < _FACED:
                places[0] = _FRONT
            rest = [_put(o.thing, p, start) for o, p in zip(rest, places, strict=False)]
            rest = [sight for sight in rest if renames or not _named(sight.thing, wanted)]
        if renames:
            return [
                other if other[1:] == acted_on else _renamed(other, level, wanted, drawing)
                for other in (*stay, *rest)
            ]
        return [*stay, *rest]

    return scene._replace(
        seen=(*seen[0], *drawn(seen[1], True)), past=(*past[0], *drawn(past[1], False))
    )


def _split(sights: Iterable[Sight], wanted: Sequence[Wanted]) -> tuple[list[Sight], list[Sight]]:
    """Return what a mission speaks of, and all else; where no sides are told, on any side."""
    parts: tuple[list[Sight], list[Sight]] = ([], [])
    for sight in sights:
        parts[not _named(sight.thing, wanted)].append(sight)
    return parts


def _named(thing: Thing, wanted: Sequence[Wanted]) -> bool:
    return any(one.means(thing) for one in wanted)


def _put(thing: Thing, place: tuple[int, int], start: Start | None) -> Sight:
    """Return a thing in another place, and so perhaps on another side."""
    if start is not None:
        thing = thing._replace(side=side_at(start, *place))
    return Sight(thing, *place)


def _renamed(sight: Sight, level: Level, wanted: Sequence[Wanted], drawing: random.Random) -> Sight:
    """Return something else in the same place that the mission does not speak of either."""
    colours, kinds = (
        {word for block in blocks for word in block} | {own}
        for blocks, own in ((level.colours, sight.thing.colour), (level.types, sight.thing.kind))
    )
    side = sight.thing.side
    things = [
        Thing(colour, kind, side=side) for colour in sorted(colours) for kind in sorted(kinds)
    ]
    return sight._replace(thing=drawing.choice([t for t in things if not _named(t, wanted)]))


def _ways(named: Sequence[Sight], others: Sequence[Sight], wanted: Sequence[Wanted]) -> list[_Area]:
    """Return where a way to each thing that the mission speaks of may go.

    A shortest way stays within the rectangle between the agent and the thing. Where something
    stands in it, the way may have to leave it; and what something is put next to has to keep its
    neighbours.
    """
    ways = []
    for sight in named:
        way = _Area(
            min(0, sight.ahead), max(0, sight.ahead), min(0, sight.aside), max(0, sight.aside)
        )
        beside = any(one.mark == GOAL for one in wanted)
        ways.append(way.wider() if beside or any(way.holds(*o[1:]) for o in others) else way)
    return ways


def _stays(sight: Sight, ways: Sequence[_Area]) -> bool:
    place = sight[1:]
    return place == _FRONT or any(way.holds(*place) for way in ways)


def _room(walls: Walls, inside: int) -> _Area:
    """Return the room's places, seen from the agent.

    A room of at most 6 places across has some wall to either side in sight from everywhere.
    """
    ahead = walls.ahead or inside + 1
    left = walls.left or inside + 1 - walls.right
    return _Area(ahead - inside, ahead - 1, 1 - left, inside - left)
