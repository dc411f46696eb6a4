"""The environment ``gymnasium``: one registered environment with discrete actions, as text.

The goal is the id; what is observed becomes lines of text (`aegis_babyai.gymnasium_observation`),
each action a candidate with its name or number. Rewards are the environment's own.

The goal of an episode is reached if the environment says so (``is_success`` or ``success`` of its
last info); else by what is known of it (`aegis_babyai.gymnasium_known`); else if it terminates with
a reward above 0. An episode that only runs into the limit has not reached it, except where to last
is the goal, as for CartPole.

Of each split and seed gymnasium gets another seed, ``3 * seed``, + 1 for practice, + 2 for
validation, + 3 for test. So the splits have no random numbers in common; an environment with one
starting state and no chance has the same episodes in all of them.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import define, field
from gymnasium import spaces

import aegis
from aegis import InputError, one_line
from aegis_babyai.gymnasium_building import build
from aegis_babyai.gymnasium_component import GymnasiumSettings, capabilities
from aegis_babyai.gymnasium_known import Known, known
from aegis_babyai.gymnasium_observation import Layout
from aegis_babyai.settings import SPLITS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import gymnasium

    from aegis_babyai.settings import Split

CANDIDATES: Final = 256
"""Actions that an environment has at most."""

RECENT: Final = 4
"""Own last actions that a view shows."""

_WHERE: Final = "[environment.gymnasium].id"
_RESET: Final = "call reset(seed)"


def gymnasium_seed(split: Split, seed: int) -> int:
    """Return gymnasium's seed of an episode; no two episodes of any splits share one.

    Raises:
        InputError: ``gymnasium-seed`` if the seed is negative.
    """
    if seed < 0:
        raise InputError.of("gymnasium-seed", f"a seed is 0 or more, not {seed}")
    # Never the seed itself: a policy that is sampled with it would draw the environment's numbers.
    return len(SPLITS) * seed + SPLITS.index(split) + 1


@define(eq=False)
class Episode:
    """One episode.

    Attributes:
        seed: gymnasium's seed of it.
        legal: Indices of the actions that are legal now.
        lines: The observation.
        step: Number of the current step, from 1.
        recent: What was done last.
        over: Whether it has ended.
    """

    seed: int
    legal: tuple[int, ...]
    lines: tuple[str, ...]
    step: int = 1
    recent: deque[aegis.Recent] = field(factory=lambda: deque(maxlen=RECENT))
    over: bool = False


@define(eq=False)
class GymnasiumEnvironment:
    """The environment.

    Attributes:
        settings: What is played.
        capabilities: What holds of every environment of gymnasium.
        limit: Steps of an episode at most.
        actions: All actions, in the order of their numbers.
    """

    settings: GymnasiumSettings = field(factory=GymnasiumSettings)
    capabilities: aegis.EnvironmentCapabilities = field(factory=capabilities, init=False)
    limit: int = field(init=False)
    actions: tuple[aegis.Action, ...] = field(init=False, repr=False)
    _world: gymnasium.Env[Any, Any] = field(init=False, repr=False)
    _start: int = field(init=False, repr=False)
    _known: Known = field(init=False, repr=False)
    _layout: Layout = field(init=False, repr=False)
    _masks: Callable[[], Any] | None = field(init=False, repr=False)
    _all: tuple[int, ...] = field(init=False, repr=False)
    _index: dict[str, int] = field(init=False, repr=False)
    _did: tuple[aegis.Recent, ...] = field(init=False, repr=False)
    _episode: Episode | None = field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._world, self.limit = build(self.settings)
        space = self._action_space()
        count, self._start = int(space.n), int(space.start)
        self._known = known(self._world.unwrapped)
        names = self._known.actions
        if len(names) != count:
            names = tuple(str(self._start + index) for index in range(count))
        self.actions = tuple(aegis.Action(name) for name in names)
        self._did = tuple(aegis.Recent(name, "ok") for name in names)
        self._index = {name: index for index, name in enumerate(names)}
        self._all = tuple(range(count))
        self._layout = Layout.of(
            self.settings.id, self._world.observation_space, self._known.observation
        )
        self._masks = None
        if self._world.has_wrapper_attr("action_masks"):
            self._masks = self._world.get_wrapper_attr("action_masks")

    def reset(self, seed: int) -> aegis.View:
        """Begin the episode of a seed and return its first view.

        Raises:
            InputError: If the seed is negative, or the environment returns what it must not.
        """
        number = gymnasium_seed(self.settings.split, seed)
        self._episode = None
        observation, info = self._world.reset(seed=number)
        lines = self._layout.lines(observation)
        self._episode = Episode(number, self._legal(info), lines)
        return self._view(self._episode)

    def candidates(self, view: aegis.View) -> Sequence[aegis.Action]:  # noqa: ARG002 - the role's signature; the episode knows its own step
        """Return the legal actions of the current step; none after the end."""
        episode = self._running()
        if episode.over:
            return ()
        if episode.legal is self._all:
            return self.actions
        return tuple(self.actions[index] for index in episode.legal)

    def step(self, action: aegis.Action) -> aegis.StepResult:
        """Carry out one of the candidates.

        Raises:
            InputError: If the action is no candidate of this step, no episode is running, or the
                environment returns what it must not.
        """
        episode = self._running()
        index = self._chosen(episode, action)
        episode.over = True  # so it is if the environment fails
        observation, reward, terminated, truncated, info = self._world.step(self._start + index)
        earned = self._finite(reward)
        episode.lines = self._layout.lines(observation)
        episode.recent.append(self._did[index])
        episode.step += 1
        over = bool(terminated or truncated)
        if not over:
            episode.legal = self._legal(info)
        episode.over = over
        return aegis.StepResult(
            view=self._view(episode),
            outcome=aegis.Outcome("ok"),
            reward=earned,
            done=over,
            goal_completed=over and self._reached(info, earned, bool(terminated)),
            info={
                "gymnasium_seed": episode.seed,
                "terminated": bool(terminated),
                "truncated": bool(truncated),
            },
        )

    def _action_space(self) -> spaces.Discrete[Any]:
        space = self._world.action_space
        if isinstance(space, spaces.Discrete) and space.n <= CANDIDATES:
            return space
        raise InputError.of(
            "gymnasium-actions",
            f'environment "{self.settings.id}" has the action space {one_line(str(space), 100)}; a '
            f"decision is a choice among at most {CANDIDATES} discrete actions",
            where=_WHERE,
            fix=f"choose an environment whose action space is Discrete(n), n up to {CANDIDATES}",
        )

    def _running(self) -> Episode:
        if self._episode is None:
            raise InputError.of("gymnasium-not-reset", "no episode was begun", fix=_RESET)
        return self._episode

    def _chosen(self, episode: Episode, action: aegis.Action) -> int:
        """Return the index of an action, which may have been recorded and read again."""
        if episode.over:
            raise InputError.of("gymnasium-over", "the episode has ended", fix=_RESET)
        index = self._index.get(action.tool, -1)
        if index not in episode.legal or action.arguments or action.slot is not None:
            legal = ", ".join(self.actions[index].tool for index in episode.legal)
            raise InputError.of(
                "gymnasium-no-candidate",
                f"{action.render()!r} is no candidate of step {episode.step} of "
                f'"{self.settings.id}"; legal: {legal}',
                fix="pass one of candidates(view)",
            )
        return index

    def _legal(self, info: Mapping[str, Any]) -> tuple[int, ...]:
        mask = info.get("action_mask")
        if mask is None and self._masks is not None:
            mask = self._masks()
        if mask is None:
            return self._all
        allowed = np.asarray(mask)
        if allowed.shape != (len(self._all),) or not allowed.any():
            raise InputError.of(
                "gymnasium-mask",
                f'environment "{self.settings.id}" masks its {len(self._all)} actions with '
                f"{allowed.tolist()!r}; expected a mark for each, and one that is legal",
                where=_WHERE,
                fix="choose another environment, or report it to its authors",
            )
        return tuple(int(index) for index in np.flatnonzero(allowed))

    def _finite(self, reward: Any) -> float:
        try:
            value = float(reward)
        except (TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value):
            raise InputError.of(
                "gymnasium-reward",
                f'environment "{self.settings.id}" gave the reward {reward!r}, not a finite number',
                where=_WHERE,
                fix="choose another environment, or report it to its authors",
            )
        return value

    def _reached(self, info: Mapping[str, Any], reward: float, terminated: bool) -> bool:
        for key in ("is_success", "success"):
            if key in info:
                return bool(info[key])
        if self._known.goal == "lasted":
            return not terminated
        return terminated and (self._known.goal == "terminated" or reward > 0)

    def _view(self, episode: Episode) -> aegis.View:
        return aegis.View(
            goal=self.settings.id,
            step=episode.step,
            limit=self.limit,
            observation=episode.lines,
            recent=tuple(episode.recent),
        )
