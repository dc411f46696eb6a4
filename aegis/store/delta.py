"""Line deltas: what one text adds to the one before it.

A delta is text itself, one operation a line:

    =3        line 3 of the base
    =3,7      seven lines of the base from line 3 on
    ~3,20,5,x line 3 of the base, its first 20 and last 5 characters kept, ``x`` between them
    +text     a new line

``apply(base, delta(base, lines)) == lines`` for every two sequences of lines without line
breaks. It is made for short texts of which most lines stay the same, in time linear in the
lines; it does not look for the smallest delta.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAD_CHARACTERS: Final = 16
"""A changed line is looked for among the base's lines that begin with the same characters."""
EDIT_SAVES: Final = 12
"""Characters that an edit must keep before it is worth more than a new line."""
SHORTEST_EDITED: Final = HEAD_CHARACTERS + EDIT_SAVES
"""Characters of the shortest line that an edit is tried for."""


def delta(base: Sequence[str], lines: Sequence[str]) -> str:
    """Return the operations that make `lines` from `base`."""
    known = {line: number for number, line in enumerate(base)}
    heads = {line[:HEAD_CHARACTERS]: number for number, line in enumerate(base)}
    operations: list[str] = []
    at = 0
    while at < len(lines):
        start = known.get(lines[at])
        if start is None:
            operations.append(_changed(base, heads, lines[at]))
            at += 1
            continue
        count = _common_run(base, start, lines, at)
        operations.append(f"={start}" if count == 1 else f"={start},{count}")
        at += count
    return "\n".join(operations)


def apply(base: Sequence[str], operations: str) -> list[str]:
    """Return the lines that `delta` described relative to `base`.

    Raises:
        ValueError: If the operations are not a delta, or not one relative to this base.
    """
    lines: list[str] = []
    for operation in operations.split("\n") if operations else ():
        kind, rest = operation[:1], operation[1:]
        if kind == "+":
            lines.append(rest)
        elif kind == "=":
            lines += _copied(base, rest)
        elif kind == "~":
            lines.append(_edited(base, rest))
        else:
            raise ValueError(f"unknown operation {operation[:20]!r}")
    return lines


def _common_run(base: Sequence[str], start: int, lines: Sequence[str], at: int) -> int:
    longest = min(len(base) - start, len(lines) - at)
    count = 1
    while count < longest and base[start + count] == lines[at + count]:
        count += 1
    return count


def _changed(base: Sequence[str], heads: dict[str, int], line: str) -> str:
    number = heads.get(line[:HEAD_CHARACTERS]) if len(line) >= SHORTEST_EDITED else None
    if number is None:
        return "+" + line
    old = base[number]
    first = _common_start(old, line, HEAD_CHARACTERS)
    last = _common_end(old[first:], line[first:])
    edit = f"~{number},{first},{last},{line[first : len(line) - last]}"
    return edit if len(edit) + EDIT_SAVES <= len(line) else "+" + line


def _common_start(one: str, other: str, low: int) -> int:
    """Return how many characters two texts begin with, which is at least `low`, by bisection."""
    high = min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one.startswith(other[:middle]):
            low = middle
        else:
            high = middle - 1
    return low


def _common_end(one: str, other: str) -> int:
    if one[-1:] != other[-1:]:
        return 0
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one.endswith(other[len(other) - middle :]):
            low = middle
        else:
            high = middle - 1
    return low


def _copied(base: Sequence[str], numbers: str) -> Sequence[str]:
    first, _, more = numbers.partition(",")
    start, count = int(first), int(more) if more else 1
    if start < 0 or count < 1 or start + count > len(base):
        raise ValueError(f"lines {start} to {start + count - 1} of a base of {len(base)}")
    return base[start : start + count]


def _edited(base: Sequence[str], edit: str) -> str:
    numbers = edit.split(",", 3)
    number, first, last = (int(text) for text in numbers[:3])
    if not (0 <= number < len(base) and first >= 0 <= last <= len(base[number]) - first):
        raise ValueError(f"an edit of line {number} of a base of {len(base)}")
    old = base[number]
    return old[:first] + numbers[3] + old[len(old) - last :]
