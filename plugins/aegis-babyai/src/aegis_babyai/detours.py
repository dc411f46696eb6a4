"""Detours: the same step, come to in another way.

A bot walks straight to what it wants, so its demonstrations never show that something was in the
way of a step, or that the agent turned aside and back; who learns from them may do so again and
again. What is right hangs on where the agent stands and on what it knows, not on how it came there.
To push against what is in front changes nothing. To turn away and back changes nothing either where
all that the mission speaks of is known; where it is not, the agent may have looked there for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aegis_babyai.mission import wanted_of
from aegis_babyai.rendering import LAST, facing

if TYPE_CHECKING:
    import random

    from aegis_babyai.scene import Scene

Way = tuple[str, ...]

PUSHES: Final[tuple[Way, ...]] = tuple(("forward blocked",) * times for times in (1, 2, 3))
"""Ways that lead nowhere where something is in front."""

TURNS: Final[tuple[Way, ...]] = (
    ("left", "right"),
    ("right", "left"),
    ("left", "left", "right", "right"),
    ("right", "right", "left", "left"),
    ("left",) * 4,
    ("right",) * 4,
)
"""Ways that lead back to where they began."""

_HALF: Final = 0.5
"""How often there is a detour where there may be one."""


def detoured(scene: Scene, mission: str, drawing: random.Random) -> Scene:
    """Return a scene as it is after a detour, or as it was: only the own last actions differ.

    Args:
        scene: What is known.
        mission: The mission.
        drawing: Where the numbers come from.
    """
    sorts = [
        ways for ways, may in ((PUSHES, stuck(scene)), (TURNS, all_known(scene, mission))) if may
    ]
    if not sorts or drawing.random() < _HALF:
        return scene
    way = drawing.choice(drawing.choice(sorts))
    return scene._replace(last=(*scene.last, *way)[-LAST:])


def stuck(scene: Scene) -> bool:
    """Return whether something is in the way of a step ahead."""
    faced = facing(scene)
    return scene.walls.ahead == 1 or (faced is not None and faced.state != "open")


def all_known(scene: Scene, mission: str) -> bool:
    """Return whether of everything that a mission speaks of one thing at least is known."""
    things = [sight.thing for sight in (*scene.seen, *scene.past)]
    if scene.carried is not None:
        things.append(scene.carried)
    return all(any(map(one.means, things)) for one in wanted_of(mission))
