"""Draw the rooms of a package and which of them imports which, from its source.

A room is a module or sub-package right below the package. An arrow that follows from two others is
left out, so that the drawing shows the order of the rooms and not every import.
"""
# ruff: noqa: INP001 - a script's module, no package

from __future__ import annotations

import ast
from collections import Counter
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

Edge = tuple[str, str]

_BOX: Final = (124, 36)  # width, height
_ROW: Final = 84  # from one row to the next
_GAP: Final = 22  # between two boxes of a row
_LANE: Final = 26  # what an arrow takes where it passes a row
_MARGIN: Final = 28
_STYLE: Final = (
    "text{font:15px system-ui,sans-serif;fill:#1c2733;text-anchor:middle}"
    ".key{font-size:13px;text-anchor:start}"
    "rect{fill:#fff;stroke:#5a6b7d;stroke-width:1.2}"
    ".paper{fill:#f3f5f8;stroke:#c9d1da}"
    "path{fill:none;stroke:#5a6b7d;stroke-width:1.3}"
    ".used{stroke-dasharray:5 4}"
    ".up{stroke:#b3261e;stroke-dasharray:2 3}"
    ".head{fill:#5a6b7d;stroke:none}.up-head{fill:#b3261e;stroke:none}"
)


class Import(NamedTuple):
    """One import: of which room, and whether only when a function is called."""

    room: str
    used: bool


class Imports(NamedTuple):
    """What the rooms of a package import from each other.

    Attributes:
        rooms: All rooms, in the order of their names.
        loaded: Files that import across the edge when they are imported themselves, counted.
        used: The same for imports inside of functions, where no file has the other kind.
    """

    rooms: tuple[str, ...]
    loaded: Mapping[Edge, int]
    used: Mapping[Edge, int]


def read(package: Path) -> Imports:
    """Return the imports between the rooms of a package; those for annotations are left out."""
    files = [file for file in sorted(package.rglob("*.py")) if file != package / "__init__.py"]
    rooms = sorted({_room(file, package) for file in files})
    counts: dict[bool, Counter[Edge]] = {False: Counter(), True: Counter()}
    for file in files:
        room = _room(file, package)
        found = set(_imports(ast.parse(file.read_text("utf-8")), package.name, used=False))
        for one in found:
            if one.room != room and one.room in rooms:
                counts[one.used][room, one.room] += 1
    loaded = dict(sorted(counts[False].items()))
    used = {edge: n for edge, n in sorted(counts[True].items()) if edge not in loaded}
    return Imports(tuple(rooms), loaded, used)


def _room(file: Path, package: Path) -> str:
    return file.relative_to(package).parts[0].removesuffix(".py")


