"""The charts of a comparison, as SVG text: estimates, the ladder over experience, cost.

Each is drawn for a width. Below `STACKED`, names stand above what they name and labels below the
chart, so that a page can show one of two drawings and its type stays as large as it is. Colours
are classes that the page defines, for light and dark.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from aegis.evaluation.report.drawing.axes import across, label_room, upright
from aegis.evaluation.report.drawing.legend import Label, below, beside
from aegis.evaluation.report.drawing.placement import Box, Room
from aegis.evaluation.report.drawing.scales import Axis, logarithmic
from aegis.evaluation.report.drawing.svg import group, line, picture, text
from aegis.evaluation.report.drawing.typesetting import SMALL, text_width, wrapped
from aegis.evaluation.report.estimates import Measure, compact, entries, finite
from aegis.evaluation.report.interval_rows import GAP, Rows
from aegis.evaluation.report.marks import (
    all_told,
    axis_title,
    course,
    course_class,
    floor_and_ceiling,
    measure_axis,
    sign,
    told,
    upright_estimate,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aegis.evaluation.report.estimates import Entry

WIDE: Final = 820.0
NARROW: Final = 400.0
STACKED: Final = 600.0

_HEADINGS: Final = {
    "profile": "Profiles",
    "baseline": "Baselines",
    "expert": "Experts",
    "published": "Published",
}


def interval_chart(comparison: Mapping[str, Any], width: float = WIDE) -> str:
    """Return each row's estimate with its interval of 95 %; empty where no row has any.

    Rows are grouped and, in their group, ordered by what they reached. The random policy and the
    best expert go through all rows as lines.
    """
    found = entries(comparison)
    if not found:
        return ""
    measure = Measure.of(comparison)
    rows = Rows.of(found, measure, width, stacked=width < STACKED)
    axis = measure_axis(found, measure, rows.start, rows.end)
    top, blocks = 36.0, []
    y = top + 4.0
    for kind, heading in _HEADINGS.items():
        members = [entry for entry in found if entry.group == kind]
        if not members:
            continue
        blocks += [line(0.0, y, width, y, "rule"), text(0.0, y + 17, heading, "heading")]
        y += 24
        for entry in sorted(members, key=lambda entry: -entry.estimate.mean):
            block, height = rows.row(entry, measure, axis, y)
            blocks.append(block)
            y += height
        y += 6
    return picture(
        width,
        y + 42,
        *across(axis, top, y, axis_title(measure, axis)),
        *_references(found, measure, axis, top, y),
        *rows.heads(measure, top - 8),
        *blocks,
        name=f"estimates-{width:.0f}",
        title=f"{measure.noun.capitalize()} with intervals of 95 %",
        told=all_told(found, measure),
    )


def ladder_chart(comparison: Mapping[str, Any], width: float = WIDE) -> str:
    """Return what profiles reach by the number of demonstrations that they learned from.

    Empty unless a profile, deciding in one way, is there with two different numbers. Its line
    goes through the means of rows with the same number: trainings that differ in their seed.
    """
    found = entries(comparison)
    series: dict[str, list[Entry]] = defaultdict(list)
    for entry in found:
        if entry.group == "profile" and entry.learned_from:
            series[entry.series].append(entry)
    if all(len({entry.learned_from for entry in members}) < 2 for members in series.values()):
        return ""
    measure, stacked = Measure.of(comparison), width < STACKED
    published = [entry for entry in found if entry.group == "published" and entry.learned_from]
    levels = floor_and_ceiling(found)
    points = [*(entry for members in series.values() for entry in members), *published]
    side = 0.0 if stacked else 0.27 * width
    names = [*(members[-1] for members in series.values()), *published, *levels]
    needed = sum(Label(name.name, "", note=" ").height(side) for name in names) if side else 0.0
    top, bottom = 30.0, 30.0 + max(290.0 if side else 260.0, needed)
    y = measure_axis([*points, *levels], measure, bottom, top, steps=6)
    left, right = label_room(y), width - (side + GAP if side else 8.0)
    counts = [entry.learned_from or 1 for entry in points]
    x = logarithmic(counts, left + 20, right - 20, most=4 if stacked else 8)
    parts = [
        *across(x, top, bottom, "demonstrations, logarithmic"),
        *upright(y, left, right, axis_title(measure, y)),
    ]
    labels = []
    for entry in levels:
        at = y(entry.estimate.mean)
        parts.append(group(line(left, at, right, at, "reference"), data_of=entry.key))
        name = f"{entry.name} {measure.figure(entry.estimate.mean)}"
        labels.append(Label(name, line(0, 0, 22, 0, "reference"), at))
    for members, offsets in _side_by_side(series, x):
        path = [
            (sum(xs) / len(xs), sum(ys) / len(ys)) for xs, ys in _by_count(members, offsets, x, y)
        ]
        parts.append(course(path, members[0]))
        parts += [
            upright_estimate(entry, told(entry, measure), x(entry.learned_from or 1) + offset, y)
            for entry, offset in zip(members, offsets, strict=True)
        ]
        sample = line(0, 0, 22, 0, course_class(members[0])) + sign(members[0], 11, 0)
        labels.append(Label(members[0].series, sample, path[-1][1]))
    for entry in published:
        parts.append(upright_estimate(entry, told(entry, measure), x(entry.learned_from or 1), y))
        note = f"{entry.learned_from or 1:,} demonstrations"
        labels.append(Label(entry.name, sign(entry, 11, 0), y(entry.estimate.mean), note))
    end = bottom + 44
    if side:
        parts += beside(labels, right + GAP, side, top - 10, bottom + 10)
    else:
        named, end = below(labels, width, end + 4, 1)
        parts += named
    return picture(
        width,
        end,
        *parts,
        name=f"ladder-{width:.0f}",
        title=f"{measure.noun.capitalize()} by demonstrations learned from",
        told=all_told(points, measure),
    )


def cost_chart(comparison: Mapping[str, Any], width: float = WIDE) -> str:
    """Return what rows reach against how fast they decide; empty where fewer than two say so.

    Names stand beside their points where there is room, with the number of weights; the others
    have a number there and their name below.
    """
    found = [entry for entry in entries(comparison) if _speed(entry)]
    if len(found) < 2:
        return ""
    measure, stacked = Measure.of(comparison), width < STACKED
    top, bottom = 30.0, 30.0 + (270.0 if stacked else 300.0 + 6.0 * len(found))
    y = measure_axis(found, measure, bottom, top, steps=6)
    left, right = label_room(y), width - 8.0
    x = logarithmic(map(_speed, found), left + 20, right - 20, most=4 if stacked else 8)
    room = Room(Box(left + 2, top - 12, right, bottom - 2))
    for entry in found:
        at = x(_speed(entry))
        room.taken.append(_around(at, y(entry.estimate.mean), 7.0))
        room.taken.append(
            Box(at - 3, y(entry.estimate.high) - 1, at + 3, y(entry.estimate.low) + 1)
        )
    order = {"profile": 0, "expert": 1}
    ranked = sorted(found, key=lambda e: (order.get(e.group, 2), -e.estimate.mean))
    points, below_it = [], []
    for entry in ranked:
        spot = x(_speed(entry)), y(entry.estimate.mean)
        placed = None if stacked else _name_beside(entry, room, *spot)
        if placed is None:
            below_it.append(entry)
        else:
            points.append(placed)
    labels = []
    for count, entry in enumerate(below_it, 1):
        spot = x(_speed(entry)), y(entry.estimate.mean)
        points.append(_number_beside(str(count), room, *spot))
        sample = text(6, 4, str(count), "key", "middle") + sign(entry, 19, 0)
        labels.append(Label(entry.name, sample, note=_weights(entry)))
    named, end = below(labels, width, bottom + 48, 1 if stacked else 2)
    return picture(
        width,
        end if labels else bottom + 44,
        *across(x, top, bottom, "decisions a second, logarithmic"),
        *upright(y, left, right, axis_title(measure, y)),
        *(
            upright_estimate(entry, told(entry, measure), x(_speed(entry)), y)
            for entry in reversed(ranked)
        ),
        *points,
        *named,
        name=f"cost-{width:.0f}",
        title=f"{measure.noun.capitalize()} against decisions a second",
        told="; ".join(
            f"{entry.name}: {_speed(entry):,.3g} decisions a second, "
            f"{measure.figure(entry.estimate.mean)}{measure.unit}"
            for entry in ranked
        ),
    )


def _references(
    found: Sequence[Entry], measure: Measure, axis: Axis, top: float, bottom: float
) -> list[str]:
    """Draw random and the best expert as lines through all rows, their names above."""
    parts, room = [], Room(Box(axis.start - 12, 0.0, axis.end + 12, top))
    for entry in floor_and_ceiling(found):
        x = axis(entry.estimate.mean)
        said = f"{entry.name} {measure.figure(entry.estimate.mean)}"
        (label,) = wrapped(said, (axis.end - axis.start) / 2, SMALL)
        half = text_width(label, SMALL) / 2
        middle = min(max(x, axis.start - 12 + half), axis.end + 12 - half)
        for y in (top - 5, top - 20):
            box = Box(middle - half, y - 11, middle + half, y + 2)
            if not any(map(box.overlaps, room.taken)):
                room.taken.append(box)
                parts.append(text(middle, y, label, "reference-name", "middle"))
                break
        parts.append(group(line(x, top, x, bottom, "reference"), data_of=entry.key))
    return parts


def _side_by_side(
    series: Mapping[str, Sequence[Entry]], x: Axis
) -> list[tuple[Sequence[Entry], list[float]]]:
    """Return each series with its points' offsets: nothing at the same number hides another.

    Every series has as many columns as it has rows at one number, at most.
    """
    places: list[list[int]] = []
    for members in series.values():
        seen: dict[int | None, int] = defaultdict(int)
        places.append([])
        for entry in members:
            places[-1].append(seen[entry.learned_from])
            seen[entry.learned_from] += 1
    columns = [max(own) + 1 for own in places]
    counts = sorted({x(e.learned_from or 1) for members in series.values() for e in members})
    nearest = min(right - left for left, right in pairwise(counts))
    pitch = min(8.0, 0.7 * nearest / sum(columns))
    found, before = [], 0
    for members, own, wide in zip(series.values(), places, columns, strict=True):
        middle = (sum(columns) - 1) / 2
        found.append((members, [pitch * (before + place - middle) for place in own]))
        before += wide
    return found


def _by_count(
    members: Sequence[Entry], offsets: Sequence[float], x: Axis, y: Axis
) -> list[tuple[list[float], list[float]]]:
    """Return the positions of a series, taken together by number of demonstrations, in order."""
    found: dict[int, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for entry, offset in zip(members, offsets, strict=True):
        count = entry.learned_from or 1
        found[count][0].append(x(count) + offset)
        found[count][1].append(y(entry.estimate.mean))
    return [found[count] for count in sorted(found)]


def _speed(entry: Entry) -> float:
    """Return decisions a second; 0 where nobody says."""
    if entry.group == "published":
        return 0.0
    return max(finite(entry.said["decisions_per_second"]) or 0.0, 0.0)


def _weights(entry: Entry) -> str:
    count = entry.said["parameters"]
    return f"{compact(count)} weights" if count else ""


def _around(x: float, y: float, radius: float) -> Box:
    return Box(x - radius, y - radius, x + radius, y + radius)


def _name_beside(entry: Entry, room: Room, x: float, y: float) -> str | None:
    """Draw a name beside a point where it has room."""
    lines = [*wrapped(entry.name, 240.0, SMALL), *filter(None, [_weights(entry)])]
    wide = max(text_width(each, SMALL) for each in lines)
    box = room.place(x, y, wide, 14.0 * len(lines), (9.0, 14.0))
    if box is None:
        return None
    at, anchor = (box.left, "start") if box.left >= x else (box.right, "end")
    if box.left < x < box.right:
        at, anchor = x, "middle"
    drawn = [
        text(at, box.top + 14 * place + 11, each, "note" if place else "label", anchor)
        for place, each in enumerate(lines)
    ]
    return group(*drawn, title=entry.name)


def _number_beside(said: str, room: Room, x: float, y: float) -> str:
    """Draw the number of a point whose name stands below, with a line where it is far."""
    box = room.place(x, y, text_width(said, SMALL) + 2, 13.0, range(8, 300, 4))
    if box is None:
        return ""
    middle, level = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    far = abs(middle - x) > 24 or abs(level - y) > 24
    leader = line(x, y, middle, level, "leader") if far else ""
    return leader + text(middle, level + 4, said, "key", "middle")
