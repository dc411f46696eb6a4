"""Labels with a sample of what they name: beside a chart where there is room, else below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

from aegis.evaluation.report.drawing.placement import spread
from aegis.evaluation.report.drawing.svg import group, text
from aegis.evaluation.report.drawing.typesetting import SMALL, wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

SAMPLE: Final = 30.0
"""Room for the sample left of a label; samples are drawn from 0 to 22, around a y of 0."""
_LINE: Final = 14.0
_SPACE: Final = 5.0


@frozen
class Label:
    """A name with a sample.

    Attributes:
        name: The name; it may take two lines.
        sample: Markup around y = 0.
        y: Where what it names is, for a label beside a chart.
        note: A short addition behind the name, set apart.
    """

    name: str
    sample: str
    y: float = 0.0
    note: str = ""

    def lines(self, width: float) -> list[str]:
        """Return the lines of the name, and of the note."""
        room = width - SAMPLE
        return [
            *wrapped(self.name, room, SMALL, 2),
            *(wrapped(self.note, room, SMALL)[:1] if self.note else []),
        ]

    def height(self, width: float) -> float:
        """Return how much room it takes in a column of a width."""
        return _LINE * len(self.lines(width)) + _SPACE

    def drawn(self, x: float, middle: float, width: float) -> str:
        """Draw it with its middle at a height."""
        lines = self.lines(width)
        top = middle - _LINE * len(lines) / 2
        named = len(lines) - bool(self.note)
        return group(
            group(self.sample, transform=f"translate({x:.2f} {middle:.2f})"),
            *(
                text(
                    x + SAMPLE, top + _LINE * place + 11, each, "label" if place < named else "note"
                )
                for place, each in enumerate(lines)
            ),
            title=" ".join(filter(None, (self.name, self.note))),
            class_="legend",
        )


def beside(labels: Sequence[Label], x: float, width: float, top: float, bottom: float) -> list[str]:
    """Draw labels in a column, each as near to the height of what it names as the others let it."""
    heights = [label.height(width) for label in labels]
    centres = spread([label.y for label in labels], heights, top, bottom)
    pairs = zip(labels, centres, strict=True)
    return [label.drawn(x, centre, width) for label, centre in pairs]


def below(
    labels: Sequence[Label], width: float, top: float, columns: int
) -> tuple[list[str], float]:
    """Draw labels in rows below a chart; returns them and where they end."""
    parts, column = [], (width - 16.0 * (columns - 1)) / columns
    for first in range(0, len(labels), columns):
        members = labels[first : first + columns]
        height = max(label.height(column) for label in members)
        for place, label in enumerate(members):
            x = place * (column + 16.0)
            parts.append(label.drawn(x, top + height / 2, column))
        top += height
    return parts, top
