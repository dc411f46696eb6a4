"""The type of what engines return; the only module of the contracts that imports numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]
"""One log-probability a candidate, (n,)."""
