"""Axes of charts: from values to positions, with ticks at round numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

MINUS: Final = "\N{MINUS SIGN}"
_MANTISSAS: Final = (1, 2, 5)
_SLACK: Final = 1e-9
"""Of a division that should give a whole number."""


@frozen
class Axis:
    """A linear or logarithmic map of a stretch of values onto a stretch of positions.

    Attributes:
        low: The value at `start`.
        high: The value at `end`, above `low`.
        start: Position of the low end.
        end: Position of the high end; the smaller one where positions grow downwards.
        ticks: Round values from `low` to `high`.
        logarithmic: Whether equal distances are equal ratios; then `low` is above 0.
    """

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Return the position of a value."""
        low, high = self.low, self.high
        if self.logarithmic:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def labels(self) -> list[tuple[float, str]]:
        """Return the position and the text of each tick."""
        if self.logarithmic:
            return [(self(tick), number(tick, _places(tick))) for tick in self.ticks]
        step = self.ticks[1] - self.ticks[0]
        return [(self(tick), number(tick, _places(step))) for tick in self.ticks]


def linear(
    values: Iterable[float],
    start: float,
    end: float,
    *,
    bounds: tuple[float, float] | None = None,
    least: float = 0.0,
    steps: int = 5,
) -> Axis:
    """Return a linear axis that holds all the values and ends at round numbers.

    Args:
        values: At least one.
        start: Position of the low end.
        end: Position of the high end.
        bounds: What no value is outside of, such as 0 and 100 of a percentage; round numbers.
        least: The least length: smaller differences are not blown up to fill the axis.
        steps: The most steps between ticks, before the ends are made round.
    """
    held = list(values)
    low, high = min(held), max(held)
    if low == high and not least:
        least = 0.2 * abs(low) or 1.0
    if high - low < least:
        middle = (low + high) / 2
        low, high = middle - least / 2, middle + least / 2
        if bounds is not None:
            shift = max(bounds[0] - low, 0.0) - max(high - bounds[1], 0.0)
            low, high = low + shift, high + shift
    step = _step((high - low) / steps)
    first, last = math.floor(low / step + _SLACK), math.ceil(high / step - _SLACK)
    ticks = tuple(float(f"{index * step:.12g}") for index in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], start, end, ticks)


def logarithmic(values: Iterable[float], start: float, end: float, *, most: int = 10) -> Axis:
    """Return a logarithmic axis whose ends are 1, 2 or 5 times a power of ten.

    Args:
        values: At least one, all above 0.
        start: Position of the low end.
        end: Position of the high end.
        most: How many ticks there is room for, at least 2; where 1, 2 and 5 are too many, powers
            of ten.
    """
    held = list(values)
    decades = range(_decade(min(held)), _decade(max(held)) + 2)
    rungs = [float(f"{mantissa}e{decade}") for decade in decades for mantissa in _MANTISSAS]
    below = max(rung for rung in rungs if rung <= min(held) * (1 + _SLACK))
    above = min(rung for rung in rungs if rung > below and rung * (1 + _SLACK) >= max(held))
    ticks = [rung for rung in rungs if below <= rung <= above]
    if len(ticks) > most:
        powers = [float(f"1e{decade}") for decade in decades]
        ticks = [power for power in powers if below <= power <= above]
        ticks = ticks[:: -(-len(ticks) // most)] if len(ticks) > 1 else [below, above]
    return Axis(below, above, start, end, tuple(ticks), logarithmic=True)


def number(value: float, decimals: int) -> str:
    """Return a number as it is set: thousands apart, a minus sign, and no negative zero."""
    text = f"{value:,.{decimals}f}"
    if not text.startswith("-"):
        return text
    return f"{MINUS}{text[1:]}" if text.strip("-0.,") else text[1:]


def _step(least: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is not below `least`."""
    decade = _decade(least)
    candidates = [float(f"{m}e{d}") for d in (decade, decade + 1) for m in _MANTISSAS]
    return next(step for step in candidates if step * (1 + _SLACK) >= least)


def _decade(value: float) -> int:
    """Return the power of ten that a value above 0 has as its first digit's place."""
    return int(f"{value:e}".partition("e")[2])


def _places(value: float) -> int:
    """Return how many decimals show the first digit of a value above 0."""
    return max(0, -_decade(value))
