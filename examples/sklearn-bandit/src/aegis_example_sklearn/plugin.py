"""What this plugin offers: the engine and the trainer ``sklearn-bandit``."""

from __future__ import annotations

from typing import Any

from attrs import frozen

import aegis

plugin_api, NAME = 1, "sklearn-bandit"


@frozen
class Settings:
    """Settings of the engine."""

    temperature: float = aegis.setting(0.3, help="Of softmax(value / temperature).", gt=0)


def _engine(settings: Settings, _: object, runtime: aegis.Runtime) -> Any:
    from aegis_example_sklearn.bandit import Bandit

    return Bandit.load(settings.temperature, runtime.checkpoint)


def _trainer(_: None, __: object, ___: object) -> Any:
    from aegis_example_sklearn.bandit import RidgeTrainer

    return RidgeTrainer()


@aegis.hookimpl
def aegis_engines() -> list[aegis.Component]:
    """Offer the engine."""
    can, what = aegis.EngineCapabilities(NAME, trainable=True), "A linear estimate of returns."
    named: Any = {"kind": "engine", "name": NAME, "summary": what, "describe": lambda _: can}
    return [aegis.Component(**named, config=Settings, build=_engine)]


@aegis.hookimpl
def aegis_trainers() -> list[aegis.Component]:
    """Offer the trainer."""
    can, what = aegis.TrainerCapabilities(frozenset({NAME})), "Ridge regression of returns."
    named: Any = {"kind": "trainer", "name": NAME, "summary": what, "describe": lambda _: can}
    return [aegis.Component(**named, build=_trainer)]
