"""The observer: makes views of images, the mission and the agent's own actions, of nothing else."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from aegis import View
from aegis_babyai import rendering
from aegis_babyai.memory import Memory
from aegis_babyai.mission import mark_of, wanted_of
from aegis_babyai.scene import Scene, Sight, Thing
from aegis_babyai.sides import side_of, start_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from aegis_babyai.memory import Kept
    from aegis_babyai.settings import Track


class Observer:
    """What one agent sees in one episode.

    Args:
        mission: The mission.
        limit: Steps that the episode has at most.
        track: Whether the view marks what the mission speaks of.
        sides: Whether missions of the level name sides. The unmarked view then tells where the
            episode began and on which side of it things were.
        image: What is seen first, (7, 7, 3).
    """

    def __init__(
        self, mission: str, limit: int, track: Track, sides: bool, image: npt.NDArray[np.uint8]
    ) -> None:
        self._mission, self._limit = mission, limit
        self._marked = track == "marked"
        self._sides = sides and not self._marked
        self._wanted = wanted_of(mission) if self._marked else ()
        self._memory = Memory()
        self._last: deque[str] = deque(maxlen=rendering.LAST)
        self._step = 1
        self._memory.look(image)

    def after(self, action: str, image: npt.NDArray[np.uint8]) -> View:
        """Return the view after an action, given what is seen then, (7, 7, 3)."""
        blocked = self._memory.move(action)
        self._last.append(f"{action} blocked" if blocked else action)
        self._step += 1
        self._memory.look(image)
        return self.view()

    def view(self) -> View:
        """Return the current view."""
        return View(
            goal=self._mission,
            step=self._step,
            limit=self._limit,
            observation=rendering.lines(self.scene()),
        )

    def scene(self) -> Scene:
        """Return what is seen and remembered."""
        memory = self._memory
        seen: list[Sight] = []
        past: list[Sight] = []
        for place, kept in memory.things.items():
            ahead, aside = memory.seen_from_here(place)
            if ahead or aside:  # not the doorway that the agent stands in
                sight = Sight(self._thing(kept), ahead, aside)
                (seen if place in memory.seen else past).append(sight)
        carried = None if memory.carried is None else self._thing(memory.carried)
        start = start_of(memory) if self._sides else None
        return Scene(
            memory.near, carried, tuple(seen), tuple(past), tuple(self._last), self._marked, start
        )

    def _thing(self, kept: Kept) -> Thing:
        mark = mark_of(self._wanted, kept, self._memory)
        side = side_of(kept, self._memory) if self._sides else ""
        return Thing(kept.colour, kept.kind, kept.state, mark, side)
