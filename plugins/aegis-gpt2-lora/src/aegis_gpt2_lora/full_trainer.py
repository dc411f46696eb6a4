"""The trainer ``gpt2-full``: all weights of a small causal language model, on recorded steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import asdict, evolve

from aegis import ModelError, TrainingResult
from aegis.neural import ModuleLearner, left_out_figures, train_in_place
from aegis_gpt2_lora.base import Base, file_digests, weights_digest
from aegis_gpt2_lora.facts import KIND
from aegis_gpt2_lora.gpt2 import Gpt2
from aegis_gpt2_lora.gpt2_trees import Gpt2Trees
from aegis_gpt2_lora.learning_rate import default_full_rate, width_of
from aegis_gpt2_lora.model_folder import open_model_folder
from aegis_gpt2_lora.objective import Objective
from aegis_gpt2_lora.training import (
    fingerprint,
    gpt_engine,
    run_settings,
    train_and_held_out,
)
from aegis_gpt2_lora.transformers_trees import TransformersTrees

if TYPE_CHECKING:
    from aegis import Engine, ExperienceDataset, TrainingContext
    from aegis_gpt2_lora.engine import GptEngine
    from aegis_gpt2_lora.trainer_settings import FullTrainerSettings

NAME: Final = "gpt2-full"


class FullTrainer:
    """Trains all weights of an engine ``gpt2``.

    Args:
        settings: Section ``[trainer.gpt2-full]``.
    """

    accepts = frozenset({KIND})

    def __init__(self, settings: FullTrainerSettings) -> None:
        self._settings = settings

    def train(
        self, engine: Engine, data: ExperienceDataset, context: TrainingContext
    ) -> TrainingResult:
        """Train and write the whole model into ``context.directory``.

        Training goes on from the weights that the engine serves, an adapter merged into them
        included. Where it is interrupted or diverges nothing is written, and the engine serves
        what it served before. Without held-out steps all epochs are trained and the last weights
        are kept; ``held_out_examples`` says 0 then.

        Raises:
            ContractError: If the engine is none of this plugin's.
            ModelError: If the state to go on with is damaged or of another training, or dropout
                is asked for where there is none.
            InputError: ``no-examples`` if no step trains anything under the objective.
        """
        gpt = gpt_engine(engine, NAME)
        settings, module = self._settings, gpt.module
        objective = full_objective(gpt, settings.dropout)
        train, held_out = train_and_held_out(gpt, data, context, settings, NAME)
        trained = train_in_place(
            module,
            ModuleLearner(
                module,
                lambda examples, training: objective.trained(examples, settings, training=training),
                weight_decay=settings.weight_decay,
                ema=settings.ema,
            ),
            train=train.rows,
            held_out=held_out.rows,
            settings=run_settings(
                settings,
                settings.learning_rate or default_full_rate(width_of(module)),
                settings.floor,
            ),
            context=context,
            identity={
                "trainer": asdict(settings),
                "engine": asdict(gpt.settings),
                "train": train.digest,
                "held_out": held_out.digest,
            },
        )
        if trained.has_result:
            gpt.save(context.directory)
            folder = open_model_folder(context.directory)
            gpt.base = Base("", folder, file_digests(folder))
            weights = weights_digest(gpt.base.digests, None)
            gpt.capabilities = evolve(gpt.capabilities, weights=weights, files=folder.files)
        return TrainingResult(
            directory=context.directory,
            metrics={**trained.run.metrics(), **left_out_figures(train.left_out)},
            examples=trained.run.examples_seen,
            epochs=trained.run.epochs_done,
            stopped_because=trained.stopped_because,
            needs={"tokenizer": fingerprint(gpt)},
        )


def full_objective(engine: GptEngine, dropout: float = 0.0) -> Objective:
    """Return the losses of an engine with gradients for all of its weights.

    Raises:
        ModelError: ``dropout-unsupported`` where an architecture has no dropout here.
    """
    module = engine.module
    if isinstance(module, Gpt2):
        return Objective(engine, Gpt2Trees(module, dropout), module.head)
    if dropout > 0:
        raise ModelError.of(
            "dropout-unsupported",
            f"{type(module).__name__} is trained without dropout, not with {dropout:g}",
            where=f"[trainer.{NAME}].dropout",
            fix="set it to 0, or train a GPT-2",
        )
    return Objective(engine, TransformersTrees(module), lambda logits: logits)
