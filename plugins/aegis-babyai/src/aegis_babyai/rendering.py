"""Rendering: the words of a scene, and back.

Plain lower-case words and small numbers, a few dozen of them, so that a small tokenizer trained on
such views has a token for every one; and everything in its place: as many words for each thing,
whatever is known of it, so that what belongs together stands at the same distance everywhere. A
small model learns far faster from that (docs/log.md of the project).

    walls 4 1 0 | carry red key | last none left forward
        | seen fff rr green box past bb o blue ball

Walls are the steps to those ahead, to the left and to the right, 0 where none is in sight. A place
is two words, a letter for each step: ahead (f) or behind (b), then left (l) or right (r), o for
none. Where things are marked, what is not marked is `plain`.

Where missions name sides, two more facts are told: where the episode began and what the agent faces
now, as it was called there; and before the name of each thing its side (`aegis_babyai.sides`).

    walls 4 1 0 | start bb l r | carry fo red key | last none left forward
        | seen fff rr fl green box past bb o or blue ball
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Final

from aegis_babyai.levels import COLOURS
from aegis_babyai.scene import MARKS, Scene, Sight, Start, Thing, Walls
from aegis_babyai.sides import FACES, NO_SIDE

if TYPE_CHECKING:
    from collections.abc import Sequence

SEEN: Final = 8
PAST: Final = 6
"""Things shown at most that are in sight and out of sight, the nearest; marked ones always are."""

_NOTHING: Final = ("no", "thing")
_START: Final = "start"
_NONE: Final = "none"
_SEEN, _PAST = "seen", "past"
_PLAIN: Final = "plain"
_STEPS: Final = {"f": (1, 0), "b": (-1, 0), "l": (0, -1), "r": (0, 1), "o": (0, 0)}
_ALONG: Final = re.compile(r"f+|b+|o")
_ACROSS: Final = re.compile(r"l+|r+|o")
_SIDE: Final = re.compile(r"[fbo][lro]")
_FRONT: Final = (1, 0)
"""Steps ahead and aside of what is directly in front."""
_FORWARD, _BLOCKED = "forward", "blocked"
LAST: Final = 3
"""Own last actions that are shown."""


def lines(scene: Scene) -> tuple[str, ...]:
    """Return the words of a scene: walls, what is carried, own last actions, then each thing."""
    things = [
        *[f"{_SEEN} {_sight(sight, scene.marked)}" for sight in nearest(scene.seen, SEEN)],
        *[f"{_PAST} {_sight(sight, scene.marked)}" for sight in nearest(scene.past, PAST)],
    ]
    carried = " ".join(_NOTHING) if scene.carried is None else _named(scene.carried, scene.marked)
    if scene.carried is None and scene.start is not None:
        carried = f"{NO_SIDE} {carried}"
    last = [_BLOCKED if action == f"{_FORWARD} {_BLOCKED}" else action for action in scene.last]
    return (
        " ".join(["walls", *map(str, scene.walls)]),
        *([] if scene.start is None else [_began(scene.start)]),
        f"carry {carried}",
        " ".join(["last", *[_NONE] * (LAST - len(last)), *last]),
        *([" ".join(things)] if things else []),
    )


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
    walls, *others = (line.split() for line in said)
    start = _start_of(others.pop(0)) if others[0][0] == _START else None
    carry, last, *told = others
    nothing = _NOTHING if start is None else (NO_SIDE, *_NOTHING)
    words = [word for line in told for word in line]
    starts = [place for place, word in enumerate(words) if word in {_SEEN, _PAST}]
    things = [words[start:end] for start, end in itertools.pairwise([*starts, len(words)])]
    ahead, left, right = map(int, walls[1:])
    marked = not {_PLAIN, *MARKS}.isdisjoint([*carry, *words])
    scene = Scene(
        Walls(ahead, left, right),
        None if tuple(carry[1:]) == nothing else _thing_of(carry[1:]),
        tuple(_sight_of(words) for words in things if words[0] == _SEEN),
        tuple(_sight_of(words) for words in things if words[0] == _PAST),
        tuple(
            f"{_FORWARD} {_BLOCKED}" if word == _BLOCKED else word
            for word in last[1:]
            if word != _NONE
        ),
        marked,
        start,
    )
    shown = [scene.carried, *(sight.thing for sight in (*scene.seen, *scene.past))]
    sided = {bool(thing.side) for thing in shown if thing is not None}
    if lines(scene) != tuple(said) or sided - {start is not None}:
        raise ValueError(f"not the words of a scene: {' / '.join(said)}")
    return scene


def _order(sight: Sight) -> tuple[int, int, int]:
    return abs(sight.ahead) + abs(sight.aside), -sight.ahead, sight.aside


def _named(thing: Thing, marked: bool) -> str:
    mark = (thing.mark or _PLAIN) if marked else ""
    words = (thing.side, mark, thing.colour, thing.kind, thing.state)
    return " ".join([word for word in words if word])


def _thing_of(words: Sequence[str]) -> Thing:
    """Return the thing that words name: side, mark, colour, type and state."""
    first, *rest = words
    side = first if _SIDE.fullmatch(first) else ""
    first, *rest = rest if side else words
    mark = first if first in MARKS else ""
    colour, kind, *state = rest if mark or first == _PLAIN else (first, *rest)
    if colour not in COLOURS or len(state) > 1:
        raise ValueError(f"not a thing: {' '.join(words)}")
    return Thing(colour, kind, state[0] if state else "", mark, side)


def _sight(sight: Sight, marked: bool) -> str:
    return f"{_place(sight.ahead, sight.aside)} {_named(sight.thing, marked)}"


def _sight_of(words: Sequence[str]) -> Sight:
    _, along, across, *named = words
    return Sight(_thing_of(named), *_place_of(along, across))


def _began(start: Start) -> str:
    return f"{_START} {_place(start.ahead, start.aside)} {start.faces}"


def _start_of(words: Sequence[str]) -> Start:
    _, along, across, faces = words
    if faces not in tuple(FACES):
        raise ValueError(f"no direction: {faces}")
    return Start(*_place_of(along, across), faces)


def _place(ahead: int, aside: int) -> str:
    along = ("f" if ahead > 0 else "b") * abs(ahead) or "o"
    across = ("r" if aside > 0 else "l") * abs(aside) or "o"
    return f"{along} {across}"


def _place_of(along: str, across: str) -> tuple[int, int]:
    if not (_ALONG.fullmatch(along) and _ACROSS.fullmatch(across)):
        raise ValueError(f"nowhere: {along} {across}")
    steps = [_STEPS[letter] for letter in along + across]
    return sum(ahead for ahead, _ in steps), sum(aside for _, aside in steps)
