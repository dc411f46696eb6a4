"""Rendering: the words of a scene, and back.

Plain lower-case words, a few dozen of them, so that a small tokenizer trained on such views has a
token for every one. Places are walked: a letter for each step ahead (f), behind (b), to the left
(l) and to the right (r), and stand before what is there: what reads from left to right knows the
place when it comes to the name.

    walls ffff l | front nothing | carry red key | seen fff rr green box | past bb blue ball
        | last left forward
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Final

from aegis_babyai.levels import COLOURS
from aegis_babyai.scene import MARKS, Scene, Sight, Thing, Walls

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SEEN: Final = 8
PAST: Final = 6
"""Things shown at most that are in sight and out of sight, the nearest; marked ones always are."""

_NOTHING: Final = "nothing"
_WALL: Final = "wall"
_THING: Final = "thing"
_NONE: Final = "none"
_STEPS: Final = {"f": (1, 0), "b": (-1, 0), "l": (0, -1), "r": (0, 1)}
_WALKED: Final = re.compile(r"f+|b+|l+|r+")
_FRONT: Final = (1, 0)
"""Steps ahead and aside of what is directly in front."""
_BLOCKED: Final = " blocked"


def lines(scene: Scene) -> tuple[str, ...]:
    """Return the words of a scene, a line for each kind of thing."""
    blocked = _WALL if scene.walls.ahead == 1 else _NOTHING
    # What is faced is the first that is seen: nothing is nearer.
    front = blocked if facing(scene) is None else _THING
    said = [
        _line("walls", [_steps(*place) for place in _wall_places(scene.walls)] or [_NONE]),
        _line("front", [front]),
        _line("carry", [_NOTHING if scene.carried is None else _named(scene.carried)]),
        _line("seen", [_sight(sight) for sight in nearest(scene.seen, SEEN)]),
        _line("past", [_sight(sight) for sight in nearest(scene.past, PAST)]),
        _line("last", scene.last),
    ]
    return tuple(line for line in said if line)


def facing(scene: Scene) -> Thing | None:
    """Return the thing directly in front of the agent, if one is."""
    return next((sight.thing for sight in scene.seen if sight[1:] == _FRONT), None)


def nearest(sights: Sequence[Sight], limit: int) -> list[Sight]:
    """Return the nearest of some sights, nearest first.

    Of equally far ones the one further ahead comes first, then the left one. What is marked is
    never left out, and of two that mirror each other both are shown or none, so that a mirrored
    scene shows the same things.
    """
    ordered = sorted(sights, key=_order)
    plain = [sight for sight in ordered if not sight.thing.mark]
    if len(plain) <= limit:
        return ordered
    last, beyond = plain[limit - 1], plain[limit]
    if (last.ahead, last.aside) == (beyond.ahead, -beyond.aside):
        limit -= 1
    shown = set(plain[:limit])
    return [sight for sight in ordered if sight.thing.mark or sight in shown]


def scene_of(said: Sequence[str]) -> Scene:
    """Return the scene of some words, with what they show of it.

    Raises:
        ValueError: If they are not what `lines` returns.
    """
    words = {line.split(" ", 1)[0]: line.split()[1:] for line in said}
    carry = words.get("carry", [])
    scene = Scene(
        walls=_walls_of(words.get("walls", [])),
        carried=None if carry == [_NOTHING] else _thing_of(carry),
        seen=tuple(_sights_of(words.get("seen", []))),
        past=tuple(_sights_of(words.get("past", []))),
        last=tuple(_actions_of(words.get("last", []))),
    )
    if lines(scene) != tuple(said):
        raise ValueError(f"not the words of a scene: {' / '.join(said)}")
    return scene


def _order(sight: Sight) -> tuple[int, int, int]:
    return abs(sight.ahead) + abs(sight.aside), -sight.ahead, sight.aside


def _line(name: str, said: Sequence[str]) -> str:
    return " ".join([name, *said]) if said else ""


def _wall_places(walls: Walls) -> list[tuple[int, int]]:
    places = [(walls.ahead, 0), (0, -walls.left), (0, walls.right)]
    return [place for place in places if any(place)]


def _walls_of(words: Sequence[str]) -> Walls:
    places = [] if list(words) == [_NONE] else [_place_of([word]) for word in words]
    return Walls(
        ahead=sum(ahead for ahead, _ in places),
        left=-sum(aside for _, aside in places if aside < 0),
        right=sum(aside for _, aside in places if aside > 0),
    )


def _named(thing: Thing) -> str:
    return " ".join([word for word in (thing.mark, thing.colour, thing.kind, thing.state) if word])


def _thing_of(words: Sequence[str]) -> Thing:
    """Return the thing that words name: mark, colour, type and state."""
    mark = words[0] if words and words[0] in MARKS else ""
    colour, kind, *state = words[1:] if mark else words
    if colour not in COLOURS or len(state) > 1:
        raise ValueError(f"not a thing: {' '.join(words)}")
    return Thing(colour, kind, state[0] if state else "", mark)


def _steps(ahead: int, aside: int) -> str:
    """Return the way to a place: first ahead or behind, then aside."""
    along = ("f" if ahead > 0 else "b") * abs(ahead)
    across = ("r" if aside > 0 else "l") * abs(aside)
    return " ".join(filter(None, (along, across)))


def _place_of(words: Sequence[str]) -> tuple[int, int]:
    """Return the place, steps ahead and aside, that a way leads to."""
    steps = [_STEPS[letter] for word in words for letter in word]
    return sum(ahead for ahead, _ in steps), sum(aside for _, aside in steps)


def _sight(sight: Sight) -> str:
    return f"{_steps(sight.ahead, sight.aside)} {_named(sight.thing)}"


def _sights_of(words: Sequence[str]) -> Iterator[Sight]:
    """Yield what is seen: ways, each with the thing that it leads to."""
    ways = [_WALKED.fullmatch(word) is not None for word in words]
    starts = [n for n, way in enumerate(ways) if way and (n == 0 or not ways[n - 1])]
    if words and starts[:1] != [0]:
        raise ValueError(f"nowhere: {' '.join(words)}")
    for start, stop in itertools.pairwise([*starts, len(words)]):
        named = next(n for n in range(start, stop + 1) if n == stop or not ways[n])
        yield Sight(_thing_of(words[named:stop]), *_place_of(words[start:named]))


def _actions_of(words: Sequence[str]) -> Iterator[str]:
    for word, following in itertools.pairwise([*words, ""]):
        if word != _BLOCKED.strip():
            yield word + (_BLOCKED if following == _BLOCKED.strip() else "")
