"""Hands: the same step with something in hand.

Who goes to a thing needs no hand, and a bot takes something only where that is in its way. So its
demonstrations hardly show a full hand, and who learned from them and took something may drop it and
take it again until the end. What is right to do for somebody who goes on does not hang on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aegis_babyai.mission import wanted_of

if TYPE_CHECKING:
    import random

    from aegis_babyai.scene import Scene

GOES: Final = "go to "
"""What missions begin with that need no hand."""
MOVES: Final = frozenset({"left", "right", "forward"})

_OFTEN: Final = 0.1
"""How often there is something in hand where there may be."""


def laden(scene: Scene, mission: str, action: str, drawing: random.Random) -> Scene:
    """Return a scene in which something is carried, or as it was.

    It is called like one of the other things that are known, of which there may be several.

    Args:
        scene: A scene of a level without doors: a key in hand opens nothing there.
        mission: The mission.
        action: What was right to do.
        drawing: Where the numbers come from.
    """
    free = scene.carried is None and mission.startswith(GOES) and action in MOVES
    if not free or drawing.random() >= _OFTEN:
        return scene
    wanted = wanted_of(mission)
    known = [sight.thing for sight in (*scene.seen, *scene.past)]
    others = [thing for thing in known if not any(one.means(thing) for one in wanted)]
    return scene._replace(carried=drawing.choice(others)) if others else scene
