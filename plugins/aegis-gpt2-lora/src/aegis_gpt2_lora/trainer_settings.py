"""The sections ``[trainer.gpt2-lora]`` and ``[trainer.gpt2-full]``, and what the trainers need."""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen

import aegis
from aegis.neural import OBJECTIVES
from aegis_gpt2_lora.facts import KIND

LARGEST_RANK: Final = 256
"""Largest rank that is trained and read; beyond it an adapter saves nothing."""


def _objective() -> Any:
    return aegis.setting(
        "reward_weighted",
        help="imitate: demonstrations, and own steps that paid, all alike; reward_weighted: every "
        "step, an own one by exp(advantage / beta).",
        choices=OBJECTIVES,
    )


def _beta() -> Any:
    return aegis.setting(
        1.0,
        help="Advantage that makes an own step weigh e times as much; smaller is greedier.",
        gt=0,
        le=100,
    )


def _weight_limit() -> Any:
    return aegis.setting(
        20.0, help="Largest weight of one step before weights are scaled to mean 1.", ge=1, le=1e6
    )


def _choice_loss() -> Any:
    return aegis.setting(
        1.0, help="Weight of the loss of choosing among candidates.", ge=0, le=1000
    )


def _text_loss() -> Any:
    return aegis.setting(
        0.2, help="Weight of the loss of written text, per token of it.", ge=0, le=1000
    )


def _tokens_at_once(default: int) -> Any:
    return aegis.setting(
        default,
        help="Tokens computed together; a batch with more is split, which saves memory and "
        "changes no result but by rounding.",
        ge=1,
        le=10**6,
    )


def _max_grad_norm() -> Any:
    return aegis.setting(1.0, help="Norm that a step's gradient is scaled down to.", gt=0, le=1e6)


@frozen
class TrainerSettings:
    """Settings of the trainer ``gpt2-lora``."""

    objective: str = _objective()
    beta: float = _beta()
    weight_limit: float = _weight_limit()
    choice_loss: float = _choice_loss()
    text_loss: float = _text_loss()
    rank: int = aegis.setting(8, help="Rank of the adapters.", ge=1, le=LARGEST_RANK)
    alpha: int = aegis.setting(
        16, help="Adapters are scaled by alpha / rank.", ge=1, le=16 * LARGEST_RANK
    )
    dropout: float = aegis.setting(
        0.1, help="Share of an adapter's inputs left out at a training step.", ge=0, le=0.9
    )
    targets: tuple[str, ...] = aegis.setting(
        (), help="Names of the linear modules to adapt; none: chosen by the architecture."
    )
    epochs: int = aegis.setting(3, help="Passes over the examples, at most.", ge=1, le=1000)
    batch_size: int = aegis.setting(16, help="Examples of one optimiser step.", ge=1, le=4096)
    tokens_at_once: int = _tokens_at_once(4096)
    learning_rate: float = aegis.setting(
        0.0,
        help="Largest learning rate of AdamW; 0: by the model's width, 0.7 / width, at most 0.005.",
        ge=0,
        le=1e6,
    )
    warmup: float = aegis.setting(
        0.05, help="Share of the steps in which the learning rate rises from 0.", ge=0, le=1
    )
    weight_decay: float = aegis.setting(0.0, help="AdamW's, on the adapters.", ge=0, le=10)
    max_grad_norm: float = _max_grad_norm()
    evaluations: int = aegis.setting(
        2, help="Measurements of the held-out loss in an epoch.", ge=1, le=100
    )
    patience: int = aegis.setting(
        4,
        help="Measurements in a row without a better held-out loss after which it stops.",
        ge=1,
        le=10_000,
    )


@frozen
class FullTrainerSettings:
    """Settings of the trainer ``gpt2-full``."""

    objective: str = _objective()
    beta: float = _beta()
    weight_limit: float = _weight_limit()
    choice_loss: float = _choice_loss()
    text_loss: float = _text_loss()
    dropout: float = aegis.setting(
        0.0,
        help="Share of the embedding and of what each layer adds that is left out at a training "
        "step; GPT-2 alone has it.",
        ge=0,
        le=0.9,
    )
    ema: float = aegis.setting(
        0.0,
        help="How much of the moving average of the weights is kept at a step; it is what is "
        "served. 0: the weights themselves are.",
        ge=0,
        le=0.99999,
    )
    epochs: int = aegis.setting(30, help="Passes over the examples, at most.", ge=1, le=10_000)
    batch_size: int = aegis.setting(16, help="Examples of one optimiser step.", ge=1, le=4096)
    tokens_at_once: int = _tokens_at_once(8192)
    learning_rate: float = aegis.setting(
        0.0,
        help="Largest learning rate of AdamW; 0: by the model's width, 0.192 / width, at most "
        "0.002.",
        ge=0,
        le=1e6,
    )
    warmup: float = aegis.setting(
        0.03, help="Share of the steps in which the learning rate rises from 0.", ge=0, le=1
    )
    floor: float = aegis.setting(
        0.1, help="Share of the learning rate that is left at the end.", ge=0, le=1
    )
    weight_decay: float = aegis.setting(
        0.1, help="AdamW's, on matrices alone: no biases, no normalisation.", ge=0, le=10
    )
    max_grad_norm: float = _max_grad_norm()
    evaluations: int = aegis.setting(
        1, help="Measurements of the held-out loss in an epoch.", ge=1, le=100
    )
    patience: int = aegis.setting(
        8,
        help="Measurements in a row without a better held-out loss after which it stops.",
        ge=1,
        le=10_000,
    )


AnySettings = TrainerSettings | FullTrainerSettings
"""Those of either trainer."""


def describe_trainer(settings: TrainerSettings) -> aegis.TrainerCapabilities:
    """Return what the trainer needs: a causal language model with the modules to adapt."""
    return aegis.TrainerCapabilities(
        accepts=frozenset({KIND}),
        adapter_targets=frozenset(settings.targets),
        needs_candidates=False,
    )


def describe_full_trainer(settings: FullTrainerSettings) -> aegis.TrainerCapabilities:
    """Return what the trainer needs: a causal language model."""
    del settings
    return aegis.TrainerCapabilities(accepts=frozenset({KIND}), needs_candidates=False)
