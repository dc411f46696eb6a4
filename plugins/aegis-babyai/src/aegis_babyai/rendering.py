"""Rendering: the words of a scene, and back.

Plain lower-case words and small numbers, a few dozen of each, so that a small tokenizer trained on
such views has a token for every one:

    walls 4 ahead 1 left | front nothing | carry red key | green box 3 ahead 2 right
        | past blue ball 2 behind
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aegis_babyai.levels import COLOURS
from aegis_babyai.scene import MARKS, Scene, Sight, Thing, Walls

if TYPE_CHECKING:
    from collections.abc import Sequence

SEEN: Final = 8
PAST: Final = 6
"""Things shown at most that are in sight and out of sight, the nearest; marked ones always are."""

_NOTHING: Final = "nothing"
_WALL: Final = "wall"
_NONE: Final = "none"
_AHEAD, _BEHIND, _LEFT, _RIGHT = "ahead", "behind", "left", "right"
_PLACED: Final = {_AHEAD: (1, 0), _BEHIND: (-1, 0), _LEFT: (0, -1), _RIGHT: (0, 1)}
_FRONT: Final = (1, 0)
"""Steps ahead and aside of what is directly in front."""


def lines(scene: Scene) -> tuple[str, ...]:
    """Return the words of a scene, a line each."""
    seen = nearest(scene.seen, SEEN)
    front = facing(scene)
    if front is not None:
        faced = _named(front)
        del seen[0]  # nothing is nearer
    else:
        faced = _WALL if scene.walls.ahead == 1 else _NOTHING
    return (
        _walls(scene.walls),
        f"front {faced}",
        f"carry {_NOTHING if scene.carried is None else _named(scene.carried)}",
        *[_sight(sight) for sight in seen],
        *[f"past {_sight(sight)}" for sight in nearest(scene.past, PAST)],
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
    walls, front, carry, *rest = said
    seen = [_sight_of(line) for line in rest if not line.startswith("past ")]
    past = [_sight_of(line.removeprefix("past ")) for line in rest if line.startswith("past ")]
    faced, carried = front.removeprefix("front "), carry.removeprefix("carry ")
    if faced not in {_NOTHING, _WALL}:
        seen.insert(0, Sight(_thing_of(faced.split()), *_FRONT))
    scene = Scene(
        _walls_of(walls.split()),
        None if carried == _NOTHING else _thing_of(carried.split()),
        tuple(seen),
        tuple(past),
    )
    if lines(scene) != tuple(said):
        raise ValueError(f"not the words of a scene: {' / '.join(said)}")
    return scene


def _order(sight: Sight) -> tuple[int, int, int]:
    return abs(sight.ahead) + abs(sight.aside), -sight.ahead, sight.aside


def _walls(walls: Walls) -> str:
    said = [f"{steps} {side}" for steps, side in zip(walls, Walls._fields, strict=True) if steps]
    return " ".join(["walls", *(said or [_NONE])])


def _walls_of(words: Sequence[str]) -> Walls:
    if words[1:] == [_NONE]:
        return Walls(0, 0, 0)
    return Walls(0, 0, 0)._replace(**_pairs(words[1:]))


def _named(thing: Thing) -> str:
    return " ".join([word for word in (thing.mark, thing.colour, thing.kind, thing.state) if word])


def _thing_of(words: Sequence[str]) -> Thing:
    """Return the thing that words name: mark, colour, type and state."""
    mark = words[0] if words[0] in MARKS else ""
    colour, kind, *state = words[1:] if mark else words
    if colour not in COLOURS or len(state) > 1:
        raise ValueError(f"not a thing: {' '.join(words)}")
    return Thing(colour, kind, state[0] if state else "", mark)


def _sight(sight: Sight) -> str:
    said = _named(sight.thing)
    if sight.ahead:
        said += f" {abs(sight.ahead)} {_AHEAD if sight.ahead > 0 else _BEHIND}"
    if sight.aside:
        said += f" {abs(sight.aside)} {_RIGHT if sight.aside > 0 else _LEFT}"
    return said


def _sight_of(line: str) -> Sight:
    words = line.split()
    named = next((index for index, word in enumerate(words) if word.isdecimal()), None)
    if named is None:
        raise ValueError(f"nowhere: {line}")
    ahead = aside = 0
    for word, steps in _pairs(words[named:]).items():
        ahead += steps * _PLACED[word][0]
        aside += steps * _PLACED[word][1]
    return Sight(_thing_of(words[:named]), ahead, aside)


def _pairs(words: Sequence[str]) -> dict[str, int]:
    """Return numbers by the words behind them."""
    return {word: int(number) for number, word in zip(words[::2], words[1::2], strict=True)}
