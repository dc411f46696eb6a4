"""The behaviour policy: what the engine prefers, with room to try other things.

    behaviour = (1 - epsilon) * softmax(score / temperature) + epsilon / n

Both distributions are recorded, so that another policy can be judged on the same steps later.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from attrs import frozen

if TYPE_CHECKING:
    import numpy.typing as npt

    Scores = npt.NDArray[np.float64]


@frozen
class Exploration:
    """How far the behaviour departs from the engine.

    Attributes:
        epsilon: Share of the probability spread evenly over all candidates, 0 to 1.
        temperature: Above 0; below 1 sharpens the engine's distribution, above 1 flattens it.
    """

    epsilon: float = 0.0
    temperature: float = 1.0

    def behaviour(self, scores: Scores) -> Scores:
        """Return the log-probabilities to sample from, shape (n,).

        Args:
            scores: The engine's log-probabilities, shape (n,).
        """
        heated = scores / self.temperature
        heated = np.exp(heated - heated.max())
        mixed = (1.0 - self.epsilon) * heated / heated.sum() + self.epsilon / len(scores)
        with np.errstate(divide="ignore"):
            logs: Scores = np.log(mixed)
        return logs


def step_rng(seed: int, step: int, purpose: int = 0) -> np.random.Generator:
    """Return the generator of one step: the same for the same run seed, step and purpose."""
    return np.random.default_rng([seed, step, purpose])


def sample(log_probabilities: Scores, rng: np.random.Generator) -> int:
    """Return an index drawn from the distribution."""
    edges = np.cumsum(np.exp(log_probabilities))
    return int(
        np.searchsorted(edges, rng.random() * edges[-1], side="right").clip(0, len(edges) - 1)
    )


def require_scores(scores: Scores, count: int) -> None:
    """Require one log-probability a candidate, at least one of them above minus infinity.

    A number that is none would be sampled as if it were the last candidate's.

    Raises:
        ValueError: If there are more or fewer, or one of them is no number.
    """
    if np.shape(scores) != (count,):
        raise ValueError(f"scores of shape {np.shape(scores)} for {count} candidates")
    if not math.isfinite(np.max(scores)):
        raise ValueError(f"scores that are no log-probabilities: {np.asarray(scores).tolist()}")
