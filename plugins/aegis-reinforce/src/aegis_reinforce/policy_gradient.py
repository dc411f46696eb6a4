"""The trainer ``policy-gradient``: engines of torch learn from rewards, by way of a critic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from attrs import asdict, evolve

from aegis import TrainingResult
from aegis.neural import RunSettings, as_torch_engine, train_module
from aegis_reinforce.fitting import FitSettings
from aegis_reinforce.learning import Stopped, learned
from aegis_reinforce.policy_losses import Decision, PolicyLosses
from aegis_reinforce.settings import POLICY_GRADIENT, TORCH_KINDS
from aegis_reinforce.transitions import Transitions, usable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis import Engine, Experience, ExperienceDataset, TrainingContext
    from aegis_reinforce.critic import Critic
    from aegis_reinforce.settings import PolicyGradientSettings


class PolicyGradient:
    """Trains all weights of an engine whose log-probabilities have a gradient.

    Args:
        settings: Section ``[trainer.policy-gradient]``.
    """

    accepts = TORCH_KINDS

    def __init__(self, settings: PolicyGradientSettings) -> None:
        self._settings = settings

    def train(
        self, engine: Engine, data: ExperienceDataset, context: TrainingContext
    ) -> TrainingResult:
        """Fit a critic to the steps, train the engine on it, and write it whole.

        The steps may be anybody's: what is learned of them is what candidates bring, and the
        engine is trained on all candidates of every step, not on the one that was taken. The
        critic follows from steps, settings and seed, and is fitted again where a training goes on.

        Raises:
            ContractError: If the engine has no log-probabilities with a gradient.
            InputError: ``no-examples`` or ``rewards-constant`` if there is nothing to learn.
            ModelError: If the state to go on with is damaged or of another training.
        """
        as_torch_engine(engine, POLICY_GRADIENT)
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
                section=f"trainer.{POLICY_GRADIENT}",
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
        train = _decisions(found.critic, found.steps[-settings.newest :])
        held_out = _decisions(found.critic, usable(context.validation))
        result = train_module(
            engine,
            PolicyLosses(as_torch_engine(engine, POLICY_GRADIENT), settings.temperature),
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
        explained = {
            name: value for name, value in found.figures.items() if name.endswith("explained")
        }
        return evolve(result, metrics={**result.metrics, **explained})


@torch.no_grad()
def _decisions(critic: Critic, steps: Sequence[Experience]) -> list[Decision]:
    """Return what is trained of some steps: those with a choice."""
    steps = [step for step in steps if len(step.decision.candidates) > 1]
    shown = Transitions.of(steps, critic.shape.columns)
    values = critic(shown.rows, shown.present) if steps else torch.empty(0, 0)
    return [
        Decision.of(step.view, step.decision.candidates, row[: len(step.decision.candidates)])
        for step, row in zip(steps, values, strict=True)
    ]
