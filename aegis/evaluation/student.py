"""Quantiles of Student's t, for standard errors that come from few clusters."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np

_HALVINGS: Final = 60


@lru_cache(maxsize=256)
def t_quantile(level: float, freedom: int) -> float:
    """Return the value that |t| stays below with probability `level`.

    Args:
        level: Two-sided: 0.95 gives 12.706 for one degree of freedom and 1.960 for very many.
        freedom: Degrees of freedom, at least 1.

    Raises:
        ValueError: If `level` is not between 0 and 1, or there are no degrees of freedom.
    """
    if not 0.0 < level < 1.0 or freedom < 1:
        raise ValueError(f"no quantile of level {level} with {freedom} degrees of freedom")
    factors = _factors(freedom)
    low, high = 0.0, math.pi / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _within(middle, freedom, factors) < level:
            low = middle
        else:
            high = middle
    return math.sqrt(freedom) * math.tan((low + high) / 2)


def _factors(freedom: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the coefficients of the series in powers of cos^2, (freedom // 2,)."""
    odd = freedom % 2
    upper = np.arange(1 + odd, freedom - 2 + odd, 2, dtype=np.float64)
    upper = upper[: max(freedom // 2 - 1, 0)]
    return np.concatenate([[1.0], np.cumprod(upper / (upper + 1.0))])[: freedom // 2]


def _within(
    angle: float, freedom: int, factors: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> float:
    """Return P(|t| < sqrt(freedom) * tan(angle)): Abramowitz & Stegun, 26.7.3 and 26.7.4."""
    sine, cosine = math.sin(angle), math.cos(angle)
    series = float(factors @ cosine ** (2.0 * np.arange(len(factors))))
    if freedom % 2:
        return 2.0 / math.pi * (angle + sine * cosine * series)
    return sine * series
