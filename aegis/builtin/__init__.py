"""Plugins that ship with the host. They use nothing that another plugin could not use."""

from __future__ import annotations

from typing import Final

BUILTINS: Final[tuple[str, ...]] = (
    "aegis.builtin.engines",
    "aegis.builtin.library",
    "aegis.builtin.research",
    "aegis.builtin.gym",
)
"""Modules of the builtin plugins, in the order in which the host calls them."""
