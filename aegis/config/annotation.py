"""What a type annotation allows: its shape, and the words that messages use for it."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Union, get_args, get_origin

import attrs

from aegis.config import literal

if TYPE_CHECKING:
    from collections.abc import Iterable

LISTS: Final[dict[Any, type]] = {list: list, tuple: tuple, Sequence: tuple, frozenset: frozenset}
"""Types that a list becomes, and what makes them."""

_WORDS: Final[dict[Any, str]] = {
    int: "an integer",
    float: "a number",
    str: "a string",
    bool: "true or false",
    Path: "a string (a path)",
    Any: "anything",
}


def is_literal(kind: Any) -> bool:
    """Return whether only listed values are allowed."""
    return get_origin(kind) is Literal


def is_union(kind: Any) -> bool:
    """Return whether one of several types is allowed, None among them or not."""
    return get_origin(kind) in {Union, types.UnionType}


def is_mapping(kind: Any) -> bool:
    """Return whether it is a table of free keys (or of `names`, each of which may be left out)."""
    return (get_origin(kind) or kind) in {dict, Mapping}


def names(kind: Any) -> tuple[str, ...]:
    """Return the only keys that a table of free keys may have; none where any will do."""
    name = (*get_args(kind), None)[0]
    return get_args(name) if is_literal(name) else ()


def is_list(kind: Any) -> bool:
    """Return whether it is a list of any length."""
    return (get_origin(kind) or kind) in LISTS and not is_fixed_tuple(kind)


def is_fixed_tuple(kind: Any) -> bool:
    """Return whether it is a list of a fixed length, each position with its own type."""
    return get_origin(kind) is tuple and Ellipsis not in get_args(kind)


def item(kind: Any) -> Any:
    """Return the type of a list's items."""
    return get_args(kind)[0] if get_args(kind) else Any


def options(kind: Any) -> list[Any]:
    """Return what a union allows besides None; of another type, the type itself."""
    parts = get_args(kind) if is_union(kind) else (kind,)
    return [part for part in parts if part is not types.NoneType]


def allowed(kind: Any) -> str:
    """Return what a type allows, in words."""
    if kind in _WORDS:
        return _WORDS[kind]
    if is_literal(kind):
        return f"one of {choices(get_args(kind))}"
    if is_union(kind):
        return " or ".join(allowed(option) for option in options(kind))
    if is_list(kind):
        one = item(kind)
        return "an array" if one is Any else f"an array, each item {allowed(one)}"
    if is_mapping(kind) or attrs.has(kind):
        return "a table"
    return getattr(kind, "__name__", str(kind))


def choices(values: Iterable[Any]) -> str:
    """Return values as a list for a message."""
    return ", ".join(literal.render(value) for value in values)
