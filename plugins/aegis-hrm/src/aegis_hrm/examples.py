"""From recorded steps to what is trained on: rows of ids, targets, a weight each."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np
from attrs import frozen

from aegis.neural import LeftOut, Weighting, weigh

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aegis import Decision, Experience, ExperienceDataset
    from aegis_hrm.decision.layout import Layout, Row
    from aegis_hrm.trainer_settings import TrainerSettings

_NO_CHOICE: Final = LeftOut("no choice")
_NO_TEACHER: Final = LeftOut("no teacher")


@frozen
class Example:
    """What one step trains.

    Attributes:
        weight: How much it counts; the mean over own steps is 1.
        row: The decision as ids.
        chosen: Index of the candidate that was taken.
        targets: Probability that each candidate is to get, (C,); sums to 1.
    """

    weight: float
    row: Row
    chosen: int
    targets: tuple[float, ...]

    @property
    def tokens(self) -> int:
        """How long it is."""
        return self.row.tokens


@frozen
class Examples:
    """The examples of a data set, in its order.

    Attributes:
        rows: The examples.
        scale: What weights of own steps were multiplied by to have mean 1.
        left_out: Steps that train nothing, by reason.
    """

    rows: tuple[Example, ...]
    scale: float
    left_out: Mapping[str, int]

    @property
    def digest(self) -> str:
        """The sha256 of everything that a training sees of them, in hexadecimal."""
        total = hashlib.sha256()
        for example in self.rows:
            facts = (example.weight, example.row, example.chosen, example.targets)
            total.update(repr(facts).encode("ascii"))
        return total.hexdigest()


def examples_of(
    data: ExperienceDataset,
    layout: Layout,
    settings: TrainerSettings,
    scale: float | None = None,
) -> Examples:
    """Return what a data set trains under the configured objective.

    Args:
        data: Recorded steps.
        layout: The engine's.
        settings: Objective, teacher and weights.
        scale: What weights are multiplied by; held-out steps get that of the training steps.
            None: what gives the weights of own steps mean 1.
    """

    def encoded(experience: Experience) -> tuple[Row, int, tuple[float, ...]] | LeftOut:
        decision = experience.decision
        if decision.chosen is None or len(decision.candidates) < 2:
            return _NO_CHOICE
        targets = _targets(decision, settings)
        if targets is None:
            return _NO_TEACHER
        return layout.row(experience.view, decision.candidates), decision.chosen, targets

    weighed = weigh(data, _weighting(settings), encoded, scale)
    rows = tuple(Example(weight, *content) for weight, content in weighed.rows)
    return Examples(rows, weighed.scale, weighed.left_out)


def _weighting(settings: TrainerSettings) -> Weighting:
    """Return what steps count; a teacher's probabilities are right whatever came of them."""
    if settings.objective == "distill":
        return Weighting("reward_weighted", weight_limit=1.0, beta=1e9)
    return Weighting(settings.objective, settings.beta, settings.weight_limit)


def _targets(decision: Decision, settings: TrainerSettings) -> tuple[float, ...] | None:
    """Return the probability that each candidate is to get; None where no teacher says it."""
    share = 1.0 if settings.objective == "distill" else settings.distillation
    assert decision.chosen is not None
    hard = np.zeros(len(decision.candidates))
    hard[decision.chosen] = 1.0
    if share == 0:
        return tuple(hard.tolist())
    known = decision.engine_log_probabilities
    taught = len(known) == len(hard) and settings.teacher in {"", decision.engine}
    if not taught:
        return None if share == 1 else tuple(hard.tolist())
    values = np.asarray(known, dtype=np.float64) / settings.temperature
    soft = np.exp(values - values.max())
    return tuple((share * soft / soft.sum() + (1 - share) * hard).tolist())
