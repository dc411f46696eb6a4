"""The environment ``babyai``: one level, one track, one split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define, field

import aegis
from aegis import InputError, did_you_mean
from aegis_babyai.actions import ACTIONS
from aegis_babyai.levels import LEVELS
from aegis_babyai.observer import Observer
from aegis_babyai.seeds import level_seed
from aegis_babyai.settings import BabyAISettings
from aegis_babyai.version import version_of
from aegis_babyai.world import World, begin, open_world

if TYPE_CHECKING:
    from collections.abc import Sequence

CANDIDATES: Final = tuple(aegis.Action(name) for name in ACTIONS)


@define(eq=False)
class Episode:
    """One episode.

    Attributes:
        seed: Its seed.
        level_seed: minigrid's seed of it.
        observer: What the agent sees.
        mission: The mission.
        actions: Names of the actions that were carried out.
        over: Whether it has ended.
    """

    seed: int
    level_seed: int
    observer: Observer
    mission: str
    actions: list[str] = field(factory=list)
    over: bool = False


@define(eq=False)
class BabyAI:
    """The environment.

    Attributes:
        settings: Level, track and split.
    """

    settings: BabyAISettings = field(factory=BabyAISettings)
    capabilities: aegis.EnvironmentCapabilities = field(init=False, repr=False)
    _world: World = field(init=False, repr=False)
    _episode: Episode | None = field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        level = self.settings.level
        if level not in LEVELS:
            raise InputError.of(
                "babyai-level",
                f"there is no level {level!r}{did_you_mean(level, LEVELS)}",
                where="[environment.babyai].level",
                fix=f"name one of: {', '.join(LEVELS)}",
            )
        self.capabilities = aegis.EnvironmentCapabilities(
            version=version_of(self.settings), splits=True, measure="success"
        )
        self._world = open_world(level)

    def reset(self, seed: int) -> aegis.View:
        """Begin the episode of a seed and return its first view.

        Raises:
            InputError: If the seed is negative.
        """
        number = level_seed(self.settings.split, seed)
        image, mission = begin(self._world, number)
        observer = Observer(
            mission,
            self._world.max_steps,
            self.settings.track,
            LEVELS[self.settings.level].sides,
            image,
        )
        self._episode = Episode(seed, number, observer, mission)
        return observer.view()

    def candidates(self, view: aegis.View) -> Sequence[aegis.Action]:  # noqa: ARG002 - the role's signature; the candidates are always the same
        """Return the seven actions, always in the same order; none after the end."""
        return () if self.episode.over else CANDIDATES

    def step(self, action: aegis.Action) -> aegis.StepResult:
        """Carry out one of the candidates.

        Raises:
            InputError: If the action is no candidate, or no episode is running.
        """
        episode = self.episode
        if episode.over:
            raise InputError.of(
                "babyai-episode-over", "the episode has ended", fix="call reset(seed)"
            )
        if action.tool not in ACTIONS or action.arguments or action.slot is not None:
            raise InputError.of(
                "babyai-no-candidate",
                f"{action.render()!r} is no candidate{did_you_mean(action.tool, ACTIONS)}",
                fix=f"pass one of candidates(view): {', '.join(ACTIONS)}",
            )
        seen, reward, terminated, truncated, _ = self._world.step(ACTIONS.index(action.tool))
        episode.actions.append(action.tool)
        episode.over = terminated or truncated
        reached = terminated and reward > 0
        return aegis.StepResult(
            view=episode.observer.after(action.tool, seen["image"]),
            outcome=aegis.Outcome("ok", _said(reached, terminated, truncated)),
            reward=float(reward),
            done=episode.over,
            goal_completed=reached,
            info={
                "level": self.settings.level,
                "mission": episode.mission,
                "steps": len(episode.actions),
            },
        )

    @property
    def episode(self) -> Episode:
        """The running episode: for the bot and reports only."""
        if self._episode is None:
            raise InputError.of("babyai-not-reset", "no episode was begun", fix="call reset(seed)")
        return self._episode

    def experts(self) -> dict[str, Sequence[aegis.Engine]]:
        """Return minigrid's bot, which knows the whole world."""
        from aegis_babyai.bot import Bot

        return {"bot": [Bot(self)]}


def _said(reached: bool, terminated: bool, truncated: bool) -> str:
    if reached:
        return "the mission is accomplished"
    if terminated:
        return "the mission has failed"
    return "no steps are left" if truncated else ""
