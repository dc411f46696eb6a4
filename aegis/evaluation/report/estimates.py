"""What a page shows of a comparison: its measure, and its rows as estimates with intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from aegis.evaluation.intervals import Interval
from aegis.evaluation.report.drawing.markup import clean
from aegis.evaluation.report.drawing.scales import number
from aegis.evaluation.report.drawing.svg import SHAPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NONE: Final = "\N{EN DASH}"
"""Stands where there is no figure."""
COLOURS: Final = 6


@frozen
class Measure:
    """What the figures of a task are, in the unit in which they are shown.

    Attributes:
        title: With its unit, as axes and columns are headed.
        short: The same for a narrow column.
        noun: In a sentence.
        unit: Behind a figure in a sentence.
        factor: From the comparison's values to the shown ones.
        decimals: Of the shown ones: about two digits of the intervals.
        bounds: What no value is outside of, if there is such.
        least: The least length of an axis; 0 for as short as the values are.
    """

    title: str
    short: str
    noun: str
    unit: str
    factor: float
    decimals: int
    bounds: tuple[float, float] | None
    least: float

    @classmethod
    def of(cls, comparison: Mapping[str, Any]) -> Measure:
        """Return the measure of a comparison."""
        if comparison["measure"] == "success":
            return cls(
                "success rate, %", "success, %", "success rate", " %", 100.0, 1, (0.0, 100.0), 20.0
            )
        decimals = decimals_for(returned(row) for row in comparison["rows"])
        return cls("mean return", "return", "mean return", "", 1.0, decimals, None, 0.0)

    def figure(self, value: float) -> str:
        """Return a shown value as text."""
        return number(value, self.decimals)

    def interval(self, estimate: Interval) -> str:
        """Return the ends of an interval as text."""
        return between(estimate, self.decimals)

    def sentence(self, estimate: Interval) -> str:
        """Return an estimate as it stands in a sentence."""
        return f"{self.figure(estimate.mean)}{self.unit} {self.interval(estimate)}"


@frozen
class Entry:
    """A row or a published figure, as the charts draw it.

    Attributes:
        key: Where it stands in the comparison: ``row-3``, ``published-0``.
        name: Its name.
        group: ``profile``, ``baseline``, ``expert`` or ``published``.
        estimate: In the measure's shown unit; a published figure has no interval.
        colour: The class of its colour.
        shape: Its mark, one of `SHAPES`.
        detail: What it is, in short.
        said: The row or the published figure.
    """

    key: str
    name: str
    group: str
    estimate: Interval
    colour: str
    shape: str
    detail: str
    said: Mapping[str, Any]

    @property
    def series(self) -> str:
        """What it belongs to on the ladder: its profile, and how that decides."""
        return f"{clean(self.said['profile'] or self.name)}, {self.said['way']}"

    @property
    def learned_from(self) -> int | None:
        """Episodes that it learned from, or None where that is none or not known."""
        if self.group == "published":
            count = self.said["demonstrations"]
        else:
            count = (self.said["experience"] or {}).get("episodes")
        return count or None

    @property
    def whiskers(self) -> bool:
        """Whether it has an interval."""
        return self.group != "published"


def entries(comparison: Mapping[str, Any]) -> list[Entry]:
    """Return what can be drawn: rows that have the measure, then published figures that do.

    A profile has one colour and one shape in all charts, whichever its weights.
    """
    measure = Measure.of(comparison)
    looks: dict[str, tuple[str, str]] = {}
    found = []
    for place, row in enumerate(comparison["rows"]):
        estimate = measured(row, comparison)
        if estimate is None:
            continue
        colour, shape = "quiet", "circle"
        if row["kind"] == "profile":
            colour, shape = looks.setdefault(row["profile"] or row["name"], _look(len(looks)))
        shown = Interval(*(measure.factor * value for value in estimate))
        name, group = clean(row["name"]), row["kind"]
        found.append(Entry(f"row-{place}", name, group, shown, colour, shape, _detail(row), row))
    for place, figure in enumerate(comparison["published"]):
        if (value := finite(figure["value"])) is None:
            continue
        shown = Interval(*[measure.factor * value] * 3)
        name, detail = clean(figure["name"]), _published_detail(figure)
        found.append(
            Entry(f"published-{place}", name, "published", shown, "open", "diamond", detail, figure)
        )
    return found


def measured(row: Mapping[str, Any], comparison: Mapping[str, Any]) -> Interval | None:
    """Return a row's figure in the measure of the comparison, or None where it has none."""
    return succeeded(row) if comparison["measure"] == "success" else returned(row)


def succeeded(row: Mapping[str, Any]) -> Interval | None:
    """Return a row's success rate, from 0 to 1, with its interval."""
    return _interval(row["success_rate"], row["success_interval"])


def returned(row: Mapping[str, Any]) -> Interval | None:
    """Return a row's mean return with its interval."""
    return _interval(row["mean_return"], row.get("return_interval") or row["ci95"])


def share(row: Mapping[str, Any]) -> Interval | None:
    """Return a row's normalised score with its interval, or None where it has none."""
    found = row["normalised"]
    return found and _interval(found["mean"], (found["low"], found["high"]))


def finite(value: float | None) -> float | None:
    """Return a number, or None where there is none: JSON of Python may hold NaN."""
    return value if value is not None and math.isfinite(value) else None


def between(estimate: Interval, decimals: int) -> str:
    """Return the ends of an interval as text."""
    return f"[{number(estimate.low, decimals)}, {number(estimate.high, decimals)}]"


def decimals_for(estimates: Iterable[Interval | None]) -> int:
    """Return how many decimals show two digits of the narrower half of the intervals."""
    widths = sorted((e.high - e.low) / 2 for e in estimates if e is not None and e.high > e.low)
    if not widths:
        return 2
    return min(max(1 - math.floor(math.log10(widths[len(widths) // 2])), 0), 4)


def best(found: Sequence[Entry], group: str) -> Entry | None:
    """Return the entry of a group whose estimate is highest, the first of equals."""
    return max((e for e in found if e.group == group), key=lambda e: e.estimate.mean, default=None)


def chance(found: Sequence[Entry]) -> Entry | None:
    """Return the random policy, which may also have been asked for as a profile."""
    named = (e for e in found if e.name == "random")
    own = (e for e in named if e.group == "baseline" or e.said.get("model") == "random")
    return next(own, None)


def compact(count: int) -> str:
    """Return a number of weights in three digits: ``813 k``, ``124 M``."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{float(f'{count / size:.3g}'):g} {letter}"
    return str(count)


def _interval(value: float | None, ends: Sequence[float] | None) -> Interval | None:
    if (mean := finite(value)) is None:
        return None
    low, high = (None, None) if ends is None else map(finite, ends)
    return Interval(mean, mean if low is None else low, mean if high is None else high)


def _look(count: int) -> tuple[str, str]:
    """Return colour and shape of the n-th profile: 36 different ones."""
    return f"c{count % COLOURS}", SHAPES[(count + count // COLOURS) % len(SHAPES)]


def _detail(row: Mapping[str, Any]) -> str:
    count = (row["experience"] or {}).get("episodes")
    learned = "" if count is None else f"{count:,} episodes"
    return " \N{MIDDLE DOT} ".join(part for part in (learned, clean(row["model"])) if part)


def _published_detail(figure: Mapping[str, Any]) -> str:
    count = figure["demonstrations"]
    learned = "" if count is None else f"{count:,} demonstrations"
    return " \N{MIDDLE DOT} ".join(part for part in (learned, clean(figure["source"])) if part)
