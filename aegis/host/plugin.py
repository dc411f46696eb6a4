"""What the host knows of a plugin: who made it, whether it is enabled, what it provides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

if TYPE_CHECKING:
    from aegis.contracts.component import Component
    from aegis.errors import PluginError, Problem

LOCAL: Final = "local file"
"""What stands for the distribution of a plugin that is enabled by path."""

TOOL_MARK: Final = "aegis_tool"
"""Attribute under which a function that is a tool carries its manifest."""


@frozen
class PluginInfo:
    """One plugin, loaded or not.

    Attributes:
        name: Entry-point name, path as the configuration has it, or ``builtin:<module>``.
        distribution: Name of the distribution that installed it, or ``local file``.
        version: The distribution's version; empty for a local file.
        enabled: Whether it is on the allow-list (or a builtin).
        builtin: Whether it ships with the host.
        components: What it provides, in its own order; empty where it was not loaded.
        error: Why it could not be loaded, or None.
        warnings: What is odd about it and does not keep it from working.
    """

    name: str
    distribution: str
    version: str
    enabled: bool = True
    builtin: bool = False
    components: tuple[Component, ...] = ()
    error: PluginError | None = None
    warnings: tuple[Problem, ...] = ()

    @property
    def origin(self) -> str:
        """Distribution and version, as messages show them."""
        return f"{self.distribution} {self.version}".rstrip()

    def __str__(self) -> str:
        return f'plugin "{self.name}" ({self.origin})'

    def providing(self, components: tuple[Component, ...]) -> PluginInfo:
        """Return the plugin with what it provides."""
        return evolve(self, components=components)

    def warned(self, warnings: tuple[Problem, ...]) -> PluginInfo:
        """Return the plugin with what is odd about it."""
        return evolve(self, warnings=warnings)

    def failed(self, error: PluginError) -> PluginInfo:
        """Return the plugin as one that could not be loaded."""
        return evolve(self, components=(), error=error)


@frozen
class Provided:
    """A component, and the plugin that provides it."""

    component: Component
    plugin: PluginInfo
