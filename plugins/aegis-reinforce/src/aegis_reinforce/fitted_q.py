"""The trainer ``fitted-q``: action values from recorded steps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from aegis import ContractError, TrainingResult
from aegis_reinforce.critic_file import critic_digest
from aegis_reinforce.engine import ActionValues
from aegis_reinforce.fitting import FitSettings
from aegis_reinforce.learning import Stopped, learned
from aegis_reinforce.settings import FITTED_Q, KIND

if TYPE_CHECKING:
    from aegis import Engine, ExperienceDataset, TrainingContext
    from aegis_reinforce.settings import FittedQSettings


class FittedQ:
    """Learns the values of an engine ``action-values``.

    Args:
        settings: Section ``[trainer.fitted-q]``.
    """

    accepts = frozenset({KIND})

    def __init__(self, settings: FittedQSettings) -> None:
        self._settings = settings

    def train(
        self, engine: Engine, data: ExperienceDataset, context: TrainingContext
    ) -> TrainingResult:
        """Learn values from all steps anew and write them into ``context.directory``.

        It takes seconds. One that is interrupted, or whose time is over, leaves nothing behind
        and the engine as it was; it begins anew.

        Raises:
            ContractError: If the engine is none of this plugin's.
            InputError: ``no-examples`` or ``rewards-constant`` if there is nothing to learn.
        """
        if not isinstance(engine, ActionValues):
            raise ContractError.of(
                "trainer-engine",
                f"the trainer {FITTED_Q} trains the engine action-values, not "
                f"{type(engine).__name__}",
            )
        settings, began = self._settings, time.monotonic()
        fit = FitSettings(
            discount=settings.discount,
            temperature=settings.backup_temperature,
            iterations=settings.iterations,
        )
        total = float(len(data))

        def report(share: float) -> None:
            context.report(
                {
                    "examples": share * total,
                    "examples_total": total,
                    "seconds": time.monotonic() - began,
                }
            )

        try:
            found = learned(
                data,
                context,
                fit,
                hidden=settings.hidden,
                section=f"trainer.{FITTED_Q}",
                report=report,
            )
        except Stopped as stopped:
            return TrainingResult(
                directory=context.directory,
                metrics={},
                examples=0,
                epochs=0.0,
                stopped_because=stopped.because,
            )
        served = ActionValues(engine.settings, found.critic)
        served.save(context.directory)
        engine.serve(found.critic, critic_digest(context.directory))
        count = float(served.capabilities.parameters or 0)
        counts = {"trainable_parameters": count, "total_parameters": count}
        return TrainingResult(
            directory=context.directory,
            metrics={**found.figures, **counts},
            examples=len(found.steps),
            epochs=float(settings.iterations * fit.epochs + fit.reward_epochs),
            stopped_because="finished",
        )
