"""The version of the environment's rules."""

from __future__ import annotations

from typing import Final

VERSION: Final = "3"
"""Of levels, splits, rewards and views together; results name it."""
