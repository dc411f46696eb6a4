"""Plugins that are installed: entry points of the group ``aegis``, read without importing any."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Final

from attrs import frozen

from aegis.contracts.names import did_you_mean
from aegis.errors import Problem
from aegis.host.plugin import PluginInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from importlib.metadata import EntryPoint

GROUP: Final = "aegis"
CORE: Final = "aegis-agents"
"""The distribution of this package."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

BUNDLED: Final[Mapping[str, tuple[str, ...]]] = {
    "gpt2-lora": ("gpt2", "gpt2-full"),
    "hrm": ("hrm-bpe", "hrm-imitation"),
    "meta-planning": (),
    "arxiv": ("search_arxiv",),
    "babyai": ("gymnasium",),
    "reinforce": ("action-values", "fitted-q", "policy-distillation"),
}
"""Plugins of this project, each the distribution ``aegis-<name>``, and names of components that
tell that one of them is wanted."""


@frozen
class Installed:
    """An entry point: a plugin that could be enabled.

    Attributes:
        name: What ``[plugins].enabled`` calls it.
        entry: The entry point, not loaded.
        distribution: Distribution that declares it.
        version: Its version.
    """

    name: str
    entry: EntryPoint
    distribution: str
    version: str

    def info(self, *, enabled: bool) -> PluginInfo:
        """Return what is known of the plugin before it is imported."""
        return PluginInfo(self.name, self.distribution, self.version, enabled=enabled)


def installed() -> dict[str, tuple[Installed, ...]]:
    """Return the installed plugins by name; more than one where distributions collide."""
    from importlib.metadata import entry_points

    found: dict[str, tuple[Installed, ...]] = {}
    for entry in entry_points(group=GROUP):
        dist = entry.dist
        plugin = Installed(
            entry.name,
            entry,
            dist.name if dist is not None else "unknown distribution",
            dist.version if dist is not None else "",
        )
        others = found.get(entry.name, ())
        if plugin not in others:
            found[entry.name] = (*others, plugin)
    return dict(sorted(found.items()))


def requirements(distribution: str) -> list[tuple[str, str]]:
    """Return what a distribution needs beside what Aegis needs, each with its installed version.

    Without extras, and nothing of a distribution that is not installed.
    """
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in sorted(_required(distribution) - _required(CORE) - {CORE}):
        with contextlib.suppress(PackageNotFoundError):
            found.append((name, version(name)))
    return found


def _required(distribution: str) -> set[str]:
    from importlib.metadata import PackageNotFoundError, requires

    try:
        listed = requires(distribution) or []
    except PackageNotFoundError:
        return set()
    plain = (line for line in listed if "extra ==" not in line)
    return {match[0].lower().replace("_", "-") for line in plain if (match := _NAME.match(line))}


def absent(name: str, known: Iterable[str]) -> Problem:
    """Return the problem of a plugin that is enabled and not installed."""
    names = sorted(known)
    hint = did_you_mean(name, [one for one in (*names, *BUNDLED) if one != name])
    fix = f"installed: {', '.join(names)}" if names else "no plugin is installed"
    if name in BUNDLED:
        fix = f"install the distribution aegis-{name}"
    elif name.startswith("aegis-") and name.removeprefix("aegis-") in BUNDLED:
        fix = f'write "{name.removeprefix("aegis-")}": the name of the plugin, not its distribution'
    return Problem(
        "plugin-absent",
        f'plugin "{name}" is not installed{hint}',
        where="[plugins].enabled",
        fix=fix,
    )
