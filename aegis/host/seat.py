"""A chosen component as JSON, and back: how a child process is told what to build.

The child loads the plugins that the seats name, and of all others at most those that provide
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aegis.config.structure import from_json, to_json
from aegis.host.builtins import BUILTINS
from aegis.host.composition import Chosen
from aegis.host.manager import Host

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from aegis.contracts.component import Runtime
    from aegis.host.plugin import PluginInfo


def seat_of(chosen: Chosen) -> dict[str, Any]:
    """Return a component with its settings and parts as plain JSON values."""
    return {
        "kind": chosen.component.kind,
        "name": chosen.component.name,
        "config": None if chosen.config is None else to_json(chosen.config),
        "parts": {name: seat_of(part) for name, part in chosen.parts.items()},
    }


def seated(seat: Mapping[str, Any], host: Host, path: str | None = None) -> Chosen:
    """Return the component of a seat, as the child's own host provides it.

    Args:
        seat: What `seat_of` returned.
        host: The plugins of the child (`load_host`).
        path: Its place in the composition; kind and name where it is not given.
    """
    kind, name = seat["kind"], seat["name"]
    path = path or f"{kind}.{name}"
    provided = host.provided(kind, name)
    settings = provided.component.config
    config = None if settings is None else from_json(settings, seat["config"])
    parts = {part: seated(below, host, f"{path}.{part}") for part, below in seat["parts"].items()}
    return Chosen(path, provided, config, f'{kind} "{name}"', parts)


def plugins_of(chosen: Iterable[Chosen], beside: Iterable[PluginInfo] = ()) -> dict[str, list[str]]:
    """Return what `load_host` needs to provide these components: their plugins and no others.

    Args:
        chosen: The components.
        beside: Plugins that are loaded before them (`Host.imported_only`): what they import may
            register what a component looks up.
    """
    plugins = {plugin.name: plugin for plugin in beside}
    plugins |= {one.plugin.name: one.plugin for root in chosen for one in root.walk()}
    builtin = {name for name, plugin in plugins.items() if plugin.builtin}
    return {
        "builtins": [m for m in BUILTINS if f"builtin:{m.rpartition('.')[2]}" in builtin],
        "plugins": [name for name in plugins if name not in builtin],
    }


def load_host(plugins: Mapping[str, Any], project: Path) -> Host:
    """Return the host of a child process with the plugins that `plugins_of` named."""
    return Host.load(plugins["plugins"], project, builtins=plugins["builtins"])


def runtime_of(runtime: Runtime) -> dict[str, Any]:
    """Return a runtime as plain JSON values; ``life`` stays with this process."""
    return {
        "project": str(runtime.project),
        "data": str(runtime.data),
        "device": runtime.device,
        "threads": runtime.threads,
        "seed": runtime.seed,
        "checkpoint": None if runtime.checkpoint is None else str(runtime.checkpoint),
        "offline": runtime.offline,
        "library": None if runtime.library is None else str(runtime.library),
    }
