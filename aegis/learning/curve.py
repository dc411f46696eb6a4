"""The learning curve: what a trainer reported, and a chart of it in plain text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Point = Mapping[str, float]

TRAIN: Final = "·"
HELD_OUT: Final = "o"
BOTH: Final = "ø"

_SERIES: Final = (("loss", TRAIN), ("held_out_loss", HELD_OUT))
_NOT_OF_A_POINT: Final = frozenset(
    {"trainable_parameters", "total_parameters", "examples_total", "seconds_left"}
)
_SMALLEST: Final = (20, 4)
_AXIS: Final = 9
"""Columns of the scale at the left, its line included."""


class Curve:
    """Points of a training, thinned out as they become many.

    Args:
        points: Points of an earlier part of the same training.
        most: Points that are kept at most.
    """

    def __init__(self, points: Sequence[Point] = (), most: int = 400) -> None:
        self._points: list[dict[str, float]] = [dict(point) for point in points]
        self._most = most

    @property
    def points(self) -> tuple[Point, ...]:
        """The points, in the order of ``examples``."""
        return tuple(self._points)

    def add(self, metrics: Point) -> bool:
        """Take a report up; returns whether it is a point of the curve.

        A point has ``examples`` (done so far, repeats counted) and a loss. One that goes back to
        fewer examples takes the place of those that it repeats, as a training does that goes on
        after an interruption.
        """
        if "examples" not in metrics or not any(name in metrics for name, _ in _SERIES):
            return False
        point = {n: float(value) for n, value in metrics.items() if n not in _NOT_OF_A_POINT}
        while self._points and self._points[-1]["examples"] > point["examples"]:
            self._points.pop()
        if self._points and self._points[-1]["examples"] == point["examples"]:
            self._points[-1].update(point)
        else:
            self._points.append(point)
        if len(self._points) > self._most:
            self._points = _thinned(self._points)
        return True


def _thinned(points: list[dict[str, float]]) -> list[dict[str, float]]:
    """Return every second point, the first, the last and those with a held-out loss too."""
    last = len(points) - 1
    kept = [p for i, p in enumerate(points) if i % 2 == 0 or i == last or "held_out_loss" in p]
    return kept if len(kept) < len(points) else points[: last // 2 * 2 : 2] + points[last:]


def draw(points: Sequence[Point], width: int = 64, height: int = 10) -> str:
    """Return a chart of the losses over the examples, or an empty text where there is none.

    Args:
        points: Points with ``examples`` and ``loss``, ``held_out_loss`` or both.
        width: Columns in all, at least 20.
        height: Rows in all, axes and legend included, at least 4.
    """
    width, height = max(width, _SMALLEST[0]), max(height, _SMALLEST[1])
    series = {mark: _values(points, name) for name, mark in _SERIES}
    losses = [y for values in series.values() for _, y in values]
    if not losses:
        return ""
    grid = _Grid(
        columns=width - _AXIS,
        rows=height - 2,
        across=_span([x for values in series.values() for x, _ in values]),
        up=_span(losses),
    )
    for mark, values in series.items():
        for x, y in values:
            grid.put(x, y, mark)
    return "\n".join([*grid.lines(), grid.scale(), _legend(series)])


def _values(points: Sequence[Point], name: str) -> list[tuple[float, float]]:
    found = [(p["examples"], p[name]) for p in points if name in p and "examples" in p]
    return [(x, y) for x, y in found if math.isfinite(x) and math.isfinite(y)]


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _legend(series: Mapping[str, Any]) -> str:
    names = {TRAIN: "training", HELD_OUT: "held out"}
    marks = [f"{mark} {names[mark]}" for mark, values in series.items() if values]
    return " " * _AXIS + "loss over examples:  " + "   ".join(marks)


class _Grid:
    """The plane of the chart, row 0 at the top."""

    def __init__(
        self, columns: int, rows: int, across: tuple[float, float], up: tuple[float, float]
    ) -> None:
        self._cells = [[" "] * columns for _ in range(rows)]
        self._across, self._up = across, up

    def put(self, x: float, y: float, mark: str) -> None:
        """Mark a point; where the other series has one already, both are shown as one."""
        column = _place(x, self._across, len(self._cells[0]))
        row = len(self._cells) - 1 - _place(y, self._up, len(self._cells))
        there = self._cells[row][column]
        self._cells[row][column] = mark if there in (" ", mark) else BOTH

    def lines(self) -> list[str]:
        """Return the rows, each with the loss that it stands for where there is room."""
        low, high = self._up
        last = len(self._cells) - 1
        labelled = {0, last} | ({last // 2} if last >= 4 else set())
        lines = []
        for row, cells in enumerate(self._cells):
            value = high - (high - low) * row / max(1, last)
            label = _number(value) if row in labelled else ""
            lines.append(f"{label:>{_AXIS - 2}} {'┤' if label else '│'}{''.join(cells)}".rstrip())
        return lines

    def scale(self) -> str:
        """Return the scale below: the first and the last number of examples."""
        low, high = (_number(value) for value in self._across)
        room = len(self._cells[0]) - len(low) - len(high)
        return " " * (_AXIS - 1) + "└" + low + "─" * max(1, room) + high


def _place(value: float, span: tuple[float, float], cells: int) -> int:
    low, high = span
    return round((value - low) / (high - low) * (cells - 1))


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e7:
        return f"{int(value)}"
    return f"{value:.3f}" if 0.01 <= abs(value) < 1000 else f"{value:.1e}"
