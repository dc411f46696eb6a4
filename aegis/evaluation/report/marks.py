"""How entries are drawn in every chart: marks, whiskers, lines, the axis of the measure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aegis.evaluation.report.drawing.markup import element
from aegis.evaluation.report.drawing.scales import Axis, linear
from aegis.evaluation.report.drawing.svg import group, line, mark
from aegis.evaluation.report.estimates import best, chance

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aegis.evaluation.report.estimates import Entry, Measure

_RADII: Final = {"profile": 5.0, "baseline": 4.0, "expert": 4.0, "published": 4.6}


def measure_axis(
    found: Iterable[Entry], measure: Measure, start: float, end: float, *, steps: int = 5
) -> Axis:
    """Return the axis of the measure that holds the intervals of all entries."""
    values = [value for entry in found for value in entry.estimate]
    return linear(values, start, end, bounds=measure.bounds, least=measure.least, steps=steps)


def axis_title(measure: Measure, axis: Axis) -> str:
    """Return the title of that axis, with a warning where a rate does not begin at nothing."""
    if measure.bounds is not None and axis.low > measure.bounds[0]:
        return f"{measure.title}, from {axis.low:g}"
    return measure.title


def sign(entry: Entry, x: float, y: float) -> str:
    """Return the mark of an entry."""
    return mark(entry.shape, x, y, _RADII[entry.group], f"mark {entry.colour}{_hollow(entry)}")


def upright_estimate(entry: Entry, told: str, x: float, y: Axis) -> str:
    """Return an entry at an x, with upright whiskers."""
    low, mean, high = (y(v) for v in (entry.estimate.low, entry.estimate.mean, entry.estimate.high))
    bars = (
        line(x, low, x, high, f"whisker {entry.colour}"),
        line(x - 3, low, x + 3, low, f"cap {entry.colour}"),
        line(x - 3, high, x + 3, high, f"cap {entry.colour}"),
    )
    drawn = (*(bars if entry.whiskers else ()), sign(entry, x, mean))
    return group(*drawn, title=told, class_=f"point {entry.group}", data_of=entry.key)


def level_estimate(entry: Entry, x: Axis, y: float) -> list[str]:
    """Return an entry at a y, with level whiskers."""
    low, mean, high = (x(v) for v in (entry.estimate.low, entry.estimate.mean, entry.estimate.high))
    bars = [
        line(low, y, high, y, f"whisker {entry.colour}"),
        line(low, y - 3, low, y + 3, f"cap {entry.colour}"),
        line(high, y - 3, high, y + 3, f"cap {entry.colour}"),
    ]
    return [*(bars if entry.whiskers else []), sign(entry, mean, y)]


def course(points: Sequence[tuple[float, float]], entry: Entry) -> str:
    """Return a line through points in the look of an entry."""
    said = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
    return element("polyline", points=said, class_=course_class(entry))


def course_class(entry: Entry) -> str:
    """Return the class of a line in the look of an entry: broken where it is greedy."""
    return f"course {entry.colour}{' greedy' if _hollow(entry) else ''}"


def floor_and_ceiling(found: Sequence[Entry]) -> list[Entry]:
    """Return the random policy and the best expert, as far as they are there."""
    return [entry for entry in (chance(found), best(found, "expert")) if entry is not None]


def told(entry: Entry, measure: Measure) -> str:
    """Return an entry in words."""
    if entry.whiskers:
        return f"{entry.name}: {measure.sentence(entry.estimate)}"
    return f"{entry.name}: {measure.figure(entry.estimate.mean)}{measure.unit}, published"


def all_told(found: Iterable[Entry], measure: Measure) -> str:
    """Return entries in words."""
    return "; ".join(told(entry, measure) for entry in found)


def _hollow(entry: Entry) -> str:
    return " hollow" if entry.group == "profile" and entry.said["way"] == "greedy" else ""
