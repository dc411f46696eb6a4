"""The default configuration as it fits what is installed: the rest of it stays as comments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

_ENABLED: Final = re.compile(r"^enabled = \[(.*)\]$", re.MULTILINE)
_PROFILE: Final = re.compile(r'^profile = "([a-z0-9-]+)"', re.MULTILINE)
_SECTION: Final = re.compile(r"^\[\w+\.([a-z0-9_-]+)\]")
_LAST: Final = "rules"
"""The profile of a project in which no plugin that decides is installed."""


def fitted(text: str, installed: Collection[str]) -> tuple[str, list[str]]:
    """Return a configuration without the plugins that are absent, and which those are.

    Args:
        text: The default configuration.
        installed: Names of the plugins that are installed.
    """
    from aegis.host.installed import BUNDLED

    (listed,) = _ENABLED.findall(text)
    wanted = re.findall(r'"([^"]+)"', listed)
    absent = [name for name in wanted if name not in installed]
    if not absent:
        return text, []
    present = [name for name in wanted if name in installed]
    said = ", ".join(f'"{name}"' for name in present)
    text = _ENABLED.sub(f"enabled = [{said}]", text)
    deciding = [name for name in present if f"[profiles.{name}]" in text]
    text = _PROFILE.sub(f'profile = "{(*deciding, _LAST)[0]}"', text)
    gone = {component for name in absent for component in (name, *BUNDLED.get(name, ()))}
    return _commented(text, gone), absent


def _commented(text: str, names: Collection[str]) -> str:
    """Return a text in which the sections of some components and profiles are comments."""
    lines, inside = [], False
    for line in text.splitlines():
        if line.startswith("["):
            found = _SECTION.match(line)
            inside = found is not None and found[1] in names
        lines.append(f"# {line}" if inside and line and not line.startswith("#") else line)
    return "\n".join(lines) + "\n"
