"""This plugin's sections of aegis.toml, and what its components say of themselves."""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen

import aegis

KIND: Final = "action-values"
ENGINE: Final = "action-values"
FITTED_Q: Final = "fitted-q"
POLICY_DISTILLATION: Final = "policy-distillation"


@frozen
class EngineSettings:
    """Settings of the engine ``action-values``."""

    temperature: float = aegis.setting(
        0.03,
        help="Candidates are chosen by softmax(value / temperature); in units of the reward.",
        gt=0,
        le=1000,
    )


def _discount() -> Any:
    return aegis.setting(
        0.95, help="What a reward one step later is worth to the critic.", gt=0, le=1
    )


def _hidden() -> Any:
    return aegis.setting(48, help="Width of the critic's hidden layers.", ge=1, le=4096)


def _iterations() -> Any:
    return aegis.setting(25, help="Iterations of fitted Q iteration.", ge=1, le=10_000)


def _backup_temperature() -> Any:
    return aegis.setting(
        0.1,
        help="Later states are valued by what softmax(value / temperature) expects there; in units "
        "of the reward.",
        gt=0,
        le=1000,
    )


@frozen
class FittedQSettings:
    """Settings of the trainer ``fitted-q``."""

    discount: float = _discount()
    hidden: int = _hidden()
    iterations: int = _iterations()
    backup_temperature: float = _backup_temperature()


@frozen
class PolicyDistillationSettings:
    """Settings of the trainer ``policy-distillation``."""

    discount: float = _discount()
    hidden: int = _hidden()
    iterations: int = _iterations()
    backup_temperature: float = _backup_temperature()
    temperature: float = aegis.setting(
        0.03,
        help="The engine is made to choose by softmax(value / temperature); in units of the "
        "reward.",
        gt=0,
        le=1000,
    )
    newest: int = aegis.setting(
        0,
        help="How many of the steps the engine is trained on, the newest; 0: all of them. The "
        "critic learns from all.",
        ge=0,
        le=10**9,
    )
    composed: int = aegis.setting(
        2,
        help="How many decisions for each step, put together from candidates of several steps, "
        "the engine is trained on beside it.",
        ge=0,
        le=1000,
    )
    epochs: int = aegis.setting(
        2, help="Passes over steps and composed decisions, at most.", ge=1, le=10_000
    )
    batch_size: int = aegis.setting(8, help="Steps of one optimiser step.", ge=1, le=4096)
    tokens_at_once: int = aegis.setting(
        8192,
        help="Characters of views and candidates, in fours, that are computed together.",
        ge=1,
        le=10**6,
    )
    learning_rate: float = aegis.setting(0.001, help="Largest learning rate of AdamW.", gt=0, le=1)
    warmup: float = aegis.setting(
        0.05, help="Share of the steps in which the learning rate rises from 0.", ge=0, le=1
    )
    floor: float = aegis.setting(
        0.1, help="Share of the learning rate that is left at the end.", ge=0, le=1
    )
    weight_decay: float = aegis.setting(0.01, help="AdamW's, on matrices alone.", ge=0, le=10)
    max_grad_norm: float = aegis.setting(
        1.0, help="Norm that a step's gradient is scaled down to.", gt=0, le=1e6
    )
    ema: float = aegis.setting(
        0.0,
        help="How much of the moving average of the weights is kept at a step; it is what is "
        "served. 0: the weights themselves are.",
        ge=0,
        le=0.99999,
    )
    evaluations: int = aegis.setting(
        1, help="Measurements of the held-out loss in an epoch.", ge=1, le=100
    )
    patience: int = aegis.setting(
        3,
        help="Measurements in a row without a better held-out loss after which it stops.",
        ge=1,
        le=10_000,
    )


def describe_engine(settings: EngineSettings) -> aegis.EngineCapabilities:
    """Return what the engine is."""
    del settings
    return aegis.EngineCapabilities(kind=KIND, trainable=True, order_independent=True)


def describe_fitted_q(settings: FittedQSettings) -> aegis.TrainerCapabilities:
    """Return what the trainer needs: this plugin's engine."""
    del settings
    return aegis.TrainerCapabilities(accepts=frozenset({KIND}))


def describe_policy_distillation(settings: PolicyDistillationSettings) -> aegis.TrainerCapabilities:
    """Return what the trainer needs: an engine of torch."""
    del settings
    return aegis.TrainerCapabilities(accepts=TORCH_KINDS)


TORCH_KINDS: Final = frozenset({"causal-lm", "hrm"})
"""Kinds of engines whose log-probabilities have a gradient (`aegis.neural.TorchEngine`)."""
