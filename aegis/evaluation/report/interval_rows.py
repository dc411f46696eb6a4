"""The rows of the chart of estimates: name, estimate drawn, figures, normalised score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

from aegis.evaluation.report.drawing.scales import number
from aegis.evaluation.report.drawing.svg import group, line, text
from aegis.evaluation.report.drawing.typesetting import NAME, SMALL, text_width, wrapped
from aegis.evaluation.report.estimates import between, share
from aegis.evaluation.report.marks import level_estimate, told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis.evaluation.report.drawing.scales import Axis
    from aegis.evaluation.report.estimates import Entry, Measure

GAP: Final = 18.0
_LEAST: Final = 0.2
_MOST: Final = 0.36
"""Shares of the width that names have where they stand beside, for short and for long ones."""
_MARGIN: Final = 12.0


@frozen
class Rows:
    """Where the parts of each row go.

    Attributes:
        stacked: Whether a name stands above its estimate.
        width: Of the chart.
        names: Room for a name.
        start: Where the axis begins.
        end: Where it ends.
        figures: Where figures end and their intervals begin.
        shares: Where normalised scores end, or None where there are none.
    """

    stacked: bool
    width: float
    names: float
    start: float
    end: float
    figures: float
    shares: float | None

    @classmethod
    def of(cls, found: Sequence[Entry], measure: Measure, width: float, *, stacked: bool) -> Rows:
        """Return what suits the entries: every figure has the room that it needs."""
        if stacked:
            return cls(stacked, width, width, _MARGIN, width - _MARGIN, width, None)
        shares = max(text_width(_share(entry), SMALL) for entry in found)
        values = max(text_width(measure.figure(entry.estimate.mean), NAME) for entry in found)
        ends = max(text_width(_ends(entry, measure), SMALL) for entry in found)
        figures = width - (shares + GAP if shares else 0.0) - ends - 6
        names = max(
            max(text_width(entry.name, NAME), text_width(entry.detail, SMALL)) for entry in found
        )
        names = min(max(names, _LEAST * width), _MOST * width)
        start, end = names + GAP, figures - values - GAP
        return cls(stacked, width, names, start, end, figures, width if shares else None)

    def heads(self, measure: Measure, y: float) -> list[str]:
        """Draw what stands above the columns of figures."""
        if self.stacked:
            return []
        found = [text(self.figures + 3, y, measure.short, "head", "middle")]
        if self.shares is not None:
            found.append(text(self.shares, y, "normalised", "head", "end"))
        return found

    def row(self, entry: Entry, measure: Measure, axis: Axis, top: float) -> tuple[str, float]:
        """Draw an entry below a height; returns it and the height that it takes."""
        figure, ends, normalised = _figure(entry, measure), _ends(entry, measure), _share(entry)
        beside = text_width(figure, NAME) + text_width(ends, SMALL) + 6 + GAP if self.stacked else 0
        parts, y = [], top + 5
        for each in wrapped(entry.name, self.names - beside, NAME, 2):
            parts.append(text(0.0, y + 12, each, "name"))
            y += 16
        details = [entry.detail, f"normalised {normalised}" if self.stacked and normalised else ""]
        for each in filter(None, details):
            parts.append(text(0.0, y + 10, wrapped(each, self.names, SMALL)[0], "detail"))
            y += 15
        middle = y + 9 if self.stacked else (top + 5 + y) / 2
        y = y + 19 if self.stacked else y + 5
        base = top + 17 if self.stacked else middle + 4.5
        split = (
            self.width - (text_width(ends, SMALL) + 6 if ends else 0)
            if self.stacked
            else self.figures
        )
        parts.append(text(split, base, figure, "figure", "end"))
        if ends:
            parts.append(text(split + 6, base, ends, "ends"))
        if self.shares is not None and normalised:
            parts.append(text(self.shares, base, normalised, "ends", "end"))
        parts.append(line(axis.start, middle, axis.end, middle, "guide"))
        parts += level_estimate(entry, axis, middle)
        kind = f"row {entry.group}"
        return group(*parts, title=told(entry, measure), class_=kind, data_of=entry.key), y - top


def _figure(entry: Entry, measure: Measure) -> str:
    return measure.figure(entry.estimate.mean)


def _ends(entry: Entry, measure: Measure) -> str:
    return measure.interval(entry.estimate) if entry.whiskers else ""


def _share(entry: Entry) -> str:
    found = share(entry.said) if entry.whiskers else None
    return "" if found is None else f"{number(found.mean, 2)} {between(found, 2)}"
