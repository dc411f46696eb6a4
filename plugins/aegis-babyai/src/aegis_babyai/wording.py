"""Wording: the same step, its mission said in other words.

A level may name the colour of what it means or leave it out, and say on which side it is or not. A
demonstration is of one such choice. Other words mean the same of the things that are known, and
what was right stays right, whatever they may mean beside them. As long as they mean nothing known,
the agent looks about, for whatever it is that it has not found.
"""

from __future__ import annotations

from itertools import chain, product
from typing import TYPE_CHECKING, Final

from aegis_babyai.mission import SIDES, Wanted, said, wanted_of

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from aegis_babyai.levels import Level
    from aegis_babyai.scene import Scene, Thing

_HALF: Final = 0.5
"""How often a mission gets other words where it may, and how often these speak of an only one."""


def alike(scene: Scene, mission: str, level: Level) -> tuple[Wanted, ...]:
    """Return all descriptions that mean the same of what is known as a mission's own.

    None where it means several known things, of which one was chosen for a reason that the words do
    not tell, and none where it speaks of something to be put next to, of a door, or of an object of
    whatever type.

    Args:
        scene: What is known; its things tell their sides.
        mission: The mission.
        level: Its level; colours and types are among those that may be exchanged in it.
    """
    known = [sight.thing for sight in (*scene.seen, *scene.past)]
    wanted = wanted_of(mission)
    if len(wanted) != 1:
        return ()
    (was,) = wanted
    meant = _meant(was, known)
    kinds = next((block for block in level.types if was.kind in block), ())
    if len(meant) > 1:
        return ()
    colours = ("", *chain(*level.colours))
    every = (Wanted(was.mark, *words) for words in product(colours, kinds, ("", *SIDES)))
    return tuple(other for other in every if _meant(other, known) == meant)


def reworded(mission: str, words: Sequence[Wanted], drawing: random.Random) -> str:
    """Return a mission with one of some descriptions, or its own.

    Args:
        mission: The mission.
        words: The descriptions, `alike`; it stays as it is where there are none.
        drawing: Where the numbers come from.
    """
    if not words or drawing.random() < _HALF:
        return mission
    (was,) = wanted_of(mission)
    new = drawing.choice(words)
    # The only ball is the only ball on the left, too; of all else nobody knows how many there are.
    only = " the " in mission and _narrower(new, was)
    return said(mission, new, only=only or drawing.random() < _HALF)


def _narrower(new: Wanted, was: Wanted) -> bool:
    """Return whether one description says all that another does."""
    pairs = ((was.colour, new.colour), (was.kind, new.kind), (was.side, new.side))
    return all(old in {"", now} for old, now in pairs)


def _meant(wanted: Wanted, known: list[Thing]) -> list[int]:
    """Return which of the known things a description means."""
    return [n for n, one in enumerate(known) if wanted.means(one)]
