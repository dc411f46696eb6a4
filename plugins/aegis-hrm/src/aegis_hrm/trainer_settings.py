"""The section ``[trainer.hrm-imitation]`` of aegis.toml, and what the trainer says of itself."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

import aegis
from aegis_hrm.facts import KIND


@frozen
class TrainerSettings:
    """Settings of the trainer ``hrm-imitation``. What is left out is as the engine's preset."""

    objective: Literal["imitate", "reward_weighted", "distill"] = aegis.setting(
        "reward_weighted",
        help="imitate: demonstrations, and own steps that paid, all alike; reward_weighted: every "
        "step, an own one by exp(advantage / beta); distill: the probabilities that the engine "
        "which decided gave to all candidates, every step alike.",
    )
    teacher: str = aegis.setting(
        "",
        help="For distill: name of the engine whose probabilities are learned; empty: of any.",
    )
    distillation: float = aegis.setting(
        0.0,
        ge=0,
        le=1,
        help="Share of the loss that goes to the recorded probabilities under the other "
        "objectives; the rest goes to the candidate that was chosen.",
    )
    temperature: float = aegis.setting(
        1.0,
        ge=0.05,
        le=100,
        help="The teacher's log-probabilities are divided by it and normalised again.",
    )
    beta: float = aegis.setting(
        1.0,
        gt=0,
        le=100,
        help="Advantage that makes an own step weigh e times as much; smaller is greedier.",
    )
    weight_limit: float = aegis.setting(
        20.0, ge=1, le=1e6, help="Largest weight of one step before weights are scaled to mean 1."
    )
    halting_loss: float = aegis.setting(
        0.5, ge=0, le=1000, help="Weight of the losses of the halting head."
    )
    segments: int | None = aegis.setting(
        None,
        ge=1,
        le=256,
        help="Segments that are supervised, each with an optimiser step of its own.",
    )
    ema: float | None = aegis.setting(
        None,
        ge=0,
        le=0.99999,
        help="How much of the moving average of the weights is kept at a step; it is what is "
        "served. 0: the weights themselves are.",
    )
    epochs: int = aegis.setting(20, ge=1, le=10_000, help="Passes over the examples, at most.")
    batch_size: int = aegis.setting(8, ge=1, le=4096, help="Examples of one optimiser step.")
    tokens_at_once: int = aegis.setting(
        16384,
        ge=1,
        le=10**7,
        help="Tokens computed together; a batch with more is split, which saves memory and "
        "changes no result but by rounding.",
    )
    learning_rate: float = aegis.setting(
        0.0,
        ge=0,
        le=10,
        help="Largest learning rate of AdamATan2; 0: by the model's width, 0.256 / width, at "
        "most 0.002.",
    )
    weight_decay: float = aegis.setting(0.1, ge=0, le=10, help="AdamATan2's, decoupled.")
    warmup: float = aegis.setting(
        0.03, ge=0, le=1, help="Share of the batches in which the learning rate rises from 0."
    )
    floor: float = aegis.setting(
        0.1, ge=0, le=1, help="Share of the learning rate that is left at the end."
    )
    evaluations: int = aegis.setting(
        1, ge=1, le=100, help="Measurements of the held-out loss in an epoch."
    )
    patience: int = aegis.setting(
        6,
        ge=1,
        le=10_000,
        help="Measurements in a row without a better held-out loss after which it stops.",
    )


def describe_trainer(settings: TrainerSettings) -> aegis.TrainerCapabilities:
    """Return what the trainer needs: an engine of this plugin, and rows with candidates."""
    del settings
    return aegis.TrainerCapabilities(accepts=frozenset({KIND}), needs_candidates=True)
