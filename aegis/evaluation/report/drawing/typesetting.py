"""How wide a line of text will be, and where it is broken."""

from __future__ import annotations

import unicodedata
from typing import Final

from aegis.evaluation.report.drawing.markup import clean

NAME: Final = 13.0
SMALL: Final = 11.5
"""Sizes of type in charts; the page's style says the same."""
ELLIPSIS: Final = "\N{HORIZONTAL ELLIPSIS}"

_WIDTHS: Final = {
    **dict.fromkeys("ijl.,:;'|! ", 0.34),
    **dict.fromkeys('ftrI()[]{}-/\\"*', 0.46),
    **dict.fromkeys("mwMWOQ@%+=<>\N{MINUS SIGN}\N{HORIZONTAL ELLIPSIS}", 0.98),
}
"""Widths in ems of a wide typeface, DejaVu Sans: narrower ones leave room."""
_BREAKS: Final = " @_-/:.,"
"""A name may be broken behind these."""


def text_width(content: str, size: float) -> float:
    """Return about how wide a line of text is, rather too much than too little."""
    return size * sum(_em(character) for character in content)


def wrapped(content: str, width: float, size: float, lines: int = 1) -> list[str]:
    """Return a text in at most so many lines; what has no room is left out of the middle.

    The end of a name often tells it from the next one: it stays.
    """
    rest, found = clean(content), list[str]()
    while len(found) < lines - 1 and text_width(rest, size) > width:
        fits = _fitting(rest, width, size)
        spot = max(rest.rfind(mark, 0, fits) for mark in _BREAKS) + 1
        cut = spot if spot > fits // 3 else fits
        found.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*found, _shortened(rest, width, size)]


def _shortened(content: str, width: float, size: float) -> str:
    if text_width(content, size) <= width:
        return content
    room = width - text_width(ELLIPSIS, size)
    tail = _fitting(content[::-1], 0.4 * room, size)
    end = content[len(content) - tail :]
    head = _fitting(content, room - text_width(end, size), size)
    return f"{content[:head].rstrip()}{ELLIPSIS}{end.lstrip()}"


def _fitting(content: str, width: float, size: float) -> int:
    """Return how many of the first characters have room, at least one."""
    used = 0.0
    for count, character in enumerate(content):
        used += size * _em(character)
        if used > width:
            return max(count, 1)
    return len(content)


def _em(character: str) -> float:
    known = _WIDTHS.get(character)
    if known is not None:
        return known
    if unicodedata.east_asian_width(character) in "WF":
        return 1.1
    if character.isascii():
        return 0.72 if character.isupper() else 0.64
    return 0.0 if unicodedata.combining(character) else 1.0
