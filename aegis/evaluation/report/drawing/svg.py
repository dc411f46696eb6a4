"""Drawing: lines, texts, marks and pictures of SVG."""

from __future__ import annotations

from typing import Final

from aegis.evaluation.report.drawing.markup import attribute, element, escaped

SHAPES: Final = ("circle", "square", "triangle", "diamond", "wedge", "cross")


def text(x: float, y: float, content: str, class_: str = "", anchor: str = "") -> str:
    """Return a line of text whose baseline is at (x, y)."""
    return element(
        "text",
        escaped(content),
        x=x,
        y=y,
        class_=class_ or None,
        text_anchor=anchor or None,
    )


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """Return a straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def group(*content: str, title: str = "", **attributes: object) -> str:
    """Return a group; its title is what a browser shows for the pointer."""
    named = (element("title", escaped(title)),) if title else ()
    return element("g", *named, *content, **attributes)


def mark(shape: str, x: float, y: float, radius: float, class_: str) -> str:
    """Return a shape of `SHAPES`, all of about the same area, centred on (x, y)."""
    return element(
        "path",
        d=_path(shape, radius),
        transform=f"translate({attribute(x)} {attribute(y)})",
        class_=class_,
    )


def picture(width: float, height: float, *content: str, name: str, title: str, told: str) -> str:
    """Return an SVG element.

    Args:
        width: Of its own coordinates.
        height: Of its own coordinates.
        content: What it shows.
        name: Names it in its document: title and description have identifiers.
        title: What it is.
        told: The same figures in words, for those who do not see them.
    """
    return element(
        "svg",
        element("title", escaped(title), id=f"{name}-title"),
        element("desc", escaped(told), id=f"{name}-desc"),
        *content,
        class_="chart",
        viewBox=f"0 0 {attribute(width)} {attribute(height)}",
        style=f"max-width:{attribute(width)}px",
        role="img",
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-desc",
    )


def _path(shape: str, r: float) -> str:
    if shape == "circle":
        return f"M{-r:.2f} 0A{r:.2f} {r:.2f} 0 1 1 {r:.2f} 0A{r:.2f} {r:.2f} 0 1 1 {-r:.2f} 0Z"
    corners = {
        "square": [(-0.89, -0.89), (0.89, -0.89), (0.89, 0.89), (-0.89, 0.89)],
        "triangle": [(0.0, -1.25), (1.18, 0.85), (-1.18, 0.85)],
        "wedge": [(0.0, 1.25), (1.18, -0.85), (-1.18, -0.85)],
        "diamond": [(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
        "cross": [
            *[(-0.4, -1.15), (0.4, -1.15), (0.4, -0.4), (1.15, -0.4), (1.15, 0.4), (0.4, 0.4)],
            *[(0.4, 1.15), (-0.4, 1.15), (-0.4, 0.4), (-1.15, 0.4), (-1.15, -0.4), (-0.4, -0.4)],
        ],
    }[shape]
    return "M" + "L".join(f"{x * r:.2f} {y * r:.2f}" for x, y in corners) + "Z"
