"""The package is tested from its folder where it is not installed."""

from __future__ import annotations

import sys
from pathlib import Path

SRC = str(Path(__file__).parents[1] / "src")
if SRC not in sys.path:
    sys.path.insert(0, SRC)
