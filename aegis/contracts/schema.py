"""The part of JSON Schema that describes the arguments of tools, and its validator.

Keywords: ``type`` (one name or several), ``enum``, ``const``, ``minimum``, ``maximum``,
``minLength``, ``maxLength``, ``items``, ``minItems``, ``maxItems``, ``properties``,
``required``, ``additionalProperties``; and those that only describe. Another keyword is refused
when the tool is built, never ignored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from aegis.contracts.names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CHECKED: Final = frozenset(
    {
        "type",
        "enum",
        "const",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "items",
        "minItems",
        "maxItems",
        "properties",
        "required",
        "additionalProperties",
    }
)
_DESCRIBING: Final = frozenset(
    {"title", "description", "default", "examples", "format", "$schema", "$id"}
)


def violations(schema: Mapping[str, Any], value: Any, path: str = "") -> list[str]:
    """Return how `value` breaks `schema`, one sentence each; empty where it is valid.

    Numbers must be finite, and an integer is a Python ``int``: 1.0 and True are none.
    """
    return list(_violations(schema, value, path))


def schema_faults(schema: object, path: str = "") -> list[str]:
    """Return what is wrong with a schema itself: unknown keywords, values of the wrong type."""
    return list(_faults(schema, path or "the schema"))


def argument_schema_faults(schema: object) -> list[str]:
    """Return what is wrong with the schema of a tool's arguments, which must be an object."""
    faults = schema_faults(schema)
    if not faults and isinstance(schema, Mapping) and schema.get("type") != "object":
        faults = [f'the schema must have type "object", not {schema.get("type")!r}']
    return faults


def _violations(schema: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
    name = path or "the value"
    types = _types(schema)
    if types and not any(_TYPES[kind](value) for kind in types):
        yield f"{name} must be {' or '.join(types)}, not {_shown(value)}"
        return
    if not types and not _is_json(value):
        yield f"{name} is no JSON value: {_shown(value)}"
        return
    if "enum" in schema and not any(_same(value, one) for one in schema["enum"]):
        yield f"{name} is {_shown(value)}, none of {_listed(schema['enum'])}"
    if "const" in schema and not _same(value, schema["const"]):
        yield f"{name} must be {schema['const']!r}, not {_shown(value)}"
    if isinstance(value, str):
        yield from _size(schema, value, name, ("minLength", "maxLength"), "characters")
    elif isinstance(value, Mapping):
        yield from _object(schema, value, path)
    elif isinstance(value, (list, tuple)):
        yield from _size(schema, value, name, ("minItems", "maxItems"), "items")
        for index, item in enumerate(value if "items" in schema else ()):
            yield from _violations(schema["items"], item, f"{name}[{index}]")
    elif _is_number(value):
        yield from _range(schema, value, name)


def _object(schema: Mapping[str, Any], value: Mapping[Any, Any], path: str) -> Iterator[str]:
    name = path or "the value"
    properties = schema.get("properties", {})
    extra = schema.get("additionalProperties", True)
    for key in schema.get("required", ()):
        if key not in value:
            yield f'{name} lacks "{key}"'
    for key, item in value.items():
        below = f"{path}.{key}" if path else str(key)
        if key in properties:
            yield from _violations(properties[key], item, below)
        elif not isinstance(key, str):
            yield f"{name} has the key {key!r}, which is no string"
        elif extra is False:
            yield f'{name} has the unknown key "{key}"{did_you_mean(key, properties)}'
        else:
            yield from _violations({} if extra is True else extra, item, below)


def _size(
    schema: Mapping[str, Any],
    value: Sequence[Any],
    name: str,
    keys: tuple[str, str],
    unit: str,
) -> Iterator[str]:
    low, high = schema.get(keys[0]), schema.get(keys[1])
    if low is not None and len(value) < low:
        yield f"{name} has {len(value)} {unit}, at least {low} are needed"
    if high is not None and len(value) > high:
        yield f"{name} has {len(value)} {unit}, at most {high} are allowed"


def _range(schema: Mapping[str, Any], value: float, name: str) -> Iterator[str]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and value < low:
        yield f"{name} is {value}, at least {low} is allowed"
    if high is not None and value > high:
        yield f"{name} is {value}, at most {high} is allowed"


def _faults(schema: object, path: str) -> Iterator[str]:
    if not isinstance(schema, Mapping):
        yield f"{path} must be a mapping, not {_shown(schema)}"
        return
    for key in schema:
        if key not in _CHECKED | _DESCRIBING:
            yield f'{path}: keyword "{key}" is not supported'
    types: Sequence[Any] = _types(schema)
    if any(not isinstance(kind, str) or kind not in _TYPES for kind in types):
        yield f"{path}: type {schema['type']!r} is none of {', '.join(_TYPES)}"
    for key in ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"):
        if key in schema and not _is_number(schema[key]):
            yield f"{path}: {key} must be a number, not {_shown(schema[key])}"
    if not isinstance(schema.get("enum", []), (list, tuple)):
        yield f"{path}: enum must be a list, not {_shown(schema['enum'])}"
    yield from _nested_faults(schema, path)


def _nested_faults(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    if "items" in schema:
        yield from _faults(schema["items"], f"{path}.items")
    if not isinstance(schema.get("additionalProperties", True), bool):
        yield from _faults(schema["additionalProperties"], f"{path}.additionalProperties")
    properties = schema.get("properties", {})
    if not isinstance(properties, Mapping):
        yield f"{path}: properties must be a mapping, not {_shown(properties)}"
        return
    for key, below in properties.items():
        yield from _faults(below, f"{path}.{key}")
    required = schema.get("required", ())
    if not isinstance(required, (list, tuple)):
        yield f"{path}: required must be a list, not {_shown(required)}"
        return
    for key in required:
        if key not in properties:
            yield f'{path}: "{key}" is required and no property'


def _types(schema: Mapping[str, Any]) -> Sequence[str]:
    said = schema.get("type", ())
    return said if isinstance(said, (list, tuple)) else (said,)


def _is_number(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _is_json(value: Any) -> bool:
    if value is None or isinstance(value, (str, bool)) or _is_number(value):
        return True
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    return isinstance(value, (list, tuple)) and all(_is_json(item) for item in value)


def _same(left: Any, right: Any) -> bool:
    """Return whether two JSON values are equal; 1 and True are not, 1 and 1.0 are."""
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(_shown(value) for value in values)


_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": _is_number,
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, (list, tuple)),
    "object": lambda value: isinstance(value, Mapping),
}
