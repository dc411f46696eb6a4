"""What is left out of a view that is longer than a context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import evolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from aegis.contracts.view import View

_ORDER: Final = ("gaps", "facts", "knowledge", "recent", "found", "observation", "missing")
"""Sections in the order in which they give way. Within one the last item goes first, which is the
weakest; of the recent steps the oldest."""


def shorten(view: View, fits: Callable[[View], bool]) -> tuple[View, int]:
    """Return the view with as few items left out as make it fit, and how many those are.

    The goal and the step always stay; where even they do not fit the caller cuts further.

    Args:
        view: A view that does not fit.
        fits: Whether a view fits; true for a view implies true for it with less.
    """
    low, high = 0, sum(len(getattr(view, name)) for name in _ORDER)
    while low < high:
        middle = (low + high) // 2
        if fits(_without(view, middle)):
            high = middle
        else:
            low = middle + 1
    return _without(view, low), low


def _without(view: View, count: int) -> View:
    changes: dict[str, tuple[object, ...]] = {}
    for name in _ORDER:
        items = getattr(view, name)
        gone = min(count, len(items))
        if gone:
            changes[name] = items[gone:] if name == "recent" else items[: len(items) - gone]
        count -= gone
    return evolve(view, **changes)  # type: ignore[arg-type]  # each section keeps its own item type
