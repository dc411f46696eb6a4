"""What the trainers of this distribution share: whom they train, on what, and how it goes."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from aegis import ContractError
from aegis.neural import RunSettings, no_examples
from aegis_gpt2_lora.engine import GptEngine
from aegis_gpt2_lora.examples import examples_of

if TYPE_CHECKING:
    from aegis import Engine, ExperienceDataset, TrainingContext
    from aegis_gpt2_lora.examples import Examples
    from aegis_gpt2_lora.trainer_settings import AnySettings

RESULTS: Final = frozenset({"finished", "early", "deadline"})
"""How a training ends that has a result; the engine serves it then."""


def gpt_engine(engine: Engine, trainer: str) -> GptEngine:
    """Return the engine, where it is one of this distribution.

    Raises:
        ContractError: If it is none.
    """
    if not isinstance(engine, GptEngine):
        raise ContractError.of(
            "trainer-engine",
            f"the trainer {trainer} trains the engine gpt2, not {type(engine).__name__}",
        )
    return engine


def train_and_held_out(
    engine: GptEngine,
    data: ExperienceDataset,
    context: TrainingContext,
    settings: AnySettings,
    trainer: str,
) -> tuple[Examples, Examples]:
    """Return what is trained on and what is measured on.

    Raises:
        InputError: ``no-examples`` if no step trains anything under the objective.
    """
    train = examples_of(data, engine, settings)
    if not train.rows:
        raise no_examples(train.left_out, settings.objective, f"trainer.{trainer}")
    return train, examples_of(context.validation, engine, settings, train.scale)


def run_settings(settings: AnySettings, learning_rate: float, floor: float = 0.0) -> RunSettings:
    """Return how a training goes.

    Args:
        settings: The trainer's.
        learning_rate: The largest one.
        floor: What it falls to, as a share of the largest.
    """
    return RunSettings(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        tokens_at_once=settings.tokens_at_once,
        learning_rate=learning_rate,
        warmup=settings.warmup,
        floor=floor,
        max_grad_norm=settings.max_grad_norm,
        evaluations=settings.evaluations,
        patience=settings.patience,
    )


def fingerprint(engine: GptEngine) -> str:
    """Return the fingerprint of an engine's tokenizer."""
    found = engine.tokenizer.capabilities.fingerprint
    assert found is not None
    return found


def digest_of(parts: dict[str, Any]) -> str:
    """Return a digest of everything that a training's result follows from, as JSON values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("ascii")).hexdigest()
