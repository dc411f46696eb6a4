"""What this plugin offers: the engine ``action-values`` and two trainers that learn from rewards.

Imports neither torch nor numpy; ``build`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import aegis
from aegis_reinforce.settings import (
    ENGINE,
    FITTED_Q,
    POLICY_DISTILLATION,
    EngineSettings,
    FittedQSettings,
    PolicyDistillationSettings,
    describe_engine,
    describe_fitted_q,
    describe_policy_distillation,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aegis_reinforce.engine import ActionValues
    from aegis_reinforce.fitted_q import FittedQ
    from aegis_reinforce.policy_distillation import PolicyDistillation

plugin_api: Final = 1


def _build_engine(
    settings: EngineSettings, parts: Mapping[str, Any], runtime: aegis.Runtime
) -> ActionValues:
    from aegis_reinforce.engine import build_engine

    return build_engine(settings, parts, runtime)


def _build_fitted_q(
    settings: FittedQSettings, parts: Mapping[str, Any], runtime: aegis.Runtime
) -> FittedQ:
    from aegis_reinforce.fitted_q import FittedQ

    del parts, runtime
    return FittedQ(settings)


def _build_policy_distillation(
    settings: PolicyDistillationSettings, parts: Mapping[str, Any], runtime: aegis.Runtime
) -> PolicyDistillation:
    from aegis_reinforce.policy_distillation import PolicyDistillation

    del parts, runtime  # it works on the device of the engine
    return PolicyDistillation(settings)


@aegis.hookimpl
def aegis_engines() -> list[aegis.Component]:
    """Offer the engine ``action-values``."""
    return [
        aegis.Component(
            kind="engine",
            name=ENGINE,
            summary="Chooses by what it expects of each candidate; learns in seconds.",
            config=EngineSettings,
            describe=describe_engine,
            build=_build_engine,
        )
    ]


@aegis.hookimpl
def aegis_trainers() -> list[aegis.Component]:
    """Offer the trainers ``fitted-q`` and ``policy-distillation``."""
    return [
        aegis.Component(
            kind="trainer",
            name=FITTED_Q,
            summary="Learns action values from own steps by fitted Q iteration.",
            config=FittedQSettings,
            describe=describe_fitted_q,
            build=_build_fitted_q,
        ),
        aegis.Component(
            kind="trainer",
            name=POLICY_DISTILLATION,
            summary="Trains gpt2 or hrm on rewards: the policy gradient over all candidates.",
            config=PolicyDistillationSettings,
            describe=describe_policy_distillation,
            build=_build_policy_distillation,
        ),
    ]
