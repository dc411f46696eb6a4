"""The version of the gym's rules, alone in its module so that a manifest can name it cheaply."""

from __future__ import annotations

from typing import Final

VERSION: Final = "1"
"""Results name it; figures of different versions are never compared."""
