"""The seven actions of every level."""

from __future__ import annotations

from typing import Final

ACTIONS: Final = ("left", "right", "forward", "pickup", "drop", "toggle", "done")
"""Their names in the order of minigrid's numbers, from 0."""
