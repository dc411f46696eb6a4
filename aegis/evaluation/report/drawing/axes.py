"""Axes as they are drawn: grid lines with their figures, and what is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aegis.evaluation.report.drawing.svg import group, line, text
from aegis.evaluation.report.drawing.typesetting import SMALL, text_width

if TYPE_CHECKING:
    from aegis.evaluation.report.drawing.scales import Axis

_OVERHANG: Final = 4.0


def across(axis: Axis, top: float, bottom: float, title: str) -> list[str]:
    """Draw an axis of x: upright lines, figures and title below them."""
    parts = [
        group(
            line(x, top, x, bottom + _OVERHANG, _grid(axis, place)),
            text(x, bottom + 18, label, "tick", "middle"),
            class_="tick x",
        )
        for place, (x, label) in enumerate(axis.labels())
    ]
    middle = (axis.start + axis.end) / 2
    return [*parts, text(middle, bottom + 37, title, "title", "middle")]


def upright(axis: Axis, left: float, right: float, title: str) -> list[str]:
    """Draw an axis of y: level lines, figures left of them, and the title above at the edge."""
    parts = [
        group(
            line(left - _OVERHANG, y, right, y, _grid(axis, place)),
            text(left - 8, y + 4, label, "tick", "end"),
            class_="tick y",
        )
        for place, (y, label) in enumerate(axis.labels())
    ]
    return [*parts, text(0.0, 12.0, title, "title")]


def label_room(axis: Axis) -> float:
    """Return how much room the figures of an axis of y need on its left."""
    return max(text_width(label, SMALL) for _, label in axis.labels()) + 10


def _grid(axis: Axis, place: int) -> str:
    crosses = axis.low < 0 < axis.high
    return "zero" if crosses and axis.ticks[place] == 0 else "grid"
