"""A JSON Schema of the whole configuration file, the sections of components included."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import attrs

from aegis.config import annotation
from aegis.config.keys import Key, keys_of
from aegis.config.settings import BUILTIN_PROFILES, Settings
from aegis.config.structure import to_json
from aegis.contracts.component import KINDS
from aegis.contracts.names import NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aegis.contracts.component import Component

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_SIMPLE: Final[Mapping[Any, Schema]] = {
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    Path: {"type": "string"},
    Any: {},
}
_LIMITS: Final = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum"}
_NAMES: Final[Schema] = {"pattern": f"^{NAME.pattern}$"}


def schema(components: Iterable[Component] = ()) -> Schema:
    """Return the schema of aegis.toml where these components are provided."""
    whole = _table(Settings)
    whole["properties"]["profiles"]["propertyNames"] = {
        **_NAMES,
        "not": {"enum": list(BUILTIN_PROFILES)},
    }
    by_kind: dict[str, list[Component]] = {kind: [] for kind in KINDS}
    for component in components:
        by_kind[component.kind].append(component)
    for kind, members in by_kind.items():
        whole["properties"][kind] = _sections(kind, members, by_kind)
    return {"$schema": DIALECT, "title": "aegis.toml", **whole}


def _sections(
    kind: str, members: list[Component], by_kind: Mapping[str, list[Component]]
) -> Schema:
    return {
        "type": "object",
        "description": f"Settings of components of kind {kind}, by name.",
        "properties": {member.name: _section(member, by_kind) for member in members},
        "additionalProperties": False,
    }


def _section(component: Component, by_kind: Mapping[str, list[Component]]) -> Schema:
    section = _table(component.config) if component.config else _closed({}, [])
    section["description"] = component.summary
    for name, part in component.parts.items():
        choices = [member.name for member in by_kind[part.kind]]
        described = {"type": "string", "description": f"Which {part.kind} serves as its {name}."}
        default = {} if part.default is None else {"default": part.default}
        section["properties"][name] = {**described, "enum": choices, **default}
    return section


def _table(cls: type) -> Schema:
    keys = keys_of(cls)
    properties = {key.name: _key(key) for key in keys}
    return _closed(properties, [key.name for key in keys if key.required])


def _closed(properties: Schema, required: list[str]) -> Schema:
    table: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**table, "required": required} if required else table


def _key(key: Key) -> Schema:
    described = {"description": key.limits["help"]} if "help" in key.limits else {}
    default = key.default()
    shown = default is not None and not attrs.has(type(default)) and default != {}
    return {
        **_limited(_type(key.type), key.limits),
        **described,
        **({"default": to_json(default)} if shown else {}),
    }


def _limited(shape: Schema, limits: Mapping[str, Any]) -> Schema:
    """Return the shape with a setting's limits; in a list or free table they hold for its items."""
    if shape.get("type") == "array":
        return {**shape, "items": _limited(shape.get("items", {}), limits)}
    if isinstance(shape.get("additionalProperties"), dict):
        return {**shape, "additionalProperties": _limited(shape["additionalProperties"], limits)}
    bounds = {word: limits[name] for name, word in _LIMITS.items() if name in limits}
    choices = {"enum": list(limits["choices"])} if "choices" in limits else {}
    return {**shape, **bounds, **choices}


def _type(kind: Any) -> Schema:
    if kind in _SIMPLE:
        return dict(_SIMPLE[kind])
    if attrs.has(kind):
        return _table(kind)
    if annotation.is_literal(kind):
        return {"enum": list(get_args(kind))}
    if annotation.is_union(kind):
        return _union(annotation.options(kind))
    return _collection(kind)


def _union(options: list[Any]) -> Schema:
    # TOML has no null: an optional key is left out, so None is no shape of its own.
    shapes = [_type(option) for option in options]
    return shapes[0] if len(shapes) == 1 else {"anyOf": shapes}


def _collection(kind: Any) -> Schema:
    if annotation.is_mapping(kind):
        item = (*get_args(kind), Any, Any)[1]
        names = annotation.names(kind)
        allowed = {"propertyNames": {"enum": list(names)}} if names else {}
        return {"type": "object", "additionalProperties": _type(item), **allowed}
    if annotation.is_list(kind):
        return {"type": "array", "items": _type(annotation.item(kind))}
    if annotation.is_fixed_tuple(kind):
        items = [_type(item) for item in get_args(kind)]
        return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}
    return {}
