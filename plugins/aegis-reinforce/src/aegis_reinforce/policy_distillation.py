"""The trainer ``policy-distillation``: engines of torch learn from rewards, by way of a critic."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

import torch
from attrs import asdict, evolve

from aegis import TrainingResult
from aegis.neural import RunSettings, as_torch_engine, derived_seed, train_module
from aegis_reinforce.composing import composed
from aegis_reinforce.distillation_losses import Decision, DistillationLosses
from aegis_reinforce.fitting import FitSettings
from aegis_reinforce.learning import Stopped, learned
from aegis_reinforce.settings import POLICY_DISTILLATION, TORCH_KINDS
from aegis_reinforce.transitions import rows_of, usable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aegis import Engine, Experience, ExperienceDataset, TrainingContext
    from aegis_reinforce.critic import Critic
    from aegis_reinforce.settings import PolicyDistillationSettings
    from aegis_reinforce.transitions import Shown

_AT_ONCE: Final = 1024
"""Decisions whose values are computed together."""


class PolicyDistillation:
    """Trains all weights of an engine whose log-probabilities have a gradient.

    Args:
        settings: Section ``[trainer.policy-distillation]``.
    """

    accepts = TORCH_KINDS

    def __init__(self, settings: PolicyDistillationSettings) -> None:
        self._settings = settings

    def train(
        self, engine: Engine, data: ExperienceDataset, context: TrainingContext
    ) -> TrainingResult:
        """Fit a critic to the steps, train the engine on it, and write it whole.

        The steps may be anybody's: what is learned of them is what candidates bring, and the
        engine is trained on all candidates of every step, not on the one that was taken, and on
        decisions that are put together from them (`aegis_reinforce.composing`). The critic follows
        from steps, settings and seed, and is fitted again where a training goes on.

        Raises:
            ContractError: If the engine has no log-probabilities with a gradient.
            InputError: ``no-examples`` or ``rewards-constant`` if there is nothing to learn.
            ModelError: If the state to go on with is damaged or of another training.
        """
        as_torch_engine(engine, POLICY_DISTILLATION)
        settings = self._settings
        fit = FitSettings(
            discount=settings.discount,
            temperature=settings.backup_temperature,
            iterations=settings.iterations,
        )
        try:
            found = learned(
                data,
                context,
                fit,
                hidden=settings.hidden,
                section=f"trainer.{POLICY_DISTILLATION}",
                report=lambda _: None,
            )
        except Stopped as stopped:
            return TrainingResult(
                directory=context.directory,
                metrics={},
                examples=0,
                epochs=0.0,
                stopped_because=stopped.because,
            )
        newest = _choices(found.steps[-settings.newest :])
        drawing = random.Random(derived_seed(context.seed, "composed"))  # noqa: S311 - a training needs no secrets
        further = composed(newest, settings.composed, drawing)
        train = _valued(found.critic, [*map(_shown, newest), *further])
        held_out = _valued(found.critic, list(map(_shown, _choices(usable(context.validation)))))
        result = train_module(
            engine,
            DistillationLosses(as_torch_engine(engine, POLICY_DISTILLATION), settings.temperature),
            train=train,
            held_out=held_out,
            settings=RunSettings(
                epochs=settings.epochs,
                batch_size=settings.batch_size,
                tokens_at_once=settings.tokens_at_once,
                learning_rate=settings.learning_rate,
                warmup=settings.warmup,
                floor=settings.floor,
                max_grad_norm=settings.max_grad_norm,
                evaluations=settings.evaluations,
                patience=settings.patience,
            ),
            context=context,
            weight_decay=settings.weight_decay,
            ema=settings.ema,
            identity={"trainer": asdict(settings)},
        )
        figures = {
            name: value for name, value in found.figures.items() if name.endswith("explained")
        }
        figures["composed"] = float(len(further))
        return evolve(result, examples=len(newest), metrics={**result.metrics, **figures})


def _choices(steps: Iterable[Experience]) -> list[Experience]:
    """Return the steps in which there was something to choose."""
    return [step for step in steps if len(step.decision.candidates) > 1]


def _shown(step: Experience) -> Shown:
    return step.view, step.decision.candidates


@torch.no_grad()
def _valued(critic: Critic, shown: Sequence[Shown]) -> list[Decision]:
    """Return decisions with what the critic expects of their candidates."""
    decisions = []
    for start in range(0, len(shown), _AT_ONCE):
        some = shown[start : start + _AT_ONCE]
        values = critic(*rows_of(some, critic.shape.columns))
        decisions += [
            Decision.of(view, candidates, row[: len(candidates)])
            for (view, candidates), row in zip(some, values, strict=True)
        ]
    return decisions
