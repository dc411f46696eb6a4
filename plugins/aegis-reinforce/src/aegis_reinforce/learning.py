"""What both trainers begin with: values that are learned from recorded steps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

import torch

from aegis import InputError
from aegis.neural import derived_seed
from aegis_reinforce.critic import Critic, CriticShape
from aegis_reinforce.features import Columns
from aegis_reinforce.fitting import FitSettings, fit, fitted
from aegis_reinforce.transitions import Transitions, usable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aegis import Experience, ExperienceDataset, TrainingContext

_TO_FINISH: Final = 0.5
"""Seconds before the deadline that are left for writing."""


class Stopped(Exception):  # noqa: N818 - no error: the way out of a fit
    """The fit ends before it is done: why, as `TrainingResult.stopped_because` says it."""

    def __init__(self, because: str) -> None:
        super().__init__(because)
        self.because = because


class Learned(NamedTuple):
    """Values, and what they were learned from.

    Attributes:
        critic: The values.
        steps: The steps that they were learned from.
        figures: How well they fit, by the names of `TrainingResult.metrics`.
    """

    critic: Critic
    steps: Sequence[Experience]
    figures: dict[str, float]


def learned(
    data: ExperienceDataset,
    context: TrainingContext,
    settings: FitSettings,
    *,
    hidden: int,
    section: str,
    report: Callable[[float], None],
) -> Learned:
    """Return values that are learned from recorded steps.

    Args:
        data: The steps; imported ones without candidates teach nothing here.
        context: What the trainer was told.
        settings: How the critic is fitted.
        hidden: Width of its hidden layers.
        section: Section of the configuration, for messages.
        report: Called with the share that is done.

    Raises:
        InputError: ``no-examples`` if no step teaches anything, ``rewards-constant`` if all
            brought the same.
        Stopped: If there is a reason not to go on before it is done.
    """
    steps = usable(data)
    rewards = {step.reward for step in steps}
    if not steps:
        raise InputError.of(
            "no-examples",
            f"none of {len(data)} steps says what was chosen among what, and what it brought",
            where=f"[{section}]",
            fix="aegis run --steps 1000, or aegis data collect",
        )
    if len(rewards) == 1:
        raise InputError.of(
            "rewards-constant",
            f"all {len(steps)} steps brought {rewards.pop():g}: nothing is better than anything",
            where=f"[{section}]",
            fix="collect steps that differ in what they bring",
        )

    def passed(share: float) -> None:
        if context.should_stop():
            raise Stopped("interrupted")
        if time.monotonic() + _TO_FINISH >= context.deadline:
            raise Stopped("deadline")
        report(share)

    passed(0.0)
    columns = Columns.of(steps)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(context.seed, "critic"))
        critic = Critic(CriticShape(columns, hidden))
    shown = Transitions.of(steps, columns)
    order = torch.Generator().manual_seed(derived_seed(context.seed, "critic order"))
    fit(critic, shown, settings, order, passed)
    return Learned(critic, steps, _figures(critic, shown, context, settings))


def _figures(
    critic: Critic,
    shown: Transitions,
    context: TrainingContext,
    settings: FitSettings,
) -> dict[str, float]:
    here = fitted(critic, shown, settings)
    figures = {"reward_explained": here.explained, "loss": here.reward_error}
    held_out = usable(context.validation)
    figures["held_out_examples"] = float(len(held_out))
    if held_out:
        there = fitted(critic, Transitions.of(held_out, critic.shape.columns), settings)
        figures["held_out_loss"] = there.reward_error
        figures["held_out_loss_before"] = there.reward_variance
        figures["held_out_reward_explained"] = there.explained
    return figures
