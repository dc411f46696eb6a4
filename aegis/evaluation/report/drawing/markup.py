"""Markup: elements of HTML and SVG as text.

Whatever a text holds, it stays text: `clean` leaves nothing that XML forbids or that turns the
direction of writing, and every text and attribute is escaped.
"""

from __future__ import annotations

import re
from html import escape
from typing import Final

_REPLACED: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff"
    "\ufdd0-\ufdef\ufffe\uffff]"
)


def clean(value: object) -> str:
    """Return a value as text of one line that can stand in any document."""
    return " ".join(_REPLACED.sub("\ufffd", str(value)).split())


def verbatim(value: object) -> str:
    """Return a value as text in ``<pre>``: every space of it, nothing else that is white."""
    return escape(re.sub(r"\s", " ", _REPLACED.sub("\ufffd", str(value))))


def element(name: str, *content: str, **attributes: object) -> str:
    """Return an element.

    Args:
        name: Its name.
        content: What it holds: markup, so texts come escaped.
        attributes: Numbers are rounded to hundredths. ``_`` stands for ``-``, at the end for
            nothing; None is left out.
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{attribute(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{said}>{''.join(content)}</{name}>" if content else f"<{name}{said}/>"


def escaped(value: object) -> str:
    """Return a value as text between tags."""
    return escape(clean(value))


def attribute(value: object) -> str:
    """Return a value as an attribute's text."""
    if isinstance(value, float):
        return f"{round(value, 2) + 0.0:.10g}"  # adding turns a negative zero
    return escape(clean(value))
