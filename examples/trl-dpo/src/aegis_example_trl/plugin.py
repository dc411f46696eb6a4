"""What this plugin offers: the trainer ``trl-dpo``."""

from __future__ import annotations

from typing import Any

from attrs import frozen

import aegis

plugin_api, CAN = 1, aegis.TrainerCapabilities(frozenset({"causal-lm"}))


@frozen
class Settings:
    """Settings of the trainer."""

    epochs: int = aegis.setting(1, help="Passes over the pairs.", ge=1, le=1000)
    batch_size: int = aegis.setting(8, help="Pairs of one optimiser step.", ge=1, le=4096)
    learning_rate: float = aegis.setting(3e-4, help="Of AdamW, the same throughout.", gt=0, le=1)
    beta: float = aegis.setting(2.0, help="How dear it is to leave the old weights.", gt=0, le=100)


def _build(settings: Settings, _: object, __: object) -> Any:
    from aegis_example_trl.trainer import DpoTrainer

    return DpoTrainer(settings)


@aegis.hookimpl
def aegis_trainers() -> list[aegis.Component]:
    """Offer the trainer."""
    what = "Trains on preferences between candidates by TRL's DPO."
    named: Any = {"kind": "trainer", "name": "trl-dpo", "summary": what}
    return [aegis.Component(**named, config=Settings, describe=lambda _: CAN, build=_build)]
