"""Worlds: one level of minigrid each, bare of wrappers."""

from __future__ import annotations

import contextlib
import io
import os
from typing import TYPE_CHECKING, Any, Final, Protocol

from aegis import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_DONE_ACTIONS: Final = "BABYAI_DONE_ACTIONS"


class World(Protocol):
    """What the environment uses of a level; it looks at nothing else."""

    max_steps: int

    def reset(self, *, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin the episode of a seed."""
        ...

    def step(self, action: int) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Carry out an action."""
        ...


def open_world(level: str) -> World:
    """Return a new world of a level.

    Raises:
        InputError: ``babyai-rules`` if an environment variable asks minigrid for other rules.
    """
    if os.environ.get(_DONE_ACTIONS):
        raise InputError.of(
            "babyai-rules",
            f"{_DONE_ACTIONS} is set: missions would end by the action done alone",
            where="environment variables",
            fix=f"unset {_DONE_ACTIONS}",
        )
    import gymnasium
    import minigrid  # noqa: F401 - registers the levels

    world: Any = gymnasium.make(f"BabyAI-{level}-v0", disable_env_checker=True).unwrapped
    return world  # type: ignore[no-any-return]  # minigrid's environments are not typed


def begin(world: World, seed: int) -> tuple[npt.NDArray[np.uint8], str]:
    """Begin the episode of minigrid's seed; return what is seen, (7, 7, 3), and the mission."""
    # minigrid prints every draft of a world that it throws away
    with contextlib.redirect_stdout(io.StringIO()):
        seen, _ = world.reset(seed=seed)
    return seen["image"], seen["mission"]
