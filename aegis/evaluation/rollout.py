"""Rollouts: whole episodes of an engine in a seeded environment."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import field, frozen

from aegis.exploration import require_scores, sample, step_rng

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from aegis.contracts.action import Action
    from aegis.contracts.outcome import StepResult
    from aegis.contracts.roles import Engine, Environment, Written
    from aegis.contracts.scores import Scores
    from aegis.contracts.view import View
    from aegis.exploration import Exploration

LONGEST: Final = 10_000
"""Steps after which an episode that does not end is an error of its environment."""

DECISIONS: Final = 104_729
"""Purpose of the draws: an environment's own, which begin with the same seed, are others."""


@frozen(eq=False)
class Played:
    """One step of an episode.

    Attributes:
        view: What the engine was shown.
        candidates: What could be chosen.
        scores: The engine's log-probabilities, (n,).
        behaviour: What was sampled from, (n,); where the most probable candidate is taken, 0 for it
            and minus infinity for all others.
        chosen: Index of the candidate taken.
        action: What was carried out: that candidate, its slot filled.
        written: The text in the slot, or None.
        result: What came of it.
    """

    view: View
    candidates: Sequence[Action]
    scores: Scores
    behaviour: Scores
    chosen: int
    action: Action
    written: Written | None
    result: StepResult


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

    @classmethod
    def of(cls, seed: int, steps: Iterable[Played]) -> EpisodeResult:
        """Return the result of an episode's steps."""
        results = [step.result for step in steps]
        return cls(
            seed,
            tuple(result.reward for result in results),
            tuple(result.outcome.status for result in results),
            results[-1].goal_completed,
            dict(results[-1].info),
        )

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
    """Return one episode for each seed; the arguments are those of `play`."""
    return [
        EpisodeResult.of(
            seed, play(environment, engine, seed, exploration=exploration, greedy=greedy)
        )
        for seed in seeds
    ]


def play(
    environment: Environment,
    engine: Engine,
    seed: int,
    *,
    exploration: Exploration | None = None,
    greedy: bool = False,
) -> Iterator[Played]:
    """Yield the steps of one episode.

    Args:
        environment: Where to play; left at the end of the episode.
        engine: What decides.
        seed: Seed of the episode; the sampling derives from it too.
        exploration: How the behaviour departs from the engine; None for not at all.
        greedy: Take the most probable candidate (the first of equals) instead of sampling.

    Raises:
        RuntimeError: If the episode does not end within `LONGEST` steps.
        ValueError: If nothing can be chosen, a reward is not finite, or scores are not what
            `require_scores` requires.
    """
    view = environment.reset(seed)
    rng = step_rng(seed, 0, DECISIONS)
    for _ in range(LONGEST):
        candidates = environment.candidates(view)
        if not len(candidates):
            raise ValueError(f"no candidates, and the episode of seed {seed} is not over")
        scores = engine.score(view, candidates)
        require_scores(scores, len(candidates))
        behaviour = scores if exploration is None else exploration.behaviour(scores)
        if greedy:
            behaviour = _certain(int(np.argmax(behaviour)), len(candidates))
        chosen = sample(behaviour, rng)
        action, written = candidates[chosen], None
        if action.slot is not None:
            written = engine.write(view, action, action.slot)
            action = action.filled(written.text)
        result = environment.step(action)
        if not math.isfinite(result.reward):
            raise ValueError(f"no finite reward for {action.render()!r}: {result.reward!r}")
        yield Played(view, candidates, scores, behaviour, chosen, action, written, result)
        if result.done:
            return
        view = result.view
    raise RuntimeError(f"the episode of seed {seed} did not end within {LONGEST} steps")


def _certain(chosen: int, count: int) -> Scores:
    """Return the log-probabilities, (count,), of what takes one candidate whatever comes."""
    logs = np.full(count, -np.inf)
    logs[chosen] = 0.0
    return logs
