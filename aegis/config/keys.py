"""The keys of a section: the fields of its attrs class, with types, defaults and limits."""

from __future__ import annotations

import collections.abc
import pathlib
import sys
import typing
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import attrs
from attrs import NOTHING, frozen

from aegis.config.problem import ConfigProblem
from aegis.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Names that modules commonly import for annotations only. A module's own meaning of a name wins.
_ANNOTATION_ONLY: Final[dict[str, Any]] = {
    **{name: getattr(collections.abc, name) for name in ("Iterable", "Mapping", "Sequence")},
    **{name: getattr(typing, name) for name in ("Any", "Final", "Literal")},
    "Path": pathlib.Path,
}

_FACTORY: Final[type[Any]] = type(attrs.Factory(list))


@frozen
class Key:
    """One key of a section.

    Attributes:
        name: What it is called in the file.
        type: Its resolved type.
        declared: Its default as attrs has it: a value, a factory, or NOTHING.
        limits: What `aegis.setting` says of it: help, ge, gt, le, choices, path.
    """

    name: str
    type: Any
    declared: Any
    limits: Mapping[str, Any]

    @property
    def required(self) -> bool:
        """Whether the file must give a value."""
        return self.declared is NOTHING

    def default(self) -> Any:
        """Return the value where the file gives none; None where there is none."""
        if self.required:
            return None
        if isinstance(self.declared, _FACTORY):
            return None if self.declared.takes_self else self.declared.factory()
        return self.declared


@cache
def keys_of(cls: type) -> tuple[Key, ...]:
    """Return the keys that an attrs class declares.

    Raises:
        PluginError: If it is no attrs class, or an annotation of it cannot be resolved.
    """
    if not attrs.has(cls):
        raise _unusable(cls, "not an attrs class")
    known = vars(sys.modules[cls.__module__])
    missing = {name: value for name, value in _ANNOTATION_ONLY.items() if name not in known}
    try:
        attrs.resolve_types(cls, localns=missing)
    except NameError as error:
        raise _unusable(cls, f"an annotation cannot be resolved: {error}") from error
    return tuple(
        Key(field.name, field.type, field.default, field.metadata.get("aegis", {}))
        for field in attrs.fields(cls)
        if field.init
    )


def _unusable(cls: type, reason: str) -> PluginError:
    return PluginError(
        ConfigProblem(
            "config-class",
            reason,
            f"{cls.__module__}.{cls.__qualname__}",
            "make it an attrs class whose annotations are imported at module level",
        )
    )
