"""Builtin plugin: the engines ``random`` and ``rules``, the baselines of every comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aegis.contracts.capabilities import EngineCapabilities
from aegis.contracts.component import Component
from aegis.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aegis.contracts.component import Runtime

plugin_api = 1


def _build_random(_: None, __: Mapping[str, Any], ___: Runtime) -> Any:
    from aegis.builtin._engines.uniform import RandomEngine

    return RandomEngine()


def _build_rules(_: None, __: Mapping[str, Any], ___: Runtime) -> Any:
    from aegis.builtin._engines.rules import RulesEngine

    return RulesEngine()


@hookimpl
def aegis_engines() -> Iterable[Component]:
    """Return the engines that have no weights."""
    return [
        Component(
            kind="engine",
            name="random",
            summary="Every candidate is equally probable: the floor.",
            describe=lambda _: EngineCapabilities(kind="random", order_independent=True),
            build=_build_random,
        ),
        Component(
            kind="engine",
            name="rules",
            summary="A policy written by hand: the bar for every engine that learns.",
            describe=lambda _: EngineCapabilities(kind="rules", order_independent=True),
            build=_build_rules,
        ),
    ]
