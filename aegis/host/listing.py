"""The list of plugins: enabled, failed, and installed without being enabled."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from aegis.errors import AegisError
from aegis.host.installed import installed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aegis.host.manager import Host
    from aegis.host.plugin import PluginInfo


class PluginRow(TypedDict):
    """One plugin, as ``aegis plugins list --json`` prints it.

    ``components`` holds kind and name (``engine gpt2``, ``command stats``), ``error`` the rendered
    problems or None, ``warnings`` the rendered oddities.
    """

    name: str
    distribution: str
    version: str
    enabled: bool
    components: list[str]
    error: str | None
    warnings: list[str]


def plugin_rows(host: Host) -> list[PluginRow]:
    """Return the host's plugins in their order, then those that are installed and not enabled.

    The latter are not imported, so what they provide is not known.
    """
    return [*(_row(host, plugin) for plugin in host.plugins), *_others(host)]


def _row(host: Host, plugin: PluginInfo) -> PluginRow:
    components = [f"{one.kind} {one.name}" for one in plugin.components]
    error = str(plugin.error) if plugin.error is not None else None
    try:
        components += [f"command {command.name}" for command in host.commands_of(plugin)]
    except AegisError as failed:
        error = str(failed)
    return PluginRow(
        name=plugin.name,
        distribution=plugin.distribution,
        version=plugin.version,
        enabled=plugin.enabled,
        components=components,
        error=error,
        warnings=[problem.render("warning") for problem in plugin.warnings],
    )


def _others(host: Host) -> Iterator[PluginRow]:
    listed = {(plugin.name, plugin.distribution) for plugin in host.plugins}
    for offers in installed().values():
        for offer in offers:
            if (offer.name, offer.distribution) not in listed:
                yield PluginRow(
                    name=offer.name,
                    distribution=offer.distribution,
                    version=offer.version,
                    enabled=False,
                    components=[],
                    error=None,
                    warnings=[],
                )
