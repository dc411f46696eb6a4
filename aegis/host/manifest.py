"""Checks of what provider hooks return: manifests, before anything of them is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs

from aegis.contracts.component import KINDS, Component, Kind, Part
from aegis.contracts.names import NAME_RULE, is_name
from aegis.errors import PluginError, Problem

if TYPE_CHECKING:
    from aegis.host.plugin import PluginInfo, Provided

PROVIDERS: Final[dict[Kind, str]] = {kind: f"aegis_{kind}s" for kind in KINDS}
"""The hook that provides each kind of component."""


def manifests(result: object, kind: Kind, plugin: PluginInfo) -> tuple[Component, ...]:
    """Return the components in what the provider hook of `kind` returned.

    Raises:
        PluginError: With everything that is wrong with them.
    """
    hook = PROVIDERS[kind]
    if isinstance(result, (str, bytes, Mapping)) or not isinstance(result, Iterable):
        raise PluginError(_problem(plugin, hook, f"returned {_shown(result)}", "return a list"))
    items = tuple(result)
    problems = [
        _problem(plugin, hook, fault, "see the reference of aegis.Component")
        for item in items
        for fault in _faults(item, kind)
    ]
    if problems:
        raise PluginError(problems)
    return tuple(item for item in items if isinstance(item, Component))


def twice(components: Sequence[Component], plugin: PluginInfo) -> Iterable[Problem]:
    """Return the problems of names that one plugin gives to two components of a kind."""
    seen: set[tuple[str, str]] = set()
    for component in components:
        if (component.kind, component.name) in seen:
            what = f'provides two {component.kind}s named "{component.name}"'
            yield _problem(plugin, PROVIDERS[component.kind], what, "rename one of them")
        seen.add((component.kind, component.name))


def collision(new: Provided, old: Provided) -> Problem:
    """Return the problem of two plugins that provide the same name."""
    component = new.component
    return Problem(
        "plugin-collision",
        f'{component.kind} "{component.name}" is provided by {old.plugin} and by {new.plugin}',
        where="[plugins].enabled",
        fix=f"aegis plugins disable {new.plugin.name}"
        + ("" if old.plugin.builtin else f", or aegis plugins disable {old.plugin.name}"),
    )


def _faults(item: object, kind: Kind) -> Iterable[str]:
    if isinstance(item, Component):
        yield from _component_faults(item, kind)
    else:
        yield f"returned {_shown(item)} in its list, not a Component"


def _component_faults(item: Any, kind: Kind) -> Iterable[str]:
    label = f'{item.kind} "{item.name}"'
    if item.kind != kind:
        yield f"returned {label}, which belongs to {PROVIDERS[item.kind]}"
    if not isinstance(item.summary, str) or not item.summary or "\n" in item.summary:
        yield f"{label}: summary must be one line, not {item.summary!r}"
    yield from (f"{label}: {fault}" for fault in _callables(item))
    if item.config is not None and not (isinstance(item.config, type) and attrs.has(item.config)):
        yield f"{label}: config must be an attrs class, not {_shown(item.config)}"
    for name in ("provides", "requires"):
        labels = getattr(item, name)
        if not isinstance(labels, frozenset) or not all(isinstance(x, str) for x in labels):
            yield f"{label}: {name} must be a frozenset of strings, not {_shown(labels)}"
    yield from (f"{label}: {fault}" for fault in _parts(item))


def _callables(item: Any) -> Iterable[str]:
    if not callable(item.build):
        yield f"build must be callable, not {_shown(item.build)}"
    for name in ("describe", "check"):
        value = getattr(item, name)
        if value is not None and not callable(value):
            yield f"{name} must be callable or None, not {_shown(value)}"


def _parts(item: Any) -> Iterable[str]:
    if not isinstance(item.parts, Mapping):
        yield f"parts must be a mapping, not {_shown(item.parts)}"
        return
    keys = _keys(item.config)
    for name, part in item.parts.items():
        if not isinstance(name, str) or not is_name(name):
            yield f"part {name!r}: {NAME_RULE}"
        elif name in keys:
            yield f'part "{name}" has the name of a key of {_shown(item.config)}'
        if not isinstance(part, Part):
            yield f"part {name!r} must be an aegis.Part, not {_shown(part)}"
        elif part.kind not in KINDS:
            yield f'part "{name}": kind {part.kind!r} is none of {", ".join(KINDS)}'
        elif part.default is not None and not is_name(part.default):
            yield f'part "{name}": default {part.default!r}: {NAME_RULE}'


def _keys(config: Any) -> frozenset[str]:
    if not isinstance(config, type) or not attrs.has(config):
        return frozenset()
    return frozenset(attribute.name for attribute in attrs.fields(config))


def _problem(plugin: PluginInfo, hook: str, what: str, fix: str) -> Problem:
    return Problem("plugin-manifest", f"{plugin}, {hook}: {what}", fix=fix)


def _shown(value: object) -> str:
    text = repr(value)
    if isinstance(value, type):
        return f"the class {value.__qualname__}"
    return f"{text if len(text) <= 60 else text[:59] + '…'} ({type(value).__name__})"