def _imports(node: ast.AST, package: str, *, used: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        names: list[str] = []
        if isinstance(child, ast.Import):
            names = [alias.name for alias in child.names]
        elif isinstance(child, ast.ImportFrom) and child.module == package:
            names = [f"{package}.{alias.name}" for alias in child.names]
        elif isinstance(child, ast.ImportFrom) and child.module:
            names = [child.module]
        yield from (
            Import(name.split(".")[1], used) for name in names if name.startswith(f"{package}.")
        )
        inside = used or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from _imports(child, package, used=inside)


def pointing_back(edges: Mapping[Edge, int]) -> list[Edge]:
    """Return edges without which there is no circle: those that close most of them, first.

    Among equals, it is the edge of the fewest files.
    """
    left, back = dict(edges), []
    while circle := _in_circles(left):
        found = min(
            circle,
            key=lambda edge: (
                len(_in_circles({other: n for other, n in left.items() if other != edge})),
                left[edge],
                edge,
            ),
        )
        del left[found]
        back.append(found)
    return back


def _in_circles(edges: Mapping[Edge, int]) -> list[Edge]:
    return [edge for edge in edges if _reaches(edges, edge[1], edge[0])]


def _reaches(edges: Mapping[Edge, int], start: str, goal: str) -> bool:
    seen, open_ = set[str](), [start]
    while open_:
        room = open_.pop()
        if room == goal:
            return True
        if room not in seen:
            seen.add(room)
            open_ += [target for source, target in edges if source == room]
    return False


def _without_implied(edges: Mapping[Edge, int]) -> list[Edge]:
    return [
        edge
        for edge in edges
        if not _reaches({other: 1 for other in edges if other != edge}, *edge)
    ]


def _rows(rooms: tuple[str, ...], edges: Iterable[Edge]) -> dict[str, int]:
    """Return the row of each room: above all that it imports, right below what imports it."""
    rows: dict[str, int] = {}

    def lowest(room: str) -> int:
        if room not in rows:
            below = [lowest(target) for source, target in edges if source == room]
            rows[room] = max(below, default=-1) + 1
        return rows[room]

    for room in sorted(rooms, key=lowest, reverse=True):
        above = [rows[source] for source, target in edges if target == room]
        rows[room] = min(above, default=rows[room] + 1) - 1
    return rows


class _Layout:
    """Places of rooms, and of the lanes in which arrows pass rows; a lane is no string of a room.

    Rows are ordered by the mean place of their neighbours, then drawn towards them without
    overlapping (Sugiyama, Tagawa and Toda 1981).
    """

    def __init__(self, rows: Mapping[str, int], edges: list[Edge]) -> None:
        self.ways: dict[Edge, list[str]] = {}
        height = max(rows.values()) + 1
        self.rows: list[list[str]] = [[] for _ in range(height)]
        for room, row in rows.items():
            self.rows[row].append(room)
        for source, target in edges:
            lanes = []
            for row in range(rows[source] - 1, rows[target], -1):
                lanes.append(f"{source}>{target}@{row}")
                self.rows[row].append(lanes[-1])
            self.ways[source, target] = [source, *lanes, target]
        self.neighbours: dict[str, list[str]] = {name: [] for row in self.rows for name in row}
        for way in self.ways.values():
            for one, other in pairwise(way):
                self.neighbours[one].append(other)
                self.neighbours[other].append(one)
        self.x = {name: 100.0 * i for row in self.rows for i, name in enumerate(row)}
        for sweep in range(60):
            rows_ = self.rows if sweep % 2 else self.rows[::-1]
            for names in rows_:
                self._place(names, reorder=sweep < 24)
        least = min(self.x[name] - self.width(name) / 2 for name in self.x)
        self.x = {name: x - least + _MARGIN for name, x in self.x.items()}

    def width(self, name: str) -> int:
        return _LANE if ">" in name else _BOX[0]

    def _place(self, names: list[str], *, reorder: bool) -> None:
        wanted = {name: self._wanted(name) for name in names}
        if reorder:
            names.sort(key=lambda name: (wanted[name], name))
        # Each is pushed right of the one before it, then all are moved back by what it cost them.
        place, placed = float("-inf"), {}
        for before, name in zip([None, *names], names, strict=False):
            if before is not None:
                place += (self.width(before) + self.width(name)) / 2 + _GAP
            place = max(place, wanted[name])
            placed[name] = place
        shift = sum(placed[name] - wanted[name] for name in names) / max(1, len(names))
        self.x.update({name: x - shift for name, x in placed.items()})

    def _wanted(self, name: str) -> float:
        near = [self.x[other] for other in self.neighbours[name]]
        return sum(near) / len(near) if near else self.x[name]


def draw(imports: Imports, title: str) -> str:
    """Return the rooms and their imports as an SVG that needs nothing else."""
    every = {**imports.loaded, **imports.used}
    back = pointing_back(every)
    shown = _without_implied({edge: n for edge, n in every.items() if edge not in back})
    # An arrow that points back is laid out like its opposite and has its head at the other end.
    layout = _Layout(_rows(imports.rooms, shown), [*shown, *(edge[::-1] for edge in back)])
    top = len(layout.rows) - 1
    place = {
        name: (layout.x[name], _MARGIN + (top - row) * _ROW + _BOX[1] / 2)
        for row, names in enumerate(layout.rows)
        for name in names
    }
    width = max(layout.x[name] + layout.width(name) / 2 for name in layout.x) + _MARGIN
    key = _MARGIN + top * _ROW + _BOX[1] + 40
    height = key + 24
    lines = [
        *(
            _arrow([place[name] for name in way], _kind(edge, imports, back))
            for edge, way in layout.ways.items()
        ),
        *(_box(room, *place[room]) for room in imports.rooms),
        *_key(key, pointing_back=bool(back)),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n"
        '<rect class="paper" x="0.5" y="0.5" rx="8" '
        f'width="{width - 1:.0f}" height="{height - 1:.0f}"/>\n' + "\n".join(lines) + "\n</svg>\n"
    )


def _kind(edge: Edge, imports: Imports, back: list[Edge]) -> str:
    if edge[::-1] in back:
        return "up"
    return "used" if edge in imports.used else ""


def _arrow(points: list[tuple[float, float]], kind: str) -> str:
    half = _BOX[1] / 2
    if kind == "up":  # beside the arrows that begin and end at the middle of a box
        points = [
            (points[0][0] + 30, points[0][1]),
            *points[1:-1],
            (points[-1][0] + 30, points[-1][1]),
        ]
    starts, ends = (6, 0) if kind == "up" else (0, 6)  # room for the head
    path = f"M{points[0][0]:.1f} {points[0][1] + half + starts:.1f}"
    for number, ((x0, y0), (x1, y1)) in enumerate(pairwise(points)):
        last = number == len(points) - 2
        start, end = y0 + half, y1 - half - (ends if last else 0)
        bend = (end - start) / 2
        path += f"C{x0:.1f} {start + bend:.1f} {x1:.1f} {end - bend:.1f} {x1:.1f} {end:.1f}"
        if not last:
            path += f"V{y1 + half:.1f}"
    if kind == "up":
        head = _head(points[0][0], points[0][1] + half, -1, "up-head")
    else:
        head = _head(points[-1][0], points[-1][1] - half, 1, "head")
    return f'<path class="{kind}" d="{path}"/>{head}'


def _head(x: float, y: float, down: int, kind: str) -> str:
    back = y - 7 * down
    return f'<path class="{kind}" d="M{x:.1f} {y:.1f}L{x - 4:.1f} {back:.1f}H{x + 4:.1f}Z"/>'


def _box(room: str, x: float, y: float) -> str:
    width, height = _BOX
    return (
        f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" rx="5" '
        f'width="{width}" height="{height}"/>'
        f'<text x="{x:.1f}" y="{y + 5:.1f}">{escape(room)}</text>'
    )


def _key(y: float, *, pointing_back: bool) -> list[str]:
    told = [("", "imported with the module"), ("used", "imported when a function is called")]
    if pointing_back:
        told.append(("up", "points back"))
    lines, x = [], float(_MARGIN)
    for kind, text in told:
        lines.append(f'<path class="{kind}" d="M{x:.0f} {y - 4:.0f}h30"/>')
        lines.append(f'<text class="key" x="{x + 38:.0f}" y="{y:.0f}">{text}</text>')
        x += 62 + 6.6 * len(text)
    return lines
