"""Builtin plugin: the environment ``research``, the agent's own life."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aegis.contracts.capabilities import EnvironmentCapabilities
from aegis.contracts.component import Component, Runtime
from aegis.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

plugin_api = 1


def _describe(_: None) -> EnvironmentCapabilities:
    return EnvironmentCapabilities(version="1", seeded=False, text_slot=False, life=True)


def _build(_: None, __: Mapping[str, Any], runtime: Runtime) -> Any:
    from aegis.agent.research import ResearchEnvironment

    return ResearchEnvironment(runtime.life)


@hookimpl
def aegis_environments() -> Iterable[Component]:
    """Return the environment ``research``."""
    return [
        Component(
            kind="environment",
            name="research",
            summary="The agent's own life: goals, tools, knowledge.",
            describe=_describe,
            build=_build,
        )
    ]
