"""Rollouts: whole episodes of an engine in a seeded environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import field, frozen

from aegis.exploration import sample, step_rng

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aegis.contracts.roles import Engine, Environment
    from aegis.exploration import Exploration

LONGEST: Final = 10_000
"""Steps after which an episode that does not end is an error of its environment."""


@frozen
class EpisodeResult:
    """One episode.

    Attributes:
        seed: The seed that it was begun with.
        rewards: Reward of each step.
        statuses: Outcome's status of each step.
        completed: Whether the goal was reached.
        facts: The last step's facts for reports (`StepResult.info`).
    """

    seed: int
    rewards: tuple[float, ...]
    statuses: tuple[str, ...]
    completed: bool
    facts: Mapping[str, Any] = field(factory=dict)

    @property
    def total(self) -> float:
        """The return: the sum of the rewards, undiscounted."""
        return float(sum(self.rewards))

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.rewards)

    @property
    def relevant_read(self) -> int:
        """Relevant documents read, where the environment tells (research-gym does)."""
        return int(self.facts.get("relevant_read", 0))


def rollout(
    environment: Environment,
    engine: Engine,
    seeds: Iterable[int],
    *,
    exploration: Exploration | None = None,
    greedy: bool = False,
) -> list[EpisodeResult]:
    """Return one episode for each seed.

    Args:
        environment: Where to play; left at the end of the last episode.
        engine: What decides.
        seeds: Seeds of the episodes; the sampling derives from them too.
        exploration: How the behaviour departs from the engine; None for not at all.
        greedy: Take the most probable candidate (the first of equals) instead of sampling.
    """
    return [_episode(environment, engine, seed, exploration, greedy=greedy) for seed in seeds]


def _episode(
    environment: Environment,
    engine: Engine,
    seed: int,
    exploration: Exploration | None,
    *,
    greedy: bool,
) -> EpisodeResult:
    view = environment.reset(seed)
    rng = step_rng(seed, 0)
    rewards: list[float] = []
    statuses: list[str] = []
    while len(rewards) < LONGEST:
        candidates = environment.candidates(view)
        scores = engine.score(view, candidates)
        behaviour = scores if exploration is None else exploration.behaviour(scores)
        action = candidates[int(np.argmax(behaviour)) if greedy else sample(behaviour, rng)]
        if action.slot is not None:
            action = action.filled(engine.write(view, action, action.slot).text)
        result = environment.step(action)
        view = result.view
        rewards.append(result.reward)
        statuses.append(result.outcome.status)
        if result.done:
            facts = dict(result.info)
            return EpisodeResult(
                seed, tuple(rewards), tuple(statuses), result.goal_completed, facts
            )
    raise RuntimeError(f"the episode of seed {seed} did not end within {LONGEST} steps")
