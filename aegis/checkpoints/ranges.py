"""Numbers of steps as ranges (``1-50,52``), compared without being spelled out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Range = tuple[int, int]

_RANGE: Final = re.compile(r"([0-9]{1,15})(?:-([0-9]{1,15}))?")


def parse(text: str) -> list[Range]:
    """Return the ranges of a text, ends included, in order and without overlaps.

    Raises:
        ValueError: If it is no list of ranges.
    """
    found = []
    for part in text.split(",") if text else ():
        match = _RANGE.fullmatch(part.strip())
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise ValueError(f"{part[:40]!r} is no range of steps")
        found.append((int(match[1]), int(match[2] or match[1])))
    return list(_joined(sorted(found)))


def render(ranges: Iterable[Range]) -> str:
    """Return ranges as text."""
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges)


def count(ranges: Iterable[Range]) -> int:
    """Return how many numbers ranges hold."""
    return sum(high - low + 1 for low, high in ranges)


def without(ranges: Iterable[Range], others: Iterable[Range]) -> list[Range]:
    """Return what is in the first ranges and not in the second; both as `parse` returns them."""
    taken, left = list(others), []
    at = 0
    for low, high in ranges:
        while at < len(taken) and taken[at][1] < low:
            at += 1
        place, start = at, low
        while place < len(taken) and taken[place][0] <= high:
            if taken[place][0] > start:
                left.append((start, taken[place][0] - 1))
            start = max(start, taken[place][1] + 1)
            place += 1
        if start <= high:
            left.append((start, high))
    return left


def _joined(ranges: list[Range]) -> Iterator[Range]:
    if not ranges:
        return
    low, high = ranges[0]
    for begin, end in ranges[1:]:
        if begin <= high + 1:
            high = max(high, end)
        else:
            yield low, high
            low, high = begin, end
    yield low, high
