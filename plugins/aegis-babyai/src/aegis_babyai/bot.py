"""The bot: minigrid's own planner as an engine, the teacher of demonstrations.

It follows an episode in a world of its own: the same level with the same seed, in which it carries
out every action that was carried out in the environment. So it looks behind the views without
touching the environment's world, can be asked at any step, and knows what others did before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np
from attrs import define, field

import aegis
from aegis import InputError
from aegis_babyai.actions import ACTIONS
from aegis_babyai.world import World, begin, open_world

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from aegis import Scores
    from aegis_babyai.environment import BabyAI, Episode

_SURE: Final = 50.0
"""Log-odds of the bot's choice: e-22 is left to each other candidate."""

_STEPS: Final = 200
"""Steps that minigrid's planner may add to its plan in one go; it needs 10 in the hardest levels,
and without a limit it may go on for ever after actions that it does not expect."""


@define(eq=False)
class Bot:
    """An engine that knows one environment's whole world; its scores are for the current step.

    minigrid's planner takes whatever others do into account. It gives up where it expects the
    impossible (something was opened, or is carried that it wants to fetch). Then it plans anew,
    first puts down what it carries if it must, and where nothing helps all candidates get the same
    probability, and it remarks ``lost``.

    Attributes:
        environment: The environment that it plays.
    """

    environment: BabyAI
    capabilities: aegis.EngineCapabilities = field(init=False)
    _world: World = field(init=False, repr=False)
    _episode: Episode | None = field(default=None, init=False, repr=False)
    _followed: int = field(default=0, init=False)
    _planner: Any = field(default=None, init=False, repr=False)
    _advice: str | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.capabilities = aegis.EngineCapabilities(kind="bot")
        self._world = open_world(self.environment.settings.level)

    @property
    def remarks(self) -> Mapping[str, float]:
        """Whether the bot knew nothing to do at the step that it scored last."""
        return {"lost": 1.0} if self._advice is None else {}

    def score(self, view: aegis.View, candidates: Sequence[aegis.Action]) -> Scores:  # noqa: ARG002 - it looks behind the view
        """Return log-probabilities, (n,), nearly all on the bot's advice."""
        advice = self.advice()
        logits = np.array([_SURE if action.tool == advice else 0.0 for action in candidates])
        return logits - float(np.logaddexp.reduce(logits))

    def score_batch(
        self, items: Sequence[tuple[aegis.View, Sequence[aegis.Action]]]
    ) -> list[Scores]:
        """Return what `score` returns for each item; all must be of the current step."""
        return [self.score(view, candidates) for view, candidates in items]

    def advice(self) -> str | None:
        """Return the name of the action that the bot would take at the current step, if any."""
        episode = self.environment.episode
        if episode is not self._episode:
            begin(self._world, episode.level_seed)
            self._episode, self._followed, self._planner = episode, 0, None
            self._advice = self._plan(None)
        for action in episode.actions[self._followed :]:
            number = ACTIONS.index(action)
            self._world.step(number)
            self._followed += 1
            self._advice = self._plan(number)
        return self._advice

    def _plan(self, taken: int | None) -> str | None:
        """Return the next action, after the one that was taken last."""
        if self._planner is not None and (advice := self._planned(taken)) is not None:
            return advice
        from minigrid.utils.baby_ai_bot import BabyAIBot

        self._planner = BabyAIBot(self._world)  # type: ignore[no-untyped-call]  # minigrid has no types there
        if (advice := self._planned(None)) is not None:
            return advice
        self._planner = None
        return self._put_down()

    def _planned(self, taken: int | None) -> str | None:
        self._planner.stack = _Plan(self._planner.stack)
        try:
            return ACTIONS[int(self._planner.replan(taken))]
        except Exception:  # noqa: BLE001 - whatever breaks in it, its plan fits the world no more
            return None

    def _put_down(self) -> str | None:
        """Return how to put down what is carried; None if nothing is."""
        world: Any = self._world
        if world.carrying is None:
            return None
        return "drop" if world.grid.get(*world.front_pos) is None else "right"

    def write(self, view: aegis.View, action: aegis.Action, slot: str) -> NoReturn:  # noqa: ARG002 - it writes for no view
        """Refuse: the levels have no slots."""
        raise InputError.of("bot-writes-nothing", f"no text for {action.tool}.{slot}")

    def save(self, directory: Path) -> None:
        """Write nothing: there are no weights."""

    def close(self) -> None:
        """Hold nothing."""


class _Plan(list[Any]):
    """The planner's stack of subgoals, which may grow by `_STEPS` and no more."""

    def __init__(self, steps: Sequence[Any]) -> None:
        super().__init__(steps)
        self._left = _STEPS

    def append(self, step: Any) -> None:
        """Add a subgoal.

        Raises:
            RuntimeError: If there were too many.
        """
        self._left -= 1
        if self._left < 0:
            raise RuntimeError("the planner does not come to an end")
        super().append(step)
