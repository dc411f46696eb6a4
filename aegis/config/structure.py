"""Raw tables and JSON into attrs objects, strictly, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from aegis.config import literal, rules
from aegis.config.keys import keys_of
from aegis.config.problem import ConfigProblem, Fault
from aegis.config.problem import Path as Place
from aegis.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aegis.config.source import Source

T = TypeVar("T")


def structure(
    cls: type,
    raw: Any,
    keys: tuple[str, ...],
    source: Source | None = None,
    others: Iterable[str] = (),
) -> tuple[Any | None, list[Problem]]:
    """Return an instance of `cls` made from `raw`, or everything that is wrong with it.

    Args:
        cls: attrs class whose fields are the keys that are allowed.
        raw: The section as parsed.
        keys: Where the section stands in the file, for the messages.
        source: Knows lines and origins, and the folder that paths are relative to.
        others: Names that are legal beside the class's own, for suggestions only.
    """
    try:
        value = rules.table(cls, raw, tuple(others))
    except rules.Refused as refused:
        return None, [located(fault, keys, source) for fault in refused.faults]
    return (value if source is None else anchored(value, source.project)), []


def from_json(cls: type[T], data: Any) -> T:
    """Return an instance of `cls` made from JSON values, as `to_json` wrote them.

    Raises:
        InputError: With every value that is missing, unknown or of another type, by its path.
    """
    try:
        value: T = rules.CONVERTER.structure(data, cls)
    except rules.Refused as refused:
        raise InputError(
            Problem(fault.code, f"{cls.__name__}{_json_path(fault.path)}: {fault.message}")
            for fault in refused.faults
        ) from None
    return value


def to_json(value: Any) -> Any:
    """Return `value` as plain JSON values: attrs objects become tables, tuples and sets lists.

    Raises:
        InputError: If something in it has no JSON form; the path to it is named.
    """
    return _plain(value, ())


def _plain(value: Any, path: Place) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if attrs.has(type(value)):
        names = [field.name for field in attrs.fields(type(value))]
        return {name: _plain(getattr(value, name), (*path, name)) for name in names}
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return {name: _plain(item, (*path, name)) for name, item in value.items()}
    if isinstance(value, AbstractSet):
        return [_plain(item, path) for item in sorted(value)]
    if isinstance(value, list | tuple):
        return [_plain(item, (*path, index)) for index, item in enumerate(value)]
    return _plain_leaf(value, path)


def _plain_leaf(value: Any, path: Place) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return value
    place = _json_path(path).lstrip(".") or "the value"
    raise InputError.of("not-json", f"{place}: {literal.found(value)} has no JSON form")


def _json_path(path: Place) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def located(fault: Fault, keys: tuple[str, ...], source: Source | None) -> ConfigProblem:
    """Return a fault of the section `keys` with its place in the file and in its origin."""
    path = (*keys, *fault.path)
    where = source.where(*(step for step in path if isinstance(step, str))) if source else ""
    place = section_path(path) if source and source.is_table(path) else key_path(path)
    return ConfigProblem(fault.code, f"{place}: {fault.message}", where, fault.fix)


def key_path(path: Place) -> str:
    """Return a place as messages name it: ``[engine.gpt2].model``, ``[agent].interests[1]``."""
    names = [literal.key(step) for step in path if isinstance(step, str)]
    steps = "".join(f"[{step}]" for step in path if isinstance(step, int))
    if not names:
        return "the file"
    section = ".".join(names[:-1])
    return (f"[{section}].{names[-1]}" if section else names[-1]) + steps


def section_path(path: Place) -> str:
    """Return a section as messages name it: ``[engine.gpt2]``."""
    return f"[{'.'.join(literal.key(str(step)) for step in path)}]"


def anchored(value: T, project: Path) -> T:
    """Return `value` with every setting that is a path made absolute from `project`."""
    changes: dict[str, Any] = {}
    cls: type = type(value)
    for key in keys_of(cls):
        old = getattr(value, key.name)
        if attrs.has(type(old)):
            changes[key.name] = anchored(old, project)
        elif "path" in key.limits:
            changes[key.name] = _absolute(old, key.limits["path"], project)
    return attrs.evolve(value, **changes) if changes else value  # type: ignore[misc]  # keys_of has checked that it is an attrs class


def _absolute(value: Any, mode: str, project: Path) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(_absolute(item, mode, project) for item in value)
    if not isinstance(value, str | Path):
        return value
    text = str(value)
    if mode == "if-pathlike" and "/" not in text and not text.startswith((".", "~")):
        return value
    return type(value)(project / Path(text).expanduser())
