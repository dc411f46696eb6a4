"""The list of the plugins that ship with the host: names of modules, none of them imported."""

from __future__ import annotations

from typing import Final

BUILTINS: Final[tuple[str, ...]] = (
    "aegis.builtin.engines",
    "aegis.builtin.library",
    "aegis.builtin.research",
    "aegis.builtin.gym",
)
"""In the order in which the host calls them."""
